//! Server log: lines of text or of JSON on standard error. Every value is cut and has its control characters
//! escaped, here and for all: values that others sent cannot begin a line of their own, and cannot fill the
//! disk.

mod pipe;

use std::fmt::{self, Debug, Write as _};
use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::anyhow;
use longhaul_model::text::Escaped;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::fmt::format::{Format, Writer, debug_fn};
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::cli::LogFormat;

/// The longest value in a line, in bytes.
const LONGEST: usize = 4_096;

/// The levels, for messages.
const LEVELS: &str = "error, warn, info, debug, trace or off";

/// A filter of more than a level, for messages.
const EXAMPLE: &str = "info,longhaul_store=debug";

/// Longest wait at the end of the process for a reader of the log.
const ENDING: Duration = Duration::from_millis(500);

/// Log of this process, once it was started.
static LOG: OnceLock<Log> = OnceLock::new();

struct Log {
    pipe: Arc<pipe::Pipe>,
    is_json: Arc<AtomicBool>,
    filter: Box<dyn Fn(EnvFilter) -> anyhow::Result<()> + Send + Sync>,
}

/// Starts the log at a level and in a format. Returns the count of lines that were lost as nobody read them.
pub(crate) fn start(level: &str, format: LogFormat) -> anyhow::Result<Arc<AtomicU64>> {
    begin(level, format, Format::default())
}

/// Begins to write the log of a process that is no server: lines of text without the module that they are of.
pub(crate) fn start_plain(level: &str) -> anyhow::Result<()> {
    begin(level, LogFormat::Text, Format::default().with_target(false)).map(drop)
}

fn begin(level: &str, format: LogFormat, text: Format) -> anyhow::Result<Arc<AtomicU64>> {
    let filter = filter(level)?;
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let is_json = Arc::new(AtomicBool::new(format == LogFormat::Json));
    let lost = Arc::new(AtomicU64::new(0));
    let json = is_json.clone();
    let notice = move |count| lost_lines(count, json.load(Ordering::Relaxed));
    let pipe = pipe::Pipe::start(std::io::stderr(), lost.clone(), notice)?;
    let lines = pipe::Lines(pipe.clone());
    let log = tracing_subscriber::fmt()
        .with_ansi(colour)
        .with_writer(move || lines.clone())
        // A log without readers is no reason to stop: the complaint of it would be a panic.
        .log_internal_errors(false)
        .fmt_fields(fields())
        .event_format(Shape { is_json: is_json.clone(), text })
        .with_env_filter(filter)
        .with_filter_reloading();
    let handle = log.reload_handle();
    log.init();
    let filter = Box::new(move |filter| Ok(handle.reload(filter)?));
    // A process has one log.
    let _ = LOG.set(Log { pipe, is_json, filter });
    // The default one would write to standard error itself, and wait for its reader.
    std::panic::set_hook(Box::new(|panic| tracing::error!(%panic, "a thread panicked")));
    Ok(lost)
}

/// Reads a filter: a level in any case, or directives such as `info,longhaul_store=debug`. A word alone that
/// is no level is refused: the library would take a misspelt level for the name of a module, and log nothing
/// else.
pub(crate) fn filter(text: &str) -> anyhow::Result<EnvFilter> {
    let mut known = Vec::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        known.push(match part.rsplit_once('=') {
            Some((target, word)) => format!("{target}={}", level(word).unwrap_or(word.trim())),
            None if part.contains(['[', '{']) => part.to_owned(),
            None => level(part)
                .map(str::to_owned)
                .ok_or_else(|| anyhow!("`{part}` is no level: write {LEVELS}, or {EXAMPLE}"))?,
        });
    }
    if known.is_empty() {
        return Err(anyhow!("it is empty: write {LEVELS}, or {EXAMPLE}"));
    }
    EnvFilter::try_new(known.join(",")).map_err(|_| anyhow!("write info, or {EXAMPLE}"))
}

/// Returns the level that a word names, in whatever case it is written.
fn level(word: &str) -> Option<&'static str> {
    match word.trim().to_ascii_lowercase().as_str() {
        "error" => Some("error"),
        "warn" | "warning" => Some("warn"),
        "info" => Some("info"),
        "debug" => Some("debug"),
        "trace" => Some("trace"),
        "off" => Some("off"),
        _ => None,
    }
}

/// Changes the level and the format of the log.
pub(crate) fn change(format: LogFormat, level: &str) -> anyhow::Result<()> {
    if let Some(log) = LOG.get() {
        (log.filter)(filter(level)?)?;
        log.is_json.store(format == LogFormat::Json, Ordering::Relaxed);
    }
    Ok(())
}

/// Waits for the log to be written, but not for a reader that has stalled. To be called before the process
/// ends.
pub(crate) fn flush() {
    if let Some(log) = LOG.get() {
        log.pipe.flush(ENDING);
    }
}

/// Returns the line that reports lost ones.
fn lost_lines(count: u64, is_json: bool) -> String {
    let mut now = String::new();
    // Writing to a text cannot fail.
    let _ = SystemTime.format_time(&mut Writer::new(&mut now));
    let message = "lines of the log are missing before this one: its reader had stalled";
    let target = module_path!();
    if is_json {
        let line = serde_json::json!({
            "timestamp": now, "level": "WARN", "message": message, "lost": count, "target": target
        });
        format!("{line}\n")
    } else {
        format!("{now}  WARN {target}: {message} lost={count}\n")
    }
}

/// Format of a line for each event, text or JSON, which can change while the server runs.
struct Shape {
    is_json: Arc<AtomicBool>,
    text: Format,
}

impl<S, N> FormatEvent<S, N> for Shape
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        match self.is_json.load(Ordering::Relaxed) {
            true => Json.format_event(context, writer, event),
            false => self.text.format_event(context, writer, event),
        }
    }
}

/// Formatter of the values in a line of text.
pub(crate) fn fields() -> impl for<'a> FormatFields<'a> + Send + Sync + 'static {
    debug_fn(text_field).delimited(" ")
}

/// Writes a value as a line of text has it.
fn text_field(writer: &mut Writer<'_>, field: &Field, value: &dyn Debug) -> fmt::Result {
    if field.name() != "message" {
        write!(writer, "{}=", field.name())?;
    }
    write!(Escaped::new(writer, LONGEST), "{value:?}")
}

/// Format of a line of JSON for each event: time, level, message, place in the program.
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

    #[test]
    fn a_level_is_read_in_any_case_and_a_misspelt_one_is_refused() {
        for (written, meant) in [
            ("error", "error"),
            ("WARNING", "warn"),
            ("Warn", "warn"),
            (" INFO ", "info"),
            ("debug", "debug"),
            ("TRACE", "trace"),
            ("Off", "off"),
            ("info,longhaul_worker=DEBUG", "longhaul_worker=debug,info"),
            ("warning, longhaul_store=Warning,", "longhaul_store=warn,warn"),
        ] {
            let read = filter(written).unwrap_or_else(|e| panic!("{written}: {e}")).to_string();
            let sorted = |text: &str| {
                let mut parts: Vec<String> = text.split(',').map(str::to_owned).collect();
                parts.sort();
                parts
            };
            assert_eq!(sorted(&read), sorted(meant), "{written}");
        }
        for wrong in ["inof", "info,longhaul", "verbose", "warn,inof", "information", "", " , "] {
            let said = filter(wrong).expect_err(wrong).to_string();
            assert!(said.contains(LEVELS) && said.contains(EXAMPLE), "{wrong}: {said}");
        }
        for spans in ["info,longhaul_store[save{id=1}]=debug", "off,[save]=debug", "[save]"] {
            assert!(filter(spans).is_ok(), "{spans}");
        }
        assert!(filter("a=b=c").is_err() && filter("longhaul=loud").is_err());
    }

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
