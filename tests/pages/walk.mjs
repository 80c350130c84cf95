// What every walk over the pages begins and ends with: a browser, a line for each thing that holds, the test's help.
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

export const begin = async () => {
  const [program, base, guarded, folder] = process.argv.slice(2);
  let failed = 0;
  const check = (holds, what, more = "") => {
    if (!holds) failed += 1;
    console.log(`${holds ? "ok" : "FAILED"} ${what}${holds || more === "" ? "" : `: ${more}`}`);
  };
  const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  // Asks the test to do something with the hosts, and waits until it is done.
  const ask = async (what) => {
    console.log(`ask ${what}`);
    await lines.next();
  };
  // Waits until it is so; says whether it came to be.
  const wait = async (holds, ms = 20000) => {
    const until = Date.now() + ms;
    while (!holds() && Date.now() < until) await new Promise((done) => setTimeout(done, 20));
    return holds();
  };
  // Root has no sandbox of its own; what is opened is this test's service only.
  const browser = await chromium.launch({ executablePath: program, args: ["--no-sandbox", "--disable-gpu"] });
  // Walks all parts, and ends with 1 when something does not hold.
  const ended = async (parts) => {
    try {
      for (const part of parts) await part();
    } catch (error) {
      check(false, "the walk", String(error));
    } finally {
      await browser.close();
    }
    process.exit(failed === 0 ? 0 : 1);
  };
  return { base, guarded, folder, browser, check, ask, wait, ended };
};
