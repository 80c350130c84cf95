// Watches how a page keeps as new as the service: its source of events, its readings, and what it says when either
// is not to be had. Started by tests/control/browser.rs.
import { begin } from "./walk.mjs";

const { base, guarded, browser, check, ask, wait, ended } = await begin();

// A browser of its own, with all that its pages ask for.
const open = async (path = "/", before = async () => {}) => {
  const context = await browser.newContext();
  const sources = new Set();
  let begun = 0;
  context.on("request", (it) => {
    if (it.url().endsWith("/api/v1/events")) {
      begun += 1;
      sources.add(it);
    }
  });
  for (const end of ["requestfinished", "requestfailed"]) context.on(end, (it) => sources.delete(it));
  const readings = (page) => {
    const found = { number: 0 };
    page.on("request", (it) => {
      if (it.resourceType() === "fetch") found.number += 1;
    });
    return found;
  };
  const another = async () => {
    const page = await context.newPage();
    const read = readings(page);
    await before(page);
    await page.goto(path.startsWith("http") ? path : base + path);
    return { page, read };
  };
  return { context, sources, begun: () => begun, another, ...(await another()) };
};
const says = (page, state, word = "") =>
  page.waitForFunction(([state, word]) => document.getElementById("live").dataset.state === state && document.getElementById("live").innerText.includes(word), [state, word], { timeout: 20000 });
const quiet = (ms) => new Promise((done) => setTimeout(done, ms));
// What is still asked by then is nobody's trouble.
const close = async (context) => {
  for (const page of context.pages()) await page.unrouteAll({ behavior: "ignoreErrors" });
  await context.close();
};
const isReading = async (read, number, ms = 20000) => wait(() => read.number >= number, ms);
// Only what a page asks by its script; the page itself is a document.
const onReading = (page, answer) => page.route(`${base}/`, (route) => (route.request().resourceType() === "fetch" ? answer(route) : route.fallback()));
const see = (page, hidden) =>
  page.evaluate((hidden) => {
    Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  }, hidden);

const gathers = async () => {
  const { context, page, read } = await open();
  await says(page, "live");
  await ask("records");
  await isReading(read, 1);
  await quiet(1500);
  check(read.number <= 2, "a burst of events is one reading, or two", `${read.number}`);
  await close(context);
};

const rests = async () => {
  const { context, page, read } = await open();
  await says(page, "live");
  await onReading(page, async (route) => {
    await quiet(500);
    await route.continue();
  });
  await ask("record");
  await isReading(read, 1);
  await quiet(800);
  await ask("record");
  await quiet(2500);
  check(read.number === 1, "a service that answers slowly is asked seldom", `${read.number}`);
  check(await isReading(read, 2), "and asked again after its rest");
  await close(context);
};

const comesBack = async () => {
  const { context, page, read } = await open();
  await says(page, "live");
  await ask("stop");
  await says(page, "lost", "trying again");
  check(true, "that the service is gone is said");
  const before = read.number;
  await ask("start");
  await says(page, "live");
  check(await isReading(read, before + 1), "what was missed meanwhile is read when it is back");
  await close(context);
};

const isRefused = async () => {
  const before = async (page) => {
    await page.clock.install();
    await page.route("**/api/v1/events", (route) => route.fulfill({ status: 503, body: "" }));
  };
  const { context, page, begun } = await open("/", before);
  await says(page, "lost", "trying again");
  const first = begun();
  await page.clock.runFor(28000);
  check(first === 1 && begun() === 1, "a source that was refused is not asked again at once", `${begun()}`);
  await page.unroute("**/api/v1/events");
  await page.clock.runFor(3000);
  await says(page, "live");
  check(begun() === 2, "it is asked again after half a minute", `${begun()}`);
  await close(context);
};

const saysWhy = async () => {
  const { context, page } = await open();
  await says(page, "live");
  await onReading(page, (route) => route.fulfill({ status: 507, body: "" }));
  await ask("record");
  await says(page, "lost", "answers 507");
  check(true, "an answer that is none is told by its number");
  await page.unroute(`${base}/`);
  await onReading(page, (route) => route.abort());
  await ask("record");
  await says(page, "lost", "does not answer");
  check(true, "that no answer came is told");
  await page.unroute(`${base}/`);
  await ask("record");
  await says(page, "live");
  check(true, "and that one came again");
  await close(context);
};

const givesUp = async () => {
  const before = (page) =>
    page.addInitScript(() => {
      const timeout = AbortSignal.timeout.bind(AbortSignal);
      AbortSignal.timeout = (ms) => {
        globalThis.patience = ms;
        return timeout(300);
      };
    });
  const { context, page } = await open("/", before);
  await says(page, "live");
  await onReading(page, () => {});
  await ask("record");
  await says(page, "lost", "does not answer");
  check((await page.evaluate(() => globalThis.patience)) === 30000, "a reading that hangs is given up after half a minute");
  await close(context);
};

const hides = async () => {
  const { context, page, read, sources } = await open();
  await says(page, "live");
  check(sources.size === 1, "a page that is seen has a source", `${sources.size}`);
  await see(page, true);
  check(await wait(() => sources.size === 0), "a page that nobody sees has none", `${sources.size}`);
  const before = read.number;
  await ask("record");
  await quiet(1500);
  check(read.number === before, "and reads nothing", `${read.number - before}`);
  await see(page, false);
  check(await isReading(read, before + 1), "seen again, it is as new as the service");
  check(await wait(() => sources.size === 1), "and has its source again", `${sources.size}`);
  await close(context);
};

const shares = async () => {
  const { context, page, read, sources, another } = await open();
  await says(page, "live");
  const others = [await another(), await another(), await another()];
  for (const it of others) await says(it.page, "live");
  check(sources.size === 1, "four pages of a browser have one source", `${sources.size}`);
  const [holder] = [...sources];
  check(holder.frame().page() === page, "the first of them holds it");
  await see(page, true);
  check(await wait(() => sources.size === 1 && ![...sources].includes(holder)), "hidden, it hands the source on", `${sources.size}`);
  const before = [read, ...others.map((it) => it.read)].map((it) => it.number);
  await ask("record");
  for (const [at, it] of others.entries()) check(await isReading(it.read, before[at + 1] + 1), `page ${at + 2} goes on`);
  check(read.number === before[0], "the hidden one stays as it is", `${read.number - before[0]}`);
  await close(context);
};

const goesAlone = async () => {
  const before = (page) =>
    page.addInitScript(() => {
      Object.defineProperty(Navigator.prototype, "locks", { value: undefined });
    });
  const { context, page, sources, another } = await open("/", before);
  const other = await another();
  await says(page, "live");
  await says(other.page, "live");
  check(sources.size === 2, "in a browser that knows no locks each page has a source", `${sources.size}`);
  await see(other.page, true);
  check(await wait(() => sources.size === 1), "and lets it go when nobody sees it", `${sources.size}`);
  await close(context);
};

const isMissed = async () => {
  const told = 'event: missed\ndata: {"number": 3}\n\n';
  const before = (page) => page.route("**/api/v1/events", (route) => route.fulfill({ contentType: "text/event-stream", body: told }), { times: 1 });
  const { context, page, read } = await open("/", before);
  check(await isReading(read, 1, 2000), "what the source missed is read", `${read.number}`);
  await says(page, "live");
  await close(context);
};

const looks = async () => {
  const { context, page, read } = await open("/hosts/db-2", (page) => page.clock.install());
  await says(page, "live");
  check((await page.locator("#decisions").count()) === 0, "nobody decided anything yet");
  await ask("decision");
  await quiet(800);
  check(read.number === 0, "what a person decides rings no bell", `${read.number}`);
  await page.clock.runFor(61000);
  await page.waitForSelector("#decisions", { timeout: 20000 });
  const order = await page.$$eval("[data-live]", (all) => all.map((it) => it.id));
  check(order.indexOf("decisions") === order.indexOf("faults") + 1, "a part that was not there comes in its place after a minute", order.join());
  await close(context);
};

const isLeft = async () => {
  const { context, page } = await open(`${guarded}/login`, (page) => page.clock.install());
  await page.fill("#token", "let me in");
  await page.keyboard.press("Enter");
  await page.waitForURL(`${guarded}/`);
  await says(page, "live");
  await context.clearCookies();
  await page.clock.runFor(61000);
  await page.waitForURL(`${guarded}/login**`, { timeout: 20000 });
  check(true, "whose session is over is led to the login");
  await close(context);
};

await ended([gathers, rests, comesBack, isRefused, saysWhy, givesUp, hides, shares, goesAlone, isMissed, looks, isLeft]);
