/** Many components and many commits at once, in a real browser: no tearing, no leak. */
import t from "tap";
import { startBrowser } from "../support/browser.ts";
import type { Kit } from "../support/react-kit.ts";
import { startReactPages } from "../support/react-page.ts";

/** Of the page, where what is run there finds it. */
declare const kit: Kit;

const found = await startBrowser();

if ("missing" in found) t.test("hooks under load", { skip: found.missing }, async () => {});
else {
  const { browser } = found;
  t.teardown(() => browser.close());
  const pages = await startReactPages(t, browser, ["lists", "torn", "storm", "leak"]);

  /**
   * Draws sixteen slow components in transitions while another client moves documents between two lists, and looks at
   * what stands on the page at each of React's commits.
   */
  const drawWhileCommitsArrive = async (isNaive: boolean) => {
    const { h, react, useLive, open, render, until } = kit;
    const todos = open().collection(isNaive ? "torn" : "lists");
    const others = open().collection(isNaive ? "torn" : "lists");
    const ids = (await Promise.all(Array.from({ length: 10 }, (_, i) => others.create({ done: i < 5 })))).map(
      ({ _id }) => _id,
    );
    const questions = [true, false].map((done) => todos.find({ done }, { sort: "_id" }));
    let interrupted = 0;
    let isDrawing = false;
    const lives = questions.map((question) =>
      question.live(() => {
        if (isDrawing) interrupted++;
      }),
    );
    await Promise.all(lives.map(({ ready }) => ready));
    const tally = { commits: 0, torn: 0, disagreeing: 0, states: new Set<string>() };
    const look = (): void => {
      const shown = [...document.querySelectorAll("i")].map((element) => element.textContent ?? "");
      tally.commits++;
      if (new Set(shown).size > 1) tally.torn++;
      // Each of the ten documents is in one of the two lists.
      if (shown.some((text) => text.length > 1 && new Set(text).size !== 11)) tally.disagreeing++;
      for (const text of shown) tally.states.add(text);
    };
    const sum = (lists: readonly (readonly { _id: string }[] | undefined)[]): string =>
      lists.map((list) => list?.map(({ _id }) => ids.indexOf(_id)).join("")).join("|");
    /** Reads the states as they are, as a hook without `useSyncExternalStore` would. */
    const useNaive = () => {
      const [, draw] = react.useReducer((n: number) => n + 1, 0);
      react.useEffect(() => {
        const mine = questions.map((question) => question.live(draw));
        return () => {
          for (const live of mine) live.close();
        };
      }, []);
      return lives.map(({ state }) => state.data);
    };
    const useBoth = () => [useLive(questions[0]).data, useLive(questions[1]).data];
    const use = isNaive ? useNaive : useBoth;
    const Slow = react.memo(({ n }: { n: number }) => {
      const lists = use();
      const end = performance.now() + 2;
      while (performance.now() < end);
      react.useLayoutEffect(look);
      return h("i", { "data-n": n }, sum(lists));
    });
    let draw = (_n: number): void => {};
    const App = () => {
      const [n, setN] = react.useState(0);
      draw = setN;
      isDrawing = true;
      react.useLayoutEffect(() => {
        isDrawing = false;
      });
      return Array.from({ length: 16 }, (_, i) => h(Slow, { key: i, n }));
    };
    const { element, unmount } = render(h(App));
    await until(() => (element.querySelector("i")?.textContent?.length ?? 0) >= 11, "both lists");
    for (let n = 1; n <= 60 && (interrupted < 8 || n < 8); n++) {
      react.startTransition(() => draw(n));
      // One document goes over, another comes back: the sum of both lists stays ten.
      const [a, b] = [ids[n % 5], ids[5 + (n % 5)]] as [string, string];
      const isOdd = n % 2 === 1;
      await others.update(a, { done: !isOdd });
      await others.update(b, { done: isOdd });
      await until(() => element.querySelector("i")?.getAttribute("data-n") === `${n}`, "the transition");
    }
    unmount();
    return { ...tally, states: tally.states.size, interrupted };
  };

  t.test("components never show two states in one commit, nor two lists two commits of the server", async (t) => {
    const result = await pages.run(drawWhileCommitsArrive, { argument: false });
    t.comment(JSON.stringify(result));
    t.same([result.torn, result.disagreeing], [0, 0]);
    t.ok(result.commits > 8 && result.states > 8 && result.interrupted > 0, "much was seen, and drawing interrupted");
  });

  t.test("which a hook that reads states as they are would", async (t) => {
    const { torn, ...result } = await pages.run(drawWhileCommitsArrive, { argument: true });
    t.comment(JSON.stringify(result));
    t.ok(torn > 0, `${torn} commits were torn`);
  });

  t.test("a storm of mounts and unmounts ends as whoever is left needs it", async (t) => {
    const result = await pages.run(async () => {
      const { h, useLive, open, render, until, count } = kit;
      const todos = open().collection("storm");
      await Promise.all(Array.from({ length: 12 }, (_, n) => todos.create({ n })));
      kit.linger.factor = 20;
      const One = ({ n }: { n: number }) => `${useLive(todos.find({ n })).data?.[0]?.n ?? "?"} `;
      const drawn = (round: number): number[] => Array.from({ length: 12 }, (_, i) => (i * round) % 12);
      const { text, show, unmount } = render(null, true);
      for (let round = 1; round <= 200; round++) {
        show(drawn(round).map((n, i) => (round % 3 && h(One, { key: `${i} ${n * (round % 5)}`, n })) || null));
        if (round % 7 === 0) await new Promise((resolve) => setTimeout(resolve));
      }
      const last = drawn(7).map((n, key) => h(One, { key, n }));
      show(last);
      await until(() => text() === drawn(7).join(" ").concat(" "), "all of the last");
      const subs = count("sub");
      unmount();
      return { subs, unsubs: count("unsub") };
    });
    t.same(result, { subs: 12, unsubs: 0 });
  });

  t.test("ten thousand mounts and unmounts leave no listener, timer or subscription", async (t) => {
    const result = await pages.run(async () => {
      const { h, useLive, useConnection, useAuth, useMutation, GalleyProvider, flushSync, open } = kit;
      const { render, until, count, timers } = kit;
      const db = open();
      const todos = db.collection("leak");
      let listeners = 0;
      for (const face of [db.auth, db.connection]) {
        const { onChange } = face;
        face.onChange = (fn: () => void) => {
          const stop = onChange(fn);
          listeners++;
          return () => {
            listeners--;
            stop();
          };
        };
      }
      // What the client's own parts hear of, as long as it is open.
      await todos.find().live().ready;
      kit.linger.factor = 20;
      const own = listeners;
      const before = timers.size;
      const One = ({ n }: { n: number }) => {
        const { once, keep } = { once: n % 5 === 4, keep: n % 2 === 1 };
        const { data } = useLive(todos.find({ n: n % 5 }), { once: once && n < 1000, keep });
        return h(
          "i",
          {},
          data?.length,
          useAuth().user?.id,
          useMutation(async () => {}).error?.message,
          useConnection(),
        );
      };
      const { show } = render(null);
      for (let n = 0; n < 10_000; n += 100) {
        const some = Array.from({ length: 100 }, (_, i) => h(One, { key: n + i, n: n + i }));
        flushSync(() => show(h(GalleyProvider, { client: db }, some)));
        if (n % 300) flushSync(() => show(null));
        if (n % 1000 === 0) await new Promise((resolve) => setTimeout(resolve));
      }
      kit.linger.factor = 0.02;
      flushSync(() => show(null));
      const most = count("sub");
      await until(() => count("unsub") === most - 1 && timers.size === before, "the end of what lingers");
      return { most, listeners: listeners - own };
    });
    t.same(result, { most: 6, listeners: 0 });
  });
}
