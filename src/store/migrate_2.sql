-- From schema 1: strategies and scenes of their own, repeats, splits, calls, scores.
CREATE TABLE call (
    id INTEGER PRIMARY KEY,
    machine TEXT NOT NULL,
    started_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ')),
    ended_at TEXT,
    n_stored INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE strategy (
    name TEXT PRIMARY KEY,
    probe TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    prompt TEXT NOT NULL
) WITHOUT ROWID;

INSERT INTO strategy
SELECT DISTINCT strategy, CASE strategy WHEN 'transcribe' THEN 'transcribe' ELSE '' END,
    coalesce((SELECT value FROM info WHERE key = 'prompt.sha256'), ''), ''
FROM trial;

DELETE FROM info WHERE key = 'prompt.sha256';

CREATE TABLE scene (
    id TEXT PRIMARY KEY,
    category TEXT NOT NULL,
    words TEXT NOT NULL,
    names TEXT NOT NULL
) WITHOUT ROWID;

ALTER TABLE sample ADD COLUMN split TEXT NOT NULL DEFAULT '';

CREATE TABLE new_trial (
    id INTEGER PRIMARY KEY,
    sample TEXT NOT NULL REFERENCES sample (id),
    condition TEXT NOT NULL,
    strategy TEXT NOT NULL,
    repeat INTEGER NOT NULL DEFAULT 1,
    scene TEXT,
    UNIQUE (sample, condition, strategy, repeat)
);

INSERT INTO new_trial (id, sample, condition, strategy, scene)
SELECT t.id, t.sample, t.condition, t.strategy,
    CASE t.condition WHEN 'matched' THEN p.scene END
FROM trial t JOIN sample p ON p.id = t.sample;

DROP TABLE trial;

ALTER TABLE new_trial RENAME TO trial;

ALTER TABLE response ADD COLUMN answer_at INTEGER NOT NULL DEFAULT 0;

ALTER TABLE response ADD COLUMN margin REAL;

ALTER TABLE response ADD COLUMN checked INTEGER;

ALTER TABLE response ADD COLUMN check_margin REAL;

CREATE TABLE score (
    trial INTEGER NOT NULL REFERENCES trial (id),
    judge TEXT NOT NULL,
    value REAL,
    stored_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ')),
    PRIMARY KEY (trial, judge)
) WITHOUT ROWID;
