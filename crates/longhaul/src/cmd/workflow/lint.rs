//! `workflow lint`, and the same checks for all commands that load workflow files.

use std::collections::HashMap;
use std::path::PathBuf;

use anyhow::anyhow;
use longhaul_model::workflow::Definition;

use crate::cli::LintArgs;
use crate::exit::{Code, Failure};
use crate::file::{self, Finding};
use crate::out::Out;
use crate::out::style::Palette;

/// Files that were read and checked.
pub(crate) struct Linted {
    /// Workflows of the files without mistakes, by file, in order.
    pub(crate) definitions: Vec<(String, Definition)>,
    /// Count of files.
    pub(crate) files: usize,
    /// Count of mistakes.
    pub(crate) errors: usize,
    /// Count of warnings.
    pub(crate) warnings: usize,
    /// Mistakes and warnings, as compilers print them.
    pub(crate) report: String,
}

impl Linted {
    /// Reads and checks files and folders.
    pub(crate) fn read(paths: &[PathBuf], palette: Palette) -> Linted {
        let file::Found { files, unreadable } = file::find(paths);
        let mut linted = Linted {
            definitions: Vec::new(),
            files: files.len() + unreadable.len(),
            errors: unreadable.len(),
            warnings: 0,
            report: String::new(),
        };
        let (bad, bold) = (palette.bad(), palette.strong());
        for (path, reason) in unreadable {
            let path = path.display();
            linted.report.push_str(&format!("{bold}{path}:{bold:#} {bad}error:{bad:#} {reason}\n"));
        }
        let mut owners: HashMap<String, String> = HashMap::new();
        for file in &files {
            let mut checked = file::check(&file.text);
            if let Some(definition) = &checked.definition
                && let Some(owner) = owners.insert(definition.name.clone(), file.name())
            {
                let place = file::place_of(&file.text, "/name");
                let message = format!("`{}` is the name of the workflow in {owner} already", definition.name);
                checked.findings.push(Finding::error(place, message, Some("names are unique".to_owned())));
                checked.definition = None;
            }
            for finding in &checked.findings {
                *if finding.is_error() { &mut linted.errors } else { &mut linted.warnings } += 1;
                linted.report.push_str(&finding.render(&file.name(), &file.text, palette));
            }
            linted.definitions.extend(checked.definition.map(|definition| (file.name(), definition)));
        }
        linted
    }

    /// `3 files, 2 mistakes, 1 warning`.
    pub(crate) fn summary(&self) -> String {
        let count = |n: usize, one: &str| format!("{n} {one}{}", if n == 1 { "" } else { "s" });
        format!(
            "{}, {}, {}",
            count(self.files, "file"),
            count(self.errors, "mistake"),
            count(self.warnings, "warning")
        )
    }
}

/// Checks and prints.
pub(crate) fn run(args: &LintArgs, out: &Out) -> Result<Code, Failure> {
    let linted = Linted::read(&args.paths, out.palette);
    if linted.files == 0 {
        return Err(anyhow!("there is no .yaml, .yml or .json file in what was named").into());
    }
    out.text(&linted.report)?;
    out.remark(&linted.summary())?;
    let mistakes = linted.errors > 0 || (args.strict && linted.warnings > 0);
    Ok(if mistakes { Code::Failed } else { Code::Success })
}
