//! A contact's primary company, which is an association and no property.
//!
//! Setting a primary company takes the label from the one before, which stays associated without
//! it: that link may be a person's own, and it is not ours to remove. Clearing removes the link to
//! the company that the contact shows.
//!
//! Links are set after the other fields of the same operations, in one call for all of a batch:
//! refusals nearly always concern fields, and a contact that is refused keeps its company. Where the
//! link then fails, the operation as a whole has not succeeded although its fields are written. A
//! refusal says so in its message. A failure in passing counts as an unknown outcome, so that the
//! record is looked at before it is written again: what was written is then seen to agree.

use super::outcome::{Batch, smaller};
use super::refusal::Refusal;
use super::wire::{decode, text_of};
use super::write::{id_of, only_company, primary};
use super::{BATCH, Hubspot, Verb, endpoint};
use crate::model::{COMPANY, Kind, Value};
use crate::remote::http::Call;
use crate::remote::reply::Reply;
use crate::remote::{Applied, ErrorKind, Op, Outcome, RemoteError};
use reqwest::StatusCode;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value as Json, json};

/// The answer to a batch of links; on its own neither list says anything.
#[derive(Debug, Deserialize)]
struct Answer {
    /// Those that went well.
    #[serde(default)]
    results: Option<Vec<IgnoredAny>>,
    #[serde(default)]
    errors: Vec<Refusal>,
}

/// One link to set or to remove.
#[derive(Debug)]
struct Link {
    /// The place of its operation.
    index: usize,
    contact: String,
    company: String,
}

/// Why a link is not as it should be.
#[derive(Debug, Clone)]
enum Fault {
    Refused(String, Option<String>),
    Failed(RemoteError),
}

/// The links of one batch, and what became of each.
struct Links {
    links: Vec<Link>,
    results: Vec<Result<(), Fault>>,
}

#[derive(Debug, Clone, Copy)]
enum Change {
    Set,
    Remove,
}

impl Change {
    fn call(self, links: &[&Link]) -> Call {
        let (word, inputs): (_, Vec<Json>) = match self {
            Self::Set => ("create", links.iter().map(|link| link.to_set()).collect()),
            Self::Remove => (
                "archive",
                links.iter().map(|link| link.to_remove()).collect(),
            ),
        };
        let path = format!("/crm/v4/associations/contacts/companies/batch/{word}");
        let class = endpoint(Kind::Contact, Verb::Associate);
        // A link that is set or removed twice is as if it were so once, so it may be repeated.
        Call::query_by_post(class, path, json!({ "inputs": inputs }))
    }
}

impl Link {
    fn to_set(&self) -> Json {
        json!({
            "from": { "id": self.contact },
            "to": { "id": self.company },
            "types": [primary()],
        })
    }

    fn to_remove(&self) -> Json {
        json!({ "from": { "id": self.contact }, "to": [{ "id": self.company }] })
    }
}

impl Hubspot {
    /// Brings the company links of a batch's updates in place, once their other fields are written.
    pub(super) async fn link_companies(&self, batch: &mut Batch<'_>) {
        let (mut set, mut remove, mut as_it_is) = (Vec::new(), Vec::new(), Vec::new());
        for (index, op) in batch.ops.iter().enumerate() {
            let Op::Update {
                id,
                fields,
                company_before,
            } = op
            else {
                continue;
            };
            let Some(company) = fields.get(COMPANY) else {
                continue;
            };
            let contact = match batch.outcome(index) {
                None => id.0.clone(),
                Some(Outcome::Done { stored, .. }) => stored.id.0.clone(),
                Some(_) => continue,
            };
            match (company.is_empty(), company_before) {
                (false, _) => set.push(Link {
                    index,
                    contact,
                    company: text_of(company),
                }),
                (true, Some(before)) => remove.push(Link {
                    index,
                    contact,
                    company: before.0.clone(),
                }),
                // It shows no company, so there is none to remove.
                (true, None) => as_it_is.push(index),
            }
        }
        let mut results: Vec<(usize, Result<(), Fault>)> =
            as_it_is.into_iter().map(|index| (index, Ok(()))).collect();
        for (change, links) in [(Change::Set, set), (Change::Remove, remove)] {
            results.extend(self.link(change, links).await);
        }
        self.read_linked(batch, &results).await;
        for (index, result) in results {
            conclude(batch, index, result);
        }
    }

    async fn link(&self, change: Change, links: Vec<Link>) -> Vec<(usize, Result<(), Fault>)> {
        let all: Vec<usize> = (0..links.len()).collect();
        let mut waiting: Vec<Vec<usize>> = all.chunks(BATCH).map(<[usize]>::to_vec).collect();
        let mut links = Links {
            results: vec![Ok(()); links.len()],
            links,
        };
        while let Some(group) = waiting.pop() {
            let call = change.call(&links.of(&group));
            let again = match self.http.send(call).await {
                Ok(reply) => links.take(&reply, &group),
                Err(error) => Err(error),
            };
            match again {
                Ok(again) => waiting.extend(again),
                Err(error) => {
                    waiting.push(group);
                    links.blame(&waiting.concat(), &Fault::Failed(error));
                    break;
                }
            }
        }
        let indices = links.links.iter().map(|link| link.index);
        indices.zip(links.results).collect()
    }

    /// Reads the contacts of which nothing but the company changed: no answer has shown them yet.
    async fn read_linked(&self, batch: &mut Batch<'_>, results: &[(usize, Result<(), Fault>)]) {
        let unseen: Vec<(usize, &str)> = results
            .iter()
            .filter(|(_, result)| !matches!(result, Err(Fault::Failed(_))))
            .filter(|(index, _)| batch.outcome(*index).is_none())
            .filter_map(|(index, _)| Some((*index, id_of(batch.ops.get(*index)?)?)))
            .collect();
        if unseen.is_empty() {
            return;
        }
        let ids: Vec<&str> = unseen.iter().map(|(_, id)| *id).collect();
        match self.read_present(batch.wanted, &ids, false).await {
            Ok(present) => {
                for (index, id) in unseen {
                    let seen = present.iter().find(|record| record.id.0 == id);
                    if let Some(stored) = seen.cloned() {
                        let request_id = None;
                        batch.set(index, Outcome::Done { stored, request_id });
                    } else {
                        batch.set(index, Outcome::Missing);
                        batch.not_found.push(index);
                    }
                }
            }
            Err(error) => {
                let error = unknown(
                    error,
                    "the company link is made, the contact cannot be read",
                );
                for (index, _) in unseen {
                    batch.set(index, Outcome::Failed(error.clone()));
                }
            }
        }
    }
}

impl Links {
    fn of(&self, group: &[usize]) -> Vec<&Link> {
        group.iter().filter_map(|at| self.links.get(*at)).collect()
    }

    fn blame(&mut self, group: &[usize], fault: &Fault) {
        for at in group {
            if let Some(result) = self.results.get_mut(*at) {
                *result = Err(fault.clone());
            }
        }
    }

    /// Takes over an answer. Returns the groups that have to be sent again, in which those that
    /// went well may be: that does no harm to a link.
    fn take(&mut self, reply: &Reply, group: &[usize]) -> Result<Vec<Vec<usize>>, RemoteError> {
        let errors = match reply.status {
            StatusCode::NO_CONTENT => Vec::new(),
            status if status.is_success() => {
                let answer: Answer = decode(reply)?;
                if answer.results.is_none() && answer.errors.is_empty() {
                    return Err(reply.error(ErrorKind::Garbled, "no word of any link"));
                }
                answer.errors
            }
            StatusCode::BAD_REQUEST
            | StatusCode::NOT_FOUND
            | StatusCode::CONFLICT
            | StatusCode::UNPROCESSABLE_ENTITY => {
                vec![Refusal::of(reply).ok_or_else(|| reply.failure())?]
            }
            _ => return Err(reply.failure()),
        };
        let mut faulty = Vec::new();
        let mut nobody = false;
        for error in &errors {
            let meant = if group.len() == 1 {
                group.to_vec()
            } else {
                self.meant(error, group)
            };
            nobody |= meant.is_empty();
            let request_id = reply.request_id();
            self.blame(&meant, &Fault::Refused(error.words(), request_id));
            faulty.extend(meant);
        }
        let rest: Vec<usize> = group
            .iter()
            .filter(|at| !faulty.contains(at))
            .copied()
            .collect();
        // A partial success has set the rest; a refusal of the whole has not.
        let again = nobody || !reply.status.is_success();
        Ok(if again {
            smaller(&rest, group.len())
        } else {
            Vec::new()
        })
    }

    fn meant(&self, refusal: &Refusal, group: &[usize]) -> Vec<usize> {
        let having = |hit: &dyn Fn(&Link) -> bool| -> Vec<usize> {
            let named = |at: &&usize| self.links.get(**at).is_some_and(hit);
            group.iter().filter(named).copied().collect()
        };
        let (from, to) = refusal.ends();
        if !from.is_empty() || !to.is_empty() {
            return having(&|link| {
                (from.is_empty() || from.contains(&link.contact.as_str()))
                    && (to.is_empty() || to.contains(&link.company.as_str()))
            });
        }
        // An id that does not say of what may be a contact's and a company's at once.
        let ids = refusal.keys();
        let contacts = having(&|link| ids.contains(&link.contact.as_str()));
        let companies = having(&|link| ids.contains(&link.company.as_str()));
        match (contacts.is_empty(), companies.is_empty()) {
            (false, false) if contacts != companies => Vec::new(),
            (false, _) => contacts,
            (true, _) => companies,
        }
    }
}

/// Lays what became of a link over what became of the other fields.
fn conclude(batch: &mut Batch<'_>, index: usize, result: Result<(), Fault>) {
    let Some(Op::Update { fields, .. }) = batch.ops.get(index) else {
        return;
    };
    let others = !only_company(fields);
    match (result, batch.outcome(index).cloned()) {
        (
            Ok(()),
            Some(Outcome::Done {
                mut stored,
                request_id,
            }),
        ) => {
            // The server has confirmed the link; the property that shows it follows later.
            let company = fields.get(COMPANY).map(text_of).unwrap_or_default();
            stored.image.set(COMPANY, Value::text(company));
            batch.set(index, Outcome::Done { stored, request_id });
        }
        (Err(Fault::Refused(message, request_id)), Some(Outcome::Done { .. })) => {
            let message = if others {
                format!("the other fields are written, the company is refused: {message}")
            } else {
                message
            };
            let field = Some(COMPANY.to_owned());
            batch.set(
                index,
                Outcome::Refused {
                    field,
                    message,
                    request_id,
                },
            );
        }
        (Err(Fault::Failed(error)), Some(Outcome::Done { .. }) | None) => {
            let error = if others {
                unknown(
                    error,
                    "the other fields are written, the company link is not",
                )
            } else {
                error
            };
            batch.set(index, Outcome::Failed(error));
        }
        _ => {}
    }
}

/// `error` as one after which something has been written.
fn unknown(error: RemoteError, what: &str) -> RemoteError {
    let kind = match error.applied() {
        Applied::No => ErrorKind::NoAnswer,
        Applied::Unknown => error.kind,
    };
    RemoteError {
        detail: format!("{what}: {} {}", error.kind, error.detail),
        kind,
        ..error
    }
}
