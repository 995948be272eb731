-- Accounts. Names are compared without case and kept as written; of secrets there are only digests and hashes.
CREATE TABLE users (
  name          TEXT    NOT NULL COLLATE NOCASE PRIMARY KEY,
  role          TEXT    NOT NULL,
  kind          TEXT    NOT NULL,
  password_hash TEXT,
  disabled      INTEGER NOT NULL,
  epoch         INTEGER NOT NULL,
  created_at    INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE api_keys (
  id           TEXT    NOT NULL PRIMARY KEY,
  user         TEXT    NOT NULL COLLATE NOCASE,
  name         TEXT,
  hash         BLOB    NOT NULL,
  created_at   INTEGER NOT NULL,
  last_used_at INTEGER
) WITHOUT ROWID;
CREATE INDEX api_keys_user ON api_keys (user, created_at);

-- Either rests on an account, in one epoch of it, or on the role that another issuer gave.
CREATE TABLE refresh_tokens (
  hash       BLOB    NOT NULL PRIMARY KEY,
  user       TEXT    NOT NULL COLLATE NOCASE,
  epoch      INTEGER,
  role       TEXT,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX refresh_tokens_user ON refresh_tokens (user);
CREATE INDEX refresh_tokens_end ON refresh_tokens (expires_at);

-- One row: the number of changes of accounts, and the newest epoch, which no other account gets again.
CREATE TABLE account_state (
  revision INTEGER NOT NULL,
  epoch    INTEGER NOT NULL
);
INSERT INTO account_state VALUES (0, 0);
