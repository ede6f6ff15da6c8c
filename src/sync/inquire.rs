//! Finding out what became of writes that got no answer: after a time-out, or a crash.
//!
//! Nothing is ever sent a second time on a guess. The record is read; what it shows goes into the
//! state like anything else that is seen, and is planned afresh.

use super::{CycleError, Engine, Tally, Trouble};
use crate::model::{Image, Value};
use crate::plan::FieldChange;
use crate::remote::{Connector, RemoteError};
use crate::store::{PassKind, SentRow, StoreError, Verb};
use chrono::TimeDelta;
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

impl Engine {
    /// Looks at every write whose outcome is not known.
    ///
    /// # Errors
    ///
    /// Where the state fails.
    pub(super) async fn inquire(&mut self, tally: &mut Tally) -> Result<(), CycleError> {
        for sent in self.store.sent(LIMIT).await? {
            if self.stop.is_cancelled() || tally.is_down(sent.side) {
                continue;
            }
            let found = if sent.action == Verb::Create.word() {
                self.look_for_created(&sent).await?
            } else {
                self.confirm(sent.side, sent.kind, &[(sent.row, sent.id.clone())])
                    .await?
                    .map(|()| Found::Known)
            };
            match found {
                Ok(Found::Known) => {
                    self.settle_reverted(&sent).await?;
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
                    let sightings = self.sightings(sent.kind, sent.side, lookup.found);
                    self.store
                        .sight(sent.side, sent.kind, &wanted, &sightings)
                        .await?;
                    return Ok(Ok(Found::Known));
                }
            }
        }
        if !keyed && self.adopt_lookalike(sent, &fields).await? {
            return Ok(Ok(Found::Known));
        }
        Ok(Ok(self
            .sure_of_absence(sent, keyed, connector.as_ref())
            .await?))
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
            .is_some_and(|mark| mark > settled.timestamp_millis());
        let sure = if keyed {
            self.clock.now() >= settled
        } else {
            read_since
        };
        Ok(if sure { Found::Known } else { Found::TooEarly })
    }

    /// A create without any key: exactly one unlinked record that shows just what was sent is it.
    async fn adopt_lookalike(
        &mut self,
        sent: &SentRow,
        fields: &Image,
    ) -> Result<bool, CycleError> {
        let Some(heir) = self
            .store
            .lookalike(sent.side, sent.kind, fields, sent.since)
            .await?
        else {
            return Ok(false);
        };
        let mut rows = crate::model::Pair {
            crm: heir,
            desk: heir,
        };
        *rows.of_mut(sent.side.other()) = sent.row;
        let adoption = crate::store::Adoption {
            links: vec![crate::store::NewLink {
                link: self.store.number_link(),
                kind: sent.kind,
                rows,
                found: format!("created in {}, found again by its values", sent.side),
            }],
            ..Default::default()
        };
        let now = self.clock.now();
        self.store.adopt(0, now, &adoption).await?;
        Ok(true)
    }
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
