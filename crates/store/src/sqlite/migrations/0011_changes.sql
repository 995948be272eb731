-- Log of changes: a row for each transaction that changed tasks, with the id of each, and the number of
-- changes up to and with it. What became of a task is read from the task.
CREATE TABLE changes (
  number INTEGER PRIMARY KEY,
  total  INTEGER NOT NULL,
  at     INTEGER NOT NULL,
  tasks  BLOB    NOT NULL
);
