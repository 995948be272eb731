//! Prompts for a person at a terminal, and input from scripts.

use std::io::{self, BufRead, IsTerminal};

use console::Term;

use crate::exit::Failure;

/// Option by which commands take a password from standard input.
pub(crate) const PASSWORD: &str = "--password-stdin";
/// Option by which commands take a passphrase from standard input.
pub(crate) const PASSPHRASE: &str = "--passphrase-stdin";

/// Asks for a line that shows while it is typed.
pub(crate) fn line(question: &str) -> Result<String, Failure> {
    line_or(question, "give the name on the command line")
}

/// Asks for a line, with advice for callers without a terminal.
pub(crate) fn line_or(question: &str, otherwise: &str) -> Result<String, Failure> {
    let term = person(otherwise)?;
    term.write_str(&format!("{question}: "))?;
    let text = term.read_line()?.trim().to_owned();
    if text.is_empty() {
        return Err(Failure::Usage(format!("{question}: nothing was given")));
    }
    Ok(text)
}

/// A secret line, which does not show. `option` is the one that takes it from standard input, where nobody
/// can be asked.
pub(crate) fn secret(question: &str, option: &str) -> Result<String, Failure> {
    let term = person(&format!("give it on standard input, with {option}"))?;
    term.write_str(&format!("{question}: "))?;
    let text = term.read_secure_line()?;
    if text.is_empty() {
        return Err(Failure::Usage(format!("{question}: nothing was given")));
    }
    Ok(text)
}

/// A new secret, typed twice.
pub(crate) fn new_secret(question: &str, option: &str) -> Result<String, Failure> {
    let first = secret(question, option)?;
    if first != secret("Once more", option)? {
        return Err(Failure::Usage("what was typed is not the same twice".to_owned()));
    }
    Ok(first)
}

/// The next line of standard input.
pub(crate) fn next_line() -> Result<String, Failure> {
    let mut text = String::new();
    io::stdin().lock().read_line(&mut text)?;
    let text = text.trim_end_matches(['\r', '\n']).to_owned();
    if text.is_empty() {
        return Err(Failure::Usage("standard input is empty".to_owned()));
    }
    Ok(text)
}

/// Prompts on the terminal; without one, fails with `otherwise`.
fn person(otherwise: &str) -> Result<Term, Failure> {
    let term = Term::stderr();
    if !io::stdin().is_terminal() || !term.is_term() {
        return Err(Failure::Usage(format!("there is no terminal to ask on: {otherwise}")));
    }
    Ok(term)
}
