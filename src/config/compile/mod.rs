//! From the text of `sync.toml` to a [`Config`]: reads on after each mistake, so that all of them
//! are shown at once.

mod expectation;
mod field;
mod mapping;
mod support;
mod system;
mod ticket;
mod watch;

use super::diagnostic::{Diagnostic, Diagnostics};
use super::raw::{Raw, Section};
use super::schema::{json_schema, known_keys};
use super::secret::Environment;
use super::settings::Config;
use super::slot::{At, Cell, Slot, Table};
use super::words::{nearest, suggest};
use crate::mapping::Mapping;
use crate::model::{Kind, Value};
use serde_ignored::Path;
use serde_json::Value as Json;
use std::ops::Range;
use toml::de::{DeTable, DeValue, Deserializer, Error};

/// Whether the secrets have to be at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Secrets {
    /// A missing one is an error.
    #[default]
    Required,
    /// A missing one is a warning: the file is to be checked, not used.
    Optional,
}

/// What [`compile_with`] is to insist on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CompileOptions {
    /// Whether the secrets have to be at hand.
    pub secrets: Secrets,
}

/// Compiles the text of `sync.toml`, secrets included, with what should be looked at.
///
/// # Errors
///
/// Everything that is wrong with it.
pub fn compile(source: &str, env: &dyn Environment) -> Result<(Config, Diagnostics), Diagnostics> {
    compile_with(source, env, CompileOptions::default())
}

/// [`compile`], insisting on what `options` say.
///
/// # Errors
///
/// Everything that is wrong with it.
pub fn compile_with(
    source: &str,
    env: &dyn Environment,
    options: CompileOptions,
) -> Result<(Config, Diagnostics), Diagnostics> {
    let (raw, mut found) = read(source)?;
    let config = config(raw, source, env, options, &mut found);
    found.sort();
    match config {
        Some(config) if !found.has_errors() => Ok((config, found)),
        _ => Err(found),
    }
}

/// What serde makes of the file, and the keys that nobody knows.
fn read(source: &str) -> Result<(Raw, Diagnostics), Diagnostics> {
    let (document, errors) = DeTable::parse_recoverable(source);
    let mut found = Diagnostics::default();
    if !errors.is_empty() {
        return Err(unreadable(&errors));
    }
    let mut unknown = Vec::new();
    let raw = serde_ignored::deserialize(Deserializer::from(document.clone()), |path| {
        unknown.push(parts(&path));
    })
    .map_err(|error| Diagnostics::from(syntax(&error)))?;
    // The one key that `[contacts]` has and `[companies]`, read by the same struct, has not.
    let company = ["companies", "company"].map(str::to_owned);
    if locate(document.get_ref(), &company).is_some() {
        unknown.push(company.to_vec());
    }
    for path in unknown {
        found.push(unknown_key(document.get_ref(), &path));
    }
    Ok((raw, found))
}

/// What keeps a file from being TOML. After a slip in its syntax the parser guesses, and whatever it says
/// of the rest is about the guess: the first one is all there is to mend. Keys that stand twice are no
/// guess where nothing else is wrong.
fn unreadable(errors: &[Error]) -> Diagnostics {
    let twice = |error: &&Error| error.message().contains(TWICE);
    let slips = errors.iter().filter(|error| !twice(error));
    let first = slips.min_by_key(|error| error.span().map_or(0, |span| span.start));
    if let Some(first) = first {
        return Diagnostics::from(syntax(first));
    }
    let mut found = Diagnostics::default();
    for error in errors {
        found.push(syntax(error));
    }
    found.sort();
    found
}

/// What the parser says of a key that stands twice.
const TWICE: &str = "duplicate key";

fn syntax(error: &Error) -> Diagnostic {
    let diagnostic = Diagnostic::error(error.span().unwrap_or_default(), error.message());
    if error.message().contains(TWICE) {
        return diagnostic.help("each key stands once; a table that comes again is written [[ ]]");
    }
    diagnostic
}

/// The keys and indexes that lead to an ignored value.
fn parts(path: &Path<'_>) -> Vec<String> {
    match path {
        Path::Root => Vec::new(),
        Path::Seq { parent, index } => {
            let mut parts = parts(parent);
            parts.push(index.to_string());
            parts
        }
        Path::Map { parent, key } => {
            let mut parts = parts(parent);
            // How `Spanned` hands on a value and its place.
            if !key.starts_with("$__serde_spanned") {
                parts.push(key.clone());
            }
            parts
        }
        Path::Some { parent }
        | Path::NewtypeStruct { parent }
        | Path::NewtypeVariant { parent } => parts(parent),
    }
}

fn unknown_key(document: &DeTable<'_>, path: &[String]) -> Diagnostic {
    let (span, table) = locate(document, path).unwrap_or_default();
    let Some((key, parents)) = path.split_last() else {
        return Diagnostic::error(span, "this is not understood");
    };
    // A date without quotes passes for a table with one hidden key.
    if key.starts_with("$__toml") {
        return Diagnostic::error(table, "a table is needed here, not a date");
    }
    let shown: Vec<&str> = parents
        .iter()
        .map(String::as_str)
        .filter(|part| part.parse::<usize>().is_err())
        .chain([key.as_str()])
        .collect();
    let error = Diagnostic::error(span, format!("unknown key `{}`", shown.join(".")));
    let known = known_keys(parents).unwrap_or_default();
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    if nearest(key, &known).is_none()
        && let Some(home) = home_of(key)
    {
        return error.help(format!("`{key}` is a key of `{home}`"));
    }
    error.help(suggest(key, &known))
}

/// The one table at the top that knows `key`, for a key that stands too far up or down.
fn home_of(key: &str) -> Option<String> {
    let schema = json_schema();
    let tables = schema.get("properties")?.as_object()?;
    // The keys of the support summary are kinds of records, and nobody's hint for another table.
    let tables = tables.iter().filter(|(name, _)| *name != "support_summary");
    let mut homes = tables.filter_map(|(name, table)| {
        let (table, shown) = match table.get("items") {
            Some(items) => (items, format!("[[{name}]]")),
            None => (table, format!("[{name}]")),
        };
        let keys = table.get("properties").and_then(Json::as_object)?;
        keys.contains_key(key).then_some(shown)
    });
    homes.next().filter(|_| homes.next().is_none())
}

/// Where the key at `path` stands in the file, and the table that it is in.
fn locate(document: &DeTable<'_>, path: &[String]) -> Option<(Range<usize>, Range<usize>)> {
    let mut table = Some(document);
    let mut list = None;
    let (mut span, mut parent) = (0..0, 0..0);
    for part in path {
        let value = if let Some((key, value)) =
            table.and_then(|table| table.iter().find(|(key, _)| key.get_ref() == part.as_str()))
        {
            (parent, span) = (span, key.span());
            value
        } else if let Some(value) = list
            .zip(part.parse().ok())
            .and_then(|(list, index): (&toml::de::DeArray<'_>, usize)| list.get(index))
        {
            (parent, span) = (span, value.span());
            value
        } else {
            return None;
        };
        table = None;
        list = None;
        match value.get_ref() {
            DeValue::Table(inner) => table = Some(inner),
            DeValue::Array(inner) => list = Some(inner),
            _ => {}
        }
    }
    Some((span, parent))
}

/// Compiles all sections. `None` only where something is reported as well.
fn config(
    raw: Raw,
    source: &str,
    env: &dyn Environment,
    options: CompileOptions,
    found: &mut Diagnostics,
) -> Option<Config> {
    let mut systems = system::Systems {
        env,
        options,
        found,
    };
    let crm = section(raw.crm, "crm", systems.found).and_then(|at| systems.crm(at));
    let freshdesk =
        section(raw.freshdesk, "freshdesk", systems.found).and_then(|at| systems.freshdesk(at));
    let (state_path, state_keep) = systems.state(raw.state);
    let schedule = system::schedule(raw.schedule, found);
    let guards = system::guards(raw.guards, found);
    let log = system::log(raw.log, found);

    let has_companies = raw.companies.span().is_some();
    let contacts: Option<At<Table<Section>>> = section(raw.contacts, "contacts", found);
    let mut contacts = contacts.map(|at| mapping::mapping(Kind::Contact, at, has_companies, found));
    let mut companies = raw
        .companies
        .get("companies", found)
        .map(|at| mapping::mapping(Kind::Company, at, has_companies, found));
    let kinds = Kinds {
        contacts: contacts.as_ref(),
        companies: companies.as_ref(),
        has_companies,
    };
    let ticket_rules = ticket::rules(raw.ticket_rule, source, kinds, found);
    let support_summary = support::summary(raw.support_summary, kinds, found);
    let tests = expectation::tests(raw.test, kinds, found);
    for mapping in contacts.iter_mut().chain(&mut companies) {
        watch::watch(mapping, &ticket_rules, support_summary.as_ref());
    }
    Some(Config {
        crm: crm?,
        freshdesk: freshdesk?,
        state_path,
        state_keep,
        schedule,
        guards,
        contacts: contacts?,
        companies,
        ticket_rules,
        support_summary,
        tests,
        log,
    })
}

/// A section that the file must have.
fn section<T>(slot: Slot<Table<T>>, name: &str, found: &mut Diagnostics) -> Option<At<Table<T>>> {
    if matches!(slot, Slot::Absent) {
        let message = format!("the section `[{name}]` is missing");
        found.push(Diagnostic::error(0..0, message));
    }
    slot.get(name, found)
}

/// The mappings as far as they could be compiled.
#[derive(Debug, Clone, Copy)]
struct Kinds<'a> {
    contacts: Option<&'a Mapping>,
    companies: Option<&'a Mapping>,
    /// Whether the file has a section for companies, whatever is in it.
    has_companies: bool,
}

impl<'a> Kinds<'a> {
    const fn of(self, kind: Kind) -> Option<&'a Mapping> {
        match kind {
            Kind::Contact => self.contacts,
            Kind::Company => self.companies,
        }
    }
}

/// Text that says something: neither empty nor blank at its ends.
fn solid(text: At<String>, key: &str, found: &mut Diagnostics) -> Option<At<String>> {
    let trimmed = text.value.trim();
    if trimmed.is_empty() {
        found.push(Diagnostic::error(text.span, format!("`{key}` is empty")));
        return None;
    }
    if trimmed.len() != text.value.len() {
        let message = format!("`{key}` begins or ends with a blank");
        found.push(Diagnostic::error(text.span, message).help(format!("write \"{trimmed}\"")));
        return None;
    }
    Some(text)
}

/// The members of `in = […]`, each one value of a field.
fn values(
    slot: Slot<Vec<Slot<Cell>>>,
    table: &Range<usize>,
    found: &mut Diagnostics,
) -> Vec<Value> {
    let Some(At { span, value: cells }) = slot.require("in", table, found) else {
        return Vec::new();
    };
    if cells.is_empty() {
        let error = Diagnostic::error(span, "`in` is empty, so that nothing would meet it");
        found.push(error.help("name at least one value: in = [\"customer\"]"));
    }
    let mut values = Vec::new();
    for cell in cells {
        let Some(At { span, value: cell }) = cell.get("in", found) else {
            continue;
        };
        match scalar(&cell) {
            Some(value) => values.push(value),
            None => found.push(Diagnostic::error(
                span,
                "this must be text, a number, true or false",
            )),
        }
    }
    values
}

/// One value of a field; `None` for a list or table.
fn scalar(cell: &Cell) -> Option<Value> {
    match cell {
        Cell::Text(text) => Some(Value::text(text.as_str())),
        Cell::Whole(whole) => Some(Value::from(*whole)),
        Cell::Decimal(decimal) => Some(Value::decimal(*decimal)),
        Cell::Truth(truth) => Some(Value::Bool(*truth)),
        Cell::Many(_) | Cell::Named(_) => None,
    }
}
