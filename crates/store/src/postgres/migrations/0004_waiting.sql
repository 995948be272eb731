-- Waiting costs the same however many wait. `clear` says how far a claim is: on a lock, that nobody stands
-- before it on that key any more; on a place, that all locks of its task are so. Once true it stays true, as
-- whoever asks later goes behind.
ALTER TABLE claims ADD COLUMN clear boolean NOT NULL DEFAULT false;

UPDATE claims SET clear = true WHERE held;
UPDATE claims SET clear = true WHERE NOT clear AND mode = 1 AND NOT EXISTS (
  SELECT 1 FROM claims AS other WHERE other.key = claims.key AND other.ticket < claims.ticket);
UPDATE claims SET clear = true WHERE NOT clear AND mode = 0 AND NOT EXISTS (
  SELECT 1 FROM claims AS other WHERE other.key = claims.key AND other.ticket < claims.ticket AND other.mode = 1);
UPDATE claims SET clear = true WHERE NOT clear AND mode = 2 AND NOT EXISTS (
  SELECT 1 FROM claims AS other WHERE other.id = claims.id AND other.mode < 2 AND NOT other.clear);

-- Who wants a key alone; who has somebody before them; who could have a place; who has one.
CREATE INDEX claims_alone ON claims (key, ticket) WHERE mode = 1;
CREATE INDEX claims_behind ON claims (key, ticket) WHERE mode < 2 AND NOT clear;
CREATE INDEX claims_ready ON claims (key, ticket) WHERE mode = 2 AND clear AND NOT held;
CREATE INDEX claims_held ON claims (key, ticket) WHERE held;
-- For the sweep: tasks that may have nothing before them any more. Those that only wait for a place are found
-- by its key.
CREATE INDEX claims_near ON claims (id) WHERE NOT held AND clear = (mode < 2);

-- Nodes of before decide on claims in another way: their turns are over, and what they looked after the new
-- ones take over. Last, as their transactions lock these rows last.
UPDATE turns SET over = true WHERE NOT over;
