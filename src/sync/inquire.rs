//! Finding out what became of writes that got no answer: after a time-out, or a crash.
//!
//! Nothing is ever sent a second time on a guess. The record is read; what it shows goes into the
//! state like anything else that is seen, and is planned afresh.

mod lookalike;
mod trashed;

use super::decide::union;
use super::observe::{Observation, key_values};
use super::{CycleError, Engine, Tally, Trouble};
use crate::mapping::Mapping;
use crate::model::{Image, Kind, Observed, Pair, Presence, RecordId, Side, Value};
use crate::plan::FieldChange;
use crate::remote::{Caps, Connector, Lookup, RemoteError};
use crate::store::{
    Adoption, GRACE, NewBase, NewLink, PassKind, SentRow, Standing, StoreError, Verb,
};
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How many writes without an answer are looked at in one cycle.
const LIMIT: i64 = 5_000;

/// How far the two clocks may seem apart by what a call takes, and by times that are told in seconds.
const MOMENT: TimeDelta = TimeDelta::seconds(5);

/// What a look brought.
enum Found {
    /// The record's present state is known; it can be planned.
    Known,
    /// Nothing is there yet, and it is too early to be sure.
    TooEarly,
}

/// What has to be read once more before a create without a key is taken for not made.
struct Again {
    /// Since when changes are still to be read; what was read is taken out.
    since: BTreeMap<(Side, Kind), DateTime<Utc>>,
    /// What was read and has shown nobody, although somebody is known whom it ought to have shown; or too
    /// little of somebody.
    silent: BTreeSet<(Side, Kind)>,
    /// Who lies in the trash, of what was read.
    trashed: BTreeMap<(Side, Kind), Vec<Observed>>,
}

impl Again {
    fn for_all(sent: &[SentRow]) -> Self {
        let mut oldest = BTreeMap::new();
        for row in sent.iter().filter(|row| row.action == Verb::Create.word()) {
            let since = oldest.entry((row.side, row.kind)).or_insert(row.since);
            *since = row.since.min(*since);
        }
        Self {
            since: oldest,
            silent: BTreeSet::new(),
            trashed: BTreeMap::new(),
        }
    }
}

impl Engine {
    /// Looks at every write whose outcome is not known. `heard` says when each side last answered since
    /// the last write, by its own clock, in milliseconds: where it did not, nothing is concluded from
    /// what is not found.
    ///
    /// # Errors
    ///
    /// Where the state fails.
    pub(super) async fn inquire(
        &mut self,
        heard: Pair<Option<i64>>,
        tally: &mut Tally,
    ) -> Result<(), CycleError> {
        let sent = self.store.sent(LIMIT).await?;
        let mut again = Again::for_all(&sent);
        for sent in sent {
            if self.stop.is_cancelled() {
                continue;
            }
            let found = if self.adopt_seen(&sent).await? {
                Ok(Found::Known)
            } else if tally.is_down(sent.side) {
                continue;
            } else if sent.action == Verb::Create.word() {
                let heard = *heard.of(sent.side);
                self.look_for_created(&sent, heard, &mut again).await?
            } else {
                self.confirm(sent.side, sent.kind, &[(sent.row, sent.id.clone())])
                    .await?
                    .map(|()| Found::Known)
            };
            match found {
                Ok(Found::Known) => {
                    self.settle_reverted(&sent).await?;
                    self.store.name_found(&sent).await?;
                    self.store.looked_up(&sent).await?;
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
    /// unlinked records that have appeared since, and in the trash.
    async fn look_for_created(
        &mut self,
        sent: &SentRow,
        heard: Option<i64>,
        again: &mut Again,
    ) -> Result<Result<Found, RemoteError>, CycleError> {
        let (changes, fields) = sent_fields(sent)?;
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
        let (mut keyed, mut refused) = (false, false);
        for key in keys {
            let Some(value) = fields.get(&key).and_then(first_text) else {
                continue;
            };
            keyed = true;
            refused |= connector.refuses_twins(sent.kind, &key);
            match connector.find(sent.kind, &wanted, &key, &value).await {
                Err(error) => return Ok(Err(error)),
                Ok(Lookup { found, also, .. }) => {
                    let only = match found.as_slice() {
                        [only] if only.presence == Presence::Live => Some(only.id.clone()),
                        _ => None,
                    };
                    let is_there = !found.is_empty();
                    let shown: Vec<Observed> = found.into_iter().chain(also).collect();
                    if shown.is_empty() {
                        continue;
                    }
                    let sightings = self.sightings(sent.kind, sent.side, shown);
                    self.store
                        .sight(sent.side, sent.kind, &wanted, &sightings)
                        .await?;
                    if !is_there {
                        continue;
                    }
                    if let Some(id) = only {
                        self.adopt_found(sent, &changes, &id).await?;
                    }
                    return Ok(Ok(Found::Known));
                }
            }
        }
        let found = self
            .sure_of_absence(sent, (keyed, refused), heard, connector.as_ref())
            .await?;
        drop(connector);
        if keyed || matches!(found, Found::TooEarly) {
            return Ok(Ok(found));
        }
        // One look for changes that leaves somebody out would make them twice: so nobody is made again on
        // the word of a single one.
        let read = self.reread_changes(sent, again).await?;
        if matches!(read, Ok(Found::Known))
            && !self.adopt_lookalike(sent, &changes, &fields).await?
        {
            self.adopt_trashed(sent, &changes, &fields, again).await?;
        }
        Ok(read)
    }

    /// Reads the trash, and once more what has changed, since the oldest of the creates whose answer is
    /// missing, once a cycle. The look for changes goes back far enough to show somebody who is known to
    /// have changed: one that shows nobody at all proves nothing, and it is too early to be sure.
    async fn reread_changes(
        &mut self,
        sent: &SentRow,
        again: &mut Again,
    ) -> Result<Result<Found, RemoteError>, CycleError> {
        let (side, kind) = (sent.side, sent.kind);
        if again.silent.contains(&(side, kind)) {
            return Ok(Ok(Found::TooEarly));
        }
        let Some(begun) = again.since.get(&(side, kind)).copied() else {
            return Ok(Ok(Found::Known));
        };
        let overlap = self.connectors.of(side).caps().overlap;
        let since = begun - GRACE - TimeDelta::from_std(overlap).unwrap_or(TimeDelta::zero());
        let since = (since - self.ahead(side)).timestamp_millis();
        let witness = self.store.changed_last(side, kind).await?;
        let since = match &witness {
            Some((.., changed)) => since.min(changed.0),
            None => since,
        };
        // The trash comes first: the look for changes then shows who is brought back meanwhile.
        let trashed = match self.trashed(side, kind, since).await {
            Ok(trashed) => trashed,
            Err(error) => return Ok(Err(error)),
        };
        again.trashed.insert((side, kind), trashed);
        let mut observation = Observation::default();
        self.reread(side, kind, Some(since), &mut observation)
            .await?;
        if let Some(trouble) = observation.troubles.pop() {
            return Ok(Err(trouble.error));
        }
        // What was made may be one that cannot be read, and shows too little to be known again.
        if self.store.is_any_unread((side, kind), begun).await? {
            again.silent.insert((side, kind));
            return Ok(Ok(Found::TooEarly));
        }
        again.since.remove(&(side, kind));
        let silent = *observation.read.of(side) == 0;
        let Some((row, id, _)) = witness.filter(|_| silent) else {
            return Ok(Ok(Found::Known));
        };
        tracing::warn!(event = "changes_silent", %side, %kind,
            "a look for changes shows nobody, not even who is known to have changed; it is not believed");
        again.silent.insert((side, kind));
        // Should that one be gone, the next look is measured by another.
        let confirmed = self.confirm(side, kind, &[(row, id)]).await?;
        Ok(confirmed.map(|()| Found::TooEarly))
    }

    /// Whether what was read shows already what a create has made; then the two are linked, and nobody has
    /// to be asked. Later would be too late: once people have given it another key, or an edit where it has
    /// none, no look finds it by what was sent.
    async fn adopt_seen(&mut self, sent: &SentRow) -> Result<bool, CycleError> {
        if sent.action != Verb::Create.word() {
            return Ok(false);
        }
        let (changes, fields) = sent_fields(sent)?;
        let keys = self
            .mapping(sent.kind)
            .map(|mapping| key_values(mapping, sent.side, &fields))
            .unwrap_or_default();
        if keys.is_empty() {
            return self.adopt_lookalike(sent, &changes, &fields).await;
        }
        let (side, kind) = (sent.side, sent.kind);
        let Some(heir) = self.store.successor(side, kind, &keys).await? else {
            return Ok(false);
        };
        // Others may share one of its keys; what was made shows them all.
        let seen = self.store.records(&[heir]).await?.pop();
        let shows = seen.is_some_and(|seen| keys.iter().all(|key| seen.keys.contains(key)));
        if !shows
            || self.has_counterpart(sent).await?
            || self.store.is_create_in_doubt(heir).await?
        {
            return Ok(false);
        }
        self.adopt_created(sent, &changes, heir).await?;
        Ok(true)
    }

    /// Whether a look that found nothing proves that nothing was made: the index had time to show
    /// it, and where there was no key to look for, a whole pass has gone by. The server's clock tells,
    /// from the first look on that was in vain: ours may have been set since the write was sent.
    async fn sure_of_absence(
        &mut self,
        sent: &SentRow,
        (keyed, refused): (bool, bool),
        heard: Option<i64>,
        connector: &dyn Connector,
    ) -> Result<Found, CycleError> {
        let wait = time_to_show(keyed, refused, connector.caps());
        if wait == 0 {
            return Ok(Found::Known);
        }
        let Some(looked) = sent.looked else {
            if let Some(heard) = heard {
                self.store.looked(sent, heard).await?;
            }
            return Ok(Found::TooEarly);
        };
        let read_to = if keyed {
            heard
        } else {
            self.store
                .pass(sent.side, sent.kind, PassKind::Changes)
                .await?
                .mark
        };
        let sure = read_to.is_some_and(|time| time >= looked.saturating_add(wait));
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
        if self.has_counterpart(sent).await? {
            return Ok(());
        }
        // For whom a counterpart was being made, was there before: a merge has given them the key.
        if let Some((heir, None)) = self.store.known(sent.side, sent.kind, id).await?
            && !self.store.is_create_in_doubt(heir).await?
        {
            self.adopt_created(sent, changes, heir).await?;
        }
        Ok(())
    }

    /// Whether the record that was to get a counterpart has got one by other ways: by its keys, or as the
    /// heir of somebody who was merged into it.
    async fn has_counterpart(&mut self, sent: &SentRow) -> Result<bool, CycleError> {
        let source = self.store.known(sent.side.other(), sent.kind, &sent.id);
        Ok(!matches!(source.await?, Some((_, None))))
    }

    /// What a create has made is the counterpart of whom it was made for, unless they have another one.
    async fn claim(
        &mut self,
        sent: &SentRow,
        changes: &[FieldChange],
        made: i64,
    ) -> Result<(), CycleError> {
        if self.has_counterpart(sent).await? {
            return self.set_aside(made).await;
        }
        self.adopt_created(sent, changes, made).await
    }

    /// Leaves alone what a create has made for somebody who has another counterpart by now: it cannot be
    /// theirs any more, and as nobody's it would be made on the other side once again.
    async fn set_aside(&mut self, made: i64) -> Result<(), CycleError> {
        let why = "it was made for a record that has another counterpart by now".to_owned();
        let adoption = Adoption {
            standings: vec![(made, Standing::Detached, why)],
            ..Adoption::default()
        };
        let now = self.clock.now();
        self.store.adopt(0, now, &adoption).await?;
        Ok(())
    }

    /// Links what a create has made. Both agreed on what was sent; what differs from that by now is
    /// somebody's edit. Who was there before it was sent is somebody else's doing: nothing is agreed on with
    /// them yet, and what they lack was never cleared.
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
        let seen = self.store.records(&[heir]).await?.pop();
        // When it was sent is our time, and what the record shows is the server's.
        let earliest = (sent.since - self.ahead(sent.side) - MOMENT).timestamp_millis();
        let made = seen
            .as_ref()
            .is_none_or(|it| it.version.0 == 0 || it.version.0 >= earliest);
        if let (true, Some(mapping)) = (made, self.mapping(sent.kind)) {
            let mut agreed = sent_values(mapping, sent.side, changes);
            if let Some(seen) = &seen {
                as_stored(mapping, sent.side, agreed.of_mut(sent.side), &seen.image);
            }
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
                found: if made {
                    format!("created in {}, found again", sent.side)
                } else {
                    format!("found in {} in place of what was to be created", sent.side)
                },
            }],
            bases,
            ..Adoption::default()
        };
        let now = self.clock.now();
        self.store.adopt(0, now, &adoption).await?;
        Ok(())
    }
}

/// What a create has sent: field by field, and as the record that it makes.
fn sent_fields(sent: &SentRow) -> Result<(Vec<FieldChange>, Image), StoreError> {
    let changes: Vec<FieldChange> = serde_json::from_str(&sent.effect)?;
    let fields = union(&changes);
    Ok((changes, fields))
}

/// How long after a look in vain it is open whether a create has made something, in milliseconds.
fn time_to_show(keyed: bool, refused: bool, caps: &Caps) -> i64 {
    let mut wait = caps.lookup_lag;
    if !keyed {
        wait += caps.overlap;
    }
    // A request may be on its way for a while after it was given up, unless the system itself refuses a
    // second record with the same key.
    if !refused {
        wait += GRACE.to_std().unwrap_or_default();
    }
    i64::try_from(wait.as_millis()).unwrap_or(i64::MAX)
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

/// What the system has made of values that it was given, in its own spelling: that is nobody's edit.
fn as_stored(mapping: &Mapping, side: Side, given: &mut Image, shown: &Image) {
    for (name, value) in &mut given.0 {
        if let Some(stored) = shown
            .get(name)
            .filter(|it| mapping.alike(side, name, value, it))
        {
            value.clone_from(stored);
        }
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
