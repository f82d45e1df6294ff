// How quickly a report of many trials can be used: report.mjs DIR. Times of one page in Chromium, in ms.

import {pathToFileURL} from "node:url";
import {launch, loaded, open} from "../tests/web/browser.mjs";

const address = pathToFileURL(`${process.argv[2]}/index.html`).href;
const browser = await launch();
const paint = [];
const all = [];
for (let i = 0; i < 5; i++) {
  const {page, context} = await open(browser, address);
  await loaded(page);
  const marks = Object.fromEntries(await page.evaluate(() => performance.getEntriesByType("mark").map((m) => [m.name, m.startTime])));
  paint.push(marks["first-paint-of-findings"]);
  all.push(marks["all-loaded"]);
  if (i < 4) await context.close();
  else {
    const filters = [];
    const measure = async (name, act) => {
      await page.evaluate(() => performance.clearMeasures());
      await act();
      await page.waitForFunction(() => performance.getEntriesByName("filter").length > 0);
      const [n, ms] = await page.evaluate(() => [document.getElementById("count").dataset.trials, performance.getEntriesByName("filter").at(-1).duration]);
      filters.push([name, Number(n), ms]);
    };
    const tick = (facet, value) => async () => {
      await page.$eval(`[data-filter="${facet}"]`, (d) => (d.open = true));
      await page.click(`[data-filter="${facet}"] input[value="${value}"]`);
    };
    await measure("a verdict", tick("verdict", "refusal"));
    await measure("and a category", tick("category", "kitchen"));
    await measure("and a condition", tick("condition", "matched"));
    await measure("none", () => page.click("#reset"));
    await measure("a word", () => page.fill("#search", "explain"));
    await measure("a rare word", () => page.fill("#search", "chandelier"));
    await measure("no word", () => page.fill("#search", ""));
    await measure("disagreement between conditions", () => page.selectOption('[data-filter="disagreement"]', "conditions"));
    const rows = await page.$$eval(".row", (r) => r.length);
    const {used} = await page.evaluate(() => ({used: performance.memory?.usedJSHeapSize ?? 0}));
    const median = (list) => Math.round([...list].sort((a, b) => a - b)[list.length >> 1]);
    console.log(`first paint of the findings: ${median(paint)} ms; all trials loaded: ${median(all)} ms (medians of 5)`);
    for (const [name, n, ms] of filters) console.log(`filter, ${name}: ${ms.toFixed(1)} ms (${n} trials)`);
    console.log(`${rows} rows in the document; JavaScript heap ${Math.round(used / 1e6)} MB`);
    await context.close();
  }
}
await browser.close();
