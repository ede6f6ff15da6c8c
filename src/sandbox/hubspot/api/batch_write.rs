//! Batches that write: who is refused takes the others along, or does not.

use super::super::Kind;
use super::super::record::Author;
use super::super::state::State;
use super::super::table::{Table, Values};
use super::super::value;
use super::super::write::{self, Columns, Extras};
use super::batch::{Answer, Inputs, absent, check_distinct, check_records};
use super::objects::{CreateInput, Properties, borrowed, named, written_columns};
use super::{Ask, Problem, Reply, associations};
use serde::Deserialize;
use std::collections::HashSet;

/// An input whose values are fine, or why not.
type Checked<T> = Result<T, Problem>;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct UpdateInput {
    id: String,
    id_property: Option<String>,
    #[serde(default)]
    properties: Properties,
    object_write_trace_id: Option<String>,
}

/// Whether every input can be told from the others in the answer, which makes partial success possible.
fn traced<'a>(traces: impl Iterator<Item = &'a Option<String>>) -> Result<bool, Problem> {
    let traces: Vec<Option<&str>> = traces.map(Option::as_deref).collect();
    check_distinct("objectWriteTraceId", traces.iter().flatten())?;
    Ok(traces.iter().all(Option::is_some))
}

/// Without partial success the first refusal is the answer to the whole batch.
fn all_or_nothing<T>(partial: bool, checked: &[Checked<T>]) -> Result<(), Problem> {
    match checked.iter().find_map(|one| one.as_ref().err()) {
        Some(problem) if !partial => Err(problem.clone()),
        _ => Ok(()),
    }
}

/// The live records that the inputs name; a key that is none is an error of the whole batch.
fn targets(table: &Table, inputs: &[UpdateInput]) -> Result<Vec<Option<u64>>, Problem> {
    let find = |input: &UpdateInput| {
        let id = named(table, &input.id, input.id_property.as_deref())?;
        Ok(id.filter(|id| table.live.contains_key(id)))
    };
    inputs.iter().map(find).collect()
}

/// Finds two inputs of one batch that claim the same unique value.
#[derive(Debug, Default)]
struct Claims(HashSet<(u16, Box<str>)>);

impl Claims {
    fn claim(&mut self, table: &Table, values: &Values) -> Result<(), Problem> {
        for (slot, value) in values {
            let unique = table
                .schema
                .at(*slot)
                .is_some_and(|property| property.unique);
            if let (true, Some(value)) = (unique, value)
                && !self.0.insert((*slot, value.clone()))
            {
                return Err(Problem::invalid("Duplicate unique values in one batch"));
            }
        }
        Ok(())
    }
}

/// What became of an input.
#[derive(Debug)]
struct Done<'a> {
    id: u64,
    input: (&'a Properties, Option<&'a String>),
    new: Option<bool>,
}

/// The records as the answer shows them. Inputs mostly write the same properties, so the columns of
/// the one before are used again.
fn shown(table: &Table, done: &[Done<'_>]) -> Vec<String> {
    let mut shown = Vec::with_capacity(done.len());
    let mut columns: Option<(&Properties, Columns<'_>)> = None;
    for one in done {
        let (properties, trace) = one.input;
        let known = columns.take();
        let (_, columns) = columns.insert(match known {
            Some((of, columns)) if of.keys().eq(properties.keys()) => (of, columns),
            _ => (properties, written_columns(table, properties)),
        });
        let extras = Extras {
            trace: trace.map(String::as_str),
            new: one.new,
            ..Extras::default()
        };
        let mut out = String::with_capacity(512);
        if let Some(record) = table.live.get(&one.id) {
            write::record(&mut out, table, record, columns, &extras);
        }
        shown.push(out);
    }
    shown
}

/// `POST …/batch/create`: all or nothing, unless every input has a trace id.
pub(super) fn create(state: &mut State, kind: Kind, ask: &Ask<'_>) -> Result<Reply, Problem> {
    let request: Inputs<CreateInput> = ask.json()?;
    check_records(request.inputs.len())?;
    let partial = traced(
        request
            .inputs
            .iter()
            .map(|input| &input.object_write_trace_id),
    )?;
    let mut claims = Claims::default();
    let mut check = |input: &CreateInput| -> Checked<_> {
        let values = state.table(kind).check(borrowed(&input.properties))?;
        state.check_new(kind, &values)?;
        claims.claim(state.table(kind), &values)?;
        Ok((
            values,
            associations::inline(state, kind, &input.associations)?,
        ))
    };
    let checked: Vec<_> = request.inputs.iter().map(&mut check).collect();
    all_or_nothing(partial, &checked)?;
    let (mut answer, mut done) = (Answer::default(), Vec::new());
    for (input, checked) in request.inputs.iter().zip(checked) {
        let trace = input.object_write_trace_id.as_ref();
        match checked {
            Ok((values, links)) => {
                done.push(Done {
                    id: associations::add(state, kind, values, &links, ask.now),
                    input: (&input.properties, trace),
                    new: None,
                });
            }
            Err(problem) => answer.errors.push((problem, trace.cloned())),
        }
    }
    answer.results = shown(state.table(kind), &done);
    Ok(answer.finish(201, state.shuffled_batches, ask.now))
}

/// `POST …/batch/update`: records that are not there never stop the others; bad values do, unless
/// every input has a trace id.
pub(super) fn update(state: &mut State, kind: Kind, ask: &Ask<'_>) -> Result<Reply, Problem> {
    let request: Inputs<UpdateInput> = ask.json()?;
    check_records(request.inputs.len())?;
    let partial = traced(
        request
            .inputs
            .iter()
            .map(|input| &input.object_write_trace_id),
    )?;
    let table = state.table(kind);
    let targets = targets(table, &request.inputs)?;
    check_distinct("ids", targets.iter().flatten())?;
    let mut claims = Claims::default();
    let mut check = |(input, target): (&UpdateInput, &Option<u64>)| -> Checked<_> {
        let Some(id) = target else {
            return Ok(None);
        };
        let values = table.check(borrowed(&input.properties))?;
        table.check_unique(Some(*id), &values)?;
        claims.claim(table, &values)?;
        Ok(Some((*id, values)))
    };
    let checked: Vec<_> = request
        .inputs
        .iter()
        .zip(&targets)
        .map(&mut check)
        .collect();
    all_or_nothing(partial, &checked)?;
    let (mut answer, mut done, mut missing) = (Answer::default(), Vec::new(), Vec::new());
    for (input, checked) in request.inputs.iter().zip(checked) {
        let trace = input.object_write_trace_id.as_ref();
        match checked {
            Ok(Some((id, values))) => {
                let table = state.table_mut(kind);
                table.write(id, values, Author::App, ask.now);
                done.push(Done {
                    id,
                    input: (&input.properties, trace),
                    new: None,
                });
            }
            Ok(None) if trace.is_some() => {
                let problem = absent(kind, vec![input.id.clone()]);
                answer.errors.push((problem, trace.cloned()));
            }
            Ok(None) => missing.push(input.id.clone()),
            Err(problem) => answer.errors.push((problem, trace.cloned())),
        }
    }
    if !missing.is_empty() {
        answer.errors.push((absent(kind, missing), None));
    }
    answer.results = shown(state.table(kind), &done);
    Ok(answer.finish(200, state.shuffled_batches, ask.now))
}

/// `POST …/batch/upsert` by a unique property. With `email` as the key nothing is written unless all
/// inputs are fine, trace ids or not.
pub(super) fn upsert(state: &mut State, kind: Kind, ask: &Ask<'_>) -> Result<Reply, Problem> {
    let request: Inputs<UpdateInput> = ask.json()?;
    check_records(request.inputs.len())?;
    let traced = traced(
        request
            .inputs
            .iter()
            .map(|input| &input.object_write_trace_id),
    )?;
    let by_email = |input: &UpdateInput| input.id_property.as_deref() == Some("email");
    let partial = traced && !request.inputs.iter().any(by_email);
    let targets = targets(state.table(kind), &request.inputs)?;
    check_distinct("ids", targets.iter().flatten())?;
    let mut claims = Claims::default();
    let mut check = |(input, known): (&UpdateInput, &Option<u64>)| {
        check_upsert(state, kind, input, *known, &mut claims)
    };
    let checked: Vec<_> = request
        .inputs
        .iter()
        .zip(&targets)
        .map(&mut check)
        .collect();
    all_or_nothing(partial, &checked)?;
    let (mut answer, mut done) = (Answer::default(), Vec::new());
    for (input, checked) in request.inputs.iter().zip(checked) {
        let trace = input.object_write_trace_id.as_ref();
        match checked {
            Ok((known, values)) => {
                let id = if let Some(id) = known {
                    state
                        .table_mut(kind)
                        .write(id, values, Author::App, ask.now);
                    id
                } else {
                    state.add(kind, values, None, ask.now, false)
                };
                done.push(Done {
                    id,
                    input: (&input.properties, trace),
                    new: Some(known.is_none()),
                });
            }
            Err(problem) => answer.errors.push((problem, trace.cloned())),
        }
    }
    answer.results = shown(state.table(kind), &done);
    Ok(answer.finish(200, state.shuffled_batches, ask.now))
}

/// The record to update, or none where one is to be made, and the values; the key is one of them.
fn check_upsert(
    state: &State,
    kind: Kind,
    input: &UpdateInput,
    known: Option<u64>,
    claims: &mut Claims,
) -> Checked<(Option<u64>, Values)> {
    let table = state.table(kind);
    let property = input.id_property.as_deref();
    let mut values = table.check(borrowed(&input.properties))?;
    let key = property
        .and_then(|name| table.schema.get(name))
        .filter(|key| !key.read_only);
    match (key, known) {
        (None, None) => return Err(absent(kind, vec![input.id.clone()])),
        (Some(key), None) => {
            let value = value::normalised(key, &input.id);
            let value = value.map_err(|one| super::super::Refused::Invalid(vec![one]))?;
            if !values.iter().any(|(slot, _)| *slot == key.slot) {
                values.push((key.slot, value));
            }
            state.check_new(kind, &values)?;
        }
        (_, Some(id)) => table.check_unique(Some(id), &values)?,
    }
    claims.claim(table, &values)?;
    Ok((known, values))
}
