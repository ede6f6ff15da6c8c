//! Whether the records of a plan still are what it was decided on: each is read by itself.

use super::Run;
use crate::model::{Image, Kind, Observed, Presence, RecordId, Side};
use crate::plan::{Customer, PlannedWrite};
use crate::remote::{Fetched, RemoteError};
use crate::sync::{CycleError, Engine, Trouble};
use std::collections::HashMap;
use std::sync::Arc;

/// Records as they are now, one answer an id.
type Answers = Result<Vec<(RecordId, Fetched)>, RemoteError>;

impl Run<'_> {
    /// Why a write cannot be made, if it is so.
    fn moved(&self, kind: Kind, write: &PlannedWrite) -> Option<String> {
        for side in Side::BOTH {
            let Some(id) = write.id(side) else { continue };
            match self.still.get(&(side, kind, id.clone())) {
                Some(true) => {}
                Some(false) => {
                    return Some(format!("its record in {side} has changed since"));
                }
                None => return Some(format!("its record in {side} could not be read")),
            }
        }
        None
    }
}

impl Engine {
    /// Returns those of `writes` whose records did not move, and names the others.
    pub(super) async fn unmoved(
        &mut self,
        kind: Kind,
        writes: Vec<PlannedWrite>,
        run: &mut Run<'_>,
    ) -> Result<Vec<PlannedWrite>, CycleError> {
        for side in Side::BOTH {
            let mut ids: Vec<RecordId> = writes
                .iter()
                .filter_map(|write| write.id(side).cloned())
                .filter(|id| !run.still.contains_key(&(side, kind, id.clone())))
                .collect();
            ids.sort_unstable();
            ids.dedup();
            self.look_at(side, kind, &ids, run).await?;
        }
        let mut unmoved = Vec::with_capacity(writes.len());
        for write in writes {
            match run.moved(kind, &write) {
                None => unmoved.push(write),
                Some(why) => run.leave(&write, why),
            }
        }
        Ok(unmoved)
    }

    /// Reads these records, remembers what they show, and whether that is what the plan knew.
    async fn look_at(
        &mut self,
        side: Side,
        kind: Kind,
        ids: &[RecordId],
        run: &mut Run<'_>,
    ) -> Result<(), CycleError> {
        let answers = match self.read_now(side, kind, ids).await {
            Ok(answers) => answers,
            Err(error) => {
                run.tally.trouble(Trouble {
                    side,
                    kind: Some(kind),
                    error,
                });
                return Ok(());
            }
        };
        let left_so = self.as_we_left(side, kind, ids, run).await?;
        let mut found: Vec<Observed> = Vec::new();
        for (id, answer) in answers {
            let seen = run.seen.get(&(side, kind, &id));
            let still =
                |presence, image: &Image| seen.is_some_and(|seen| seen.is_still(presence, image));
            let is_still = match (&answer, left_so.get(&id)) {
                (Fetched::Found(now), Some(ours)) => shows_only(now, ours),
                (Fetched::Found(now), None) => still(now.presence, &now.image),
                (Fetched::MovedTo(_), _) => false,
                (Fetched::Gone, _) => still(Presence::Gone, &Image::default()),
            };
            run.still.insert((side, kind, id), is_still);
            if let Fetched::Found(observed) | Fetched::MovedTo(observed) = answer {
                found.push(observed);
            }
        }
        let fields = self.fields(kind, side);
        let sightings = self.sightings(kind, side, found);
        Ok(self.store.sight(side, kind, &fields, &sightings).await?)
    }

    /// What the state has of those of these records that the run has written already: the server's own answers.
    async fn as_we_left(
        &mut self,
        side: Side,
        kind: Kind,
        ids: &[RecordId],
        run: &Run<'_>,
    ) -> Result<HashMap<RecordId, Image>, CycleError> {
        let mut rows = Vec::new();
        for id in ids {
            if run.written.contains(&(side, kind, id.clone()))
                && let Some((row, _)) = self.store.known(side, kind, id).await?
            {
                rows.push(row);
            }
        }
        let records = self.store.records(&rows).await?.into_iter();
        Ok(records.map(|it| (it.id, it.image)).collect())
    }

    /// Each of these records as it is now.
    pub(in crate::sync) async fn read_now(
        &self,
        side: Side,
        kind: Kind,
        ids: &[RecordId],
    ) -> Answers {
        let connector = Arc::clone(self.connectors.of(side));
        let fields = self.fields(kind, side);
        let mut answers = Vec::with_capacity(ids.len());
        for chunk in ids.chunks(connector.caps().fetch_batch.max(1)) {
            let fetched = connector.fetch(kind, &fields, chunk).await?;
            answers.extend(chunk.iter().cloned().zip(fetched));
        }
        Ok(answers)
    }
}

/// Whether nobody has changed a record since it showed `image`.
fn shows_only(now: &Observed, image: &Image) -> bool {
    let mut shown = now.image.0.iter();
    now.presence == Presence::Live
        && shown.all(|(name, value)| image.get(name).is_none_or(|known| known == value))
}

impl Engine {
    /// Whether both records of a ticket's customer still are what the plan was decided on.
    pub(in crate::sync) async fn still_customer(
        &mut self,
        customer: &Customer,
        run: &mut Run<'_>,
    ) -> Result<bool, CycleError> {
        let kind = customer.kind;
        for (side, id) in [
            (Side::Crm, &customer.crm_id),
            (Side::Desk, &customer.freshdesk_id),
        ] {
            if !run.still.contains_key(&(side, kind, id.clone())) {
                self.look_at(side, kind, std::slice::from_ref(id), run)
                    .await?;
            }
            if run.still.get(&(side, kind, id.clone())) != Some(&true) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
