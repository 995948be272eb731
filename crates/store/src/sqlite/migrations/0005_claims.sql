-- What tasks have for themselves, and what they wait for. A ticket is a task's place in the order of arrival: who has a lower one on the
-- same key goes first, unless both share.
CREATE TABLE claims (
  key    TEXT    NOT NULL,
  ticket INTEGER NOT NULL,
  seq    INTEGER NOT NULL,
  kind   TEXT    NOT NULL,
  name   TEXT    NOT NULL,
  -- 0 with others that share, 1 alone, 2 as one of `most`.
  mode   INTEGER NOT NULL,
  most   INTEGER NOT NULL,
  held   INTEGER NOT NULL,
  since  INTEGER NOT NULL,
  PRIMARY KEY (key, ticket)
) WITHOUT ROWID;
CREATE INDEX claims_seq ON claims (seq);
CREATE INDEX claims_ticket ON claims (ticket);

-- Until now only credentials tasks had any.
INSERT INTO claims (key, ticket, seq, kind, name, mode, most, held, since)
SELECT 'r ' || key, seq, seq, substr(key, 1, instr(key, ' ') - 1), substr(key, instr(key, ' ') + 1), 1, 0, 1, 0 FROM locks;
DROP TABLE locks;
