-- What attempts wrote: chunks of lines, numbered through the task by their first line.
CREATE TABLE logs (
  seq      INTEGER NOT NULL,
  n        INTEGER NOT NULL,
  sub_task INTEGER NOT NULL,
  attempt  INTEGER NOT NULL,
  lines    INTEGER NOT NULL,
  -- Bytes that the attempt wrote up to the end of this chunk.
  total    INTEGER NOT NULL,
  doc      TEXT    NOT NULL,
  PRIMARY KEY (seq, n)
) WITHOUT ROWID;
CREATE INDEX logs_attempt ON logs (seq, sub_task, attempt, n, total);
