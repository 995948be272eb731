//! `clock …`.

use longhaul_client::ClockBody;

use super::Context;
use crate::cli::{ClockArgs, ClockCommand, ConfirmArgs};
use crate::exit::{Code, Failure};
use crate::out::span;
use crate::out::table::Table;

/// Runs a `clock` command.
pub(crate) async fn run(args: ClockArgs, context: &Context) -> Result<Code, Failure> {
    match args.command {
        None => show(context).await,
        Some(ClockCommand::Confirm(args)) => confirm(&args, context).await,
    }
}

async fn show(Context { client, out }: &Context) -> Result<Code, Failure> {
    let answer = client.clock().await?;
    if out.verbatim(&answer)? {
        return Ok(Code::Success);
    }
    let clock: ClockBody = crate::cmd::plain(answer).map_err(anyhow::Error::from)?;
    let ahead = span::parse(&clock.clock_timestamp).zip(span::parse(&clock.lived_timestamp));
    let mut table = Table::new(&["CLOCK", "DELETES BY", "DOUBTED"]);
    let doubted = if clock.doubted { "yes" } else { "no" };
    table.row(vec![clock.clock_timestamp, clock.lived_timestamp, doubted.to_owned()]);
    out.text(&table.render(out.palette, out.width()))?;
    if let (true, Some((now, lived))) = (clock.doubted, ahead) {
        let ahead = span::age(now.0 - lived.0);
        out.remark(&format!(
            "the clock is {ahead} ahead of the time that the store was at work; if it is right, `longhaul clock confirm` says so"
        ))?;
    }
    Ok(Code::Success)
}

async fn confirm(args: &ConfirmArgs, Context { client, out }: &Context) -> Result<Code, Failure> {
    let time = args.time.unwrap_or_else(crate::now).to_string();
    client.confirm_clock(&time).await?;
    if !out.verbatim(&serde_json::Value::Null)? {
        out.remark(&format!("the server's clock is confirmed by {time}"))?;
    }
    Ok(Code::Success)
}
