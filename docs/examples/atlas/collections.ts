/** How the two collections are declared: what `POST /v1/admin/collections` takes. */
export const COLLECTIONS = [
  {
    name: "countries",
    indexes: [{ paths: ["borders"] }, { paths: ["region", "-area"] }, { paths: ["currencies.code"] }],
  },
  {
    name: "cities",
    schema: {
      type: "object",
      required: ["name", "country", "lat", "lng"],
      properties: {
        name: { type: "string" },
        country: { type: "string", ref: "countries" },
        lat: { type: "number", minimum: -90, maximum: 90 },
        lng: { type: "number", minimum: -180, maximum: 180 },
      },
    },
    indexes: [{ paths: ["country", "name"] }, { paths: ["lat"] }],
  },
];
