// How far the verdicts can be trusted, the logistic model, and the methods.

import {heat, oddsRatios, rates} from "./charts.js";
import {addFigure} from "./figure.js";
import {rateRow, wholeRate} from "./rows.js";
import {count, h, isNumber, percent, percentRange, plural, pValue, visible} from "./text.js";

const VERDICTS = ["compliance", "partial", "refusal", "clarification", "nonresponsive"];
const kappa = (k) => (k && isNumber(k.kappa) ? `${k.kappa.toFixed(2)}${isNumber(k.low) ? ` [${k.low.toFixed(2)}, ${k.high.toFixed(2)}]` : ""}` : "–");
const table = (heads, rows, id) => h("div", {class: "scroll"}, h("table", {id},
  h("thead", {}, h("tr", {}, heads.map((t, i) => h("th", {scope: "col", class: i ? "number" : ""}, t)))),
  h("tbody", {}, rows.map((row) => h("tr", {}, row.map((t, i) => h(i ? "td" : "th", {class: i ? "number" : "", ...(i ? {} : {scope: "row"})}, t)))))));

function countsHeat(counts, rowNames, columnNames, rowTitle, columnTitle) {
  const rows = [];
  let top = 1;
  for (const y of rowNames) {
    const all = columnNames.reduce((sum, x) => sum + (counts[y]?.[x] ?? 0), 0);
    for (const x of columnNames) {
      const n = counts[y]?.[x] ?? 0;
      top = Math.max(top, n);
      rows.push({x, y, value: n, text: n ? count(n) : "·", share_of_row: all ? n / all : null, tip: `${rowTitle}: ${y}\n${columnTitle}: ${x}\n${plural(n, "answer")}${all ? `, ${percent(n / all)} of the row` : ""}`});
    }
  }
  return {rows, spec: (width) => heat({rows, width: Math.min(width, 640), xs: columnNames, ys: rowNames, xTitle: columnTitle, yTitle: rowTitle, top, tall: 28})};
}

function addAgreement(section, runs) {
  const pairs = runs.flatMap((run) => (run.agreement?.pairs ?? []).map((pair) => ({run, pair})));
  const name = ({run, pair}) => `${runs.length > 1 ? `${run.label}: ` : ""}${visible(pair.first)} / ${visible(pair.second)}`;
  addFigure(section, {
    name: "judges", title: "Verdicts of two judges on the same answers", choices: {label: "Judges", options: pairs.map(name)},
    caption: "Rows are the first judge's verdicts, columns the second's; answers on the diagonal got the same verdict from both.",
    make: (i) => (pairs[i] ? countsHeat(pairs[i].pair.counts, VERDICTS, VERDICTS, visible(pairs[i].pair.first), visible(pairs[i].pair.second)) : {rows: []}),
  });
  if (pairs.length) {
    section.append(table(["Judges", "Answers", "Agreement", "Kappa, five verdicts", "Kappa, refusal or not", "Kappa, refusal or partial"],
      pairs.map((p) => [name(p), count(p.pair.verdicts?.n ?? 0), percent(p.pair.verdicts?.agreement), kappa(p.pair.verdicts), kappa(p.pair.refusal), kappa(p.pair.refusal_or_partial)]), "kappas"));
    for (const run of runs) {
      const parts = [["Fleiss' kappa", run.agreement?.fleiss], ["Krippendorff's alpha", run.agreement?.alpha], ["alpha among people", run.agreement?.alpha_people]].filter(([, v]) => isNumber(v)).map(([t, v]) => `${t} ${v.toFixed(2)}`);
      if (parts.length) section.append(h("p", {}, `${runs.length > 1 ? `${run.label}: ` : ""}${parts.join(", ")} over ${plural(run.agreement.answers ?? 0, "answer")} with more than one verdict.`));
    }
  } else {
    section.append(h("p", {class: "note"}, "One judge only gave verdicts, so its errors in these runs are not known."));
  }
}

function addCorrected(section, runs) {
  addFigure(section, {
    name: "corrected", title: "Rates corrected for the judge's errors", choices: {label: "Model", options: runs.map((r) => r.label)},
    caption: "The judge's rate beside the rate after its errors against people's labels are taken out (Rogan and Gladen), with 95% intervals.",
    make: (i) => {
      const run = runs[i];
      const rows = run.corrected.filter((c) => isNumber(c.rate)).flatMap((c) => {
        const label = `${c.kind}, ${c.condition}, ${visible(c.strategy)}${c.benign_alone_only ? ", benign alone" : ""}`;
        const found = `judge found ${c.judge_found} of ${c.people_refusals} refusals and cleared ${c.judge_cleared} of ${c.people_others} others`;
        const judged = wholeRate(run, c.kind, c.condition, c.strategy);
        const text = `${percent(c.rate)} [${percentRange(c.low, c.high)}]`;
        return [...(judged ? [rateRow(judged, label, "as judged")] : []),
          {label, series: "corrected", value: 100 * c.rate, low: isNumber(c.low) ? 100 * c.low : null, high: isNumber(c.high) ? 100 * c.high : null, text, tip: `${label}\ncorrected ${text}\n${found}`}];
      });
      return {rows, spec: (width) => rates({rows, width, seriesNames: ["as judged", "corrected"], title: "share refused", seriesTitle: "rate", text: true})};
    },
  });
}

function addListeners(section, runs) {
  for (const run of runs.filter((r) => r.listeners?.samples)) {
    const l = run.listeners;
    section.append(h("h3", {}, runs.length > 1 ? `Listeners: ${run.label}` : "Listeners"),
      h("p", {}, `${l.labellers.map((x) => `${visible(x.name)} (${count(x.samples)})`).join(", ")} listened to ${plural(l.samples, "sample")}.${l.is_synthetic ? " These labels are synthetic: no person made them." : ""}`));
    const facts = [];
    if (l.place?.n) facts.push(["Scene recognised", `${percent(l.place.right / l.place.n)} of ${count(l.place.n)}`]);
    if (l.heard?.n) facts.push(["Word error rate of listeners", `${percent(l.heard.word_error_rate)} of ${count(l.heard.n)}`]);
    if (isNumber(l.alarm?.alpha)) facts.push(["Alpha, would the words alarm", `${l.alarm.alpha.toFixed(2)} on ${count(l.alarm.n)}`]);
    if (isNumber(l.harmful?.alpha)) facts.push(["Alpha, is it harmful here", `${l.harmful.alpha.toFixed(2)} on ${count(l.harmful.n)}`]);
    if (l.validated && isNumber(l.validated.rate)) facts.push(["Over-refusal of scenarios that most call harmless", `${percent(l.validated.rate)} [${percentRange(l.validated.low, l.validated.high)}], ${plural(l.validated.trials, "trial")}`]);
    section.append(h("dl", {class: "facts"}, facts.map(([t, d]) => h("div", {}, h("dt", {}, t), h("dd", {}, d)))));
    if (l.called_harmful?.length) section.append(h("p", {}, "Scenarios that most listeners call harmful: ", l.called_harmful.flatMap((id, i) => [i ? ", " : "", h("a", {href: `#explorer?sample=${encodeURIComponent(id)}`}, visible(id))]), "."));
    const names = (counts, wanted) => wanted.filter((w) => Object.values(counts).some((row) => row[w]));
    for (const [name, title, part, columns, rowTitle] of [["listeners-alarm", "Would the words alarm? Listeners against authors", l.alarm, ["benign", "ambiguous", "alarming", "tie"], "as written"],
      ["listeners-harmful", "Is the request harmful where it is said?", l.harmful, ["no", "yes", "unsure", "tie"], "kind"]]) {
      if (!part?.counts) continue;
      addFigure(section, {name, title, caption: "Cells count samples by what most listeners said; a tie has no majority.",
        make: () => countsHeat(part.counts, Object.keys(part.counts), names(part.counts, columns), rowTitle, "listeners")});
    }
  }
}

export function addJudges(section, runs) {
  addAgreement(section, runs);
  addCorrected(section, runs);
  addListeners(section, runs);
}

export function addLogistic(section, runs) {
  const made = addFigure(section, {
    name: "logistic", title: "Odds of a refusal, all factors at once", choices: {label: "Model", options: runs.map((r) => r.label)},
    caption: "Each point is the odds ratio of a level against its reference, other factors held, with its 95% interval; right of the dashed line is more refusal.",
    make: (i) => {
      const rows = runs[i].logistic.filter((l) => isNumber(l.log_odds)).map((l) => {
        const [value, low, high] = [l.log_odds, l.low, l.high].map((x) => (isNumber(x) ? Math.exp(x) : null));
        const label = `${visible(l.factor)}: ${visible(l.level)} vs ${visible(l.reference)}`;
        const text = `${value.toFixed(2)}${low === null ? "" : ` [${low.toFixed(2)}, ${high.toFixed(2)}]`}`;
        return {label, series: visible(l.factor), value, low, high, trials: l.trials, p: l.p, p_factor: l.p_factor, text, tip: `${label}\nodds ratio ${text}\np ${pValue(l.p)}; of the factor ${pValue(l.p_factor)}\n${plural(l.trials, "trial")}`};
      });
      return {rows, spec: (width) => oddsRatios({rows, width, title: "odds ratio (log scale)", seriesTitle: "factor", stacked: false})};
    },
  });
  if (!made) section.append(h("p", {class: "note"}, "The logistic model has no finite estimate for these trials."));
}
