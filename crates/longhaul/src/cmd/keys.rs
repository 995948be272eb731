//! `keys`: a key file for nodes that share a database.

use anyhow::{Context as _, anyhow};
use longhaul_crypto::{Keyring, Rotation};

use crate::cli::KeysArgs;
use crate::exit::{Code, Failure};
use crate::out::Out;

/// Makes the file. One that is there already stays: what was sealed with its keys could not be read any more.
pub(crate) fn run(args: &KeysArgs, out: &Out) -> Result<Code, Failure> {
    let file = &args.file;
    if file.symlink_metadata().is_ok() {
        return Err(anyhow!("{} is there already, and stays as it is", file.display()).into());
    }
    Keyring::open_to_share(file, Rotation::default(), crate::now().0).context("make the key file")?;
    out.remark(&format!("{}: new keys; keep a copy apart from the backups", file.display()))?;
    Ok(Code::Success)
}
