//! From a typed async function to what the worker runs: JSON in, JSON out, nothing that can bring the worker
//! down.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::{RawValue, to_raw_value};

use crate::action_error::ActionError;
use crate::context::Context;
use crate::panic::panicked;
use crate::wire::{DEEPEST_OUTPUT, LARGEST_OUTPUT};

/// Result of an attempt: its output, if it has one, or its error.
pub(crate) type Outcome = Result<Option<Box<RawValue>>, ActionError>;

/// A function for the attempts of a queue.
pub(crate) type Handler =
    Arc<dyn Fn(Context, Option<Box<RawValue>>) -> BoxFuture<'static, Outcome> + Send + Sync>;

/// Wraps a typed function.
pub(crate) fn handler<I, O, F, Fut>(function: F) -> Handler
where
    I: DeserializeOwned + Send + 'static,
    O: Serialize + Send + 'static,
    F: Fn(Context, I) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<O, ActionError>> + Send + 'static,
{
    let function = Arc::new(function);
    Arc::new(move |context, given| {
        let function = function.clone();
        // The call itself is inside, too: also what panics before the first await is caught.
        let work = async move { output(&function(context, input(given.as_deref())?).await?) };
        let caught = AssertUnwindSafe(work).catch_unwind();
        Box::pin(async move { caught.await.unwrap_or_else(|panic| Err(panicked(panic.as_ref()))) })
    })
}

/// The input; where there is none, what null would be.
fn input<I: DeserializeOwned>(given: Option<&RawValue>) -> Result<I, ActionError> {
    let mut text = serde_json::Deserializer::from_str(given.map_or("null", RawValue::get));
    serde_path_to_error::deserialize(&mut text).map_err(|e| {
        let place = match e.path().to_string() {
            path if path == "." => "input".to_owned(),
            path => format!("input.{path}"),
        };
        // Where in the line it is says nothing to those who wrote an expression.
        let reason = e.inner().to_string();
        let reason = reason.rsplit_once(" at line ").map_or(reason.as_str(), |(reason, _)| reason);
        ActionError::new("INPUT_INVALID", format!("{place}: {reason}"))
            .remediation("Correct the `input` of the `worker` action, or the values its expressions use")
            .permanent()
    })
}

fn output(value: &impl Serialize) -> Outcome {
    let output = to_raw_value(value)
        .map_err(|e| ActionError::new("OUTPUT_INVALID", format!("the output is no JSON: {e}")).permanent())?;
    match output.get() {
        "null" => Ok(None),
        text if text.len() > LARGEST_OUTPUT => Err(too_large(text.len())),
        text if nesting(text) > DEEPEST_OUTPUT => Err(too_deep()),
        _ => Ok(Some(output)),
    }
}

/// Returns the error for an output that is too large.
pub(crate) fn too_large(size: usize) -> ActionError {
    let message = format!("the output is {size} bytes of JSON, and {LARGEST_OUTPUT} is the most");
    ActionError::new("OUTPUT_TOO_LARGE", message)
        .remediation("Keep the data elsewhere, and give its place as output")
        .permanent()
}

fn too_deep() -> ActionError {
    let message = format!("the output is nested deeper than {DEEPEST_OUTPUT} levels");
    ActionError::new("OUTPUT_TOO_DEEP", message)
        .remediation("Give less of it, or the deep part as a text")
        .permanent()
}

/// Returns the nesting depth of a JSON text.
fn nesting(text: &str) -> usize {
    let (mut now, mut deepest, mut quoted, mut escaped) = (0_usize, 0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'{' | b'[' if !quoted => {
                now += 1;
                deepest = deepest.max(now);
            }
            b'}' | b']' if !quoted => now = now.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only read")]
    struct Host {
        host: String,
        ports: Vec<u16>,
    }

    fn read(text: &str) -> Result<Host, ActionError> {
        input(Some(&RawValue::from_string(text.to_owned()).unwrap()))
    }

    #[test]
    fn input_that_does_not_fit_names_its_place() {
        let error = read(r#"{"host":"esx1","ports":[22,"x"]}"#).unwrap_err();
        assert_eq!(
            (error.code.as_str(), error.message.as_str()),
            ("INPUT_INVALID", "input.ports[1]: invalid type: string \"x\", expected u16")
        );
        assert!(!error.retryable);
        assert_eq!(read(r#"{"ports":[]}"#).unwrap_err().message, "input: missing field `host`");
    }

    #[test]
    fn input_that_is_missing_is_null() {
        assert!(input::<()>(None).is_ok());
        assert_eq!(input::<Option<u8>>(None).unwrap(), None);
        assert!(input::<Host>(None).is_err());
    }

    #[test]
    fn output_is_checked_before_it_is_sent() {
        assert!(output(&()).unwrap().is_none());
        assert_eq!(output(&[1, 2]).unwrap().unwrap().get(), "[1,2]");
        let deep =
            |levels| (1..levels).fold(serde_json::json!(["]{[\""]), |inner, _| serde_json::json!([inner]));
        assert!(output(&deep(DEEPEST_OUTPUT)).is_ok());
        assert_eq!(output(&deep(DEEPEST_OUTPUT + 1)).unwrap_err().code, "OUTPUT_TOO_DEEP");
        assert_eq!(output(&"x".repeat(LARGEST_OUTPUT)).unwrap_err().code, "OUTPUT_TOO_LARGE");
        let no_json = std::collections::BTreeMap::from([((1, 2), 3)]);
        assert_eq!(output(&no_json).unwrap_err().code, "OUTPUT_INVALID");
    }
}
