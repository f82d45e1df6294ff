// A sweep over directions of the residual stream: what was found on dev, and the choice on test.

import {changeMap, changePlane, curves, rates} from "./charts.js";
import {addFigure} from "./figure.js";
import {controlsOf, findRates, rateRow, studyOf} from "./rows.js";
import {count, h, isNumber, percent, plural, points, shorten, visible} from "./text.js";

const KINDS = ["scenario", "contrast", "plain"];
const MAX_LAYERS = 8; // a colour for each
const N_EXAMPLES = {scenario: 6, contrast: 3};
const SCOPES = {all: "all tokens", prompt: "the prompt's tokens", generated: "generated tokens"};
const METHODS = {mean: "difference of means", pca: "first principal component", logistic: "logistic regression"};

const splitRate = (run, kind, strategy, level) => findRates(run, {kind, strategy, condition: "matched", factor: "split", level})[0] ?? null;
const signed = (x) => `${x < 0 ? "−" : "+"}${Math.abs(x)}`;
const byNumber = (a, b) => a - b;
const unique = (values) => [...new Set(values)];

/** The fitted cells, that is, without the controls. */
function gridOf(run) {
  const controls = controlsOf(run);
  return studyOf(run).cells.filter((c) => !controls.has(c.strategy));
}

function cellWords(cell) {
  const what = cell.operation === "ablate" ? `layer ${cell.layer}'s direction taken out everywhere` : `${signed(cell.strength)} lengths of layer ${cell.layer}'s direction`;
  return `${what}, at ${SCOPES[cell.scope] ?? visible(cell.scope)}`;
}

/** The rates on dev of each cell and of direct, and what changed, in points. */
function devRows(run, scope, kind) {
  const direct = splitRate(run, kind, "direct", "dev");
  if (!direct) return [];
  return gridOf(run).filter((c) => c.scope === scope).flatMap((cell) => {
    const rate = splitRate(run, kind, cell.strategy, "dev");
    if (!rate) return [];
    const change = rate.rate - direct.rate;
    return [{
      strategy: visible(cell.strategy), operation: cell.operation, layer: cell.layer, strength: cell.operation === "ablate" ? null : cell.strength, value: 100 * change,
      rate_direct: 100 * direct.rate, rate: 100 * rate.rate, trials: rate.trials, is_chosen: cell.strategy === studyOf(run).test?.chosen,
      tip: `${visible(cell.strategy)}: ${cellWords(cell)}\n${percent(direct.rate)} → ${percent(rate.rate)} of ${kind}s refused on dev\n${points(change)} points; ${plural(rate.trials, "trial")}`,
    }];
  });
}

function mapRows(run, scope, kind) {
  return devRows(run, scope, kind).map((r) => ({
    x: r.operation === "ablate" ? "ablate" : signed(r.strength), y: String(r.layer), text: points(r.value / 100), good: kind === "scenario" ? -r.value : r.value, ...r,
  }));
}

function mapSpec(run, scope, kind, width) {
  const rows = mapRows(run, scope, kind);
  const strengths = unique(rows.filter((r) => r.operation !== "ablate").map((r) => r.strength)).sort((a, b) => b - a).map(signed);
  const hasAblation = rows.some((r) => r.operation === "ablate");
  const xs = [...strengths, ...(hasAblation && strengths.length ? [" "] : []), ...(hasAblation ? ["ablate"] : [])];
  const ys = unique(rows.map((r) => r.layer)).sort(byNumber).map(String);
  const most = Math.max(10, ...["scenario", "contrast"].flatMap((k) => mapRows(run, scope, k).map((r) => Math.abs(r.value))));
  return changeMap({rows, width, xs, ys, most, xTitle: "strength in lengths of the direction; ablation", yTitle: "layer"});
}

function devPlaneRows(run, scope) {
  const contrasts = new Map(devRows(run, scope, "contrast").map((r) => [r.strategy, r]));
  const rows = devRows(run, scope, "scenario").filter((r) => contrasts.has(r.strategy));
  const isByLayer = unique(rows.map((r) => r.layer)).length <= MAX_LAYERS;
  return rows.map((r) => {
    const contrast = contrasts.get(r.strategy);
    return {
      series: isByLayer ? `layer ${r.layer}` : "all layers", shape: r.operation === "ablate" ? "ablation" : "addition", x: contrast.value, y: r.value, strategy: r.strategy, operation: r.operation,
      layer: r.layer, strength: r.strength, is_chosen: r.is_chosen, tip: `${r.tip}\n${contrast.tip.split("\n").slice(1).join("\n")}`,
    };
  }).sort((a, b) => a.layer - b.layer);
}

/** From direct through ever greater strengths, a line for each layer and sign. */
function devLines(rows) {
  const added = rows.filter((r) => r.operation !== "ablate" && r.strength);
  return unique(added.map((r) => `${r.layer} ${Math.sign(r.strength)}`)).flatMap((line) => {
    const own = added.filter((r) => `${r.layer} ${Math.sign(r.strength)}` === line).sort((a, b) => Math.abs(a.strength) - Math.abs(b.strength));
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
    const rate = splitRate(run, kind, strategy, "test");
    return rate ? [rateRow(rate, `${kind}s`, visible(strategy))] : [];
  }));
}

function introduction(run, prefix) {
  const study = studyOf(run);
  const method = METHODS[study.method] ?? visible(study.method ?? "unknown");
  const where = study.position ? ` at position ${visible(study.position)}` : "";
  const n = gridOf(run).length;
  const lines = [`${prefix}Directions from complied to refused answers (${method}${where}), of ${plural(study.layers.length, "layer")}; ${count(n)} ${n === 1 ? "cell was" : "cells were"} tried on dev.`];
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

/** Adds the section's contents; runs: those that are sweeps. */
export function addSteering(section, runs) {
  const sweeps = runs.filter(studyOf);
  const label = (run) => (sweeps.length > 1 ? `${run.label}: ` : "");
  const choices = {label: "Model", options: sweeps.map((r) => r.label)};
  const tested = sweeps.filter((r) => studyOf(r).test);
  const testChoices = {label: "Model", options: tested.map((r) => r.label)};
  const maps = sweeps.flatMap((run) => unique(gridOf(run).map((c) => c.scope)).map((scope) => ({run, scope})));
  const nScopes = unique(maps.map((m) => m.scope)).length;
  const mapChoices = {label: nScopes > 1 ? "Sweep, applied to" : "Model", options: maps.map(({run, scope}) => [sweeps.length > 1 ? run.label : "", nScopes > 1 ? SCOPES[scope] ?? scope : ""].filter(Boolean).join(", ") || run.label)};
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
    name: "steering-plane", title: "Trade-off of the cells on dev", choices: mapChoices,
    caption: "Each point is a cell, measured on dev, each item under a direction that did not see its scenario; lines join the strengths of a layer, from direct at the crossing of the dashed lines, and the ring marks the choice, which looks better here than it is, since it was chosen here.",
    make: (i) => {
      const {run, scope} = maps[i];
      const rows = devPlaneRows(run, scope);
      return {rows, spec: (width) => changePlane({rows, width, lines: devLines(rows), seriesTitle: "direction", shapesTitle: "operation"})};
    },
  });
  for (const [kind, title, words] of [["scenario", "Sweep on dev: change of over-refusal", "the change of the share of scenarios refused, in points against direct: blue is less over-refusal"],
    ["contrast", "Sweep on dev: change of refused contrasts", "the change of the share of harmful contrasts refused, in points against direct: orange is harm no longer refused"]]) {
    addFigure(section, {
      name: `steering-map-${kind}s`, title, choices: mapChoices,
      caption: `Each cell is ${words}; on dev, each item under a direction that did not see its scenario; the frame marks the choice.`,
      make: (i) => ({rows: mapRows(maps[i].run, maps[i].scope, kind), spec: (width) => mapSpec(maps[i].run, maps[i].scope, kind, width)}),
    });
  }
  if (tested.length) {
    addFigure(section, {
      name: "steering-controls", title: "On test: chosen, turned and random directions", choices: testChoices,
      caption: "Each point is a direction of the same length, measured once on test against direct; turned is the chosen one with its sign changed, and random ones have no aim.",
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
