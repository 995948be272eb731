//! `man`: a manual page for each command, from the definition of the command line.

use anyhow::Context as _;

use crate::cli::{self, ManArgs};
use crate::exit::{Code, Failure};
use crate::out::Out;

/// Writes the pages.
pub(crate) fn run(args: &ManArgs, out: &Out) -> Result<Code, Failure> {
    let folder = &args.folder;
    let doing = || format!("write the manual pages to {}", folder.display());
    std::fs::create_dir_all(folder).with_context(doing)?;
    clap_mangen::generate_to(cli::command(), folder).with_context(doing)?;
    out.remark(&format!("the manual pages are in {}; `man -l FILE` shows one", folder.display()))?;
    Ok(Code::Success)
}
