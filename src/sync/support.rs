//! `[support_summary]`: what a customer's tickets come to, written into the CRM.

use super::observe::LISTING_PART;
use super::{CycleError, Engine, Tally};
use crate::clock::monotonic;
use crate::mapping::{SupportFact, SupportSummary};
use crate::model::{Image, Kind, RecordId, Side, Value, Version};
use crate::plan::{FieldChange, Rule, support_facts};
use crate::remote::{Cursor, ErrorKind, Op, Outcome, RemoteError, TicketFeed};
use crate::store::{SupportFinish, SupportIntent, SupportRow, TicketProgress};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How many summaries are worked out in one go.
const CHUNK: i64 = 500;
/// How often deleted tickets and ratings are looked for, in milliseconds.
const EVERY: i64 = 3_600_000;

/// A summary that differs from what was written before.
struct News {
    row: SupportRow,
    /// What is to be written, by the CRM's names.
    set: Image,
    /// All facts as they are remembered.
    facts: String,
    fields: Vec<FieldChange>,
}

/// How the batches of a kind fare in one cycle.
#[derive(Debug, Default)]
struct Course {
    /// Batches in a row of which nothing was written.
    failed: usize,
    /// Whether any was answered otherwise.
    answered: bool,
    /// Whether the others would fare no better.
    ends: bool,
}

impl Course {
    fn take(&mut self, outcomes: &[Outcome]) {
        let error = |outcome: &Outcome| match outcome {
            Outcome::Failed(error) => Some(error.kind),
            _ => None,
        };
        let errors: Vec<ErrorKind> = outcomes.iter().filter_map(error).collect();
        if errors.len() < outcomes.len() {
            (self.failed, self.answered) = (0, true);
            return;
        }
        // A system that is down is told by the cycle, and stopping is no failure.
        let failed = |kind: &&ErrorKind| !kind.is_down() && **kind != ErrorKind::Stopped;
        let Some(kind) = errors.iter().find(failed) else {
            return;
        };
        self.failed += 1;
        // One batch may hold a record that the server stumbles over.
        self.ends = *kind == ErrorKind::Forbidden || kind.bars_its_sort() || self.failed >= 2;
    }
}

impl Engine {
    /// From now on tickets are summed up like this, or not at all.
    pub fn sum_up(&mut self, summary: Option<SupportSummary>) {
        self.summary = summary;
    }

    /// Whether satisfaction is asked for.
    fn rates(&self) -> bool {
        let rates = |summary: &SupportSummary| {
            let asks = |kind| summary.of(kind).contains_key(&SupportFact::Satisfaction);
            Kind::BOTH.into_iter().any(asks)
        };
        self.summary.as_ref().is_some_and(rates)
    }

    /// Writes the summaries that have changed.
    ///
    /// # Errors
    ///
    /// Where the state fails. What a system says is counted in `tally`.
    pub(super) async fn support(
        &mut self,
        reconcile: bool,
        tally: &mut Tally,
    ) -> Result<(), CycleError> {
        let Some(summary) = self.summary.clone() else {
            return Ok(());
        };
        let down = Side::BOTH.into_iter().any(|side| tally.is_down(side));
        if down || self.stop.is_cancelled() {
            return Ok(());
        }
        match self.read_all_tickets().await? {
            Ok(true) => {}
            // A summary is of all tickets: part of them would be told as if it were all.
            Ok(false) => {
                tally.unfinished |= !self.stop.is_cancelled();
                return Ok(());
            }
            Err(error) => {
                tally.troubled(error);
                return Ok(());
            }
        }
        if let Err(error) = self.read_aside().await? {
            tally.troubled(error);
        }
        if reconcile {
            self.store.support_ages().await?;
        }
        for kind in Kind::BOTH {
            if !self.unsummed.waits(&kind, self.clock.now()) {
                self.sum_up_all(kind, summary.of(kind), tally).await?;
            }
        }
        Ok(())
    }

    /// Writes the summaries of `kind` that have changed. Where nothing can be written, the next try waits.
    async fn sum_up_all(
        &mut self,
        kind: Kind,
        wanted: &BTreeMap<SupportFact, String>,
        tally: &mut Tally,
    ) -> Result<(), CycleError> {
        let batch = self.connectors.crm.caps().update_batch.max(1);
        let mut course = Course::default();
        let mut after = String::new();
        loop {
            let now = self.clock.now();
            // After a failure a batch is enough to see whether it is over.
            let limit = match self.unsummed.failures(&kind) {
                0 => CHUNK,
                _ => i64::try_from(batch).unwrap_or(CHUNK),
            };
            let rows = self.store.support_due(kind, now, &after, limit).await?;
            let Some(last) = rows.last() else { break };
            after.clone_from(&last.ids.desk.0);
            if course.ends || self.stop.is_cancelled() || tally.is_down(Side::Crm) {
                break;
            }
            self.write_summaries(kind, wanted, rows, &mut course, tally)
                .await?;
            if course.answered {
                self.unsummed.over(&kind);
            }
        }
        if course.failed > 0 {
            let now = self.clock.now();
            self.unsummed.failed(kind, &self.failures, now);
        }
        Ok(())
    }

    /// Reads all tickets once, over as many cycles as that takes; what changes meanwhile is read by every
    /// cycle. Returns whether all are known.
    async fn read_all_tickets(&mut self) -> Result<Result<bool, RemoteError>, CycleError> {
        let pass = self.store.ticket_pass("support").await?;
        if pass.mark.is_some() {
            return Ok(Ok(true));
        }
        let until = self.slice.map(|slice| monotonic() + slice / LISTING_PART);
        self.read_for_summaries(pass.running, until).await
    }

    /// What the look at changed tickets does not show: deleted ones, and ratings.
    async fn read_aside(&mut self) -> Result<Result<(), RemoteError>, CycleError> {
        let desk = Arc::clone(&self.connectors.desk);
        let Some(helpdesk) = desk.helpdesk() else {
            return Ok(Ok(()));
        };
        let pass = self.store.ticket_pass("trash").await?;
        let now = self.clock.now().timestamp_millis();
        if pass.mark.is_some_and(|mark| now - mark < EVERY) {
            return Ok(Ok(()));
        }
        // What was thrown away while all were being read may have been read before.
        let all = self.store.ticket_pass("support").await?;
        let since = Version(pass.mark.or(all.mark).unwrap_or(now) - EVERY).time();
        let feed = TicketFeed::Trashed(since);
        let (mut cursor, mut started_at) = (None::<Cursor>, None);
        loop {
            let page = match helpdesk.tickets(&feed, cursor.as_ref()).await {
                Ok(page) => page,
                Err(error) => return Ok(Err(error)),
            };
            started_at.get_or_insert(page.server_time.timestamp_millis());
            self.store.take_support(&page.tickets).await?;
            if page.next.is_none() || page.next == cursor {
                break;
            }
            cursor = page.next;
        }
        if self.rates() {
            // A rating has no time of change: those of the last pass are read once more.
            let since = match pass.mark {
                Some(_) => since,
                None => chrono::DateTime::UNIX_EPOCH,
            };
            let ratings = match helpdesk.ratings(since).await {
                Ok(ratings) => ratings,
                // Surveys may not be part of the plan, or not the key's to read.
                Err(error) if matches!(error.kind, ErrorKind::Forbidden | ErrorKind::Missing) => {
                    tracing::warn!(event = "no_ratings", why = %error.kind, "satisfaction ratings cannot be read");
                    Vec::new()
                }
                Err(error) => return Ok(Err(error)),
            };
            self.store.take_ratings(&ratings).await?;
        }
        let progress = TicketProgress {
            feed: "trash",
            started_at: started_at.unwrap_or(now),
            next: None,
            ended: &[],
        };
        self.store.take_tickets(&[], Some(progress), &[]).await?;
        Ok(Ok(()))
    }

    async fn write_summaries(
        &mut self,
        kind: Kind,
        wanted: &BTreeMap<SupportFact, String>,
        rows: Vec<SupportRow>,
        course: &mut Course,
        tally: &mut Tally,
    ) -> Result<(), CycleError> {
        let (mut news, mut finished) = (Vec::new(), Vec::new());
        for row in rows {
            match summarise(wanted, row) {
                Ok(it) => news.push(it),
                Err(same) => finished.push(settled(&same.0, None, same.1, "same")),
            }
        }
        let mut intents = Vec::with_capacity(news.len());
        for it in &news {
            intents.push(SupportIntent {
                journal: self.store.number_journal(),
                link: it.row.link,
                ids: it.row.ids.clone(),
                fields: it.fields.clone(),
            });
        }
        let now = self.clock.now();
        self.store
            .intend_support(tally.cycle, now, kind, &intents)
            .await?;
        let crm = Arc::clone(&self.connectors.crm);
        let size = crm.caps().update_batch.max(1);
        for (news, intents) in news.chunks(size).zip(intents.chunks(size)) {
            let ops: Vec<Op> = news
                .iter()
                .map(|it| Op::Update {
                    id: it.row.ids.crm.clone(),
                    fields: it.set.clone(),
                    company_before: None,
                })
                .collect();
            let halted = course.ends || tally.is_down(Side::Crm) || self.stop.is_cancelled();
            let outcomes = if halted {
                Vec::new()
            } else {
                crm.write(kind, &[], &ops).await
            };
            course.take(&outcomes);
            let mut outcomes = outcomes.into_iter();
            for (it, intent) in news.iter().zip(intents) {
                let outcome = outcomes.next();
                finished.push(finish(kind, it, intent.journal, outcome, tally));
            }
        }
        Ok(self.store.finish_support(kind, &finished).await?)
    }
}

/// What has to be written of a customer's summary; the row back where nothing has.
fn summarise(
    wanted: &BTreeMap<SupportFact, String>,
    row: SupportRow,
) -> Result<News, Box<(SupportRow, String)>> {
    let facts = support_facts(&row.tickets);
    let known: BTreeMap<String, Value> = row
        .written
        .as_deref()
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    let now: BTreeMap<String, Value> = wanted
        .iter()
        .filter_map(|(fact, field)| Some((field.clone(), facts.get(fact)?.clone())))
        .collect();
    let text = serde_json::to_string(&now).unwrap_or_default();
    let mut set = Image::default();
    let mut fields = Vec::new();
    for (field, value) in &now {
        let before = known.get(field);
        // What was never written and is nothing now needs no writing.
        if before == Some(value) || (before.is_none() && value.is_empty()) {
            continue;
        }
        let change = Image::from([(field.as_str(), value.clone())]);
        set.overlay(&change);
        fields.push(FieldChange {
            field: field.clone(),
            base: before.cloned().into_iter().collect(),
            crm: before.cloned().into_iter().collect(),
            freshdesk: vec![value.clone()],
            set: change,
            rule: Rule::Summary,
        });
    }
    if fields.is_empty() {
        return Err(Box::new((row, text)));
    }
    Ok(News {
        row,
        set,
        facts: text,
        fields,
    })
}

fn settled(
    row: &SupportRow,
    journal: Option<i64>,
    facts: String,
    outcome: &'static str,
) -> SupportFinish {
    SupportFinish {
        journal,
        row: row.row,
        desk: row.ids.desk.clone(),
        written: Some(facts),
        outcome,
        request_id: None,
        message: None,
    }
}

fn finish(
    kind: Kind,
    news: &News,
    journal: i64,
    outcome: Option<Outcome>,
    tally: &mut Tally,
) -> SupportFinish {
    let done = settled(&news.row, Some(journal), news.facts.clone(), "done");
    match outcome {
        Some(Outcome::Done { request_id, .. }) => {
            tally.summed_up += 1;
            SupportFinish { request_id, ..done }
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
            let finish = SupportFinish {
                outcome: "failed",
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
