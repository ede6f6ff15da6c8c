//! What ops read: one line an event on stderr, in the form that its reader wants.
//!
//! | form | a line |
//! |---|---|
//! | text | `2026-05-01T12:00:00.000Z  INFO cycle: cycle finished created=3` |
//! | journald | `<6>cycle: cycle finished created=3` |
//! | json | `{"time":"…","level":"info","event":"cycle","message":"cycle finished","created":3}` |
//!
//! The field `event` is the stable name of what happened and comes first; an event without it, which
//! is one of a library, begins with its target. No value can begin a line of its own: control
//! characters are escaped.

mod line;

use crate::clock::Clock;
use line::{Form, Lines, SpanFields};
use serde::{Deserialize, Serialize};
use std::io::IsTerminal as _;
use std::os::fd::AsFd as _;
use std::os::unix::fs::MetadataExt as _;
use tracing::{Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::{MakeWriter, SubscriberBuilder};
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt as _;

/// `[log] format`.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// `journald` where stderr goes to the journal, `text` on a terminal, else `json`.
    #[default]
    Auto,
    /// For people.
    Text,
    /// For programs: one object a line.
    Json,
    /// For the journal, which adds time and place itself: each line begins with its syslog priority.
    Journald,
}

/// Where the lines go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sink {
    journal: bool,
    terminal: bool,
    colour: bool,
}

/// Why logging cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// `RUST_LOG` or `[log] level` is neither a level nor a list of directives.
    #[error("{place} is no log level: {source}")]
    Level {
        /// Which of the two.
        place: &'static str,
        /// What is wrong with it.
        source: tracing_subscriber::filter::ParseError,
    },
    /// Something in this process logs already.
    #[error("logging has begun already")]
    Begun,
    /// What was logged through is gone.
    #[error("the log level cannot be changed any more: {0}")]
    Gone(reload::Error),
}

/// Changes how much is logged while the process runs.
pub struct LevelHandle {
    set: SetFilter,
    /// `RUST_LOG` as it was at the start.
    directives: String,
}

impl std::fmt::Debug for LevelHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LevelHandle").finish_non_exhaustive()
    }
}

impl LevelHandle {
    /// Logs by `level` from now on, unless `RUST_LOG` is set.
    ///
    /// # Errors
    ///
    /// Where it is no level.
    pub fn set(&self, level: &str) -> Result<(), TelemetryError> {
        (self.set)(filter(&self.directives, level)?).map_err(TelemetryError::Gone)
    }
}

/// Begins to log to stderr, once a process. `level` is `[log] level`: `error`, `warn`, `info`,
/// `debug`, `trace`, or directives such as `info,deskbridge::remote=trace`; `RUST_LOG`, where it is
/// set, is used instead. A bare `debug` or `trace` is meant for deskbridge; libraries stay at `info`.
pub fn init(
    format: LogFormat,
    level: &str,
    clock: impl Clock + 'static,
) -> Result<LevelHandle, TelemetryError> {
    let directives = std::env::var("RUST_LOG").unwrap_or_default();
    let filter = filter(&directives, level)?;
    let form = format.form(Sink::stderr());
    let (subscriber, set) = subscriber(form, filter, clock, std::io::stderr);
    subscriber.try_init().map_err(|_| TelemetryError::Begun)?;
    Ok(LevelHandle { set, directives })
}

impl LogFormat {
    /// What it comes to on `sink`.
    fn form(self, sink: Sink) -> Form {
        let text = Form::Text {
            colour: sink.terminal && sink.colour,
        };
        match self {
            Self::Text => text,
            Self::Journald => Form::Journald,
            Self::Auto if sink.journal => Form::Journald,
            Self::Auto if sink.terminal => text,
            Self::Json | Self::Auto => Form::Json,
        }
    }
}

impl Sink {
    /// This process's stderr.
    fn stderr() -> Self {
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        Self {
            journal: std::env::var("JOURNAL_STREAM")
                .is_ok_and(|stream| stderr_id().is_some_and(|id| id == stream)),
            terminal: std::io::stderr().is_terminal(),
            colour: !set("NO_COLOR"),
        }
    }
}

/// Device and inode of stderr, the way `JOURNAL_STREAM` gives them: the variable is inherited by
/// children whose stderr goes elsewhere (`systemd.exec(5)`).
fn stderr_id() -> Option<String> {
    let stderr = std::io::stderr().as_fd().try_clone_to_owned().ok()?;
    let metadata = std::fs::File::from(stderr).metadata().ok()?;
    Some(format!("{}:{}", metadata.dev(), metadata.ino()))
}

/// What is logged: by `directives` where there are any, else by `level`.
fn filter(directives: &str, level: &str) -> Result<EnvFilter, TelemetryError> {
    let parse = |place, text: &str| {
        EnvFilter::builder()
            .parse(text)
            .map_err(|source| TelemetryError::Level { place, source })
    };
    if !directives.trim().is_empty() {
        return parse("RUST_LOG", directives);
    }
    match level.trim().parse() {
        Ok(own @ (Level::DEBUG | Level::TRACE)) => {
            parse("level", &format!("info,deskbridge={own}"))
        }
        _ => parse("level", level.trim()),
    }
}

/// Puts another filter in place.
type SetFilter = Box<dyn Fn(EnvFilter) -> Result<(), reload::Error> + Send + Sync>;

/// All of it, writing to `writer`, and how its filter is changed.
fn subscriber<W>(
    form: Form,
    filter: EnvFilter,
    clock: impl Clock + 'static,
    writer: W,
) -> (impl Subscriber + Send + Sync + 'static, SetFilter)
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = Lines {
        form,
        clock: Box::new(clock),
    };
    let builder = SubscriberBuilder::default()
        .with_env_filter(filter)
        .fmt_fields(SpanFields)
        .event_format(lines)
        .with_writer(writer)
        .with_filter_reloading();
    let handle = builder.reload_handle();
    let set = Box::new(move |filter| handle.reload(filter));
    (builder.finish(), set)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{DateTime, Utc};
    use serde_json::Value as Json;
    use std::io;
    use std::sync::{Arc, Mutex};
    use tracing::{debug, error, info, info_span, trace, warn};

    #[derive(Debug)]
    struct Noon;

    impl Clock for Noon {
        fn now(&self) -> DateTime<Utc> {
            "2026-05-01T12:00:00Z".parse().unwrap()
        }
    }

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(form: Form, level: &str, work: impl FnOnce()) -> Vec<String> {
        let buffer = Buffer::default();
        let writer = buffer.clone();
        let (subscriber, _) = subscriber(form, filter("", level).unwrap(), Noon, move || {
            writer.clone()
        });
        tracing::subscriber::with_default(subscriber, work);
        let text = String::from_utf8(buffer.0.lock().unwrap().clone()).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    fn cycle() {
        info!(event = "cycle", created = 3, failed = 0_u64, lag = 1.5, run = %"a b", "cycle finished");
    }

    const PLAIN: Form = Form::Text { colour: false };

    #[test]
    fn a_person_reads_time_level_event_and_numbers_in_this_order() {
        assert_eq!(
            logged(PLAIN, "info", cycle),
            [
                "2026-05-01T12:00:00.000Z  INFO cycle: cycle finished created=3 failed=0 lag=1.5 run=\"a b\""
            ]
        );
    }

    #[test]
    fn a_log_store_gets_typed_fields_with_the_event_in_front() {
        assert_eq!(
            logged(Form::Json, "info", cycle),
            [
                "{\"time\":\"2026-05-01T12:00:00.000Z\",\"level\":\"info\",\"event\":\"cycle\",\"message\":\"cycle finished\",\"created\":3,\"failed\":0,\"lag\":1.5,\"run\":\"a b\"}"
            ]
        );
    }

    #[test]
    fn the_journal_knows_an_error_from_a_chat() {
        let lines = logged(Form::Journald, "deskbridge=trace", || {
            error!(event = "e", "bad");
            warn!(event = "w", "odd");
            info!(event = "i", "fine");
            debug!(event = "d", "detail");
            trace!(event = "t", "noise");
        });
        assert_eq!(
            lines,
            [
                "<3>e: bad",
                "<4>w: odd",
                "<6>i: fine",
                "<7>d: detail",
                "<7>t: noise"
            ]
        );
    }

    #[test]
    fn a_servers_message_can_neither_forge_a_line_nor_colour_a_terminal() {
        let evil = "no\n<0>cycle: all is lost \u{1b}[31m";
        let text = || warn!(event = "refused", said = %evil, "{evil}");
        for form in [PLAIN, Form::Journald, Form::Json] {
            let lines = logged(form, "info", text);
            assert_eq!(lines.len(), 1, "{lines:?}");
            assert!(!lines[0].contains('\u{1b}'), "{lines:?}");
        }
        assert_eq!(
            logged(Form::Journald, "info", text),
            [
                "<4>refused: no\\n<0>cycle: all is lost \\u{1b}[31m said=\"no\\n<0>cycle: all is lost \\u{1b}[31m\""
            ]
        );
    }

    #[test]
    fn an_event_says_in_which_cycle_it_happened() {
        let work = || {
            let _cycle = info_span!("cycle", id = 7, side = "crm").entered();
            let _page = info_span!("page", name = "x y").entered();
            info!(event = "read", "page read");
        };
        assert_eq!(
            logged(Form::Journald, "info", work),
            ["<6>read: page read in cycle{id=7 side=crm}:page{name=\"x y\"}"]
        );
        let json: Json = serde_json::from_str(&logged(Form::Json, "info", work)[0]).unwrap();
        assert_eq!(json["spans"][0], "cycle{id=7 side=crm}");
    }

    #[test]
    fn a_librarys_event_is_shown_with_its_origin() {
        let work = || info!(target: "log", { log.target = "sqlx::query", log.line = 3 }, "slow");
        assert_eq!(
            logged(Form::Journald, "info", work),
            ["<6>sqlx::query: slow"]
        );
    }

    #[test]
    fn debugging_deskbridge_does_not_drown_in_its_libraries() {
        let work = || {
            debug!(target: "hyper", "noise");
            info!(target: "hyper", "kept");
            debug!(target: "deskbridge::sync", "detail");
        };
        let kept = ["<6>hyper: kept", "<7>deskbridge::sync: detail"];
        assert_eq!(logged(Form::Journald, "debug", work), kept);
        assert_eq!(logged(Form::Journald, "warn", work), [""; 0]);
    }

    #[test]
    fn a_reload_changes_how_much_is_logged_without_a_restart() {
        let buffer = Buffer::default();
        let writer = buffer.clone();
        let filtered = |level: &str| filter("", level).unwrap();
        let (subscriber, set) = subscriber(PLAIN, filtered("warn"), Noon, move || writer.clone());
        tracing::subscriber::with_default(subscriber, || {
            cycle();
            set(filtered("info")).unwrap();
            cycle();
        });
        let text = String::from_utf8(buffer.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.lines().count(), 1, "{text}");
    }

    #[test]
    fn the_environments_level_wins_and_a_wrong_one_is_named() {
        assert_eq!(filter("warn", "debug").unwrap().to_string(), "warn");
        assert_eq!(filter(" ", "error").unwrap().to_string(), "error");
        let wrong = filter("deskbridge=loud", "info").unwrap_err();
        assert!(
            wrong.to_string().starts_with("RUST_LOG is no log level"),
            "{wrong}"
        );
        let wrong = filter("", "deskbridge=loud").unwrap_err();
        assert!(
            wrong.to_string().starts_with("level is no log level"),
            "{wrong}"
        );
    }

    #[test]
    fn each_reader_gets_its_form_and_colour_stays_on_terminals() {
        let sink = |journal, terminal, colour| Sink {
            journal,
            terminal,
            colour,
        };
        for (format, sink, form) in [
            (LogFormat::Auto, sink(true, false, true), Form::Journald),
            (
                LogFormat::Auto,
                sink(false, true, true),
                Form::Text { colour: true },
            ),
            (LogFormat::Auto, sink(false, true, false), PLAIN),
            (LogFormat::Auto, sink(false, false, true), Form::Json),
            (LogFormat::Text, sink(true, false, true), PLAIN),
            (LogFormat::Json, sink(true, true, true), Form::Json),
            (LogFormat::Journald, sink(false, true, true), Form::Journald),
        ] {
            assert_eq!(format.form(sink), form, "{format:?} {sink:?}");
        }
        let coloured = logged(Form::Text { colour: true }, "info", cycle);
        assert!(
            coloured[0].contains("\u{1b}[32m INFO\u{1b}[0m cycle:"),
            "{coloured:?}"
        );
    }
}
