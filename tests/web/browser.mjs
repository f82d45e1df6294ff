// What the tests of the pages share: a real browser, checks that are counted, a report's pieces.

import {createRequire} from "node:module";
import {readFileSync, writeFileSync} from "node:fs";
import {deflateSync, inflateSync} from "node:zlib";

const {chromium} = createRequire(`${process.env.MODULES}/x.js`)("playwright-core");

let failed = 0;
let passed = 0;

export function check(name, holds, seen = "") {
  if (holds) passed++;
  else {
    failed++;
    console.log(`not ok: ${name} ${typeof seen === "string" ? seen : JSON.stringify(seen)}`);
  }
}

export const near = (a, b) => Math.abs(a - b) < 1e-6;

export function finish() {
  console.log(`${passed} checks hold, ${failed} do not`);
  process.exit(failed || !passed ? 1 : 0);
}

const call = /^(aorPiece\("[^"]+",")([^"]*)("\);\n)$/;

/** A piece of the report in dir, read without the page. */
export function piece(dir, name) {
  return JSON.parse(inflateSync(Buffer.from(readFileSync(`${dir}/data/${name}.js`, "utf8").match(call)[2], "base64")).toString());
}

/** Puts another value in a piece's place. */
export function putPiece(dir, name, value) {
  const file = `${dir}/data/${name}.js`;
  const [, before, , after] = readFileSync(file, "utf8").match(call);
  writeFileSync(file, before + deflateSync(JSON.stringify(value)).toString("base64") + after);
}

/** Every trial of the report in dir, with its sample. */
export function trialsOf(dir) {
  const {samples} = piece(dir, "samples");
  return piece(dir, "findings").pieces.filter((p) => p.startsWith("trials-")).flatMap((p) => {
    const {columns, rows, conditions, strategies} = piece(dir, p);
    return rows.map((row) => {
      const t = Object.fromEntries(columns.map((c, i) => [c, row[i]]));
      return {...t, condition: conditions[t.condition], strategy: strategies[t.strategy], sample: samples[t.sample]};
    });
  });
}

export async function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"],
  });
}

/** A page whose console errors and warnings, dialogs and requests elsewhere are collected in trouble. */
export async function open(browser, address, {theme = "light", width = 1400, height = 900} = {}) {
  const context = await browser.newContext({viewport: {width, height}, colorScheme: theme, acceptDownloads: true});
  const page = await context.newPage();
  const trouble = [];
  page.on("console", (m) => ["error", "warning"].includes(m.type()) && trouble.push(`${m.type()}: ${m.text().slice(0, 300)}`));
  page.on("pageerror", (e) => trouble.push(`pageerror: ${e.message}`));
  page.on("dialog", (d) => (trouble.push(`dialog: ${d.message()}`), d.dismiss()));
  page.on("request", (r) => /^https?:/.test(r.url()) && !r.url().startsWith(new URL(address).origin) && trouble.push(`request: ${r.url()}`));
  await page.goto(address);
  return {page, trouble, context};
}

export const loaded = (page) => page.waitForSelector("body[data-loaded='1']", {timeout: 60000});
