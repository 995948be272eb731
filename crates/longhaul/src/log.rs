//! The log: lines of text or of JSON on standard error. Every value is cut and has its control characters escaped, here and
//! for all: what others sent cannot begin a line of its own, and cannot fill the disk.

use std::fmt::{self, Debug, Write as _};
use std::io::IsTerminal;

use anyhow::Context as _;
use longhaul_model::text::Escaped;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::fmt::format::{Writer, debug_fn};
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::cli::LogFormat;
use crate::config::Config;

/// The longest value in a line, in bytes.
const LONGEST: usize = 4_096;

/// Begins to write the log as the configuration says.
pub(crate) fn start(config: &Config) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&config.log_level)
        .map_err(|_| anyhow::anyhow!("it is no filter"))
        .context("log_level: write info, or info,longhaul_store=debug")?;
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(colour)
        .with_writer(std::io::stderr)
        // Nobody to read them is no reason to stop: the complaint of it would be a panic.
        .log_internal_errors(false);
    match config.log_format {
        LogFormat::Text => log.fmt_fields(fields()).init(),
        LogFormat::Json => log.event_format(Json).init(),
    }
    Ok(())
}

/// How a line of text has its values.
pub(crate) fn fields() -> impl for<'a> FormatFields<'a> + Send + Sync + 'static {
    debug_fn(text_field).delimited(" ")
}

/// A value as a line of text has it.
fn text_field(writer: &mut Writer<'_>, field: &Field, value: &dyn Debug) -> fmt::Result {
    if field.name() != "message" {
        write!(writer, "{}=", field.name())?;
    }
    write!(Escaped::new(writer, LONGEST), "{value:?}")
}

/// A line of JSON for each event: when, how bad, what, where in the program.
struct Json;

impl<S, N> FormatEvent<S, N> for Json
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut now = String::new();
        SystemTime.format_time(&mut Writer::new(&mut now))?;
        let metadata = event.metadata();
        let mut line = Line(Map::new());
        line.0.insert("timestamp".to_owned(), now.into());
        line.0.insert("level".to_owned(), metadata.level().as_str().into());
        event.record(&mut line);
        line.0.insert("target".to_owned(), metadata.target().into());
        writeln!(writer, "{}", Value::Object(line.0))
    }
}

struct Line(Map<String, Value>);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let mut text = String::new();
        // Writing to a text cannot fail.
        let _ = write!(Escaped::new(&mut text, LONGEST), "{value:?}");
        self.0.insert(field.name().to_owned(), text.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn written(log: impl FnOnce(Kept) -> tracing::subscriber::DefaultGuard) -> String {
        let kept = Kept::default();
        let guard = log(kept.clone());
        let forged = "x\n2026-01-01T00:00:00Z ERROR forged\u{1b}[31m\u{202e}\r\u{85}";
        tracing::info!(shown = %forged, quoted = forged, debug = ?forged, number = 7, "{forged}");
        tracing::warn!(long = %"y".repeat(1 << 20), "long");
        drop(guard);
        let bytes = kept.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn lines_cannot_be_forged_and_have_an_end() {
        let text = written(|kept| {
            let log = tracing_subscriber::fmt().with_ansi(false).with_writer(move || kept.clone());
            tracing::subscriber::set_default(log.fmt_fields(fields()).finish())
        });
        let json = written(|kept| {
            let log = tracing_subscriber::fmt().with_ansi(false).with_writer(move || kept.clone());
            tracing::subscriber::set_default(log.event_format(Json).finish())
        });
        for log in [&text, &json] {
            assert_eq!(log.lines().count(), 2, "{log}");
            assert!(log.len() < 3 * LONGEST && log.contains("forged"), "{}", log.len());
            assert!(!log.contains(|c: char| c != '\n' && longhaul_model::text::is_harmful(c)), "{log:?}");
        }
        assert!(text.contains("number=7"), "{text}");
        let first: Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
        assert_eq!((&first["number"], &first["level"]), (&Value::from(7), &Value::from("INFO")));
    }
}
