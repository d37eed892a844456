/**
 * T1, the path matrix: every route against every kind of caller. A route without a row fails, and so does a row without a
 * route: nobody adds a way in without saying here for whom it is.
 */
import t from "tap";
import { startApp } from "../support/app.ts";

/**
 * For each route, what nobody, a user, a viewer, an editor, an owner, a key for one collection's list, and a full key are
 * told: `-` 401, `x` 403, `o` let through to the route itself, whatever that then says of the request.
 */
const ROWS: Readonly<Record<string, string>> = {};

const PASSWORD = "plum-orbit-lantern-42";

t.test("every route tells every caller what the table says", async (t) => {
  const app = await startApp();
  t.teardown(() => app.close());
  const post = (path: string, body: object, as: string | null = null) => app.send("POST", `/v1/${path}`, { body, as });
  const admin = async (role: string) => {
    const email = `${role}@example.org`;
    const { link } = (await app.send("POST", "/v1/admin/settings/admins", { body: { email, role } })).json;
    const invite = link.split("#token=")[1];
    return (await post("auth/sign-up", { as: "admin", invite, email, password: PASSWORD })).json.session.accessToken;
  };
  const user = (await post("auth/sign-up", { email: "user@example.org", password: PASSWORD })).json.session.accessToken;
  const keys = await app.send("POST", "/v1/admin/keys", { body: { name: "n", scopes: ["documents:posts:list"] } });
  const callers = [
    null,
    user,
    await admin("viewer"),
    await admin("editor"),
    await admin("owner"),
    keys.json.secret,
    app.key,
  ] as const;
  const { paths } = (await app.send("GET", "/v1/openapi.json", { as: null })).json;
  const found: Record<string, string> = {};
  for (const [path, methods] of Object.entries(paths as Record<string, object>)) {
    for (const method of Object.keys(methods)) {
      if (!["get", "post", "put", "patch", "delete"].includes(method)) continue;
      let row = "";
      for (const as of callers) {
        // Names that nobody has: nothing is changed, and no caller's own session ends.
        const url = path.replace("{collection}", "none").replace(/\{\w+\}/g, "none");
        const { status, json } = await app.send(method.toUpperCase(), url, { as, body: { unknown: true } });
        const turnedAway = status === 401 && json?.error.details?.reason !== "session_ended";
        row += turnedAway ? "-" : status === 403 ? "x" : "o";
      }
      found[`${method.toUpperCase()} ${path}`] = row;
    }
  }
  t.strictSame(found, ROWS);
});
