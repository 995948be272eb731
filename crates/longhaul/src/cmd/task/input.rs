//! The input of a task from the command line: a file, and `key=value` over it.

use std::io::Read;
use std::path::Path;

use anyhow::Context as _;
use longhaul_model::value::check_names;
use serde_json::{Map, Value};

use crate::exit::Failure;

/// Reads the file, if any, and puts the values over it.
pub(crate) fn input(file: Option<&Path>, values: &[String]) -> Result<Value, Failure> {
    let mut input = match file {
        Some(file) => read(file)?,
        None => Value::Object(Map::new()),
    };
    for given in values {
        let (key, value) = pair(given, "-i")?;
        put(&mut input, key, typed(key, value)?).map_err(Failure::Usage)?;
    }
    Ok(input)
}

/// `key=value`, in two.
pub(crate) fn pair<'a>(given: &'a str, option: &str) -> Result<(&'a str, &'a str), Failure> {
    match given.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key, value)),
        _ => Err(Failure::Usage(format!("`{given}` is not KEY=VALUE: write {option} key=value"))),
    }
}

/// JSON if it can be, else a text.
fn typed(key: &str, value: &str) -> Result<Value, Failure> {
    check_names(value.as_bytes()).map_err(|e| Failure::Usage(format!("-i {key}: {e}")))?;
    Ok(serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned())))
}

fn put(input: &mut Value, key: &str, value: Value) -> Result<(), String> {
    let mut at = input;
    let mut names = key.split('.').peekable();
    while let Some(name) = names.next() {
        let Value::Object(members) = at else {
            return Err(format!("`{key}` cannot be set: what is above `{name}` is no object"));
        };
        if names.peek().is_none() {
            members.insert(name.to_owned(), value);
            return Ok(());
        }
        at = members.entry(name).or_insert_with(|| Value::Object(Map::new()));
    }
    Ok(())
}

fn read(file: &Path) -> Result<Value, Failure> {
    let (name, text) = if file.as_os_str() == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).context("standard input")?;
        ("standard input".to_owned(), text)
    } else {
        let name = file.display().to_string();
        (name.clone(), std::fs::read_to_string(file).with_context(|| name)?)
    };
    crate::file::value(&text).map_err(|finding| {
        let place = finding.place;
        Failure::Local(anyhow::anyhow!("{name}:{}:{}: {}", place.line, place.column, finding.message))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_have_the_type_that_they_look_like() {
        let values = [
            "n=3",
            "t=a b",
            "list=[1,\"x\"]",
            "q=\"3\"",
            "deep.er=true",
            "deep.name=Ada",
            "empty=",
            "eq=a=b",
        ];
        let values: Vec<String> = values.map(str::to_owned).to_vec();
        assert_eq!(
            input(None, &values).unwrap(),
            json!({"n": 3, "t": "a b", "list": [1, "x"], "q": "3", "deep": {"er": true, "name": "Ada"}, "empty": "", "eq": "a=b"})
        );
        for wrong in [["novalue"].as_slice(), &["=x"], &["a=1", "a.b=2"]] {
            let values: Vec<String> = wrong.iter().map(|text| (*text).to_owned()).collect();
            assert!(matches!(input(None, &values), Err(Failure::Usage(_))), "{wrong:?}");
        }
    }
}
