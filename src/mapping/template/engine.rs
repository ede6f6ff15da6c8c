//! The template language of notes, and the bounds within which a template runs.

use super::{NoteFact, NoteFlaw, NoteFlawKind, NoteRead, Tree};
use crate::model::Value;
use minijinja::value::{Value as Shown, ValueKind};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, Output, State, UndefinedBehavior};

/// The name of the one template of a machine.
const NAME: &str = "note";
/// Steps of a rendering; a note of some sentences takes a few dozen.
const FUEL: u64 = 20_000;

/// One template, ready to run.
#[derive(Debug, Clone)]
pub(super) struct Machine(Environment<'static>);

impl Machine {
    pub(super) fn new(source: &str) -> Result<Self, NoteFlaw> {
        let mut machine = Environment::new();
        machine.set_undefined_behavior(UndefinedBehavior::Strict);
        machine.set_auto_escape_callback(|_| AutoEscape::None);
        machine.set_fuel(Some(FUEL));
        // Errors then know their place.
        machine.set_debug(true);
        // It would show all that is known, whatever the template names.
        machine.remove_global("debug");
        machine.add_filter("default", or_else);
        machine.add_filter("d", or_else);
        machine.set_formatter(format);
        machine
            .add_template_owned(NAME, source.to_owned())
            .map_err(|error| flaw(&error))?;
        Ok(Self(machine))
    }

    /// Every name that the template looks up and does not set itself, with its parts.
    pub(super) fn names(&self) -> Vec<String> {
        let Ok(template) = self.0.get_template(NAME) else {
            return Vec::new();
        };
        let given: Vec<&str> = self.0.globals().map(|(name, _)| name).collect();
        let mut names: Vec<String> = template.undeclared_variables(true).into_iter().collect();
        names.retain(|name| !given.contains(&name.as_str()));
        names.sort_unstable();
        names
    }

    /// The text, or what failed, without values, and in which line of the template.
    pub(super) fn render(
        &self,
        reads: &[NoteRead],
        value: impl Fn(&NoteFact) -> Value,
    ) -> Result<String, (String, usize)> {
        self.run(reads, value)
            .map_err(|error| (error.kind().to_string(), error.line().unwrap_or(1)))
    }

    /// Renders made-up values.
    pub(super) fn attempt(
        &self,
        reads: &[NoteRead],
        value: impl Fn(&NoteFact) -> Value,
    ) -> Result<(), NoteFlaw> {
        self.run(reads, value)
            .map(drop)
            .map_err(|error| flaw(&error))
    }

    fn run(&self, reads: &[NoteRead], value: impl Fn(&NoteFact) -> Value) -> Result<String, Error> {
        let mut tree = Tree::default();
        for read in reads {
            tree.set(&read.name, value(&read.fact));
        }
        self.0.get_template(NAME)?.render(shown(&tree))
    }
}

fn flaw(error: &Error) -> NoteFlaw {
    let words = match (error.kind(), error.detail()) {
        (ErrorKind::SyntaxError, Some(detail)) => detail.to_owned(),
        (kind, Some(detail)) => format!("{kind}: {detail}"),
        (kind, None) => kind.to_string(),
    };
    let whole = error.template_source().map_or(0, str::len);
    NoteFlaw {
        at: error.range().unwrap_or(0..whole),
        kind: NoteFlawKind::Broken(words),
    }
}

fn shown(tree: &Tree) -> Shown {
    if !tree.parts.is_empty() {
        let parts = tree.parts.iter();
        return Shown::from_pairs(parts.map(|(name, part)| (name.as_str(), shown(part))));
    }
    match &tree.value {
        Value::Empty => Shown::from(""),
        Value::Bool(truth) => Shown::from(*truth),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Shown::from(whole),
            (None, Some(decimal)) => Shown::from(decimal),
            (None, None) => Shown::from(number.to_string()),
        },
        Value::Text(text) => Shown::from(text.as_str()),
        Value::List(members) => members.iter().map(String::as_str).collect(),
    }
}

/// `default`: the other value where there is none, and here an empty text is none.
fn or_else(value: &Shown, other: Option<Shown>, _lax: Option<bool>) -> Shown {
    let nothing = value.is_undefined() || value.is_none() || value.as_str() == Some("");
    other.filter(|_| nothing).unwrap_or_else(|| value.clone())
}

/// Lists as people write them.
fn format(out: &mut Output, state: &mut State, value: &Shown) -> Result<(), Error> {
    if value.is_none() {
        return Ok(());
    }
    if value.kind() != ValueKind::Seq {
        return minijinja::escape_formatter(out, state, value);
    }
    for (index, member) in value.try_iter()?.enumerate() {
        if index > 0 {
            out.write_str(", ")?;
        }
        minijinja::escape_formatter(out, state, &member)?;
    }
    Ok(())
}
