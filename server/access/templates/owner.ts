import type { Template } from "./template.ts";

/** Each document is its owner's. @param isPublic whether everybody may read it */
export function ownerTemplate(collection: string, field: string, isPublic: boolean): Template {
  const mine = { $use: "mine" };
  const [ann, bob] = [`${collection}-ann`, `${collection}-bob`];
  const id = `${collection}-1`;
  const test = (name: string, as: string | null, expected: object) => ({
    name: `${collection}: ${name}`,
    as,
    in: collection,
    ...expected,
  });
  return {
    declarations: [
      {
        name: collection,
        schema: { type: "object", properties: { [field]: { type: "string" } }, required: [field] },
        indexes: [{ paths: [field] }],
      },
    ],
    rules: {
      collections: {
        [collection]: {
          macros: { mine: { [field]: "$auth.id" } },
          ...{ list: isPublic ? true : mine, get: "list", create: mine, update: mine, delete: mine },
          fields: { [field]: { default: "$auth.id", immutable: true } },
        },
      },
    },
    tests: {
      users: { [ann]: { id: ann }, [bob]: { id: bob } },
      documents: { [collection]: [{ _id: id, [field]: ann }] },
      tests: [
        test("who makes one owns it", ann, { can: "create", with: {} }),
        test("nobody makes one for somebody else", bob, { cannot: "create", with: { [field]: ann } }),
        test("strangers make none", null, { cannot: "create", with: {} }),
        test("its owner changes it", ann, { can: "update", id, with: { seen: true } }),
        test("nobody else does", bob, { cannot: "update", id, with: { seen: true } }),
        test("nobody gives it away", ann, { cannot: "update", id, with: { [field]: bob }, because: `fields.${field}` }),
        test("its owner deletes it", ann, { can: "delete", id }),
        test("nobody else deletes it", bob, { cannot: "delete", id }),
        ...(isPublic
          ? [test("everybody reads it", null, { gets: id, hides: [] })]
          : [
              test("its owner lists it", ann, { lists: [id] }),
              test("nobody else lists it", bob, { lists: [] }),
              test("nobody else reads it", bob, { cannot: "get", id }),
              test("strangers read nothing", null, { cannot: "list" }),
            ]),
      ],
    },
  };
}
