//! One event as one line.

use crate::clock::Clock;
use chrono::SecondsFormat;
use serde::ser::{Serialize, SerializeMap as _, Serializer};
use serde_json::Value as Json;
use std::fmt;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::{LookupSpan, Scope};

/// The form of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Text { colour: bool },
    Json,
    Journald,
}

/// Formats events.
#[derive(Debug)]
pub(super) struct Lines {
    pub(super) form: Form,
    pub(super) clock: Box<dyn Clock>,
}

impl<S> FormatEvent<S, SpanFields> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, SpanFields>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = Line {
            level: *event.metadata().level(),
            target: event.metadata().target().to_owned(),
            ..Line::default()
        };
        event.record(&mut line.fields);
        line.settle();
        for span in context.event_scope().into_iter().flat_map(Scope::from_root) {
            let extensions = span.extensions();
            let fields = extensions
                .get::<FormattedFields<SpanFields>>()
                .map_or("", |fields| fields.fields.as_str());
            line.spans.push(format!("{}{{{fields}}}", span.name()));
        }
        match self.form {
            Form::Text { colour } => {
                line.time(self.clock.as_ref());
                let (begin, end) = if colour { paint(line.level) } else { ("", "") };
                write!(writer, "{} {begin}{:>5}{end} ", line.time, line.level)?;
                line.write_text(&mut writer)?;
            }
            Form::Journald => {
                write!(writer, "<{}>", priority(line.level))?;
                line.write_text(&mut writer)?;
            }
            Form::Json => {
                line.time(self.clock.as_ref());
                let json = serde_json::to_string(&line).map_err(|_| fmt::Error)?;
                writer.write_str(&json)?;
            }
        }
        writer.write_char('\n')
    }
}

/// Syslog's number for a level.
const fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        Level::DEBUG | Level::TRACE => 7,
    }
}

/// Colour on and off.
const fn paint(level: Level) -> (&'static str, &'static str) {
    let on = match level {
        Level::ERROR => "\u{1b}[31m",
        Level::WARN => "\u{1b}[33m",
        Level::INFO => "\u{1b}[32m",
        Level::DEBUG | Level::TRACE => "\u{1b}[2m",
    };
    (on, "\u{1b}[0m")
}

/// One event, taken apart.
#[derive(Debug)]
struct Line {
    time: String,
    level: Level,
    target: String,
    event: Option<String>,
    message: Option<String>,
    fields: Fields,
    spans: Vec<String>,
}

impl Default for Line {
    fn default() -> Self {
        Self {
            time: String::new(),
            level: Level::INFO,
            target: String::new(),
            event: None,
            message: None,
            fields: Fields::default(),
            spans: Vec::new(),
        }
    }
}

impl Line {
    /// Takes the fields that have a place of their own out of the others.
    fn settle(&mut self) {
        for (name, value) in std::mem::take(&mut self.fields.0) {
            match (name, value) {
                ("event", Json::String(event)) => self.event = Some(event),
                ("message", Json::String(message)) => self.message = Some(message),
                // What came through the `log` crate has its target here, and its place in the source.
                ("log.target", Json::String(target)) => self.target = target,
                (name, _) if name.starts_with("log.") => {}
                (name, value) => self.fields.0.push((name, value)),
            }
        }
    }

    /// Sets the time to now.
    fn time(&mut self, clock: &dyn Clock) {
        self.time = clock.now().to_rfc3339_opts(SecondsFormat::Millis, true);
    }

    /// Event, message, fields, spans.
    fn write_text(&self, writer: &mut Writer<'_>) -> fmt::Result {
        write!(writer, "{}:", self.event.as_ref().unwrap_or(&self.target))?;
        if let Some(message) = &self.message {
            write!(writer, " {}", escaped(message))?;
        }
        for (name, value) in &self.fields.0 {
            write!(writer, " {name}={}", Plain(value))?;
        }
        if !self.spans.is_empty() {
            write!(writer, " in {}", self.spans.join(":"))?;
        }
        Ok(())
    }
}

impl Serialize for Line {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("time", &self.time)?;
        map.serialize_entry("level", &self.level.as_str().to_ascii_lowercase())?;
        match &self.event {
            Some(event) => map.serialize_entry("event", event)?,
            None => map.serialize_entry("target", &self.target)?,
        }
        if let Some(message) = &self.message {
            map.serialize_entry("message", message)?;
        }
        for (name, value) in &self.fields.0 {
            map.serialize_entry(name, value)?;
        }
        if !self.spans.is_empty() {
            map.serialize_entry("spans", &self.spans)?;
        }
        map.end()
    }
}

/// The fields of an event or span, in the order in which they were written.
#[derive(Debug, Default)]
struct Fields(Vec<(&'static str, Json)>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.push((field.name(), format!("{value:?}").into()));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.push((field.name(), value.into()));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.push((field.name(), value.into()));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.push((field.name(), value.into()));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.0.push((field.name(), value.into()));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.push((field.name(), value.into()));
    }
}

/// How the fields of a span are kept until an event happens in it.
#[derive(Debug)]
pub(super) struct SpanFields;

impl<'w> FormatFields<'w> for SpanFields {
    fn format_fields<R: RecordFields>(&self, mut writer: Writer<'w>, from: R) -> fmt::Result {
        let mut fields = Fields::default();
        from.record(&mut fields);
        for (at, (name, value)) in fields.0.iter().enumerate() {
            let blank = if at == 0 { "" } else { " " };
            write!(writer, "{blank}{name}={}", Plain(value))?;
        }
        Ok(())
    }
}

/// A value in a line of text: a bare word, or in quotes where it would not be one.
struct Plain<'a>(&'a Json);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let odd = |letter: char| {
            letter.is_whitespace() || letter.is_control() || matches!(letter, '"' | '=' | '{' | '}')
        };
        match self.0 {
            Json::String(text) if text.is_empty() || text.contains(odd) => write!(f, "{text:?}"),
            Json::String(text) => f.write_str(text),
            other => write!(f, "{other}"),
        }
    }
}

/// `text` without control characters.
fn escaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_control() {
            plain.extend(letter.escape_default());
        } else {
            plain.push(letter);
        }
    }
    plain
}
