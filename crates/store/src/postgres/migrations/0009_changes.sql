-- Log of changes: a row for each transaction that changed tasks, with the id of each. Each writer and the
-- one-off transactions of each node have a log of their own, so that the numbers of a log are
-- committed in order; `total` is the number of changes in the log up to and with the row.
CREATE TABLE changes (
  place  smallint NOT NULL,
  number bigint   NOT NULL,
  total  bigint   NOT NULL,
  at     bigint   NOT NULL,
  tasks  bytea    NOT NULL,
  PRIMARY KEY (place, number)
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);
