//! Section `[actions.command]`: programs that workflows may run, each with its permitted parameters and
//! limits.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use longhaul_engine::{AllowedProgram, CommandLimits};
use longhaul_model::Span;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};

/// More processors than machines have.
const MOST_PROCESSORS: f64 = 10_000.0;

/// The section.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct CommandSection {
    allow: Vec<Entry>,
    limits: LimitsTable,
}

/// Entry of a program: its path, or a table of all its settings.
#[derive(Debug)]
struct Entry(Program);

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Program {
    // Required; an empty one is reported with the other mistakes of the entry.
    #[serde(default)]
    path: PathBuf,
    #[serde(default)]
    env: Vec<String>,
    #[serde(default)]
    set: BTreeMap<String, String>,
    arguments: Option<Vec<String>>,
    more_arguments: Option<String>,
    #[serde(default)]
    options_from_values: bool,
    #[serde(default)]
    limits: LimitsTable,
}

/// Limits as far as they are given; 0 means no limit.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct LimitsTable {
    cpu: Option<Span>,
    memory_mib: Option<u64>,
    processes: Option<u64>,
    processors: Option<Processors>,
    files: Option<u64>,
    file_size_mib: Option<u64>,
}

/// Hundredths of a processor, written as a number of processors such as 1.5.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "f64")]
struct Processors(u64);

impl TryFrom<f64> for Processors {
    type Error = String;

    fn try_from(number: f64) -> Result<Self, String> {
        let hundredths = (number * 100.0).round();
        let is_none = number == 0.0;
        if is_none || (1.0..=MOST_PROCESSORS * 100.0).contains(&hundredths) {
            return Ok(Processors(hundredths as u64));
        }
        Err(format!(
            "processors: {number} is no number of processors: write one from 0.01 to {MOST_PROCESSORS}, or 0 for no limit"
        ))
    }
}

impl LimitsTable {
    fn over(self, others: CommandLimits) -> CommandLimits {
        CommandLimits {
            cpu: self.cpu.unwrap_or(others.cpu),
            memory_mib: self.memory_mib.unwrap_or(others.memory_mib),
            processes: self.processes.unwrap_or(others.processes),
            processors: self.processors.map_or(others.processors, |Processors(hundredths)| hundredths),
            files: self.files.unwrap_or(others.files),
            file_size_mib: self.file_size_mib.unwrap_or(others.file_size_mib),
        }
    }
}

impl CommandSection {
    /// Returns the programs, with the limits of the section where they have none of their own.
    pub(super) fn resolve(self) -> Vec<AllowedProgram> {
        let limits = self.limits.over(CommandLimits::default());
        let resolved = self.allow.into_iter().map(|Entry(program)| AllowedProgram {
            path: program.path,
            env: program.env,
            set: program.set,
            arguments: program.arguments,
            more_arguments: program.more_arguments,
            options_from_values: program.options_from_values,
            limits: program.limits.over(limits),
        });
        resolved.collect()
    }
}

// Written by hand: for an untagged enum an error would say no more than that nothing fits.
impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(EntryVisitor)
    }
}

struct EntryVisitor;

impl<'de> Visitor<'de> for EntryVisitor {
    type Value = Entry;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "the path of a program, or a table such as { path = \"/usr/bin/uname\", env = [\"LANG\"] }",
        )
    }

    fn visit_str<E: Error>(self, path: &str) -> Result<Entry, E> {
        Ok(Entry(Program { path: path.into(), ..Program::default() }))
    }

    fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<Entry, A::Error> {
        Program::deserialize(MapAccessDeserializer::new(table)).map(Entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<AllowedProgram>, String> {
        toml::from_str(text).map(CommandSection::resolve).map_err(|e| e.to_string())
    }

    #[test]
    fn programs_are_read_as_paths_and_as_tables() {
        let text = r#"
            allow = ["/usr/bin/uname", { path = "/bin/x", env = ["LANG", "APP_*"], set = { PATH = "/bin" },
                arguments = ["a|b"], more_arguments = "[a-z]+", options_from_values = true, limits = { files = 9, cpu = "5s", processors = 1.5 } }]
            limits = { files = 7, memory_mib = 0, processors = 2 }
        "#;
        let section = CommandLimits { files: 7, memory_mib: 0, processors: 200, ..CommandLimits::default() };
        let plain = AllowedProgram { limits: section, ..AllowedProgram::from("/usr/bin/uname") };
        let whole = AllowedProgram {
            path: "/bin/x".into(),
            env: vec!["LANG".into(), "APP_*".into()],
            set: [("PATH".to_owned(), "/bin".to_owned())].into(),
            arguments: Some(vec!["a|b".into()]),
            more_arguments: Some("[a-z]+".into()),
            options_from_values: true,
            limits: CommandLimits { files: 9, cpu: Span(5000), processors: 150, ..section },
        };
        assert_eq!(read(text), Ok(vec![plain, whole]));
    }

    #[test]
    fn mistakes_in_a_program_are_named() {
        for (text, part) in [
            ("allow = [1]", "the path of a program, or a table such as"),
            ("allow = [{ path = \"/x\", envs = [] }]", "unknown field `envs`"),
            ("limits = { memory = 1 }", "unknown field `memory`"),
            ("limits = { files = -1 }", "-1"),
            ("limits = { processors = -1 }", "processors: -1 is no number of processors"),
            ("limits = { processors = 0.001 }", "from 0.01 to 10000"),
            ("limits = { processors = nan }", "NaN is no number of processors"),
            ("limits = { processors = 1e300 }", "is no number of processors"),
            ("limits = { processors = \"1\" }", "invalid type: string"),
        ] {
            let refusal = read(text).unwrap_err();
            assert!(refusal.contains(part), "{text}: {refusal}");
        }
    }
}
