//! `backup` and `restore`.

use std::path::PathBuf;

use clap::Args;

/// `backup`.
#[derive(Debug, Args)]
#[command(after_help = "\
The copy is of one moment, and appears under its name when it is complete: a backup that fails leaves nothing. It is for its \
owner only. Secrets in it are sealed with keys.json: without that file they cannot be read. --with-keys puts a copy of the \
keys beside it (FILE.keys) that only a passphrase opens, so that the two may be kept together.

A PostgreSQL database is backed up with the tools of PostgreSQL.

Examples:
  longhaul backup --data-dir /var/lib/longhaul \"/backup/longhaul-$(date +%F).db\"
  longhaul backup --with-keys /backup/longhaul.db")]
pub(crate) struct BackupArgs {
    /// The file to write; it must not exist
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// The data directory of the server
    #[arg(long, env = "LONGHAUL_DATA_DIR", default_value = "./longhaul-data", value_name = "DIR")]
    pub(crate) data_dir: PathBuf,
    /// Also write FILE.keys: the keys, sealed with a passphrase (LONGHAUL_BACKUP_PASSPHRASE, or asked for)
    #[arg(long)]
    pub(crate) with_keys: bool,
    /// The key file [default: keys.json in the data directory]
    #[arg(long, env = "LONGHAUL_KEY_FILE", value_name = "FILE", requires = "with_keys")]
    pub(crate) key_file: Option<PathBuf>,
    /// Read the passphrase from standard input
    #[arg(long, requires = "with_keys")]
    pub(crate) passphrase_stdin: bool,
}

/// `restore`.
#[derive(Debug, Args)]
#[command(after_help = "\
The data directory must be new or empty. The backup is checked before anything is written: whether it is whole, whether this \
version knows its schema, and whether the keys are those that seal its secrets. The keys are taken from FILE.keys (`backup \
--with-keys`; the passphrase is LONGHAUL_BACKUP_PASSPHRASE, or asked for) or from --key-file, and become keys.json of the data \
directory.

The server on it starts paused, so that nothing runs twice beside the original: reads and decisions work. If the original \
is gone, start it once with --moved; where it lives on, with --copy.

Examples:
  longhaul restore /backup/longhaul-2026-11-30.db --key-file /safe/keys.json --data-dir /var/lib/longhaul
  longhaul serve --data-dir /var/lib/longhaul --moved")]
pub(crate) struct RestoreArgs {
    /// The backup
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// The data directory to make
    #[arg(long, env = "LONGHAUL_DATA_DIR", default_value = "./longhaul-data", value_name = "DIR")]
    pub(crate) data_dir: PathBuf,
    /// The keys that were in use when the backup was made: keys.json, or a copy that `backup --with-keys`
    /// made [default: FILE.keys]
    #[arg(long, value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
    /// Read the passphrase from standard input
    #[arg(long)]
    pub(crate) passphrase_stdin: bool,
}
