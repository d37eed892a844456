/** What live results make of documents that another program changed, which left their versions as they were. */
import t from "tap";
import { CLOSE } from "#protocol/frames";
import { play, pos, serving, todo } from "../support/scripted-todos.ts";
import { until } from "../support/until.ts";

const { random } = Math;
Math.random = () => 0;
t.teardown(() => {
  Math.random = random;
});

t.test("a change that kept the version is shown, and a document that only moved stays the same object", async (t) => {
  const [a, b] = [todo("a"), todo("b")];
  const { server, states, last, told } = await play(
    t,
    serving(() => [a, b]),
  );
  await told(1);
  const connection = await server.frames(0, 2);
  const other = { ...b, title: "another program's" };
  connection.send({ t: "commit", pos: pos(2), w: { w1: { prev: pos(1), up: [[1, other]] } } });
  await told(2);
  t.strictSame(last()?.data, [a, other]);
  t.match(last()?.changes, [{ type: "updated", id: "b" }]);
  connection.send({ t: "commit", pos: pos(3), w: { w1: { prev: pos(2), up: [[0, other]] } } });
  await told(3);
  t.strictSame(last()?.data, [other, a]);
  t.equal(last()?.data?.[0], states[1]?.data?.[1], "it is the same");
  t.match(last()?.changes, [{ type: "moved", id: "b" }]);
});

t.test("so it is when the whole list comes anew", async (t) => {
  let rows = [todo("a"), todo("b")];
  const { server, states, last, told } = await play(
    t,
    serving(() => rows),
  );
  await told(1);
  rows = [todo("a"), { ...todo("b"), title: "another program's" }];
  (await server.frames(0, 2)).close(CLOSE.draining);
  await until(() => last()?.data?.[1]?.title === "another program's");
  t.equal(last()?.data?.[0], states[0]?.data?.[0], "what did not change is the same");
});
