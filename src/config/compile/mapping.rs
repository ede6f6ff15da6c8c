//! `[contacts]` and `[companies]`: the fields together, and what only makes sense of all of them.

use super::super::diagnostic::{Diagnostic, Diagnostics};
use super::super::raw;
use super::super::slot::{At, Slot, Table};
use super::super::words::{Word, suggest};
use super::field::{Placed, crm_name, desk_name, field};
use super::{solid, values};
use crate::mapping::{
    ConflictPolicy, DeletePolicy, Direction, Field, Lens, Mapping, MatchKey, Scope,
};
use crate::model::{Kind, Pair, Side};
use std::collections::BTreeMap;
use std::ops::Range;

/// Compiles one section. What is wrong in it is reported and left out.
pub(super) fn mapping(
    kind: Kind,
    at: At<Table<raw::Section>>,
    has_companies: bool,
    found: &mut Diagnostics,
) -> Mapping {
    let (table, Table(raw)) = (at.span, at.value);
    let conflict = raw.conflict.word("conflict", found);
    let conflict = conflict.map_or(ConflictPolicy::Newest, |at| at.value);
    let create = raw.create.word("create", found);
    let create = create.map_or(
        Pair {
            crm: true,
            desk: true,
        },
        |at| at.value,
    );
    let delete = delete(kind, raw.delete, found);

    let placed: Vec<Placed> = raw
        .field
        .require("field", &table, found)
        .map(|at| at.value)
        .unwrap_or_default()
        .into_iter()
        .filter_map(|slot| {
            let at = slot.get("field", found)?;
            Some(field(kind, at, conflict, found))
        })
        .collect();
    twice(&placed, found);
    creatable(kind, create, &placed, &table, found);
    let keys = match_keys(raw.keys, &placed, create, &table, found);
    let scope = scope(kind, raw.scope, found);

    let mut fields: Vec<Field> = placed.into_iter().map(|placed| placed.field).collect();
    if let Some(direction) = company(kind, raw.company, has_companies, found) {
        fields.push(Field::company(direction, conflict));
    }
    Mapping {
        kind,
        fields,
        keys,
        create,
        delete,
        scope,
        watched: Pair::default(),
    }
}

/// Freshdesk keeps no trash for companies, so that deleting one cannot be undone and is never done.
fn delete(kind: Kind, slot: Slot<Word<DeletePolicy>>, found: &mut Diagnostics) -> DeletePolicy {
    let Some(At { span, value }) = slot.word("delete", found) else {
        return DeletePolicy::Hold;
    };
    if kind == Kind::Company && value == DeletePolicy::Propagate {
        let message =
            "a company's deletion is held, not propagated: Freshdesk deletes companies for good";
        found.push(Diagnostic::warning(span, message).help("write delete = \"hold\""));
        return DeletePolicy::Hold;
    }
    value
}

/// The field that stands for a contact's company, if it is kept.
fn company(
    kind: Kind,
    slot: Slot<Word<Option<Direction>>>,
    has_companies: bool,
    found: &mut Diagnostics,
) -> Option<Direction> {
    if kind == Kind::Company {
        return None;
    }
    if matches!(slot, Slot::Absent) {
        return has_companies.then_some(Direction::Both);
    }
    let At { span, value } = slot.word("company", found)?;
    if value.is_some() && !has_companies {
        let message = "a contact's company can only be kept where companies are";
        found.push(
            Diagnostic::error(span, message)
                .help("add a section [companies], or write company = \"none\""),
        );
    }
    value
}

/// Whether a name was wrong and is left out. Then nobody can say that another one is unknown.
pub(super) fn nameless<'a>(fields: impl IntoIterator<Item = &'a Field>) -> bool {
    fields
        .into_iter()
        .any(|field| field.desk.is_empty() || field.crm.iter().any(String::is_empty))
}

/// A name that two fields would write, each undoing the other's work.
fn twice(placed: &[Placed], found: &mut Diagnostics) {
    let mut desk: BTreeMap<&str, &Range<usize>> = BTreeMap::new();
    let mut crm: BTreeMap<&str, &Range<usize>> = BTreeMap::new();
    for Placed {
        field,
        crm: crm_spans,
        desk: desk_span,
    } in placed
    {
        if !field.desk.is_empty()
            && let Some(first) = desk.insert(&field.desk, desk_span)
        {
            let message = format!("`{}` is mapped twice", field.desk);
            let error = Diagnostic::error(desk_span.clone(), message);
            found.push(error.also(first.clone(), "first here"));
        }
        if !field.direction.writes(Side::Crm) {
            continue;
        }
        for (name, span) in field.crm.iter().zip(crm_spans) {
            if !name.is_empty()
                && let Some(first) = crm.insert(name, span)
                && first.start < crm_spans.first().map_or(0, |span| span.start)
            {
                let message = format!("two fields would write the CRM's `{name}`");
                let error =
                    Diagnostic::error(span.clone(), message).also(first.clone(), "first here");
                found.push(error.help("write direction = \"to_freshdesk\" on one of them"));
            }
        }
    }
}

/// Freshdesk refuses a record without these (API reference, "Create a Contact" and "Create a
/// Company").
fn creatable(
    kind: Kind,
    create: Pair<bool>,
    placed: &[Placed],
    table: &Range<usize>,
    found: &mut Diagnostics,
) {
    const WAYS_TO_REACH: [&str; 5] = [
        "email",
        "phone",
        "mobile",
        "twitter_id",
        "unique_external_id",
    ];
    if !create.desk || placed.iter().any(|placed| placed.field.desk.is_empty()) || placed.is_empty()
    {
        return;
    }
    let written = |name: &str| {
        placed
            .iter()
            .any(|placed| placed.field.desk == name && placed.field.direction.writes(Side::Desk))
    };
    let help = "map it to Freshdesk, or write create = \"crm\" or \"none\"";
    if !written("name") {
        let message = format!("no {kind} could be created in Freshdesk, which insists on `name`");
        found.push(Diagnostic::error(table.clone(), message).help(help));
    }
    if kind == Kind::Contact && !WAYS_TO_REACH.into_iter().any(written) {
        let message = format!(
            "no contact could be created in Freshdesk, which insists on one of `{}`",
            WAYS_TO_REACH.join("`, `")
        );
        found.push(Diagnostic::error(table.clone(), message).help(help));
    }
}

/// `match`: CRM names of fields that both sides have under a name each.
fn match_keys(
    slot: raw::Texts,
    placed: &[Placed],
    create: Pair<bool>,
    table: &Range<usize>,
    found: &mut Diagnostics,
) -> Vec<MatchKey> {
    let Some(At { span, value }) = slot.require("match", table, found) else {
        return Vec::new();
    };
    if value.is_empty() {
        let error = Diagnostic::error(
            span,
            "`match` is empty, so that every record would be doubled",
        );
        found.push(
            error.help("name the CRM's field that tells two records apart: match = [\"email\"]"),
        );
    }
    let mut keys: Vec<MatchKey> = Vec::new();
    for name in value {
        let Some(at) = name
            .get("match", found)
            .and_then(|at| solid(at, "match", found))
        else {
            continue;
        };
        if keys.iter().any(|key| key.crm == at.value) {
            let message = format!("`{}` is named twice", at.value);
            found.push(Diagnostic::error(at.span, message));
            continue;
        }
        keys.extend(match_key(&at, placed, create, found));
    }
    keys
}

fn match_key(
    at: &At<String>,
    placed: &[Placed],
    create: Pair<bool>,
    found: &mut Diagnostics,
) -> Option<MatchKey> {
    let name = &at.value;
    let error = |message: String| Diagnostic::error(at.span.clone(), message);
    let mut mapped = placed
        .iter()
        .map(|placed| &placed.field)
        .filter(|field| field.crm.contains(name));
    let alone = mapped.clone().find(|field| field.crm.len() == 1);
    let Some(field) = alone.or_else(|| mapped.next()) else {
        if nameless(placed.iter().map(|placed| &placed.field)) {
            return None;
        }
        let known: Vec<&str> = placed
            .iter()
            .filter(|placed| placed.field.crm.len() == 1)
            .flat_map(|placed| placed.field.crm.iter().map(String::as_str))
            .collect();
        let help = suggest(name, &known);
        found.push(error(format!("`{name}` is no mapped CRM field")).help(help));
        return None;
    };
    if field.crm.len() > 1 {
        let message = format!("`{name}` is only a part of Freshdesk's `{}`", field.desk);
        found.push(error(message).help("match by a field that stands alone on both sides"));
        return None;
    }
    let problem = match field.lens {
        Lens::Values(_) => Some("its words differ between the two sides"),
        Lens::Boolean => Some("yes and no tell nobody apart"),
        Lens::Date => Some("the two sides write dates differently"),
        _ => None,
    };
    if let Some(why) = problem {
        found.push(error(format!(
            "records cannot be matched by `{name}`: {why}"
        )));
    }
    if matches!(field.lens, Lens::Phone(_)) {
        let message = format!("`{name}` matches only where both sides write the number alike");
        let warning = Diagnostic::warning(at.span.clone(), message);
        found.push(warning.help("match by e-mail first"));
    }
    for side in Side::BOTH {
        if *create.of(side) && !field.direction.writes(side) {
            let system = match side {
                Side::Crm => "the CRM",
                Side::Desk => "Freshdesk",
            };
            let message =
                format!("a record created in {system} would not carry its match key `{name}`");
            let help = "let the field go both ways, or do not create there";
            found.push(error(message).help(help));
        }
    }
    Some(MatchKey {
        crm: name.clone(),
        desk: field.desk.clone(),
    })
}

/// `[contacts.scope]`.
fn scope(
    kind: Kind,
    slot: Slot<Table<raw::Scope>>,
    found: &mut Diagnostics,
) -> Pair<Option<Scope>> {
    let Some(At {
        value: Table(raw),
        span,
    }) = slot.get("scope", found)
    else {
        return Pair::default();
    };
    if raw.crm.span().is_none() && raw.freshdesk.span().is_none() {
        let warning = Diagnostic::warning(
            span,
            "the scope is empty, so that everything is kept in step",
        );
        found.push(warning.help("add crm = { field = \"…\", in = [\"…\"] } or freshdesk = { … }"));
    }
    let crm = membership(raw.crm, "crm", found, |at, found| {
        crm_name(at, "field", found)
    });
    let desk = membership(raw.freshdesk, "freshdesk", found, |at, found| {
        desk_name(kind, at, found)
    });
    Pair { crm, desk }
}

fn membership(
    slot: Slot<Table<raw::Membership>>,
    key: &str,
    found: &mut Diagnostics,
    name: impl Fn(At<String>, &mut Diagnostics) -> Option<At<String>>,
) -> Option<Scope> {
    let At {
        span: table,
        value: Table(raw),
    } = slot.get(key, found)?;
    let field = raw.field.require("field", &table, found);
    let field = field.and_then(|at| name(at, found));
    let values = values(raw.values, &table, found);
    Some(Scope {
        field: field?.value,
        values,
    })
}
