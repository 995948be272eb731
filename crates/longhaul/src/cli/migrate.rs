//! `migrate`.

use std::path::PathBuf;

use clap::Args;
use longhaul_store::Location;

/// `migrate`.
#[derive(Debug, Args)]
#[command(after_help = "\
A STORE is sqlite:DIR, the data directory of a server, or postgres://user:password@host/database, the database of nodes; just \
postgres means the one in LONGHAUL_DATABASE_URL, which no list of processes shows. Stop whatever runs on the two first. Everything is moved: tasks with their attempts, logs and waiting times, workflows, users and API \
keys, settings, the audit log. Then the target is read back and compared row by row with what was sent.

It may be interrupted, or killed, at any time: the same command goes on where it ended. Until it has ended, neither store \
can be served, and afterwards only the target can: no task is run by two servers. --undo gives the source back as it was, \
without what happened in the target since.

The key file opens the secrets among what is moved. It does not move: give it to the server that goes on.

Examples:
  longhaul migrate --from sqlite:/var/lib/longhaul --to postgres
  longhaul migrate --from postgres://longhaul@db1/longhaul --to sqlite:/var/lib/longhaul --key-file /etc/longhaul/keys.json
  longhaul migrate --undo sqlite:/var/lib/longhaul")]
pub(crate) struct MigrateArgs {
    /// The store to move everything from
    #[arg(long, value_name = "STORE", required_unless_present = "undo", requires = "to", value_parser = store)]
    pub(crate) from: Option<Location>,
    /// The store to move everything to: a directory or database with nothing in it; a directory is made
    #[arg(long, value_name = "STORE", requires = "from", value_parser = store)]
    pub(crate) to: Option<Location>,
    /// The key file of the server [default: keys.json in the data directory]
    #[arg(long, env = "LONGHAUL_KEY_FILE", value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
    /// Make a store usable again from which everything was moved, or was to be
    #[arg(long, value_name = "STORE", conflicts_with_all = ["from", "to"], value_parser = store)]
    pub(crate) undo: Option<Location>,
}

fn store(text: &str) -> Result<Location, String> {
    if text != "postgres" {
        return text.parse();
    }
    let url = crate::environment::text("LONGHAUL_DATABASE_URL").filter(|url| !url.is_empty());
    url.ok_or("LONGHAUL_DATABASE_URL is not set")?.parse()
}
