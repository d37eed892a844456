/** What live results make of the browser's word that the network has gone, or that no socket may be opened. */
import { createClient } from "@galley/sdk";
import t from "tap";
import { play, serving, todo } from "../support/scripted-todos.ts";
import { until } from "../support/until.ts";

// A window's events, which Node has not.
const events = new EventTarget();
Object.assign(globalThis, {
  addEventListener: events.addEventListener.bind(events),
  removeEventListener: events.removeEventListener.bind(events),
});

t.test("a socket that has gone silent is given up soon when the device says it is offline", async (t) => {
  const { server, db, live, states, last } = await play(
    t,
    serving(() => [todo("a")]),
  );
  await live.ready;
  const statuses: string[] = [];
  db.connection.onChange(() => statuses.push(db.connection.status));
  events.dispatchEvent(new Event("offline"));
  const { frames } = await server.frames(0, 3);
  t.match(frames[2], { t: "ping" });
  await server.frames(1, 2);
  await until(() => last()?.synced === true && states.length > 2, 20, "coming back");
  t.strictSame(statuses, ["waiting", "connecting", "open"]);
  t.match(states[1], { synced: false, data: [{ _id: "a" }] }, "what was shown stays");
});

t.test("one that answers is kept: a server may be on this very device", async (t) => {
  const { server, db, live } = await play(t, (frame, connection) => {
    serving(() => [])(frame, connection);
    if (frame.t === "ping") connection.send({ t: "beat", pos: "h1.0000000000000001" });
  });
  await live.ready;
  events.dispatchEvent(new Event("offline"));
  await server.frames(0, 3);
  t.equal(db.connection.status, "open");
  t.equal(server.connections.length, 1);
});

t.test("where the platform refuses to open a socket the result ends, and says to where", async (t) => {
  class Refusing {
    constructor() {
      throw new DOMException("not from a page of https", "SecurityError");
    }
  }
  const db = createClient({ url: "http://127.0.0.1:1", WebSocket: Refusing as never });
  t.teardown(() => db.close());
  const live = db.collection("todos").find().live();
  await t.rejects(live.ready, {
    code: "failed_precondition",
    message: "no socket can be opened to ws://127.0.0.1:1/v1/live",
    cause: { name: "SecurityError" },
  });
  t.equal(db.connection.status, "off");
  await t.rejects(db.collection("todos").find().live().ready, { code: "failed_precondition" }, "and so does the next");
});
