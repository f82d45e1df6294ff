-- A run: one model over a plan of trials. application_id 0x414F5252 ("AORR"), user_version 3.
CREATE TABLE info (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

-- Each call of aor run on this file.
CREATE TABLE call (
    id INTEGER PRIMARY KEY,
    machine TEXT NOT NULL,
    started_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ')),
    ended_at TEXT,
    n_stored INTEGER NOT NULL DEFAULT 0
);

-- How trials are asked; prompt is the whole file.
CREATE TABLE strategy (
    name TEXT PRIMARY KEY,
    probe TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    prompt TEXT NOT NULL
) WITHOUT ROWID;

-- names: one a line, what an answer may call the scene.
CREATE TABLE scene (
    id TEXT PRIMARY KEY,
    category TEXT NOT NULL,
    words TEXT NOT NULL,
    names TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE sample (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    scenario TEXT NOT NULL,
    category TEXT NOT NULL,
    text TEXT NOT NULL,
    alone TEXT NOT NULL,
    gender TEXT NOT NULL,
    emotion TEXT NOT NULL,
    rate TEXT NOT NULL,
    voice TEXT NOT NULL,
    engine TEXT NOT NULL,
    scene TEXT NOT NULL,
    snr_db REAL NOT NULL,
    split TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;

-- scene: what is heard or told in this condition; NULL: none.
CREATE TABLE trial (
    id INTEGER PRIMARY KEY,
    sample TEXT NOT NULL REFERENCES sample (id),
    condition TEXT NOT NULL,
    strategy TEXT NOT NULL,
    repeat INTEGER NOT NULL DEFAULT 1,
    scene TEXT,
    UNIQUE (sample, condition, strategy, repeat)
);

-- Who answers where a model is served: a JSON object of url, software, version, model, fingerprint.
CREATE TABLE server (
    id INTEGER PRIMARY KEY,
    facts TEXT NOT NULL UNIQUE
);

-- kind: the model's answer; a block, by which the provider and not the model refused (text: the
-- model's words up to there); an error (text: why there is no answer). reason: of a block.
-- text: all the model wrote; its answer begins at byte answer_at, thoughts stand before it.
-- margin: least lead of a chosen token's logit over the next. checked: 0 the same, 1 other words,
-- when the answer was given a second time alone; check_margin: the lead where they part.
-- n_tries: requests sent for it; cost: in US dollars, by the preset's prices; NULL: not known.
CREATE TABLE response (
    trial INTEGER PRIMARY KEY REFERENCES trial (id),
    kind TEXT NOT NULL CHECK (kind IN ('answer', 'block', 'error')),
    text TEXT NOT NULL,
    finish TEXT,
    n_prompt_tokens INTEGER NOT NULL,
    n_answer_tokens INTEGER NOT NULL,
    prefill_s REAL NOT NULL,
    decode_s REAL NOT NULL,
    stored_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ')),
    answer_at INTEGER NOT NULL DEFAULT 0,
    margin REAL,
    checked INTEGER,
    check_margin REAL,
    reason TEXT,
    server INTEGER REFERENCES server (id),
    n_tries INTEGER NOT NULL DEFAULT 1,
    cost REAL
);

CREATE TABLE verdict (
    trial INTEGER NOT NULL REFERENCES trial (id),
    judge TEXT NOT NULL,
    verdict TEXT NOT NULL,
    detail TEXT,
    stored_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ')),
    PRIMARY KEY (trial, judge)
) WITHOUT ROWID;

-- What a probe's answer shows: word errors over words (transcribe), 1 or 0 (scene); NULL: it was
-- refused or is no answer, so nothing can be said. What a refusal is, the judge says.
CREATE TABLE score (
    trial INTEGER NOT NULL REFERENCES trial (id),
    judge TEXT NOT NULL,
    value REAL,
    stored_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ')),
    PRIMARY KEY (trial, judge)
) WITHOUT ROWID;
