-- A run file of schema 3 made into what schema 1 held of it.
PRAGMA user_version = 1;
DROP TABLE call;
DROP TABLE server;
DROP TABLE strategy;
DROP TABLE scene;
DROP TABLE score;
ALTER TABLE sample DROP COLUMN split;
CREATE TABLE old_trial (
    id INTEGER PRIMARY KEY,
    sample TEXT NOT NULL REFERENCES sample (id),
    condition TEXT NOT NULL,
    strategy TEXT NOT NULL,
    UNIQUE (sample, condition, strategy)
);
INSERT INTO old_trial SELECT id, sample, condition, strategy FROM trial;
DROP TABLE trial;
ALTER TABLE old_trial RENAME TO trial;
CREATE TABLE old_response (
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
INSERT INTO old_response
SELECT trial, kind = 'error', text, finish, n_prompt_tokens, n_answer_tokens, prefill_s, decode_s, stored_at
FROM response;
DROP TABLE response;
ALTER TABLE old_response RENAME TO response;
