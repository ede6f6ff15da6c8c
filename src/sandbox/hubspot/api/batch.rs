//! Batches: how their inputs are checked and their answers put together, reading and archiving.

use super::super::Kind;
use super::super::schema::Schema;
use super::super::state::State;
use super::super::write::{self, Columns, Extras};
use super::objects::named;
use super::{Ask, Problem, Reply};
use serde::Deserialize;
use std::collections::HashSet;
use std::hash::Hash;

/// The most inputs of a batch of records.
const MOST_INPUTS: usize = 100;

/// The inputs of any batch.
#[derive(Debug, Deserialize)]
pub(super) struct Inputs<T> {
    pub(super) inputs: Vec<T>,
}

#[derive(Debug, Deserialize)]
pub(super) struct IdInput {
    pub(super) id: String,
}

/// One to `most`.
pub(super) fn check_size(size: usize, most: usize) -> Result<(), Problem> {
    match size {
        0 => Err(Problem::invalid("The batch has no inputs")),
        size if size > most => Err(Problem::invalid(format!(
            "The batch has {size} inputs; at most {most} are allowed"
        ))),
        _ => Ok(()),
    }
}

/// Like [`check_size`] for batches of records.
pub(super) fn check_records(size: usize) -> Result<(), Problem> {
    check_size(size, MOST_INPUTS)
}

/// No two inputs may mean the same.
pub(super) fn check_distinct<T: Hash + Eq>(
    what: &str,
    values: impl IntoIterator<Item = T>,
) -> Result<(), Problem> {
    let mut seen = HashSet::new();
    if values.into_iter().all(|value| seen.insert(value)) {
        return Ok(());
    }
    Err(Problem::invalid(format!("Duplicate {what} in one batch")))
}

/// An answer as it grows.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) results: Vec<String>,
    pub(super) errors: Vec<(Problem, Option<String>)>,
}

impl Answer {
    /// 207 where there are errors, else `complete`. Results come in the inputs' order only if the
    /// portal was told so.
    pub(super) fn finish(mut self, complete: u16, shuffled: bool, now: i64) -> Reply {
        if shuffled {
            self.results.reverse();
        }
        let size: usize = self.results.iter().map(|result| result.len() + 1).sum();
        let mut out = String::with_capacity(size + 512);
        out.push('{');
        write::text(&mut out, "status", "COMPLETE");
        write::bare(&mut out, "results", "[");
        for result in &self.results {
            if !out.ends_with('[') {
                out.push(',');
            }
            out.push_str(result);
        }
        out.push(']');
        if !self.errors.is_empty() {
            write::bare(&mut out, "numErrors", self.errors.len());
            write::bare(&mut out, "errors", "[");
            for (problem, trace) in &self.errors {
                if !out.ends_with('[') {
                    out.push(',');
                }
                problem.item(&mut out, trace.as_deref());
            }
            out.push(']');
        }
        write::time(&mut out, "startedAt", now);
        write::time(&mut out, "completedAt", now);
        out.push('}');
        Reply::with(
            if self.errors.is_empty() {
                complete
            } else {
                207
            },
            out,
        )
    }
}

/// One error for all ids that are not there.
pub(super) fn absent(kind: Kind, ids: Vec<String>) -> Problem {
    let object = kind.singular().to_uppercase();
    let message = format!("Could not get some {object} objects, they may be deleted or not exist.");
    Problem::new(404, "OBJECT_NOT_FOUND", message).with("ids", ids)
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReadRequest {
    inputs: Vec<IdInput>,
    #[serde(default)]
    properties: Vec<String>,
    #[serde(default)]
    properties_with_history: Vec<String>,
    id_property: Option<String>,
}

/// `POST …/batch/read`.
pub(super) fn read(state: &State, kind: Kind, ask: &Ask<'_>) -> Result<Reply, Problem> {
    let request: ReadRequest = ask.json()?;
    check_records(request.inputs.len())?;
    check_distinct("ids", request.inputs.iter().map(|input| &input.id))?;
    let table = state.table(kind);
    let columns = read_columns(&table.schema, &request);
    let records = if ask.flag("archived") {
        &table.archived
    } else {
        &table.live
    };
    let (mut answer, mut missing, mut seen) = (Answer::default(), Vec::new(), HashSet::new());
    for input in &request.inputs {
        let id = named(table, &input.id, request.id_property.as_deref())?;
        match id.and_then(|id| records.get(&id)) {
            None => missing.push(input.id.clone()),
            // A survivor that was asked for under two of its ids is shown once.
            Some(record) if !seen.insert(record.id) => {}
            Some(record) => {
                let mut out = String::with_capacity(512);
                write::record(&mut out, table, record, &columns, &Extras::default());
                answer.results.push(out);
            }
        }
    }
    if !missing.is_empty() {
        answer.errors.push((absent(kind, missing), None));
    }
    Ok(answer.finish(200, state.shuffled_batches, ask.now))
}

fn read_columns<'a>(schema: &'a Schema, request: &ReadRequest) -> Columns<'a> {
    let names: Vec<&str> = request.properties.iter().map(String::as_str).collect();
    let with_history = request.properties_with_history.iter();
    Columns {
        plain: schema.columns(&names),
        with_history: with_history.filter_map(|name| schema.get(name)).collect(),
    }
}

/// `POST …/batch/archive`: ids that are not there are no error.
pub(super) fn archive(state: &mut State, kind: Kind, ask: &Ask<'_>) -> Result<Reply, Problem> {
    let request: Inputs<IdInput> = ask.json()?;
    check_records(request.inputs.len())?;
    check_distinct("ids", request.inputs.iter().map(|input| &input.id))?;
    for input in request.inputs {
        if let Ok(id) = input.id.parse() {
            state.archive(kind, id, ask.now).ok();
        }
    }
    Ok(Reply::empty())
}
