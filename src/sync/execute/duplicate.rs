//! A create that met a unique value which somebody has.

use super::pause;
use crate::model::{Observed, Presence, RecordId};
use crate::remote::{Fetched, Op, RemoteError};
use crate::store::{Finish, HoldRow};
use crate::sync::decide::Job;
use crate::sync::inquire::first_text;
use crate::sync::{CycleError, Engine, Tally};
use chrono::{DateTime, Utc};

impl Engine {
    /// A create met a unique value that somebody has: a live record (it will be linked), one in the
    /// trash (a person decides), or something that is no record of ours.
    #[expect(
        clippy::too_many_arguments,
        reason = "one answer's context; a struct of it would be used once"
    )]
    pub(super) async fn duplicate(
        &mut self,
        job: &Job,
        of: Option<RecordId>,
        message: String,
        finish: &mut Finish,
        held: &mut Vec<HoldRow>,
        now: DateTime<Utc>,
        tally: &mut Tally,
    ) -> Result<(), CycleError> {
        let shown = match self.holders(job, of).await {
            Ok(shown) => shown,
            Err(error) => {
                self.failed(finish, job, error, now, tally);
                return Ok(());
            }
        };
        let Some(observed) = shown.first() else {
            let message = format!(
                "{message} (the value belongs to an agent, or to something that cannot be read)"
            );
            self.refused(finish, job, message, now, tally);
            return Ok(());
        };
        let trashed = observed.presence != Presence::Live;
        let (kind, side, id) = (job.kind, job.side, observed.id.clone());
        let fields = self.fields(kind, side);
        let sightings = self.sightings(kind, side, shown);
        self.store.sight(side, kind, &fields, &sightings).await?;
        let linked = self
            .store
            .known(side, kind, &id)
            .await?
            .and_then(|(_, link)| link);
        finish.outcome = "duplicate";
        finish.message = Some(message.clone());
        if trashed {
            held.push(HoldRow {
                kind,
                class: "duplicate",
                side: Some(side),
                row: job.row,
                field: String::new(),
                detail: "[]".to_owned(),
                reason: format!("a {kind} with the same unique value is in the trash of {side} ({id}); restore it, or delete it for good"),
                approvable: false,
            });
            finish.again = Some(("refused", now + pause(&self.refusals, job.attempts)));
        } else if linked.is_some() {
            self.refused(finish, job, message, now, tally);
        } else {
            // The next round finds it by its key. Where it does not, because the value is none of the
            // keys, trying again at once would meet it again.
            finish.again = Some(("refused", now + pause(&self.refusals, job.attempts)));
        }
        Ok(())
    }

    /// Who has the unique value that a create met, and whoever else the answer shows: what it shows of them
    /// has been seen.
    async fn holders(&self, job: &Job, of: Option<RecordId>) -> Result<Vec<Observed>, RemoteError> {
        let connector = self.connectors.of(job.side);
        let fields = self.fields(job.kind, job.side);
        if let Some(id) = of {
            let mut answers = connector.fetch(job.kind, &fields, &[id]).await?;
            return Ok(match answers.pop() {
                Some(Fetched::Found(observed) | Fetched::MovedTo(observed)) => vec![observed],
                _ => Vec::new(),
            });
        }
        let Op::Create { fields: sent } = &job.op else {
            return Ok(Vec::new());
        };
        let Some(mapping) = self.mapping(job.kind) else {
            return Ok(Vec::new());
        };
        for key in &mapping.keys {
            let name = key.name(job.side);
            if let Some(value) = sent.get(name).and_then(first_text) {
                let lookup = connector.find(job.kind, &fields, name, &value).await?;
                let shown: Vec<Observed> = lookup.found.into_iter().chain(lookup.also).collect();
                if !shown.is_empty() {
                    return Ok(shown);
                }
            }
        }
        Ok(Vec::new())
    }

    pub(super) async fn hold_duplicates(
        &mut self,
        holds: Vec<HoldRow>,
        now: DateTime<Utc>,
        tally: &Tally,
    ) -> Result<(), CycleError> {
        if !holds.is_empty() {
            let adoption = crate::store::Adoption {
                holds,
                ..Default::default()
            };
            self.store.adopt(tally.cycle, now, &adoption).await?;
        }
        Ok(())
    }
}
