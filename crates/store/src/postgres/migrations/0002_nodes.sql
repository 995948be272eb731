-- Several nodes at work at once. Until now one was active and others stood by, as `activity` said; what it ran is recovered as that of
-- node 0, which is no more.

-- One row: the last turn that was begun, the name of the key ring that seals the secrets in here, of the first node that came.
CREATE TABLE installation (
  turn         bigint NOT NULL,
  keys         text,
  -- What signs access tokens at all nodes, sealed by that ring.
  signing_keys text
);
INSERT INTO installation (turn, keys) SELECT turn, keys FROM activity;

-- The turns of nodes: each transaction that writes locks its node's row, so that a turn that was ended writes nothing any more. A turn
-- that is over goes once others took over what its node looked after; until then nobody else gets the node's number.
CREATE TABLE turns (
  turn bigint   PRIMARY KEY,
  node smallint NOT NULL UNIQUE,
  over boolean  NOT NULL DEFAULT false
);
INSERT INTO turns VALUES (0, 0, true);

-- Nodes as they introduce themselves, and when each was last heard of. Those that died stay for a day, to be seen.
DROP TABLE nodes;
CREATE TABLE nodes (
  turn        bigint      PRIMARY KEY,
  node        smallint    NOT NULL,
  name        text        COLLATE "C" NOT NULL,
  address     text        NOT NULL,
  version     text        NOT NULL,
  started_at  bigint      NOT NULL,
  -- Which process of which machine it is, so that it is known to be dead where it can be looked for.
  process     text,
  -- How its connections are called, so that they can be cut.
  application text        NOT NULL,
  -- A transfer: no other node may be at work.
  alone       boolean     NOT NULL,
  seen_at     timestamptz NOT NULL
) WITH (fillfactor = 10);

DROP TABLE activity;
DROP TABLE heartbeat;

-- Which nodes look after something of a task: run an attempt, have it in a queue, watch a lease.
ALTER TABLE hot ADD COLUMN holders smallint[] NOT NULL DEFAULT '{0}';
ALTER TABLE hot ALTER COLUMN holders DROP DEFAULT;
ALTER TABLE hot DROP COLUMN turn;

-- What nodes remember of what is rarely changed counts only while these are the same.
CREATE TABLE revisions (
  name text   COLLATE "C" PRIMARY KEY,
  n    bigint NOT NULL
) WITH (fillfactor = 10);
INSERT INTO revisions VALUES ('workflows', 0), ('settings', 0);

-- Each node counts in a place of its own, which the next one with its number goes on with.
CREATE TABLE places (
  place smallint PRIMARY KEY
);
INSERT INTO counters (place, kind, status, resource_kind, n)
SELECT 0, kind, status, resource_kind, n FROM latest_cells WHERE width = 0
ON CONFLICT (resource_kind, kind, status, place) DO UPDATE SET n = counters.n + excluded.n;
INSERT INTO completions (place, width, bucket, kind, status, resource_kind, n)
SELECT 0, width, bucket, kind, status, resource_kind, n FROM latest_cells WHERE width > 0
ON CONFLICT (width, bucket, resource_kind, kind, status, place) DO UPDATE SET n = completions.n + excluded.n;
INSERT INTO audit_totals (place, n)
SELECT 0, notes FROM tallies WHERE place = 0 ORDER BY number DESC LIMIT 1
ON CONFLICT (place) DO UPDATE SET n = audit_totals.n + excluded.n;
DELETE FROM tallies;

CREATE VIEW latest_tallies AS
SELECT latest.cells, latest.notes FROM places CROSS JOIN LATERAL (
  SELECT cells, notes FROM tallies WHERE tallies.place = places.place ORDER BY number DESC LIMIT 1) AS latest;

CREATE OR REPLACE VIEW latest_cells AS
SELECT (c->>0)::bigint AS width, (c->>1)::bigint AS bucket, (c->>2) COLLATE "C" AS kind, (c->>3)::smallint AS status,
       (c->>4) COLLATE "C" AS resource_kind, (c->>5)::bigint AS n
FROM latest_tallies, jsonb_array_elements(cells) AS c;

CREATE OR REPLACE VIEW noted AS
SELECT n FROM audit_totals UNION ALL SELECT notes FROM latest_tallies;

-- A granted claim of which its task does not know yet: it is told in a transaction of its own.
ALTER TABLE claims ADD COLUMN told boolean NOT NULL DEFAULT true;
CREATE INDEX claims_untold ON claims (since) WHERE held AND NOT told;
