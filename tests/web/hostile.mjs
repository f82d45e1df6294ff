// Hostile answers and names in the report: hostile.mjs DIR. Nothing of them runs, loads or hides.

import {pathToFileURL} from "node:url";
import {check, finish, launch, loaded, open, piece} from "./browser.mjs";

const [dir] = process.argv.slice(2);
const browser = await launch();
const {page, trouble} = await open(browser, pathToFileURL(`${dir}/index.html`).href);
await loaded(page);
const {samples} = piece(dir, "samples");

check("nothing ran", await page.evaluate(() => globalThis.pwned === undefined));
const text = await page.$eval("body", (b) => b.innerText);
check("the model's name is text", text.includes("<script>"), text.slice(0, 200));
const own = await page.$$eval("script, img, iframe, object, embed, link[href], [onerror], [onload], [onclick]", (all) => all.map((e) => e.outerHTML.slice(0, 80)));
check("no element of theirs", own.length === 2 && own[0] === '<link rel="icon" href="data:,">' && own[1].startsWith("<script>/*!"), own);

const seen = {script: 0, bidi: 0, escape: 0, zero: 0, long: 0};
for (const sample of samples.slice(0, 12)) {
  await page.evaluate((id) => (location.hash = `#explorer?sample=${id}`), sample.id);
  await page.waitForFunction((id) => document.querySelector("#detail h3")?.textContent === id, sample.id);
  const detail = await page.$eval("#detail", (d) => d.innerText);
  const raw = await page.$eval("#detail", (d) => d.textContent);
  check("nothing invisible", !/[\u202e\u200b\u001b\u0000]/.test(raw), sample.id);
  seen.script += detail.includes("<script>globalThis.pwned");
  seen.bidi += detail.includes("⟨U+202E⟩");
  seen.escape += detail.includes("⟨U+001B⟩[2J");
  seen.zero += detail.includes("⟨U+200B⟩");
  seen.long += await page.$$eval("#detail button.more", (all) => all.length);
  check("an answer of a megabyte is cut", detail.length < 60000, detail.length);
}
for (const [kind, n] of Object.entries(seen)) check(`shown as what it is: ${kind}`, n > 0, seen);
await page.click("#detail button.more");
check("and all of it on demand", (await page.$eval("#detail", (d) => d.textContent.length)) > 500000);
check("no errors", trouble.length === 0, trouble);
await browser.close();
finish();
