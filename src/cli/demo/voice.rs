//! How the demo talks: plain lines on stdout, coloured on a terminal.

use crate::cli::exit::Failure;
use serde_json::Value;
use std::fmt;
use std::io::{self, IsTerminal as _, Write as _};

/// Stdout.
#[derive(Debug)]
pub(super) struct Voice {
    silent: bool,
    coloured: bool,
    width: usize,
}

/// What a part of a line is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Tone {
    Title,
    People,
    Bridge,
    Good,
    Bad,
    Aside,
}

impl Tone {
    const fn code(self) -> &'static str {
        match self {
            Self::Title => "1",
            Self::People => "36",
            Self::Bridge => "33",
            Self::Good => "32",
            Self::Bad => "31",
            Self::Aside => "2",
        }
    }
}

impl Voice {
    /// Says nothing but documents where `silent`.
    pub(super) fn new(silent: bool) -> Self {
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self {
            silent,
            coloured: io::stdout().is_terminal() && !plain,
            width: 100,
        }
    }

    /// Whether only documents are said.
    pub(super) const fn is_silent(&self) -> bool {
        self.silent
    }

    /// One line; nothing from outside in it can steer the terminal.
    pub(super) fn line(&mut self, text: impl fmt::Display) -> Result<(), Failure> {
        if self.silent {
            return Ok(());
        }
        writeln!(io::stdout().lock(), "{text}").map_err(unwritable)
    }

    /// `text` in the colour of `tone`, where there are colours.
    pub(super) fn toned(&self, tone: Tone, text: &str) -> String {
        if self.coloured {
            format!("\u{1b}[{}m{text}\u{1b}[0m", tone.code())
        } else {
            text.to_owned()
        }
    }

    /// The head of an act: what it shows, and what time it is.
    pub(super) fn act(&mut self, number: usize, title: &str, time: &str) -> Result<(), Failure> {
        let head = format!("── {number}. {title} ");
        let rule = self
            .width
            .saturating_sub(head.chars().count() + time.len() + 4)
            .max(2);
        let head = format!("{head}{} {time} ──", "─".repeat(rule));
        let head = self.toned(Tone::Title, &head);
        self.line(format!("\n{head}"))
    }

    /// Who did what to which record.
    pub(super) fn deed(&mut self, tone: Tone, who: &str, what: &str) -> Result<(), Failure> {
        let who = self.toned(tone, &format!("{who:<25}"));
        self.line(format!("  {who} {what}"))
    }

    /// Something said beside.
    pub(super) fn aside(&mut self, text: &str) -> Result<(), Failure> {
        let text = self.toned(Tone::Aside, &format!("  {text}"));
        self.line(text)
    }
}

/// A JSON document, also where everything else is silent.
pub(super) fn document(value: &Value) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    writeln!(out, "{value:#}")
        .and_then(|()| out.flush())
        .map_err(unwritable)
}

fn unwritable(error: io::Error) -> Failure {
    Failure::machine("writing the result")(error)
}
