/** The documents that the benchmarks store: about 0.7 KB each, made from their number alone. */

const FILLER =
  "Content and media go out in pieces, news is pushed to those who asked for it, and what people keep here must still be here tomorrow. ";

export interface Post {
  readonly author: string;
  readonly createdAt: { readonly $date: string };
  readonly title: string;
  readonly status: string;
  readonly likes: number;
  readonly tags: readonly string[];
  readonly body: string;
}

export const postId = (n: number) => `post-${String(n).padStart(8, "0")}`;

/** Unless a benchmark asks for others. */
export const AUTHORS = 1000;

/** The `n`-th post, created one second after the last; the authors take turns. */
export function post(n: number, authors = AUTHORS): Post {
  return {
    author: `author-${n % authors}`,
    createdAt: { $date: new Date(Date.UTC(2026, 0, 1) + n * 1000).toISOString() },
    title: `Post number ${n}`,
    status: n % 3 === 0 ? "draft" : "published",
    likes: (n * 7919 + Math.floor(n / 1000) * 31) % 1000,
    tags: [`tag-${n % 17}`, `tag-${n % 23}`],
    body: FILLER.repeat(3),
  };
}
