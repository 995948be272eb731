//! Settings that every connection has, whatever the server, the database or the role sets.

/// First statements of a connection. Settings that Longhaul relies on are not left to `postgresql.conf`,
/// `ALTER ROLE … SET` or `ALTER DATABASE … SET`:
///
/// - transactions are READ COMMITTED: statements take row locks in an order that rules conflicts out, and a
///   stricter isolation refuses them all the same;
/// - sessions may write, and no time limit but Longhaul's own ends them;
/// - statements are not compiled: that takes longer than any of Longhaul's;
/// - confirmed commits are on disk: `synchronous_commit = off` becomes `on`. The other values, which say how
///   many standbys have it too, stay.
///
/// A standby refuses `READ WRITE`: the next server is asked.
pub(super) const PINNED: &str = "BEGIN READ WRITE;
    SET default_transaction_isolation = 'read committed';
    SET default_transaction_read_only = off;
    SET default_transaction_deferrable = off;
    SET statement_timeout = 0;
    SET lock_timeout = 0;
    SET idle_in_transaction_session_timeout = 0;
    SET idle_session_timeout = 0;
    SET standard_conforming_strings = on;
    SET jit = off;
    SELECT set_config(name, value, false)
      FROM (VALUES ('synchronous_commit', 'off', 'on'), ('transaction_timeout', NULL, '0')) AS pinned (name, bad, value)
      WHERE current_setting(name, true) = coalesce(bad, current_setting(name, true));
    COMMIT";
