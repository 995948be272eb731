-- Puts the tables of tasks into partitions: by hash of the task's id what is active, by time what has ended (an id begins with the
-- moment of its creation). Run it once, by `psql -1 -f partitions.sql`, on a database whose schema a node has made and on which no
-- node is at work. Longhaul runs on the one layout as on the other.

DO $$
DECLARE
  parts CONSTANT integer := 8;
  one text;
BEGIN
  FOREACH one IN ARRAY ARRAY['specs', 'hot', 'chunks', 'outputs', 'attempts', 'logs'] LOOP
    EXECUTE format('ALTER TABLE %I RENAME TO %I', one, one || '_whole');
    EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL) PARTITION BY HASH (id)', one, one || '_whole');
    FOR n IN 0..parts - 1 LOOP
      EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES WITH (MODULUS %s, REMAINDER %s) %s',
        one || '_' || n, one, parts, n,
        -- As the whole table had it: see the schema.
        CASE one WHEN 'hot' THEN
          'WITH (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0)' ELSE '' END);
    END LOOP;
    EXECUTE format('INSERT INTO %I SELECT * FROM %I', one, one || '_whole');
    EXECUTE format('DROP TABLE %I', one || '_whole');
  END LOOP;
END $$;

-- The first id of a moment.
CREATE FUNCTION id_of(moment timestamptz) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
  SELECT (lpad(to_hex((extract(epoch FROM moment) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
$$;

-- A partition of history for the month that begins then. A month whose partition is missing goes into `history_rest`, with what was
-- imported: make those of the coming months in time, by a job each month.
CREATE FUNCTION history_month(begins date) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('CREATE TABLE IF NOT EXISTS %I PARTITION OF history FOR VALUES FROM (%L) TO (%L)
      WITH (autovacuum_vacuum_insert_scale_factor = 0.02)',
    'history_' || to_char(begins, 'YYYY_MM'), id_of(begins), id_of(begins + interval '1 month'));
END $$;

ALTER TABLE history RENAME TO history_whole;
CREATE TABLE history (LIKE history_whole INCLUDING ALL) PARTITION BY RANGE (id);
CREATE TABLE history_rest PARTITION OF history DEFAULT WITH (autovacuum_vacuum_insert_scale_factor = 0.02);
SELECT history_month((date_trunc('month', now()) + n * interval '1 month')::date) FROM generate_series(0, 11) AS n;
INSERT INTO history SELECT * FROM history_whole;
DROP TABLE history_whole;
