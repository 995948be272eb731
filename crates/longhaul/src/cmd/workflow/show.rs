//! `workflow show`: the input of a workflow, and a command that starts it.

use longhaul_client::ClientError;
use longhaul_model::workflow::InputSchema;
use serde_json::{Value, json};

use super::example::example;
use crate::cmd::Context;
use crate::exit::{Code, Failure};
use crate::out::table::Table;

/// Shows a workflow.
pub(crate) async fn run(name: &str, version: Option<u32>, context: &Context) -> Result<Code, Failure> {
    let out = &context.out;
    let answer = context.client.get_workflow(name, version).await?;
    let Some(definition) = answer.get("definition") else {
        let server = context.client.server().to_owned();
        return Err(ClientError::Protocol { server, reason: "it is no workflow".to_owned() }.into());
    };
    let none = json!({ "type": "object", "additionalProperties": false });
    let schema = definition.get("input").unwrap_or(&none);
    let example = example(schema);
    if out.verbatim(&json!({
        "name": name, "version": answer.get("version"), "title": definition.get("title"),
        "description": definition.get("description"), "input": schema, "example": example,
    }))? {
        return Ok(Code::Success);
    }
    let text = |member: &str| definition.get(member).and_then(Value::as_str);
    let (strong, dim) = (out.palette.strong(), out.palette.dim());
    let version = answer.get("version").map(ToString::to_string).unwrap_or_default();
    let mut shown = format!("{strong}{name}{strong:#}  {dim}version {version}{dim:#}\n");
    for fact in [text("title"), text("description")].into_iter().flatten() {
        shown.push_str(&format!("  {fact}\n"));
    }
    if let Some(route) = text("route") {
        let names = definition.get("query").and_then(Value::as_array).into_iter().flatten();
        let names: Vec<&str> = names.filter_map(Value::as_str).collect();
        let query = if names.is_empty() { String::new() } else { format!(" with ?{}", names.join(", ")) };
        shown.push_str(&format!("  {dim}also started by {route}{query}{dim:#}\n"));
    }
    shown.push_str(&format!("\n{strong}Input{strong:#}\n{}", inputs(schema, context)));
    shown.push_str(&format!("\n{strong}Start it{strong:#}\n"));
    shown.push_str(&match (definition.get("credentials"), &example) {
        (Some(_), _) => "  by a change of credentials only: PATCH /v1/credentials\n".to_owned(),
        (None, Some(input)) => start(name, schema, input),
        (None, None) => format!("  longhaul task start {name} --input FILE\n"),
    });
    out.text(&shown)?;
    Ok(Code::Success)
}

/// Returns a table of the members of the input.
fn inputs(schema: &Value, context: &Context) -> String {
    let members = members(schema);
    if members.is_empty() {
        return "  none\n".to_owned();
    }
    let mut table = Table::new(&["  NAME", "TYPE", "NEEDED", "DEFAULT", "MEANING"]);
    for (name, part, required) in &members {
        let default = part.get("default").map_or_else(|| "-".to_owned(), Value::to_string);
        let needed = if *required { "yes" } else { "no" };
        let row = [format!("  {name}"), kind(part), needed.to_owned(), default, meaning(part)];
        table.row(row.to_vec());
    }
    table.render(context.out.palette, context.out.width())
}

/// Returns name, schema and whether it is required for each member, required ones first.
fn members(schema: &Value) -> Vec<(String, Value, bool)> {
    let mut all: Vec<(String, Value, bool)> = Vec::new();
    let parts = schema.get("allOf").and_then(Value::as_array).into_iter().flatten().chain([schema]);
    let mut required: Vec<String> = Vec::new();
    for part in parts {
        let names = part.get("required").and_then(Value::as_array).into_iter().flatten();
        required.extend(names.filter_map(Value::as_str).map(str::to_owned));
        for (name, of) in part.get("properties").and_then(Value::as_object).into_iter().flatten() {
            if !all.iter().any(|(known, ..)| known == name) {
                all.push((name.clone(), referred(schema, of), false));
            }
        }
    }
    for name in &required {
        match all.iter_mut().find(|(known, ..)| known == name) {
            Some(member) => member.2 = true,
            None => all.push((name.clone(), json!({}), true)),
        }
    }
    all.sort_by_key(|(.., required)| !required);
    all
}

fn referred(root: &Value, part: &Value) -> Value {
    let pointer = part.get("$ref").and_then(Value::as_str).and_then(|text| text.strip_prefix('#'));
    pointer.and_then(|pointer| root.pointer(pointer)).unwrap_or(part).clone()
}

fn kind(part: &Value) -> String {
    match part.get("type") {
        Some(Value::String(kind)) => kind.clone(),
        Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or "),
        _ if part.get("enum").is_some() || part.get("const").is_some() => "one of".to_owned(),
        _ => "any".to_owned(),
    }
}

/// Returns the description of a value and its constraints, in words.
fn meaning(part: &Value) -> String {
    let mut facts: Vec<String> =
        part.get("description").and_then(Value::as_str).map(str::to_owned).into_iter().collect();
    if let Some(Value::Array(values)) = part.get("enum") {
        let words =
            values.iter().map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        facts.push(words.collect::<Vec<_>>().join(", "));
    }
    for word in ["const", "format", "pattern", "minimum", "maximum", "minLength", "minItems"] {
        facts.extend(part.get(word).map(|value| match value.as_str() {
            Some(text) => format!("{word} {text}"),
            None => format!("{word} {value}"),
        }));
    }
    if part.get("writeOnly") == Some(&json!(true)) {
        facts.push("secret".to_owned());
    }
    facts.join("; ")
}

/// Returns a command line that starts the workflow. Secrets, and members that -i cannot set, are read from
/// standard input.
fn start(name: &str, schema: &Value, input: &Value) -> String {
    let secret = |schema: InputSchema| schema.write_only(input).map_or(true, |secrets| !secrets.is_empty());
    let secrets = InputSchema::compile(schema).is_ok_and(secret);
    let flags = input.as_object().filter(|all| !secrets && all.keys().all(|key| is_plain(key)));
    match flags {
        Some(all) => {
            let flags: String = all.iter().map(|(key, value)| format!(" -i {}", flag(key, value))).collect();
            format!("  longhaul task start {name}{flags} --watch\n")
        }
        None => format!("longhaul task start {name} --input - --watch <<'END'\n{input:#}\nEND\n"),
    }
}

fn is_plain(key: &str) -> bool {
    !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
}

/// Returns `key=text` or `key:=json`, quoted for a shell.
fn flag(key: &str, value: &Value) -> String {
    let given = match value {
        Value::String(text) => format!("{key}={text}"),
        other => format!("{key}:={other}"),
    };
    let bare = |c: char| c.is_ascii_alphanumeric() || "-_=:./@%+,".contains(c);
    if given.chars().all(bare) { given } else { format!("'{}'", given.replace('\'', "'\\''")) }
}
