//! The input of a task from the command line: a file, with values of `key=text` and `key:=json` set in it.

use std::io::Read;
use std::path::Path;

use anyhow::Context as _;
use longhaul_model::value::check_names;
use serde_json::{Map, Value};

use crate::exit::Failure;

/// Reads the file, if any, and sets the values in it.
pub(crate) fn input(file: Option<&Path>, values: &[String]) -> Result<Value, Failure> {
    let mut input = match file {
        Some(file) => read(file)?,
        None => Value::Object(Map::new()),
    };
    for given in values {
        let (key, value) = pair(given, "-i")?;
        let value = match key.strip_suffix(':') {
            Some(key) => json(key, value)?,
            None => Value::String(value.to_owned()),
        };
        let key = key.strip_suffix(':').unwrap_or(key);
        if key.is_empty() {
            return Err(Failure::Usage("-i: a value has no name: write -i key:=json".to_owned()));
        }
        put(&mut input, key, value).map_err(Failure::Usage)?;
    }
    Ok(input)
}

/// Splits `key=value` in two.
pub(crate) fn pair<'a>(given: &'a str, option: &str) -> Result<(&'a str, &'a str), Failure> {
    match given.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key, value)),
        _ => Err(Failure::Usage(format!("`{given}` is not KEY=VALUE: write {option} key=value"))),
    }
}

/// Parses the value of `key:=`.
fn json(key: &str, text: &str) -> Result<Value, Failure> {
    check_names(text.as_bytes()).map_err(|e| Failure::Usage(format!("-i {key}: {e}")))?;
    serde_json::from_str(text).map_err(|e| {
        let place = format!("line {}, column {}", e.line(), e.column());
        Failure::Usage(format!("-i {key}:= is not JSON ({place}); a text is given as -i {key}=TEXT"))
    })
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

    fn given(values: &[&str]) -> Result<Value, Failure> {
        input(None, &values.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn values_are_texts_or_json_as_they_say() {
        let all = given(&[
            "n:=3",
            "version=1.10",
            "t=a b",
            "list:=[1,\"x\"]",
            "q:=\"3\"",
            "deep.er:=true",
            "deep.name=Ada",
            "empty=",
            "eq=a=b",
            "colon=:",
            "url=http://a:=b",
            "null:=null",
        ]);
        assert_eq!(
            all.unwrap(),
            json!({"n": 3, "version": "1.10", "t": "a b", "list": [1, "x"], "q": "3",
                   "deep": {"er": true, "name": "Ada"}, "empty": "", "eq": "a=b", "colon": ":",
                   "url": "http://a:=b", "null": null})
        );
        for wrong in
            [["novalue"].as_slice(), &["=x"], &[":=1"], &["a=1", "a.b=2"], &["a:=one"], &["a:="], &["a:={"]]
        {
            assert!(matches!(given(wrong), Err(Failure::Usage(_))), "{wrong:?}");
        }
    }

    /// A text stays a text whatever it looks like, and JSON stays as it is.
    #[test]
    fn nothing_is_guessed() {
        for text in
            ["1.10", "1e3", "0x1F", "007", "true", "null", "no", "[1]", "{}", "\"q\"", " ", "2026-01-01"]
        {
            assert_eq!(given(&[&format!("x={text}")]).unwrap(), json!({ "x": text }));
        }
        for value in [json!(1.5), json!(-7), json!([true, null]), json!({"a": {"b": ":="}}), json!("=")] {
            assert_eq!(given(&[&format!("x:={value}")]).unwrap(), json!({ "x": value }));
        }
    }
}
