//! Writes: batches in which one bad record never blocks the others.
//!
//! Every input of a create or update carries a trace id, its place in the batch; with one in every
//! input the server accepts the good ones and names the bad (207). Where it refuses the batch as a
//! whole instead, nothing of it is done, and it is sent again without those at fault, or in halves
//! where it does not say who is: one bad record among 100 costs 15 calls, not 100.

use super::outcome::{Batch, sort_of};
use super::refusal::Refusal;
use super::wire::{Wanted, text_of};
use super::{BATCH, Hubspot, Verb, endpoint, plural};
use crate::model::{COMPANY, Image, Kind, Side, Value};
use crate::remote::http::Call;
use crate::remote::{ErrorKind, Op, Outcome, RemoteError};
use reqwest::Method;
use serde_json::{Map, Value as Json, json};

/// The association type "contact to primary company" (Associations v4, default types).
pub(super) const PRIMARY: u32 = 1;

impl Hubspot {
    pub(super) async fn carry_out(&self, wanted: &Wanted<'_>, ops: &[Op]) -> Vec<Outcome> {
        let mut batch = Batch::new(wanted, ops);
        refuse_odd_companies(&mut batch);
        for verb in [Verb::Create, Verb::Update, Verb::Archive] {
            let members: Vec<usize> = (0..ops.len())
                .filter(|index| batch.outcome(*index).is_none())
                .filter(|index| ops.get(*index).is_some_and(|op| to_send(op, verb)))
                .collect();
            let groups = members.chunks(BATCH).rev().map(<[usize]>::to_vec).collect();
            self.push(&mut batch, verb, groups).await;
        }
        if wanted.kind == Kind::Contact {
            self.link_companies(&mut batch).await;
        }
        self.tell_trashed(&mut batch).await;
        batch.finish(&RemoteError {
            side: Side::Crm,
            call: "write".to_owned(),
            kind: ErrorKind::Rejected(400),
            detail: "nothing to write".to_owned(),
            request_id: None,
        })
    }

    async fn push(&self, batch: &mut Batch<'_>, verb: Verb, mut waiting: Vec<Vec<usize>>) {
        while let Some(group) = waiting.pop() {
            match self.attempt(batch, verb, &group).await {
                Ok(again) => waiting.extend(again),
                Err(error) => {
                    // It is the system that fails, not a record: leave the rest for later.
                    waiting.push(group);
                    batch.fail(&waiting.concat(), &error);
                    return;
                }
            }
        }
    }

    async fn attempt(
        &self,
        batch: &mut Batch<'_>,
        verb: Verb,
        group: &[usize],
    ) -> Result<Vec<Vec<usize>>, RemoteError> {
        let kind = batch.wanted.kind;
        let inputs: Vec<Json> = group
            .iter()
            .filter_map(|index| Some(input(kind, *index, batch.ops.get(*index)?)))
            .collect();
        let word = match verb {
            Verb::Create => "create",
            Verb::Update => "update",
            _ => "archive",
        };
        let path = format!("/crm/v3/objects/{}/batch/{word}", plural(kind));
        let body = json!({ "inputs": inputs });
        let call = Call::send(Method::POST, endpoint(kind, verb), path, body);
        let reply = self.http.send(call).await?;
        match reply.status.as_u16() {
            204 if verb == Verb::Archive => {
                batch.archived(&reply, group);
                Ok(Vec::new())
            }
            200..=299 => batch.take(&reply, group),
            400 | 404 | 409 | 422 => match Refusal::of(&reply) {
                Some(refusal) => Ok(batch.refuse(&refusal, &reply, group)),
                None => Err(reply.failure()),
            },
            _ => Err(reply.failure()),
        }
    }

    /// Tells, of the records that are not among the live ones, the archived from the missing.
    async fn tell_trashed(&self, batch: &mut Batch<'_>) {
        let lost: Vec<(usize, &str)> = batch
            .not_found
            .iter()
            .filter_map(|index| Some((*index, id_of(batch.ops.get(*index)?)?)))
            .collect();
        if lost.is_empty() {
            return;
        }
        let ids: Vec<&str> = lost.iter().map(|(_, id)| *id).collect();
        match self.read_present(batch.wanted, &ids, true).await {
            Ok(archived) => {
                for (index, id) in lost {
                    let trashed = archived.iter().any(|record| record.id.0 == id);
                    let outcome = if trashed {
                        Outcome::Trashed
                    } else {
                        Outcome::Missing
                    };
                    batch.set(index, outcome);
                }
            }
            Err(error) => {
                for (index, _) in lost {
                    batch.set(index, Outcome::Failed(error.clone()));
                }
            }
        }
    }
}

/// A company link that is no id can only come from a wrong mapping; nothing of it is sent.
fn refuse_odd_companies(batch: &mut Batch<'_>) {
    for (index, op) in batch.ops.iter().enumerate() {
        let (Op::Create { fields } | Op::Update { fields, .. }) = op else {
            continue;
        };
        if let Some(Value::Bool(_) | Value::List(_)) = fields.get(COMPANY) {
            batch.set(
                index,
                Outcome::Refused {
                    field: Some(COMPANY.to_owned()),
                    message: "the company is not given by its id".to_owned(),
                    request_id: None,
                },
            );
        }
    }
}

/// Whether a batch of `verb` has anything to say for `op`. An update of the company alone has not.
fn to_send(op: &Op, verb: Verb) -> bool {
    sort_of(op) == verb
        && match op {
            Op::Update { fields, .. } => !only_company(fields),
            Op::Create { .. } | Op::Delete { .. } => true,
        }
}

/// Whether `fields` change the company and nothing else.
pub(super) fn only_company(fields: &Image) -> bool {
    fields.0.len() == 1 && fields.get(COMPANY).is_some()
}

pub(super) fn id_of(op: &Op) -> Option<&str> {
    match op {
        Op::Update { id, .. } | Op::Delete { id } => Some(&id.0),
        Op::Create { .. } => None,
    }
}

fn input(kind: Kind, index: usize, op: &Op) -> Json {
    let trace = index.to_string();
    match op {
        Op::Create { fields } => {
            let company = fields.get(COMPANY).filter(|it| !it.is_empty());
            let associations = match company {
                Some(company) if kind == Kind::Contact => json!([{
                    "to": { "id": text_of(company) },
                    "types": [primary()],
                }]),
                _ => json!([]),
            };
            json!({
                "objectWriteTraceId": trace,
                // A new record is empty where nothing is said.
                "properties": properties(fields, |value| !value.is_empty()),
                "associations": associations,
            })
        }
        Op::Update { id, fields, .. } => json!({
            "id": id.0,
            "objectWriteTraceId": trace,
            "properties": properties(fields, |_| true),
        }),
        Op::Delete { id } => json!({ "id": id.0 }),
    }
}

/// The type of a contact's association with its primary company.
pub(super) fn primary() -> Json {
    json!({ "associationCategory": "HUBSPOT_DEFINED", "associationTypeId": PRIMARY })
}

fn properties(fields: &Image, keep: impl Fn(&Value) -> bool) -> Map<String, Json> {
    fields
        .0
        .iter()
        .filter(|(name, value)| *name != COMPANY && keep(value))
        .map(|(name, value)| (name.clone(), Json::String(text_of(value))))
        .collect()
}
