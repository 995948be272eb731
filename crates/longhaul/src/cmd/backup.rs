//! `backup`: an online copy of the database of a data directory.

use anyhow::anyhow;

use crate::cli::BackupArgs;
use crate::exit::{Code, Failure};
use crate::out::Out;
use crate::out::bar::bar;

/// Copies, with a bar on a terminal.
pub(crate) fn run(args: &BackupArgs, out: &Out) -> Result<Code, Failure> {
    let bar = bar("{wide_bar} {bytes} of about {total_bytes}", 0)?;
    let copied = longhaul_store::sqlite::backup(&args.data_dir, &args.file, |done, expected| {
        bar.set_length(expected);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let bytes = copied.map_err(|e| anyhow!("{e}"))?;
    out.text(&format!("{}: {bytes} bytes\n", args.file.display()))?;
    Ok(Code::Success)
}
