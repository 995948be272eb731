//! `backup`: an online copy of the database of a data directory, and of its keys.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use longhaul_crypto::{Zeroizing, passphrase};

use super::ask;
use crate::cli::BackupArgs;
use crate::exit::{Code, Failure};
use crate::out::Out;
use crate::out::bar::bar;

/// Copies the database, with a bar on a terminal, and then the keys: they may be rotated meanwhile, and later
/// keys open what earlier ones sealed.
pub(crate) fn run(args: &BackupArgs, out: &Out) -> Result<Code, Failure> {
    let asked = || ask::new_secret("Passphrase for the copy of the keys", ask::PASSPHRASE);
    let phrase = args.with_keys.then(|| given_passphrase(args.passphrase_stdin, asked)).transpose()?;
    let bar = bar("{wide_bar} {bytes} of about {total_bytes}", 0)?;
    let copied = longhaul_store::sqlite::backup(&args.data_dir, &args.file, |done, expected| {
        bar.set_length(expected);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let bytes = copied.map_err(|e| anyhow!("{e}"))?;
    out.text(&format!("{}: {bytes} bytes\n", args.file.display()))?;
    if let Some(phrase) = phrase {
        let keys = sealed_keys(args, &phrase)?;
        out.text(&format!("{}: its keys, sealed with the passphrase\n", keys.display()))?;
    }
    Ok(Code::Success)
}

/// Returns the path of the keys of a backup.
pub(super) fn keys_beside(backup: &Path) -> PathBuf {
    PathBuf::from(format!("{}.keys", backup.display()))
}

/// Writes a copy of the keys that a passphrase opens; returns its path.
fn sealed_keys(args: &BackupArgs, phrase: &str) -> Result<PathBuf, Failure> {
    let key_file = args.key_file.clone().unwrap_or_else(|| args.data_dir.join("keys.json"));
    let plain = std::fs::read(&key_file).with_context(|| key_file.display().to_string())?;
    let plain = Zeroizing::new(plain);
    let sealed = passphrase::seal(&plain, phrase).map_err(|e| anyhow!("the keys were not sealed: {e}"))?;
    let file = keys_beside(&args.file);
    let mut options = std::fs::File::options();
    let made = options.write(true).create_new(true).mode(0o600).open(&file);
    let written = made.and_then(|mut made| made.write_all(sealed.as_bytes()).and_then(|()| made.sync_all()));
    written.with_context(|| file.display().to_string())?;
    Ok(file)
}

/// Returns the passphrase from standard input, the environment, or a prompt.
pub(super) fn given_passphrase(
    stdin: bool,
    asked: impl FnOnce() -> Result<String, Failure>,
) -> Result<Zeroizing<String>, Failure> {
    let phrase =
        match crate::environment::text("LONGHAUL_BACKUP_PASSPHRASE").filter(|phrase| !phrase.is_empty()) {
            _ if stdin => ask::next_line()?,
            Some(phrase) => phrase,
            None => asked()?,
        };
    if phrase.is_empty() {
        return Err(Failure::Usage("the passphrase is empty".to_owned()));
    }
    Ok(Zeroizing::new(phrase))
}
