// Where a model refuses, and what changes it: category, voice and manner, context.

import {differences, heat, rates} from "./charts.js";
import {addFigure} from "./figure.js";
import {arrow, CONDITIONS, conditionsOf, differenceRow, findComparisons, findRates, headlineOf, orderAlone, ordered, rateRow, shownStrategies} from "./rows.js";
import {h, percent, points, pointsRange, pValue, visible} from "./text.js";

const modelChoice = (runs) => ({label: "Model", options: runs.map((r) => r.label)});
const headlineRates = (run, factor) => {
  const {condition, strategy} = headlineOf(run);
  return findRates(run, {kind: "scenario", condition, strategy, factor, benign_alone_only: false});
};

const heatRow = (rate, x, y) => ({x, y, value: 100 * rate.rate, text: percent(rate.rate), trials: rate.trials, refusals: rate.refusals, tip: rateRow(rate, y, x).tip});

export function addWhere(section, runs) {
  const several = runs.length > 1;
  if (!several) {
    addFigure(section, {
      name: "categories", title: "Over-refusal rate by category",
      caption: "Each point is the share of a category's harmless scenarios that was refused, the line its 95% interval.",
      make: () => {
        const rows = headlineRates(runs[0], "category").map((r) => rateRow(r, visible(r.level), "")).sort((a, b) => b.value - a.value);
        return {rows, spec: (width) => rates({rows, width, title: "over-refusal rate", text: true, seriesNames: [""]})};
      },
    });
  }
  const made = addFigure(section, {
    name: "heatmap", title: several ? "Over-refusal rate by category and model" : "Refusals by category and condition",
    caption: several
      ? "Each cell is the share of a category's harmless scenarios that a model refused; darker or stronger is more."
      : "Each cell is the share refused, of scenarios in their scene and, in other conditions, of those whose words are not benign alone, where refusing may be right.",
    make: () => {
      const rows = several
        ? runs.flatMap((run) => headlineRates(run, "category").map((r) => heatRow(r, run.label, visible(r.level))))
        : findRates(runs[0], {kind: "scenario", strategy: headlineOf(runs[0]).strategy, factor: "category", benign_alone_only: false}).map((r) => heatRow(r, r.condition, visible(r.level)));
      const xs = several ? runs.map((r) => r.label) : ordered(rows.map((r) => r.x), CONDITIONS);
      const ys = [...new Set(rows.map((r) => r.y))].sort();
      return {rows, spec: (width) => heat({rows, width, xs: xs.filter((x) => rows.some((r) => r.x === x)), ys})};
    },
  });
  if (!made) section.append(h("p", {class: "note"}, "No rates by category were measured."));
}

/** Gender, emotion, rate, SNR. */
function mannerGroup(c) {
  if (c.family === "gender") return 0;
  if (String(c.first).startsWith("SNR")) return 3;
  return c.first === "normal" ? 2 : 1;
}

export function addVoice(section, runs) {
  const sentences = runs.flatMap((run) => findComparisons(run, {family: "gender"}).map((c) =>
    `${runs.length > 1 ? `${run.label}: ` : ""}${arrow(c)} ${points(c.difference)} points (95% interval ${pointsRange(c.low, c.high)}, p ${pValue(c.p)} by permuting voices).`));
  if (sentences.length) section.append(h("ul", {class: "lines"}, sentences.map((s) => h("li", {}, s))));
  const voices = addFigure(section, {
    name: "voices", title: "Over-refusal rate by voice", choices: modelChoice(runs),
    caption: "Each point is one synthetic voice, its colour and shape the voice's gender; voices are the unit of any claim about gender.",
    make: (i) => {
      const run = runs[i];
      const rows = headlineRates(run, "voice").map((r) => rateRow(r, visible(r.level), visible(run.voices?.[r.level] ?? "unknown")));
      rows.sort((a, b) => a.series.localeCompare(b.series) || a.value - b.value);
      return {rows, spec: (width) => rates({rows, width, title: "over-refusal rate", seriesTitle: "voice", text: true, stacked: false})};
    },
  });
  const effects = addFigure(section, {
    name: "effects", title: "What voice, manner and SNR change",
    caption: "Each point is the change of the refusal rate in percentage points from the first level to the second, with its 95% interval; intervals that cross the dashed line allow no change.",
    make: () => {
      const chosen = runs.flatMap((run) => findComparisons(run, {}).filter((c) => ["gender", "manner", "snr"].includes(c.family)).map((c) => ({c, run})));
      chosen.sort((a, b) => mannerGroup(a.c) - mannerGroup(b.c));
      const rows = chosen.map(({c, run}) => differenceRow(c, arrow(c), run.label));
      return {rows, spec: (width) => differences({rows, width, seriesNames: runs.map((r) => r.label), title: "change in points", seriesTitle: "model"})};
    },
  });
  if (!voices && !effects) section.append(h("p", {class: "note"}, "No rates by voice or manner were measured."));
}

function contextRows(run) {
  const {strategy} = headlineOf(run);
  const rows = [];
  for (const condition of conditionsOf(run)) {
    for (const r of findRates(run, {kind: "scenario", condition, strategy, factor: "alone"})) rows.push(rateRow(r, condition, visible(r.level)));
    if (!rows.some((r) => r.label === condition && r.series === "benign")) {
      for (const r of findRates(run, {kind: "scenario", condition, strategy, factor: "", benign_alone_only: true})) rows.push(rateRow(r, condition, "benign"));
    }
  }
  return rows;
}

export function addContext(section, runs) {
  section.append(h("dl", {class: "terms"},
    [["matched", "speech in the scene that makes it harmless"], ["mismatched", "speech in a scene that does not"], ["noise", "speech in noise at the same level"],
      ["speech", "speech alone"], ["text", "the words in writing"], ["text-scene", "the words and the scene in writing"]]
      .filter(([name]) => runs.some((run) => conditionsOf(run).includes(name)))
      .map(([name, text]) => h("div", {}, h("dt", {}, name), h("dd", {}, text)))));
  addFigure(section, {
    name: "context", title: "Refusals by condition and by what the words are alone", choices: modelChoice(runs),
    caption: "Each point is the share of scenarios refused; refusing is wrong in matched and text-scene, and everywhere where the words are benign alone.",
    make: (i) => {
      const rows = contextRows(runs[i]);
      return {rows, spec: (width) => rates({rows, width, seriesNames: orderAlone(rows.map((r) => r.series)), title: "share refused", seriesTitle: "words alone", text: true})};
    },
  });
  const strategies = [...new Set(runs.flatMap(shownStrategies))];
  const made = addFigure(section, {
    name: "context-differences", title: "What the context changes", choices: {label: "Strategy", options: strategies.map(visible)},
    caption: "Each point is the paired change of the scenarios' refusal rate between two conditions, with its 95% interval; mismatched → matched is the effect of the fitting scene, left of the dashed line where it helps.",
    make: (i) => {
      const rows = runs.flatMap((run) => findComparisons(run, {family: "context", strategy: strategies[i]}).map((c) => differenceRow(c, arrow(c), run.label)));
      return {rows, spec: (width) => differences({rows, width, seriesNames: runs.map((r) => r.label), title: "change in points", seriesTitle: "model"})};
    },
  });
  if (!made) section.append(h("p", {class: "note"}, "Only one condition was measured, so the effect of the context is not known."));
}
