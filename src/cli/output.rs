//! What goes to stdout: results, and nothing else.

use super::exit::Failure;
use super::paste;
use crate::model::Value;
use serde::Serialize;
use std::fmt::{self, Write as _};
use std::io::{self, BufWriter, Stdout, Write as _};

/// Stdout, buffered. A reader that goes away (`| head`) changes nothing of what a command does, nor its
/// exit code: what is left to say is said to nobody.
#[derive(Debug)]
pub(super) struct Output(BufWriter<Reader>);

/// Whoever reads stdout.
#[derive(Debug)]
struct Reader {
    stdout: Stdout,
    gone: bool,
}

impl Reader {
    /// What came of telling the reader something; `nobody` where there is none any more.
    fn told<T>(&mut self, done: io::Result<T>, nobody: T) -> io::Result<T> {
        match done {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.gone = true;
                Ok(nobody)
            }
            done => done,
        }
    }
}

impl io::Write for Reader {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.gone {
            return Ok(bytes.len());
        }
        let done = self.stdout.write(bytes);
        self.told(done, bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.gone {
            return Ok(());
        }
        let done = self.stdout.flush();
        self.told(done, ())
    }
}

impl Output {
    pub(super) fn new() -> Self {
        Self(BufWriter::new(Reader {
            stdout: io::stdout(),
            gone: false,
        }))
    }

    /// One line of text; commands in it are made ready to be pasted.
    pub(super) fn line(&mut self, text: impl fmt::Display) -> Result<(), Failure> {
        let text = text.to_string();
        writeln!(self.0, "{}", paste::ready(&text)).map_err(unwritable)
    }

    /// Text as it is.
    pub(super) fn raw(&mut self, text: &str) -> Result<(), Failure> {
        self.0.write_all(text.as_bytes()).map_err(unwritable)
    }

    /// A part of a JSON document, on one line, without its end.
    pub(super) fn part(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        serde_json::to_writer(&mut self.0, value).map_err(|error| unwritable(error.into()))
    }

    /// A whole JSON document, laid out for reading.
    pub(super) fn json(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        serde_json::to_writer_pretty(&mut self.0, value)
            .map_err(|error| unwritable(error.into()))?;
        self.raw("\n")
    }

    /// Hands over what is still waiting before a question: whoever answers it must have seen that.
    pub(super) fn shown(&mut self) -> Result<(), Failure> {
        self.flush()?;
        if self.0.get_ref().gone {
            let nobody = io::Error::new(
                io::ErrorKind::BrokenPipe,
                "nobody reads what is asked about; nothing was written",
            );
            return Err(unwritable(nobody));
        }
        Ok(())
    }

    /// Hands over what is still waiting.
    pub(super) fn flush(&mut self) -> Result<(), Failure> {
        self.0.flush().map_err(unwritable)
    }

    /// Hands over what is still waiting, at the end.
    pub(super) fn finish(mut self) -> Result<(), Failure> {
        self.flush()
    }
}

fn unwritable(error: io::Error) -> Failure {
    Failure::machine("writing the result")(error)
}

/// `3 contacts`, `1 contact`.
pub(super) fn counted(number: u64, noun: &str) -> String {
    let ending = match (number, noun.strip_suffix('y')) {
        (1, _) => noun.to_owned(),
        (_, Some(stem)) => format!("{stem}ies"),
        (_, None) => format!("{noun}s"),
    };
    format!("{number} {ending}")
}

/// A length of time in the largest unit that fits: `45 s`, `12 min`, `3 h`, `2 d`.
pub(super) fn span(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// Whether it turns the direction in which a terminal shows what follows (Unicode Standard Annex 9).
const fn turns(c: char) -> bool {
    matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{200E}' | '\u{200F}' | '\u{061C}')
}

/// Text from outside, so that no part of it can steer a terminal or begin a line.
pub(super) fn harmless(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() || turns(c) {
            let _ = write!(shown, "{}", c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// As in JSON, so that blanks and line ends are seen; nothing in it can steer a terminal.
pub(super) fn quoted(value: &Value) -> String {
    match value {
        Value::Empty => "nothing".to_owned(),
        value => harmless(&value.to_json().to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_does_not_turn_round_what_a_terminal_shows_after_it() {
        assert_eq!(harmless("a\u{202e}b\u{7}c"), "a\\u{202e}b\\u{7}c");
        assert_eq!(harmless("Zoë 李 Ωmega"), "Zoë 李 Ωmega");
    }
}
