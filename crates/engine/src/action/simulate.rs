//! `simulate`: takes a while, fails on given attempts, returns a given output. For demonstrations and tests.

use longhaul_model::fault::code;
use longhaul_model::workflow::{FailTemplate, SimulateTemplate};
use longhaul_model::{Failure, Fault, Launch, Span};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::{bad_expression, not_done, refuse};

pub(super) async fn run(
    template: &SimulateTemplate,
    launch: &Launch,
    stop: &CancellationToken,
) -> Result<Option<Value>, Failure> {
    let duration = template.duration.text(&launch.scope).map_err(|e| bad_expression("duration", &e))?;
    let duration: Span = duration.parse().map_err(|e| {
        refuse(
            Fault::new(code::EXPRESSION, format!("`duration`: {e}"))
                .remedy("Let the expression give such a text"),
        )
    })?;
    // Without a duration the attempt ends in the same moment: even the shortest sleep takes a tick of the
    // timer.
    if duration > Span(0) {
        tokio::select! {
            () = tokio::time::sleep(duration.into()) => {}
            () = stop.cancelled() => return Err(Failure::Stopped),
        }
    }
    if fails(template, launch)? {
        return Err(not_done(fault(template, launch.number), true));
    }
    let output = template.output.as_ref().map(|output| output.value(&launch.scope));
    output.transpose().map_err(|e| bad_expression("output", &e))
}

fn fails(template: &SimulateTemplate, launch: &Launch) -> Result<bool, Failure> {
    let expression = match &template.fail_attempts {
        FailTemplate::These(list) => return Ok(list.contains(&launch.number)),
        FailTemplate::Expression(expression) => expression,
    };
    let value = expression.value(&launch.scope).map_err(|e| bad_expression("failAttempts", &e))?;
    let list: Vec<u32> = serde_json::from_value(value).map_err(|e| {
        refuse(
            Fault::new(code::EXPRESSION, format!("`failAttempts`: {e}"))
                .remedy("Let the expression give a list of whole numbers, such as [1, 2]"),
        )
    })?;
    Ok(list.contains(&launch.number))
}

fn fault(template: &SimulateTemplate, number: u32) -> Fault {
    let Some(error) = &template.error else {
        return Fault::new(code::SIMULATED, format!("attempt {number} fails because `failAttempts` says so"));
    };
    let mut fault = Fault::new(&error.code, &error.message);
    fault.remediation_message.clone_from(&error.remediation);
    fault
}
