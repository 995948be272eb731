-- Who changed what: appended in the transaction of the change, pruned from its beginning, so without gaps.
CREATE TABLE audit (
  seq      INTEGER PRIMARY KEY,
  at       INTEGER NOT NULL,
  by       TEXT    NOT NULL,
  origin   TEXT,
  action   TEXT    NOT NULL,
  target   TEXT,
  detail   TEXT,
  accepted INTEGER NOT NULL
);

-- Settings that belong to the tasks and not to one server.
CREATE TABLE settings (
  name TEXT PRIMARY KEY,
  doc  TEXT NOT NULL
) WITHOUT ROWID;

-- Resources that a task has for itself.
CREATE TABLE locks (
  key TEXT    PRIMARY KEY,
  seq INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX locks_seq ON locks (seq);
