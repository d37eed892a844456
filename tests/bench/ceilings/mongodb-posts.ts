/** What both MongoDB ceilings keep: the posts of harness/post.ts in one collection, as a competent person would store them. */
import { type Collection, MongoClient } from "mongodb";
import { type Post, post, postId } from "../harness/post.ts";

export interface StoredPost extends Omit<Post, "createdAt"> {
  readonly _id: string;
  readonly createdAt: Date;
}

const FILL_AT_ONCE = 5000;

/** Opens the collection of `BENCH_MONGODB_URL`, and fills it with `BENCH_COUNT` posts of `BENCH_AUTHORS`, unless another ceiling has. */
export async function openPosts(): Promise<Collection<StoredPost>> {
  const client = new MongoClient(process.env.BENCH_MONGODB_URL as string);
  const posts = client.db().collection<StoredPost>("ceiling");
  await posts.createIndex({ author: 1, createdAt: -1 });
  if ((await posts.estimatedDocumentCount()) > 0) return posts;
  const count = Number(process.env.BENCH_COUNT);
  const authors = Number(process.env.BENCH_AUTHORS ?? 1000);
  for (let from = 0; from < count; from += FILL_AT_ONCE) {
    const length = Math.min(FILL_AT_ONCE, count - from);
    const some = Array.from({ length }, (_, i) => stored(postId(from + i), post(from + i, authors)));
    await posts.insertMany(some, { ordered: false });
  }
  return posts;
}

/** The document of a body: its tagged date is a date of MongoDB. */
export function stored(_id: string, { createdAt, ...rest }: Post): StoredPost {
  return { _id, ...rest, createdAt: new Date(createdAt.$date) };
}
