-- A run: one model over a plan of trials. application_id 0x414F5252 ("AORR"), user_version 1.
CREATE TABLE info (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
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
    snr_db REAL NOT NULL
) WITHOUT ROWID;

CREATE TABLE trial (
    id INTEGER PRIMARY KEY,
    sample TEXT NOT NULL REFERENCES sample (id),
    condition TEXT NOT NULL,
    strategy TEXT NOT NULL,
    UNIQUE (sample, condition, strategy)
);

CREATE TABLE response (
    trial INTEGER PRIMARY KEY REFERENCES trial (id),
    is_error INTEGER NOT NULL CHECK (is_error IN (0, 1)),
    text TEXT NOT NULL,
    finish TEXT,
    n_prompt_tokens INTEGER NOT NULL,
    n_answer_tokens INTEGER NOT NULL,
    prefill_s REAL NOT NULL,
    decode_s REAL NOT NULL,
    stored_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ'))
);

CREATE TABLE verdict (
    trial INTEGER NOT NULL REFERENCES trial (id),
    judge TEXT NOT NULL,
    verdict TEXT NOT NULL,
    detail TEXT,
    stored_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ')),
    PRIMARY KEY (trial, judge)
) WITHOUT ROWID;
