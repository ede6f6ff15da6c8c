//! What is wrong with `sync.toml`, and how it is shown.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use serde::Serialize;
use std::ops::Range;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// It stops us.
    Error,
    /// It probably is a slip.
    Warning,
}

/// One thing that is wrong with `sync.toml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    severity: Severity,
    span: Range<usize>,
    message: String,
    /// A second place that belongs to it, and what is there.
    other: Option<(Range<usize>, String)>,
    help: Option<String>,
}

impl Diagnostic {
    /// Something that must be mended. `span` is in bytes of the file.
    pub fn error(span: Range<usize>, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            span,
            message: message.into(),
            other: None,
            help: None,
        }
    }

    /// Something that should be looked at. `span` is in bytes of the file.
    pub fn warning(span: Range<usize>, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(span, message)
        }
    }

    /// Says what to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Points at a second place.
    #[must_use]
    pub fn also(mut self, span: Range<usize>, label: impl Into<String>) -> Self {
        self.other = Some((span, label.into()));
        self
    }

    /// How bad it is.
    #[must_use]
    pub const fn severity(&self) -> Severity {
        self.severity
    }

    /// What is wrong.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    fn render(&self, source: &str, path: &str, renderer: &Renderer) -> String {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let mark = AnnotationKind::Primary.span(within(source, &self.span));
        let mut snippet = Snippet::source(source).path(path).annotation(mark);
        if let Some((span, label)) = &self.other {
            let mark = AnnotationKind::Context.span(within(source, span));
            snippet = snippet.annotation(mark.label(&**label));
        }
        let mut group = Group::with_title(level.primary_title(&*self.message)).element(snippet);
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(&**help));
        }
        renderer.render(&[group])
    }
}

/// A [`Diagnostic`] for machines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// Of the file, from 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// What would be right.
    pub help: Option<String>,
}

/// Everything that is wrong with `sync.toml`, in the file's order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Diagnostics(Vec<Diagnostic>);

impl From<Diagnostic> for Diagnostics {
    fn from(one: Diagnostic) -> Self {
        Self(vec![one])
    }
}

impl Diagnostics {
    /// Adds one more.
    pub fn push(&mut self, one: Diagnostic) {
        self.0.push(one);
    }

    /// Puts them in the file's order, and says each only once.
    pub(super) fn sort(&mut self) {
        self.0
            .sort_by_key(|one| (one.span.start, one.severity == Severity::Warning));
        self.0.dedup();
    }

    /// Whether any of it must be mended.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.iter().any(|one| one.severity == Severity::Error)
    }

    /// Whether there is nothing to say.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One after the other.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.0.iter()
    }

    /// The way cargo shows it, each at its place in `source`; `styled` is for a terminal. What
    /// stands where a secret should is not shown.
    #[must_use]
    pub fn render(&self, source: &str, path: &str, styled: bool) -> String {
        let renderer = if styled {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        let source = without_secrets(source);
        let shown: Vec<String> = self
            .iter()
            .map(|one| one.render(&source, path, &renderer))
            .collect();
        shown.join("\n\n")
    }

    /// The same for `--json`.
    #[must_use]
    pub fn findings(&self, source: &str) -> Vec<Finding> {
        self.iter()
            .map(|one| {
                let start = within(source, &one.span).start;
                let before = source.get(..start).unwrap_or_default();
                let line = before.rsplit('\n').next().unwrap_or_default();
                Finding {
                    severity: one.severity,
                    message: one.message.clone(),
                    line: 1 + before.matches('\n').count(),
                    column: 1 + line.chars().count(),
                    help: one.help.clone(),
                }
            })
            .collect()
    }
}

/// The span, cut to what is there and to whole characters.
fn within(source: &str, span: &Range<usize>) -> Range<usize> {
    let floor = |at: usize| source.floor_char_boundary(at.min(source.len()));
    let start = floor(span.start);
    start..floor(span.end).max(start)
}

/// The keys whose values are secrets, and those that people make up for them. They are found at the
/// end of longer words as well.
const SECRET_KEYS: [&str; 5] = ["token", "key", "secret", "password", "value"];

/// The source with stars for every literal behind a secret's key: someone who writes the key itself
/// into the file must not find it in the log as well.
fn without_secrets(source: &str) -> String {
    let mut shown = String::with_capacity(source.len());
    for line in source.split_inclusive('\n') {
        let literal = SECRET_KEYS
            .iter()
            .filter_map(|key| literal_after(line, key))
            .min();
        match literal {
            None => shown.push_str(line),
            Some(at) => {
                let (before, secret) = line.split_at(at);
                shown.push_str(before);
                // As many bytes as before, so that every span still fits.
                shown.extend(secret.bytes().map(|byte| match byte {
                    b'\n' | b'\r' => char::from(byte),
                    _ => '*',
                }));
            }
        }
    }
    shown
}

/// Where in `line` the value of `key` begins, if it is not a table.
fn literal_after(line: &str, key: &str) -> Option<usize> {
    line.match_indices(key).find_map(|(at, _)| {
        let behind = line.get(at + key.len()..)?;
        let rest = behind.trim_start_matches(['"', '\'']).trim_start();
        let value = rest.strip_prefix('=')?.trim_start();
        (!value.is_empty() && !value.starts_with('{')).then(|| line.len() - value.len())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_pasted_into_the_file_is_not_repeated_on_the_screen_or_in_the_log() {
        for line in [
            "token = \"pat-na1-täst\"\n",
            "api_key=unquoted # why\n",
            "crm = { kind = \"odoo\", api_key = 'x1' }\n",
            "  \"token\"  = 12\n",
            "token = { value = \"pat\" }\n",
        ] {
            let shown = without_secrets(line);
            assert_eq!(shown.len(), line.len(), "{line}");
            for secret in ["pat", "unquoted", "x1", "12"] {
                assert!(!shown.contains(secret), "{shown}");
            }
        }
        let fine = "token = { env = \"TOKEN\" }\nurl = \"https://x\"\n";
        assert_eq!(without_secrets(fine), fine);
    }
}
