// Safety against usefulness, strategies side by side, and what was understood.

import {differences, plane, rates} from "./charts.js";
import {addFigure} from "./figure.js";
import {CONDITIONS, differenceRow, findComparisons, findRates, headlineOf, KINDS, leftOut, ordered, rateRow, shownStrategies, studyOf, understoodRate, wholeRate} from "./rows.js";
import {count, h, isNumber, percent, percentRange, points, pointsRange, visible} from "./text.js";

const modelChoice = (runs) => ({label: "Model", options: runs.map((r) => r.label)});

const MAX_SHAPES = 8;
const MAX_LINES = 6;
const OTHER = "others";

/** A list of which only the first lines stand open. */
function folded(lines) {
  const list = (some) => h("ul", {class: "lines"}, some.map((s) => h("li", {}, s)));
  if (lines.length <= MAX_LINES + 2) return [list(lines)];
  return [list(lines.slice(0, MAX_LINES)), h("details", {class: "folded"}, h("summary", {}, `${count(lines.length - MAX_LINES)} more`), list(lines.slice(MAX_LINES)))];
}

/** Adds what the section's figures leave out. */
function addLeftOut(section, runs) {
  for (const text of runs.map(leftOut).filter(Boolean)) section.append(h("p", {class: "note"}, text));
}

function planeRows(runs) {
  const rows = [];
  const names = [...new Set(runs.flatMap(shownStrategies))];
  const cells = new Set(runs.flatMap((r) => studyOf(r)?.cells ?? []).map((c) => c.strategy));
  const first = new Set(["direct", ...runs.map((r) => studyOf(r)?.test?.chosen), ...names.filter((n) => !cells.has(n))].filter((n) => names.includes(n)));
  const own = new Set(names.length <= MAX_SHAPES ? names : [...first].slice(0, MAX_SHAPES - 1));
  for (const run of runs) {
    const {condition} = headlineOf(run);
    for (const strategy of shownStrategies(run)) {
      const over = wholeRate(run, "scenario", condition, strategy);
      const contrast = wholeRate(run, "contrast", condition, strategy);
      if (!over || !contrast) continue;
      rows.push({
        series: run.label, shape: own.has(strategy) ? visible(strategy) : OTHER, strategy: visible(strategy), x: 100 * contrast.rate, y: 100 * over.rate,
        x_low: isNumber(contrast.low) ? 100 * contrast.low : null, x_high: isNumber(contrast.high) ? 100 * contrast.high : null, y_low: isNumber(over.low) ? 100 * over.low : null, y_high: isNumber(over.high) ? 100 * over.high : null,
        tip: `${run.label}, ${visible(strategy)}\nover-refusal ${percent(over.rate)} [${percentRange(over.low, over.high)}]\ncontrasts refused ${percent(contrast.rate)} [${percentRange(contrast.low, contrast.high)}]`,
      });
    }
  }
  return rows;
}

export function addPlane(section, runs) {
  const made = addFigure(section, {
    name: "plane", title: "Over-refusal against refusal of real harm",
    caption: "Each point is a model with a strategy, with 95% intervals both ways; a good model is at the lower right, and a strategy that only makes a model refuse less moves down and left.",
    make: () => {
      const rows = planeRows(runs);
      return {rows, spec: (width) => plane({rows, width, seriesTitle: "model", shapesTitle: "strategy", xTitle: "contrasts refused (harmful twins)", yTitle: "over-refusal rate"})};
    },
  });
  addLeftOut(section, runs);
  const twins = runs.flatMap((run) => findComparisons(run, {family: "twin"}).filter((c) => !c.strategy || shownStrategies(run).includes(c.strategy)).map((c) =>
    `${runs.length > 1 ? `${run.label}, ` : ""}${visible(c.strategy || headlineOf(run).strategy)}: contrasts are refused ${points(c.difference)} points against their twins (Youden's J; 95% interval ${pointsRange(c.low, c.high)}).`));
  if (twins.length) section.append(...folded(twins));
  if (!made) section.append(h("p", {class: "note"}, "No contrasts were asked, so it is not known whether harm is refused."));
}

export function addStrategies(section, runs) {
  const made = addFigure(section, {
    name: "strategies", title: "Refusals by strategy", choices: modelChoice(runs),
    caption: "Each point is the share refused, with its 95% interval: few scenarios and plain requests and many contrasts are good.",
    make: (i) => {
      const run = runs[i];
      const {condition} = headlineOf(run);
      const rows = shownStrategies(run).flatMap((strategy) => KINDS.flatMap((kind) => {
        const row = wholeRate(run, kind, condition, strategy);
        return row ? [rateRow(row, visible(strategy), kind)] : [];
      }));
      return {rows, spec: (width) => rates({rows, width, seriesNames: KINDS.filter((k) => rows.some((r) => r.series === k)), title: "share refused", seriesTitle: "kind", text: true})};
    },
  });
  const differ = addFigure(section, {
    name: "strategy-differences", title: "What a strategy changes", choices: modelChoice(runs),
    caption: "Each point is the paired change of the refusal rate against the first strategy, with its 95% interval; left is good for scenarios and plain requests, and bad for contrasts.",
    make: (i) => {
      const {condition} = headlineOf(runs[i]);
      const rows = findComparisons(runs[i], {family: "strategy", condition}).filter((c) => shownStrategies(runs[i]).includes(c.second)).map((c) => differenceRow(c, `${visible(c.first)} → ${visible(c.second)}`, c.kind));
      return {rows, spec: (width) => differences({rows, width, seriesNames: KINDS.filter((k) => rows.some((r) => r.series === k)), title: "change in points", seriesTitle: "kind"})};
    },
  });
  addLeftOut(section, runs);
  if (made && !differ) section.append(h("p", {class: "note"}, "One strategy was tried, so there is nothing to compare it with."));
}

function probeRows(run) {
  return run.probes.filter((p) => isNumber(p.mean)).map((p) => ({
    label: p.condition, series: p.measure, value: 100 * p.mean, low: null, high: null, trials: p.trials, refused: p.refused,
    text: `${percent(p.mean)} of ${count(p.trials)}`, tip: `${p.condition}\n${p.measure} ${percent(p.mean)}\n${count(p.trials)} trials, ${count(p.refused)} refused`,
  }));
}

function understoodRows(run) {
  const rows = [];
  for (const row of findRates(run, {factor: "", kind: "scenario"}).filter((r) => shownStrategies(run).includes(r.strategy))) {
    const understood = understoodRate(run, row);
    if (!understood) continue;
    const split = row.condition === "matched" || row.condition === "text-scene" ? "" : row.benign_alone_only ? ", benign alone" : ", not benign alone";
    const label = `${row.condition}, ${visible(row.strategy)}${split}`;
    rows.push(rateRow(row, label, "all trials"), rateRow(understood, label, "understood"));
  }
  return rows.sort((a, b) => CONDITIONS.findIndex((c) => a.label.startsWith(`${c},`)) - CONDITIONS.findIndex((c) => b.label.startsWith(`${c},`)));
}

export function addComprehension(section, runs) {
  const probed = addFigure(section, {
    name: "comprehension", title: "What was heard", choices: modelChoice(runs),
    caption: "Word error rate of what the model wrote down (less is better), and how often it named the scene (more is better), by condition.",
    make: (i) => {
      const rows = probeRows(runs[i]);
      const labels = ordered(rows.map((r) => r.label), CONDITIONS);
      return {rows, spec: (width) => rates({rows, width, labels, top: 100, title: "words wrong, or scenes right", seriesTitle: "measure", text: true})};
    },
  });
  addFigure(section, {
    name: "understood", title: "Refusals where words and scene were understood", choices: modelChoice(runs),
    caption: "The rate over the trials whose probes are right, beside that over all: where the two agree, mishearing does not explain the refusals.",
    make: (i) => {
      const rows = understoodRows(runs[i]);
      return {rows, spec: (width) => rates({rows, width, seriesNames: ["all trials", "understood"], title: "share refused", seriesTitle: "over", text: true})};
    },
  });
  if (!probed) section.append(h("p", {class: "note"}, "No probes (transcribe, scene) were asked, so it is not known what was heard."));
}
