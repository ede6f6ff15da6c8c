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
use serde::de::DeserializeOwned;
use std::collections::HashSet;

/// An input whose values are fine, or why not.
type Checked<T> = Result<T, Problem>;

/// What creates, updates and upserts have in common.
trait Input {
    fn properties(&self) -> &Properties;
    fn trace(&self) -> Option<&String>;
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct UpdateInput {
    id: String,
    id_property: Option<String>,
    #[serde(default)]
    properties: Properties,
    object_write_trace_id: Option<String>,
}

impl Input for UpdateInput {
    fn properties(&self) -> &Properties {
        &self.properties
    }

    fn trace(&self) -> Option<&String> {
        self.object_write_trace_id.as_ref()
    }
}

impl Input for CreateInput {
    fn properties(&self) -> &Properties {
        &self.properties
    }

    fn trace(&self) -> Option<&String> {
        self.object_write_trace_id.as_ref()
    }
}

/// The inputs, and whether each can be told from the others in the answer, which makes partial success
/// possible.
fn inputs<T: Input + DeserializeOwned>(ask: &Ask<'_>) -> Result<(Vec<T>, bool), Problem> {
    let Inputs { inputs } = ask.json::<Inputs<T>>()?;
    check_records(inputs.len())?;
    check_distinct("objectWriteTraceId", inputs.iter().filter_map(T::trace))?;
    let traced = inputs.iter().all(|input| input.trace().is_some());
    Ok((inputs, traced))
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
    properties: &'a Properties,
    trace: Option<&'a String>,
    /// Whether it was made just now; nothing where the endpoint does not say.
    new: Option<bool>,
}

/// What became of a batch as it grows.
#[derive(Debug, Default)]
struct Report<'a> {
    done: Vec<Done<'a>>,
    answer: Answer,
}

impl<'a> Report<'a> {
    fn wrote(&mut self, id: u64, input: &'a impl Input, new: Option<bool>) {
        self.done.push(Done {
            id,
            properties: input.properties(),
            trace: input.trace(),
            new,
        });
    }

    fn refused(&mut self, input: &impl Input, problem: Problem) {
        self.answer.errors.push((problem, input.trace().cloned()));
    }

    /// The answer to the whole batch, 207 in place of `complete` where there are errors.
    fn finish(mut self, state: &State, kind: Kind, complete: u16, now: i64) -> Reply {
        self.answer.results = shown(state.table(kind), &self.done);
        self.answer.finish(complete, state.shuffled_batches, now)
    }
}

/// The records as the answer shows them. Inputs mostly write the same properties, so the columns of
/// the one before are used again.
fn shown(table: &Table, done: &[Done<'_>]) -> Vec<String> {
    let mut shown = Vec::with_capacity(done.len());
    let mut columns: Option<(&Properties, Columns<'_>)> = None;
    for one in done {
        let properties = one.properties;
        let known = columns.take();
        let (_, columns) = columns.insert(match known {
            Some((of, columns)) if of.keys().eq(properties.keys()) => (of, columns),
            _ => (properties, written_columns(table, properties)),
        });
        let extras = Extras {
            trace: one.trace.map(String::as_str),
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
    let (inputs, partial) = inputs::<CreateInput>(ask)?;
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
    let checked: Vec<_> = inputs.iter().map(&mut check).collect();
    all_or_nothing(partial, &checked)?;
    let mut report = Report::default();
    for (input, checked) in inputs.iter().zip(checked) {
        match checked {
            Ok((values, links)) => {
                let id = associations::add(state, kind, values, &links, ask.now);
                report.wrote(id, input, None);
            }
            Err(problem) => report.refused(input, problem),
        }
    }
    Ok(report.finish(state, kind, 201, ask.now))
}

/// `POST …/batch/update`: records that are not there never stop the others; bad values do, unless
/// every input has a trace id.
pub(super) fn update(state: &mut State, kind: Kind, ask: &Ask<'_>) -> Result<Reply, Problem> {
    let (inputs, partial) = inputs::<UpdateInput>(ask)?;
    let table = state.table(kind);
    let targets = targets(table, &inputs)?;
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
    let checked: Vec<_> = inputs.iter().zip(&targets).map(&mut check).collect();
    all_or_nothing(partial, &checked)?;
    let (mut report, mut missing) = (Report::default(), Vec::new());
    for (input, checked) in inputs.iter().zip(checked) {
        match checked {
            Ok(Some((id, values))) => {
                let table = state.table_mut(kind);
                table.write(id, values, Author::App, ask.now);
                report.wrote(id, input, None);
            }
            Ok(None) if input.trace().is_some() => {
                report.refused(input, absent(kind, vec![input.id.clone()]));
            }
            Ok(None) => missing.push(input.id.clone()),
            Err(problem) => report.refused(input, problem),
        }
    }
    if !missing.is_empty() {
        report.answer.errors.push((absent(kind, missing), None));
    }
    Ok(report.finish(state, kind, 200, ask.now))
}

/// `POST …/batch/upsert` by a unique property. With `email` as the key nothing is written unless all
/// inputs are fine, trace ids or not.
pub(super) fn upsert(state: &mut State, kind: Kind, ask: &Ask<'_>) -> Result<Reply, Problem> {
    let (inputs, traced) = inputs::<UpdateInput>(ask)?;
    let by_email = |input: &UpdateInput| input.id_property.as_deref() == Some("email");
    let partial = traced && !inputs.iter().any(by_email);
    let targets = targets(state.table(kind), &inputs)?;
    check_distinct("ids", targets.iter().flatten())?;
    let mut claims = Claims::default();
    let mut check = |(input, known): (&UpdateInput, &Option<u64>)| {
        check_upsert(state, kind, input, *known, &mut claims)
    };
    let checked: Vec<_> = inputs.iter().zip(&targets).map(&mut check).collect();
    all_or_nothing(partial, &checked)?;
    let mut report = Report::default();
    for (input, checked) in inputs.iter().zip(checked) {
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
                report.wrote(id, input, Some(known.is_none()));
            }
            Err(problem) => report.refused(input, problem),
        }
    }
    Ok(report.finish(state, kind, 200, ask.now))
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
