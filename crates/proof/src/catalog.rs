//! The workflows of the load, and what the checks must know of each. Both come from the same definition, so
//! they cannot disagree.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

/// Workflows whose tasks lock one of a few resources each, so that some wait for others.
const LOCKING: [&str; 2] = ["chain", "warns"];

/// Workflows of a load.
#[derive(Clone, Debug)]
pub struct Catalog {
    /// Workflow of each kind of work.
    pub kinds: Vec<Kind>,
}

/// Workflow of a load.
#[derive(Clone, Debug)]
pub struct Kind {
    /// Name of the workflow.
    pub name: String,
    /// The definition that the server gets.
    pub definition: Value,
    /// Facts about its sub-tasks, for the checks.
    pub subs: Vec<Sub>,
    /// True if its tasks lock a resource.
    pub locks: bool,
    /// Share of the load.
    pub weight: u32,
}

/// Sub-task, as the checks see it.
#[derive(Clone, Debug)]
pub struct Sub {
    /// Name of the sub-task.
    pub name: String,
    /// Sub-tasks that must have ended well before it starts.
    pub needs: Vec<usize>,
    /// True if it calls the effect counter.
    pub effect: bool,
    /// A second run may do harm.
    pub once: bool,
    /// The task goes on when it fails.
    pub goes_on: bool,
    /// Policy of automatic retries.
    pub retry: Option<Retry>,
}

/// Automatic retries.
#[derive(Clone, Copy, Debug)]
pub struct Retry {
    /// Attempts in one generation, the first included.
    pub attempts: u32,
    /// Pause before the second attempt, in milliseconds.
    pub backoff: i64,
    /// Factor by which the pause grows.
    pub factor: f64,
    /// The longest, in milliseconds.
    pub max: i64,
}

impl Retry {
    /// The shortest pause that is allowed after so many attempts of a generation, in milliseconds.
    pub fn pause(&self, tries: u32) -> i64 {
        let exponent = i32::try_from(tries.saturating_sub(1)).unwrap_or(i32::MAX).min(64);
        let grown = self.backoff as f64 * self.factor.powi(exponent);
        grown.min(self.max as f64) as i64
    }
}

impl Catalog {
    /// The load's workflows; their effects go to `effects`.
    pub fn new(effects: SocketAddr) -> Result<Catalog> {
        let effect = |name: &str| {
            json!({ "http": {
                "method": "POST",
                "url": format!("http://{effects}/effect/{{{{ task.id }}}}/{name}"),
                "body": { "mark": "{{ input.mark }}" },
            }})
        };
        let simulate = |duration: &str| json!({ "simulate": { "duration": duration } });
        let fails = |attempts: &[u32]| json!({ "simulate": { "duration": "1ms", "failAttempts": attempts } });
        let pause = "{{ input.pause }}";
        let kinds = [
            (
                20,
                "chain",
                json!([
                    sub("Zero", simulate("0ms")),
                    sub("Paused", simulate(pause)),
                    sub("Short", simulate("3ms")),
                    sub("Effect", effect("Effect")),
                    sub("Last", simulate(pause)),
                ]),
            ),
            (
                15,
                "flaky",
                json!([
                    sub("Prepare", simulate("0ms")),
                    with(
                        sub("Flaky", fails(&[1])),
                        json!({ "retry": { "attempts": 8, "backoff": "20ms", "factor": 2, "max": "100ms" } })
                    ),
                    sub("Effect", effect("Effect")),
                    with(
                        sub("Even", fails(&[1, 2])),
                        json!({ "retry": { "attempts": 9, "backoff": "10ms", "factor": 1.5, "max": "1s", "jitter": false } })
                    ),
                ]),
            ),
            (
                10,
                "waits",
                json!([
                    sub("Before", simulate(pause)),
                    sub("Wait", json!({ "wait": { "for": "40ms" } })),
                    sub("Effect", effect("Effect")),
                    sub("Again", json!({ "wait": { "for": pause } })),
                ]),
            ),
            (
                15,
                "graph",
                json!([
                    sub("Root", simulate("2ms")),
                    with(sub("Left", effect("Left")), json!({ "needs": ["Root"] })),
                    with(sub("Right", simulate(pause)), json!({ "needs": ["Root"] })),
                    with(sub("Apart", effect("Apart")), json!({ "needs": [] })),
                    with(sub("Join", effect("Join")), json!({ "needs": ["Left", "Right"] })),
                    with(sub("End", simulate("0ms")), json!({ "needs": ["Join", "Apart"] })),
                ]),
            ),
            (
                10,
                "once",
                json!([
                    sub("Before", simulate("0ms")),
                    with(sub("Once", effect("Once")), json!({ "repeatable": false })),
                    sub("Between", simulate(pause)),
                    with(sub("Charge", effect("Charge")), json!({ "repeatable": false })),
                ]),
            ),
            (
                15,
                "fails",
                json!([
                    sub("Effect", effect("Effect")),
                    sub("Fails", fails(&[1, 2])),
                    sub("Second", effect("Second")),
                    sub("Other", simulate(pause)),
                ]),
            ),
            (
                5,
                "warns",
                json!([
                    sub("Effect", effect("Effect")),
                    with(
                        sub("Passed", fails(&(1..=50).collect::<Vec<_>>())),
                        json!({ "onFailure": "continue" })
                    ),
                    sub("After", effect("After")),
                ]),
            ),
            (
                10,
                "long",
                Value::Array(
                    (0..12)
                        .map(|i| match i % 4 {
                            3 => sub(&format!("Effect{i}"), effect(&format!("Effect{i}"))),
                            _ => sub(&format!("Step{i}"), simulate("30ms")),
                        })
                        .collect(),
                ),
            ),
        ];
        let threes = [
            (
                5,
                "three",
                json!([
                    sub("First", simulate("2ms")),
                    sub("Effect", effect("Effect")),
                    sub("Third", simulate("0ms")),
                ]),
            ),
            (
                0,
                "three-fails",
                json!([
                    sub("Effect", effect("Effect")),
                    sub("Fails", fails(&[1])),
                    with(
                        sub("Flaky", fails(&[1])),
                        json!({ "retry": { "attempts": 8, "backoff": "5ms", "factor": 2, "max": "20ms" } })
                    ),
                ]),
            ),
            (
                0,
                "three-once",
                json!([
                    sub("First", simulate("0ms")),
                    with(sub("Once", effect("Once")), json!({ "repeatable": false })),
                    sub("Wait", json!({ "wait": { "for": "5ms" } })),
                ]),
            ),
            (
                0,
                "three-slow",
                json!([
                    sub("First", simulate("1ms")),
                    sub("Slow", simulate("300ms")),
                    sub("Effect", effect("Effect")),
                ]),
            ),
        ];
        let kinds = kinds.into_iter().chain(threes).map(|(weight, name, subs)| Kind::new(name, weight, subs));
        Ok(Catalog { kinds: kinds.collect::<Result<_>>()? })
    }

    /// Returns the workflow of a name.
    pub fn kind(&self, name: &str) -> Option<&Kind> {
        self.kinds.iter().find(|kind| kind.name == name)
    }

    /// Writes the definitions where `serve --workflows` finds them.
    pub fn write(&self, directory: &Path) -> Result<()> {
        std::fs::create_dir_all(directory)?;
        for kind in &self.kinds {
            let path = directory.join(format!("{}.json", kind.name));
            std::fs::write(&path, serde_json::to_vec_pretty(&kind.definition)?)
                .with_context(|| path.display().to_string())?;
        }
        Ok(())
    }
}

impl Kind {
    fn new(name: &str, weight: u32, sub_tasks: Value) -> Result<Kind> {
        let mut definition = json!({
            "name": name,
            "type": format!("TORTURE_{}", name.to_uppercase()),
            "title": format!("{name} {{{{ input.mark }}}}"),
            "input": {
                "type": "object",
                "required": ["mark", "pause", "note"],
                "additionalProperties": false,
                "properties": {
                    "mark": { "type": "integer" },
                    "pause": { "type": "string" },
                    "note": { "type": "string" }
                }
            },
            "subTasks": sub_tasks,
        });
        let subs = read_subs(&definition["subTasks"]).with_context(|| format!("the workflow {name}"))?;
        let locks = LOCKING.contains(&name);
        if locks {
            definition["resources"] =
                json!([{ "type": "HOST", "resourceId": "host-{{ input.mark % 64 }}", "lock": "exclusive" }]);
        }
        Ok(Kind { name: name.to_owned(), definition, subs, locks, weight })
    }
}

fn sub(name: &str, action: Value) -> Value {
    json!({ "name": name, "description": format!("{name} of the load"), "action": action })
}

fn with(mut sub: Value, more: Value) -> Value {
    if let (Value::Object(sub), Value::Object(more)) = (&mut sub, more) {
        sub.extend(more);
    }
    sub
}

fn read_subs(definitions: &Value) -> Result<Vec<Sub>> {
    let all = definitions.as_array().context("subTasks")?;
    let names: Vec<&str> = all.iter().filter_map(|sub| sub["name"].as_str()).collect();
    all.iter()
        .enumerate()
        .map(|(i, definition)| {
            let needs = match definition["needs"].as_array() {
                Some(named) => named
                    .iter()
                    .map(|need| names.iter().position(|name| Some(*name) == need.as_str()).context("needs"))
                    .collect::<Result<_>>()?,
                None => i.checked_sub(1).into_iter().collect(),
            };
            Ok(Sub {
                name: names.get(i).context("name")?.to_string(),
                needs,
                effect: definition["action"].get("http").is_some(),
                once: definition["repeatable"] == false,
                goes_on: definition["onFailure"] == "continue",
                retry: definition.get("retry").map(read_retry).transpose()?,
            })
        })
        .collect()
}

fn read_retry(retry: &Value) -> Result<Retry> {
    let attempts = retry["attempts"].as_u64().context("attempts")?;
    Ok(Retry {
        attempts: u32::try_from(attempts)?,
        backoff: millis(retry["backoff"].as_str().context("backoff")?)?,
        factor: retry["factor"].as_f64().context("factor")?,
        max: millis(retry["max"].as_str().context("max")?)?,
    })
}

fn millis(text: &str) -> Result<i64> {
    match text.strip_suffix("ms") {
        Some(number) => Ok(number.parse()?),
        None => Ok(text.strip_suffix('s').context("a duration")?.parse::<i64>()? * 1000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_checks_know_is_what_the_definitions_say() {
        let catalog = Catalog::new("127.0.0.1:1".parse().unwrap()).unwrap();
        let graph = &catalog.kind("graph").unwrap().subs;
        let needs: Vec<&[usize]> = graph.iter().map(|sub| sub.needs.as_slice()).collect();
        assert_eq!(needs, [&[][..], &[0], &[0], &[], &[1, 2], &[4, 3]]);
        let chain = &catalog.kind("chain").unwrap().subs;
        assert_eq!((chain[3].effect, chain[3].needs.as_slice(), chain[0].needs.len()), (true, &[2][..], 0));
        let flaky = catalog.kind("flaky").unwrap().subs[1].retry.unwrap();
        assert_eq!((flaky.attempts, [1, 2, 3, 4, 9].map(|n| flaky.pause(n))), (8, [20, 40, 80, 100, 100]));
        assert!(catalog.kind("once").unwrap().subs[1].once && catalog.kind("warns").unwrap().subs[1].goes_on);
    }
}
