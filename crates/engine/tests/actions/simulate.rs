//! `simulate`.

use std::time::{Duration, Instant};

use longhaul_model::{Failure, Span};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::actions;
use crate::support::{error, launch, log, run};

#[tokio::test]
async fn simulate_without_members_succeeds_without_output() {
    assert_eq!(run(&actions(&[], &[]), json!({"simulate": {}}), json!({})).await, Ok(None));
}

#[tokio::test]
async fn simulate_with_duration_takes_as_long_and_gives_its_output() {
    let action =
        json!({"simulate": {"duration": "{{ input.time }}", "output": {"n": "{{ input.n }}", "x": "y"}}});
    let start = Instant::now();
    let output = run(&actions(&[], &[]), action, json!({"time": "60ms", "n": 7})).await;
    assert_eq!(output, Ok(Some(json!({"n": 7, "x": "y"}))));
    assert!(start.elapsed() >= Duration::from_millis(60));
}

#[test]
fn simulate_without_duration_needs_no_timer() {
    // A runtime without a timer panics when one is asked for.
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let result =
        runtime.block_on(run(&actions(&[], &[]), json!({"simulate": {"duration": "0s"}}), json!({})));
    assert_eq!(result, Ok(None));
}

#[tokio::test]
async fn simulate_of_a_listed_attempt_fails_as_written() {
    let own = json!({"code": "NO_HOST", "message": "no host", "remediation": "plug it in"});
    let mut second = launch(json!({"simulate": {"failAttempts": [2, 3], "error": own}}), json!({}));
    let actions = actions(&[], &[]);
    assert_eq!(actions.run(&second, CancellationToken::new(), log()).await, Ok(None));
    second.number = 2;
    let (fault, retryable) = error(actions.run(&second, CancellationToken::new(), log()).await);
    assert_eq!((fault.error_code.as_str(), fault.message.as_str(), retryable), ("NO_HOST", "no host", true));
    assert_eq!(fault.remediation_message.as_deref(), Some("plug it in"));
    let plain = run(&actions, json!({"simulate": {"failAttempts": [1]}}), json!({})).await;
    assert_eq!(error(plain).0.error_code, "SIMULATED_FAILURE");
    let chosen = json!({"simulate": {"failAttempts": "{{ [1] if input.fail else [] }}"}});
    let by_input = run(&actions, chosen.clone(), json!({"fail": true})).await;
    assert_eq!(error(by_input).0.error_code, "SIMULATED_FAILURE");
    assert_eq!(run(&actions, chosen, json!({"fail": false})).await, Ok(None));
}

#[tokio::test]
async fn simulate_with_bad_expressions_fails_for_good() {
    let actions = actions(&[], &[]);
    for action in [
        json!({"simulate": {"duration": "{{ input.time }}"}}),
        json!({"simulate": {"duration": "{{ input.missing }}"}}),
        json!({"simulate": {"output": "{{ input.missing }}"}}),
        json!({"simulate": {"failAttempts": "{{ input.time }}"}}),
    ] {
        let (fault, retryable) = error(run(&actions, action.clone(), json!({"time": "soon"})).await);
        assert_eq!((fault.error_code.as_str(), retryable), ("EXPRESSION_ERROR", false), "{action}");
    }
}

#[tokio::test]
async fn simulate_when_stopped_ends_at_once() {
    let stop = CancellationToken::new();
    let mut long = launch(json!({"simulate": {"duration": "1h"}}), json!({}));
    long.timeout = Some(Span(1));
    let start = Instant::now();
    let (actions, stopper) = (actions(&[], &[]), stop.clone());
    let (result, ()) = tokio::join!(actions.run(&long, stop, log()), async move {
        tokio::time::sleep(Duration::from_millis(20)).await;
        stopper.cancel();
    });
    assert_eq!(result, Err(Failure::Stopped));
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn simulate_with_an_output_above_the_limit_fails_and_names_it() {
    let input = json!({"text": "x".repeat(1024 * 1024)});
    let (fault, retryable) =
        error(run(&actions(&[], &[]), json!({"simulate": {"output": "{{ input.text }}"}}), input).await);
    assert_eq!((fault.error_code.as_str(), retryable), ("OUTPUT_TOO_LARGE", false));
    assert!(fault.message.contains("1048578 bytes") && fault.message.contains("1 MiB"), "{}", fault.message);
}

#[tokio::test]
async fn wait_is_no_attempt_and_is_refused() {
    let (fault, retryable) = error(run(&actions(&[], &[]), json!({"wait": {"for": "1ms"}}), json!({})).await);
    assert_eq!((fault.error_code.as_str(), retryable), ("ACTION_NOT_RUNNABLE", false));
}
