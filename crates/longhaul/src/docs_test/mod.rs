//! Pages of `docs/` against the code that they are about: a command, an option, a key or an example that is
//! in the one and not in the other fails here.

mod cli;
mod workflows;

/// The fenced blocks of a language.
fn blocks<'a>(page: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    page.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap_or_default()).collect()
}
