//! One `[[contacts.field]]` or `[[companies.field]]`: its names, its lens, its direction.

use super::super::diagnostic::{Diagnostic, Diagnostics};
use super::super::raw;
use super::super::slot::{At, Cell, OneOrMany, Slot, Table};
use super::super::words::{nearest, suggest};
use super::solid;
use crate::mapping::{ConflictPolicy, Direction, Field, Lens, Region, ValueTable};
use crate::model::{Kind, Side};
use phonenumber::country;
use std::collections::BTreeMap;
use std::ops::Range;

/// Where Freshdesk keeps the fields that an account added.
const CUSTOM: &str = "custom_fields.";
/// Freshdesk's own contact fields that can be written (API reference, "Create a Contact").
const CONTACT_FIELDS: [&str; 13] = [
    "name",
    "email",
    "phone",
    "mobile",
    "twitter_id",
    "unique_external_id",
    "other_emails",
    "address",
    "description",
    "job_title",
    "language",
    "tags",
    "time_zone",
];
/// Freshdesk's own company fields that can be written (API reference, "Create a Company").
const COMPANY_FIELDS: [&str; 8] = [
    "name",
    "description",
    "note",
    "domains",
    "health_score",
    "account_tier",
    "industry",
    "renewal_date",
];
/// The names that `via` knows; `phone` takes a region behind a colon.
const VIAS: [&str; 8] = [
    "lowercase",
    "trim",
    "full_name",
    "list",
    "phone",
    "number",
    "boolean",
    "date",
];

/// A field and where its parts stand. A part that is wrong is reported and replaced, so that the
/// checks across fields do not report what follows from it.
#[derive(Debug)]
pub(super) struct Placed {
    pub(super) field: Field,
    /// Of each CRM name.
    pub(super) crm: Vec<Range<usize>>,
    /// Of Freshdesk's name.
    pub(super) desk: Range<usize>,
}

/// Compiles one field.
pub(super) fn field(
    kind: Kind,
    at: At<Table<raw::Field>>,
    policy: ConflictPolicy,
    found: &mut Diagnostics,
) -> Placed {
    let (table, Table(raw)) = (at.span, at.value);
    let crm = crm_names(raw.crm, &table, found);
    let desk = raw.freshdesk.require("freshdesk", &table, found);
    let desk = desk.and_then(|at| desk_name(kind, at, found));
    let direction = raw.direction.word("direction", found);
    let direction = direction.map_or(Direction::Both, |at| at.value);
    let conflict = raw.conflict.word("conflict", found);
    if let Some(At { span, .. }) = &conflict
        && direction != Direction::Both
    {
        let message = "`conflict` has no effect on a field that goes one way";
        found.push(Diagnostic::warning(span.clone(), message));
    }
    let via_span = raw.via.span();
    let values_span = raw.values.span();
    let via = raw.via.get("via", found).map(|at| via(&at, found));
    let values = raw.values.get("values", found);
    let values = values.map(|at| value_table(at, direction, found));
    if let (Some(via), Some(values)) = (via_span.clone(), values_span) {
        let error = Diagnostic::error(via, "a field has either `via` or `values`, not both");
        found.push(error.also(values, "the other one"));
    }
    let lens = via.or(values.map(Lens::Values)).unwrap_or(Lens::Same);
    number_of_names(&lens, &crm, via_span, found);

    let (crm, crm_spans) = crm.into_iter().map(|at| (at.value, at.span)).unzip();
    let (desk, desk_span) = desk.map_or((String::new(), table), |at| (at.value, at.span));
    Placed {
        field: Field {
            name: desk.clone(),
            crm,
            desk,
            lens,
            direction,
            conflict: conflict.map_or(policy, |at| at.value),
        },
        crm: crm_spans,
        desk: desk_span,
    }
}

/// How many CRM names the lens works on.
fn number_of_names(
    lens: &Lens,
    crm: &[At<String>],
    via: Option<Range<usize>>,
    found: &mut Diagnostics,
) {
    if crm.iter().any(|name| name.value.is_empty()) {
        return;
    }
    match (lens, crm) {
        (Lens::FullName, [one]) => {
            let error = Diagnostic::error(
                via.unwrap_or_else(|| one.span.clone()),
                "`full_name` joins several CRM fields, and there is one",
            );
            found.push(error.help("write crm = [\"firstname\", \"lastname\"], or leave `via` out"));
        }
        (Lens::FullName, _) | (_, [] | [_]) => {}
        (_, [_, second, ..]) => {
            let error = Diagnostic::error(
                second.span.clone(),
                "only `full_name` joins several CRM fields",
            );
            found.push(error.help("write via = \"full_name\", or name one field"));
        }
    }
}

/// `crm = "x"` or `crm = ["x", "y"]`. A name that is wrong is reported and comes back empty.
fn crm_names(
    slot: Slot<OneOrMany>,
    table: &Range<usize>,
    found: &mut Diagnostics,
) -> Vec<At<String>> {
    let nameless = |span: &Range<usize>| At {
        span: span.clone(),
        value: String::new(),
    };
    let Some(At { span, value }) = slot.require("crm", table, found) else {
        return vec![nameless(table)];
    };
    let cells = match value.0 {
        Cell::Many(cells) if cells.is_empty() => {
            found.push(Diagnostic::error(span.clone(), "`crm` names no field"));
            return vec![nameless(&span)];
        }
        Cell::Many(cells) => cells,
        one => vec![Slot::Here(At { span, value: one })],
    };
    let mut names: Vec<At<String>> = Vec::new();
    for cell in cells {
        let span = cell.span().unwrap_or_default();
        let name = if let Slot::Here(At {
            span,
            value: Cell::Text(value),
        }) = cell
        {
            crm_name(At { span, value }, "crm", found)
        } else {
            let message = "a field's name must be text in quotes";
            found.push(Diagnostic::error(span.clone(), message));
            None
        };
        let name = name.unwrap_or_else(|| nameless(&span));
        if let Some(first) = names.iter().find(|other| other.value == name.value)
            && !name.value.is_empty()
        {
            let message = format!("`{}` is named twice", name.value);
            let error = Diagnostic::error(span, message);
            found.push(error.also(first.span.clone(), "first here"));
        }
        names.push(name);
    }
    names
}

/// A CRM's name of a field.
pub(super) fn crm_name(at: At<String>, key: &str, found: &mut Diagnostics) -> Option<At<String>> {
    let at = solid(at, key, found)?;
    let problem = if at.value.starts_with('@') {
        Some((
            "a field's name cannot begin with `@`",
            "a contact's company is kept by `company` in [contacts]".to_owned(),
        ))
    } else {
        at.value.strip_prefix("properties.").map(|rest| {
            (
                "the CRM's own name goes without `properties.`",
                format!("write \"{rest}\""),
            )
        })
    };
    let Some((message, help)) = problem else {
        return Some(at);
    };
    found.push(Diagnostic::error(at.span, message).help(help));
    None
}

/// Freshdesk's name of a field.
pub(super) fn desk_name(kind: Kind, at: At<String>, found: &mut Diagnostics) -> Option<At<String>> {
    let at = solid(at, "freshdesk", found)?;
    let error = |message: &str| Diagnostic::error(at.span.clone(), message);
    if let Some(custom) = at.value.strip_prefix(CUSTOM) {
        if custom.is_empty() || custom.contains('.') {
            let help = "write custom_fields.NAME with the field's name as Freshdesk's API shows it";
            found.push(error("this names no custom field").help(help));
            return None;
        }
        return Some(at);
    }
    if kind == Kind::Contact
        && ["company_id", "company", "company_name"].contains(&at.value.as_str())
    {
        let help = "write company = \"both\" in [contacts], and map companies";
        found.push(error("a contact's company is no field of its own").help(help));
        return None;
    }
    if at.value.contains('.') || at.value.starts_with('@') {
        let help = "only custom_fields.NAME has a dot";
        found.push(error("this is not a name of a Freshdesk field").help(help));
        return None;
    }
    let own: &[&str] = match kind {
        Kind::Contact => &CONTACT_FIELDS,
        Kind::Company => &COMPANY_FIELDS,
    };
    if !own.contains(&at.value.as_str()) {
        let help = match nearest(&at.value, own) {
            Some(near) => format!(
                "did you mean `{near}`? A field that the account added is `{CUSTOM}{}`",
                at.value
            ),
            None => format!("a field that the account added is `{CUSTOM}{}`", at.value),
        };
        let message = format!(
            "Freshdesk has no {kind} field `{}` of its own that can be written",
            at.value
        );
        found.push(Diagnostic::warning(at.span.clone(), message).help(help));
    }
    Some(at)
}

/// The lens of a `via`.
fn via(at: &At<String>, found: &mut Diagnostics) -> Lens {
    let (name, region) = match at.value.split_once(':') {
        Some((name, region)) => (name, Some(region)),
        None => (at.value.as_str(), None),
    };
    if let Some(region) = region {
        if name == "phone" {
            return phone(at, region, found);
        }
        let error = Diagnostic::error(at.span.clone(), format!("`via` cannot be `{}`", at.value));
        found.push(error.help("only `phone` takes something behind a colon: \"phone:DE\""));
        return Lens::Same;
    }
    match name {
        "lowercase" => Lens::Lowercase,
        "trim" => Lens::Trim,
        "full_name" => Lens::FullName,
        "list" => Lens::List,
        "phone" => Lens::Phone(None),
        "number" => Lens::Number,
        "boolean" => Lens::Boolean,
        "date" => Lens::Date,
        _ => {
            let error = Diagnostic::error(at.span.clone(), format!("`via` cannot be `{name}`"));
            found.push(error.help(suggest(name, &VIAS)));
            Lens::Same
        }
    }
}

fn phone(at: &At<String>, region: &str, found: &mut Diagnostics) -> Lens {
    if region.parse::<country::Id>().is_err() {
        let upper = region.to_uppercase();
        let help = if upper.parse::<country::Id>().is_ok() {
            format!("write \"phone:{upper}\"")
        } else {
            "write the two letters of ISO 3166, such as \"phone:DE\" or \"phone:US\"".to_owned()
        };
        let message = format!("`{region}` is no region of phone numbers");
        found.push(Diagnostic::error(at.span.clone(), message).help(help));
    }
    Lens::Phone(Some(Region(region.to_owned())))
}

/// The table of words. It must be one-to-one where it is also read backwards.
fn value_table(
    at: At<BTreeMap<String, Slot<String>>>,
    direction: Direction,
    found: &mut Diagnostics,
) -> ValueTable {
    if at.value.is_empty() {
        found.push(Diagnostic::error(
            at.span,
            "`values` is empty, so that no value would be written",
        ));
        return ValueTable::default();
    }
    let mut table = BTreeMap::new();
    let mut seen: BTreeMap<String, (String, Range<usize>)> = BTreeMap::new();
    let mut words: Vec<_> = at.value.into_iter().collect();
    words.sort_by_key(|(_, slot)| slot.span().map(|span| span.start));
    for (crm, slot) in words {
        let Some(At { span, value: desk }) = slot.get(&crm, found) else {
            continue;
        };
        if crm.is_empty() || desk.is_empty() {
            let error = Diagnostic::error(span, "an empty word cannot stand in `values`");
            found.push(error.help("empty is empty on both sides without being named"));
            continue;
        }
        if let Some((first, place)) = seen.get(&desk)
            && direction.writes(Side::Crm)
        {
            let message = format!(
                "`{first}` and `{crm}` both become `{desk}`, and nobody could tell which one it was"
            );
            let error = Diagnostic::error(span.clone(), message).also(place.clone(), "first here");
            found.push(
                error.help("make the words one-to-one, or write direction = \"to_freshdesk\""),
            );
        }
        seen.entry(desk.clone())
            .or_insert_with(|| (crm.clone(), span));
        table.insert(crm, desk);
    }
    ValueTable(table)
}
