// Samples and answers: filters, list, opened sample, downloads, and the view's address.

import {loadPiece} from "./data.js";
import {Detail} from "./detail.js";
import {VirtualList} from "./list.js";
import {SAMPLE_FACETS, STATES, Store, TRIAL_FACETS, VERDICTS} from "./store.js";
import {count, csv, download, h, plural, visible} from "./text.js";

const FACETS = [
  ["verdict", "Verdict"], ["run", "Model"], ["condition", "Condition"], ["strategy", "Strategy"], ["kind", "Kind"], ["category", "Category"], ["scene", "Scene"], ["alone", "Words alone"],
  ["gender", "Gender"], ["emotion", "Emotion"], ["rate", "Rate"], ["voice", "Voice"], ["snr_db", "SNR, dB"], ["split", "Split"], ["state", "State"],
];
const OPEN_AT_FIRST = new Set(["verdict", "kind", "category"]);
const DISAGREEMENTS = [["", "any"], ["models", "between models", "run"], ["conditions", "between conditions", "condition"], ["strategies", "between strategies", "strategy"], ["judges", "between judges"]];
const ORDERS = [["", "as in the benchmark"], ["refusals", "most refusals first"]];
const LEGEND = [["R", "refusal"], ["P", "partial"], ["C", "compliance"], ["?", "clarification"], ["N", "nonresponsive"], ["B", "blocked"], ["E", "failed"], ["-", "pending"]];
const ROW_HEIGHT = 58;
const MOST_CELLS = 24;
const PREFIX = "#explorer?";

class Explorer {
  constructor(section, findings, store) {
    Object.assign(this, {section, findings, store, filter: {chosen: {}, query: "", disagreement: ""}, order: "", open: null, result: new Int32Array(0), cells: []});
    this.abort = new AbortController();
    this.build();
    this.readAddress();
    addEventListener("hashchange", () => location.hash.startsWith(PREFIX) && this.readAddress(), {signal: this.abort.signal});
    document.addEventListener("keydown", (event) => this.key(event), {signal: this.abort.signal});
  }

  build() {
    const {store} = this;
    this.search = h("input", {id: "search", type: "search", placeholder: "Words in request, scene, reason, answers  ( / )", "aria-label": "Search", autocomplete: "off", spellcheck: "false"});
    let timer = 0;
    this.search.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        this.filter.query = this.search.value;
        this.run();
      }, 120);
    });
    this.boxes = new Map();
    const facets = FACETS.map(([facet, title]) => this.facet(facet, title)).filter(Boolean);
    this.disagreement = h("select", {data: {filter: "disagreement"}}, DISAGREEMENTS.filter(([v, , facet]) => (v === "judges" ? store.others.size > 0 : !facet || store.namesOf(facet).length > 1)).map(([v, t]) => h("option", {value: v}, t)));
    this.disagreement.addEventListener("change", () => {
      this.filter.disagreement = this.disagreement.value;
      this.run();
    });
    this.orders = h("select", {id: "order"}, ORDERS.map(([v, t]) => h("option", {value: v}, t)));
    this.orders.addEventListener("change", () => {
      this.order = this.orders.value;
      this.run();
    });
    this.count = h("p", {id: "count", role: "status"});
    this.more = h("p", {class: "legend"});
    this.heads = h("div", {class: "heads", "aria-hidden": "true"});
    this.list = new VirtualList({label: "Samples", height: ROW_HEIGHT, fill: (row, i) => this.fill(row, i), open: (i) => this.show(this.result[i], true)});
    this.detail = new Detail({store, sounds: this.findings.sounds ?? [], isLive: this.findings.is_live, go: (s) => this.show(s, true), close: () => this.hide()});
    const filters = h("details", {class: "filters", open: innerWidth > 900},
      h("summary", {}, "Filters"),
      h("label", {class: "choice"}, "Disagreement ", this.disagreement), facets,
      h("button", {type: "button", id: "reset", onclick: () => this.reset()}, "Reset"));
    const exports = h("span", {class: "downloads"},
      h("button", {type: "button", id: "download-csv", onclick: () => this.export("csv")}, "CSV"),
      h("button", {type: "button", id: "download-jsonl", onclick: () => this.export("jsonl")}, "JSONL"));
    this.element = h("div", {class: "explorer"}, filters,
      h("div", {class: "results"},
        h("div", {class: "tools"}, this.search, h("label", {class: "choice"}, "Order ", this.orders)),
        h("div", {class: "tools"}, this.count, exports),
        h("p", {class: "legend", "aria-hidden": "true"}, LEGEND.map(([letter, name]) => h("span", {}, h("span", {class: "cell", data: {letter}}, letter), ` ${name} `))),
        this.more, this.heads, this.list.element),
      this.detail.element);
    this.section.append(this.element);
    new ResizeObserver(() => {
      this.chooseCells();
      this.list.draw(true);
    }).observe(this.list.element);
  }

  facet(facet, title) {
    const {store} = this;
    const names = store.namesOf(facet);
    const used = facet === "verdict" || facet === "state" ? names : names.filter((n) => n !== "");
    if (used.length < 2) return null;
    const sorted = names.map((_, k) => k).filter((k) => names[k] !== "");
    if (SAMPLE_FACETS.includes(facet)) sorted.sort((a, b) => (typeof names[a] === "number" ? names[a] - names[b] : String(names[a]).localeCompare(String(names[b]))));
    const entries = sorted.map((k) => {
      const box = h("input", {type: "checkbox", value: names[k]});
      const number = h("span", {class: "n"});
      box.addEventListener("change", () => {
        const set = (this.filter.chosen[facet] ??= new Set());
        if (box.checked) set.add(String(names[k]));
        else set.delete(String(names[k]));
        this.run();
      });
      return {k, box, number, label: h("label", {}, box, h("span", {class: "value"}, facet === "verdict" && names[k] === "none" ? "no verdict" : visible(names[k])), number)};
    });
    const mark = h("span", {class: "chosen"});
    const element = h("details", {data: {filter: facet}, open: OPEN_AT_FIRST.has(facet)}, h("summary", {}, title, " ", mark), h("div", {class: "values"}, entries.map((e) => e.label)));
    this.boxes.set(facet, {entries, mark, element});
    return element;
  }

  run({keepAddress = false} = {}) {
    const start = performance.now();
    const {samples, nTrials, counts} = this.store.filter(this.filter);
    if (this.order === "refusals") {
      const refusals = new Map([...samples].map((s) => [s, this.store.refusals(s)]));
      samples.sort((a, b) => refusals.get(b) - refusals.get(a) || a - b);
    }
    this.result = samples;
    this.chooseCells();
    this.count.textContent = `${plural(samples.length, "sample")}, ${plural(nTrials, "trial")}`;
    Object.assign(this.count.dataset, {samples: samples.length, trials: nTrials});
    for (const [facet, {entries, mark}] of this.boxes) {
      const chosen = this.filter.chosen[facet];
      mark.textContent = chosen?.size ? `· ${chosen.size}` : "";
      for (const {k, box, number, label} of entries) {
        number.textContent = count(counts[facet][k]);
        box.checked = Boolean(chosen?.has(String(box.value)));
        label.classList.toggle("none", !counts[facet][k]);
      }
    }
    this.list.active = this.open === null ? -1 : samples.indexOf(this.open);
    this.list.element.scrollTop = 0;
    this.list.show(samples.length);
    performance.measure("filter", {start, end: performance.now()});
    if (!keepAddress) this.writeAddress();
  }

  chooseCells() {
    const {store} = this;
    const chosen = (facet, k) => !this.filter.chosen[facet]?.size || this.filter.chosen[facet].has(String(store.namesOf(facet)[k]));
    const all = store.cells.filter((c) => !c.isProbe && chosen("run", c.run) && chosen("condition", c.condition) && chosen("strategy", c.strategy));
    const width = this.list.element.clientWidth || 800;
    const room = Math.floor((width * (innerWidth > 900 ? 0.58 : 0.92)) / 20);
    this.cells = all.slice(0, Math.max(4, Math.min(MOST_CELLS, room)));
    const name = (facet, k) => visible(store.namesOf(facet)[k]);
    this.cellLabels = this.cells.map((c) => `${name("run", c.run)}, ${name("condition", c.condition)}, ${name("strategy", c.strategy)}`);
    const groups = new Map();
    for (const cell of this.cells) groups.set(cell.run, [...(groups.get(cell.run) ?? []), `${name("condition", cell.condition)} · ${name("strategy", cell.strategy)}`]);
    this.heads.replaceChildren(...[...groups].map(([run, labels]) => {
      const group = h("div", {class: "head-group"}, h("div", {class: "head-run", title: name("run", run)}, store.runs.length > 1 ? name("run", run) : ""), h("div", {class: "head-labels"}, labels.map((label) => h("span", {title: label}, label))));
      group.style.width = `${labels.length * 19 - 2}px`;
      return group;
    }));
    this.heads.style.paddingRight = `calc(.6rem + 1px + ${this.list.element.offsetWidth - 2 - this.list.element.clientWidth}px)`;
    this.more.textContent = all.length > this.cells.length ? `${count(this.cells.length)} of ${count(all.length)} cells are shown: choose models, conditions or strategies for others.` : "";
  }

  fill(row, index) {
    const {store} = this;
    const s = this.result[index];
    const sample = store.samples[s];
    const {columns: c} = store;
    const byKey = new Map();
    for (const i of store.trialsOf(s)) {
      const key = store.cellKey(c.run[i], c.condition[i], c.strategy[i]);
      if (!byKey.has(key)) byKey.set(key, i);
    }
    row.dataset.sample = sample.id;
    row.classList.toggle("open", s === this.open);
    row.replaceChildren(
      h("div", {class: "words"}, h("div", {class: "request"}, visible(sample.text)),
        h("div", {class: "meta"}, h("span", {class: "id"}, visible(sample.id)), ` ${visible(sample.scene ?? "")}`)),
      h("div", {class: "strip"}, this.cells.map((cell, k) => {
        const i = byKey.get(cell.key);
        const letter = i === undefined ? "" : store.letter(i);
        const state = i === undefined ? "not asked" : STATES[c.state[i]] === "answered" ? VERDICTS[c.verdict[i]] ?? "no verdict" : STATES[c.state[i]];
        const classes = `cell${k && cell.run !== this.cells[k - 1].run ? " new-run" : ""}${i !== undefined && !store.passes[i] ? " faint" : ""}`;
        return h("span", {class: classes, data: {letter}, title: `${this.cellLabels[k]}: ${state}`}, letter);
      })));
  }

  show(s, focus) {
    const from = this.open;
    this.open = s;
    this.section.classList.add("has-detail");
    const title = this.detail.show(s);
    const index = this.result.indexOf(s);
    this.list.active = index;
    this.list.draw(true);
    if (index >= 0 && from === null) this.list.select(index);
    if (focus) {
      title.focus({preventScroll: innerWidth > 900});
      if (innerWidth <= 900) this.detail.element.scrollIntoView();
    }
    this.writeAddress();
  }

  hide() {
    this.open = null;
    this.detail.hide();
    this.section.classList.remove("has-detail");
    this.list.draw(true);
    this.list.element.focus();
    this.writeAddress();
  }

  reset() {
    this.filter = {chosen: {}, query: "", disagreement: ""};
    this.order = "";
    this.search.value = this.disagreement.value = this.orders.value = "";
    this.run();
  }

  key(event) {
    const typing = event.target.matches("input:not([type=checkbox]), textarea, select");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      this.search.focus();
    } else if (event.key === "Escape" && event.target === this.search && this.search.value) {
      this.search.value = this.filter.query = "";
      this.run();
    } else if (event.key === "Escape" && this.open !== null) {
      this.hide();
    } else if (event.key === " " && this.open !== null && !typing && !event.target.matches("button, summary, a, input")) {
      event.preventDefault();
      this.detail.player?.toggle();
    }
  }

  writeAddress() {
    const words = new URLSearchParams();
    for (const facet of [...SAMPLE_FACETS, ...TRIAL_FACETS]) for (const value of this.filter.chosen[facet] ?? []) words.append(facet, value);
    if (this.filter.query) words.set("q", this.filter.query);
    if (this.filter.disagreement) words.set("disagreement", this.filter.disagreement);
    if (this.order) words.set("order", this.order);
    if (this.open !== null) words.set("sample", this.store.samples[this.open].id);
    const text = words.toString();
    if (text || location.hash.startsWith(PREFIX)) history.replaceState(null, "", text ? PREFIX + text : "#explorer");
  }

  readAddress() {
    const words = new URLSearchParams(location.hash.startsWith(PREFIX) ? location.hash.slice(PREFIX.length) : "");
    const chosen = {};
    for (const facet of [...SAMPLE_FACETS, ...TRIAL_FACETS]) if (words.has(facet)) chosen[facet] = new Set(words.getAll(facet));
    this.filter = {chosen, query: words.get("q") ?? "", disagreement: words.get("disagreement") ?? ""};
    this.order = words.get("order") ?? "";
    this.search.value = this.filter.query;
    this.disagreement.value = this.filter.disagreement;
    this.orders.value = this.order;
    const open = this.store.byId.get(words.get("sample"));
    this.run({keepAddress: true});
    if (open !== undefined) this.show(open, false);
    if (words.size) this.section.scrollIntoView();
    for (const [facet, {element}] of this.boxes) if (chosen[facet]?.size) element.open = true;
  }

  export(kind) {
    const {store} = this;
    const parts = [];
    let records = [];
    let columns = null;
    const flush = () => {
      if (!records.length) return;
      const first = columns === null;
      columns ??= Object.keys(records[0]);
      const text = kind === "csv" ? csv(records, columns) : records.map((r) => `${JSON.stringify(r)}\n`).join("");
      parts.push(kind === "csv" && !first ? text.slice(text.indexOf("\r\n") + 2) : text);
      records = [];
    };
    for (const s of this.result) {
      for (const i of store.trialsOf(s)) if (store.passes[i]) records.push(store.record(i));
      if (records.length > 5000) flush();
    }
    flush();
    download(`aor-trials.${kind}`, kind === "csv" ? "text/csv;charset=utf-8" : "application/jsonl", parts);
  }

  stop() {
    this.abort.abort();
    this.detail.hide();
  }
}

/** Loads samples and trials, then shows them. The result's loaded is done when all is there. */
export function startExplorer(section, findings, runs, version) {
  const bar = h("progress", {max: findings.pieces.length, value: 0, "aria-label": "Loading samples and answers"});
  const note = h("p", {class: "note", id: "explorer-progress"}, "Loading samples and answers… ", bar);
  section.append(note);
  const handle = {stop: () => {}, loaded: null, store: null};
  async function load() {
    const pieces = findings.pieces.filter((p) => p !== "samples");
    if (!findings.pieces.includes("samples")) {
      note.textContent = "This report holds no samples.";
      return;
    }
    const address = findings.is_live ? version : undefined;
    const store = new Store(await loadPiece("samples", address), runs);
    bar.value++;
    const isVerdicts = (p) => p.startsWith("verdicts");
    for (const piece of [...pieces.filter((p) => !isVerdicts(p)), ...pieces.filter(isVerdicts)]) {
      const data = await loadPiece(piece, address);
      if (isVerdicts(piece)) store.addVerdicts(data);
      else store.addTrials(data);
      bar.value++;
      await new Promise((resolve) => setTimeout(resolve));
    }
    store.finish();
    note.remove();
    const explorer = new Explorer(section, findings, store);
    handle.store = store;
    handle.stop = () => explorer.stop();
  }
  handle.loaded = load().catch((error) => {
    note.replaceChildren(`The samples cannot be shown: ${visible(error.message)}`);
    console.error(error);
  });
  return handle;
}
