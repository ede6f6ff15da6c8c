//! Records as JSON, straight into the answer's text.

use super::Kind;
use super::record::{Author, Record};
use super::schema::Property;
use super::table::Table;
use super::time::write_iso;
use std::fmt::Write as _;

/// Appends a JSON string.
pub(super) fn string(out: &mut String, text: &str) {
    let plain = |byte: u8| byte >= 0x20 && byte != b'"' && byte != b'\\';
    if text.bytes().all(plain) {
        out.push('"');
        out.push_str(text);
        out.push('"');
    } else {
        out.push_str(&serde_json::Value::from(text).to_string());
    }
}

/// Appends `"name":` and, unless it is the first, a comma before it.
pub(super) fn key(out: &mut String, name: &str) {
    if !out.ends_with(['{', '[']) {
        out.push(',');
    }
    string(out, name);
    out.push(':');
}

/// Appends `"name":"text"`.
pub(super) fn text(out: &mut String, name: &str, text: &str) {
    key(out, name);
    string(out, text);
}

/// Appends `"name":number` or `true`, `false`, `null`.
pub(super) fn bare(out: &mut String, name: &str, value: impl std::fmt::Display) {
    key(out, name);
    // Writing to a String cannot fail.
    write!(out, "{value}").ok();
}

/// Appends `"name":"2026-11-22T10:41:23.000Z"`.
pub(super) fn time(out: &mut String, name: &str, at: i64) {
    key(out, name);
    out.push('"');
    write_iso(out, at);
    out.push('"');
}

/// What of a record is shown.
#[derive(Debug, Default)]
pub(super) struct Columns<'a> {
    pub(super) plain: Vec<&'a Property>,
    pub(super) with_history: Vec<&'a Property>,
}

/// What is shown beside the record.
#[derive(Debug, Default)]
pub(super) struct Extras<'a> {
    /// The trace id of the input that it answers.
    pub(super) trace: Option<&'a str>,
    /// Whether an upsert made it.
    pub(super) new: Option<bool>,
    /// The kind on the other end, and the records there: id and whether that link is the primary one.
    pub(super) associations: Option<(Kind, Vec<(u64, bool)>)>,
}

/// Appends a record.
pub(super) fn record(
    out: &mut String,
    table: &Table,
    record: &Record,
    columns: &Columns<'_>,
    extras: &Extras<'_>,
) {
    out.push('{');
    key(out, "id");
    write!(out, "\"{}\"", record.id).ok();
    key(out, "properties");
    out.push('{');
    for property in &columns.plain {
        key(out, &property.name);
        match record.show(property) {
            Some(value) => string(out, &value),
            None => out.push_str("null"),
        }
    }
    out.push('}');
    if !columns.with_history.is_empty() {
        history(out, table, record, &columns.with_history);
    }
    time(out, "createdAt", record.created);
    time(out, "updatedAt", record.modified);
    bare(out, "archived", record.archived_at.is_some());
    if let Some(at) = record.archived_at {
        time(out, "archivedAt", at);
    }
    if let Some(new) = extras.new {
        bare(out, "new", new);
    }
    if let Some(trace) = extras.trace {
        text(out, "objectWriteTraceId", trace);
    }
    if let Some((to, links)) = &extras.associations
        && !links.is_empty()
    {
        associations(out, table.kind(), *to, links);
    }
    out.push('}');
}

fn history(out: &mut String, table: &Table, record: &Record, properties: &[&Property]) {
    key(out, "propertiesWithHistory");
    out.push('{');
    for property in properties {
        key(out, &property.name);
        out.push('[');
        for version in table.versions(record, property) {
            if !out.ends_with('[') {
                out.push(',');
            }
            out.push('{');
            text(out, "value", &version.value);
            time(out, "timestamp", version.at);
            let (source, id) = match version.author {
                Author::Person => ("CRM_UI", "userId:1"),
                Author::App => ("INTEGRATION", "private-app"),
            };
            text(out, "sourceType", source);
            text(out, "sourceId", id);
            out.push('}');
        }
        out.push(']');
    }
    out.push('}');
}

/// The primary link shows twice, under its own type and under the one without a label.
fn associations(out: &mut String, from: Kind, to: Kind, links: &[(u64, bool)]) {
    key(out, "associations");
    out.push('{');
    key(out, to.plural());
    out.push_str("{\"results\":[");
    for (id, primary) in links {
        for (shown, suffix) in [(*primary, ""), (true, "_unlabeled")] {
            if !shown {
                continue;
            }
            if !out.ends_with('[') {
                out.push(',');
            }
            let (from, to) = (from.singular(), to.singular());
            write!(
                out,
                "{{\"id\":\"{id}\",\"type\":\"{from}_to_{to}{suffix}\"}}"
            )
            .ok();
        }
    }
    out.push_str("]}}");
}
