/** Live questions: what they accept, whom they are bound to, and who shares a window with whom. */
import t from "tap";
import { GalleyError } from "#protocol/errors";
import type { LiveQuery } from "#protocol/frames";
import { type Document, encodeValue } from "#protocol/values";
import { createAuthorizer } from "../../server/access/authorize.ts";
import { parseRules } from "../../server/access/parsing/rules.ts";
import type { Principal, UserPrincipal } from "../../server/access/principal.ts";
import { createRights } from "../../server/access/rights.ts";
import { createLiveQuestions } from "../../server/documents/live-questions.ts";
import type { ListQuestion, ValueQuestion } from "../../server/realtime/contract.ts";
import type { DocumentStore, Position, Row } from "../../server/stores/document-store.ts";
import { keyPrincipal } from "../support/services.ts";

const RULES = {
  collections: {
    posts: {
      list: { $or: [{ public: true }, { author: "$auth.id" }] },
      get: true,
      create: true,
      fields: {
        secret: { read: { "$auth.roles": "editor" } },
        salary: { read: { author: "$auth.id" } },
        madeAt: { default: "$now" },
      },
    },
    teams: {
      get: { $has: "member" },
      list: { open: true },
      lookups: { member: { from: "members", where: { team: "$doc._id", user: "$auth.id" } } },
    },
    closed: {},
  },
};

const asked: object[] = [];
const STORE = {
  tail: () => ({ close() {} }),
  async count(query: object) {
    asked.push(query);
    return { count: 3, more: false, position: "h.1", examined: 3 };
  },
  async distinct(query: object) {
    asked.push(query);
    return { values: ["a", 2n], more: true, position: "h.1", examined: 3 };
  },
  async aggregate(query: object) {
    asked.push(query);
    return { groups: [{ key: ["a"], out: { total: 2 } }], more: false, position: "h.1", examined: 3 };
  },
} as unknown as DocumentStore;

const { rules } = parseRules(RULES, 1);
const authorizer = createAuthorizer(
  createRights({ store: STORE, clock: () => 0, rules: () => rules, renewed: (principal) => principal }),
);
const questions = createLiveQuestions({
  ...{ store: STORE, definitions: { get: () => undefined }, secrets: ["a secret for tests"], development: false },
});

function user(id: string, roles: readonly string[] = []): UserPrincipal {
  const shared = { session: "s", provedAt: 0, address: "127.0.0.1", guest: false, email: undefined, claims: {} };
  return { kind: "user", id, roles, ...shared };
}
const ANYONE: Principal = { kind: "anonymous", address: "127.0.0.1" };

function bind(query: LiveQuery, principal: Principal) {
  return questions.parse(query).bind(authorizer.scope(principal, query.collection));
}
const find = (body: object, principal: Principal) =>
  bind({ collection: "posts", find: body }, principal) as ListQuestion;

function row(fields: object): Row {
  const value = { _id: "p", _v: 1, ...fields } as unknown as Document;
  return { id: "p", version: 1, value, text: encodeValue(value) };
}

t.test("what cannot be watched, or is no question, is refused with the path of each fault in the frame", async (t) => {
  const paths = (query: LiveQuery) => {
    try {
      questions.parse(query);
      return "accepted";
    } catch (error) {
      if (!(error instanceof GalleyError)) throw error;
      return error.details.faults?.map(({ path, code, message }) =>
        message.startsWith(path) ? `${path} ${code}` : message,
      );
    }
  };
  const collection = "posts";
  t.strictSame(paths({ collection, find: { after: "x", expand: ["author"], limit: 5 } }), [
    "q.find.after not_available_yet",
    "q.find.expand not_available_yet",
  ]);
  t.strictSame(paths({ collection, find: { near: {}, types: "plain", plain: true } }), [
    "q.find.near not_available_yet",
    "q.find.types not_available_yet",
    "q.find.plain not_available_yet",
  ]);
  t.strictSame(paths({ collection, find: { filter: { a: { $foo: 1 } }, sort: 5, limit: 1001, select: [7] } }), [
    "q.find.filter.a.$foo unknown_operator",
    "q.find.sort bad_operand",
    "q.find.limit bad_operand",
    "q.find.select.0 bad_operand",
  ]);
  t.strictSame(paths({ collection, find: { fitler: {} } }), ["q.find.fitler unknown_member"]);
  t.strictSame(paths({ collection, count: { cap: -1, sort: [] } }), ["q.count.sort unknown_member"]);
  t.strictSame(paths({ collection, distinct: {} }), ["q.distinct.path missing_member"]);
  t.strictSame(paths({ collection, aggregate: { out: { a: { wat: "x" } } } })?.length, 1);
  t.equal(paths({ collection, find: {} }), "accepted");
});

t.test("who is shown the same shares a window, and nobody else does", async (t) => {
  const [ann, bob] = [user("ann"), user("bob")];
  const asks = { filter: { public: true, n: { $gte: 3 } }, sort: ["-n"], limit: 9, select: ["b", "a"] };
  const same = { select: ["a", "b"], limit: 9, sort: "-n", filter: { n: { $gte: 3 }, public: true } };
  t.equal(find(asks, ann).identity, find(same, ann).identity, "however it is written");
  t.not(find(asks, ann).identity, find(asks, bob).identity, "their rules, and what they may not read, differ");
  const kind = (principal: Principal) => bind({ collection: "posts", get: { ids: ["p"] } }, principal).identity;
  t.equal(kind(user("eve", ["editor"])), kind(user("eve", ["editor", "other"])));
  t.not(kind(user("eve", ["editor"])), kind(user("eve")), "one may read a field more");
  const key = keyPrincipal(["*"]);
  t.equal(find({}, key).identity, find({}, keyPrincipal(["documents:posts:list"], "k2")).identity);
  t.not(find({ limit: 5 }, key).identity, find({ limit: 6 }, key).identity);
  t.not(find({}, key).identity, bind({ collection: "posts", count: {} }, key).identity);
  const open = { collection: "teams", find: { filter: { open: true } } };
  t.not(bind(open, key).identity, bind(open, ann).identity, "keys may look at more");
});

t.test("a shape tells what else decides how a version looks", async (t) => {
  const [ann, bob] = [user("ann"), user("bob")];
  const { shape } = find({ limit: 5 }, ann);
  t.match(shape, /^[\w-]{16}$/);
  t.equal(find({ limit: 7, filter: { n: 1 } }, ann).shape, shape);
  t.not(find({ limit: 5, select: ["a"] }, ann).shape, shape);
  t.not(find({ limit: 5 }, bob).shape, shape);
  const secrets = ["another secret"];
  const other = createLiveQuestions({
    store: STORE,
    definitions: { get: () => undefined },
    secrets,
    development: false,
  });
  const elsewhere = other.parse({ collection: "posts", find: {} }).bind(authorizer.scope(ann, "posts"));
  t.not((elsewhere as ListQuestion).shape, shape, "nobody can try rules out on it");
});

t.test("documents are shown without what their reader may not read, and nothing is asked about it", async (t) => {
  const ann = user("ann");
  const shown = (question: ListQuestion, fields: object) => JSON.parse(question.show(row(fields)));
  const document = { author: "ann", salary: 5, secret: "x", n: 1 };
  t.strictSame(shown(find({}, ann), document), { _id: "p", _v: 1, author: "ann", salary: 5, n: 1 });
  t.strictSame(shown(find({}, user("bob")), document), { _id: "p", _v: 1, author: "ann", n: 1 });
  t.strictSame(shown(find({ select: ["secret", "n"] }, ann), document), { _id: "p", _v: 1, n: 1 });
  const plain = row(document);
  t.equal(find({}, keyPrincipal()).show(plain), plain.text, "the stored text as it is");
  for (const query of [
    { find: { filter: { secret: "x" } } },
    { find: { sort: ["salary"] } },
    { count: { filter: { salary: { $gt: 3 } } } },
    { distinct: { path: "secret" } },
    { aggregate: { group: ["salary"], out: { n: { count: true } } } },
    { aggregate: { group: ["n"], out: { most: { max: "salary" } } } },
  ]) {
    t.throws(() => bind({ collection: "posts", ...query } as LiveQuery, ann), { code: "field_not_queryable" });
  }
});

t.test("ids are judged by the rule of get, or by that of list where get asks for more than the document", async (t) => {
  const byIds = (collection: string, principal: Principal, ids = ["b", "a", "b"]) =>
    bind({ collection, get: { ids } }, principal) as ListQuestion;
  const { filter, sort, limit } = byIds("posts", user("ann"));
  t.strictSame(filter, { kind: "in", path: ["_id"], values: ["a", "b"] });
  t.strictSame(sort, [{ path: ["_id"], descending: false }]);
  t.equal(limit, 2);
  t.equal(byIds("posts", user("ann"), []).filter.kind, "false");
  t.match(byIds("teams", user("ann")).filter, { kind: "and" }, "the rule of list is in it");
  t.throws(() => byIds("closed", user("ann")), { code: "permission_denied" });
  t.throws(() => byIds("posts", keyPrincipal(["documents:posts:list"])), { code: "permission_denied" });
  t.throws(() => bind({ collection: "closed", find: {} }, ANYONE), { code: "permission_denied" });
  t.throws(() => bind({ collection: "_users", find: {} }, keyPrincipal()), { code: "not_found" });
});

t.test("values are computed at a position, as HTTP answers them, within the asker's rule and bounds", async (t) => {
  const at = "h.0" as Position;
  const read = async (query: object, principal: Principal) =>
    (bind({ collection: "posts", ...query } as LiveQuery, principal) as ValueQuestion).read(at);
  t.strictSame(await read({ count: { cap: 5 } }, user("ann")), { text: '{"count":3,"more":false}', position: "h.1" });
  t.match(asked.pop(), { at, cap: 5, filter: { kind: "or" }, budget: { candidates: 100_000 } });
  t.equal(
    (await read({ distinct: { path: "tag" } }, keyPrincipal())).text,
    '{"values":["a",{"$numberLong":"2"}],"more":true}',
  );
  t.match(asked.pop(), { filter: { kind: "true" }, budget: { candidates: Number.POSITIVE_INFINITY } });
  const total = { aggregate: { group: ["tag"], out: { total: { count: true } } } };
  t.equal((await read(total, keyPrincipal())).text, '{"groups":[{"key":["a"],"out":{"total":2}}],"more":false}');
});

t.test("who is judged by rules is not told which index a question lacks", async (t) => {
  const refused = new GalleyError("query_too_expensive", "an index on author helps", { index: { paths: ["author"] } });
  const told = find({}, user("ann")).told(refused);
  t.notMatch(told.message, /author/);
  t.equal(told.details.index, undefined);
  t.equal(find({}, keyPrincipal()).told(refused), refused);
});
