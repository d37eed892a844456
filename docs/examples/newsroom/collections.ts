const text = { type: "string" } as const;

/**
 * How the collections are declared: what `POST /v1/admin/collections` takes. Whoever a document belongs to has a type, so
 * that no list of people can stand there; and what the rules ask for has an index.
 */
export const COLLECTIONS = [
  {
    name: "articles",
    schema: {
      type: "object",
      required: ["title", "authorId", "teamId"],
      properties: {
        ...{ title: text, body: text, authorId: text, teamId: text, remarks: text },
        status: { enum: ["draft", "published"] },
      },
    },
    indexes: [{ paths: ["status"] }, { paths: ["authorId"] }, { paths: ["teamId"] }],
  },
  { name: "teams", schema: { type: "object", required: ["name"], properties: { name: text } } },
  {
    name: "memberships",
    schema: {
      type: "object",
      required: ["teamId", "userId", "role"],
      properties: { teamId: text, userId: text, role: { enum: ["lead", "writer"] } },
    },
    // Unique: nobody is in a team twice. It holds only documents with both, so it serves no question about one of them.
    indexes: [{ paths: ["teamId", "userId"], unique: true }, { paths: ["teamId"] }, { paths: ["userId"] }],
  },
  {
    name: "notes",
    schema: { type: "object", required: ["ownerId", "text"], properties: { ownerId: text, text } },
    indexes: [{ paths: ["ownerId"] }],
  },
  {
    name: "users",
    schema: {
      type: "object",
      required: ["handle"],
      properties: { handle: text, address: text, verified: { type: "boolean" } },
    },
    indexes: [{ paths: ["handle"], unique: true }],
  },
];
