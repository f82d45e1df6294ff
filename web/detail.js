// One sample opened: what it is, its sound, and all that was answered to it.

import {Player} from "./sound.js";
import {STATES, VERDICTS} from "./store.js";
import {h, isNumber, longText, visible} from "./text.js";

const FACTS = [["kind", "Kind"], ["category", "Category"], ["alone", "Words alone"], ["gender", "Gender"], ["emotion", "Emotion"], ["rate", "Rate"], ["voice", "Voice"], ["engine", "Engine"], ["snr_db", "SNR, dB"], ["split", "Split"]];

export function verdictMark(store, i) {
  const letter = store.letter(i);
  const state = STATES[store.columns.state[i]];
  const name = state !== "answered" ? state : (VERDICTS[store.columns.verdict[i]] ?? "no verdict");
  return h("span", {class: "verdict"}, h("span", {class: "cell", data: {letter}, "aria-hidden": "true"}, letter), ` ${name}`);
}

function answerRow(store, i, isWide) {
  const {columns: c, names} = store;
  const condition = names.condition.values[c.condition[i]];
  const strategy = names.strategy.values[c.strategy[i]];
  const others = store.others.get(i) ?? [];
  const thoughts = store.thoughts.get(i);
  const decided = store.details.get(i);
  const extras = [];
  const heard = c.scene[i] >= 0 ? store.scenes[names.scene.values[c.scene[i]]]?.words ?? names.scene.values[c.scene[i]] : null;
  if (heard) extras.push(h("p", {}, h("b", {}, condition.startsWith("text") ? "Scene told: " : "Scene heard: "), visible(heard)));
  if (decided) extras.push(h("div", {}, h("b", {}, "Verdict decided by: "), longText(decided, "span", "decided")));
  if (thoughts) extras.push(h("div", {class: "thoughts"}, h("b", {}, "Thoughts before the answer (not seen by the judge)"), longText(thoughts)));
  for (const o of others) extras.push(h("p", {}, h("b", {}, `${visible(o.judge)}: `), visible(o.verdict ?? "no verdict"), o.detail ? ` (${visible(o.detail).slice(0, 400)})` : ""));
  const answer = store.answerOf(i);
  const score = c.score[i];
  const probe = Number.isNaN(score) ? null : strategy === "scene" ? (score ? "scene right" : "scene wrong") : `${(100 * score).toFixed(1)}% words wrong`;
  return h("tr", {data: {trial: c.trial[i]}},
    isWide ? h("td", {}, store.runs[c.run[i]].label) : null,
    h("td", {}, condition, " ", h("br"), h("small", {}, visible(strategy), c.repeat[i] > 1 ? `, ${c.repeat[i]}` : "")),
    h("td", {}, probe ?? verdictMark(store, i), others.length ? h("small", {}, ` +${others.length}`) : null),
    h("td", {class: "answer"}, answer ? longText(answer) : h("em", {class: "soft"}, STATES[c.state[i]] === "answered" ? "empty" : "none"),
      extras.length ? h("details", {}, h("summary", {}, thoughts ? "Thoughts, verdict" : others.length ? "Verdicts" : "More"), extras) : null));
}

export class Detail {
  constructor({store, sounds, isLive, go, close}) {
    Object.assign(this, {store, sounds, isLive, go, close});
    this.element = h("aside", {id: "detail", "aria-label": "Opened sample", tabindex: -1, hidden: true});
    this.player = sounds.length ? new Player(sounds, isLive) : null;
  }

  hide() {
    this.player?.release();
    this.element.hidden = true;
    this.element.replaceChildren();
  }

  links(title, indices, current) {
    const {store} = this;
    const text = (s) => [s.gender, s.emotion, s.rate, isNumber(s.snr_db) ? `${s.snr_db} dB` : ""].filter(Boolean).map(visible).join(" ");
    return indices.length < (title === "Variants" ? 2 : 1) ? null : h("div", {class: "links"}, h("h4", {}, title),
      indices.map((s) => h("button", {type: "button", "aria-current": s === current ? "true" : null, onclick: () => this.go(s)},
        text(store.samples[s]), " ", h("span", {class: "strip"}, this.strip(s)))));
  }

  strip(s) {
    const {store} = this;
    return [...store.trialsOf(s)].filter((i) => store.columns.verdict[i] < VERDICTS.length).slice(0, 6).map((i) => h("span", {class: "cell", data: {letter: store.letter(i)}}, store.letter(i)));
  }

  show(index) {
    const {store} = this;
    const sample = store.samples[index];
    const family = store.byScenario.get(sample.scenario) ?? [];
    const same = family.filter((s) => store.samples[s].kind === sample.kind);
    const twin = family.filter((s) => store.samples[s].kind !== sample.kind);
    const isWide = store.runs.length > 1;
    const {columns: c} = store;
    const trials = [...store.trialsOf(index)].sort((a, b) => c.run[a] - c.run[b] || c.condition[a] - c.condition[b] || c.strategy[a] - c.strategy[b] || c.repeat[a] - c.repeat[b]);
    const scene = store.scenes[sample.scene];
    const title = h("h3", {tabindex: -1}, visible(sample.id));
    this.element.replaceChildren(
      h("div", {class: "detail-head"}, title, h("button", {type: "button", class: "close", "aria-label": "Close", title: "Close (Escape)", onclick: () => this.close()}, "✕")),
      h("blockquote", {}, longText(sample.text)),
      h("p", {}, h("b", {}, "Scene: "), scene ? `${visible(scene.words)} ` : "", h("small", {}, `(${visible(sample.scene ?? "none")})`)),
      sample.reason ? h("p", {}, h("b", {}, "Why it is harmless there: "), visible(sample.reason)) : "",
      sample.answer ? h("p", {}, h("b", {}, "A good answer: "), visible(sample.answer)) : "",
      h("dl", {class: "facts small"}, FACTS.filter(([k]) => sample[k] !== undefined && sample[k] !== null && sample[k] !== "").map(([k, t]) => h("div", {}, h("dt", {}, t), h("dd", {}, visible(sample[k]))))),
      this.player?.element ?? "",
      h("h4", {}, trials.length ? "Answers" : "No answers yet"),
      trials.length ? h("div", {class: "scroll"}, h("table", {class: "answers"},
        h("thead", {}, h("tr", {}, isWide ? h("th", {scope: "col"}, "Model") : null, ["Condition", "Verdict", "Answer"].map((t) => h("th", {scope: "col"}, t)))),
        h("tbody", {}, trials.map((i) => answerRow(store, i, isWide))))) : "",
      this.links("Variants", same, index) ?? "",
      this.links(sample.kind === "contrast" ? "The scenario that it is the twin of" : "Its contrast: the harmful twin", twin, index) ?? "");
    this.element.hidden = false;
    this.element.scrollTop = 0;
    this.player?.load(sample.id);
    return title;
  }
}
