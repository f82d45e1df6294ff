-- From schema 2: kinds of responses, servers, tries and costs. All models were local.
INSERT OR IGNORE INTO info VALUES ('model.protocol', 'none');

CREATE TABLE server (
    id INTEGER PRIMARY KEY,
    facts TEXT NOT NULL UNIQUE
);

CREATE TABLE new_response (
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

INSERT INTO new_response (trial, kind, text, finish, n_prompt_tokens, n_answer_tokens, prefill_s,
    decode_s, stored_at, answer_at, margin, checked, check_margin)
SELECT trial, CASE is_error WHEN 0 THEN 'answer' ELSE 'error' END, text, finish, n_prompt_tokens,
    n_answer_tokens, prefill_s, decode_s, stored_at, answer_at, margin, checked, check_margin
FROM response;

DROP TABLE response;

ALTER TABLE new_response RENAME TO response;
