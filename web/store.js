// Samples and trials in columns, and the filter over them: one pass over typed arrays.

export const VERDICTS = ["compliance", "partial", "refusal", "clarification", "nonresponsive"];
export const STATES = ["answered", "blocked", "failed", "pending"];
const REFUSAL = VERDICTS.indexOf("refusal");
const UNJUDGED = VERDICTS.length;
export const SAMPLE_FACETS = ["kind", "category", "scene", "alone", "gender", "emotion", "rate", "voice", "snr_db", "split"];
export const TRIAL_FACETS = ["run", "condition", "strategy", "verdict", "state"];
const PIECE_COLUMNS = ["trial", "sample", "condition", "strategy", "repeat", "scene", "state", "verdict", "score", "thoughts", "answer", "detail"];

/** Names to numbers in the order in which they come. */
class Names {
  constructor(values = []) {
    this.values = [...values];
    this.numbers = new Map(this.values.map((v, i) => [v, i]));
  }

  number(value) {
    let n = this.numbers.get(value);
    if (n === undefined) {
      n = this.values.length;
      this.values.push(value);
      this.numbers.set(value, n);
    }
    return n;
  }
}

function grow(array, size) {
  if (array.length >= size) return array;
  const bigger = new array.constructor(Math.max(size, 2 * array.length, 1024));
  bigger.set(array);
  return bigger;
}

export class Store {
  constructor({samples, scenes}, runs) {
    this.samples = samples;
    this.scenes = scenes ?? {};
    this.runs = runs;
    this.n = 0;
    this.names = {run: new Names(runs.map((r) => r.label)), condition: new Names(), strategy: new Names(), verdict: new Names([...VERDICTS, "none"]), state: new Names(STATES), scene: new Names()};
    this.columns = {
      trial: new Float64Array(0), sample: new Int32Array(0), run: new Uint16Array(0), condition: new Uint16Array(0), strategy: new Uint16Array(0),
      verdict: new Uint16Array(0), state: new Uint16Array(0), repeat: new Int32Array(0), scene: new Int32Array(0), score: new Float32Array(0), answer: new Int32Array(0),
    };
    this.answers = new Names();
    this.folded = [];
    this.thoughts = new Map();
    this.details = new Map();
    this.others = new Map();
    this.places = runs.map(() => new Map());
    this.sampleCodes = {};
    for (const facet of SAMPLE_FACETS) {
      const names = new Names();
      this.names[facet === "scene" ? "sample-scene" : facet] = names;
      this.sampleCodes[facet] = Uint16Array.from(samples, (s) => names.number(s[facet] ?? ""));
    }
    this.sampleText = samples.map((s) => [s.id, s.text, s.reason, s.scene, this.scenes[s.scene]?.words].filter(Boolean).join("\n").toLowerCase());
    this.byId = new Map(samples.map((s, i) => [s.id, i]));
    this.byScenario = new Map();
    samples.forEach((s, i) => this.byScenario.set(s.scenario, [...(this.byScenario.get(s.scenario) ?? []), i]));
  }

  namesOf(facet) {
    return this.names[facet === "scene" ? "sample-scene" : facet].values;
  }

  addTrials({run, conditions, strategies, scenes, columns = PIECE_COLUMNS, rows}) {
    const at = Object.fromEntries(PIECE_COLUMNS.map((name) => [name, columns.indexOf(name)]));
    const condition = conditions.map((c) => this.names.condition.number(c));
    const strategy = strategies.map((s) => this.names.strategy.number(s));
    const scene = (scenes ?? []).map((s) => this.names.scene.number(s));
    const c = this.columns;
    for (const name of Object.keys(c)) c[name] = grow(c[name], this.n + rows.length);
    for (const row of rows) {
      const i = this.n;
      const sample = row[at.sample];
      if (!this.samples[sample]) continue;
      this.n++;
      c.trial[i] = row[at.trial];
      c.sample[i] = sample;
      c.run[i] = run;
      c.condition[i] = condition[row[at.condition]];
      c.strategy[i] = strategy[row[at.strategy]];
      c.repeat[i] = row[at.repeat];
      c.scene[i] = row[at.scene] === null ? -1 : scene[row[at.scene]];
      c.state[i] = Math.max(0, STATES.indexOf(row[at.state]));
      c.verdict[i] = row[at.verdict] === null ? UNJUDGED : this.names.verdict.number(row[at.verdict]);
      c.score[i] = row[at.score] ?? NaN;
      c.answer[i] = this.answers.number(row[at.answer] ?? "");
      if (c.answer[i] === this.folded.length) this.folded.push((row[at.answer] ?? "").toLowerCase());
      if (row[at.thoughts]) this.thoughts.set(i, row[at.thoughts]);
      if (row[at.detail]) this.details.set(i, row[at.detail]);
      this.places[run].set(row[at.trial], i);
    }
  }

  addVerdicts({run, rows}) {
    for (const [trial, judge, verdict, detail] of rows) {
      const i = this.places[run].get(trial);
      if (i === undefined) continue;
      if (!this.others.has(i)) this.others.set(i, []);
      this.others.get(i).push({judge, verdict, detail});
    }
  }

  /** After the last piece: where the trials of each sample are, and which cells there are. */
  finish() {
    const {n, columns: c} = this;
    for (const name of Object.keys(c)) c[name] = c[name].subarray(0, n);
    this.starts = new Int32Array(this.samples.length + 1);
    for (let i = 0; i < n; i++) this.starts[c.sample[i] + 1]++;
    for (let s = 0; s < this.samples.length; s++) this.starts[s + 1] += this.starts[s];
    const next = this.starts.slice(0, -1);
    this.sorted = new Int32Array(n);
    for (let i = 0; i < n; i++) this.sorted[next[c.sample[i]]++] = i;
    this.passes = new Uint8Array(n).fill(1);
    const cells = new Map();
    for (let i = 0; i < n; i++) {
      const key = this.cellKey(c.run[i], c.condition[i], c.strategy[i]);
      if (!cells.has(key)) cells.set(key, {key, run: c.run[i], condition: c.condition[i], strategy: c.strategy[i], isProbe: true});
      if (c.verdict[i] !== UNJUDGED) cells.get(key).isProbe = false;
    }
    this.cells = [...cells.values()].sort((a, b) => a.key - b.key);
  }

  cellKey(run, condition, strategy) {
    return (run * this.names.condition.values.length + condition) * this.names.strategy.values.length + strategy;
  }

  trialsOf(sample) {
    return this.sorted.subarray(this.starts[sample], this.starts[sample + 1]);
  }

  answerOf(i) {
    return this.answers.values[this.columns.answer[i]];
  }

  /** A letter for what became of a trial. */
  letter(i) {
    const state = STATES[this.columns.state[i]];
    if (state === "blocked") return "B";
    if (state === "failed") return "E";
    if (state === "pending") return "-";
    return "CPR?N"[this.columns.verdict[i]] ?? "·";
  }

  /** For each sample and each distinct answer, whether every term is in it. */
  search(query) {
    const terms = (query.toLowerCase().match(/"[^"]+"|\S+/g) ?? []).map((t) => t.replace(/^"(.+)"$/, "$1"));
    if (!terms.length) return null;
    const inSample = terms.map((t) => Uint8Array.from(this.sampleText, (text) => (text.includes(t) ? 1 : 0)));
    const inAnswer = terms.map((t) => Uint8Array.from(this.folded, (text) => (text.includes(t) ? 1 : 0)));
    return {
      sample: (s) => inSample.every((hits) => hits[s]),
      trial: (s, a) => {
        for (let k = 0; k < terms.length; k++) if (!inSample[k][s] && !inAnswer[k][a]) return false;
        return true;
      },
    };
  }

  /** Marks trials that differ, as refusal or not, from others that have all but one thing in common. */
  dispute(kind, allowed) {
    const {n, columns: c, names} = this;
    const disputed = new Uint8Array(n);
    const sizes = {run: names.run.values.length, condition: names.condition.values.length, strategy: names.strategy.values.length};
    const left = {models: ["condition", "strategy"], conditions: ["run", "strategy"], strategies: ["run", "condition"]}[kind];
    if (!left) {
      for (const [i, verdicts] of this.others) {
        const refused = c.verdict[i] === REFUSAL;
        if (verdicts.some((v) => (v.verdict === "refusal") !== refused)) disputed[i] = 1;
      }
      return disputed;
    }
    const [a, b] = left;
    const bits = new Uint8Array(this.samples.length * sizes[a] * sizes[b]);
    const group = (i) => (c.sample[i] * sizes[a] + c[a][i]) * sizes[b] + c[b][i];
    const counts = (i) => c.verdict[i] !== UNJUDGED && allowed.every(([facet, set]) => set[c[facet][i]]);
    for (let i = 0; i < n; i++) if (counts(i)) bits[group(i)] |= c.verdict[i] === REFUSAL ? 1 : 2;
    for (let i = 0; i < n; i++) if (bits[group(i)] === 3 && counts(i)) disputed[i] = 1;
    return disputed;
  }

  /**
   * filter: {chosen: {facet: Set of names}, query, disagreement}. Returns {samples: the samples that
   * pass, nTrials, counts: {facet: counts}}, each count as if its own facet were not filtered.
   */
  filter({chosen, query, disagreement}) {
    const {samples, n, columns: c} = this;
    const masks = {};
    for (const facet of [...SAMPLE_FACETS, ...TRIAL_FACETS]) {
      const wanted = chosen[facet];
      if (wanted?.size) masks[facet] = Uint8Array.from(this.namesOf(facet), (name) => (wanted.has(String(name)) ? 1 : 0));
    }
    const counts = Object.fromEntries([...SAMPLE_FACETS, ...TRIAL_FACETS].map((f) => [f, new Uint32Array(this.namesOf(f).length)]));
    const missed = new Uint8Array(samples.length);
    const missedFacet = new Uint8Array(samples.length);
    SAMPLE_FACETS.forEach((facet, k) => {
      const mask = masks[facet];
      if (!mask) return;
      const codes = this.sampleCodes[facet];
      for (let s = 0; s < samples.length; s++) if (!mask[codes[s]]) (missed[s]++, (missedFacet[s] = k));
    });
    const trialMasks = TRIAL_FACETS.map((facet) => [masks[facet], c[facet], counts[facet]]);
    const found = this.search(query);
    const allowed = ["run", "condition", "strategy"].filter((f) => masks[f]).map((f) => [f, masks[f]]);
    const disputed = disagreement ? this.dispute(disagreement, allowed) : null;
    const passing = new Uint32Array(samples.length);
    const nearly = new Uint32Array(samples.length);
    let nTrials = 0;
    for (let i = 0; i < n; i++) {
      const s = c.sample[i];
      this.passes[i] = 0;
      if (missed[s] > 1 || (disputed && !disputed[i]) || (found && !found.trial(s, c.answer[i]))) continue;
      let out = missed[s];
      let only = null;
      for (const entry of trialMasks) {
        if (entry[0] && !entry[0][entry[1][i]]) {
          out++;
          only = entry;
        }
      }
      if (out > 1) continue;
      if (out === 0) {
        this.passes[i] = 1;
        nTrials++;
        passing[s]++;
        for (const [, codes, into] of trialMasks) into[codes[i]]++;
      } else if (only) only[2][only[1][i]]++;
      else nearly[s]++;
    }
    SAMPLE_FACETS.forEach((facet, k) => {
      const codes = this.sampleCodes[facet];
      for (let s = 0; s < samples.length; s++) {
        if (passing[s]) counts[facet][codes[s]] += passing[s];
        else if (nearly[s] && missedFacet[s] === k) counts[facet][codes[s]] += nearly[s];
      }
    });
    const onlySamples = !n && TRIAL_FACETS.every((f) => !masks[f]);
    const result = [];
    for (let s = 0; s < samples.length; s++) {
      const isUnasked = onlySamples && this.starts[s] === this.starts[s + 1] && !missed[s] && (!found || found.sample(s));
      if (passing[s] || isUnasked) result.push(s);
    }
    return {samples: Int32Array.from(result), nTrials, counts};
  }

  /** Refusals among a sample's trials that pass. */
  refusals(sample) {
    let all = 0;
    for (const i of this.trialsOf(sample)) if (this.passes[i] && this.columns.verdict[i] === REFUSAL) all++;
    return all;
  }

  /** A trial as an object, for downloads. */
  record(i) {
    const {columns: c, names} = this;
    const sample = this.samples[c.sample[i]];
    const verdict = names.verdict.values[c.verdict[i]];
    return {
      run: this.runs[c.run[i]].run, model: this.runs[c.run[i]].name, trial: c.trial[i], sample: sample.id, kind: sample.kind, scenario: sample.scenario, category: sample.category, request: sample.text,
      condition: names.condition.values[c.condition[i]], strategy: names.strategy.values[c.strategy[i]], repeat: c.repeat[i], scene: c.scene[i] < 0 ? null : names.scene.values[c.scene[i]],
      state: STATES[c.state[i]], verdict: c.verdict[i] === UNJUDGED ? null : verdict, score: Number.isNaN(c.score[i]) ? null : Math.round(c.score[i] * 1e6) / 1e6,
      thoughts: this.thoughts.get(i) ?? "", answer: this.answerOf(i), detail: this.details.get(i) ?? "",
    };
  }
}
