//! `backup`: an online copy of the database of a data directory.

use anyhow::anyhow;
use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::BackupArgs;
use crate::exit::{Code, Failure};
use crate::out::Out;

/// Copies, with a bar on a terminal.
pub(crate) fn run(args: &BackupArgs, out: &Out) -> Result<Code, Failure> {
    let bar = ProgressBar::new(0).with_style(
        ProgressStyle::with_template("{wide_bar} {bytes} of about {total_bytes}")
            .map_err(|e| anyhow!(e))?
            .progress_chars("█▉ "),
    );
    let copied = longhaul_store::sqlite::backup(&args.data_dir, &args.file, |done, expected| {
        bar.set_length(expected);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let bytes = copied.map_err(|e| anyhow!("{e}"))?;
    out.text(&format!("{}: {bytes} bytes\n", args.file.display()))?;
    Ok(Code::Success)
}
