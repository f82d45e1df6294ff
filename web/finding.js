// The first section: what was found, the models' table, the rates at a glance.

import {differences, rates} from "./charts.js";
import {addFigure} from "./figure.js";
import {differenceRow, findComparisons, headlineOf, KINDS, rateRow, studyOf, understoodRate, wholeRate} from "./rows.js";
import {count, h, isNumber, percent, percentRange, plural, points, pointsRange, visible} from "./text.js";

function modelRow(run) {
  const {condition, strategy} = headlineOf(run);
  const over = wholeRate(run, "scenario", condition, strategy);
  const understood = over && understoodRate(run, over);
  const context = findComparisons(run, {family: "context", first: "mismatched", second: "matched", strategy})[0];
  return {
    run, name: run.label, family: visible(run.family ?? ""), trials: run.trials, over: over?.rate, low: over?.low, high: over?.high, broad: over?.rate_broad,
    contrast: wholeRate(run, "contrast", condition, strategy)?.rate, plain: wholeRate(run, "plain", condition, strategy)?.rate,
    understood: understood?.rate, context: context?.difference, contextRange: context ? pointsRange(context.low, context.high) : "",
  };
}

const COLUMNS = [
  {key: "name", title: "Model", show: (r) => [h("strong", {}, r.name), r.run.description ? h("small", {}, visible(r.run.description)) : null]},
  {key: "family", title: "Family", show: (r) => r.family},
  {key: "trials", title: "Trials", number: true, show: (r) => count(r.trials)},
  {key: "over", title: "Over-refusal", hint: "Refusals of scenarios in their scene, where refusing is wrong", number: true,
    show: (r) => [h("strong", {}, percent(r.over)), isNumber(r.low) ? h("small", {}, percentRange(r.low, r.high)) : null]},
  {key: "broad", title: "with partial", hint: "The same, partial refusals counted too", number: true, show: (r) => percent(r.broad)},
  {key: "understood", title: "understood only", hint: "Over-refusal where words and scene were understood", number: true, show: (r) => percent(r.understood)},
  {key: "contrast", title: "Contrasts refused", hint: "Refusals of harmful twins: a good model refuses them", number: true, show: (r) => percent(r.contrast)},
  {key: "plain", title: "Plain refused", hint: "Refusals of requests without any alarming word", number: true, show: (r) => percent(r.plain)},
  {key: "context", title: "Context effect", hint: "Change in points from a scene that does not fit to the one that does", number: true,
    show: (r) => [points(r.context), r.contextRange ? h("small", {}, r.contextRange) : null]},
];

function modelsTable(runs) {
  const rows = runs.map(modelRow);
  const columns = COLUMNS.filter((c) => c.key === "name" || rows.some((r) => (c.number ? isNumber(r[c.key]) : r[c.key])));
  const body = h("tbody");
  const fill = () => body.replaceChildren(...rows.map((row) =>
    h("tr", {}, columns.map((c, i) => h(i ? "td" : "th", {class: c.number ? "number" : "", ...(i ? {} : {scope: "row"})}, c.show(row))))));
  const heads = columns.map((c) => h("th", {scope: "col", class: c.number ? "number" : "", title: c.hint},
    rows.length > 1 ? h("button", {type: "button", onclick: () => sort(c)}, c.title) : c.title));
  function sort(column) {
    const head = heads[columns.indexOf(column)];
    const down = head.getAttribute("aria-sort") ? head.getAttribute("aria-sort") === "ascending" : Boolean(column.number);
    for (const each of heads) each.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    rows.sort((a, b) => {
      const [x, y] = [a[column.key], b[column.key]];
      if (!column.number) return (down ? -1 : 1) * String(x).localeCompare(String(y));
      return (isNumber(x) ? 0 : 1) - (isNumber(y) ? 0 : 1) || (down ? y - x : x - y) || 0;
    });
    fill();
  }
  fill();
  return h("div", {class: "scroll"}, h("table", {id: "models-table"}, h("thead", {}, h("tr", {}, heads)), body));
}

function overallRows(runs) {
  const rows = [];
  for (const run of runs) {
    const {condition, strategy} = headlineOf(run);
    const over = wholeRate(run, "scenario", condition, strategy);
    if (over) rows.push(rateRow(over, run.label, visible(run.family || run.name), {condition, strategy: visible(strategy)}));
  }
  return rows.sort((a, b) => a.value - b.value);
}

function tally(run) {
  const parts = [plural(run.trials, "trial")];
  for (const [key, word] of [["unanswered", "unanswered"], ["blocks", "blocked by the provider"], ["errors", "failed"], ["unjudged", "without a verdict"]]) {
    if (run[key]) parts.push(`${count(run[key])} ${word}`);
  }
  return parts.join(", ");
}

/** Sentences on a sweep's cells are folded: they are many, and put dev and test together. */
function summary(sentences, runs) {
  const cells = runs.flatMap((run) => studyOf(run)?.cells ?? []).map((c) => ` ${c.strategy} `);
  const isOfCell = (sentence) => cells.some((c) => sentence.includes(c));
  const list = (some) => h("ul", {class: "summary"}, some.map((s) => h("li", {}, visible(s))));
  const apart = sentences.filter(isOfCell);
  if (!apart.length) return [list(sentences)];
  return [list(sentences.filter((s) => !isOfCell(s))), h("details", {class: "folded"}, h("summary", {}, `${plural(apart.length, "sentence")} on cells of the sweep, over all that each was asked; for dev and test apart see Steering`), list(apart))];
}

export function addFinding(section, findings, runs) {
  const benchmark = findings.benchmark?.name ? `on ${visible(findings.benchmark.name)}` : "";
  const who = runs.length === 1 ? runs[0].label : plural(runs.length, "model");
  section.prepend(h("h1", {}, `Over-refusal of ${who} ${benchmark}`.trim()));
  section.append(
    h("p", {class: "byline"}, `${runs.map((r) => (runs.length > 1 ? `${r.label}: ${tally(r)}` : tally(r))).join("; ")}. Made ${visible(findings.made_at ?? "")} by aor ${visible(findings.aor ?? "")}.`),
    ...summary(findings.summary ?? [], runs));
  if (findings.warnings?.length) {
    section.append(h("div", {class: "warnings", role: "note", "aria-label": "What to know before you trust these numbers"},
      h("h2", {}, "Before you trust these numbers"),
      h("ul", {}, findings.warnings.map((w) => h("li", {}, w.run && runs.length > 1 ? h("strong", {}, `${visible(w.run)}: `) : null, visible(w.text))))));
  }
  section.append(modelsTable(runs));
  const condition = headlineOf(runs[0]).condition;
  addFigure(section, {
    name: "overall", title: "Over-refusal rate by model",
    caption: `Each point is the share of harmless scenarios that a model refused in condition ${visible(condition)}, the line its 95% interval; left is better.${runs.length > 1 ? " Colour and shape show the model's family." : ""}`,
    make: () => {
      const rows = overallRows(runs);
      return {rows, spec: (width) => rates({rows, width, title: "over-refusal rate", seriesTitle: "family", text: true, stacked: false})};
    },
  });
  addFigure(section, {
    name: "models", title: "Against the first model",
    caption: "Each point is the paired change of the refusal rate from the first model to another, with its 95% interval; left is good for scenarios and plain requests, and bad for contrasts.",
    make: () => {
      const rows = findComparisons(findings, {family: "model"}).map((c) => differenceRow(c, `→ ${visible(c.second)}`, c.kind));
      return {rows, spec: (width) => differences({rows, width, seriesNames: KINDS.filter((k) => rows.some((r) => r.series === k)), title: "change in points", seriesTitle: "kind"})};
    },
  });
}
