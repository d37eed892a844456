import t from "tap";
import { Faults } from "#protocol/errors";
import { freezeValue } from "#protocol/freeze";
import type { Path } from "#protocol/paths";
import { parseUpdate } from "#protocol/update";
import { type Document, encodeValue, type ObjectValue, type Value } from "#protocol/values";
import { NO_MASKS } from "../../server/access/masks/masks.ts";
import { namesOf } from "../../server/access/masks/update-names.ts";
import { DATE, masksOf, own, paths, put, SERVER, stored } from "../support/masks.ts";

const HIDDEN = { read: false };
const SEALED = { write: false };

t.test("what may not be read goes, wherever its path leads", async (t) => {
  const rows: [what: string, masks: string[], document: ObjectValue, seen: ObjectValue][] = [
    ["a member", ["b"], { a: 1, b: 2, c: 3 }, { a: 1, c: 3 }],
    ["everything beneath", ["b"], { b: { c: { d: 1 } } }, {}],
    ["an inner member", ["a.b"], { a: { b: 1, c: 2 } }, { a: { c: 2 } }],
    ["the last member: the object stays", ["a.b"], { a: { b: 1 } }, { a: {} }],
    ["in elements", ["a.b"], { a: [{ b: 1, c: 2 }, 3, { b: 4 }] }, { a: [{ c: 2 }, 3, {}] }],
    ["in arrays of arrays", ["a.b"], { a: [[{ b: 1, c: 2 }], [[{ b: 1 }]]] }, { a: [[{ c: 2 }], [[{}]]] }],
    ["arrays on every level", ["a.b.c"], { a: [{ b: [{ c: 1, d: 2 }] }] }, { a: [{ b: [{ d: 2 }] }] }],
    ["by index and by key", ["a.1"], { a: [1, 2, { 1: "x", y: 2 }] }, { a: [1, null, { y: 2 }] }],
    ["an index of the first list only", ["a.0"], { a: [[1], [2, 3]] }, { a: [null, [2, 3]] }],
    ["beneath an index", ["a.0.b"], { a: [{ b: 1, c: 2 }, { b: 3 }] }, { a: [{ c: 2 }, { b: 3 }] }],
    ["in a list at an index", ["a.0.b"], { a: [[{ b: 1 }], [{ b: 1 }]] }, { a: [[{}], [{ b: 1 }]] }],
    [
      "two indexes",
      ["a.0.1"],
      {
        a: [
          [1, 2],
          [1, 2],
        ],
      },
      {
        a: [
          [1, null],
          [1, 2],
        ],
      },
    ],
    ["a key that looks like an index", ["a.0"], { a: { 0: 1, 1: 2 } }, { a: { 1: 2 } }],
    ["a parent before its child", ["a", "a.b"], { a: { b: 1 }, c: 2 }, { c: 2 }],
    ["two children", ["a.b", "a.c"], { a: { b: 1, c: 2, d: 3 } }, { a: { d: 3 } }],
    ["null", ["a"], { a: null, b: null }, { b: null }],
  ];
  for (const [what, masks, document, seen] of rows) {
    const found = masksOf(Object.fromEntries(masks.map((path) => [path, HIDDEN]))).hide(stored(document));
    t.equal(encodeValue(found), encodeValue({ ...SERVER, ...seen }), what);
  }
  const untouched = stored({ a: 5, d: DATE, n: 5n, u: [], o: {}, s: ["x"] });
  const masks = masksOf({
    "a.b": HIDDEN,
    "d.getTime": HIDDEN,
    "n.x": HIDDEN,
    "u.x": HIDDEN,
    "o.x": HIDDEN,
    "s.length": HIDDEN,
  });
  t.equal(masks.hide(untouched), untouched, "the same object where nothing is hidden");
  const bytes = new Uint8Array([1, 2]);
  const kept = masksOf({ "b.0": HIDDEN, x: HIDDEN }).hide({ ...SERVER, b: bytes, x: 1, d: DATE } as Document);
  t.equal(kept.b, bytes);
  t.equal(kept.d, DATE);
});

t.test("a parent that may not be read covers a child that may", async (t) => {
  const masks = masksOf({ a: HIDDEN, "a.b": { read: true, write: true }, c: {}, "c.d": HIDDEN });
  t.strictSame(own(masks.hide(stored({ a: { b: 1 }, c: { d: 1, e: 2 } }))), { c: { e: 2 } });
  t.equal(masks.denied(stored({ a: { b: 1 } }), { a: { b: 2 } }, paths("a.b")), "a.b");
});

t.test("server fields may be hidden but _id and _v, and are never the masks' to write", async (t) => {
  const masks = masksOf({ _id: HIDDEN, _v: HIDDEN, _createdAt: HIDDEN, _updatedAt: { immutable: true } });
  const before = stored({ a: 1 });
  t.strictSame(masks.hide(before), { _id: "d1", _v: 7, _updatedAt: DATE, a: 1 });
  t.equal(masks.denied(before, { a: 2 }, paths("a")), undefined);
  t.strictSame(put(masks, before, { a: 2 }), { a: 2 });
  t.same([masks.queryable(["_id"]), masks.queryable(["_createdAt"])], [true, false]);
});

t.test("a name that means something to JavaScript is a name like any other", async (t) => {
  const document = JSON.parse('{"_id":"d1","_v":1,"__proto__":{"x":1},"s":1,"a":{"__proto__":2,"b":3}}') as Document;
  const masks = masksOf({ s: HIDDEN, "a.b": HIDDEN, toString: HIDDEN, "a.constructor": HIDDEN });
  t.equal(encodeValue(masks.hide(document)), '{"_id":"d1","_v":1,"__proto__":{"x":1},"a":{"__proto__":2}}');
  t.equal(
    JSON.stringify(put(masks, document, JSON.parse('{"__proto__":{"x":1},"a":{"__proto__":2}}'))),
    '{"__proto__":{"x":1},"s":1,"a":{"__proto__":2,"b":3}}',
  );
  const proto = masksOf({ "__proto__.x": HIDDEN });
  t.equal(JSON.stringify(proto.hide(document).a), '{"__proto__":2,"b":3}');
  t.notOk(JSON.stringify(proto.hide(document)).includes('"x"'));
});

t.test("a filter is judged on the document as it is stored", async (t) => {
  const masks = masksOf({ owner: { read: { owner: "me" } }, notes: { read: { owner: "me" } }, z: HIDDEN });
  const [mine, other] = [stored({ owner: "me", notes: 1 }), stored({ owner: "you", notes: 1 })];
  t.equal(masks.hide(mine), mine);
  t.strictSame(own(masks.hide(other)), {});
  t.same([masks.hidden(mine), masks.hidden(other)], [["z"], ["notes", "owner", "z"]]);
  const sealed = masksOf({ status: { write: { status: "draft" } } });
  t.equal(sealed.denied(stored({ status: "draft" }), { status: "done" }, paths("status")), undefined);
  t.equal(sealed.denied(stored({ status: "done" }), { status: "draft" }, paths("status")), "status");
  t.equal(sealed.denied(undefined, { status: "done" }, { status: "done" }), "status");
  t.equal(sealed.denied(undefined, { status: "draft" }, { status: "draft" }), undefined);
  const owned = masksOf({ owner: { default: "me" }, rank: { write: { owner: "me" } } });
  t.equal(owned.denied(undefined, { rank: 1 }, { rank: 1 }), undefined, "a create is judged with its defaults");
});

t.test("an update may change what its masks leave to it", async (t) => {
  const fields = {
    score: SEALED,
    "meta.rank": SEALED,
    owner: { immutable: true },
    "items.price": SEALED,
    secret: HIDDEN,
    "deep.secret": HIDDEN,
    "list.secret": HIDDEN,
    pin: { read: false, write: true },
    token: { read: false, write: false },
    "box.pin": { read: false, immutable: true, write: true },
  };
  const before = {
    score: 1,
    meta: { rank: 1, x: 1 },
    owner: "me",
    items: [
      { n: "a", price: 1 },
      { n: "b", price: 2 },
    ],
    secret: 1,
    deep: { secret: 1, x: 1 },
    list: [{ secret: 1, n: 1 }],
    pin: 1,
    token: 1,
    box: { pin: 1 },
    free: 1,
  };
  const [a, b] = before.items;
  const rows: [what: string, changed: ObjectValue, gone: string[], named: string[], denied: string | undefined][] = [
    ["something free", { free: 2 }, [], ["free"], undefined],
    ["a sealed one", { score: 2 }, [], ["score"], "score"],
    ["a sealed one to what it is", { score: 1 }, [], ["score"], undefined],
    ["a sealed one from int64", { score: 1n }, [], ["score"], "score"],
    ["removing a sealed one", {}, ["score"], ["score"], "score"],
    ["beneath a sealed one", { score: { x: 1 } }, [], ["score.x"], "score"],
    ["beside an inner one", { meta: { rank: 1, x: 2 } }, [], ["meta"], undefined],
    ["an inner one by its parent", { meta: { x: 1 } }, [], ["meta"], "meta.rank"],
    ["a parent by a scalar", { meta: 5 }, [], ["meta"], "meta.rank"],
    ["a parent by an array", { meta: [{ rank: 1 }] }, [], ["meta"], "meta.0.rank"],
    ["removing the parent", {}, ["meta"], ["meta"], "meta.rank"],
    ["an immutable one", { owner: "you" }, [], ["owner"], "owner"],
    ["removing an immutable one", {}, ["owner"], ["owner"], "owner"],
    ["another member of an element", { items: [{ n: "c", price: 1 }, b as ObjectValue] }, [], ["items.0.n"], undefined],
    ["one in an element", { items: [a as ObjectValue, { n: "b", price: 3 }] }, [], ["items.1.price"], "items.1.price"],
    ["order of elements", { items: [b as ObjectValue, a as ObjectValue] }, [], ["items"], "items.0.price"],
    ["an element less", { items: [a as ObjectValue] }, [], ["items"], "items.1.price"],
    ["an element more", { items: [...before.items, { n: "c" }] }, [], ["items"], undefined],
    ["an element more with it", { items: [...before.items, { price: 1 }] }, [], ["items"], "items.2.price"],
    ["naming what is unreadable, unchanged", {}, [], ["secret"], "secret"],
    ["naming beneath it", {}, [], ["secret.x"], "secret.x"],
    ["naming its parent", {}, [], ["deep"], "deep"],
    ["naming its sibling", { deep: { secret: 1, x: 2 } }, [], ["deep.x"], undefined],
    ["naming its list", {}, [], ["list"], "list"],
    ["naming it in an element", {}, [], ["list.0.secret"], "list.0.secret"],
    ["naming an element", {}, [], ["list.0"], "list.0"],
    ["naming its sibling in an element", { list: [{ secret: 1, n: 2 }] }, [], ["list.0.n"], undefined],
    ["changing it unnamed", { secret: 2 }, [], [], "secret"],
    ["one with write stated", { pin: 2 }, [], ["pin"], undefined],
    ["one with write denied, unchanged", {}, [], ["token"], "token"],
    ["an immutable unreadable one, unchanged", {}, [], ["box.pin"], "box.pin"],
  ];
  const masks = masksOf(fields);
  for (const [what, changed, gone, named, denied] of rows) {
    const next: Record<string, Value> = { ...before, ...changed };
    for (const key of gone) delete next[key];
    t.equal(masks.denied(stored(before), freezeValue(next) as ObjectValue, paths(...named)), denied, what);
  }
  t.equal(masks.denied(stored({}), { owner: "me" }, paths("owner")), "owner", "nor is an immutable one added later");
});

t.test("a create may state what it may write", async (t) => {
  const masks = masksOf({
    owner: { immutable: true },
    score: SEALED,
    secret: HIDDEN,
    pin: { read: false, write: true },
    "items.price": SEALED,
    "deep.secret": HIDDEN,
  });
  const rows: [ObjectValue, string | undefined][] = [
    [{ owner: "me", pin: 1, items: [], deep: {} }, undefined],
    [{ items: [{ n: 1 }], deep: { x: 1 } }, undefined],
    [{ score: null }, "score"],
    [{ secret: 1 }, "secret"],
    [{ items: [{ n: 1 }, { price: 1 }] }, "items.1.price"],
    [{ items: [[{ price: 1 }]] }, "items.0.0.price"],
    [{ deep: [{ secret: 1 }] }, "deep.0.secret"],
  ];
  for (const [sent, denied] of rows) t.equal(masks.denied(undefined, sent, sent), denied, encodeValue(sent));
});

t.test("a replacement keeps what the caller cannot see or write, in its place", async (t) => {
  const masks = masksOf({
    a: HIDDEN,
    "c.s": HIDDEN,
    "list.s": HIDDEN,
    "row.0": HIDDEN,
    d: SEALED,
    "e.w": SEALED,
    o: { immutable: true },
    pin: { read: false, write: true },
    "seen.s": HIDDEN,
    seen: SEALED,
  });
  const list: Value = [{ s: 1, n: 1 }, { n: 2 }];
  const row: Value = [1, 2];
  const full: ObjectValue = {
    a: 1,
    b: 2,
    c: { s: 3, t: 4 },
    list,
    row,
    d: 5,
    e: { w: 6, x: 7 },
    o: 8,
    pin: 9,
    seen: { s: 1, x: 1 },
    z: 10,
  };
  const before = stored(full);
  const seen = own(masks.hide(before));
  const kept = { a: 1, c: { s: 3 }, d: 5, e: { w: 6 }, o: 8, pin: 9, seen: { s: 1, x: 1 } };
  const [seenList, seenRow]: Value[] = [
    [{ n: 1 }, { n: 2 }],
    [null, 2],
  ];
  const lists: ObjectValue = { list: seenList as Value, row: seenRow as Value };
  const rows: [what: string, sent: ObjectValue, left: ObjectValue | string][] = [
    ["as it was read", seen, full],
    ["one member else", { ...seen, b: 3 }, { ...full, b: 3 }],
    ["only the lists", lists, { ...kept, list, row }],
    ["a member of an object with a secret", { ...seen, c: { t: 5 } }, { ...full, c: { s: 3, t: 5 } }],
    ["without what is sealed", { ...lists, e: { x: 8 } }, { ...kept, list, row, e: { w: 6, x: 8 } }],
    ["a sealed one stated as it is", { ...lists, d: 5 }, { ...kept, list, row }],
    ["a sealed one changed", { ...lists, d: 6 }, "d"],
    ["an inner sealed one changed", { ...lists, e: { w: 7 } }, "e.w"],
    ["an inner sealed one's parent to null", { ...lists, e: null }, "e.w"],
    ["an immutable one changed", { ...lists, o: 9 }, "o"],
    ["a secret guessed right", { ...lists, a: 1 }, "a"],
    ["a secret guessed wrong", { ...lists, a: 2 }, "a"],
    ["an inner secret guessed right", { ...lists, c: { s: 3, t: 4 } }, "c.s"],
    ["a secret's parent to null", { ...lists, c: null }, "c"],
    ["a secret's parent to a list", { ...lists, c: [] }, "c"],
    ["a write-only one", { ...lists, pin: 1 }, { ...kept, list, row, pin: 1 }],
    ["a list changed", { ...lists, list: [{ n: 1 }, { n: 3 }] }, "list"],
    ["a list reordered", { ...lists, list: [{ n: 2 }, { n: 1 }] }, "list"],
    ["a list with the secret guessed", { ...lists, list }, "list"],
    ["a list with a hidden element changed", { ...lists, row: [null, 3] }, "row"],
    ["a list left out", { row: seenRow as Value }, "list"],
    ["a sealed object with a secret changed", { ...lists, seen: { x: 2 } }, "seen"],
  ];
  for (const [what, sent, left] of rows) {
    const found = put(masks, before, structuredClone(sent));
    if (typeof left === "string") t.equal(found, left, what);
    else t.strictSame(own(found as ObjectValue), left, what);
  }
  t.equal(encodeValue(put(masks, before, seen) as ObjectValue), encodeValue(full), "key order included");
});

t.test("whether something hidden is there does not decide what a replacement may do", async (t) => {
  const masks = masksOf({ s: HIDDEN, "c.s": HIDDEN, "list.s": HIDDEN });
  const worlds = [
    stored({ s: 1, c: { s: 1, t: 1 }, list: [{ s: 1, n: 1 }] }),
    stored({ c: { t: 1 }, list: [{ n: 1 }] }),
  ];
  const list = [{ n: 1 }];
  const sents: ObjectValue[] = [
    {},
    { list },
    { list, c: {} },
    { list, c: { t: 2 } },
    { list, c: 5 },
    { list, c: { s: 1 } },
    { list, s: 1 },
    { list: [] },
    { list: [{ n: 1 }, { n: 2 }] },
    { list: [{ n: 1, s: 1 }] },
  ];
  for (const sent of sents) {
    const [one, other] = worlds.map((before) => {
      const left = put(masks, before, structuredClone(sent));
      return typeof left === "string" ? left : encodeValue(own(masks.hide(stored(left))));
    });
    t.equal(one, other, encodeValue(sent));
  }
});

t.test("defaults fill what a create leaves out", async (t) => {
  const masks = masksOf({
    owner: { default: "me" },
    "meta.a.b": { default: 1 },
    "items.n": { default: 0 },
    "row.0.x": { default: 2 },
    tags: { default: freezeValue({ a: 1 }) },
    "tags.b": { default: 2 },
  });
  const rows: [ObjectValue, ObjectValue][] = [
    [{}, { owner: "me", meta: { a: { b: 1 } }, items: { n: 0 }, tags: { a: 1, b: 2 } }],
    [
      { owner: null, meta: 5, items: [{}, { n: 1 }, 2, [{}]], row: [{}, {}], tags: null },
      { owner: null, meta: 5, items: [{ n: 0 }, { n: 1 }, 2, [{}]], row: [{ x: 2 }, {}], tags: null },
    ],
  ];
  for (const [given, filled] of rows) t.strictSame(masks.fill(freezeValue(given) as ObjectValue), filled);
  const full = freezeValue({ owner: "x", meta: { a: { b: 0 } }, items: [], tags: [] }) as ObjectValue;
  t.equal(masks.fill(full), full);
});

t.test("a question may touch only what may be read of every document", async (t) => {
  const masks = masksOf({
    secret: HIDDEN,
    "a.b": { read: { o: 1 } },
    "list.0": HIDDEN,
    "open.x": { read: true, write: false },
    "deep.0.x": HIDDEN,
  });
  const rows: [string, boolean][] = [
    ["secret", false],
    ["secret.x.y", false],
    ["a", false],
    ["a.b", false],
    ["a.b.c", false],
    ["a.c", true],
    ["a.0.b", false],
    ["a.0.1.b", false],
    ["a.0", false],
    ["a.0.c", true],
    ["list", false],
    ["list.0", false],
    ["list.n", false],
    ["open", true],
    ["open.x", true],
    ["deep.x", false],
    ["deep.1.x", false],
    ["deep.y", true],
    ["0.secret", true],
    ["secrets", true],
    ["b", true],
    ["_id", true],
  ];
  for (const [path, queryable] of rows) t.equal(masks.queryable(path.split(".")), queryable, path);
});

t.test("an update names what it writes, and what it reads to do so", async (t) => {
  const update = {
    $set: { "a.$[].b": 1, "c.$[x].d": 2 },
    $rename: { from: "to" },
    $pull: { items: { price: { $gt: 5 }, $or: [{ "n.m": 1 }, { k: { $not: { $gt: 3 } } }] }, nums: { $gt: 1 } },
    $push: { log: { $each: [], $sort: ["at"] } },
    $addToSet: { set: 1 },
    $arrayFilters: { x: { role: "admin", in: { $elemMatch: { q: 1 } } } },
  };
  const faults = new Faults();
  const names = namesOf(parseUpdate(update, "update", faults));
  faults.throwIfAny();
  const texts = (list: readonly Path[]) => [...new Set(list.map((path) => path.join(".")))].sort();
  t.strictSame(texts(names.named), ["a.b", "c.d", "from", "items", "log", "nums", "set", "to"]);
  t.strictSame(texts(names.sources), [
    "c.in.q",
    "c.role",
    "from",
    "items",
    "items.k",
    "items.n.m",
    "items.price",
    "log.at",
    "nums",
    "set",
  ]);
  const masks = masksOf({ "items.price": { read: { open: true }, write: true } });
  t.equal(masks.unreadable(stored({}), names.sources), "items");
  t.equal(masks.unreadable(stored({ open: true }), names.sources), undefined);
});

t.test("without masks nothing is done", async (t) => {
  t.equal(masksOf({ a: { read: true, write: true }, b: {} }), NO_MASKS);
  const [before, next] = [stored({ a: 1 }), { a: 2 }];
  t.equal(NO_MASKS.hide(before), before);
  t.equal(NO_MASKS.keep(before, next), next);
  t.equal(NO_MASKS.fill(next), next);
  t.same(
    [NO_MASKS.denied(before, next, next), NO_MASKS.unreadable(before, paths("a")), NO_MASKS.hidden(before)],
    [undefined, undefined, []],
  );
  t.ok(NO_MASKS.queryable(["a"]));
});
