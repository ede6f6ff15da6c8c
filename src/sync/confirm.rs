//! Asking for single records: what each is now, and where one went that is not there any more.

use super::{CycleError, Engine};
use crate::mapping::Mapping;
use crate::model::{Image, Kind, Observed, Presence, RecordId, Side, Value};
use crate::remote::{Fetched, Lookup, RemoteError};
use crate::store::Fate;
use std::sync::Arc;

/// A contact's address, by the name that every system has for it.
const ADDRESS: &str = "email";

impl Engine {
    /// Reads these records singly and remembers what they are now.
    pub(super) async fn confirm(
        &mut self,
        side: Side,
        kind: Kind,
        records: &[(i64, RecordId)],
    ) -> Result<Result<(), RemoteError>, CycleError> {
        let batch = self.connectors.of(side).caps().fetch_batch.max(1);
        for chunk in records.chunks(batch) {
            let lost = match self.ask(side, kind, chunk).await? {
                Ok(lost) => lost,
                Err(error) => return Ok(Err(error)),
            };
            let lost: Vec<_> = lost.into_iter().map(|row| (row, None)).collect();
            self.store.gone(&lost).await?;
        }
        Ok(Ok(()))
    }

    /// Reads one batch of records singly and remembers what they are now, or where they live on. Returns
    /// those who are not there any more and of whom nobody knows where they went.
    pub(super) async fn ask(
        &mut self,
        side: Side,
        kind: Kind,
        records: &[(i64, RecordId)],
    ) -> Result<Result<Vec<i64>, RemoteError>, CycleError> {
        let connector = Arc::clone(self.connectors.of(side));
        let fields = self.fields(kind, side);
        let ids: Vec<_> = records.iter().map(|(_, id)| id.clone()).collect();
        let answers = match connector.fetch(kind, &fields, &ids).await {
            Ok(answers) => answers,
            Err(error) => return Ok(Err(error)),
        };
        let (mut found, mut moved) = (Vec::new(), Vec::new());
        let (mut missing, mut lost) = (Vec::new(), Vec::new());
        for ((row, id), answer) in records.iter().zip(answers) {
            match answer {
                Fetched::Found(observed) => found.push(observed),
                Fetched::MovedTo(observed) => {
                    moved.push((*row, Some(Fate::MovedTo(observed.id.clone()))));
                    found.push(observed);
                }
                Fetched::Gone => missing.push((*row, id)),
            }
        }
        for (row, id) in missing {
            match self.whereabouts(side, kind, row, id).await? {
                Ok((fate, elsewhere)) => {
                    match fate {
                        None => lost.push(row),
                        known => moved.push((row, known)),
                    }
                    found.extend(elsewhere);
                }
                Err(error) => return Ok(Err(error)),
            }
        }
        let sightings = self.sightings(kind, side, found);
        self.store.sight(side, kind, &fields, &sightings).await?;
        self.store.gone(&moved).await?;
        Ok(Ok(lost))
    }

    /// Looks for a linked record that is not there any more under its keys, and a contact under its
    /// address in any case: it may have been merged into another one, or be something else now.
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
        for (name, value) in traces(&mapping, side, &record.image) {
            let lookup = match connector.find(kind, &fields, name, &value).await {
                Ok(lookup) => lookup,
                Err(error) => return Ok(Err(error)),
            };
            if lookup.taken_by_other {
                return Ok(Ok((Some(Fate::Converted), Vec::new())));
            }
            let fate = moved(side, name, &lookup).filter(|heir| heir != id);
            let elsewhere: Vec<Observed> = lookup.found.into_iter().chain(lookup.also).collect();
            if !elsewhere.is_empty() {
                return Ok(Ok((fate.map(Fate::MovedTo), elsewhere)));
            }
        }
        Ok(Ok(nowhere))
    }
}

/// Under what a record can be looked for that is not there any more: its match keys, and first of all
/// the address of a contact in Freshdesk. A merge keeps all addresses there, and of whatever else
/// there can be one of, only one.
fn traces<'a>(mapping: &'a Mapping, side: Side, image: &Image) -> Vec<(&'a str, String)> {
    let address = image.get(ADDRESS).and_then(Value::as_text);
    let address = address.filter(|_| side == Side::Desk && mapping.kind == Kind::Contact);
    let mut traces: Vec<(&str, String)> = Vec::new();
    traces.extend(address.map(|address| (ADDRESS, address.to_owned())));
    for key in &mapping.keys {
        let name = key.name(side);
        if traces.iter().all(|(known, _)| *known != name) {
            let values = key.values(side, image).into_iter();
            traces.extend(values.map(|value| (name, value)));
        }
    }
    traces
}

/// The living record that a look-up says has taken in the one that is gone. Freshdesk has one contact
/// to an address: whoever has it now is meant by it. Any other key may be a colleague's as well.
fn moved(side: Side, name: &str, lookup: &Lookup) -> Option<RecordId> {
    let whole = side == Side::Desk && name == ADDRESS;
    let found = lookup.found.iter().filter(|_| whole);
    let mut live = lookup
        .also
        .iter()
        .chain(found)
        .filter(|it| it.presence == Presence::Live);
    live.next().map(|heir| heir.id.clone())
}
