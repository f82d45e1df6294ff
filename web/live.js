// While aor serve runs: how far the runs are, and an offer to show new answers.

import {count, h, percent, visible} from "./text.js";

const PERIOD_MS = 5000;

export function startLive(findings, reload) {
  const bar = document.getElementById("live");
  let shown = findings.version;
  let offered = null;
  let text = "";

  function draw(state, problem) {
    const runs = state?.runs ?? [];
    const open = runs.filter((r) => r.answered < r.trials);
    const progress = open.map((r) => `${visible(r.run)}: ${count(r.answered)} of ${count(r.trials)} answered (${percent(r.answered / r.trials)})`).join("; ");
    const next = problem || progress;
    const key = `${next}|${offered}`;
    if (key === text) return;
    text = key;
    bar.replaceChildren(next);
    if (offered) {
      const version = offered;
      bar.append(" ", h("button", {type: "button", id: "show-new", onclick: async (event) => {
        event.target.disabled = true;
        offered = null;
        shown = version;
        await reload(version);
        draw(state);
      }}, "New answers: show them"));
    }
    bar.hidden = !bar.textContent;
  }

  async function poll() {
    if (document.visibilityState !== "visible") return;
    try {
      const answer = await fetch("api/state", {cache: "no-store"});
      if (!answer.ok) throw new Error(String(answer.status));
      const state = await answer.json();
      offered = state.version !== shown ? state.version : null;
      draw(state);
    } catch {
      draw(null, "The server does not answer; what is shown stays.");
    }
  }

  setInterval(poll, PERIOD_MS);
  document.addEventListener("visibilitychange", poll);
  poll();
}
