import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { ConfigError, type ConfigSources, readConfig } from "../../server/config.ts";
import { keptSecret, prepareDataFolder } from "../../server/data-folder.ts";

const SECRET = "4f8e1b0c7a6d5932e1f0a9b8c7d6e5f4";
const KEY = `gsk_${"k3YaB9_z".repeat(4)}`;

function faults(sources: Partial<ConfigSources>): readonly string[] {
  try {
    readConfig({ mode: "production", env: {}, ...sources });
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
}

t.test("the defaults are those of configuration.md, frozen", async (t) => {
  const config = readConfig({ mode: "development", env: {} });
  t.match(config, { mode: "development", host: "127.0.0.1", port: 4600, dataDir: join(process.cwd(), "data") });
  t.match(config, { logLevel: "info", logFormat: "json", warnings: [] });
  t.strictSame([config.secrets, config.serviceKey, config.publicUrl], [[], undefined, undefined]);
  t.ok(Object.isFrozen(config) && Object.isFrozen(config.secrets));
  t.equal(readConfig({ mode: "development", env: {}, terminal: true }).logFormat, "pretty");
});

t.test("a flag wins over the environment, and is what a fault names", async (t) => {
  const env = { GALLEY_PORT: "1" };
  t.equal(readConfig({ mode: "production", env, flags: { port: "0" } }).port, 0);
  t.match(faults({ env, flags: { port: "http" } }), [/^--port: expects a port from 0 to 65535, got "http"$/]);
});

t.test("every fault is told at once, by the name of its variable and what it expects", async (t) => {
  const found = faults({
    env: {
      GALLEY_PORT: "65536",
      GALLEY_HOST: "not a host",
      GALLEY_SECRET: "short",
      GALLEY_SERVICE_KEY: "gsk_short",
      GALLEY_PUBLIC_URL: "https://api.example.com/path",
      GALLEY_ALLOWED_ORIGINS: "https://ok.example.com,*",
      GALLEY_TRUSTED_PROXIES: "10.0.0.0/33",
      GALLEY_LOG_LEVEL: "loud",
      GALLEY_LOG_FORMAT: "xml",
      GALLEY_MONGODB_URL: "mongo://root:hunter2@localhost",
      GALLEY_SMTP_URL: "http://root:hunter2@localhost",
      GALLEY_MAIL_FROM: "nobody",
    },
  });
  const names = found.map((fault) => fault.split(":")[0]);
  t.strictSame(names.sort(), [
    "GALLEY_ALLOWED_ORIGINS",
    "GALLEY_HOST",
    "GALLEY_LOG_FORMAT",
    "GALLEY_LOG_LEVEL",
    "GALLEY_MAIL_FROM",
    "GALLEY_MONGODB_URL",
    "GALLEY_PORT",
    "GALLEY_PUBLIC_URL",
    "GALLEY_SECRET",
    "GALLEY_SERVICE_KEY",
    "GALLEY_SMTP_URL",
    "GALLEY_TRUSTED_PROXIES",
  ]);
  for (const fault of found) t.match(fault, /expects|unset/);
  t.notOk(/gsk_short|hunter2/.test(found.join()), "a refused secret is not printed");
});

t.test("secrets: at least 32 bytes, two while rotating, no examples in production", async (t) => {
  t.strictSame(readConfig({ mode: "production", env: { GALLEY_SECRET: `${SECRET},${SECRET}1` } }).secrets.length, 2);
  for (const bad of ["", SECRET.slice(1), `${SECRET},`, `${SECRET},${SECRET},${SECRET}`, "a".repeat(40)]) {
    t.match(faults({ env: { GALLEY_SECRET: bad } }), [/^GALLEY_SECRET: /], JSON.stringify(bad));
  }
  t.match(faults({ env: { GALLEY_SECRET: "changeme-changeme-changeme-changeme" } }), [/example/]);
  t.match(faults({ env: { GALLEY_SERVICE_KEY: `gsk_${"x".repeat(40)}` } }), [/example/]);
  const easy = { GALLEY_SECRET: "a".repeat(32), GALLEY_SERVICE_KEY: `gsk_${"a".repeat(32)}` };
  t.strictSame(faults({ mode: "development", env: easy }), []);
});

t.test("a MongoDB URL names a server, and a database if it likes", async (t) => {
  const url = (text: string) => readConfig({ mode: "production", env: { GALLEY_MONGODB_URL: text } }).mongodbUrl;
  for (const good of [
    "mongodb://localhost",
    "mongodb://a:27017,b:27018/app?replicaSet=rs0",
    "mongodb+srv://user:pass@cluster.example.net/?retryWrites=true",
    "mongodb://[::1]:27017/",
  ]) {
    t.equal(url(good), good);
  }
  for (const bad of [
    "",
    "localhost:27017",
    "http://localhost",
    "mongodb://",
    "mongodb:///app",
    "mongodb://a/b.c",
    "mongodb://a b",
  ]) {
    t.match(faults({ env: { GALLEY_MONGODB_URL: bad } }), [/^GALLEY_MONGODB_URL: expects /], bad);
  }
  t.equal(readConfig({ mode: "production", env: {} }).mongodbUrl, undefined);
});

t.test("a mail server is smtp:// or smtps://, and mail comes from an address", async (t) => {
  const from = "Notes & Co <no-reply@app.example>";
  const read = (url: string, GALLEY_MAIL_FROM = from) =>
    readConfig({ mode: "production", env: { GALLEY_SMTP_URL: url, GALLEY_MAIL_FROM } });
  for (const url of ["smtp://localhost", "smtps://u%40x:p%2Fw@mail.example.com:465", "smtp://u:p@[::1]:25/"]) {
    t.equal(read(url).smtpUrl, url);
  }
  t.strictSame(read("smtp://a").mailFrom, { name: "Notes & Co", address: "no-reply@app.example" });
  t.strictSame(read("smtp://a", '"Notes" <a@b.c>').mailFrom, { name: "Notes", address: "a@b.c" });
  t.strictSame(read("smtp://a", " a@b.c ").mailFrom, { address: "a@b.c" });
  for (const bad of [
    "",
    "localhost:25",
    "smtp://",
    "smtp:a",
    "smtp://a/path",
    "smtp://a?x=1",
    "smtp://a b",
    "smtp://u@a",
  ]) {
    t.match(faults({ env: { GALLEY_SMTP_URL: bad, GALLEY_MAIL_FROM: from } }), [/^GALLEY_SMTP_URL: expects /], bad);
  }
  const secret = faults({ env: { GALLEY_SMTP_URL: "smtp://u:hunter2%@a", GALLEY_MAIL_FROM: from } });
  t.match(secret, [/^GALLEY_SMTP_URL: expects .*%-escapes/]);
  t.notMatch(secret.join(), /hunter2/);
  for (const bad of ["", "a", "a@", "@b", "a@b>", "<a@b", "a@b, c@d", "a\r\nBcc: x <a@b>", "a <b> <c@d>", "a b@c"]) {
    t.match(faults({ env: { GALLEY_MAIL_FROM: bad } }), [/^GALLEY_MAIL_FROM: expects /], JSON.stringify(bad));
  }
  t.strictSame(faults({ env: { GALLEY_SMTP_URL: "smtp://a" } }), [
    "GALLEY_MAIL_FROM: is needed with GALLEY_SMTP_URL: the address that mail comes from",
  ]);
  const { smtpUrl, mailFrom } = readConfig({ mode: "production", env: {} });
  t.strictSame([smtpUrl, mailFrom], [undefined, undefined]);
});

t.test("a service key is gsk_ and at least 32 of A-Z a-z 0-9 _", async (t) => {
  t.equal(readConfig({ mode: "production", env: { GALLEY_SERVICE_KEY: KEY } }).serviceKey, KEY);
  for (const bad of [KEY.slice(0, 35), KEY.replace("gsk_", "key_"), `${KEY}-`, `${KEY}\n`, ` ${KEY}`]) {
    t.match(faults({ env: { GALLEY_SERVICE_KEY: bad } }), [/^GALLEY_SERVICE_KEY: expects gsk_/], JSON.stringify(bad));
  }
});

t.test("beyond loopback: refused in development, and in production without GALLEY_PUBLIC_URL", async (t) => {
  const beyond = { GALLEY_HOST: "0.0.0.0" };
  t.match(faults({ mode: "development", env: beyond }), [/^GALLEY_HOST: development mode listens on loopback only/]);
  t.match(faults({ env: beyond }), [/^GALLEY_PUBLIC_URL: /]);
  t.strictSame(faults({ env: { ...beyond, GALLEY_PUBLIC_URL: "https://api.example.com" } }), []);
  for (const host of ["localhost", "127.0.0.1", "127.9.9.9", "::1"]) {
    t.strictSame(faults({ mode: "development", env: { GALLEY_HOST: host } }), [], host);
  }
  t.equal(faults({ mode: "development", env: { GALLEY_HOST: "127.evil.example" } }).length, 1);
});

t.test("a variable ending in _FILE reads its value from a file that others cannot read", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "galley-config-"));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "secret");
  writeFileSync(file, `${SECRET}\n`, { mode: 0o600 });
  t.strictSame(readConfig({ mode: "production", env: { GALLEY_SECRET_FILE: file } }).secrets, [SECRET]);
  t.match(faults({ env: { GALLEY_SECRET_FILE: file, GALLEY_SECRET: SECRET } }), [/together/]);
  t.match(faults({ env: { GALLEY_SECRET_FILE: join(folder, "none") } }), [
    /^GALLEY_SECRET_FILE: expects a readable file/,
  ]);
  chmodSync(file, 0o644);
  t.match(faults({ env: { GALLEY_SECRET_FILE: file } }), [/^GALLEY_SECRET_FILE: everyone .* can read .*chmod 600/]);
});

t.test("an unknown GALLEY_ name is a warning with the nearest match; a later one says so", async (t) => {
  const warned = (name: string) => readConfig({ mode: "production", env: { [name]: "x" } }).warnings;
  t.match(warned("GALLEY_PROT"), [/GALLEY_PROT is not a variable of Galley; did you mean GALLEY_PORT\?/]);
  t.match(warned("GALLEY_SECRET_FIL"), [/did you mean GALLEY_SECRET_FILE\?/]);
  t.strictSame(warned("GALLEY_COMPLETELY_DIFFERENT"), ["GALLEY_COMPLETELY_DIFFERENT is not a variable of Galley"]);
  t.match(warned("GALLEY_S3_BUCKET"), [/does not use it yet/]);
  t.strictSame(warned("GALLEY_URL"), [], "the command line's own");
  t.strictSame(warned("PATH"), []);
});

t.test("origins and proxies are lists; origins exact", async (t) => {
  const env = {
    GALLEY_ALLOWED_ORIGINS: "https://a.example.com, http://localhost:5173/",
    GALLEY_TRUSTED_PROXIES: "10.0.0.0/8,fd00::1",
  };
  const config = readConfig({ mode: "production", env });
  t.strictSame(config.allowedOrigins, ["https://a.example.com", "http://localhost:5173"]);
  t.strictSame(config.trustedProxies, ["10.0.0.0/8", "fd00::1"]);
  for (const bad of ["null", "*", "https://*.example.com/x", "example.com", "file:///x"]) {
    t.equal(faults({ env: { GALLEY_ALLOWED_ORIGINS: bad } }).length, 1, bad);
  }
});

t.test("the secret of the data folder is made once, for its owner only", async (t) => {
  const folder = join(mkdtempSync(join(tmpdir(), "galley-data-")), "data");
  t.teardown(() => rmSync(join(folder, ".."), { recursive: true }));
  prepareDataFolder(folder);
  t.equal(statSync(folder).mode & 0o777, 0o700);
  const secret = keptSecret(folder);
  t.ok(Buffer.byteLength(secret) >= 32);
  t.equal(keptSecret(folder), secret);
  const file = join(folder, "secret");
  t.equal(statSync(file).mode & 0o777, 0o600);
  chmodSync(file, 0o640);
  t.throws(() => keptSecret(folder), /GALLEY_SECRET: others can read/);
  chmodSync(file, 0o600);
  writeFileSync(file, "cut");
  t.throws(() => keptSecret(folder), /less than 32 bytes/);
});
