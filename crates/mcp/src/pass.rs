//! Tokens of dry runs: proof that whoever asks for a change was told what it does.

use longhaul_crypto::{base64url, digest::HmacKey};
use longhaul_model::{Env, Span};
use serde_json::Value;

/// Time for which a token counts.
const LIFE: Span = Span(300_000);

/// Maker and judge of tokens. A token counts for one change as it was rehearsed, at this process only, and
/// for five minutes: a change whose consequences are others by now has to be rehearsed again.
pub struct Passes {
    key: HmacKey,
    env: Env,
}

/// Judgement of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Judgement {
    Valid,
    /// The token is none of this process, or its five minutes are over.
    Unknown,
    /// The token was given for another change, or the change means something else by now.
    Changed,
}

impl Passes {
    /// Creates a maker of tokens that no other accepts.
    pub fn new(env: Env) -> Passes {
        Passes { key: HmacKey::random(), env }
    }

    /// Makes the token of a change and of what its dry run told.
    pub(crate) fn token(&self, tool: &str, arguments: &Value, told: &Value) -> String {
        self.signed(self.now() + LIFE.0, tool, arguments, told)
    }

    /// Judges a token that was given with a change.
    pub(crate) fn judge(&self, token: &str, tool: &str, arguments: &Value, told: &Value) -> Judgement {
        let Some((until, _)) =
            token.split_once('.').and_then(|(until, code)| Some((until.parse().ok()?, code)))
        else {
            return Judgement::Unknown;
        };
        if until < self.now() {
            return Judgement::Unknown;
        }
        if self.signed(until, tool, arguments, told) == token { Judgement::Valid } else { Judgement::Changed }
    }

    fn signed(&self, until: u64, tool: &str, arguments: &Value, told: &Value) -> String {
        let text = serde_json::json!([until, tool, arguments, told]).to_string();
        format!("{until}.{}", base64url::encode(&self.key.sign(text.as_bytes())[..18]))
    }

    /// Milliseconds of a clock that does not leap.
    fn now(&self) -> u64 {
        self.env.now().0.unsigned_abs()
    }
}

#[cfg(test)]
mod tests {
    use longhaul_model::Timestamp;
    use serde_json::json;

    use super::*;

    #[test]
    fn token_counts_for_what_was_rehearsed_and_nothing_else() {
        let env = Env::manual(Timestamp(0));
        let passes = Passes::new(env.clone());
        let token = passes.token("retry_task", &json!({ "id": "a" }), &json!({ "version": 3 }));
        let judged = |tool, id, version| {
            passes.judge(&token, tool, &json!({ "id": id }), &json!({ "version": version }))
        };
        assert_eq!(judged("retry_task", "a", 3), Judgement::Valid);
        assert_eq!(judged("cancel_task", "a", 3), Judgement::Changed);
        assert_eq!(judged("retry_task", "b", 3), Judgement::Changed);
        assert_eq!(judged("retry_task", "a", 4), Judgement::Changed);
        let other = Passes::new(env.clone());
        assert_eq!(
            other.judge(&token, "retry_task", &json!({ "id": "a" }), &json!({ "version": 3 })),
            Judgement::Changed
        );
        env.advance(LIFE);
        assert_eq!(judged("retry_task", "a", 3), Judgement::Valid);
        env.advance(Span(1));
        assert_eq!(judged("retry_task", "a", 3), Judgement::Unknown);
        for wrong in ["", ".", "abc", "9.", "99999999999999999999.x", "1.AAAA"] {
            assert_eq!(
                passes.judge(wrong, "retry_task", &json!({}), &json!({})),
                Judgement::Unknown,
                "{wrong}"
            );
        }
    }
}
