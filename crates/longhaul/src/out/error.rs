//! Errors of tasks and answers, with what to do about them.

use std::fmt::Write as _;

use longhaul_client::{ClientError, ErrorBody};

use super::speak;
use super::style::Palette;

/// Advice when the server does not know the caller.
const LOG_IN: &str = "log in with `longhaul login NAME`, or set LONGHAUL_TOKEN to an access token or API key that still counts";

/// Describes an error of a call, for standard error.
pub(crate) fn call(error: &ClientError, palette: Palette) -> String {
    let (bad, dim) = (palette.bad(), palette.dim());
    match error {
        ClientError::Refused { status, error } => {
            let error = &speak::translated(error);
            let mut facts = vec![status.to_string()];
            facts.extend(Some(error.error_code.clone()).filter(|code| !code.is_empty()));
            facts.extend(error.reference_token.as_ref().map(|token| format!("reference {token}")));
            let mut out =
                format!("{bad}error:{bad:#} {} {dim}({}){dim:#}\n", error.message, facts.join(", "));
            // Callers of the API need a token next; users of this program log in instead.
            let advice = (*status == 401 && error.error_code == "Unauthorized").then(|| ErrorBody {
                causes: Vec::new(),
                remediation_message: Some(LOG_IN.to_owned()),
                ..error.clone()
            });
            below(&mut out, advice.as_ref().unwrap_or(error), "  ", palette);
            out
        }
        ClientError::Unreachable { .. } => format!(
            "{bad}error:{bad:#} {error}\n  {}hint:{:#} start one with `longhaul serve`, or name another with --server or LONGHAUL_SERVER\n",
            palette.strong(),
            palette.strong(),
        ),
        ClientError::Protocol { .. } => {
            format!("{bad}error:{bad:#} {error}\n  hint: is --server the address of a Longhaul server?\n")
        }
        ClientError::Certificate { .. } => format!(
            "{bad}error:{bad:#} {error}\n  {}hint:{:#} give the certificate that vouches for it with --ca FILE or LONGHAUL_CA; one that the server made itself is tls/cert.pem in its data directory (--ca longhaul-data/tls/cert.pem). To go on all the same: --insecure\n",
            palette.strong(),
            palette.strong(),
        ),
        // The errors of an address or a setting say it all, as will those to come.
        error => format!("{bad}error:{bad:#} {error}\n"),
    }
}

/// Renders the error of a task or sub-task in one line.
pub(crate) fn line(error: &ErrorBody) -> String {
    let code = if error.error_code.is_empty() { "ERROR" } else { &error.error_code };
    format!("{code}: {}", error.message.replace(['\n', '\r'], " "))
}

/// Renders the error of a task or sub-task: code, message, remedy.
pub(crate) fn brief(error: &ErrorBody, indent: &str, palette: Palette) -> String {
    let without = ErrorBody { causes: Vec::new(), nested_errors: Vec::new(), ..error.clone() };
    carried(&without, indent, palette)
}

/// Describes an error with its causes and nested errors.
pub(crate) fn carried(error: &ErrorBody, indent: &str, palette: Palette) -> String {
    let bad = palette.bad();
    let code = if error.error_code.is_empty() { "ERROR" } else { &error.error_code };
    let mut out = format!("{indent}{bad}{code}{bad:#}: {}\n", error.message);
    below(&mut out, error, &format!("{indent}  "), palette);
    out
}

fn below(out: &mut String, error: &ErrorBody, indent: &str, palette: Palette) {
    let strong = palette.strong();
    for cause in &error.causes {
        let _ = writeln!(out, "{indent}because: {}", cause.message);
    }
    for nested in &error.nested_errors {
        let place = nested.context.get("pointer").and_then(|pointer| pointer.as_str()).unwrap_or_default();
        let place = if nested.message.starts_with(place) { "" } else { place };
        let colon = if place.is_empty() { "" } else { ": " };
        let _ = writeln!(out, "{indent}{place}{colon}{}", nested.message);
        if let Some(remedy) = &nested.remediation_message {
            let _ = writeln!(out, "{indent}  {strong}hint:{strong:#} {remedy}");
        }
    }
    if let Some(remedy) = &error.remediation_message {
        let remedy = speak::words(remedy, None);
        let _ = writeln!(out, "{indent}{strong}hint:{strong:#} {remedy}");
    }
}
