//! Policy of one program, from the configuration: the environment and the arguments that a workflow may give
//! it.

use std::path::{Path, PathBuf};

use longhaul_model::expr::{Piece, Template};
use regex::Regex;

use super::names::{is_dangerous, is_name};
use crate::AllowedProgram;
use crate::launcher::Limits;

/// Maximum size of a compiled pattern, in bytes.
const LARGEST_PATTERN: usize = 1 << 20;

/// Policy of one program that may run.
#[derive(Debug)]
pub(super) struct Policy {
    path: PathBuf,
    env: Vec<String>,
    set: Vec<(String, String)>,
    arguments: Option<Vec<Regex>>,
    more: Option<Regex>,
    options_from_values: bool,
    limits: Limits,
}

impl Policy {
    /// Reads an entry of the configuration; each error names the field, the mistake and its correction.
    pub(super) fn new(program: &AllowedProgram) -> Result<Policy, Vec<String>> {
        let mut wrong = Vec::new();
        if program.path.as_os_str().is_empty() {
            wrong.push("has no `path`; write that of the program, such as /usr/bin/uptime".to_owned());
        } else if !program.path.is_absolute() {
            wrong.push("is not an absolute path; write all of it, such as /usr/bin/uptime".to_owned());
        }
        wrong.extend(program.env.iter().filter_map(|name| check_listed(name).err()));
        for (name, value) in &program.set {
            if !is_name(name) {
                wrong.push(format!("set: `{name}` is no name of an environment variable"));
            }
            if value.contains('\0') {
                wrong.push(format!("set.{name}: has a NUL character, which no program can be given"));
            }
        }
        let mut pattern = |field: String, text: &String| {
            // The expression is in a group of its own, so that an alternative is not anchored at one end
            // only.
            let whole = format!(r"\A(?:{text})\z");
            let built = regex::RegexBuilder::new(&whole).size_limit(LARGEST_PATTERN).build();
            // The last line says what is wrong; those before draw where.
            let last = |e: &regex::Error| {
                e.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
            };
            let reason = |e| format!("{field}: `{text}` is no regular expression: {}", last(&e));
            built.map_err(|e| wrong.push(reason(e))).ok()
        };
        let arguments: Option<Vec<_>> = program.arguments.as_ref().map(|patterns| {
            let patterns = patterns.iter().enumerate();
            patterns.filter_map(|(n, text)| pattern(format!("arguments[{n}]"), text)).collect()
        });
        let more =
            program.more_arguments.as_ref().and_then(|text| pattern("more_arguments".to_owned(), text));
        if !wrong.is_empty() {
            return Err(wrong);
        }
        Ok(Policy {
            path: program.path.clone(),
            env: program.env.clone(),
            set: program.set.clone().into_iter().collect(),
            arguments,
            more,
            options_from_values: program.options_from_values,
            limits: Limits::from(&program.limits),
        })
    }

    /// The path as the configuration and workflows write it.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Limits of the program's resources.
    pub(super) fn limits(&self) -> Limits {
        self.limits
    }

    /// The variables that the program always gets.
    pub(super) fn fixed(&self) -> &[(String, String)] {
        &self.set
    }

    /// Refuses a variable that the workflow may not set; the error has the reason, and the setting that an
    /// operator can write.
    pub(super) fn check_name(&self, name: &str) -> Result<(), String> {
        if !is_name(name) {
            return Err("is no name of an environment variable: use letters, digits and `_`".to_owned());
        }
        if self.set.iter().any(|(fixed, _)| fixed.eq_ignore_ascii_case(name)) {
            return Err("cannot be set by a workflow: the server's configuration gives its value".to_owned());
        }
        if is_dangerous(name) {
            return Err(format!(
                "cannot be set by a workflow: it may decide what code the program runs. An operator gives its value in \
                 the server's configuration: `set = {{ {name} = \"…\" }}` in the program's entry of `command.allow`"
            ));
        }
        let listed = |entry: &String| match entry.strip_suffix('*') {
            Some(beginning) => name.starts_with(beginning),
            None => entry == name,
        };
        if self.env.iter().any(listed) {
            return Ok(());
        }
        Err(format!(
            "is not allowed by the server's configuration. An operator allows it there: write the program in \
             `command.allow` as `{{ path = \"{}\", env = [\"{name}\"] }}`",
            self.path.display()
        ))
    }

    /// Refuses an argument, the `position`th from 0, that the configuration does not allow.
    pub(super) fn check_argument(
        &self,
        position: usize,
        template: &Template,
        text: &str,
    ) -> Result<(), String> {
        if text.starts_with('-') && !self.options_from_values && !names_its_option(template) {
            return Err(
                "begins with `-`, which comes from an expression: the program would read the value as an option. \
                 An operator allows it with `options_from_values = true` in the program's entry of `command.allow`"
                    .to_owned(),
            );
        }
        let Some(patterns) = &self.arguments else {
            return match &self.more {
                Some(more) => matched(more, "more_arguments", text),
                None => Ok(()),
            };
        };
        match (patterns.get(position), &self.more) {
            (Some(pattern), _) => matched(pattern, &format!("arguments[{position}]"), text),
            (None, Some(more)) => matched(more, "more_arguments", text),
            (None, None) => Err(format!(
                "is one argument too many: the server's configuration allows {} of this program",
                patterns.len()
            )),
        }
    }
}

fn check_listed(entry: &str) -> Result<(), String> {
    let name = entry.strip_suffix('*').unwrap_or(entry);
    if !is_name(name) {
        return Err(format!(
            "env: `{entry}` is no name of an environment variable, nor the beginning of one and `*`"
        ));
    }
    if is_dangerous(name) {
        return Err(format!(
            "env: `{entry}` may decide what code the program runs, so no workflow sets it; give its value: \
             set = {{ {name} = \"…\" }}"
        ));
    }
    Ok(())
}

fn matched(pattern: &Regex, field: &str, text: &str) -> Result<(), String> {
    if pattern.is_match(text) {
        return Ok(());
    }
    // The message has no text of the argument, which may be a secret.
    Err(format!("does not match `{field}` of the program's entry of `command.allow`"))
}

/// Returns true if the workflow itself says which option an argument is: all of it, or at least a letter
/// behind the `-`.
fn names_its_option(template: &Template) -> bool {
    match template {
        Template::Plain(_) => true,
        Template::Whole(_) => false,
        Template::Mixed(pieces) => match pieces.first() {
            Some(Piece::Text(text)) => text.starts_with('-') && !text.trim_start_matches('-').is_empty(),
            Some(Piece::Expr(_)) | None => false,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(change: impl FnOnce(&mut AllowedProgram)) -> Result<Policy, String> {
        let mut program = AllowedProgram::from("/bin/x");
        change(&mut program);
        Policy::new(&program).map_err(|wrong| wrong.join("; "))
    }

    /// Dangerous names are refused however they are listed, and set if the configuration gives their value.
    #[test]
    fn dangerous_names_are_for_the_configuration_only() {
        for name in ["PATH", "path", "LD_PRELOAD", "BASH_ENV", "PYTHONPATH", "PERL5OPT"] {
            let refusal = policy(|p| p.env = vec![name.to_owned()]).unwrap_err();
            assert!(refusal.contains("set = {"), "{refusal}");
            let some = policy(|p| p.env = vec![format!("{}*", &name[..1])]).unwrap();
            assert!(some.check_name(name).unwrap_err().contains("what code the program runs"), "{name}");
            let fixed = policy(|p| p.set = [(name.to_owned(), "x".to_owned())].into()).unwrap();
            assert_eq!(fixed.fixed(), [(name.to_owned(), "x".to_owned())]);
            assert!(fixed.check_name(name).is_err(), "{name}");
        }
        for everything in ["*", "BASH_FUNC_x%%", "", "LD_*"] {
            assert!(policy(|p| p.env = vec![everything.to_owned()]).is_err(), "{everything}");
        }
    }

    #[test]
    fn names_are_allowed_whole_or_by_their_beginning() {
        let some = policy(|p| p.env = vec!["MARK".to_owned(), "APP_*".to_owned()]).unwrap();
        for (name, allowed) in
            [("MARK", true), ("APP_X", true), ("APP_", true), ("MARKS", false), ("mark", false)]
        {
            assert_eq!(some.check_name(name).is_ok(), allowed, "{name}");
        }
        assert!(policy(|_| ()).unwrap().check_name("MARK").unwrap_err().contains("env = [\"MARK\"]"));
    }

    #[test]
    fn options_come_from_the_workflow_and_not_from_values() {
        let (strict, loose) = (policy(|_| ()).unwrap(), policy(|p| p.options_from_values = true).unwrap());
        for (text, value, allowed) in [
            ("-x", "-x", true),
            ("--", "--", true),
            ("{{ a }}", "-x", false),
            ("{{ a }}", "x", true),
            ("{{ a }}{{ b }}", "-x", false),
            ("--name={{ a }}", "--name=-x", true),
            ("-o{{ a }}", "-o-x", true),
            ("-{{ a }}", "-rf", false),
            ("--{{ a }}", "--rf", false),
            ("x{{ a }}", "x-y", true),
        ] {
            let template = Template::parse(text).unwrap();
            assert_eq!(strict.check_argument(0, &template, value).is_ok(), allowed, "{text}");
            assert_eq!(loose.check_argument(0, &template, value), Ok(()), "{text}");
        }
    }

    #[test]
    fn patterns_match_the_whole_argument_at_its_place() {
        let some = policy(|p| p.arguments = Some(vec!["a|b".to_owned(), "[0-9]+".to_owned()])).unwrap();
        let plain = Template::Plain(String::new());
        for (position, text, allowed) in [
            (0, "a", true),
            (0, "b", true),
            (0, "ab", false),
            (0, "a\n", false),
            (0, "xb", false),
            (1, "12", true),
            (1, "12\n", false),
            (1, "1 2", false),
            (2, "12", false),
        ] {
            assert_eq!(some.check_argument(position, &plain, text).is_ok(), allowed, "{position} {text:?}");
        }
        let all = policy(|p| p.more_arguments = Some("[a-z]*".to_owned())).unwrap();
        assert!(all.check_argument(7, &plain, "abc").is_ok() && all.check_argument(0, &plain, "A").is_err());
        assert!(
            policy(|p| p.arguments = Some(vec!["(".to_owned()])).unwrap_err().starts_with("arguments[0]: ")
        );
        assert!(policy(|p| p.more_arguments = Some("x{9999999}".to_owned())).is_err());
    }
}
