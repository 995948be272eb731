-- Active state is small and hot; a task that rests, as it has ended or waits for its start, becomes one row of history. Instants are
-- milliseconds since 1970, ids sixteen bytes, `seq` the order of acceptance: it ties the tables together.

CREATE TABLE workflows (
  wid        INTEGER PRIMARY KEY,
  name       TEXT    NOT NULL,
  version    INTEGER NOT NULL,
  doc        TEXT    NOT NULL,
  created_at INTEGER NOT NULL,
  hidden     INTEGER NOT NULL DEFAULT 0,
  UNIQUE (name, version)
);

-- Every task, wherever its row is.
CREATE TABLE ids (
  id  BLOB PRIMARY KEY,
  seq INTEGER NOT NULL
) WITHOUT ROWID;

-- What a task was asked to do: written at submission, never again.
CREATE TABLE specs (
  seq INTEGER PRIMARY KEY,
  doc TEXT NOT NULL
);

-- Tasks that move, and those that came to rest lately.
CREATE TABLE hot (
  seq          INTEGER PRIMARY KEY,
  id           BLOB    NOT NULL,
  name         TEXT    NOT NULL,
  kind         TEXT    NOT NULL COLLATE NOCASE,
  status       INTEGER NOT NULL,
  created_at   INTEGER NOT NULL,
  completed_at INTEGER,
  due_at       INTEGER,
  resources    TEXT    NOT NULL,
  doc          TEXT    NOT NULL
);
CREATE INDEX hot_created ON hot (created_at, id);
CREATE INDEX hot_due ON hot (due_at) WHERE due_at IS NOT NULL;

-- Sub-tasks beyond the first chunk, which is in the task's row.
CREATE TABLE chunks (
  seq INTEGER NOT NULL,
  n   INTEGER NOT NULL,
  doc TEXT    NOT NULL,
  PRIMARY KEY (seq, n)
) WITHOUT ROWID;

CREATE TABLE outputs (
  seq      INTEGER NOT NULL,
  sub_task INTEGER NOT NULL,
  doc      TEXT    NOT NULL,
  PRIMARY KEY (seq, sub_task)
) WITHOUT ROWID;

-- Attempts that ended other than well; the others are in the sub-task itself.
CREATE TABLE attempts (
  seq      INTEGER NOT NULL,
  sub_task INTEGER NOT NULL,
  number   INTEGER NOT NULL,
  doc      TEXT    NOT NULL,
  PRIMARY KEY (seq, sub_task, number)
) WITHOUT ROWID;

CREATE TABLE keys (
  principal   TEXT    NOT NULL,
  key         TEXT    NOT NULL,
  fingerprint BLOB    NOT NULL,
  seq         INTEGER NOT NULL,
  created_at  INTEGER NOT NULL,
  PRIMARY KEY (principal, key)
) WITHOUT ROWID;
CREATE INDEX keys_created ON keys (created_at);

-- Tasks that rest: ended, waiting for their start, or imported (origin 1, whose doc is their JSON as it came).
CREATE TABLE history (
  seq          INTEGER PRIMARY KEY,
  id           BLOB    NOT NULL,
  name         TEXT    NOT NULL,
  kind         TEXT    NOT NULL COLLATE NOCASE,
  status       INTEGER NOT NULL,
  created_at   INTEGER NOT NULL,
  completed_at INTEGER,
  due_at       INTEGER,
  origin       INTEGER NOT NULL,
  resources    TEXT    NOT NULL,
  doc          TEXT    NOT NULL
);
-- Each order has an index that also answers the filters, so that a walk along it touches no row.
CREATE INDEX history_created ON history (created_at, id, status, kind, completed_at);
CREATE INDEX history_completed ON history (completed_at, id, status, kind);
CREATE INDEX history_name ON history (name, id, status, kind, completed_at);
CREATE INDEX history_status ON history (status, created_at, id, kind, completed_at);
CREATE INDEX history_kind ON history (kind, created_at, id, status, completed_at);
CREATE INDEX history_id ON history (id, status, kind, completed_at);
CREATE INDEX history_due ON history (due_at) WHERE due_at IS NOT NULL;

CREATE TABLE history_resources (
  resource_id  TEXT    NOT NULL,
  seq          INTEGER NOT NULL,
  kind         TEXT    NOT NULL COLLATE NOCASE,
  -- The first of its kind within its task: those together name each task once.
  leads        INTEGER NOT NULL,
  -- The first with its id within its task: likewise.
  first        INTEGER NOT NULL,
  created_at   INTEGER NOT NULL,
  PRIMARY KEY (resource_id, created_at, seq, kind)
) WITHOUT ROWID;
CREATE INDEX history_resources_kind ON history_resources (kind, created_at, seq) WHERE leads;

CREATE VIRTUAL TABLE history_names USING fts5 (
  name, content = 'history', content_rowid = 'seq', columnsize = 0, tokenize = 'trigram'
);

-- Exact totals: tasks by type, status and type of resource ('' counts each task once).
CREATE TABLE counters (
  kind          TEXT    NOT NULL COLLATE NOCASE,
  status        INTEGER NOT NULL,
  resource_kind TEXT    NOT NULL COLLATE NOCASE,
  n             INTEGER NOT NULL,
  PRIMARY KEY (kind, status, resource_kind)
) WITHOUT ROWID;

-- The same by the second, minute, hour and day of completion.
CREATE TABLE completions (
  width         INTEGER NOT NULL,
  bucket        INTEGER NOT NULL,
  kind          TEXT    NOT NULL COLLATE NOCASE,
  status        INTEGER NOT NULL,
  resource_kind TEXT    NOT NULL COLLATE NOCASE,
  n             INTEGER NOT NULL,
  PRIMARY KEY (width, bucket, kind, status, resource_kind)
) WITHOUT ROWID;
