//! One record, or a page of them.

use super::super::Kind;
use super::super::record::{Author, Record};
use super::super::state::{Refused, State};
use super::super::table::Table;
use super::super::value;
use super::super::write::{self, Columns, Extras};
use super::{Ask, Problem, Reply, associations};
use serde::Deserialize;
use std::collections::{BTreeMap, Bound};

/// The largest page of a list.
const LARGEST_PAGE: usize = 100;

/// The stricter reading: strings only, where the vendor's server also takes numbers.
pub(super) type Properties = BTreeMap<String, String>;

/// Borrows names and values.
pub(super) fn borrowed(properties: &Properties) -> impl Iterator<Item = (&str, &str)> {
    properties
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
}

/// `limit`, ten if there is none.
pub(super) fn limit(given: Option<&str>, largest: usize) -> Result<usize, Problem> {
    let Some(given) = given else {
        return Ok(10);
    };
    match given.parse::<usize>() {
        Ok(limit) if limit <= largest => Ok(limit),
        _ => Err(Problem::invalid(format!(
            "limit must be a number of at most {largest}"
        ))),
    }
}

fn columns<'a>(table: &'a Table, ask: &Ask<'_>) -> Columns<'a> {
    let with_history = ask.list("propertiesWithHistory");
    Columns {
        plain: table.schema.columns(&ask.list("properties")),
        with_history: with_history
            .iter()
            .filter_map(|name| table.schema.get(name))
            .collect(),
    }
}

fn shown<'a>(state: &State, kind: Kind, record: &Record, to: Option<Kind>) -> Extras<'a> {
    let associations = to.map(|to| (to, state.linked(kind, record.id)));
    Extras {
        associations,
        ..Extras::default()
    }
}

/// The other kind, if `associations=` asks for it; further types have no records here.
fn wanted_ends(kind: Kind, ask: &Ask<'_>) -> Result<Option<Kind>, Problem> {
    let mut wanted = None;
    for name in ask.list("associations") {
        match Kind::from_path(name) {
            Some(to) if to != kind => wanted = Some(to),
            Some(_) => {}
            None => return Err(Problem::invalid(format!("Unknown object type {name}"))),
        }
    }
    Ok(wanted)
}

/// `GET /crm/v3/objects/{kind}`: by id; `after` is the id that the next page begins with.
pub(super) fn list(state: &State, kind: Kind, ask: &Ask<'_>) -> Result<Reply, Problem> {
    let limit = limit(ask.one("limit"), LARGEST_PAGE)?;
    let after = ask.one("after").filter(|after| !after.is_empty());
    let after: u64 = after
        .map_or(Ok(0), str::parse)
        .map_err(|_| Problem::invalid("after is not a cursor"))?;
    let to = wanted_ends(kind, ask)?;
    let table = state.table(kind);
    let records = if ask.flag("archived") {
        &table.archived
    } else {
        &table.live
    };
    let columns = columns(table, ask);
    let mut page = records.range((Bound::Included(after), Bound::Unbounded));
    let mut out = String::with_capacity(64 * 1024);
    out.push_str("{\"results\":[");
    for (_, record) in page.by_ref().take(limit) {
        if !out.ends_with('[') {
            out.push(',');
        }
        write::record(
            &mut out,
            table,
            record,
            &columns,
            &shown(state, kind, record, to),
        );
    }
    out.push(']');
    if let Some((next, _)) = page.next() {
        paging(&mut out, &next.to_string());
    }
    out.push('}');
    Ok(Reply::with(200, out))
}

pub(super) fn paging(out: &mut String, after: &str) {
    write::bare(
        out,
        "paging",
        format_args!("{{\"next\":{{\"after\":\"{after}\"}}}}"),
    );
}

/// The id that a path or input names: its own, or by a unique property.
pub(super) fn named(
    table: &Table,
    id: &str,
    property: Option<&str>,
) -> Result<Option<u64>, Problem> {
    let property = match property {
        None | Some("hs_object_id") => return Ok(id.parse().ok().map(|id| table.resolve(id))),
        Some(name) => table.schema.get(name).filter(|property| property.unique),
    };
    let Some(property) = property else {
        return Err(Problem::invalid(
            "idProperty is not a property with unique values",
        ));
    };
    let value = value::normalised(property, id).ok().flatten();
    Ok(value.and_then(|value| table.owner(property.slot, &value)))
}

fn missing(id: &str) -> Problem {
    Problem::missing(vec![id.to_owned()])
}

/// `GET …/{id}`; an id that was merged away shows the survivor.
pub(super) fn get(state: &State, kind: Kind, id: &str, ask: &Ask<'_>) -> Result<Reply, Problem> {
    let table = state.table(kind);
    let to = wanted_ends(kind, ask)?;
    let found = if ask.flag("archived") {
        id.parse::<u64>()
            .ok()
            .and_then(|id| table.archived.get(&id))
    } else {
        let found = named(table, id, ask.one("idProperty"))?;
        found.and_then(|id| table.live.get(&id))
    };
    let record = found.ok_or_else(|| missing(id))?;
    let mut out = String::with_capacity(1024);
    let extras = shown(state, kind, record, to);
    write::record(&mut out, table, record, &columns(table, ask), &extras);
    Ok(Reply::with(200, out))
}

/// An answer to a write shows what was written, the id and the dates; not the whole record.
pub(super) fn written_columns<'a>(table: &'a Table, properties: &Properties) -> Columns<'a> {
    let names: Vec<&str> = properties.keys().map(String::as_str).collect();
    // An empty write still names one, or the default set would be shown.
    let names = if names.is_empty() {
        vec!["hs_object_id"]
    } else {
        names
    };
    Columns {
        plain: table.schema.columns(&names),
        with_history: Vec::new(),
    }
}

fn written(table: &Table, id: u64, properties: &Properties, extras: &Extras<'_>) -> String {
    let mut out = String::with_capacity(1024);
    if let Some(record) = table.live.get(&id) {
        let columns = written_columns(table, properties);
        write::record(&mut out, table, record, &columns, extras);
    }
    out
}

/// The body of a create.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateInput {
    #[serde(default)]
    pub(super) properties: Properties,
    #[serde(default)]
    pub(super) associations: Vec<associations::InlineLink>,
    pub(super) object_write_trace_id: Option<String>,
}

/// `POST /crm/v3/objects/{kind}`: 201.
pub(super) fn create(state: &mut State, kind: Kind, ask: &Ask<'_>) -> Result<Reply, Problem> {
    let input: CreateInput = ask.json()?;
    let values = state.table(kind).check(borrowed(&input.properties))?;
    state.check_new(kind, &values)?;
    let links = associations::inline(state, kind, &input.associations)?;
    let id = associations::add(state, kind, values, &links, ask.now);
    let extras = Extras {
        trace: input.object_write_trace_id.as_deref(),
        ..Extras::default()
    };
    let shown = written(state.table(kind), id, &input.properties, &extras);
    Ok(Reply::with(201, shown))
}

#[derive(Debug, Deserialize)]
struct PatchInput {
    #[serde(default)]
    properties: Properties,
}

/// `PATCH …/{id}`.
pub(super) fn patch(
    state: &mut State,
    kind: Kind,
    id: &str,
    ask: &Ask<'_>,
) -> Result<Reply, Problem> {
    let input: PatchInput = ask.json()?;
    let found = named(state.table(kind), id, ask.one("idProperty"))?;
    let found = found.filter(|id| state.table(kind).live.contains_key(id));
    let found = found.ok_or_else(|| missing(id))?;
    let written_id = state.edit(
        kind,
        found,
        borrowed(&input.properties),
        Author::App,
        ask.now,
    )?;
    let extras = Extras::default();
    let shown = written(state.table(kind), written_id, &input.properties, &extras);
    Ok(Reply::with(200, shown))
}

/// `DELETE …/{id}`: archives; a record that is archived already is no error.
pub(super) fn delete(
    state: &mut State,
    kind: Kind,
    id: &str,
    ask: &Ask<'_>,
) -> Result<Reply, Problem> {
    let number: u64 = id.parse().map_err(|_| missing(id))?;
    if !state.table(kind).archived.contains_key(&number) {
        state.archive(kind, number, ask.now)?;
    }
    Ok(Reply::empty())
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct MergeInput {
    primary_object_id: String,
    object_id_to_merge: String,
}

/// `POST …/merge`.
pub(super) fn merge(state: &mut State, kind: Kind, ask: &Ask<'_>) -> Result<Reply, Problem> {
    let input: MergeInput = ask.json()?;
    let number = |id: &str| id.parse::<u64>().map_err(|_| missing(id));
    let (primary, loser) = (
        number(&input.primary_object_id)?,
        number(&input.object_id_to_merge)?,
    );
    let id = state.merge(kind, primary, loser, ask.now)?;
    let table = state.table(kind);
    let record = table.live.get(&id).ok_or(Refused::Missing(id))?;
    let columns = Columns {
        plain: table
            .schema
            .all()
            .iter()
            .filter(|property| !property.archived)
            .collect(),
        with_history: Vec::new(),
    };
    let mut out = String::with_capacity(4096);
    write::record(&mut out, table, record, &columns, &Extras::default());
    Ok(Reply::with(200, out))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct EraseInput {
    object_id: String,
    id_property: Option<String>,
}

/// `POST /crm/v3/objects/contacts/gdpr-delete`.
pub(super) fn erase(state: &mut State, ask: &Ask<'_>) -> Result<Reply, Problem> {
    let input: EraseInput = ask.json()?;
    let found = named(
        &state.contacts,
        &input.object_id,
        input.id_property.as_deref(),
    )?;
    state.erase(found.ok_or_else(|| missing(&input.object_id))?, ask.now)?;
    Ok(Reply::empty())
}
