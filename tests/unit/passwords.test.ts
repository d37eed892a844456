import { spawn } from "node:child_process";
import { randomBytes, scryptSync } from "node:crypto";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism, getPriority } from "node:os";
import { setTimeout as wait } from "node:timers/promises";
import t from "tap";
import { createPasswordHasher } from "../../server/accounts/passwords/password-hash.ts";
import { normalPassword, passwordFault } from "../../server/accounts/passwords/password-policy.ts";
import { ownModule } from "../support/own-modules.ts";
import { run } from "../support/programs.ts";
import { pick, seeded } from "../support/seeded.ts";
import { until } from "../support/until.ts";

const context = { min: 8, email: "lovelace@example.org", app: "Garden Party" };
const random = (bytes: number) => randomBytes(bytes);
const who = { account: "ada", network: "192.0.2.0/24" };
const invalid = { code: "invalid_argument" };

t.test("every password of the common list is refused, also in capitals and between digits and signs", async (t) => {
  const { dictionary } = createRequire(import.meta.url)("@zxcvbn-ts/language-common") as {
    dictionary: Record<string, string[]>;
  };
  const common = dictionary["passwords-common"] ?? [];
  t.ok(common.length > 40_000, `${common.length} are listed`);
  const passed = (words: readonly string[]) => words.filter((word) => passwordFault(word, context) === undefined);
  t.same(passed(common), []);
  t.same(
    common.filter((word) => passwordFault(word, { min: 1 }) === undefined),
    [],
    "not for their length alone",
  );
  const top = common.slice(0, 3000);
  t.same(passed(top.map((word) => word.toUpperCase())), []);
  const words = top.filter((word) => /^[a-z]{4,}$/.test(word));
  t.ok(words.length > 1500);
  t.same(passed(words.map((word) => `${word}2026!`)), []);
  t.same(passed(words.map((word) => `#1${word}#!`)), []);
});

t.test("what only looks different from a common password is refused", async (t) => {
  const refused = [
    ...["P@ssw0rd!", "p455w0rd", "Pa$$word2024", "!!4dm1n!2024", "  monkey 77", "Monkey77Monkey77", "passwordpassword"],
    ...["aaaaaaaa", "abcabcabc", "abcabcab", "--------", "哈哈哈哈哈哈哈哈", "1212121212!", "\0\0\0\0\0\0\0\0"],
    ...["qwertyuiop", "poiuytrewq", "12345678", "87654321", "asdfghjkl", "lkjhgfdsa", "1qaz2wsx", "xsw2zaq1"],
    ...["qwertzuiop", "yxcvbnm,", "azertyuiop", "wxcvbn,;", "йцукенгш", "147258369", "abcdefgh", "zyxwvuts"],
    ...[
      "1q2w3e4r5t6y7u8i",
      "aabbccddee",
      "qqqwwweee",
      "#EDC4rfv",
      "!QAZ@WSX",
      "qweasdzxc123",
      "фыва-1234",
      "QwErTyUiOp1",
    ],
  ];
  for (const password of refused) t.type(passwordFault(password, context), "string", password);
});

t.test("the name in the address, the app's name and galley's are no part of a password", async (t) => {
  for (const password of [
    "my-lovelace-1815",
    "LOVELACE rocks",
    "l0v3lac3-rocks",
    "x!garden party",
    "GardenParty77",
    "g4lley-slave",
  ]) {
    t.match(passwordFault(password, context), /without the name/, password);
  }
  t.equal(
    passwordFault("ab-ringed-bell", { min: 8, email: "ab@example.org", app: "AB" }),
    undefined,
    "two letters are in all",
  );
  t.match(passwordFault("hilarious-bob-7", { min: 8, email: " Bob@Example.org" }), /without/);
  t.equal(passwordFault("hilarious-bell-7", { min: 8, email: "no address" }), undefined);
});

t.test("the least length is counted in characters, whatever their bytes", async (t) => {
  const keys = "🗝🐙🌋🚲🪁🧵🍋";
  t.equal(passwordFault(keys, context), "expects at least 8 characters");
  t.equal(passwordFault(`${keys}🎈`, context), undefined);
  t.equal(passwordFault("tr0ub4dour-&-7", { min: 15 }), "expects at least 15 characters");
  t.equal(passwordFault("tr0ub4dour-&-77", { min: 15 }), undefined);
  t.match(passwordFault("wölküäx".normalize("NFD"), context), /at least 8/, "as it is hashed, not as it is sent");
});

const SCRIPTS = {
  latin: [0x61, 0x7a],
  accents: [0xe0, 0xf6],
  greek: [0x3b1, 0x3c9],
  cyrillic: [0x430, 0x44f],
  hebrew: [0x5d0, 0x5ea],
  arabic: [0x627, 0x64a],
  devanagari: [0x904, 0x939],
  thai: [0xe01, 0xe2e],
  georgian: [0x10d0, 0x10f0],
  ethiopic: [0x1200, 0x1240],
  kana: [0x3041, 0x3090],
  han: [0x4e00, 0x9fff],
  hangul: [0xac00, 0xd7a3],
  emoji: [0x1f300, 0x1f5ff],
  printable: [0x21, 0x7e],
} as const;

t.test("8, 15 and 200 characters of any script are accepted, and a thousand random passwords", async (t) => {
  const chance = seeded(7);
  const ofScript = ([first, last]: readonly [number, number], length: number) =>
    Array.from({ length }, () => String.fromCodePoint(first + Math.floor(chance() * (last - first + 1)))).join("");
  for (const [script, range] of Object.entries(SCRIPTS)) {
    for (const length of [8, 15, 200])
      t.equal(passwordFault(ofScript(range, length), { min: length }), undefined, script);
  }
  const made = Array.from({ length: 1000 }, () => ofScript(SCRIPTS.printable, 12));
  t.same(
    made.filter((password) => passwordFault(password, context) !== undefined),
    [],
  );
});

t.test("passphrases are accepted in many languages", async (t) => {
  const chance = seeded(11);
  const languages = [
    "river copper lantern window marble forest pocket thunder violin saddle",
    "Fluss Kupfer Laterne Fenster Marmor Wald Tasche Donner Geige Sattel",
    "rivière cuivre lanterne fenêtre marbre forêt poche tonnerre violon selle",
    "река медь фонарь окно мрамор лес карман гром скрипка седло",
    "ποταμός χαλκός φανάρι παράθυρο μάρμαρο δάσος τσέπη βροντή βιολί σέλα",
    "نهر نحاس فانوس نافذة رخام غابة جيب رعد كمان سرج",
    "河流 红铜 灯笼 窗户 大理石 森林 口袋 雷声 小提琴 马鞍",
    "かわ どう ちょうちん まど だいりせき もり ぽけっと かみなり ばいおりん くら",
  ].map((words) => words.split(" "));
  const phrases = Array.from({ length: 200 }, (_, i) => {
    const words = languages[i % languages.length] ?? [];
    const from = Math.floor(chance() * words.length);
    const others = Array.from({ length: 3 }, () => pick(chance, words));
    return [words[from], words[(from + 1) % words.length], ...others].join(pick(chance, [" ", "-", ""]));
  });
  t.same(
    phrases.filter((phrase) => passwordFault(phrase, context) !== undefined),
    [],
  );
});

t.test("what is no password is refused in words, before anything costs time, and never shown", async (t) => {
  const long = `x${"é".repeat(2048)}`;
  for (const [password, message] of [
    [long, "expects at most 4096 bytes of UTF-8"],
    ["x".repeat(1024 * 1024), "expects at most 4096 bytes of UTF-8"],
    ["correct-horse-\ud83d", "expects well-formed Unicode, got a lone surrogate"],
  ] as const) {
    t.equal(passwordFault(password, context), message);
    t.throws(() => normalPassword(password), { ...invalid, message: `password: ${message}` });
    t.throws(() => normalPassword(password, "current"), { ...invalid, details: { faults: [{ path: "current" }] } });
  }
  t.equal(normalPassword(long.slice(1)), long.slice(1), "4096 bytes are whole");
  t.equal(normalPassword("Zoe\u0308 \u212b"), "Zo\u00eb \u00c5");
  t.equal(normalPassword(" \0ﬁ "), " \0ﬁ ", "else as it was sent");
  for (const password of ["correct1", "P@ssw0rd", "lovelace-ada", "abcdefgh"]) {
    t.notOk(passwordFault(password, { ...context, min: 9 })?.includes(password));
  }
});

t.test("hostile texts cost what their length does", async (t) => {
  const shapes = ["a", "ab", "1!|", "qwertyuiopasdfghjkl", "!", "1", "abcabd", "é", "\u0300", "q1w2", "aaaaaaab"];
  const time = (bytes: number) => {
    const started = performance.now();
    for (const shape of shapes) {
      const body = shape.repeat(bytes).slice(0, Math.floor(bytes / Buffer.byteLength(shape[0] ?? "")) - 2);
      for (const text of [`${body}#z`, `#z${body}`]) passwordFault(text, { min: bytes / 4 });
    }
    return performance.now() - started;
  };
  time(1000);
  const [short, long] = [time(500), time(4000)];
  t.ok(long < 10 * 8 * Math.max(short, 1), `${short.toFixed(1)} ms for 500 bytes, ${long.toFixed(1)} ms for 4000`);
});

t.test("a password is stored as argon2id, salted, and nothing else but it is right", async (t) => {
  const hasher = createPasswordHasher({ random, cores: 2, poolThreads: 4 });
  const right = async (password: string, stored: string | undefined) =>
    hasher.verify(password, who, async () => stored);
  const nul = "correct\0horse";
  const [stored, again] = [await hasher.hash(nul, who), await hasher.hash(nul, who)];
  t.match(stored, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
  t.not(stored, again);
  t.same(await right(nul, stored), { right: true, outdated: false });
  const wrong = { right: false, outdated: false };
  for (const other of ["correct", "correct\0horsf", "Correct\0horse", "correct\0horse ", ""]) {
    t.same(await right(other, stored), wrong, JSON.stringify(other));
  }
  const bytes72 = "x".repeat(72);
  const long = await hasher.hash(`${bytes72}a`, who);
  t.same(await right(bytes72, long), wrong, "no byte is cut off");
  t.same(await right(`${bytes72}b`, long), wrong);
  const zoe = await hasher.hash(normalPassword("Zo\u00eb rows at dawn"), who);
  t.match(await right(normalPassword("Zoe\u0308 rows at dawn"), zoe), { right: true });
});

t.test("weaker hashes and those of other programs are right, and outdated", async (t) => {
  const { hash } = await import("@node-rs/argon2");
  const hasher = createPasswordHasher({ random, cores: 2, poolThreads: 4 });
  const salt = Buffer.from("sixteen byte salt".slice(0, 16));
  const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64").replace(/=+$/, "");
  const options = { memoryCost: 19456, timeCost: 2, parallelism: 1, outputLen: 32 };
  const scrypted = base64(scryptSync("password", salt, 32, { N: 2 ** 14, r: 8, p: 1 }));
  for (const [stored, outdated] of [
    [await hash("password", { ...options, memoryCost: 8192 }), true],
    [await hash("password", { ...options, timeCost: 1 }), true],
    [await hash("password", { ...options, outputLen: 16 }), true],
    [await hash("password", { ...options, algorithm: 1 }), true],
    [await hash("password", { ...options, version: 0 }), true],
    [await hash("password", { ...options, timeCost: 3, parallelism: 2 }), false],
    [`$scrypt$ln=14,r=8,p=1$${base64(salt)}$${scrypted}`, true],
    // From the manual of passlib, which writes these forms.
    ["$scrypt$ln=16,r=8,p=1$aM15713r3Xsvxbi31lqr1Q$nFNh2CVHVjNldFVKDHDlm4CbdRSCdEBsjjJxD+iCs5E", true],
    ["$pbkdf2-sha256$6400$.6UI/S.nXIk8jcbdHx3Fhg$98jZicV16ODfEsEZeYPGHU3kbrUrvUEXOPimVSQDD44", true],
    // As libxcrypt writes them.
    ["$2b$05$abcdefghijklmnopqrstuuWG29KuyeAicPCJODk1zjyGvyQUU2awu", true],
    ["$2a$05$abcdefghijklmnopqrstuuWG29KuyeAicPCJODk1zjyGvyQUU2awu", true],
    ["$2y$05$abcdefghijklmnopqrstuuWG29KuyeAicPCJODk1zjyGvyQUU2awu", true],
    ["$pbkdf2-sha256$i=6400$+6UI/S+nXIk8jcbdHx3Fhg$98jZicV16ODfEsEZeYPGHU3kbrUrvUEXOPimVSQDD44", true],
  ] as const) {
    t.same(await hasher.verify("password", who, async () => stored), { right: true, outdated }, stored);
    t.same(await hasher.verify("passwort", who, async () => stored), { right: false, outdated: false }, stored);
  }
  const long = "$2b$04$abcdefghijklmnopqrstuubzadhGtS2zEF.gu0yd0opP6cVzb.e0i";
  t.match(
    await hasher.verify("x".repeat(80), who, async () => long),
    { right: true },
    "as long as it was in that program",
  );
  t.match(await hasher.verify("x".repeat(71), who, async () => long), { right: false });
});

t.test("no hash, or one that cannot be read, or that would cost too much, is nobody's password", async (t) => {
  const hasher = createPasswordHasher({ random, cores: 2, poolThreads: 4 });
  const tail = "$c2l4dGVlbiBieXRlIHM$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
  for (const stored of [
    undefined,
    "",
    "password",
    // The right hash at a cost that nobody uses, and other forms of one that is right.
    "$2b$15$abcdefghijklmnopqrstuud8FCJu2l81aoyYV98WuKUccG1aDRvp.",
    ...["$2$", "$2x$", "$2c$", "$2B$", "2b$"].map(
      (id) => `${id}05$abcdefghijklmnopqrstuuWG29KuyeAicPCJODk1zjyGvyQUU2awu`,
    ),
    "$2b$05$abcdefghijklmnopqrstuuWG29KuyeAicPCJODk1zjyGvyQUU2awu\n",
    "$2b$05$abcdefghijklmnopqrstuuWG29KuyeAicPCJODk1zjyGvyQUU2aw",
    "$2b$03$abcdefghijklmnopqrstuuWG29KuyeAicPCJODk1zjyGvyQUU2awu",
    `$argon2id$v=19$m=4194304,t=2,p=1${tail}`,
    `$argon2id$v=19$m=262144,t=99,p=1${tail}`,
    `$argon2id$v=19$m=19456,t=0,p=1${tail}`,
    `$argon2id$v=19$m=19456,t=2,p=1,keyid=1${tail}`,
    `$argon2x$v=19$m=19456,t=2,p=1${tail}`,
    "$argon2id$v=19$m=19456,t=2,p=1$c2l4dGVlbiBieXRlIHM$AA",
    `$scrypt$ln=30,r=8,p=1${tail}`,
    `$scrypt$ln=14,r=8,p=100${tail}`,
    `$pbkdf2-sha256$900000000${tail}`,
    `$pbkdf2-md5$1000${tail}`,
    `$constructor$1000${tail}`,
    "$pbkdf2-sha256$1000$c2l4dGVlbiBieXRlIHM$AA",
    `$${"a=1,".repeat(100_000)}`,
  ]) {
    t.same(
      await hasher.verify("password", who, async () => stored),
      { right: false, outdated: false },
      `${stored?.slice(0, 60)}`,
    );
  }
});

t.test("a hash that does not exist takes its turn in the queue like any other", async (t) => {
  const hasher = createPasswordHasher({ random, cores: 1, poolThreads: 1 });
  const stored = await hasher.hash("password", who);
  const checks = [stored, undefined, undefined, undefined, stored].map((hash) =>
    hasher.verify("password", who, async () => hash),
  );
  const verdicts = await Promise.allSettled(checks);
  t.same(
    verdicts.map((verdict) => (verdict.status === "fulfilled" ? verdict.value.right : verdict.reason.code)),
    [true, false, false, "rate_limited", "rate_limited"],
  );
});

t.test("the event loop goes on while passwords are hashed", async (t) => {
  const hasher = createPasswordHasher({ random, cores: 2, poolThreads: 4 });
  let hashed = 0;
  const hashes = Array.from({ length: 8 }, async (_, i) => {
    await hasher.hash("correct horse", { account: `${i}`, network: `${i}` });
    hashed++;
  });
  let ticks = 0;
  for (; hashed < 8; ticks++) await wait(1);
  await Promise.all(hashes);
  // On the event loop there would be one between two hashes.
  t.ok(ticks > 24, `${ticks} ticks of a timer in 8 hashes`);
});

const NO_PROC = process.platform === "linux" ? false : "processes are found in /proc";

/** Processes that hash for this one. */
function hashProcesses(parent = process.pid): number[] {
  const children = readFileSync(`/proc/${parent}/task/${parent}/children`, "utf8")
    .split(" ")
    .filter(Boolean)
    .map(Number);
  return children.filter((pid) => readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("hash-process"));
}

t.test(
  "hashes are made by a process that stands back, is replaced if it dies, and knows no secret",
  { skip: NO_PROC },
  async (t) => {
    const others = new Set(hashProcesses());
    const own = () => hashProcesses().filter((pid) => !others.has(pid));
    const hasher = createPasswordHasher({ random, cores: 2, poolThreads: 4 });
    t.same(own(), [], "it starts when there is something to hash");
    const stored = await hasher.hash("correct horse", who);
    const [child = 0] = own();
    t.equal(getPriority(child), Math.min(getPriority() + 13, 19));
    const variables = readFileSync(`/proc/${child}/environ`, "latin1").split("\0");
    t.same(
      variables.filter((one) => one !== "" && !one.startsWith("NODE_CHANNEL_")),
      ["UV_THREADPOOL_SIZE=1"],
    );
    const meanwhile = hasher.verify("correct horse", who, async () => {
      process.kill(child, "SIGKILL");
      return stored;
    });
    const unavailable = { code: "unavailable", details: { outcome: "not_applied" } };
    await t.rejects(meanwhile, unavailable);
    t.match(await hasher.verify("correct horse", who, async () => stored), { right: true });
    t.equal(own().length, 1);
    await hasher.close();
    t.same(own(), [], "it ends with the hasher");
    await t.rejects(
      hasher.verify("correct horse", who, async () => stored),
      unavailable,
    );
  },
);

t.test(
  "the process that hashes ends with the server, however that ends, and not before",
  { skip: NO_PROC },
  async (t) => {
    const program = `const { createPasswordHasher } = await import(process.argv[1]);
    const hasher = createPasswordHasher({ random: (n) => new Uint8Array(n), cores: 2, poolThreads: 4 });
    await hasher.hash("correct horse", { account: "a", network: "n" });
    process.stdout.write("hashed");
    setInterval(() => {}, 1000);`;
    const { href } = ownModule("server/accounts/passwords/password-hash");
    const server = spawn(process.execPath, [...process.execArgv, "--input-type=module", "-e", program, href]);
    const ended = once(server, "exit");
    await once(server.stdout, "data");
    const [child = 0] = hashProcesses(server.pid);
    const runs = () => existsSync(`/proc/${child}/exe`);
    process.kill(child, "SIGTERM");
    process.kill(child, "SIGINT");
    t.ok(runs(), "what ends a whole group leaves it to the server");
    server.kill("SIGKILL");
    await ended;
    await until(() => !runs());
  },
);

t.test("the program gives libuv more threads than hashes use, unless it is told how many", async (t) => {
  const load = "require('./server/galley.cjs'); process.on('exit', () => console.log(process.env.UV_THREADPOOL_SIZE))";
  const threads = async (env: Record<string, string>) => {
    const { stdout } = await run(process.execPath, ["-e", load, "galley", "--version"], { env });
    return stdout.trim().split("\n").at(-1);
  };
  t.equal(await threads({}), `${Math.max(8, availableParallelism() + 4)}`);
  t.equal(await threads({ UV_THREADPOOL_SIZE: "5" }), "5");
});
