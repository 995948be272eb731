-- Active state is small and hot; a task that rests, as it has ended or waits for its start, becomes one row of history. Instants are
-- milliseconds since 1970. Every table of tasks carries the task's id, by which it can be distributed, and no foreign key leaves a task;
-- `shard` is 0 to 63, from the id. Texts are compared by their bytes, whatever the database's locale.

CREATE EXTENSION IF NOT EXISTS pg_trgm;

CREATE TABLE workflows (
  wid        bigint  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name       text    COLLATE "C" NOT NULL,
  version    integer NOT NULL,
  doc        text    NOT NULL,
  created_at bigint  NOT NULL,
  hidden     boolean NOT NULL DEFAULT false,
  UNIQUE (name, version)
);

-- What a task was asked to do: written at submission, again only when a retry brings a new input.
CREATE TABLE specs (
  id    uuid     PRIMARY KEY,
  shard smallint NOT NULL,
  doc   text     NOT NULL
);

-- Tasks that move. Each change of one replaces its document, which no index has: the row stays on its page.
CREATE TABLE hot (
  id           uuid     PRIMARY KEY,
  shard        smallint NOT NULL,
  -- One more with each change: what a node remembers of the task counts only while this is the same.
  version      bigint   NOT NULL,
  -- Which turn of activity the task started in: those of an earlier one are recovered.
  turn         bigint   NOT NULL,
  name         text     COLLATE "C" NOT NULL,
  -- The beginning of the name, to sort by, and the name in small letters, to search in.
  sort_name    text     COLLATE "C" NOT NULL,
  folded       text     COLLATE "C" NOT NULL,
  kind         text     COLLATE "C" NOT NULL,
  status       smallint NOT NULL,
  created_at   bigint   NOT NULL,
  completed_at bigint,
  due_at       bigint,
  -- Each resource by its type, by its id, and by both.
  found_by     text[]   COLLATE "C" NOT NULL,
  resources    text     NOT NULL,
  doc          text     NOT NULL
) WITH (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
-- For lists once much was deleted here, and the table has many empty pages.
CREATE INDEX hot_created ON hot (created_at, id);
CREATE INDEX hot_due ON hot (due_at) WHERE due_at IS NOT NULL;

-- Sub-tasks beyond the first chunk, which is in the task's row.
CREATE TABLE chunks (
  id    uuid     NOT NULL,
  shard smallint NOT NULL,
  n     integer  NOT NULL,
  doc   text     NOT NULL,
  PRIMARY KEY (id, n)
);

CREATE TABLE outputs (
  id       uuid     NOT NULL,
  shard    smallint NOT NULL,
  sub_task integer  NOT NULL,
  doc      text     NOT NULL,
  PRIMARY KEY (id, sub_task)
);

-- Attempts that ended other than well; the others are in the sub-task itself.
CREATE TABLE attempts (
  id       uuid     NOT NULL,
  shard    smallint NOT NULL,
  sub_task integer  NOT NULL,
  number   integer  NOT NULL,
  doc      text     NOT NULL,
  PRIMARY KEY (id, sub_task, number)
);

CREATE TABLE keys (
  principal   text   COLLATE "C" NOT NULL,
  key         text   COLLATE "C" NOT NULL,
  fingerprint bytea  NOT NULL,
  id          uuid   NOT NULL,
  created_at  bigint NOT NULL,
  PRIMARY KEY (principal, key)
);
CREATE INDEX keys_created ON keys (created_at);

-- Tasks that rest: ended, waiting for their start, or imported (origin 1, whose doc is their JSON as it came).
CREATE TABLE history (
  id           uuid     PRIMARY KEY,
  shard        smallint NOT NULL,
  version      bigint   NOT NULL,
  name         text     COLLATE "C" NOT NULL,
  sort_name    text     COLLATE "C" NOT NULL,
  folded       text     COLLATE "C" NOT NULL,
  kind         text     COLLATE "C" NOT NULL,
  status       smallint NOT NULL,
  created_at   bigint   NOT NULL,
  completed_at bigint,
  due_at       bigint,
  origin       smallint NOT NULL,
  found_by     text[]   COLLATE "C" NOT NULL,
  resources    text     NOT NULL,
  doc          text     NOT NULL
);
CREATE INDEX history_created ON history (created_at, id);
CREATE INDEX history_completed ON history (completed_at NULLS FIRST, id);
CREATE INDEX history_name ON history (sort_name, id);
CREATE INDEX history_status ON history (status, created_at, id);
CREATE INDEX history_kind ON history (kind, created_at, id);
CREATE INDEX history_due ON history (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX history_found_by ON history USING gin (found_by);
CREATE INDEX history_folded ON history USING gin (folded gin_trgm_ops);

-- Exact totals: tasks by type, status and type of resource ('' counts each task once). Writers add in places of their own, so that none
-- waits for another; a total is the sum.
CREATE TABLE counters (
  place         smallint NOT NULL,
  kind          text     COLLATE "C" NOT NULL,
  status        smallint NOT NULL,
  resource_kind text     COLLATE "C" NOT NULL,
  n             bigint   NOT NULL,
  PRIMARY KEY (resource_kind, kind, status, place)
) WITH (fillfactor = 50);

-- The same by the second, minute, hour and day of completion.
CREATE TABLE completions (
  place         smallint NOT NULL,
  width         bigint   NOT NULL,
  bucket        bigint   NOT NULL,
  kind          text     COLLATE "C" NOT NULL,
  status        smallint NOT NULL,
  resource_kind text     COLLATE "C" NOT NULL,
  n             bigint   NOT NULL,
  PRIMARY KEY (width, bucket, resource_kind, kind, status, place)
) WITH (fillfactor = 50);

-- What a writer has counted since it last added to the totals, a new row with each transaction, of which the newest counts: see tally.rs.
-- Cells are [width, bucket, type, status, type of resource, number], of width 0 in all and else by the bucket of completion.
CREATE TABLE tallies (
  place  smallint NOT NULL,
  number bigint   NOT NULL,
  cells  jsonb    NOT NULL,
  notes  bigint   NOT NULL,
  PRIMARY KEY (place, number)
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);

CREATE VIEW latest_cells AS
SELECT (c->>0)::bigint AS width, (c->>1)::bigint AS bucket, (c->>2) COLLATE "C" AS kind, (c->>3)::smallint AS status,
       (c->>4) COLLATE "C" AS resource_kind, (c->>5)::bigint AS n
FROM (SELECT cells FROM tallies WHERE place = 0 ORDER BY number DESC LIMIT 1) AS latest, jsonb_array_elements(latest.cells) AS c;

-- The totals as they are.
CREATE VIEW counted AS
SELECT kind, status, resource_kind, n FROM counters
UNION ALL SELECT kind, status, resource_kind, n FROM latest_cells WHERE width = 0;

CREATE VIEW completed AS
SELECT width, bucket, kind, status, resource_kind, n FROM completions
UNION ALL SELECT width, bucket, kind, status, resource_kind, n FROM latest_cells WHERE width > 0;

-- What attempts wrote: chunks of lines, numbered through the task by their first line.
CREATE TABLE logs (
  id       uuid     NOT NULL,
  shard    smallint NOT NULL,
  n        bigint   NOT NULL,
  sub_task integer  NOT NULL,
  attempt  integer  NOT NULL,
  lines    bigint   NOT NULL,
  -- Bytes that the attempt wrote up to the end of this chunk.
  total    bigint   NOT NULL,
  doc      text     NOT NULL,
  PRIMARY KEY (id, n)
);
CREATE INDEX logs_attempt ON logs (id, sub_task, attempt, n);

-- What tasks have for themselves, and what they wait for. A ticket is a task's place in the order of arrival: who has a lower one on the
-- same key goes first, unless both share.
CREATE TABLE claims (
  key    text     COLLATE "C" NOT NULL,
  ticket bigint   NOT NULL,
  id     uuid     NOT NULL,
  kind   text     COLLATE "C" NOT NULL,
  name   text     COLLATE "C" NOT NULL,
  -- 0 with others that share, 1 alone, 2 as one of `most`.
  mode   smallint NOT NULL,
  most   bigint   NOT NULL,
  held   boolean  NOT NULL,
  since  bigint   NOT NULL,
  PRIMARY KEY (key, ticket)
);
CREATE INDEX claims_id ON claims (id);
CREATE SEQUENCE tickets;

-- Who changed what: appended in the transaction of the change, pruned from its beginning.
CREATE TABLE audit (
  seq      bigint  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at       bigint  NOT NULL,
  by       text    COLLATE "C" NOT NULL,
  origin   text,
  action   text    COLLATE "C" NOT NULL,
  target   text    COLLATE "C",
  detail   text,
  accepted boolean NOT NULL
);
CREATE INDEX audit_target ON audit (lower(target), seq);

-- How many notes there are, added to in places as with the counters.
CREATE TABLE audit_totals (
  place smallint PRIMARY KEY,
  n     bigint   NOT NULL
) WITH (fillfactor = 50);

CREATE VIEW noted AS
SELECT n FROM audit_totals
UNION ALL SELECT notes FROM (SELECT notes FROM tallies WHERE place = 0 ORDER BY number DESC LIMIT 1) AS latest;

-- Settings that belong to the tasks and not to one server.
CREATE TABLE settings (
  name text COLLATE "C" PRIMARY KEY,
  doc  text NOT NULL
);

-- Accounts. Names are compared without case (`folded`) and kept as written; of secrets there are only digests and hashes.
CREATE TABLE users (
  folded        text    COLLATE "C" PRIMARY KEY,
  name          text    NOT NULL,
  role          text    NOT NULL,
  kind          text    NOT NULL,
  password_hash text,
  disabled      boolean NOT NULL,
  epoch         bigint  NOT NULL,
  created_at    bigint  NOT NULL
);

CREATE TABLE api_keys (
  id           text   COLLATE "C" PRIMARY KEY,
  folded       text   COLLATE "C" NOT NULL,
  name         text,
  hash         bytea  NOT NULL,
  created_at   bigint NOT NULL,
  last_used_at bigint
);
CREATE INDEX api_keys_user ON api_keys (folded, created_at);

-- Either rests on an account, in one epoch of it, or on the role that another issuer gave.
CREATE TABLE refresh_tokens (
  hash       bytea  PRIMARY KEY,
  name       text   NOT NULL,
  folded     text   COLLATE "C" NOT NULL,
  epoch      bigint,
  role       text,
  created_at bigint NOT NULL,
  expires_at bigint NOT NULL
);
CREATE INDEX refresh_tokens_user ON refresh_tokens (folded);
CREATE INDEX refresh_tokens_end ON refresh_tokens (expires_at);

-- One row: the number of changes of accounts, and the newest epoch, which no other account gets again.
CREATE TABLE account_state (
  revision bigint NOT NULL,
  epoch    bigint NOT NULL
);
INSERT INTO account_state VALUES (0, 0);

-- One row: which turn of activity this is, and whose. Every node that becomes active begins one, and each of its transactions checks that
-- it lasts still.
CREATE TABLE activity (
  turn  bigint      NOT NULL,
  node  text        NOT NULL,
  since timestamptz NOT NULL,
  -- Which process of which machine that is, so that it is known to be dead where it can be looked for.
  process text,
  -- The name of the key ring that seals the secrets in here; of the first node that came.
  keys  text
);
INSERT INTO activity VALUES (0, '', now(), NULL, NULL);

-- Nodes, active or standing by, and when each was last heard of.
CREATE TABLE nodes (
  name       text        COLLATE "C" PRIMARY KEY,
  address    text        NOT NULL,
  version    text        NOT NULL,
  started_at bigint      NOT NULL,
  seen_at    timestamptz NOT NULL
) WITH (fillfactor = 10);

-- One row: when the active node was last heard of, and by which connection; none once it has let go of its turn.
CREATE TABLE heartbeat (
  pid     integer,
  seen_at timestamptz NOT NULL
) WITH (fillfactor = 10);
INSERT INTO heartbeat VALUES (NULL, now());
