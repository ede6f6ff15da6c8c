//! Where a linked record lives on that is not under its own id any more.

use super::decide::Decided;
use super::observe::key_values;
use super::{CycleError, Engine, Tally, Trouble};
use crate::mapping::{Direction, Lens, Mapping};
use crate::model::{COMPANY, Kind, Presence, RecordId, Side, Value};
use crate::plan::{PairState, Verdict, identify};
use crate::store::{Fate, NewLink, PairRow, Relinked, Verb};
use std::collections::{BTreeMap, HashSet};

/// How many merges, one into the other, a record is followed through.
const MERGES: usize = 16;

impl Engine {
    /// A linked record that vanished may have been merged into another: where exactly one unlinked
    /// record of its side has its keys, or its side says which one it became, that one takes its
    /// place.
    pub(super) async fn successors(
        &mut self,
        mapping: &Mapping,
        rows: Vec<PairRow>,
    ) -> Result<(Vec<PairRow>, Decided), CycleError> {
        let mut relinked = Decided::default();
        let mut taken = HashSet::new();
        let (mut gone, mut rest): (Vec<_>, Vec<_>) =
            rows.into_iter().partition(|row| gone_side(row).is_some());
        // What has the keys comes before what a merge says, whatever the order of the pairs.
        for by_keys in [true, false] {
            for row in std::mem::take(&mut gone) {
                let heir = match gone_side(&row) {
                    Some(side) if by_keys => self
                        .heir_by_keys(mapping, side, &row)
                        .await?
                        .map(|heir| (side, heir)),
                    Some(side) => self
                        .heir_by_merge(mapping, side, &row)
                        .await?
                        .map(|heir| (side, heir)),
                    None => None,
                };
                match heir {
                    Some((side, heir)) if taken.insert(heir) => {
                        self.relink(mapping.kind, side, &row, heir, &mut relinked);
                    }
                    _ => gone.push(row),
                }
            }
        }
        rest.extend(gone);
        Ok((rest, relinked))
    }

    async fn heir_by_keys(
        &mut self,
        mapping: &Mapping,
        side: Side,
        row: &PairRow,
    ) -> Result<Option<i64>, CycleError> {
        let keys = key_values(mapping, side, row.state.images.of(side));
        Ok(self.store.successor(side, mapping.kind, &keys).await?)
    }

    /// The record that a merge left, or the merge of that one, unless it has a counterpart, is gone, or
    /// has the keys of somebody else's. The counterpart of the one that is gone may have them: whoever
    /// merged the two may have given it the heir's address as well.
    async fn heir_by_merge(
        &mut self,
        mapping: &Mapping,
        side: Side,
        row: &PairRow,
    ) -> Result<Option<i64>, CycleError> {
        let Some(heir) = self.last_heir(mapping.kind, side, row).await? else {
            return Ok(None);
        };
        let heirs = self.store.records(&[heir]).await?;
        let mut index = self.store.index(mapping.kind, &heirs).await?;
        index.leave_out(*row.rows.of(side.other()));
        Ok(matches!(identify(&index, heir), Verdict::New).then_some(heir))
    }

    /// The unlinked record that merges have led to from the one that is gone.
    async fn last_heir(
        &mut self,
        kind: Kind,
        side: Side,
        row: &PairRow,
    ) -> Result<Option<i64>, CycleError> {
        let mut fate = row.fates.of(side).clone();
        for _ in 0..MERGES {
            let Some(Fate::MovedTo(id)) = fate else {
                return Ok(None);
            };
            match self.store.known(side, kind, &id).await? {
                Some((heir, link)) if self.store.presence(heir).await? == Presence::Live => {
                    return Ok(link.is_none().then_some(heir));
                }
                Some((heir, _)) => fate = self.store.fate(heir).await?,
                None => return Ok(None),
            }
        }
        Ok(None)
    }

    /// A contact that is without its company because the *company* was deleted was changed by
    /// nobody: from now on its side is measured against having none. Otherwise one deleted company
    /// would take all its contacts out of their company on the other side as well. Where the company
    /// goes one way, what the source says of it is left out of account instead: its target would be
    /// cleared when somebody changes it.
    pub(super) async fn forgive_lost_companies(
        &mut self,
        mapping: &Mapping,
        rows: &mut [PairRow],
        tally: &mut Tally,
    ) -> Result<(), CycleError> {
        let goes_both_ways = mapping
            .fields
            .iter()
            .any(|field| field.lens == Lens::Company && field.direction == Direction::Both);
        for side in Side::BOTH {
            // Of a company that nobody can tell anything of, `None`.
            let mut lost: BTreeMap<RecordId, Option<bool>> = BTreeMap::new();
            for row in rows.iter() {
                lost.extend(company_left(&row.state, side).map(|id| (id, Some(false))));
            }
            for (id, gone) in &mut lost {
                let Some((row, _)) = self.store.known(side, Kind::Company, id).await? else {
                    continue;
                };
                if self.store.presence(row).await? == Presence::Live
                    && let Err(error) = self
                        .confirm(side, Kind::Company, &[(row, id.clone())])
                        .await?
                {
                    tally.trouble(Trouble {
                        side,
                        kind: None,
                        error,
                    });
                    *gone = None;
                    continue;
                }
                *gone = Some(self.store.presence(row).await? != Presence::Live);
            }
            for row in rows.iter_mut() {
                let left = company_left(&row.state, side);
                match left.and_then(|id| lost.get(&id).copied()) {
                    None | Some(Some(false)) => {}
                    Some(Some(true)) if goes_both_ways => {
                        row.state.bases.of_mut(side).set(COMPANY, Value::Empty);
                        *row.moved.of_mut(side) = true;
                    }
                    Some(_) => {
                        row.state.images.of_mut(side).0.remove(COMPANY);
                    }
                }
            }
        }
        Ok(())
    }

    fn relink(&mut self, kind: Kind, side: Side, row: &PairRow, heir: i64, relinked: &mut Decided) {
        let mut rows = row.rows;
        *rows.of_mut(side) = heir;
        let adoption = &mut relinked.adoption;
        adoption.dropped.push(row.state.link);
        let number = self.store.number_link();
        let found = format!("took the place of {} in {side}", row.state.ids.of(side));
        adoption.relinked.push(Relinked {
            before: row.state.link,
            link: number,
            side,
            kind,
            rows,
            message: found.clone(),
        });
        // Whatever waited for a person about the one that is gone is settled by this.
        adoption.planned.push(*row.rows.of(side));
        // So is what failed there: of the new pair, whatever is still wanted is planned anew.
        for verb in [Verb::Update, Verb::Delete] {
            adoption.settled.push((*row.rows.of(side), verb.word()));
        }
        adoption.links.push(NewLink {
            link: number,
            kind,
            rows,
            found,
        });
    }
}

/// The side on which one record of a pair is gone while the other is there.
fn gone_side(row: &PairRow) -> Option<Side> {
    let gone = |side: &Side| *row.state.presence.of(*side) != Presence::Live;
    match (gone(&Side::Crm), gone(&Side::Desk)) {
        (true, false) => Some(Side::Crm),
        (false, true) => Some(Side::Desk),
        _ => None,
    }
}

/// The company that a contact was in when both sides last agreed, where its side now shows none.
fn company_left(state: &PairState, side: Side) -> Option<RecordId> {
    if !state.images.of(side).get(COMPANY)?.is_empty() {
        return None;
    }
    let before = state.bases.of(side).get(COMPANY)?.as_text()?;
    Some(RecordId::from(before))
}
