/** Another program that writes behind Galley, and raises versions or leaves them as they are. */
import type { Db } from "mongodb";
import type { Random } from "../trap-pool.ts";
import { MEMBERS } from "./load.ts";
import { IDS, idOf, TEAMS } from "./question.ts";

/** Versions of Galley stand for milliseconds, 1,024 each. */
const PER_MILLISECOND = 1024;

/** So many writes of all kinds, one after the other. */
export async function writeAsOthers(db: Db, random: Random, count: number): Promise<void> {
  let last = 0;
  for (let n = 0; n < count; n++) {
    if (random.chance(15)) await moveMember(db, random);
    const collection = random.pick(["notes", "mixed"]);
    const documents = db.collection<{ _id: string }>(collection);
    const _id = idOf(collection, random.below(IDS));
    last = Math.max(last + 1, (Date.now() + 1000) * PER_MILLISECOND);
    const fields = {
      _v: last,
      n: random.below(20),
      team: random.pick(TEAMS),
      open: random.chance(50),
    };
    const kind = random.below(6);
    if (kind === 0) await documents.updateOne({ _id }, { $set: fields, $unset: { title: "" } });
    else if (kind === 1) await documents.replaceOne({ _id }, { a: random.below(5), ...fields }, { upsert: true });
    else if (kind === 2) await documents.deleteOne({ _id });
    else if (kind === 3) await documents.updateOne({ _id }, { $set: { n: fields.n, team: fields.team } });
    else if (kind === 4) await documents.updateOne({ _id }, { $inc: { n: 1 }, $unset: { title: "" } });
    else await documents.updateOne({ _id }, { $inc: { n: 1 }, $set: { _v: fields._v } });
  }
}

/** Somebody is in another team from now on, or in none, whatever the version says. */
async function moveMember(db: Db, random: Random): Promise<void> {
  const members = db.collection<{ _id: string }>("members");
  const _id = idOf("members", random.below(MEMBERS));
  if (random.chance(20)) await members.deleteOne({ _id });
  else await members.updateOne({ _id }, { $set: { team: random.pick(TEAMS) } });
}
