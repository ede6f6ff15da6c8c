//! Records whose own read failed while others were read: they are read again, ever more rarely.

use super::Observation;
use crate::model::{Kind, Side};
use crate::remote::{Fetched, RemoteError};
use crate::store::DueRead;
use crate::sync::execute::pause;
use crate::sync::{CycleError, Engine};
use std::sync::Arc;

/// How many of one kind are read again in one cycle.
const TOGETHER: i64 = 20;

impl Engine {
    /// Reads those once more whose pause is over. One that fails again holds up no other.
    pub(super) async fn read_unread(
        &mut self,
        observation: &Observation,
    ) -> Result<(), CycleError> {
        for side in Side::BOTH {
            let mut troubles = observation.troubles.iter();
            if troubles.any(|it| it.side == side && it.error.kind.is_down()) {
                continue;
            }
            for kind in Kind::BOTH {
                let due = (side, kind);
                let due = self.store.unread_due(due, self.looked_at, TOGETHER).await?;
                for record in due {
                    if !self.read_once_more((side, kind), &record).await? {
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    /// Reads one record once more. Returns whether others can be read.
    async fn read_once_more(
        &mut self,
        (side, kind): (Side, Kind),
        record: &DueRead,
    ) -> Result<bool, CycleError> {
        if self.stop.is_cancelled() || self.mapping(kind).is_none() {
            return Ok(false);
        }
        let id = &record.id;
        match self.reread_one((side, kind), record).await? {
            Ok(()) => {
                self.store.no_more_unread((side, kind), id).await?;
                tracing::info!(event = "record_readable", %side, %kind, %id,
                    "a record that could not be read can be read again");
            }
            Err(error) if error.kind.may_be_one_records() => {
                let due = self.clock.now() + pause(&self.refusals, record.attempts);
                let error = error.to_string();
                self.store
                    .unread_again((side, kind), id, due, &error)
                    .await?;
            }
            Err(_) => return Ok(false),
        }
        Ok(true)
    }

    /// What a record is now, whether or not it is known.
    async fn reread_one(
        &mut self,
        (side, kind): (Side, Kind),
        record: &DueRead,
    ) -> Result<Result<(), RemoteError>, CycleError> {
        if let Some(row) = record.row {
            return self.confirm(side, kind, &[(row, record.id.clone())]).await;
        }
        let connector = Arc::clone(self.connectors.of(side));
        let fields = self.fields(kind, side);
        let ids = std::slice::from_ref(&record.id);
        let found = match connector.fetch(kind, &fields, ids).await {
            Ok(answers) => answers.into_iter().filter_map(|answer| match answer {
                Fetched::Found(observed) | Fetched::MovedTo(observed) => Some(observed),
                Fetched::Gone => None,
            }),
            Err(error) => return Ok(Err(error)),
        };
        let sightings = self.sightings(kind, side, found.collect());
        self.store.sight(side, kind, &fields, &sightings).await?;
        Ok(Ok(()))
    }
}
