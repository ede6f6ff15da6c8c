//! `note = "…"`: the template of a private note, with each mistake at its place in the file.

use super::super::super::diagnostic::{Diagnostic, Diagnostics};
use super::super::super::literal;
use super::super::super::slot::At;
use super::super::super::words::{nearest, suggest};
use super::super::Kinds;
use super::super::mapping::nameless;
use crate::mapping::{
    LONGEST_NOTE, Mapping, Note, NoteFact, NoteFlaw, NoteFlawKind, NoteNames, NoteRead,
};
use crate::model::{COMPANY, Kind, Side};

/// Compiles it; `source` is the text of the file.
pub(super) fn template(
    at: At<String>,
    source: &str,
    kinds: Kinds<'_>,
    found: &mut Diagnostics,
) -> Option<Note> {
    let At { span, value } = at;
    if value.trim().is_empty() {
        found.push(Diagnostic::error(span, "`note` is empty"));
        return None;
    }
    if value.chars().count() > LONGEST_NOTE {
        let message = format!("a note has at most {LONGEST_NOTE} characters");
        found.push(Diagnostic::error(span, message));
        return None;
    }
    let contact = mapped(kinds.contacts);
    let company = mapped(kinds.companies);
    let names = NoteNames {
        contact: &contact,
        company: kinds.has_companies.then_some(&company),
    };
    match Note::compile(&value, names) {
        Ok(note) => {
            for read in note.reads() {
                let place = || literal::place(source, &span, &value, &read.at);
                if let Some((message, help)) = slip(read, kinds) {
                    found.push(Diagnostic::warning(place(), message).help(help));
                }
            }
            Some(note)
        }
        Err(flaws) => {
            for flaw in flaws {
                if unsure(&flaw, kinds) {
                    continue;
                }
                let place = literal::place(source, &span, &value, &flaw.at);
                let (message, help) = words(&flaw);
                let error = Diagnostic::error(place, message);
                found.push(help.into_iter().fold(error, Diagnostic::help));
            }
            None
        }
    }
}

/// Freshdesk's names of the mapped fields.
fn mapped(mapping: Option<&Mapping>) -> Vec<&str> {
    let fields = mapping.into_iter().flat_map(|mapping| &mapping.fields);
    let names = fields.map(|field| field.desk.as_str());
    names.filter(|name| *name != COMPANY).collect()
}

/// A CRM field that is not mapped, but nearly has the name of one that is.
fn slip(read: &NoteRead, kinds: Kinds<'_>) -> Option<(String, String)> {
    let NoteFact::Field {
        kind,
        side: Side::Crm,
        field,
    } = &read.fact
    else {
        return None;
    };
    let mapping = kinds.of(*kind)?;
    if mapping.reads(Side::Crm).contains(field) || nameless(&mapping.fields) {
        return None;
    }
    let known = fields(mapping);
    let near = nearest(field, &known)?;
    let message = format!("`{field}` is taken for a field of the CRM");
    Some((message, format!("did you mean `{kind}.{near}`?")))
}

/// Freshdesk's names of the mapped fields, and the CRM's.
fn fields(mapping: &Mapping) -> Vec<&str> {
    let names = mapping.fields.iter().flat_map(|field| {
        let crm = field.crm.iter().map(String::as_str);
        crm.chain([field.desk.as_str()])
    });
    names
        .filter(|name| *name != COMPANY && !name.is_empty())
        .collect()
}

/// Whether the name may be one that is wrong where it is mapped, which is reported there.
fn unsure(flaw: &NoteFlaw, kinds: Kinds<'_>) -> bool {
    let NoteFlawKind::Unknown { name, .. } = &flaw.kind else {
        return false;
    };
    let kind = Kind::BOTH
        .into_iter()
        .find(|kind| name.split('.').next() == Some(kind.word()));
    kind.is_some_and(|kind| {
        kinds
            .of(kind)
            .is_none_or(|mapping| nameless(&mapping.fields))
    })
}

/// What is wrong, and what would be right.
fn words(flaw: &NoteFlaw) -> (String, Option<String>) {
    match &flaw.kind {
        NoteFlawKind::Broken(what) => (format!("this note cannot be made: {what}"), None),
        NoteFlawKind::FailsEmpty(what) => (
            format!("this note cannot be made where a field is empty: {what}"),
            Some("guard it: {% if contact.FIELD %}…{% endif %}".to_owned()),
        ),
        NoteFlawKind::Whole(name) => {
            let field = if name.ends_with("custom_fields") {
                "NAME"
            } else {
                "FIELD"
            };
            (
                format!("`{name}` is no text that a note can show"),
                Some(format!("write {{{{ {name}.{field} }}}}")),
            )
        }
        NoteFlawKind::NoCompanies(name) => (
            format!("`{name}` is not read: there is no [companies]"),
            Some("add a section [companies], or show the contact".to_owned()),
        ),
        NoteFlawKind::Unknown { name, known } => {
            let custom = name.contains(".custom_fields.");
            let message = if custom {
                format!("`{name}` is not mapped, so that it is not read")
            } else {
                format!("`{name}` is nothing that a note can show")
            };
            let known: Vec<&str> = known.iter().map(String::as_str).collect();
            (message, Some(suggest(name, &known)))
        }
    }
}
