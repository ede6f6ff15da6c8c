//! Links between contacts and companies, in the v3 and the v4 spelling.
//!
//! A contact has at most one primary company (type 1, back 2); every link also has the type without
//! a label (279, back 280).

use super::super::Kind;
use super::super::state::{Refused, State};
use super::super::table::Values;
use super::super::write;
use super::batch::{Answer, IdInput, Inputs, check_size};
use super::route::{Ends, LinkCall};
use super::{Ask, Problem, Reply};
use serde::Deserialize;
use serde_json::{Value, json};

/// The most inputs of a batch that reads links.
const MOST_READS: usize = 1_000;
/// The most inputs of a batch that makes or ends links.
const MOST_WRITES: usize = 2_000;

/// Type ids in this direction: of the primary link, of the one without a label.
const fn type_ids(from: Kind) -> (u32, u32) {
    match from {
        Kind::Contact => (1, 279),
        Kind::Company => (2, 280),
    }
}

/// `types` of v4 inputs.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    association_category: String,
    association_type_id: u32,
}

/// A link given with a new record.
#[derive(Debug, Deserialize)]
pub(super) struct InlineLink {
    to: IdInput,
    types: Vec<Spec>,
}

/// Whether these types make the link the primary one; unknown types are refused.
fn is_primary(from: Kind, types: &[Spec]) -> Result<bool, Problem> {
    let (primary, plain) = type_ids(from);
    let known = |spec: &Spec| {
        spec.association_category == "HUBSPOT_DEFINED"
            && [primary, plain].contains(&spec.association_type_id)
    };
    if types.is_empty() || !types.iter().all(known) {
        let kind = from.singular();
        return Err(Problem::invalid(format!(
            "Unknown association type for a {kind}"
        )));
    }
    Ok(types.iter().any(|spec| spec.association_type_id == primary))
}

/// Checks the links of a new record: the other ends and whether they are primary.
pub(super) fn inline(
    state: &State,
    kind: Kind,
    links: &[InlineLink],
) -> Result<Vec<(u64, bool)>, Problem> {
    let other = match kind {
        Kind::Contact => &state.companies,
        Kind::Company => &state.contacts,
    };
    let check = |link: &InlineLink| {
        let primary = is_primary(kind, &link.types)?;
        let found = link.to.id.parse().ok().and_then(|id| other.find(id));
        let found = found.ok_or_else(|| Problem::missing(vec![link.to.id.clone()]))?;
        Ok((found.id, primary))
    };
    links.iter().map(check).collect()
}

/// Adds a record with checked values and links.
pub(super) fn add(
    state: &mut State,
    kind: Kind,
    values: Values,
    links: &[(u64, bool)],
    now: i64,
) -> u64 {
    let (first, rest) = match (kind, links.split_first()) {
        (Kind::Contact, Some(((first, _), rest))) => (Some(*first), rest),
        _ => (None, links),
    };
    let id = state.add(kind, values, first, now, false);
    for (other, primary) in rest {
        let (contact, company) = oriented(kind, id, *other);
        // Both ends were looked up a moment ago, under the same lock.
        state.link(contact, company, *primary, now).ok();
    }
    id
}

const fn oriented(from: Kind, id: u64, other: u64) -> (u64, u64) {
    match from {
        Kind::Contact => (id, other),
        Kind::Company => (other, id),
    }
}

/// A batch over links.
pub(super) fn batch(
    state: &mut State,
    ends: Ends,
    call: LinkCall,
    ask: &Ask<'_>,
) -> Result<Reply, Problem> {
    match call {
        LinkCall::Read => read(state, ends, ask),
        LinkCall::Create | LinkCall::Default => create(state, ends, call, ask),
        LinkCall::Archive => archive(state, ends, ask),
    }
}

/// A record without links is an error of its own, in a 207.
fn read(state: &State, ends: Ends, ask: &Ask<'_>) -> Result<Reply, Problem> {
    let request: Inputs<IdInput> = ask.json()?;
    check_size(request.inputs.len(), MOST_READS)?;
    let mut answer = Answer::default();
    for input in &request.inputs {
        let record = input
            .id
            .parse()
            .ok()
            .and_then(|id| state.table(ends.from).find(id));
        let links = record.map(|record| state.linked(ends.from, record.id));
        let links = links.unwrap_or_default();
        if links.is_empty() {
            answer.errors.push((unlinked(ends, &input.id), None));
            continue;
        }
        let mut out = String::with_capacity(256);
        out.push('{');
        write::bare(&mut out, "from", json!({ "id": input.id }));
        write::bare(&mut out, "to", Value::Array(shown(ends, &links)));
        out.push('}');
        answer.results.push(out);
    }
    Ok(answer.finish(200, state.shuffled_batches, ask.now))
}

fn unlinked(ends: Ends, id: &str) -> Problem {
    let (from, to) = (ends.from.singular(), ends.to.singular());
    let message = format!("No {to} is associated with {from} {id}.");
    let mut problem = Problem::new(404, "OBJECT_NOT_FOUND", message)
        .with("fromObjectId", vec![id.to_owned()])
        .with("fromObjectType", vec![from.to_owned()])
        .with("toObjectType", vec![to.to_owned()]);
    problem.sub_category = Some("crm.associations.NO_ASSOCIATIONS_FOUND");
    problem
}

/// v4 shows each other end once with its types, v3 once per type.
fn shown(ends: Ends, links: &[(u64, bool)]) -> Vec<Value> {
    let (primary_type, plain_type) = type_ids(ends.from);
    let category = "HUBSPOT_DEFINED";
    let (from, to) = (ends.from.singular(), ends.to.singular());
    let mut all = Vec::with_capacity(links.len());
    for (id, primary) in links {
        let id = id.to_string();
        if ends.v4 {
            let mut types = Vec::new();
            if *primary {
                types.push(
                    json!({ "category": category, "typeId": primary_type, "label": "Primary" }),
                );
            }
            types.push(json!({ "category": category, "typeId": plain_type, "label": null }));
            all.push(json!({ "toObjectId": id, "associationTypes": types }));
            continue;
        }
        if *primary {
            all.push(json!({ "id": id, "type": format!("{from}_to_{to}") }));
        }
        all.push(json!({ "id": id, "type": format!("{from}_to_{to}_unlabeled") }));
    }
    all
}

#[derive(Debug, Deserialize)]
struct LinkInput {
    from: IdInput,
    to: IdInput,
    #[serde(default)]
    types: Vec<Spec>,
    #[serde(rename = "type")]
    type_name: Option<String>,
}

impl LinkInput {
    fn primary(&self, ends: Ends, call: LinkCall) -> Result<bool, Problem> {
        if call == LinkCall::Default {
            return Ok(false);
        }
        if ends.v4 {
            return is_primary(ends.from, &self.types);
        }
        let name = format!("{}_to_{}", ends.from.singular(), ends.to.singular());
        match self.type_name.as_deref() {
            Some(given) if given == name => Ok(true),
            Some(given) if given.strip_prefix(&name) == Some("_unlabeled") => Ok(false),
            _ => Err(Problem::invalid("Unknown association type")),
        }
    }
}

fn create(state: &mut State, ends: Ends, call: LinkCall, ask: &Ask<'_>) -> Result<Reply, Problem> {
    let request: Inputs<LinkInput> = ask.json()?;
    check_size(request.inputs.len(), MOST_WRITES)?;
    let primaries: Result<Vec<bool>, Problem> = request
        .inputs
        .iter()
        .map(|input| input.primary(ends, call))
        .collect();
    let mut answer = Answer::default();
    for (input, primary) in request.inputs.iter().zip(primaries?) {
        match connect(
            state,
            ends,
            [&input.from.id, &input.to.id],
            primary,
            ask.now,
        ) {
            Err(problem) => answer.errors.push((problem, None)),
            Ok(()) if call == LinkCall::Default => {
                answer
                    .results
                    .extend(both_ways(ends, &input.from.id, &input.to.id));
            }
            Ok(()) if ends.v4 => {
                let labels: &[&str] = if primary { &["Primary"] } else { &[] };
                answer
                    .results
                    .push(pair(ends, &input.from.id, &input.to.id, labels).to_string());
            }
            Ok(()) => {
                let (from, to) = (&input.from.id, &input.to.id);
                let result =
                    json!({ "from": { "id": from }, "to": { "id": to }, "type": input.type_name });
                answer.results.push(result.to_string());
            }
        }
    }
    let complete = if call == LinkCall::Default { 200 } else { 201 };
    Ok(answer.finish(complete, state.shuffled_batches, ask.now))
}

fn connect(
    state: &mut State,
    ends: Ends,
    [from, to]: [&str; 2],
    primary: bool,
    now: i64,
) -> Result<(), Problem> {
    let number = |id: &str| {
        id.parse()
            .map_err(|_| Problem::missing(vec![id.to_owned()]))
    };
    let (contact, company) = oriented(ends.from, number(from)?, number(to)?);
    state
        .link(contact, company, primary, now)
        .map_err(|refused: Refused| refused.into())
}

fn pair(ends: Ends, from: &str, to: &str, labels: &[&str]) -> Value {
    json!({
        "fromObjectTypeId": ends.from.type_id(), "fromObjectId": from,
        "toObjectTypeId": ends.to.type_id(), "toObjectId": to,
        "labels": labels,
    })
}

/// Making a default link answers with both directions.
fn both_ways(ends: Ends, from: &str, to: &str) -> [String; 2] {
    [(ends.from, from, to), (ends.to, to, from)].map(|(kind, from, to)| {
        let (_, plain) = type_ids(kind);
        let spec = json!({ "associationCategory": "HUBSPOT_DEFINED", "associationTypeId": plain });
        json!({ "from": { "id": from }, "to": { "id": to }, "associationSpec": spec }).to_string()
    })
}

/// In v4 an input's `to` is a list, in v3 a single one.
#[derive(Debug, Deserialize)]
struct ArchiveInput {
    from: IdInput,
    to: OneOrMany,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(IdInput),
    Many(Vec<IdInput>),
}

fn archive(state: &mut State, ends: Ends, ask: &Ask<'_>) -> Result<Reply, Problem> {
    let request: Inputs<ArchiveInput> = ask.json()?;
    check_size(request.inputs.len(), MOST_WRITES)?;
    for input in &request.inputs {
        let to = match &input.to {
            OneOrMany::One(one) => std::slice::from_ref(one),
            OneOrMany::Many(many) => many,
        };
        for to in to {
            disconnect(state, ends, [&input.from.id, &to.id], ask.now);
        }
    }
    Ok(Reply::empty())
}

/// A link that is not there is no error.
fn disconnect(state: &mut State, ends: Ends, [from, to]: [&str; 2], now: i64) {
    if let (Ok(from), Ok(to)) = (from.parse(), to.parse()) {
        let (contact, company) = oriented(ends.from, from, to);
        state.unlink(contact, company, now);
    }
}

/// `GET /crm/v4/objects/{from}/{id}/associations/{to}`.
pub(super) fn list(state: &State, ends: Ends, id: &str) -> Result<Reply, Problem> {
    let record = id
        .parse()
        .ok()
        .and_then(|id| state.table(ends.from).find(id));
    let record = record.ok_or_else(|| Problem::missing(vec![id.to_owned()]))?;
    let links = state.linked(ends.from, record.id);
    let body = json!({ "results": shown(ends, &links) });
    Ok(Reply::with(200, body.to_string()))
}

/// One link by its two ends.
pub(super) fn one(
    state: &mut State,
    ends: Ends,
    pair_ids: [&str; 2],
    call: LinkCall,
    ask: &Ask<'_>,
) -> Result<Reply, Problem> {
    let [from, to] = pair_ids;
    match call {
        LinkCall::Default => {
            connect(state, ends, pair_ids, false, ask.now)?;
            let mut answer = Answer::default();
            answer.results.extend(both_ways(ends, from, to));
            Ok(answer.finish(200, state.shuffled_batches, ask.now))
        }
        LinkCall::Archive => {
            disconnect(state, ends, pair_ids, ask.now);
            Ok(Reply::empty())
        }
        LinkCall::Create | LinkCall::Read => {
            let types: Vec<Spec> = ask.json()?;
            let primary = is_primary(ends.from, &types)?;
            connect(state, ends, pair_ids, primary, ask.now)?;
            let labels: &[&str] = if primary { &["Primary"] } else { &[] };
            Ok(Reply::with(201, pair(ends, from, to, labels).to_string()))
        }
    }
}
