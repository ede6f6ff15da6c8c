//! Writing summaries, and what became of them.

use super::Course;
use super::gate::Gate;
use crate::mapping::SupportFact;
use crate::model::{Image, Kind, RecordId, Side};
use crate::plan::{Counts, FieldChange, Summed, sum_up};
use crate::remote::{Applied, Op, Outcome};
use crate::store::{StoredSummary, SupportFinish, SupportIntent, SupportRow, Weighed};
use crate::sync::decide::union;
use crate::sync::revert::as_stored;
use crate::sync::{CycleError, Engine, Tally};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A summary that was worked out.
pub(super) struct News {
    pub(super) row: SupportRow,
    /// What is to be written now.
    pub(super) changes: Vec<FieldChange>,
    /// What is not to be written again.
    settled: Image,
    /// What waits for a person.
    left: Weighed,
    /// Whether it cannot be written, since the CRM has not shown what stands there.
    unread: bool,
}

/// The summaries of these customers.
pub(super) fn planned(
    gate: &Gate,
    wanted: &BTreeMap<SupportFact, String>,
    rows: Vec<SupportRow>,
) -> Vec<News> {
    let plan = |row| news(gate, wanted, row);
    rows.into_iter().map(plan).collect()
}

/// What the summary of a customer comes to, before anybody is asked.
pub(super) fn summed(wanted: &BTreeMap<SupportFact, String>, row: &SupportRow) -> Summed {
    let known = row.written.as_deref();
    // What is not readable was never written: then it is written once more.
    let known = known.and_then(|text| serde_json::from_str(text).ok());
    sum_up(wanted, &row.tickets, &known.unwrap_or_default(), &row.shown)
}

fn news(gate: &Gate, wanted: &BTreeMap<SupportFact, String>, row: SupportRow) -> News {
    let Summed {
        changes,
        mut settled,
        unread,
    } = summed(wanted, &row);
    let held: Vec<_> = changes.iter().filter(|it| gate.holds(it)).collect();
    let left = Gate::weigh(held);
    for change in changes.iter().filter(|it| gate.leaves(it)) {
        settled.overlay(&change.set);
    }
    let anything = changes.iter().any(|it| !gate.holds(it)) || left != Weighed::default();
    News {
        row,
        changes: changes.into_iter().filter(|it| gate.sends(it)).collect(),
        settled,
        left,
        unread: !unread.is_empty() && !anything,
    }
}

impl News {
    /// It was gone through, and nothing of it is tried again but what waits.
    fn settled(&self, settled: &Image, outcome: &'static str) -> SupportFinish {
        SupportFinish {
            journal: None,
            row: self.row.row,
            desk: self.row.ids.desk.clone(),
            written: serde_json::to_string(settled).ok(),
            left: self.left,
            stored: None,
            fields: None,
            outcome,
            request_id: None,
            message: None,
        }
    }
}

impl Engine {
    pub(super) async fn write_summaries(
        &mut self,
        gate: &Gate,
        (kind, wanted): (Kind, &BTreeMap<SupportFact, String>),
        news: Vec<News>,
        course: &mut Course,
        tally: &mut Tally,
    ) -> Result<(), CycleError> {
        let (sent, rest): (Vec<News>, Vec<News>) =
            news.into_iter().partition(|it| !it.changes.is_empty());
        let (unread, same): (Vec<News>, Vec<News>) = rest.into_iter().partition(|it| it.unread);
        course.unread += unread.len();
        let mut finished: Vec<SupportFinish> = same
            .iter()
            .map(|it| it.settled(&it.settled, "same"))
            .collect();
        let intents: Vec<SupportIntent> = sent
            .iter()
            .map(|it| SupportIntent {
                journal: self.store.number_journal(),
                link: it.row.link,
                ids: it.row.ids.clone(),
                fields: it.changes.clone(),
            })
            .collect();
        let now = self.clock.now();
        self.store
            .intend_support(tally.cycle, now, kind, &intents)
            .await?;
        let crm = Arc::clone(&self.connectors.crm);
        let fields: Vec<String> = wanted.values().cloned().collect();
        let mut counted = Counts::default();
        let size = crm.caps().update_batch.max(1);
        for (news, intents) in sent.chunks(size).zip(intents.chunks(size)) {
            let ops: Vec<Op> = news.iter().map(op).collect();
            let halted = course.ends || tally.is_down(Side::Crm) || self.stop.is_cancelled();
            let outcomes = if halted {
                Vec::new()
            } else {
                crm.write(kind, &fields, &ops).await
            };
            course.take(&outcomes);
            let mut outcomes = outcomes.into_iter();
            for (it, intent) in news.iter().zip(intents) {
                let mut finish = finish(kind, it, outcomes.next(), tally);
                finish.journal = Some(intent.journal);
                course.unsent += usize::from(finish.written.is_none());
                if let Some(stored) = &mut finish.stored {
                    stored.mapped = self.carries_on(kind, &it.changes);
                    gate.count(&it.changes, &mut counted);
                }
                finished.push(finish);
            }
        }
        let finish = self.store.finish_support(kind, &finished, &counted, now);
        Ok(finish.await?)
    }

    /// Whether a mapping carries any of these fields on to Freshdesk.
    fn carries_on(&self, kind: Kind, changes: &[FieldChange]) -> bool {
        let fields = self.mapping(kind).map(|mapping| &mapping.fields);
        let mut names = fields.into_iter().flatten().flat_map(|field| &field.crm);
        names.any(|name| changes.iter().any(|it| it.field == *name))
    }
}

fn op(news: &News) -> Op {
    Op::Update {
        id: news.row.ids.crm.clone(),
        fields: union(&news.changes),
        company_before: None,
    }
}

fn finish(kind: Kind, news: &News, outcome: Option<Outcome>, tally: &mut Tally) -> SupportFinish {
    let mut settled = news.settled.clone();
    settled.overlay(&union(&news.changes));
    let done = news.settled(&settled, "done");
    match outcome {
        Some(Outcome::Done { stored, request_id }) => {
            tally.summed_up += 1;
            let mut image = news.row.shown.clone();
            image.overlay(&union(&news.changes));
            image.overlay(&stored.image);
            SupportFinish {
                request_id,
                fields: as_stored(&news.changes, &stored.image),
                stored: Some(StoredSummary {
                    image,
                    mapped: false,
                }),
                ..done
            }
        }
        Some(Outcome::Refused {
            message,
            request_id,
            ..
        }) => refused(kind, &news.row.ids.crm, message, request_id, done, tally),
        Some(Outcome::Duplicate { message, .. }) => {
            refused(kind, &news.row.ids.crm, message, None, done, tally)
        }
        Some(Outcome::Missing | Outcome::Trashed) => SupportFinish {
            outcome: "not_there",
            ..done
        },
        Some(Outcome::Failed(error)) => {
            // The next look at the record shows whether it was made.
            let outcome = match error.applied() {
                Applied::No => "failed",
                Applied::Unknown => "unknown",
            };
            let finish = SupportFinish {
                outcome,
                written: None,
                request_id: error.request_id.clone(),
                message: Some(error.to_string()),
                ..done
            };
            tally.failed += 1;
            tally.troubled(error);
            finish
        }
        None => SupportFinish {
            outcome: "not_sent",
            written: None,
            ..done
        },
    }
}

/// What was refused is not tried again before the summary changes.
fn refused(
    kind: Kind,
    id: &RecordId,
    message: String,
    request_id: Option<String>,
    done: SupportFinish,
    tally: &mut Tally,
) -> SupportFinish {
    tracing::warn!(event = "summary_refused", %kind, crm_id = %id,
        "the CRM refused a support summary; it is tried again when the summary changes");
    tally.refused += 1;
    SupportFinish {
        outcome: "refused",
        request_id,
        message: Some(message),
        ..done
    }
}
