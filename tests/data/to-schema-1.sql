-- A run file of schema 2 made into what schema 1 held of it.
PRAGMA user_version = 1;
DROP TABLE call;
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
ALTER TABLE response DROP COLUMN answer_at;
ALTER TABLE response DROP COLUMN margin;
ALTER TABLE response DROP COLUMN checked;
ALTER TABLE response DROP COLUMN check_margin;
