// Opens the pages in a real browser, as people do: light and dark, wide and narrow, by keyboard, without a script.
// Says a line for each thing that holds, ends with 1 when one does not. Started by tests/control/browser.rs.
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { begin } from "./walk.mjs";

const { base, guarded, folder, browser, check, ask, ended } = await begin();
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const PATIENCE = 20000;
const PAGES = [
  ["board", "/"],
  ["matrix", "/matrix"],
  ["host", "/hosts/web-2"],
  ["deployment", "/deployments/web-2/@3"],
  ["faults", "/hosts/web-3"],
];

mkdirSync(folder, { recursive: true });

const open = async (options) => {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  const complaints = [];
  page.on("console", (it) => it.type() === "error" && complaints.push(it.text()));
  page.on("pageerror", (it) => complaints.push(String(it)));
  page.on("dialog", (it) => {
    complaints.push(`a dialog: ${it.message()}`);
    return it.dismiss();
  });
  await page.addInitScript(() => {
    globalThis.violations = [];
    document.addEventListener("securitypolicyviolation", (it) => globalThis.violations.push(`${it.violatedDirective} ${it.blockedURI}`));
  });
  return { context, page, complaints };
};

const looks = async () => {
  for (const colorScheme of ["light", "dark"]) {
    for (const width of [1280, 400]) {
      const { context, page, complaints } = await open({ colorScheme, viewport: { width, height: 900 } });
      for (const [name, path] of PAGES) {
        const what = `${name} ${colorScheme} ${width}`;
        await page.goto(base + path);
        await page.waitForFunction(() => document.getElementById("live").dataset.state === "live");
        await page.screenshot({ path: `${folder}/${name}-${colorScheme}-${width}.png`, fullPage: true });
        const wide = await page.evaluate(() => document.documentElement.scrollWidth);
        check(wide <= width, `${what} fits its width`, `${wide} wide`);
        await page.evaluate(axe);
        const found = await page.evaluate(() => globalThis.axe.run({ runOnly: ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"] }));
        const bad = found.violations.filter((it) => ["serious", "critical"].includes(it.impact));
        check(bad.length === 0, `${what} is accessible`, bad.map((it) => `${it.id}: ${it.nodes.map((n) => n.html.slice(0, 120)).slice(0, 3)}`).join(" | "));
        const mild = found.violations.filter((it) => !bad.includes(it));
        if (mild.length > 0) console.log(`note ${what}: ${mild.map((it) => `${it.id} ${it.nodes.length}`)}`);
        check(found.passes.length > 10, `${what} was judged`, `${found.passes.length} rules`);
        const scripts = await page.evaluate(() => document.querySelectorAll("script").length);
        check(scripts === 1, `${what} has its own script only`, `${scripts}`);
        const violations = await page.evaluate(() => globalThis.violations);
        check(violations.length === 0, `${what} keeps to its policy`, violations.join());
      }
      check(complaints.length === 0, `no complaint ${colorScheme} ${width}`, complaints.join(" | "));
      await context.close();
    }
  }
};

const twins = async () => {
  const { context, page } = await open({});
  const twin = async () => {
    const href = await page.getAttribute('link[rel="alternate"]', "href");
    return (await page.request.get(base + href)).json();
  };
  const cells = () => page.$$eval(".rows tbody tr", (rows) => rows.map((row) => [...row.children].map((it) => it.innerText.trim())));
  await page.goto(`${base}/?environment=production`);
  const board = await twin();
  const shown = (await cells()).map((it) => [it[0], it[1], it[4].split(" ")[1], it[3]]);
  const held = board.items.map((it) => [it.name, it.environment, it.outcome, it.subject ?? "–"]);
  check(held.length > 3 && JSON.stringify(shown) === JSON.stringify(held), "the board's twin equals its table", JSON.stringify([shown, held]));
  await page.goto(`${base}/matrix`);
  const matrix = await twin();
  const marks = (await cells()).map((it) => [it[0], ...it.slice(1).map((word) => (word === "·" ? null : word.split(" ")[1]))]);
  const words = matrix.hosts.map((it) => [it.host, ...it.words.map((word) => word?.outcome ?? null)]);
  check(words.length > 3 && JSON.stringify(marks) === JSON.stringify(words), "the matrix' twin equals its table", JSON.stringify([marks, words]));
  await page.goto(`${base}/hosts/web-2`);
  const sheet = await twin();
  const list = (await cells()).map((it) => [it[0], it[1].replace(/^\S /, ""), it[2]]);
  const items = sheet.deployments.items.map((it) => [it.deployment, it.outcome, it.reason]);
  check(items.length > 1 && JSON.stringify(list) === JSON.stringify(items), "the host's twin equals its table", JSON.stringify([list, items]));
  await context.close();
};

const keyboard = async () => {
  const { context, page } = await open({});
  const here = () => page.evaluate(() => document.activeElement.innerText || document.activeElement.id);
  await page.goto(base);
  await page.keyboard.press("Tab");
  check((await here()) === "Skip to content", "the first stop leads over the head", await here());
  await page.keyboard.press("Enter");
  check((await page.evaluate(() => location.hash)) === "#main", "the link leads to the content");
  await page.goto(base);
  const names = await page.$$eval(".rows tbody th", (all) => all.map((it) => it.innerText));
  const walked = [];
  for (const key of ["j", "j", "j", "k"]) {
    await page.keyboard.press(key);
    walked.push(await here());
  }
  const expected = [names[0], names[1], names[2], names[1]];
  check(JSON.stringify(walked) === JSON.stringify(expected), "j and k walk the rows", JSON.stringify([walked, expected]));
  const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
  check(outline === "solid", "where the keyboard is can be seen", outline);
  await page.keyboard.press("/");
  check((await here()) === "filter", "/ leads to the filter", await here());
  await page.keyboard.type("jk");
  check((await page.inputValue("#filter")) === "jk", "letters typed into the filter stay there");
  await page.keyboard.press("Escape");
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await page.waitForURL(`**/hosts/${names[0]}`);
  check((await page.innerText("h1")) === names[0], "Enter opens the row");
  await context.close();
};

const live = async () => {
  const { context, page, complaints } = await open({});
  await page.goto(base);
  await page.waitForFunction(() => document.getElementById("live").dataset.state === "live");
  await page.evaluate(() => { globalThis.kept = true; });
  const row = '[data-row="web-1"]';
  await page.focus(`${row} th a`);
  const before = await page.innerText(row);
  await ask("record");
  await page.waitForFunction(([row, before]) => document.querySelector(row).innerText !== before && document.querySelector(row).innerText.includes("failed"), [row, before]);
  check(await page.evaluate(() => globalThis.kept === true), "a record is shown without a reload");
  check((await page.evaluate(() => document.activeElement.innerText)) === "web-1", "the keyboard stays where it was");
  await page.waitForFunction(() => document.getElementById("live").innerText.includes("web-1"));
  check((await page.getAttribute("#live", "role")) === "status", "what changed is told to who cannot see it");
  await page.screenshot({ path: `${folder}/live.png` });
  check(complaints.length === 0, "no complaint while live", complaints.join(" | "));
  await context.close();
};

// What a person holds stays theirs while the page changes: their place, their selection, their wish for quiet.
const hands = async () => {
  const { context, page } = await open({});
  await page.goto(base);
  await page.waitForFunction(() => document.getElementById("live").dataset.state === "live");
  const row = (name) => page.evaluate((name) => document.querySelector(`[data-row="${name}"]`).innerText, name);
  const changed = (before) => page.waitForFunction((before) => document.querySelector('[data-row="web-1"]').innerText !== before, before);
  let before = await row("web-1");
  await page.focus("#hosts-scroll");
  await ask("record");
  await changed(before);
  check((await page.evaluate(() => document.activeElement.id)) === "hosts-scroll", "the keyboard stays in the table", await page.evaluate(() => document.activeElement.outerHTML.slice(0, 80)));
  await page.evaluate(() => getSelection().selectAllChildren(document.querySelector('[data-row="db-1"] th')));
  before = await row("web-1");
  const answered = page.waitForResponse((it) => it.url() === `${base}/`);
  await ask("record");
  await answered;
  await page.waitForTimeout(300);
  check((await page.evaluate(() => getSelection().toString())).trim() === "db-1", "a selection stays");
  await page.evaluate(() => getSelection().removeAllRanges());
  await changed(before);
  check(true, "what came meanwhile is shown once nothing is selected");
  await page.click("#pause");
  check((await page.getAttribute("#pause", "aria-pressed")) === "true", "the pause is told");
  before = await row("web-1");
  await ask("record");
  await page.waitForTimeout(1500);
  check((await row("web-1")) === before, "nothing changes in a pause");
  await page.reload();
  check((await page.getAttribute("#pause", "aria-pressed")) === "true", "a pause outlasts a reload");
  before = await row("web-1");
  await ask("record");
  await page.click("#pause");
  await changed(before);
  check(true, "after the pause the page is as new as the service");
  await page.click("#shortcuts");
  await page.focus("#hosts-scroll");
  await page.keyboard.press("j");
  check((await page.evaluate(() => document.activeElement.id)) === "hosts-scroll", "letters that are switched off do nothing");
  await page.click("#shortcuts");
  await page.keyboard.press("j");
  check((await page.evaluate(() => document.activeElement.innerText)) === "db-1", "and do again when they are on");
  await context.close();
};

// A browser has six connections to a service; a tab that nobody sees needs none, and all others together one.
const tabs = async () => {
  const { context, page: first } = await open({});
  const all = [first];
  const isLive = (page) => page.waitForFunction(() => document.getElementById("live").dataset.state === "live");
  await first.goto(base);
  await isLive(first);
  for (let at = 2; at <= 9; at += 1) {
    const page = await context.newPage();
    page.setDefaultTimeout(PATIENCE);
    await page.goto(base);
    await isLive(page);
    all.push(page);
  }
  check(true, "nine tabs open and are live");
  const row = (page) => page.evaluate(() => document.querySelector('[data-row="web-1"]').innerText);
  const hears = async (pages, what) => {
    const before = await Promise.all(pages.map(row));
    await ask("record");
    const changed = (page, at) => page.waitForFunction((before) => document.querySelector('[data-row="web-1"]').innerText !== before, before[at]);
    await Promise.all(pages.map(changed));
    check(true, what);
  };
  await hears(all, "each of them hears what is new");
  // The first one holds the source: another takes it over.
  await first.close();
  await all[1].waitForTimeout(300);
  await hears(all.slice(1), "they go on when the one that listened is closed");
  await context.close();
};

const plain = async () => {
  const { context, page } = await open({ javaScriptEnabled: false });
  await page.goto(base);
  await page.fill("#filter", "db-");
  await page.click('.filter button[type="submit"]');
  const names = await page.locator(".rows tbody th").allInnerTexts();
  check(names.length > 0 && names.every((it) => it.startsWith("db-")), "the filter works without a script", names.join());
  await page.locator(".rows tbody th a").first().click();
  check((await page.innerText("h1")).startsWith("db-"), "a host opens without a script");
  await context.close();
};

const door = async () => {
  const { context, page, complaints } = await open({});
  await page.goto(`${guarded}/matrix`);
  check(page.url().startsWith(`${guarded}/login`), "who is no reader is led to the login", page.url());
  await page.evaluate(axe);
  const found = await page.evaluate(() => globalThis.axe.run());
  const bad = found.violations.filter((it) => ["serious", "critical"].includes(it.impact));
  check(bad.length === 0, "the login is accessible", bad.map((it) => it.id).join());
  await page.screenshot({ path: `${folder}/login.png` });
  await page.fill("#token", "let me in");
  await page.keyboard.press("Enter");
  await page.waitForURL(`${guarded}/matrix`);
  await page.waitForFunction(() => document.getElementById("live").dataset.state === "live");
  check(true, "a reader's token opens what was asked for, and its events");
  const cookies = await context.cookies();
  check(cookies.length === 1 && cookies[0].httpOnly && cookies[0].sameSite === "Strict", "the cookie is out of reach", JSON.stringify(cookies));
  await page.click(".leave button");
  await page.waitForURL(`${guarded}/login`);
  check((await context.cookies()).length === 0, "logging out takes the cookie away");
  check(complaints.length === 0, "no complaint at the door", complaints.join(" | "));
  await context.close();
};

await ended([looks, twins, keyboard, live, hands, tabs, plain, door]);
