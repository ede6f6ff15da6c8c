//! Finding out what became of writes that got no answer: after a time-out, or a crash.
//!
//! Nothing is ever sent a second time on a guess. The record is read; what it shows goes into the
//! state like anything else that is seen, and is planned afresh.

use super::observe::Observation;
use super::{CycleError, Engine, Tally, Trouble};
use crate::mapping::Mapping;
use crate::model::{Image, Kind, Pair, Presence, RecordId, Side, Value};
use crate::plan::FieldChange;
use crate::remote::{Connector, RemoteError};
use crate::store::{Adoption, GRACE, NewBase, NewLink, PassKind, SentRow, StoreError, Verb};
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How many writes without an answer are looked at in one cycle.
const LIMIT: i64 = 5_000;

/// What a look brought.
enum Found {
    /// The record's present state is known; it can be planned.
    Known,
    /// Nothing is there yet, and it is too early to be sure.
    TooEarly,
}

/// Since when changes have to be read once more before a create without a key is taken for not made; what
/// was read is taken out.
struct Again(BTreeMap<(Side, Kind), DateTime<Utc>>);

impl Again {
    fn for_all(sent: &[SentRow]) -> Self {
        let mut oldest = BTreeMap::new();
        for row in sent.iter().filter(|row| row.action == Verb::Create.word()) {
            let since = oldest.entry((row.side, row.kind)).or_insert(row.since);
            *since = row.since.min(*since);
        }
        Self(oldest)
    }
}

impl Engine {
    /// Looks at every write whose outcome is not known.
    ///
    /// # Errors
    ///
    /// Where the state fails.
    pub(super) async fn inquire(&mut self, tally: &mut Tally) -> Result<(), CycleError> {
        let sent = self.store.sent(LIMIT).await?;
        let mut again = Again::for_all(&sent);
        for sent in sent {
            if self.stop.is_cancelled() || tally.is_down(sent.side) {
                continue;
            }
            let found = if sent.action == Verb::Create.word() {
                self.look_for_created(&sent, &mut again).await?
            } else {
                self.confirm(sent.side, sent.kind, &[(sent.row, sent.id.clone())])
                    .await?
                    .map(|()| Found::Known)
            };
            match found {
                Ok(Found::Known) => {
                    self.settle_reverted(&sent).await?;
                    self.store.name_found(&sent).await?;
                    self.store
                        .forget_sent(sent.journal, sent.row, &sent.action, "looked_up")
                        .await?;
                }
                Ok(Found::TooEarly) => {}
                // Only this record waits: nothing is planned for it before it was looked at.
                Err(error) => tally.trouble(Trouble {
                    side: sent.side,
                    kind: None,
                    error,
                }),
            }
        }
        Ok(())
    }

    /// Looks for the record that a create may have made: by each of its keys; without one, among the
    /// unlinked records that have appeared since.
    async fn look_for_created(
        &mut self,
        sent: &SentRow,
        again: &mut Again,
    ) -> Result<Result<Found, RemoteError>, CycleError> {
        let changes: Vec<FieldChange> =
            serde_json::from_str(&sent.effect).map_err(StoreError::from)?;
        let mut fields = Image::default();
        for change in &changes {
            fields.overlay(&change.set);
        }
        let connector = Arc::clone(self.connectors.of(sent.side));
        let wanted = self.fields(sent.kind, sent.side);
        let keys: Vec<String> = self
            .mapping(sent.kind)
            .map(|mapping| {
                mapping
                    .keys
                    .iter()
                    .map(|key| key.name(sent.side).to_owned())
                    .collect()
            })
            .unwrap_or_default();
        let mut keyed = false;
        for key in keys {
            let Some(value) = fields.get(&key).and_then(first_text) else {
                continue;
            };
            keyed = true;
            match connector.find(sent.kind, &wanted, &key, &value).await {
                Err(error) => return Ok(Err(error)),
                Ok(lookup) if lookup.found.is_empty() => {}
                Ok(lookup) => {
                    let only = match lookup.found.as_slice() {
                        [only] if only.presence == Presence::Live => Some(only.id.clone()),
                        _ => None,
                    };
                    let sightings = self.sightings(sent.kind, sent.side, lookup.found);
                    self.store
                        .sight(sent.side, sent.kind, &wanted, &sightings)
                        .await?;
                    if let Some(id) = only {
                        self.adopt_found(sent, &changes, &id).await?;
                    }
                    return Ok(Ok(Found::Known));
                }
            }
        }
        if !keyed && self.adopt_lookalike(sent, &changes, &fields).await? {
            return Ok(Ok(Found::Known));
        }
        let found = self
            .sure_of_absence(sent, keyed, connector.as_ref())
            .await?;
        drop(connector);
        if keyed || matches!(found, Found::TooEarly) {
            return Ok(Ok(found));
        }
        // One look for changes that leaves somebody out would make them twice: so nobody is made again on
        // the word of a single one.
        if let Some(error) = self.reread_changes(sent, again).await? {
            return Ok(Err(error));
        }
        self.adopt_lookalike(sent, &changes, &fields).await?;
        Ok(Ok(Found::Known))
    }

    /// Reads once more what has changed since the oldest of the creates whose answer is missing, once a
    /// cycle. Returns what the system said where it failed.
    async fn reread_changes(
        &mut self,
        sent: &SentRow,
        again: &mut Again,
    ) -> Result<Option<RemoteError>, CycleError> {
        let Some(since) = again.0.get(&(sent.side, sent.kind)).copied() else {
            return Ok(None);
        };
        let mut observation = Observation::default();
        let overlap = self.connectors.of(sent.side).caps().overlap;
        let since = since - GRACE - TimeDelta::from_std(overlap).unwrap_or(TimeDelta::zero());
        let since = since - *self.ahead.of(sent.side);
        let since = Some(since.timestamp_millis());
        self.reread(sent.side, sent.kind, since, &mut observation)
            .await?;
        let error = observation.troubles.pop().map(|trouble| trouble.error);
        if error.is_none() {
            again.0.remove(&(sent.side, sent.kind));
        }
        Ok(error)
    }

    /// Whether a look that found nothing proves that nothing was made: the index had time to show
    /// it, and where there was no key to look for, a whole pass has gone by.
    async fn sure_of_absence(
        &mut self,
        sent: &SentRow,
        keyed: bool,
        connector: &dyn Connector,
    ) -> Result<Found, CycleError> {
        let lag = connector.caps().lookup_lag
            + if keyed {
                std::time::Duration::ZERO
            } else {
                connector.caps().overlap
            };
        let settled = sent.since + TimeDelta::from_std(lag).unwrap_or(TimeDelta::zero());
        let read_since = self
            .store
            .pass(sent.side, sent.kind, PassKind::Changes)
            .await?
            .mark
            // The mark is the server's time, and our clock may be behind it.
            .is_some_and(|mark| mark > (settled + GRACE).timestamp_millis());
        let sure = if keyed {
            let now = self.clock.now();
            // A request may be on its way for a while after it was given up. The helpdesk itself refuses a
            // second record with the same key; a CRM may not.
            let under_way =
                sent.side == Side::Crm && (sent.since..sent.since + GRACE).contains(&now);
            now >= settled && !under_way
        } else {
            read_since
        };
        Ok(if sure { Found::Known } else { Found::TooEarly })
    }

    /// The one record that has the key that was sent is what the create has made, whatever key its
    /// source has by now: by their keys the two might never find each other again.
    async fn adopt_found(
        &mut self,
        sent: &SentRow,
        changes: &[FieldChange],
        id: &RecordId,
    ) -> Result<(), CycleError> {
        let source = self.store.known(sent.side.other(), sent.kind, &sent.id);
        if !matches!(source.await?, Some((_, None))) {
            return Ok(());
        }
        if let Some((heir, None)) = self.store.known(sent.side, sent.kind, id).await? {
            self.adopt_created(sent, changes, heir).await?;
        }
        Ok(())
    }

    /// A create without any key: an unlinked record that shows just what was sent is it.
    async fn adopt_lookalike(
        &mut self,
        sent: &SentRow,
        changes: &[FieldChange],
        fields: &Image,
    ) -> Result<bool, CycleError> {
        // When it was sent is our time, and what the record shows is the server's.
        let since = sent.since - *self.ahead.of(sent.side);
        let heir = self
            .store
            .lookalike(sent.side, sent.kind, fields, since)
            .await?;
        if let Some(heir) = heir {
            self.adopt_created(sent, changes, heir).await?;
        }
        Ok(heir.is_some())
    }

    /// Links what a create has made. Both agreed on what was sent; what differs from that by now is
    /// somebody's edit.
    async fn adopt_created(
        &mut self,
        sent: &SentRow,
        changes: &[FieldChange],
        heir: i64,
    ) -> Result<(), CycleError> {
        let mut rows = Pair {
            crm: heir,
            desk: heir,
        };
        *rows.of_mut(sent.side.other()) = sent.row;
        let link = self.store.number_link();
        let mut bases = Vec::with_capacity(2);
        if let Some(mapping) = self.mapping(sent.kind) {
            let agreed = sent_values(mapping, sent.side, changes);
            for side in Side::BOTH {
                bases.push(NewBase {
                    row: *rows.of(side),
                    base: Some(agreed.of(side).clone()),
                });
            }
        }
        let adoption = Adoption {
            links: vec![NewLink {
                link,
                kind: sent.kind,
                rows,
                found: format!("created in {}, found again", sent.side),
            }],
            bases,
            ..Adoption::default()
        };
        let now = self.clock.now();
        self.store.adopt(0, now, &adoption).await?;
        Ok(())
    }
}

/// What each side showed when a create was sent: the source its own values, the target what it was
/// given.
fn sent_values(mapping: &Mapping, target: Side, changes: &[FieldChange]) -> Pair<Image> {
    let mut agreed = Pair::<Image>::default();
    for change in changes {
        agreed.of_mut(target).overlay(&change.set);
        let shown = match target.other() {
            Side::Crm => &change.crm,
            Side::Desk => &change.freshdesk,
        };
        let field = mapping.fields.iter().find(|it| it.name == change.field);
        let names = field.into_iter().flat_map(|it| it.names(target.other()));
        for (name, value) in names.zip(shown) {
            agreed.of_mut(target.other()).set(name, value.clone());
        }
    }
    agreed
}

/// A value as a look-up takes it; the first member of a list.
pub(super) fn first_text(value: &Value) -> Option<String> {
    match value {
        Value::Text(text) => Some(text.clone()),
        Value::List(members) => members.first().cloned(),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(_) | Value::Empty => None,
    }
}
