//! `clock`: the server's clock, as far as it decides what is old.

use clap::{Args, Subcommand};
use longhaul_model::Timestamp;

use super::instant::point;

/// `clock`.
#[derive(Debug, Args)]
#[command(after_help = "\
A clock that is more than a day ahead of when the store was last at work is doubted: nothing is deleted that would be \
old by the clock alone, until an administrator confirms it or the store was at work for as long.

Examples:
  longhaul clock                               what time it is, and whether the server believes it
  longhaul clock confirm                       the server's clock agrees with this machine's
  longhaul clock confirm 2027-03-01T12:00:00Z  with what a watch says, where both are one machine")]
pub(crate) struct ClockArgs {
    #[command(subcommand)]
    pub(crate) command: Option<ClockCommand>,
}

/// Subcommands of `clock`.
#[derive(Debug, Subcommand)]
pub(crate) enum ClockCommand {
    /// Confirm that the server's clock is right: what is old by it may be deleted
    Confirm(ConfirmArgs),
}

/// `clock confirm`.
#[derive(Debug, Args)]
#[command(after_help = "\
The server compares the time with its clock, and refuses what is more than an hour away from it. On the server's own \
machine give the time from elsewhere: its clock cannot vouch for itself. The audit log has who confirmed it.")]
pub(crate) struct ConfirmArgs {
    /// The time now, in RFC 3339 or milliseconds since 1970 [default: by this machine's clock]
    #[arg(value_parser = point, value_name = "TIME")]
    pub(crate) time: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use crate::cli::Cli;

    /// A time before now is no time that a watch says.
    #[test]
    fn a_clock_is_confirmed_by_a_point_in_time() {
        let confirm = |time: &str| Cli::try_parse_from(["longhaul", "clock", "confirm", time]);
        for right in ["2027-03-01T12:00:00Z", "1700000000000"] {
            assert!(confirm(right).is_ok(), "{right}");
        }
        for wrong in ["30m", "1h", "0s", "now", ""] {
            assert!(confirm(wrong).is_err(), "{wrong}");
        }
    }
}
