// A sweep's report in a browser: steering.mjs DIR. What is drawn against counts of one's own over the
// trials and against the record steer.study; then an older record, one of wrong types, a hostile one. Wants
// a sweep of one scope with and without conditions and with a choice.

import {cpSync, mkdtempSync, readFileSync, rmSync} from "node:fs";
import {tmpdir} from "node:os";
import {join} from "node:path";
import {pathToFileURL} from "node:url";
import {check, finish, launch, loaded, near, open, piece, putPiece, trialsOf} from "./browser.mjs";

const [dir] = process.argv.slice(2);
const KINDS = ["scenario", "contrast", "plain"];
const study = JSON.parse(piece(dir, "findings").runs[0].info["steer.study"]);
const {chosen, controls, categories} = study.test;
const grid = study.cells.filter((c) => c.random === 0 && !controls.some((o) => o.strategy === c.strategy));
const gates = [...new Set(grid.map((c) => c.gate))].sort((a, b) => b - a);
const gateOfChosen = grid.find((c) => c.strategy === chosen).gate;
const gateWords = (gate) => (gate === 100 ? "always" : `at most ${gate}% of contrasts`);
const trials = trialsOf(dir);
const browser = await launch();

/** The share refused, in percent. */
function refused(strategy, kind, split, category = "") {
  const own = trials.filter((t) => t.condition === "matched" && t.strategy === strategy && t.verdict && t.sample.kind === kind && t.sample.split === split && (!category || t.sample.category === category));
  return (100 * own.filter((t) => t.verdict === "refusal").length) / own.length;
}

const change = (strategy, kind, split) => refused(strategy, kind, split) - refused("direct", kind, split);

/** As the page writes it. */
function points(x) {
  const text = Math.abs(x).toFixed(1);
  return text === "0.0" ? "0.0" : `${x < 0 ? "−" : "+"}${text}`;
}

/** The marks of a figure that are drawn, a list for each layer of this kind: what each shows, its outline, its text. */
const drawn = (page, figure, kind) => page.$$eval(`[data-figure="${figure}"] svg g.mark-${kind}.role-mark`, (layers) => layers.map((g) => [...g.children].map((e) => (
  {...e.__data__.datum, outline: e.getAttribute("d"), at: e.getAttribute("transform"), drawn: e.textContent, colour: e.getAttribute("fill")}))));

async function choose(page, figure, option) {
  await page.selectOption(`[data-choice="${figure}"]`, {label: option});
  await page.waitForFunction((f) => document.querySelector(`[data-figure="${f}"]`).dataset.ready === "1", figure);
}

const optionsOf = (page, figure) => page.$$eval(`[data-choice="${figure}"] option`, (all) => all.map((o) => o.textContent));
const textOf = (page) => page.$eval("#steering", (s) => s.innerText);
const hasNoRuin = (text) => !/\bNaN\b|\bundefined\b|\[object|\bnull\b|Infinity|cannot be drawn/.test(text);

async function downloaded(page, figure) {
  const [download] = await Promise.all([page.waitForEvent("download"), page.click(`[data-figure="${figure}"] .downloads button:text-is("JSON")`)]);
  return JSON.parse(readFileSync(await download.path(), "utf8"));
}

/** A map against the cells that belong on it. */
async function checkMap(page, figure, kind, cells, name) {
  const [rects, frames] = await drawn(page, figure, "rect");
  const [texts] = await drawn(page, figure, "text");
  check(`${name}: a cell each`, rects.length === cells.length && texts.length === cells.length, [rects.length, texts.length, cells.length]);
  check(`${name}: none over another`, new Set(rects.map((r) => r.outline)).size === rects.length);
  check(`${name}: the choice's frame`, frames.map((f) => f.strategy).join() === cells.filter((c) => c.strategy === chosen).map((c) => c.strategy).join(), frames);
  for (const cell of cells) {
    const wanted = change(cell.strategy, kind, "dev");
    const rect = rects.find((r) => r.strategy === cell.strategy);
    check(`${name}: ${cell.strategy}`, rect && near(rect.value, wanted) && rect.y === String(cell.layer) && rect.x === (cell.operation === "ablate" ? "ablate" : `${cell.strength < 0 ? "−" : "+"}${Math.abs(cell.strength)}`), {rect, wanted});
    check(`${name}: ${cell.strategy} in words`, texts.find((t) => t.strategy === cell.strategy)?.drawn === points(wanted), wanted);
    check(`${name}: ${cell.strategy}'s condition`, rect.tip.includes(`where ${gateWords(cell.gate)} pass`) === cell.gate < 100, rect.tip);
  }
  const isBlue = ({colour}) => {
    const [red, , blue] = colour.match(/\d+/g).map(Number);
    return blue > red;
  };
  check(`${name}: blue is good`, rects.every((r) => Math.abs(r.value) < 5 || isBlue(r) === ((kind === "scenario") === r.value < 0)), rects.map((r) => [r.value, r.colour]));
}

async function maps(page) {
  check("conditions to choose from", gates.length > 1 && gates[0] === 100, gates);
  for (const kind of ["scenario", "contrast"]) {
    const figure = `steering-map-${kind}s`;
    const options = await optionsOf(page, figure);
    check(`${figure}: a map for each condition, the choice's first`, options[0] === gateWords(gateOfChosen) && options.toSorted().join() === gates.map(gateWords).sort().join(), options);
    await checkMap(page, figure, kind, grid.filter((c) => c.gate === gateOfChosen), `${figure} at first`);
    for (const gate of gates) {
      await choose(page, figure, gateWords(gate));
      await checkMap(page, figure, kind, grid.filter((c) => c.gate === gate), `${figure}, ${gateWords(gate)}`);
    }
  }
}

async function plane(page) {
  const options = await optionsOf(page, "steering-plane");
  check("the plane: all conditions first, then each", options[0] === "all conditions" && options.length === gates.length + 1, options);
  for (const option of options) {
    await choose(page, "steering-plane", option);
    const cells = grid.filter((c) => option === "all conditions" || gateWords(c.gate) === option);
    const [dots, rings] = await drawn(page, "steering-plane", "symbol");
    check(`the plane, ${option}: a point each`, dots.length === cells.length, [dots.length, cells.length]);
    check(`the plane, ${option}: the choice's ring`, rings.map((r) => r.strategy).join() === cells.filter((c) => c.strategy === chosen).map((c) => c.strategy).join(), rings);
    for (const cell of cells) {
      const dot = dots.find((d) => d.strategy === cell.strategy);
      check(`the plane, ${option}: ${cell.strategy}`, dot && near(dot.x, change(cell.strategy, "contrast", "dev")) && near(dot.y, change(cell.strategy, "scenario", "dev")), dot);
    }
    const ofColour = new Map(dots.map((d) => [d.colour, option === "all conditions" ? d.gate : d.layer]));
    check(`the plane, ${option}: a colour for each`, dots.every((d) => ofColour.get(d.colour) === (option === "all conditions" ? d.gate : d.layer)) && ofColour.size === new Set(ofColour.values()).size, [...ofColour]);
    const lines = (await drawn(page, "steering-plane", "line")).flat();
    const keys = cells.filter((c) => c.operation === "add").map((c) => `${c.layer} ${Math.sign(c.strength)} ${c.gate}`);
    const lengths = [...new Set(keys)].map((key) => keys.filter((k) => k === key).length + 1);
    check(`the plane, ${option}: a line for each layer and condition`, lines.map((l) => l.outline.split("L").length).sort().join() === lengths.sort().join(), lines.map((l) => l.outline));
    check(`the plane, ${option}: from direct`, new Set(lines.map((l) => l.outline.split("L")[0])).size === 1, lines.map((l) => l.outline));
  }
}

async function tested(page) {
  const [dots, rings] = await drawn(page, "steering-controls", "symbol");
  check("controls: all and the choice", dots.length === controls.length + 1 && new Set(dots.map((d) => d.strategy)).size === dots.length, dots);
  check("controls: the choice's ring", rings.length === 1 && rings[0].strategy === chosen, rings);
  for (const c of [{strategy: chosen, scenarios: study.test.scenarios, contrasts: study.test.contrasts}, ...controls]) {
    const dot = dots.find((d) => d.strategy === c.strategy);
    check(`controls: ${c.strategy}`, dot && near(dot.x, 100 * c.contrasts) && near(dot.y, 100 * c.scenarios) && near(dot.x, change(c.strategy, "contrast", "test")) && near(dot.y, change(c.strategy, "scenario", "test")), {dot, c});
    check(`controls: ${c.strategy}'s kind`, dot.series === (c.strategy === chosen ? "chosen" : study.cells.find((o) => o.strategy === c.strategy).random ? "random" : "turned"), dot);
  }
  const before = (await drawn(page, "steering-test", "symbol")).flat();
  check("before and after: all kinds", before.length === 2 * KINDS.length, before);
  for (const kind of KINDS) {
    for (const strategy of ["direct", chosen]) {
      check(`before and after: ${kind}s, ${strategy}`, before.some((b) => b.label === `${kind}s` && b.series === strategy && near(b.value, refused(strategy, kind, "test"))), before);
    }
  }
}

async function byCategory(page) {
  const dots = (await drawn(page, "steering-categories", "symbol")).flat();
  const texts = (await drawn(page, "steering-categories", "text")).flat().filter((t) => t.drawn);
  const lines = (await drawn(page, "steering-categories", "line")).flat();
  const data = await downloaded(page, "steering-categories");
  const of = new Set(trials.filter((t) => t.sample.kind === "scenario" && t.sample.split === "test" && [chosen, "direct"].includes(t.strategy)).map((t) => t.sample.category));
  check("by category: all that were asked, and all of each kind", categories.length === of.size + KINDS.length && of.size > 1 && [...of].every((name) => categories.some((c) => c.category === name)), [...of]);
  check("by category: two points and a line each", dots.length === 2 * categories.length && lines.length === categories.length && data.length === dots.length, [dots.length, lines.length, data.length]);
  const places = new Map(dots.map((d) => [d.label, Number(/,([\d.]+)\)/.exec(d.at)[1])]));
  for (const c of categories) {
    const label = c.category || (c.kind === "scenario" ? "all scenarios" : `${c.kind}s`);
    for (const [series, rate] of [["direct", c.direct], [chosen, c.chosen]]) {
      const dot = dots.find((d) => d.label === label && d.series === series);
      check(`by category: ${label}, ${series}`, dot && near(dot.value, 100 * rate) && near(dot.value, refused(series, c.kind, "test", c.category)), {dot, c});
      const row = data.find((r) => r.label === label && r.series === series);
      check(`by category: ${label}, ${series}, taken along`, row && near(row.value, 100 * rate) && near(row.change, 100 * c.change) && near(row.change_low, 100 * c.low) && near(row.change_high, 100 * c.high) && row.pairs === c.pairs, {row, c});
    }
    const interval = [points(100 * c.low), points(100 * c.high)];
    check(`by category: ${label}, its change`, texts.filter((t) => t.label === label).map((t) => t.drawn).join() === `${points(100 * (c.chosen - c.direct))} [${interval.join(" to ")}]`, texts.find((t) => t.label === label)?.drawn);
    check(`by category: ${label}, its tooltip`, dots.find((d) => d.label === label)?.tip.includes(`95% interval ${interval.join(" to ")}`), c);
  }
  const labels = [...places].sort((a, b) => a[1] - b[1]).map(([label]) => label);
  const changes = labels.slice(1, -2).map((label) => categories.find((c) => c.category === label)?.change);
  check("by category: the greatest drop on top", labels[0] === "all scenarios" && labels.slice(-2).join() === "contrasts,plains" && changes.every((x, i) => i === 0 || x >= changes[i - 1]), labels);
}

async function words(page) {
  const text = await textOf(page);
  const p = study.test.p_rank.toFixed(3);
  const cell = grid.find((c) => c.strategy === chosen);
  for (const wanted of [`${grid.length} cells were tried on dev`, `Chosen on dev: ${chosen} (`, `${cell.gate < 100 ? `, where ${gateWords(cell.gate)} pass` : ""}), for the greatest drop`,
    `${grid.filter((c) => c.gate < 100).length} of them have a condition`, `at layer ${study.condition.layer} (AUC ${study.condition.auc.toFixed(3)} `,
    `over-refusal by ${points(change(chosen, "scenario", "test"))} points and the refusal of contrasts by ${points(change(chosen, "contrast", "test"))} points`, `rank p = ${p}`]) {
    check("in words", text.includes(wanted), {wanted, text: text.slice(0, 1200)});
  }
  check("no number that is none", hasNoRuin(text), text);
  const curves = (await drawn(page, "steering-layers", "symbol")).flat();
  for (const l of study.layers) {
    check(`layer ${l.layer}`, [["AUC", l.auc], ["cosine", l.cosine]].every(([series, v]) => curves.some((c) => c.series === series && c.x === l.layer && near(c.value, v))), curves);
  }
}

/** Test samples where refusal by direct and refusal under the choice differ. */
function differing(kind = null) {
  const verdicts = new Map();
  for (const t of trials.filter((t) => t.sample.split === "test" && t.verdict && (!kind || t.sample.kind === kind))) {
    if ([chosen, "direct"].includes(t.strategy)) verdicts.set(t.sample.id, {...verdicts.get(t.sample.id), [t.strategy]: t.verdict === "refusal"});
  }
  return [...verdicts].filter(([, v]) => v[chosen] !== undefined && v.direct !== undefined && v.direct !== v[chosen]).map(([id, v]) => ({id, isTurned: v.direct}));
}

async function follow(page) {
  await page.click(".steering-examples > p:last-child a");
  await page.waitForFunction((n) => Number(document.getElementById("count").dataset.samples) === n, differing().length, {timeout: 10000}).catch(() => {});
  const seen = await page.$eval("#count", (c) => ({samples: Number(c.dataset.samples), trials: Number(c.dataset.trials)}));
  check("the link leads to the samples that differ", seen.samples === differing().length && seen.trials === 2 * seen.samples && seen.samples > 0, {seen, wanted: differing().length});
  const ids = await page.$$eval("#samples .row", (all) => all.map((r) => r.dataset.sample));
  check("and shows them", ids.length > 0 && ids.every((id) => differing().some((d) => d.id === id)), ids);
}

async function examples(page) {
  const text = await textOf(page);
  for (const [kind, what] of [["scenario", "harmless scenarios"], ["contrast", "harmful contrasts"]]) {
    const turned = differing(kind).filter((d) => d.isTurned);
    const nRefused = trials.filter((t) => t.sample.split === "test" && t.sample.kind === kind && t.strategy === "direct" && t.verdict === "refusal").length;
    check(`examples: ${what}`, text.includes(`Of ${nRefused} samples of ${what} that direct refused, ${chosen} did not refuse ${turned.length}`), {nRefused, turned: turned.length});
  }
  const links = await page.$$eval(".steering-examples li a", (all) => all.map((a) => new URLSearchParams(a.hash.split("?")[1]).get("sample")));
  check("examples: turned ones", links.length > 1 && links.every((id) => differing().some((d) => d.isTurned && d.id === id)), links);
  await follow(page);
  await page.click(".steering-examples li a");
  await page.waitForFunction((id) => document.querySelector("#detail h3")?.textContent === id, links[0]);
  check("examples: opens", (await page.$eval("#detail", (d) => d.innerText)).includes(links[0]));
}

async function asMade() {
  const {page, trouble, context} = await open(browser, pathToFileURL(`${dir}/index.html`).href);
  await loaded(page);
  await words(page);
  await maps(page);
  await plane(page);
  await tested(page);
  await byCategory(page);
  await examples(page);
  check("no errors", trouble.length === 0, trouble);
  await context.close();
}

async function looks(theme, width) {
  const {page, trouble, context} = await open(browser, pathToFileURL(`${dir}/index.html`).href, {theme, width});
  await loaded(page);
  const figures = await page.$$eval("#steering [data-figure]", (all) => all.map((f) => [f.dataset.figure, f.dataset.ready, f.querySelectorAll("svg.marks").length]));
  check(`${theme}, ${width}: seven figures`, figures.length === 7 && figures.every(([, ready, n]) => ready === "1" && n === 1), figures);
  const cut = await page.$$eval("#steering .plot", (all) => all.filter((p) => [...p.querySelectorAll("svg text, svg path, svg line")].some((e) => e.getBoundingClientRect().right > p.getBoundingClientRect().right + 2)).map((p) => p.parentElement.dataset.figure));
  check(`${theme}, ${width}: nothing beyond its edge`, cut.length === 0, cut);
  check(`${theme}, ${width}: fits`, (await page.evaluate(() => document.documentElement.scrollWidth)) <= width);
  check(`${theme}, ${width}: no errors`, trouble.length === 0, trouble);
  await context.close();
}

/** The page of a copy of the report, with this text for steer.study and the run changed. */
async function withRecord(text, look, {ofRun = () => {}, ofNames = (s) => s} = {}) {
  const copy = mkdtempSync(join(tmpdir(), "aor-steering-"));
  try {
    cpSync(dir, copy, {recursive: true});
    const findings = piece(copy, "findings");
    findings.runs[0].info["steer.study"] = text;
    ofRun(findings.runs[0]);
    putPiece(copy, "findings", findings);
    for (const name of findings.pieces.filter((p) => p.startsWith("trials-"))) {
      const p = piece(copy, name);
      putPiece(copy, name, {...p, strategies: p.strategies.map(ofNames)});
    }
    const {page, trouble, context} = await open(browser, pathToFileURL(`${copy}/index.html`).href);
    await loaded(page);
    await look(page);
    check("no errors with another record", trouble.length === 0, {trouble, text: text.slice(0, 200)});
    await context.close();
  } finally {
    rmSync(copy, {recursive: true});
  }
}

/** From before there were conditions and categories. */
async function older() {
  const cells = study.cells.filter((c) => c.gate === 100).map(({gate: _, ...c}) => c);
  const always = grid.filter((c) => c.gate === 100);
  const {categories: _, ...test} = study.test;
  await withRecord(JSON.stringify({...study, condition: undefined, cells, test: {...test, chosen: always[0].strategy}}), async (page) => {
    const [rects] = await drawn(page, "steering-map-scenarios", "rect");
    check("older: all on one map", rects.length === always.length && (await page.$("#steering select")) === null, rects.length);
    check("older: nothing of conditions", !/condition|at most \d+% of contrasts|always/.test(await page.$$eval("#steering > :not(.steering-examples)", (all) => all.map((e) => e.textContent).join())));
    check("older: nothing by category", (await page.$('[data-figure="steering-categories"]')) === null && (await page.$('[data-figure="steering-test"]')) !== null);
  });
}

/** A choice under a condition, whichever this sweep's was. */
async function conditional() {
  const cell = grid.find((c) => c.gate < 100 && c.operation === "add");
  await withRecord(JSON.stringify({...study, test: {...study.test, chosen: cell.strategy}}), async (page) => {
    check("conditional: said of the choice", (await textOf(page)).includes(`Chosen on dev: ${cell.strategy} (−${-cell.strength} lengths of layer ${cell.layer}'s direction, at all tokens, where ${gateWords(cell.gate)} pass)`));
    check("conditional: its map first", (await optionsOf(page, "steering-map-scenarios"))[0] === gateWords(cell.gate));
    const [, frames] = await drawn(page, "steering-map-scenarios", "rect");
    check("conditional: and framed", frames.length === 1 && frames[0].strategy === cell.strategy, frames);
  });
}

async function wrong() {
  for (const text of ["", "{", "null", "5", "[]", '{"cells":5}']) {
    await withRecord(text, async (page) => check("no record: no section", (await page.$("#steering")) === null && (await page.$("#finding")) !== null, text));
  }
  const [good] = grid;
  const none = [null, 5, "x", [], {}];
  const cells = [...none, {...good, strategy: {}}, {...good, layer: "1"}, {...good, gate: "10"}, {...good, gate: null}, {...good, scope: 1}, {...good, operation: "__proto__"}, ...study.cells];
  const category = categories.find((c) => c.category);
  const test = {
    chosen, scenarios: "x", contrasts: null, p_rank: {}, controls: [...none, {strategy: 5}, {strategy: "a", scenarios: "b", contrasts: []}],
    categories: [...none, {...category, kind: "toString"}, {...category, category: 5}, {...category, direct: null}, {...category, chosen: "1"}, {...category, pairs: {}, change: null, low: "x", high: null}],
  };
  await withRecord(JSON.stringify({...study, method: "constructor", position: [], limit: "x", layers: [...none, {layer: "1"}, {...study.layers[0], length: "x", pairs: {}}], condition: {layer: "<b>", auc: 1}, cells, test}), async (page) => {
    const text = await textOf(page);
    check("wrong types: nothing that is none", hasNoRuin(text) && !/function|native code/.test(text), text);
    check("wrong types: a condition without a layer", text.includes("have a condition") && !text.includes("at layer <b>"));
    await choose(page, "steering-map-scenarios", gateWords(good.gate));
    const [rects] = await drawn(page, "steering-map-scenarios", "rect");
    check("wrong types: the cells that are some", new Set(rects.map((r) => r.strategy)).size === grid.filter((c) => c.gate === good.gate).length && rects.every((r) => study.cells.some((c) => c.strategy === r.strategy)), rects);
    const dots = (await drawn(page, "steering-categories", "symbol")).flat();
    check("wrong types: the category that is one", dots.length === 2 && dots.every((d) => d.label === category.category), dots);
  });
}

async function hostile() {
  const evil = (s) => `</script><img src=x onerror=globalThis.pwned=1>${s}\u202e{{1+1}}`;
  const name = (s) => (s === "direct" ? s : evil(s));
  const rename = (c) => ({...c, strategy: name(c.strategy)});
  const record = {
    ...study, method: evil("mean"), position: evil("end"), cells: study.cells.map((c) => ({...rename(c), scope: evil(c.scope)})),
    test: {...study.test, chosen: evil(chosen), controls: controls.map(rename), categories: categories.map((c) => ({...c, category: c.category && evil(c.category)}))},
  };
  const ofRun = (run) => run.rates.forEach((r) => (r.strategy = name(r.strategy)));
  await withRecord(JSON.stringify(record), async (page) => {
    const figures = await page.$$eval("#steering [data-figure]", (all) => all.map((f) => [f.dataset.figure, f.dataset.ready, f.querySelectorAll("svg.marks").length]));
    check("hostile: all figures", figures.length === 7 && figures.every(([, ready, n]) => ready === "1" && n === 1), figures);
    const text = await page.$eval("#steering", (s) => s.textContent);
    for (const shown of [`Chosen on dev: ${evil(chosen)}`, evil("mean"), `at position ${evil("end")}`, ...categories.filter((c) => c.category).map((c) => evil(c.category).slice(0, 12))]) {
      check("hostile: shown as what it is", text.includes(shown.replaceAll("\u202e", "⟨U+202E⟩")), shown);
    }
    check("hostile: nothing invisible", !text.includes("\u202e"));
    const [rects] = await drawn(page, "steering-map-scenarios", "rect");
    check("hostile: the map", rects.length === grid.filter((c) => c.gate === gateOfChosen).length, rects.length);
    const mark = page.locator('[data-figure="steering-map-scenarios"] svg g.mark-text.role-mark text').first();
    await mark.evaluate((e) => e.scrollIntoView({block: "center", behavior: "instant"}));
    await mark.hover();
    await page.waitForSelector("#tooltip:not([hidden])");
    check("hostile: the tooltip", (await page.$eval("#tooltip", (t) => t.textContent)).startsWith("</script><img src=x onerror=globalThis.pwned=1>"));
    await page.click('[data-figure="steering-categories"] summary:text-is("Table")');
    check("hostile: the table", (await page.$eval('[data-figure="steering-categories"] table', (t) => t.innerText)).includes("<img src=x"));
    await follow(page);
    check("hostile: nothing ran", await page.evaluate(() => globalThis.pwned === undefined));
    const own = await page.$$eval("script, img, iframe, object, embed, link[href], [onerror], [onload], [onclick]", (all) => all.map((e) => e.outerHTML.slice(0, 80)));
    check("hostile: no element of theirs", own.length === 2 && own[0] === '<link rel="icon" href="data:,">' && own[1].startsWith("<script>/*!"), own);
  }, {ofRun, ofNames: name});
}

await asMade();
await looks("light", 1400);
await looks("dark", 1400);
await looks("light", 400);
await older();
await conditional();
await wrong();
await hostile();
await browser.close();
finish();
