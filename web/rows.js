// Choosing rates and comparisons from the findings.

import {isNumber, percent, percentRange, plural, points, pointsRange, pValue, visible} from "./text.js";

export const KINDS = ["scenario", "contrast", "plain"];
export const CONDITIONS = ["matched", "mismatched", "noise", "speech", "text", "text-scene"];
const ALONE = ["benign", "ambiguous", "alarming"];

/** Sorted as the list says, the rest after it as it came. */
export function ordered(values, list) {
  const place = (v) => (list.includes(v) ? list.indexOf(v) : list.length);
  return [...new Set(values)].sort((a, b) => place(a) - place(b));
}

export const orderAlone = (values) => ordered(values, ALONE);

/** The runs with names that differ: two runs of one model get their files' names too. */
export function nameRuns(runs) {
  const times = new Map();
  for (const run of runs) times.set(run.name, (times.get(run.name) ?? 0) + 1);
  return runs.map((run) => ({...run, label: visible(times.get(run.name) > 1 ? `${run.name} (${run.run})` : run.name)}));
}

export function headlineOf(run) {
  return {condition: run.headline?.condition ?? "matched", strategy: run.headline?.strategy ?? "direct"};
}

export function findRates(run, wanted) {
  return run.rates.filter((r) => Object.entries(wanted).every(([key, value]) => r[key] === value) && isNumber(r.rate));
}

/** The rate of a kind as a whole; scenarios split by what the words are alone have none. */
export function wholeRate(run, kind, condition, strategy) {
  const rows = findRates(run, {kind, condition, strategy, factor: ""});
  return rows.length === 1 ? rows[0] : null;
}

export const understoodRate = (run, row) =>
  findRates(run, {kind: row.kind, condition: row.condition, strategy: row.strategy, benign_alone_only: row.benign_alone_only, factor: "understood"}).find((r) => r.level !== "no") ?? null;

export const strategiesOf = (run) =>
  ordered(run.rates.filter((r) => r.factor === "").map((r) => r.strategy), ["direct", "cot", "steered", "audio-only", "audio-last"]);

const MAX_STRATEGIES = 20;
const studies = new WeakMap();
const isText = (x) => typeof x === "string";

/** Foreign text: what is not as cmd/steer_sweep.c writes it is left out. */
function parseStudy(text) {
  let study;
  try {
    study = JSON.parse(text);
  } catch {
    return null;
  }
  if (!study || typeof study !== "object" || !Array.isArray(study.cells)) return null;
  const list = (values) => (Array.isArray(values) ? values.filter((v) => v && typeof v === "object") : []);
  const cells = list(study.cells).map((c) => ({gate: 100, ...c})).filter((c) => isText(c.strategy) && ["add", "ablate"].includes(c.operation) && isText(c.scope) && isNumber(c.layer) && (isNumber(c.strength) || c.operation === "ablate") && isNumber(c.gate));
  const isCategory = (c) => isText(c.category) && isNumber(c.direct) && isNumber(c.chosen);
  const {test} = study;
  return {
    method: isText(study.method) ? study.method : null, position: isText(study.position) ? study.position : null, limit: isNumber(study.limit) ? study.limit : null,
    layers: list(study.layers).filter((l) => isNumber(l.layer)), cells, condition: isNumber(study.condition?.layer) ? study.condition : null,
    test: test && isText(test.chosen) ? {...test, controls: list(test.controls).filter((c) => isText(c.strategy)), categories: list(test.categories).filter(isCategory)} : null,
  };
}

/** The sweep over directions that a run is; null: it is none. */
export function studyOf(run) {
  const text = run.info?.["steer.study"];
  if (!isText(text)) return null;
  if (!studies.has(run)) studies.set(run, parseStudy(text));
  return studies.get(run);
}

/** Names of a sweep's turned and random directions. */
export function controlsOf(run) {
  const study = studyOf(run);
  return new Set(study ? [...study.cells.filter((c) => c.random > 0), ...(study.test?.controls ?? [])].map((c) => c.strategy) : []);
}

/** The strategies for figures of all of them: no controls, and not more than can be read. */
export function shownStrategies(run) {
  const controls = controlsOf(run);
  const all = strategiesOf(run).filter((s) => !controls.has(s));
  return ordered(all, ["direct", studyOf(run)?.test?.chosen].filter((s) => all.includes(s))).slice(0, MAX_STRATEGIES);
}

/** What figures of strategies leave out, in words; null: nothing. */
export function leftOut(run) {
  const controls = controlsOf(run).size;
  const shown = shownStrategies(run).length;
  const others = strategiesOf(run).length - strategiesOf(run).filter((s) => controlsOf(run).has(s)).length;
  const parts = [];
  if (others > shown) parts.push(`${shown} of ${others} strategies are shown`);
  if (controls) parts.push(`${plural(controls, "turned or random direction")} ${controls === 1 ? "stands" : "stand"} under Steering only`);
  if (studyOf(run)) parts.push("cells of the sweep were asked on dev, the chosen one on dev and test: under Steering like is compared with like");
  return parts.length ? `${run.label}: ${parts.join("; ")}.` : null;
}

export const conditionsOf = (run) => ordered(run.rates.filter((r) => r.factor === "").map((r) => r.condition), CONDITIONS);

/** What a chart of rates draws and a download holds. */
export function rateRow(row, label, series, extra = {}) {
  const text = `${percent(row.rate)} [${percentRange(row.low, row.high)}]`;
  return {
    label, series, ...extra, value: 100 * row.rate, low: isNumber(row.low) ? 100 * row.low : null, high: isNumber(row.high) ? 100 * row.high : null,
    trials: row.trials, items: row.items, refusals: row.refusals, broad: isNumber(row.rate_broad) ? 100 * row.rate_broad : null,
    text,
    tip: `${label}${series && series !== label ? `\n${series}` : ""}\n${row.measure} ${text}\nwith partial refusals ${percent(row.rate_broad)}\n${plural(row.refusals, "refusal")} in ${plural(row.trials, "trial")}, ${plural(row.items, "item")}`,
  };
}

export function findComparisons(run, wanted) {
  return (run.comparisons ?? []).filter((c) => Object.entries(wanted).every(([key, value]) => c[key] === value) && isNumber(c.difference));
}

export function differenceRow(c, label, series) {
  const text = `${points(c.difference)} [${pointsRange(c.low, c.high)}]`;
  return {
    label, series, value: 100 * c.difference, low: isNumber(c.low) ? 100 * c.low : null, high: isNumber(c.high) ? 100 * c.high : null,
    first: visible(c.first), second: visible(c.second), rate_first: c.rate_first, rate_second: c.rate_second, pairs: c.pairs, p: c.p, p_holm: c.p_holm, text,
    tip: `${label}${series && series !== label ? `\n${series}` : ""}\n${points(c.difference)} points, 95% interval ${pointsRange(c.low, c.high)}\n${percent(c.rate_first)} → ${percent(c.rate_second)}\np ${pValue(c.p)}, Holm ${pValue(c.p_holm)}; ${plural(c.pairs ?? 0, "pair")}`,
  };
}

export const arrow = (c) => `${visible(c.first)} → ${visible(c.second)}`;
