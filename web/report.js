// The report: findings first, then figures, then the samples and answers.

import {loadPiece} from "./data.js";
import {addContext, addVoice, addWhere} from "./effects.js";
import {startExplorer} from "./explorer.js";
import {drawFigures, forgetFigures, startFigures} from "./figure.js";
import {addFinding} from "./finding.js";
import {startLive} from "./live.js";
import {addMethods} from "./methods.js";
import {nameRuns, studyOf} from "./rows.js";
import {addSteering, addSteeringExamples} from "./steering.js";
import {h, visible} from "./text.js";
import {startTheme} from "./theme.js";
import {addComprehension, addPlane, addStrategies} from "./tradeoff.js";
import {addJudges, addLogistic} from "./trust.js";

const SECTIONS = [
  ["finding", "Finding", null],
  ["where", "Where", "Where it refuses", addWhere],
  ["voice", "Voice", "Voice and manner", addVoice],
  ["context-section", "Context", "Context", addContext],
  ["tradeoff", "Trade-off", "Trade-off: safety against usefulness", addPlane],
  ["strategies-section", "Strategies", "Strategies side by side", addStrategies],
  ["steering", "Steering", "Steering: a sweep over directions", addSteering],
  ["comprehension-section", "Comprehension", "Comprehension", addComprehension],
  ["trust", "Judges", "Judges and people", addJudges],
  ["model", "Odds", "Logistic model", addLogistic],
  ["explorer", "Explorer", "Samples and answers"],
  ["methods", "Methods", "Methods"],
];

const content = document.getElementById("content");
let explorer = null;

function buildNav(shown) {
  const nav = document.getElementById("nav");
  nav.replaceChildren(...shown.map(([id, label]) => h("a", {href: `#${id}`}, label)));
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      for (const link of nav.children) {
        if (link.hash === `#${entry.target.id}`) link.setAttribute("aria-current", "true");
        else link.removeAttribute("aria-current");
      }
    }
  }, {rootMargin: "-15% 0px -75% 0px"});
  for (const section of content.querySelectorAll("section")) seen.observe(section);
}

function show(findings) {
  forgetFigures();
  const runs = nameRuns(findings.runs);
  document.title = `Over-refusal: ${runs.map((r) => r.label).join(", ")}`;
  const shown = SECTIONS.filter(([id]) => id !== "steering" || runs.some(studyOf));
  const sections = shown.map(([id, , title, fill]) => {
    const section = h("section", {id}, title ? h("h2", {}, title) : null);
    if (id === "finding") addFinding(section, findings, runs);
    else if (id === "methods") addMethods(section, findings, runs);
    else fill?.(section, runs);
    return section;
  });
  content.replaceChildren(...sections);
  document.getElementById("listening-link").hidden = !findings.has_listening;
  buildNav(shown);
  return runs;
}

const painted = () => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));

async function open(version) {
  delete document.body.dataset.loaded;
  const findings = await loadPiece("findings", version);
  const runs = show(findings);
  await painted();
  performance.mark("first-paint-of-findings");
  if (!version && location.hash.length > 1) document.getElementById(location.hash.slice(1).split("?")[0])?.scrollIntoView();
  await drawFigures();
  explorer?.stop();
  explorer = startExplorer(document.getElementById("explorer"), findings, runs, findings.version);
  await explorer.loaded;
  const steering = document.getElementById("steering");
  if (steering && explorer.store) addSteeringExamples(steering, explorer.store, runs);
  document.body.dataset.loaded = "1";
  performance.mark("all-loaded");
  return findings;
}

function failed(error) {
  const text = `The report cannot be shown: ${visible(error.message)}`;
  const note = h("p", {class: "note warning", role: "alert"}, text);
  if (content.querySelector("section")) content.prepend(note);
  else content.replaceChildren(note);
  console.error(error);
}

async function start() {
  startTheme();
  startFigures();
  const findings = await open();
  if (findings.is_live) startLive(findings, (version) => open(version).catch(failed));
}

start().catch(failed);
