-- Deleted tasks of which parts are left: specs, chunks, outputs, attempts and logs are deleted in slices.
CREATE TABLE doomed (seq INTEGER PRIMARY KEY);
