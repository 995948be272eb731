-- Waiting costs the same however many wait. `clear` says how far a claim is: on a lock, that nobody stands
-- before it on that key any more; on a place, that all locks of its task are so. Once true it stays true, as
-- whoever asks later goes behind.
ALTER TABLE claims ADD COLUMN clear INTEGER NOT NULL DEFAULT 0;

UPDATE claims SET clear = 1 WHERE held = 1;
UPDATE claims SET clear = 1 WHERE clear = 0 AND mode = 1 AND NOT EXISTS (
  SELECT 1 FROM claims AS other WHERE other.key = claims.key AND other.ticket < claims.ticket);
UPDATE claims SET clear = 1 WHERE clear = 0 AND mode = 0 AND NOT EXISTS (
  SELECT 1 FROM claims AS other WHERE other.key = claims.key AND other.ticket < claims.ticket AND other.mode = 1);
UPDATE claims SET clear = 1 WHERE clear = 0 AND mode = 2 AND NOT EXISTS (
  SELECT 1 FROM claims AS other WHERE other.seq = claims.seq AND other.mode < 2 AND other.clear = 0);

-- Who wants a key alone; who has somebody before them; who could have a place.
CREATE INDEX claims_alone ON claims (key, ticket) WHERE mode = 1;
CREATE INDEX claims_behind ON claims (key, ticket) WHERE mode < 2 AND clear = 0;
CREATE INDEX claims_ready ON claims (key, ticket) WHERE mode = 2 AND clear = 1 AND held = 0;
CREATE INDEX claims_held ON claims (key, ticket) WHERE held = 1;
-- For the sweep: tasks that may have nothing before them any more. Those that only wait for a place are found
-- by its key.
CREATE INDEX claims_near ON claims (seq) WHERE held = 0 AND clear = (mode < 2);

-- How many have a place of each key, counted with the claims themselves.
CREATE TABLE places (
  key  TEXT    PRIMARY KEY,
  held INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO places SELECT key, count(*) FROM claims WHERE mode = 2 AND held = 1 GROUP BY key;
CREATE TRIGGER places_taken AFTER INSERT ON claims WHEN new.mode = 2 AND new.held = 1 BEGIN
  INSERT INTO places VALUES (new.key, 1) ON CONFLICT (key) DO UPDATE SET held = held + 1;
END;
CREATE TRIGGER places_changed AFTER UPDATE OF held ON claims WHEN new.mode = 2 AND new.held <> old.held BEGIN
  INSERT INTO places VALUES (new.key, new.held - old.held) ON CONFLICT (key) DO UPDATE SET held = held + excluded.held;
  DELETE FROM places WHERE key = new.key AND held = 0;
END;
CREATE TRIGGER places_left AFTER DELETE ON claims WHEN old.mode = 2 AND old.held = 1 BEGIN
  UPDATE places SET held = held - 1 WHERE key = old.key;
  DELETE FROM places WHERE key = old.key AND held = 0;
END;
