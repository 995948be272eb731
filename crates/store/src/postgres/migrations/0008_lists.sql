-- Indexes of lists that hold all that lists filter by, so that a page far from the beginning reads no rows before it. Built beside the load:
-- each statement stands for itself and may be run again.
DROP INDEX CONCURRENTLY IF EXISTS history_by_created;
CREATE INDEX CONCURRENTLY history_by_created ON history (created_at, id) INCLUDE (status, kind, completed_at);
DROP INDEX CONCURRENTLY IF EXISTS history_created;

DROP INDEX CONCURRENTLY IF EXISTS history_by_completed;
CREATE INDEX CONCURRENTLY history_by_completed ON history (completed_at NULLS FIRST, id) INCLUDE (status, kind, created_at);
DROP INDEX CONCURRENTLY IF EXISTS history_completed;

DROP INDEX CONCURRENTLY IF EXISTS history_by_name;
CREATE INDEX CONCURRENTLY history_by_name ON history (sort_name, id) INCLUDE (status, kind, completed_at);
DROP INDEX CONCURRENTLY IF EXISTS history_name;

DROP INDEX CONCURRENTLY IF EXISTS history_by_status;
CREATE INDEX CONCURRENTLY history_by_status ON history (status, created_at, id) INCLUDE (kind, completed_at);
DROP INDEX CONCURRENTLY IF EXISTS history_status;

DROP INDEX CONCURRENTLY IF EXISTS history_by_kind;
CREATE INDEX CONCURRENTLY history_by_kind ON history (kind, created_at, id) INCLUDE (status, completed_at);
DROP INDEX CONCURRENTLY IF EXISTS history_kind;

-- An index alone answers only for pages of the table that the last vacuum found settled: that must include nearly all of history. Tables in
-- partitions have such settings in each of them.
DO $$ BEGIN IF (SELECT relkind FROM pg_class WHERE oid = 'history'::regclass) = 'r' THEN ALTER TABLE history SET (autovacuum_vacuum_insert_scale_factor = 0.02); END IF; END $$;

-- Every beat changes a row. With a page that is nearly full by this, most beats looked for old versions to clear away, which cost the log
-- nearly as much as the beat.
ALTER TABLE nodes SET (fillfactor = 80);

-- What waits for the sweeps of nodes, read along with each beat: when the first task is due, whether a granted claim may be untold, whether
-- any claim is not granted. No row where somebody keeps one of these tables locked: a beat waits for nobody.
CREATE OR REPLACE FUNCTION agenda() RETURNS TABLE (due bigint, untold boolean, waiting boolean) LANGUAGE plpgsql STABLE SET lock_timeout = '20ms' AS $$
BEGIN RETURN QUERY SELECT least((SELECT min(due_at) FROM hot), (SELECT min(due_at) FROM history)),
    EXISTS (SELECT 1 FROM claims WHERE held AND NOT told),
    EXISTS (SELECT 1 FROM claims WHERE mode < 2 AND NOT clear)
      OR EXISTS (SELECT 1 FROM claims WHERE mode = 2 AND clear AND NOT held)
      OR EXISTS (SELECT 1 FROM claims WHERE NOT held AND clear = (mode < 2)) ; EXCEPTION WHEN lock_not_available THEN RETURN ; END $$;
