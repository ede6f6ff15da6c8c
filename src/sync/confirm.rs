//! Asking for single records: what each is now, and where one went that is not there any more.

use super::{CycleError, Engine};
use crate::model::{Kind, Observed, RecordId, Side};
use crate::remote::{Fetched, RemoteError};
use crate::store::Fate;
use std::sync::Arc;

impl Engine {
    /// Reads these records singly and remembers what they are now.
    pub(super) async fn confirm(
        &mut self,
        side: Side,
        kind: Kind,
        records: &[(i64, RecordId)],
    ) -> Result<Result<(), RemoteError>, CycleError> {
        let connector = Arc::clone(self.connectors.of(side));
        let fields = self.fields(kind, side);
        for chunk in records.chunks(connector.caps().fetch_batch.max(1)) {
            let ids: Vec<_> = chunk.iter().map(|(_, id)| id.clone()).collect();
            let answers = match connector.fetch(kind, &fields, &ids).await {
                Ok(answers) => answers,
                Err(error) => return Ok(Err(error)),
            };
            let (mut found, mut gone, mut missing) = (Vec::new(), Vec::new(), Vec::new());
            for ((row, id), answer) in chunk.iter().zip(answers) {
                match answer {
                    Fetched::Found(observed) => found.push(observed),
                    Fetched::MovedTo(observed) => {
                        gone.push((*row, Some(Fate::MovedTo(observed.id.clone()))));
                        found.push(observed);
                    }
                    Fetched::Gone => missing.push((*row, id)),
                }
            }
            for (row, id) in missing {
                match self.whereabouts(side, kind, row, id).await? {
                    Ok((fate, elsewhere)) => {
                        gone.push((row, fate));
                        found.extend(elsewhere);
                    }
                    Err(error) => return Ok(Err(error)),
                }
            }
            let sightings = self.sightings(kind, side, found);
            self.store.sight(side, kind, &fields, &sightings).await?;
            self.store.gone(&gone).await?;
        }
        Ok(Ok(()))
    }

    /// Looks for a linked record that is not there any more under its keys: it may have been merged
    /// into another one, or be something else now.
    async fn whereabouts(
        &mut self,
        side: Side,
        kind: Kind,
        row: i64,
        id: &RecordId,
    ) -> Result<Result<(Option<Fate>, Vec<Observed>), RemoteError>, CycleError> {
        let nowhere = (None, Vec::new());
        let linked = matches!(self.store.known(side, kind, id).await?, Some((_, Some(_))));
        let (true, Some(mapping)) = (linked, self.mapping(kind).cloned()) else {
            return Ok(Ok(nowhere));
        };
        let Some(record) = self.store.records(&[row]).await?.pop() else {
            return Ok(Ok(nowhere));
        };
        let (connector, fields) = (Arc::clone(self.connectors.of(side)), mapping.reads(side));
        for key in &mapping.keys {
            let name = key.name(side);
            for value in key.values(side, &record.image) {
                let lookup = match connector.find(kind, &fields, name, &value).await {
                    Ok(lookup) => lookup,
                    Err(error) => return Ok(Err(error)),
                };
                if lookup.taken_by_other {
                    return Ok(Ok((Some(Fate::Converted), Vec::new())));
                }
                if !lookup.found.is_empty() {
                    return Ok(Ok((None, lookup.found)));
                }
            }
        }
        Ok(Ok(nowhere))
    }
}
