//! The template of a private note: what it may show, and the text that it becomes. Pure.

mod engine;

use crate::model::{Image, Kind, Pair, RecordId, Side, TicketImage, Value};
use engine::Machine;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

/// The longest note that is posted, in characters; what is longer ends with `…`.
pub const LONGEST_NOTE: usize = 10_000;

/// A template that was found to be right: it names only what is there, and renders.
#[derive(Clone)]
pub struct Note {
    source: String,
    reads: Vec<NoteRead>,
    machine: Machine,
}

/// One thing that a template shows, and where it first does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteRead {
    /// What.
    pub fact: NoteFact,
    /// As it is written there, such as `contact.name`.
    pub name: String,
    /// In bytes of the template.
    pub at: Range<usize>,
}

/// What a template can show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoteFact {
    /// A field of the ticket's requester, or of the company that it was opened for.
    Field {
        /// Whose.
        kind: Kind,
        /// On which side.
        side: Side,
        /// By that side's name.
        field: String,
    },
    /// Something of the ticket itself.
    Ticket(TicketFact),
    /// The rule's name.
    Rule,
}

/// What a template can show of a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TicketFact {
    /// Its number.
    Id,
    /// How urgent it is.
    Priority,
    /// Its status, as agents see it.
    Status,
    /// Its type.
    Category,
    /// Its tags.
    Tags,
}

impl TicketFact {
    const ALL: [(&'static str, Self); 5] = [
        ("id", Self::Id),
        ("priority", Self::Priority),
        ("status", Self::Status),
        ("type", Self::Category),
        ("tags", Self::Tags),
    ];
}

/// The Freshdesk fields that are mapped: a template calls them by these names. Another name is
/// taken for one of the CRM.
#[derive(Debug, Clone, Copy)]
pub struct NoteNames<'a> {
    /// Of contacts.
    pub contact: &'a [&'a str],
    /// Of companies; `None` where they are left alone, so that none can be shown.
    pub company: Option<&'a [&'a str]>,
}

/// What is wrong with a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteFlaw {
    /// In bytes of the template.
    pub at: Range<usize>,
    /// What.
    pub kind: NoteFlawKind,
}

/// See [`NoteFlaw`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoteFlawKind {
    /// It is no template, or does what cannot be done; in words.
    Broken(String),
    /// It fails where a field is empty, in words, and else does not.
    FailsEmpty(String),
    /// It names what is not there.
    Unknown {
        /// As written.
        name: String,
        /// What could be meant.
        known: Vec<String>,
    },
    /// It names a record or ticket where it has to name a field of it.
    Whole(String),
    /// It shows a company, and companies are left alone.
    NoCompanies(String),
}

/// What a note is about.
#[derive(Debug, Clone, Copy)]
pub struct NoteFacts<'a> {
    /// The requester, as each side shows it.
    pub contact: Pair<Option<&'a Image>>,
    /// The company that the ticket was opened for, as each side shows it.
    pub company: Pair<Option<&'a Image>>,
    /// The ticket's number.
    pub id: &'a RecordId,
    /// The ticket.
    pub ticket: &'a TicketImage,
    /// The name of the ticket's status.
    pub status: &'a str,
    /// The rule's name.
    pub rule: &'a str,
}

/// A template that is right does not fit the values of this ticket. Holds none of them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the note cannot be made: {what}, in line {line} of the template")]
pub struct NoteError {
    what: String,
    line: usize,
}

impl Note {
    /// Reads a template and tries it out, with everything empty and with everything filled.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it: first whether it is a template, then what it names, then
    /// what it does.
    pub fn compile(source: &str, names: NoteNames<'_>) -> Result<Self, Vec<NoteFlaw>> {
        let machine = Machine::new(source).map_err(|flaw| vec![flaw])?;
        let (mut reads, mut flaws) = (Vec::new(), Vec::new());
        for name in machine.names() {
            let at = place(source, &name);
            match fact(&name, names) {
                Ok(fact) => reads.push(NoteRead { fact, name, at }),
                Err(kind) => flaws.push(NoteFlaw { at, kind }),
            }
        }
        reads.sort_by_key(|read| read.at.start);
        flaws.sort_by_key(|flaw| flaw.at.start);
        let note = Self {
            source: source.to_owned(),
            reads,
            machine,
        };
        if flaws.is_empty() {
            flaws.extend(note.tried().err());
        }
        if flaws.is_empty() {
            Ok(note)
        } else {
            Err(flaws)
        }
    }

    /// The template as it was written.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// What it shows, each once, in the order of the text.
    #[must_use]
    pub fn reads(&self) -> &[NoteRead] {
        &self.reads
    }

    /// The note for these values, as plain text without blank lines at its ends; empty where there
    /// is nothing to say. A value that is empty or unknown leaves nothing.
    ///
    /// # Errors
    ///
    /// Where the template does with a value what cannot be done with it.
    pub fn render(&self, facts: &NoteFacts<'_>) -> Result<String, NoteError> {
        let text = self
            .machine
            .render(&self.reads, |fact| facts.value(fact))
            .map_err(|(what, line)| NoteError { what, line })?;
        let text = text.trim();
        match text.char_indices().nth(LONGEST_NOTE - 1) {
            Some((at, last)) if at + last.len_utf8() < text.len() => {
                Ok(format!("{}…", text.get(..at).unwrap_or_default()))
            }
            _ => Ok(text.to_owned()),
        }
    }

    /// Renders it with something that has to fit at least as text or as number, and with nothing.
    fn tried(&self) -> Result<(), NoteFlaw> {
        let with = |filler: &Value| {
            self.machine.attempt(&self.reads, |fact| match fact {
                NoteFact::Field { .. } => filler.clone(),
                NoteFact::Ticket(TicketFact::Tags) => Value::Empty,
                NoteFact::Ticket(_) | NoteFact::Rule => Value::text("1"),
            })
        };
        with(&Value::text("1")).or_else(|flaw| with(&Value::from(1)).map_err(|_| flaw))?;
        with(&Value::Empty).map_err(|flaw| NoteFlaw {
            at: flaw.at,
            kind: match flaw.kind {
                NoteFlawKind::Broken(what) => NoteFlawKind::FailsEmpty(what),
                other => other,
            },
        })
    }
}

impl PartialEq for Note {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source && self.reads == other.reads
    }
}

impl Eq for Note {}

impl fmt::Debug for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Note").field(&self.source).finish()
    }
}

impl NoteFacts<'_> {
    fn value(&self, fact: &NoteFact) -> Value {
        match fact {
            NoteFact::Field { kind, side, field } => {
                let images = match kind {
                    Kind::Contact => &self.contact,
                    Kind::Company => &self.company,
                };
                let value = images.of(*side).and_then(|image| image.get(field));
                value.cloned().unwrap_or_default()
            }
            NoteFact::Rule => Value::text(self.rule),
            NoteFact::Ticket(TicketFact::Id) => Value::text(self.id.0.as_str()),
            NoteFact::Ticket(TicketFact::Priority) => Value::text(self.ticket.priority.word()),
            NoteFact::Ticket(TicketFact::Status) => Value::text(self.status),
            NoteFact::Ticket(TicketFact::Category) => {
                Value::text(self.ticket.category.as_deref().unwrap_or_default())
            }
            NoteFact::Ticket(TicketFact::Tags) => Value::list(self.ticket.tags.clone()),
        }
    }
}

/// What `name` stands for.
fn fact(name: &str, names: NoteNames<'_>) -> Result<NoteFact, NoteFlawKind> {
    let unknown = |known: Vec<String>| NoteFlawKind::Unknown {
        name: name.to_owned(),
        known,
    };
    let (noun, rest) = name.split_once('.').unwrap_or((name, ""));
    let in_noun = |words: &[&str]| words.iter().map(|word| format!("{noun}.{word}")).collect();
    let (kind, mapped) = match noun {
        "contact" => (Kind::Contact, names.contact),
        "company" => match names.company {
            Some(mapped) => (Kind::Company, mapped),
            None => return Err(NoteFlawKind::NoCompanies(name.to_owned())),
        },
        "ticket" | "rule" if rest.is_empty() => return Err(NoteFlawKind::Whole(noun.to_owned())),
        "ticket" => {
            let fact = TicketFact::ALL.iter().find(|(word, _)| *word == rest);
            return match fact {
                Some((_, fact)) => Ok(NoteFact::Ticket(*fact)),
                None => Err(unknown(in_noun(&TicketFact::ALL.map(|(word, _)| word)))),
            };
        }
        "rule" if rest == "name" => return Ok(NoteFact::Rule),
        "rule" => return Err(unknown(vec!["rule.name".to_owned()])),
        _ => {
            let field = if rest.is_empty() { name } else { rest };
            return Err(unknown(likely(field, names)));
        }
    };
    if rest.is_empty() || rest == "custom_fields" {
        return Err(NoteFlawKind::Whole(name.to_owned()));
    }
    let side = match (mapped.contains(&rest), rest.contains('.')) {
        (true, _) => Side::Desk,
        (false, false) => Side::Crm,
        // Only Freshdesk's custom fields have a dot.
        (false, true) => return Err(unknown(in_noun(mapped))),
    };
    Ok(NoteFact::Field {
        kind,
        side,
        field: rest.to_owned(),
    })
}

/// What `field`, whose noun is missing or misspelt, would be of the nouns that there are.
fn likely(field: &str, names: NoteNames<'_>) -> Vec<String> {
    ["contact", "company", "ticket", "rule"]
        .into_iter()
        .map(|noun| format!("{noun}.{field}"))
        .filter(|name| fact(name, names).is_ok())
        .collect()
}

/// Where `name` first stands in `source` as a whole; all of `source` where it is spelt otherwise.
fn place(source: &str, name: &str) -> Range<usize> {
    let part = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
    source
        .match_indices(name)
        .map(|(at, _)| at..at + name.len())
        .find(|at| {
            let before = source.get(..at.start).unwrap_or_default();
            let behind = source.get(at.end..).unwrap_or_default();
            !before.ends_with(part) && !behind.starts_with(part)
        })
        .unwrap_or(0..source.len())
}

/// Values by the names that the template uses: `contact` → `custom_fields` → `tier`.
#[derive(Debug, Default)]
struct Tree {
    value: Value,
    parts: BTreeMap<String, Tree>,
}

impl Tree {
    fn set(&mut self, name: &str, value: Value) {
        let (first, rest) = name.split_once('.').unwrap_or((name, ""));
        let part = self.parts.entry(first.to_owned()).or_default();
        if rest.is_empty() {
            part.value = value;
        } else {
            part.set(rest, value);
        }
    }
}
