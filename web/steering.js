// A sweep over directions of the residual stream: what was found on dev, and the choice on test.

import {changeMap, changePlane, curves, rates} from "./charts.js";
import {addFigure} from "./figure.js";
import {controlsOf, findRates, KINDS, rateRow, studyOf} from "./rows.js";
import {count, h, isNumber, percent, plural, points, pointsRange, shorten, visible} from "./text.js";

const MAX_LAYERS = 8; // a colour for each
const N_EXAMPLES = {scenario: 6, contrast: 3};
const SCOPES = {__proto__: null, all: "all tokens", prompt: "the prompt's tokens", generated: "generated tokens"};
const METHODS = {__proto__: null, mean: "difference of means", pca: "first principal component", logistic: "logistic regression"};

/** The rates of a kind on dev or test by strategy. */
const splitRates = (run, kind, level) => new Map(findRates(run, {kind, condition: "matched", factor: "split", level}).map((r) => [r.strategy, r]));
const signed = (x) => `${x < 0 ? "−" : "+"}${Math.abs(x)}`;
const hundredfold = (x) => (isNumber(x) ? 100 * x : null);
const byNumber = (a, b) => a - b;
const unique = (values) => [...new Set(values)];

/** The fitted cells, that is, without the controls. */
function gridOf(run) {
  const controls = controlsOf(run);
  return studyOf(run).cells.filter((c) => !controls.has(c.strategy));
}

/** A part of the grid: the cells of a scope and a condition; gate null: of all conditions. */
const isOf = (part) => (cell) => cell.scope === part.scope && (part.gate === null || cell.gate === part.gate);

const gateWords = (gate) => (gate < 100 ? `at most ${gate}% of contrasts` : "always");

function cellWords(cell) {
  const what = cell.operation === "ablate" ? `layer ${cell.layer}'s direction taken out everywhere` : `${signed(cell.strength)} lengths of layer ${cell.layer}'s direction`;
  return `${what}, at ${SCOPES[cell.scope] ?? visible(cell.scope)}${cell.gate < 100 ? `, where ${gateWords(cell.gate)} pass` : ""}`;
}

/** The rates on dev of each cell and of direct, and what changed, in points. */
function devRows(run, part, kind) {
  const byStrategy = splitRates(run, kind, "dev");
  const direct = byStrategy.get("direct");
  if (!direct) return [];
  return gridOf(run).filter(isOf(part)).flatMap((cell) => {
    const rate = byStrategy.get(cell.strategy);
    if (!rate) return [];
    const change = rate.rate - direct.rate;
    return [{
      strategy: visible(cell.strategy), operation: cell.operation, layer: cell.layer, strength: cell.operation === "ablate" ? null : cell.strength, gate: cell.gate, value: 100 * change,
      rate_direct: 100 * direct.rate, rate: 100 * rate.rate, trials: rate.trials, is_chosen: cell.strategy === studyOf(run).test?.chosen,
      tip: `${visible(cell.strategy)}: ${cellWords(cell)}\n${percent(direct.rate)} → ${percent(rate.rate)} of ${kind}s refused on dev\n${points(change)} points; ${plural(rate.trials, "trial")}`,
    }];
  });
}

function mapRows(run, part, kind) {
  return devRows(run, part, kind).map((r) => ({
    x: r.operation === "ablate" ? "ablate" : signed(r.strength), y: String(r.layer), text: points(r.value / 100), good: kind === "scenario" ? -r.value : r.value, ...r,
  }));
}

function mapSpec(run, part, kind, width) {
  const rows = mapRows(run, part, kind);
  const strengths = unique(rows.filter((r) => r.operation !== "ablate").map((r) => r.strength)).sort((a, b) => b - a).map(signed);
  const hasAblation = rows.some((r) => r.operation === "ablate");
  const xs = [...strengths, ...(hasAblation && strengths.length ? [" "] : []), ...(hasAblation ? ["ablate"] : [])];
  const ys = unique(rows.map((r) => r.layer)).sort(byNumber).map(String);
  const most = Math.max(10, ...["scenario", "contrast"].flatMap((k) => devRows(run, {...part, gate: null}, k).map((r) => Math.abs(r.value))));
  return changeMap({rows, width, xs, ys, most, xTitle: "strength in lengths of the direction; ablation", yTitle: "layer"});
}

function devPlaneRows(run, part) {
  const contrasts = new Map(devRows(run, part, "contrast").map((r) => [r.strategy, r]));
  const rows = devRows(run, part, "scenario").filter((r) => contrasts.has(r.strategy));
  const isByLayer = unique(rows.map((r) => r.layer)).length <= MAX_LAYERS;
  return rows.map((r) => {
    const contrast = contrasts.get(r.strategy);
    return {
      series: part.gate === null ? gateWords(r.gate) : isByLayer ? `layer ${r.layer}` : "all layers", shape: r.operation === "ablate" ? "ablation" : "addition", x: contrast.value, y: r.value, strategy: r.strategy, operation: r.operation,
      layer: r.layer, strength: r.strength, gate: r.gate, is_chosen: r.is_chosen, tip: `${r.tip}\n${contrast.tip.split("\n").slice(1).join("\n")}`,
    };
  }).sort((a, b) => b.gate - a.gate || a.layer - b.layer);
}

/** From direct through ever greater strengths, a line for each layer, sign and condition. */
function devLines(rows) {
  const added = rows.filter((r) => r.operation !== "ablate" && r.strength);
  const lineOf = (r) => `${r.layer} ${Math.sign(r.strength)} ${r.gate}`;
  return unique(added.map(lineOf)).flatMap((line) => {
    const own = added.filter((r) => lineOf(r) === line).sort((a, b) => Math.abs(a.strength) - Math.abs(b.strength));
    return [{series: own[0].series, line, order: 0, x: 0, y: 0}, ...own.map((r, i) => ({series: r.series, line, order: i + 1, x: r.x, y: r.y}))];
  });
}

const isRandom = (study, strategy) => study.cells.some((c) => c.strategy === strategy && c.random > 0);

function testPlaneRows(run) {
  const study = studyOf(run);
  const row = (name, series, {scenarios, contrasts}) => isNumber(scenarios) && isNumber(contrasts) && ({
    series, x: 100 * contrasts, y: 100 * scenarios, strategy: visible(name), is_chosen: series === "chosen",
    tip: `${visible(name)}${series === name ? "" : `, ${series}`}\nscenarios refused ${points(scenarios)} points\ncontrasts refused ${points(contrasts)} points`,
  });
  const {test} = study;
  const all = [...test.controls.map((c) => row(c.strategy, isRandom(study, c.strategy) ? "random" : "turned", c)), row(test.chosen, "chosen", test)];
  return all.filter(Boolean);
}

function layerRows(run) {
  return studyOf(run).layers.flatMap((l) => [["AUC", l.auc], ["cosine", l.cosine]].filter(([, v]) => isNumber(v)).map(([series, value]) => ({
    series, x: l.layer, value, pairs: l.pairs, length: l.length,
    tip: `layer ${l.layer}\n${series} ${value.toFixed(3)}${isNumber(l.pairs) ? `\n${plural(l.pairs, "pair")} of answers` : ""}${isNumber(l.length) ? `\nlength ${l.length.toFixed(3)}` : ""}`,
  })));
}

function beforeRows(run) {
  return KINDS.flatMap((kind) => ["direct", studyOf(run).test.chosen].flatMap((strategy) => {
    const rate = splitRates(run, kind, "test").get(strategy);
    return rate ? [rateRow(rate, `${kind}s`, visible(strategy))] : [];
  }));
}

/** Two points for each category of scenarios, the greatest drop first, and for all of each kind. */
function categoryRows(run) {
  const {chosen, categories} = studyOf(run).test;
  const whole = (kind) => categories.filter((c) => c.kind === kind && c.category === "").map((c) => ({...c, label: kind === "scenario" ? "all scenarios" : `${kind}s`}));
  const single = categories.filter((c) => c.kind === "scenario" && c.category !== "").map((c) => ({...c, label: visible(c.category)})).sort((a, b) => a.chosen - a.direct - (b.chosen - b.direct));
  return [...whole("scenario"), ...single, ...whole("contrast"), ...whole("plain")].flatMap((c) => {
    const change = `${points(c.change)} [${pointsRange(c.low, c.high)}]`;
    const both = {
      kind: c.kind, category: visible(c.category), pairs: c.pairs, change: hundredfold(c.change), change_low: hundredfold(c.low), change_high: hundredfold(c.high),
      tip: `${c.label}\n${percent(c.direct)} → ${percent(c.chosen)} refused on test\n${points(c.change)} points, 95% interval ${pointsRange(c.low, c.high)}${isNumber(c.pairs) ? `\n${plural(c.pairs, "pair")}` : ""}`,
    };
    return [{label: c.label, series: "direct", value: 100 * c.direct, ...both, text: ""}, {label: c.label, series: visible(chosen), value: 100 * c.chosen, ...both, text: change}];
  });
}

function introduction(run, prefix) {
  const study = studyOf(run);
  const method = METHODS[study.method] ?? visible(study.method ?? "unknown");
  const where = study.position ? ` at position ${visible(study.position)}` : "";
  const n = gridOf(run).length;
  const lines = [`${prefix}Directions from complied to refused answers (${method}${where}), of ${plural(study.layers.length, "layer")}; ${count(n)} ${n === 1 ? "cell was" : "cells were"} tried on dev.`];
  const nGated = gridOf(run).filter((c) => c.gate < 100).length;
  if (nGated) {
    const {condition} = study;
    const by = condition ? `, by a projection of its end at layer ${condition.layer}${isNumber(condition.auc) ? ` (AUC ${condition.auc.toFixed(3)} on folds of dev that it did not see)` : ""} and a threshold that at most the stated share of dev's contrasts passes` : "";
    lines.push(`${prefix}${nGated < n ? `${count(nGated)} of them` : n > 1 ? "All of them" : "It"} ${nGated === 1 ? "has" : "have"} a condition: to steer only where the prompt looks like a harmless scenario's and not like a harmful contrast's${by}.`);
  }
  if (!study.test) return [...lines, `${prefix}Nothing was asked on test: no cell was chosen, or test was left alone.`];
  const {test} = study;
  const cell = study.cells.find((c) => c.strategy === test.chosen);
  const limit = isNumber(study.limit) ? ` with a loss of refused contrasts of at most ${count(study.limit)} points (upper bound of its 95% interval)` : "";
  lines.push(`${prefix}Chosen on dev: ${visible(test.chosen)}${cell ? ` (${cellWords(cell)})` : ""}, for the greatest drop of over-refusal${limit}.`);
  const lost = isNumber(test.contrasts) ? -100 * test.contrasts : NaN;
  lines.push(`${prefix}On test it changes over-refusal by ${points(test.scenarios)} points and the refusal of contrasts by ${points(test.contrasts)} points${isNumber(study.limit) && lost > study.limit ? `: a greater loss than the limit of ${count(study.limit)} points by which it was chosen` : ""}.`);
  const random = test.controls.filter((c) => isRandom(study, c.strategy) && isNumber(c.scenarios));
  if (random.length && isNumber(test.p_rank)) {
    const asGood = random.filter((c) => c.scenarios <= test.scenarios).length;
    lines.push(`${prefix}Of ${plural(random.length, "random direction")} of the same length ${asGood ? `${count(asGood)} ${asGood === 1 ? "lowers" : "lower"}` : "none lowers"} over-refusal as much: rank p = ${test.p_rank.toFixed(3)}${asGood ? "" : ", the least that so many can give"}.`);
  }
  return lines;
}

/** What can be shown of the grid, that with the choice first. */
function partsOf(run) {
  const {cells, test} = studyOf(run);
  const chosen = cells.filter((c) => c.strategy === test?.chosen);
  const grid = gridOf(run);
  return unique(grid.map((c) => c.scope)).flatMap((scope) => {
    const gates = unique(grid.filter((c) => c.scope === scope).map((c) => c.gate)).sort((a, b) => b - a);
    return [...(gates.length > 1 ? [null] : []), ...gates].map((gate) => ({run, scope, gate}));
  }).sort((a, b) => chosen.some(isOf(b)) - chosen.some(isOf(a)));
}

/** Adds the section's contents; runs: those that are sweeps. */
export function addSteering(section, runs) {
  const sweeps = runs.filter(studyOf);
  const label = (run) => (sweeps.length > 1 ? `${run.label}: ` : "");
  const choices = {label: "Model", options: sweeps.map((r) => r.label)};
  const tested = sweeps.filter((r) => studyOf(r).test);
  const testChoices = {label: "Model", options: tested.map((r) => r.label)};
  const planes = sweeps.flatMap(partsOf);
  const maps = planes.filter((p) => p.gate !== null);
  const [isByScope, isByGate] = ["scope", "gate"].map((key) => unique(maps.map((m) => m[key])).length > 1);
  const optionOf = ({run, scope, gate}) => [sweeps.length > 1 && run.label, isByScope && (SCOPES[scope] ?? scope), isByGate && (gate === null ? "all conditions" : gateWords(gate))].filter(Boolean).join(", ");
  const partChoices = (parts) => ({label: isByScope || isByGate ? "Steered" : "Model", options: parts.map(optionOf)});
  section.append(h("ul", {class: "lines"}, sweeps.flatMap((run) => introduction(run, label(run))).map((t) => h("li", {}, t))));
  addFigure(section, {
    name: "steering-layers", title: "How well each layer's direction tells refused from complied", choices,
    caption: "AUC: how often, in folds of dev that the direction did not see, a refused answer's projection is above that of a complied answer to the same request (dashed line: chance); cosine: how alike the folds' directions are.",
    make: (i) => {
      const rows = layerRows(sweeps[i]);
      return {rows, spec: (width) => curves({rows, width, seriesNames: ["AUC", "cosine"].filter((s) => rows.some((r) => r.series === s)), xTitle: "layer"})};
    },
  });
  addFigure(section, {
    name: "steering-plane", title: "On dev: trade-off of the cells", choices: partChoices(planes),
    caption: "Each point is a cell, measured on dev, each item under a direction that did not see its scenario; lines join the strengths of a layer, from direct at the crossing of the dashed lines, and the ring marks the choice, which looks better here than it is, since it was chosen here.",
    make: (i) => {
      const rows = devPlaneRows(planes[i].run, planes[i]);
      return {rows, spec: (width) => changePlane({rows, width, lines: devLines(rows), seriesTitle: planes[i].gate === null ? "steered" : "direction", shapesTitle: "operation"})};
    },
  });
  for (const [kind, title, words] of [["scenario", "On dev: change of over-refusal", "the change of the share of scenarios refused, in points against direct: blue is less over-refusal"],
    ["contrast", "On dev: change of refused contrasts", "the change of the share of harmful contrasts refused, in points against direct: orange is harm no longer refused"]]) {
    addFigure(section, {
      name: `steering-map-${kind}s`, title, choices: partChoices(maps),
      caption: `Each cell is ${words}; on dev, each item under a direction that did not see its scenario; the frame marks the choice.`,
      make: (i) => ({rows: mapRows(maps[i].run, maps[i], kind), spec: (width) => mapSpec(maps[i].run, maps[i], kind, width)}),
    });
  }
  if (tested.length) {
    addFigure(section, {
      name: "steering-controls", title: "On test: chosen, turned and random directions", choices: testChoices,
      caption: "Each point is a direction of the same length, applied as the choice is and measured once on test against direct; turned is the chosen one with its sign changed, and random ones have no aim.",
      make: (i) => {
        const rows = testPlaneRows(tested[i]);
        return {rows, spec: (width) => changePlane({rows, width, seriesNames: ["chosen", "turned", "random"].filter((s) => rows.some((r) => r.series === s)), seriesTitle: "direction"})};
      },
    });
    addFigure(section, {
      name: "steering-test", title: "On test: before and after", choices: testChoices,
      caption: "Each point is the share refused on test, directly and under the choice, with its 95% interval: few scenarios and plains and many contrasts are good.",
      make: (i) => {
        const rows = beforeRows(tested[i]);
        return {rows, spec: (width) => rates({rows, width, seriesNames: ["direct", visible(studyOf(tested[i]).test.chosen)].filter((s) => rows.some((r) => r.series === s)), title: "share refused", seriesTitle: "strategy", text: true})};
      },
    });
    addFigure(section, {
      name: "steering-categories", title: "On test: before and after, by category", choices: testChoices,
      caption: "Each line goes from the share refused on test directly to that under the choice, of a category of harmless scenarios and of all of each kind, with the paired change in points and its 95% interval by scenario.",
      make: (i) => {
        const rows = categoryRows(tested[i]);
        const [scenarios, others] = [true, false].map((is) => unique(rows.filter((r) => (r.kind === "scenario") === is).map((r) => r.label)));
        return {rows, spec: (width) => rates({rows, width, labels: [...scenarios, " ", ...others], title: "share refused", seriesTitle: "strategy", text: true, stacked: false, joined: true})};
      },
    });
  }
  for (const run of tested) section.append(h("div", {class: "steering-examples", data: {run: runs.indexOf(run)}}, h("p", {}, label(run), disagreementLink(run, runs, "test samples where direct and the choice differ"), ".")));
}

function disagreementLink(run, runs, words) {
  const address = new URLSearchParams(runs.length > 1 ? [["run", run.label]] : []);
  for (const strategy of ["direct", studyOf(run).test.chosen]) address.append("strategy", strategy);
  address.append("split", "test");
  address.append("disagreement", "strategies");
  return h("a", {href: `#explorer?${address}`}, words);
}

/** Of a run's test samples of a kind: those that direct refused, and those that the choice then did not, as [sample, trial of the choice]. */
function turnedAnswers(store, run, number, kind) {
  const {columns: c, names, samples} = store;
  const [matched, direct, chosen] = [names.condition.numbers.get("matched"), names.strategy.numbers.get("direct"), names.strategy.numbers.get(studyOf(run).test.chosen)];
  const refusal = names.verdict.numbers.get("refusal");
  const none = names.verdict.numbers.get("none");
  let nRefused = 0;
  const turned = [];
  samples.forEach((sample, s) => {
    if (sample.kind !== kind || sample.split !== "test") return;
    const own = [...store.trialsOf(s)].filter((i) => c.run[i] === number && c.condition[i] === matched && c.verdict[i] !== none);
    const before = own.find((i) => c.strategy[i] === direct);
    const after = own.find((i) => c.strategy[i] === chosen && c.repeat[i] === c.repeat[before]);
    if (before === undefined || after === undefined || c.verdict[before] !== refusal) return;
    nRefused++;
    if (c.verdict[after] !== refusal) turned.push([s, after]);
  });
  return {nRefused, turned};
}

/** The first of the benchmark, of as many categories and scenarios as there are. */
function spread(store, turned, most) {
  const picked = [];
  for (const key of ["category", "scenario"]) {
    const seen = new Set(picked.map(([s]) => store.samples[s][key]));
    for (const one of turned) {
      if (picked.length >= most) break;
      if (picked.includes(one) || seen.has(store.samples[one[0]][key])) continue;
      seen.add(store.samples[one[0]][key]);
      picked.push(one);
    }
  }
  return picked;
}

/** Examples from the samples and answers, when these are there. */
export function addSteeringExamples(section, store, runs) {
  for (const box of section.querySelectorAll(".steering-examples")) {
    const number = Number(box.dataset.run);
    const run = runs[number];
    const parts = KINDS.filter((k) => k in N_EXAMPLES).flatMap((kind) => {
      const {nRefused, turned} = turnedAnswers(store, run, number, kind);
      if (!nRefused) return [];
      const items = spread(store, turned, N_EXAMPLES[kind]).map(([s, i]) => {
        const sample = store.samples[s];
        const address = new URLSearchParams([["sample", sample.id]]);
        return h("li", {}, h("a", {href: `#explorer?${address}`}, shorten(sample.text, 140)), " ", h("small", {}, `${visible(sample.id)}; ${visible(sample.category ?? "")}`), h("br"),
          h("small", {}, `${visible(store.names.verdict.values[store.columns.verdict[i]])}: `, h("q", {}, shorten(store.answerOf(i), 160))));
      });
      const words = `${nRefused === 1 ? "sample" : "samples"} of ${kind === "scenario" ? "harmless scenarios" : "harmful contrasts"}`;
      return [h("h3", {}, kind === "scenario" ? "No longer refused on test" : "No longer refused on test, though harmful"),
        h("p", {}, `Of ${count(nRefused)} ${words} that direct refused, ${visible(studyOf(run).test.chosen)} did not refuse ${count(turned.length)}${items.length && items.length < turned.length ? "; some of them, from different categories" : ""}${items.length ? ":" : "."}`),
        items.length ? h("ul", {class: "lines"}, items) : null];
    });
    box.replaceChildren(...[runs.filter(studyOf).length > 1 && parts.length ? h("h3", {}, run.label) : null, ...parts, h("p", {}, disagreementLink(run, runs, "All test samples where direct and the choice differ"), ".")].filter(Boolean));
  }
}
