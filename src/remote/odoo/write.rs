//! The writes: as few calls as possible, one outcome an operation, and what the server stored.
//!
//! A `create` takes many rows and a `write` many ids, but both are one transaction: a single bad row
//! refuses them all. Such a batch is halved until the bad row stands alone, which takes about
//! 2·log₂(n) more calls. Updates share a call where they say the same; `load`, which takes rows that
//! differ, is not used: it costs the server as much as single writes do, converts values by the rules
//! of a file import, and keeps external ids of its own.

use super::super::http::Call;
use super::super::{Applied, ErrorKind, Op, Outcome, RemoteError};
use super::batch::{Batch, batches};
use super::record::Row;
use super::verdict::{Verdict, verdict};
use super::{Method, Odoo, path};
use crate::model::{COMPANY, Image, Kind, Observed, Presence, RecordId, Side, Version};
use chrono::{DateTime, Utc};
use reqwest::Method as Verb;
use serde_json::{Value as Json, json};

/// A record that a call wrote.
#[derive(Debug)]
struct Written {
    place: usize,
    id: i64,
    at: DateTime<Utc>,
    request_id: Option<String>,
}

/// What has become of the operations so far.
#[derive(Debug)]
struct Ledger {
    outcomes: Vec<Outcome>,
    written: Vec<Written>,
    /// Refused because something is not there, and not yet known what: the record, or what a value
    /// points at.
    doubtful: Vec<(usize, i64, String)>,
}

impl Odoo {
    pub(super) async fn carry_out(
        &self,
        kind: Kind,
        fields: &[String],
        ops: &[Op],
    ) -> Vec<Outcome> {
        let mut ledger = Ledger {
            outcomes: vec![Outcome::Failed(unsent()); ops.len()],
            written: Vec::new(),
            doubtful: Vec::new(),
        };
        let (mut waiting, settled) = batches(kind, ops);
        waiting.reverse();
        for (place, outcome) in settled {
            ledger.settle(place, outcome);
        }
        let mut broken: Option<RemoteError> = None;
        while let Some(batch) = waiting.pop() {
            if let Some(error) = &broken {
                ledger.fail(&batch, &not_sent(error));
                continue;
            }
            match self.attempt(kind, &batch).await {
                Ok(written) => ledger.written.extend(written),
                Err(Verdict::Failed(error) | Verdict::NoRight(error)) => {
                    ledger.fail(&batch, &error);
                    broken = Some(error);
                }
                Err(verdict) => match batch.halves() {
                    Ok([first, second]) => waiting.extend([second, first]),
                    Err(alone) => ledger.refuse(alone, &verdict),
                },
            }
        }
        self.read_back(kind, fields, ops, &mut ledger).await;
        ledger.outcomes
    }

    /// Sends a batch. A right that is lacking on single records only is a refusal of those.
    async fn attempt(&self, kind: Kind, batch: &Batch) -> Result<Vec<Written>, Verdict> {
        let method = batch.method();
        let call = Call::send(
            Verb::POST,
            method.endpoint(kind),
            path(method.name()),
            batch.body(),
        );
        let reply = self.http.send(call).await.map_err(Verdict::Failed)?;
        match verdict(&reply) {
            None => {}
            Some(Verdict::NoRight(error)) if self.may(kind, method).await => {
                return Err(Verdict::Refused(error.detail));
            }
            Some(other) => return Err(other),
        }
        let answer: Json = reply.json().map_err(Verdict::Failed)?;
        let Some(pairs) = batch.confirmed(&answer) else {
            let error = reply.error(ErrorKind::Garbled, "no confirmation of the write");
            return Err(Verdict::Failed(error));
        };
        let written = pairs.into_iter().map(|(place, id)| Written {
            place,
            id,
            at: reply.server_time,
            request_id: reply.request_id(),
        });
        Ok(written.collect())
    }

    /// Whether our user may do this to partners at all, record rules aside.
    async fn may(&self, kind: Kind, method: Method) -> bool {
        let call = Call::query_by_post(
            Method::HasAccess.endpoint(kind),
            path(Method::HasAccess.name()),
            json!({ "ids": [], "operation": method.name() }),
        );
        let answer = match self.answer(call).await {
            Ok(reply) => reply.json(),
            Err(error) => Err(error),
        };
        answer.unwrap_or(false)
    }

    /// One read of everything that was written: the server trims, rewrites and computes. Where it
    /// fails, the writes are done all the same, and nothing is known of their values.
    async fn read_back(&self, kind: Kind, fields: &[String], ops: &[Op], ledger: &mut Ledger) {
        let ids: Vec<i64> = ledger
            .written
            .iter()
            .map(|written| written.id)
            .chain(ledger.doubtful.iter().map(|(_, id, _)| *id))
            .collect();
        let seen = self.present(kind, fields, &ids).await;
        let readable = seen.is_ok();
        let seen = seen.unwrap_or_default();
        for (place, id, message) in std::mem::take(&mut ledger.doubtful) {
            let refused = seen.contains_key(&id) || !readable;
            ledger.settle(
                place,
                if refused {
                    refusal(Some(COMPANY.to_owned()), message)
                } else {
                    Outcome::Missing
                },
            );
        }
        for written in std::mem::take(&mut ledger.written) {
            let stored = seen.get(&written.id).cloned().unwrap_or_else(|| Observed {
                id: RecordId::from(written.id),
                version: Version::from(written.at),
                presence: match ops.get(written.place) {
                    Some(Op::Delete { .. }) => Presence::Trashed,
                    _ => Presence::Live,
                },
                image: Image::default(),
            });
            let request_id = written.request_id;
            ledger.settle(written.place, Outcome::Done { stored, request_id });
        }
    }
}

impl Ledger {
    fn settle(&mut self, place: usize, outcome: Outcome) {
        if let Some(slot) = self.outcomes.get_mut(place) {
            *slot = outcome;
        }
    }

    fn fail(&mut self, batch: &Batch, error: &RemoteError) {
        for place in batch.places() {
            self.settle(place, Outcome::Failed(error.clone()));
        }
    }

    /// The verdict on a batch of one.
    fn refuse(&mut self, alone: Batch, verdict: &Verdict) {
        let message = match verdict {
            Verdict::Refused(message) | Verdict::NotThere(message) => message.clone(),
            Verdict::NoRight(error) | Verdict::Crashed(error) | Verdict::Failed(error) => {
                return self.fail(&alone, error);
            }
        };
        let absent = matches!(verdict, Verdict::NotThere(_));
        match alone {
            Batch::Create(rows) => {
                for (place, values) in rows {
                    let company = absent.then(|| COMPANY.to_owned());
                    let field = company.or_else(|| blamed(&values, &message));
                    self.settle(place, refusal(field, message.clone()));
                }
            }
            Batch::Write(values, targets) => {
                for (place, id) in targets {
                    if absent && values.contains_key("parent_id") {
                        self.doubtful.push((place, id, message.clone()));
                    } else if absent {
                        self.settle(place, Outcome::Missing);
                    } else {
                        let field = blamed(&values, &message);
                        self.settle(place, refusal(field, message.clone()));
                    }
                }
            }
        }
    }
}

pub(super) fn refusal(field: Option<String>, message: String) -> Outcome {
    Outcome::Refused {
        field,
        message,
        request_id: None,
    }
}

/// The field that a message names: `res.partner.color:`, `'color'` or `(color)`.
fn blamed(values: &Row, message: &str) -> Option<String> {
    let named = |column: &&String| {
        [
            format!("res.partner.{column}:"),
            format!("'{column}'"),
            format!("({column})"),
        ]
        .iter()
        .any(|mention| message.contains(mention))
    };
    let column = values.keys().find(named)?;
    Some(if column == "parent_id" {
        COMPANY.to_owned()
    } else {
        column.clone()
    })
}

/// How every operation begins.
fn unsent() -> RemoteError {
    RemoteError {
        side: Side::Crm,
        call: "res.partner".to_owned(),
        kind: ErrorKind::Stopped,
        detail: String::new(),
        request_id: None,
    }
}

/// What an operation gets that was left unsent because an earlier call of its batch failed.
fn not_sent(error: &RemoteError) -> RemoteError {
    let kind = match error.applied() {
        Applied::No => error.kind,
        Applied::Unknown => ErrorKind::Stopped,
    };
    RemoteError {
        kind,
        ..error.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_earlier_failure_left_unsent_is_never_in_doubt() {
        for kind in [
            ErrorKind::NoAnswer,
            ErrorKind::Fault(500),
            ErrorKind::Denied,
        ] {
            let error = RemoteError { kind, ..unsent() };
            assert_eq!(not_sent(&error).applied(), Applied::No);
        }
    }
}
