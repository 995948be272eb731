//! `restore`: makes a data directory from a backup and its keys.

use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use anyhow::{Context, anyhow};
use longhaul_crypto::{Keyring, Zeroizing, passphrase};

use super::ask;
use super::backup::{given_passphrase, keys_beside};
use crate::cli::RestoreArgs;
use crate::exit::{Code, Failure};
use crate::out::Out;
use crate::out::bar::bar;

/// Restores a backup, with a bar on a terminal. The keys are written before the database, which is never
/// there without them.
pub(crate) fn run(args: &RestoreArgs, out: &Out) -> Result<Code, Failure> {
    let keys = keys(args)?;
    let name = Keyring::id_of(&keys).map_err(|e| anyhow!("the keys cannot be used: {e}"))?;
    let bar = bar("{wide_bar} {bytes} of {total_bytes}", 0)?;
    let restored = longhaul_store::sqlite::restore(
        &args.file,
        &args.data_dir,
        Some(&name),
        || place(&keys, &args.data_dir),
        |done, all| {
            bar.set_length(all);
            bar.set_position(done);
        },
    );
    bar.finish_and_clear();
    let restored = restored.map_err(|e| anyhow!("{e}"))?;
    if !restored.is_summed {
        out.text(&format!(
            "there is no {}.sha256: the structure of the backup was checked, its content was not\n",
            args.file.display()
        ))?;
    }
    let bytes = restored.bytes;
    let directory = args.data_dir.display();
    out.text(&format!(
        "{directory}: {bytes} bytes\n\
         a server on it starts paused: `longhaul serve --data-dir {directory}` to look at it, with --moved where the original \
         is gone, with --copy where it lives on\n"
    ))?;
    Ok(Code::Success)
}

/// The keys, in clear.
fn keys(args: &RestoreArgs) -> Result<Zeroizing<Vec<u8>>, Failure> {
    // Before the keys beside it: without the backup there are none to speak of.
    std::fs::metadata(&args.file).with_context(|| args.file.display().to_string())?;
    let beside = keys_beside(&args.file);
    let file = match &args.key_file {
        Some(file) => file.clone(),
        None if beside.exists() => beside,
        None => {
            return Err(Failure::Usage(format!(
                "--key-file says which keys open the secrets in the backup: there is no {}",
                beside.display()
            )));
        }
    };
    let read = std::fs::read(&file).with_context(|| file.display().to_string())?;
    let read = Zeroizing::new(read);
    if Keyring::id_of(&read).is_ok() {
        return Ok(read);
    }
    let text = std::str::from_utf8(&read).map_err(|_| anyhow!("{} is no key file", file.display()))?;
    if !passphrase::is_sealed(text) {
        return Err(anyhow!("{} is no key file", file.display()).into());
    }
    let phrase =
        given_passphrase(args.passphrase_stdin, || ask::secret("Passphrase of the keys", ask::PASSPHRASE))?;
    Ok(passphrase::open(text, &phrase).map_err(|e| anyhow!("{}: {e}", file.display()))?)
}

/// Puts the keys into the data directory; the same keys that are there already are left.
fn place(keys: &[u8], directory: &Path) -> std::io::Result<()> {
    let file = directory.join("keys.json");
    if std::fs::read(&file).is_ok_and(|there| there == keys) {
        return Ok(());
    }
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let mut made = std::fs::File::options().write(true).create_new(true).mode(0o600).open(&file)?;
    made.write_all(keys)?;
    made.sync_all()
}
