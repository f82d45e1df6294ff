// The report in a browser: report.mjs DIR [ADDRESS]. The figures against its own pieces, filters against
// a count of one's own, sounds, keyboard, both themes. ADDRESS: of the same report from aor serve.

import {readFileSync} from "node:fs";
import {pathToFileURL} from "node:url";
import {check, finish, launch, loaded, near, open, piece, trialsOf} from "./browser.mjs";

const [dir, served] = process.argv.slice(2);
const address = served ?? pathToFileURL(`${dir}/index.html`).href;
const findings = piece(dir, "findings");
const run = findings.runs[0];
const {samples, scenes} = piece(dir, "samples");
const trials = trialsOf(dir);

const browser = await launch();
const rowsOf = (page, figure) => page.$eval(`[data-figure="${figure}"]`, (f) =>
  f.__view.getState({data: (name) => /^(source|data)_?\d*$/.test(name), signals: () => false, recurse: false}).data);
const flat = (data) => Object.values(data).flat();
const rate = (wanted) => run.rates.find((r) => r.kind === "scenario" && r.condition === "matched" && r.strategy === "direct" &&
  !r.benign_alone_only && r.factor === (wanted.factor ?? "") && r.level === (wanted.level ?? ""));

async function looks(theme) {
  const {page, trouble, context} = await open(browser, address, {theme});
  await loaded(page);
  const figures = await page.$$eval("[data-figure]", (all) => all.map((f) => [f.dataset.figure, f.dataset.ready, f.querySelectorAll("svg").length]));
  check(`${theme}: figures`, figures.length >= 8, figures);
  check(`${theme}: all are drawn`, figures.every(([, ready, n]) => ready === "1" && n > 0), figures);
  const text = await page.$eval("body", (b) => b.innerText);
  check(`${theme}: no number that is none`, !/\bNaN\b|\bundefined\b|\[object|\bnull\b|Infinity/.test(text), text.match(/.{30}(NaN|undefined|\[object|null|Infinity).{30}/)?.[0]);
  const ground = await page.evaluate(() => getComputedStyle(document.body).backgroundColor.match(/\d+/g).slice(0, 3).map(Number));
  check(`${theme}: its ground`, theme === "dark" ? Math.max(...ground) < 80 : Math.min(...ground) > 200, ground);
  await page.click("#theme");
  await page.waitForFunction(() => [...document.querySelectorAll("[data-figure]")].every((f) => f.dataset.ready === "1"));
  check(`${theme}: no errors`, trouble.length === 0, trouble);
  await context.close();
}

async function numbers() {
  const {page, trouble, context} = await open(browser, address);
  await loaded(page);
  for (const sentence of findings.summary) {
    check("the finding in words", (await page.$eval("#finding", (f) => f.innerText)).replaceAll("−", "-").includes(sentence.replaceAll("−", "-")), sentence);
  }
  for (const warning of findings.warnings) {
    check("warnings", (await page.$eval("#finding", (f) => f.innerText)).includes(warning.text), warning.text);
  }
  const table = await page.$eval("#models-table", (t) => t.innerText);
  check("the table of models", table.includes(`${(100 * rate({}).rate).toFixed(1)}%`), table);
  const overall = flat(await rowsOf(page, "overall"));
  check("over-refusal by model", overall.some((r) => near(r.value, 100 * rate({}).rate) && near(r.low, 100 * rate({}).low) && near(r.high, 100 * rate({}).high)), overall);
  const voices = flat(await rowsOf(page, "voices"));
  for (const r of run.rates.filter((r) => r.factor === "voice" && r.kind === "scenario" && r.condition === "matched" && r.strategy === "direct")) {
    check("voices", voices.some((v) => v.label === r.level && v.series === run.voices[r.level] && near(v.value, 100 * r.rate)), r);
  }
  const heat = flat(await rowsOf(page, "heatmap"));
  for (const r of run.rates.filter((r) => r.factor === "category" && r.kind === "scenario" && r.condition === "matched" && r.strategy === "direct")) {
    check("heat map", heat.some((c) => c.y === r.level && c.x === "matched" && near(c.value, 100 * r.rate)), r);
  }
  const differences = flat(await rowsOf(page, "context-differences"));
  const effect = run.comparisons.find((c) => c.family === "context" && c.first === "mismatched" && c.second === "matched" && c.strategy === "direct");
  check("the effect of the context", differences.some((d) => near(d.value, 100 * effect.difference)), {differences, effect});
  const plane = flat(await rowsOf(page, "plane"));
  const contrast = run.rates.find((r) => r.kind === "contrast" && r.condition === "matched" && r.strategy === "direct" && r.factor === "");
  check("the plane", plane.some((p) => near(p.x, 100 * contrast.rate) && near(p.y, 100 * rate({}).rate)), plane);
  check("no errors with the figures", trouble.length === 0, trouble);
  await context.close();
}

async function explores() {
  const {page, trouble, context} = await open(browser, address);
  await loaded(page);
  const shown = () => page.$eval("#count", (c) => ({samples: Number(c.dataset.samples), trials: Number(c.dataset.trials)}));
  const expect = async (name, passes) => {
    const kept = trials.filter(passes);
    const wanted = {samples: new Set(kept.map((t) => t.sample.id)).size, trials: kept.length};
    const seen = await shown();
    check(name, seen.samples === wanted.samples && seen.trials === wanted.trials && wanted.trials > 0, {seen, wanted});
  };
  const tick = async (facet, value) => {
    await page.$eval(`[data-filter="${facet}"]`, (d) => (d.open = true));
    await page.click(`[data-filter="${facet}"] input[value="${value}"]`);
  };
  await expect("all", () => true);
  const category = samples[0].category;
  await tick("category", category);
  await expect("a category", (t) => t.sample.category === category);
  await tick("verdict", "refusal");
  await expect("and a verdict", (t) => t.sample.category === category && t.verdict === "refusal");
  await tick("condition", "matched");
  await tick("gender", "female");
  await expect("and a condition and a gender", (t) => t.sample.category === category && t.verdict === "refusal" && t.condition === "matched" && t.sample.gender === "female");
  const kept = await page.url();
  const again = await open(browser, kept);
  await loaded(again.page);
  check("the address keeps the view", JSON.stringify(await again.page.$eval("#count", (c) => c.dataset.samples)) === JSON.stringify(await page.$eval("#count", (c) => c.dataset.samples)));
  await again.context.close();
  await page.click("#reset");
  await expect("reset", () => true);

  const word = samples.at(-1).text.split(" ").reduce((a, b) => (b.length > a.length ? b : a)).toLowerCase().replace(/\W/g, "");
  await page.keyboard.press("/");
  await page.keyboard.type(word);
  await page.waitForFunction((n) => Number(document.getElementById("count").dataset.samples) < n, samples.length);
  const has = (text) => (text ?? "").toLowerCase().includes(word);
  const found = samples.filter((s) => has(s.text) || has(s.reason) || has(scenes[s.scene]?.words) ||
    trials.some((t) => t.sample === s && has(t.answer)));
  check("a word is found", (await shown()).samples === found.length, {word, found: found.length, shown: await shown()});
  await page.keyboard.press("Escape");
  await page.waitForFunction((n) => Number(document.getElementById("count").dataset.samples) === n, samples.length);

  await page.focus("#samples");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  const second = samples[1];
  const detail = await page.$eval("#detail", (d) => d.innerText);
  check("a sample is opened by keyboard", detail.includes(second.text) && detail.includes(second.id), detail.slice(0, 200));
  check("with its reason", !second.reason || detail.includes(second.reason));
  for (const t of trials.filter((t) => t.sample === second)) {
    check("and each answer", !t.answer || detail.includes(t.answer.slice(0, 60)), t.answer);
  }
  if (findings.sounds.length) await plays(page, second);
  await page.keyboard.press("Escape");
  check("and closed", await page.$eval("#detail", (d) => d.hidden));

  const [download] = await Promise.all([page.waitForEvent("download"), page.click("#download-jsonl")]);
  const lines = readFileSync(await download.path(), "utf8").trim().split("\n").map(JSON.parse);
  check("every trial as JSON lines", lines.length === trials.length, lines.length);
  check("no errors in the explorer", trouble.length === 0, trouble);
  await context.close();
}

async function plays(page, sample) {
  await page.waitForSelector(".player[data-state='ready']", {timeout: 20000});
  const wanted = Number(JSON.parse(readFileSync(process.env.METADATA, "utf8").split("\n").find((l) => l.includes(`"${sample.id}"`))).duration_s);
  const duration = await page.$eval("#player", (a) => a.duration);
  check("the sound's duration", Math.abs(duration - wanted) < 0.05, {duration, wanted});
  await page.click("#play");
  await page.waitForFunction(() => document.getElementById("player").currentTime > 0.2, null, {timeout: 10000});
  check("it plays", await page.$eval("#player", (a) => !a.paused && a.error === null));
  const colours = await page.$eval("#spectrogram", (c) => {
    const {data} = c.getContext("2d").getImageData(0, 0, c.width, c.height);
    const seen = new Set();
    for (let i = 0; i < data.length; i += 40) seen.add((data[i] << 16) | (data[i + 1] << 8) | data[i + 2]);
    return seen.size;
  });
  check("waveform and spectrogram are drawn", colours > 50, colours);
  await page.click("#play");
}

async function small() {
  const {page, trouble, context} = await open(browser, address, {width: 400, height: 800});
  await loaded(page);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  check("fits 400 pixels", wide <= 400, wide);
  const print = await page.pdf({printBackground: true});
  check("prints", print.length > 20000, print.length);
  check("no errors on a small screen", trouble.length === 0, trouble);
  await context.close();
}

await looks("light");
await looks("dark");
await numbers();
await explores();
await small();
await browser.close();
finish();
