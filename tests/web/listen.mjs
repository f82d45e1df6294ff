// The listening page: listen.mjs ADDRESS LABELS.jsonl. Two samples by keyboard alone; blind; resumes.

import {readFileSync} from "node:fs";
import {check, finish, launch, open} from "./browser.mjs";

const [address, file] = process.argv.slice(2);
const browser = await launch();
const {page, trouble} = await open(browser, `${address}listen`);
const step = (name) => page.waitForSelector(`#labeller[data-step="${name}"]`, {timeout: 10000});
const stored = () => readFileSync(file, "utf8").trim().split("\n").map(JSON.parse);

await step("name");
await page.keyboard.type("no name!");
await page.keyboard.press("Enter");
check("a name that is none", (await page.$eval(".problem", (p) => p.textContent)).length > 10);
await page.fill("#name", "ana");
await page.keyboard.press("Enter");

for (const n of [1, 2]) {
  await step("words");
  const words = await page.$eval(".said", (q) => q.textContent);
  check("the words are shown", words.length > 10);
  check("but no sample's id, kind or verdict", !/scenario|contrast|-f-|-m-|refus/i.test(await page.content()));
  await page.keyboard.press("Enter");
  check("no answer, no next step", (await page.$$(".problem")).length === 1);
  await page.keyboard.press("3");
  await page.keyboard.press("Enter");
  await step("sound");
  check("the words are hidden then", !(await page.$eval("#labeller", (m) => m.innerText)).includes(words));
  await page.keyboard.press("p");
  await page.waitForFunction(() => document.getElementById("player").currentTime > 0.1, null, {timeout: 10000});
  check("the sound plays", await page.$eval("#player", (a) => a.duration > 1 && a.error === null));
  await page.keyboard.press("w");
  await page.keyboard.type(`words of sample ${n}`);
  if (n === 2) { // what was typed outlives a reload
    await page.reload();
    await step("sound");
    check("a draft is kept", (await page.$eval("#heard", (t) => t.value)) === `words of sample ${n}`);
    await page.keyboard.press("p");
    await page.focus("#heard");
  }
  await page.keyboard.press("Enter");
  await page.keyboard.press("a");
  await page.keyboard.press("1");
  await page.keyboard.press("Enter");
  await step("answer");
  await page.keyboard.press("3");
  await page.keyboard.press("Enter");
  await page.waitForFunction((wanted) => document.getElementById("progress").getAttribute("aria-valuenow") === String(wanted), n);
}
await step("words");
const rows = stored();
check("two labels are stored", rows.length === 2, rows);
check("as a test's", rows.every((r) => r.labeller === "synthetic-ana"), rows);
check("with what was chosen", rows.every((r, i) => r.alarm === "alarming" && r.harmful === "no" && r.heard === `words of sample ${i + 1}` && r.label === "refusal"), rows);

await page.keyboard.press("b");
await page.waitForFunction(() => document.querySelector('[data-value="alarming"][aria-pressed="true"]'));
await page.keyboard.press("1");
await page.keyboard.press("Enter");
await step("sound");
check("an item is asked again with what was stored", (await page.$eval("#heard", (t) => t.value)) === "words of sample 2");
await page.keyboard.press("p");
await page.waitForFunction(() => document.getElementById("player").currentTime > 0.05, null, {timeout: 10000});
await page.keyboard.press("1");
await page.keyboard.press("Enter");
await step("answer");
await page.keyboard.press("Enter");
await step("words");
check("a correction is another line", stored().length === 3 && stored()[2].alarm === "benign" && stored()[2].sample === stored()[1].sample, stored());
check("no errors", trouble.length === 0, trouble);
await browser.close();
finish();
