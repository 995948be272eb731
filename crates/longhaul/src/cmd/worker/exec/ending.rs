//! Result of a program that ended: its output, or an error in its own words or ours.

use std::collections::VecDeque;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use longhaul_model::fault::code;
use longhaul_worker::ActionError;
use nix::sys::signal::Signal;
use serde_json::{Map, Value, json};

use super::printed::{self, Printed, Unfit};

/// Exit code `EX_DATAERR` of sysexits.h, after which another attempt would fail, too.
const DATA_ERROR: i32 = 65;
/// Limits of what an error quotes of a program's last output.
const QUOTED_LINES: usize = 10;
const QUOTED_CHARACTERS: usize = 2000;
/// Length of the longest line that may be an error in the program's own words.
const LONGEST_ERROR: usize = 64 << 10;

/// The last lines of standard error.
#[derive(Default)]
pub(super) struct Complaints {
    lines: VecDeque<String>,
}

impl Complaints {
    pub(super) fn line(&mut self, line: &str) {
        if line.trim().is_empty() || line.len() > LONGEST_ERROR {
            return;
        }
        if self.lines.len() == QUOTED_LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(line.to_owned());
    }

    /// Returns the reason why the program was not started, if its supervisor ended for that.
    pub(super) fn of_launcher(&self, status: ExitStatus) -> Option<String> {
        let said = self.lines.back().filter(|_| status.code() == Some(longhaul_process::REFUSED))?;
        said.strip_prefix(longhaul_process::COMPLAINT).map(str::to_owned)
    }

    /// Takes the error in the program's own words, if that is its last line.
    fn own(&mut self) -> Option<Map<String, Value>> {
        let own = self.lines.back().and_then(|line| serde_json::from_str(line).ok()).and_then(error)?;
        self.lines.pop_back();
        Some(own)
    }

    /// Returns the end of standard error.
    fn quoted(self) -> String {
        let text = Vec::from(self.lines).join("\n");
        let from = text.char_indices().rev().nth(QUOTED_CHARACTERS - 1).map_or(0, |(at, _)| at);
        text[from..].to_owned()
    }
}

/// Returns the result of the attempt; `log` takes the lines that are not the result.
pub(super) fn judge(
    program: &str,
    status: ExitStatus,
    printed: Printed,
    mut complaints: Complaints,
    log: &mut impl FnMut(&str),
) -> Result<Option<Value>, ActionError> {
    if status.success() {
        return match printed.finish(log, |_| true) {
            printed::Result::Nothing => Ok(None),
            printed::Result::Json(value) => Ok(Some(value)),
            printed::Result::Text(text, false) => Ok(Some(json!({ "stdout": text }))),
            printed::Result::Text(text, true) => Ok(Some(json!({ "stdout": text, "stdoutTruncated": true }))),
            printed::Result::Unfit(unfit) => Err(no_output(unfit)),
        };
    }
    let own = match printed.finish(log, |value| error(value.clone()).is_some()) {
        printed::Result::Json(value) => error(value),
        printed::Result::Nothing | printed::Result::Text(..) | printed::Result::Unfit(_) => None,
    };
    let own = complaints.own().or(own);
    let failure = match (status.code(), status.signal()) {
        (Some(code), _) => {
            let failure =
                ActionError::new(format!("EXIT_{code}"), format!("`{program}` ended with exit code {code}"));
            let failure = failure.with("exitCode", code);
            if code == DATA_ERROR { failure.permanent() } else { failure }
        }
        (None, signal) => {
            let number = signal.unwrap_or_default();
            let name = Signal::try_from(number)
                .map_or(format!("SIGNAL_{number}"), |signal| signal.as_str().to_owned());
            ActionError::new(name.clone(), format!("`{program}` was ended by {name}")).with("signal", name)
        }
    };
    Err(match own {
        Some(own) => in_its_words(own, failure),
        None => with_complaints(failure, complaints),
    })
}

/// Returns the error for JSON that is no output: another attempt would print it again.
fn no_output(unfit: Unfit) -> ActionError {
    let (code, message, remediation) = match unfit {
        Unfit::Doubled(doubled) => (
            code::OUTPUT_AMBIGUOUS,
            format!("the output is JSON in which {doubled}"),
            "Have the program use each name of an object once",
        ),
        Unfit::Deep => (
            code::OUTPUT_TOO_DEEP,
            "the output is JSON that is nested too deeply".to_owned(),
            "Have the program print less of it, or the deep part as a text",
        ),
        Unfit::NotUtf8 => (
            "OUTPUT_INVALID",
            "the output is JSON with bytes that are not UTF-8".to_owned(),
            "Have the program print UTF-8, or Base64 for what is no text",
        ),
        Unfit::NotANumber => (
            "OUTPUT_INVALID",
            "the output would be JSON but for NaN or Infinity, which are no numbers of JSON".to_owned(),
            "Have the program print null, or a text, where it has no number",
        ),
    };
    ActionError::new(code, message).remediation(remediation).permanent()
}

/// Returns the members of a JSON value that is an error: an object with `code` and `message`.
fn error(value: Value) -> Option<Map<String, Value>> {
    let Value::Object(members) = value else { return None };
    let has = |name| members.get(name).and_then(Value::as_str).is_some_and(|text| !text.is_empty());
    (has("code") && has("message")).then_some(members)
}

/// Returns the error in the program's own words; members that it leaves out follow from the exit code.
fn in_its_words(own: Map<String, Value>, known: ActionError) -> ActionError {
    let text =
        |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let own = Value::Object(own);
    let mut failure = ActionError::new(text(&own, "code"), text(&own, "message"));
    failure.retryable = own["retryable"].as_bool().unwrap_or(known.retryable);
    failure.outcome_unknown = own["outcomeUnknown"].as_bool().unwrap_or(false);
    failure.remediation = own["remediation"].as_str().map(str::to_owned);
    for cause in own["causes"].as_array().into_iter().flatten() {
        failure = failure.cause(text(cause, "type"), text(cause, "message"));
    }
    failure.context = known.context;
    for (name, value) in own["context"].as_object().into_iter().flatten() {
        failure = match value {
            Value::String(text) => failure.with(name, text),
            other => failure.with(name, other),
        };
    }
    failure
}

fn with_complaints(mut failure: ActionError, complaints: Complaints) -> ActionError {
    let quoted = complaints.quoted();
    if !quoted.is_empty() {
        failure.message = format!("{}: {quoted}", failure.message);
    }
    failure
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(status: i32, stdout: &str, stderr: &str) -> Result<Option<Value>, ActionError> {
        let (mut printed, mut complaints) = (Printed::default(), Complaints::default());
        stdout.lines().for_each(|line| printed.line(line, &mut |_: &str| ()));
        stderr.lines().for_each(|line| complaints.line(line));
        judge("./work", ExitStatus::from_raw(status), printed, complaints, &mut |_: &str| ())
    }

    fn exited(code: i32) -> i32 {
        code << 8
    }

    #[test]
    fn success_gives_what_was_printed() {
        assert_eq!(judged(exited(0), "{\"a\":1}", "").unwrap(), Some(json!({ "a": 1 })));
        assert_eq!(judged(exited(0), "all\nwell", "odd").unwrap(), Some(json!({ "stdout": "all\nwell" })));
        assert_eq!(judged(exited(0), "", "").unwrap(), None);
    }

    #[test]
    fn codes_and_signals_name_the_failure() {
        let error = judged(exited(3), "", "first\nno such host\n").unwrap_err();
        assert_eq!((error.code.as_str(), error.retryable), ("EXIT_3", true));
        assert_eq!(error.message, "`./work` ended with exit code 3: first\nno such host");
        assert_eq!(error.context["exitCode"], "3");
        assert!(judged(exited(75), "", "").unwrap_err().retryable);
        assert!(!judged(exited(65), "", "").unwrap_err().retryable);
        assert_eq!(judged(9, "", "").unwrap_err().code, "SIGKILL");
        let long = judged(exited(1), "", &"é".repeat(5000)).unwrap_err();
        assert!(long.message.chars().count() < QUOTED_CHARACTERS + 100);
    }

    #[test]
    fn errors_in_its_own_words_count() {
        let own = r#"{"code":"HOST_DOWN","message":"esx1 is down","remediation":"start it","retryable":true,
            "outcomeUnknown":true,"causes":[{"type":"PING","message":"no answer"}],"context":{"host":"esx1"}}"#;
        let own = own.replace('\n', " ");
        for (stdout, stderr) in
            [("", format!("trying\n{own}")), (&*format!("trying\n{own}"), "odd".to_owned())]
        {
            let error = judged(exited(65), stdout, &stderr).unwrap_err();
            assert_eq!((error.code.as_str(), error.message.as_str()), ("HOST_DOWN", "esx1 is down"));
            assert_eq!(error.remediation.as_deref(), Some("start it"));
            assert!(error.retryable && error.outcome_unknown);
            assert_eq!(error.causes[0].message, "no answer");
            assert_eq!((&*error.context["host"], &*error.context["exitCode"]), ("esx1", "65"));
        }
        assert!(!judged(exited(65), "", r#"{"code":"X","message":"y"}"#).unwrap_err().retryable);
        assert_eq!(judged(exited(1), r#"{"code":"X"}"#, "").unwrap_err().code, "EXIT_1");
    }
}
