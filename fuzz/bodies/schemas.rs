//! Schemas with `writeOnly`: a line of a schema and a line of an input. What the validator annotates as a
//! secret is known before, and a sealed input has its secrets in the same places.

use longhaul_model::workflow::{InputSchema, SEALED, Secrets};
use serde_json::{Value, json};

/// Runs one input; panics if something does not hold of it.
pub(crate) fn run(data: &[u8]) {
    let Some(end) = data.iter().position(|byte| *byte == b'\n') else { return };
    let Ok(schema) = serde_json::from_slice::<Value>(&data[..end]) else { return };
    let Ok(input) = serde_json::from_slice::<Value>(&data[end + 1..]) else { return };
    let Ok(secrets) = Secrets::survey(&schema) else {
        assert_eq!(Secrets::of(&schema).places(&input), [""], "what is unclear is a secret as a whole");
        return;
    };
    let places = secrets.places(&input);
    let mut sealed = input.clone();
    secrets.visit(&mut sealed, &mut |_, value| *value = json!({ SEALED: "x" }));
    assert_eq!(secrets.places(&sealed), places);
    let Ok(schema) = InputSchema::compile(&schema) else { return };
    for pointer in schema.write_only(&input).unwrap_or_default() {
        let known = |place: &String| pointer == *place || pointer.starts_with(&format!("{place}/"));
        assert!(places.iter().any(known), "{pointer} of {places:?}");
    }
}
