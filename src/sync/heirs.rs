//! Where a linked record lives on that is not under its own id any more.

use super::decide::Decided;
use super::observe::key_values;
use super::{CycleError, Engine, Tally, Trouble};
use crate::mapping::{Direction, Lens, Mapping};
use crate::model::{COMPANY, Kind, LinkId, Presence, RecordId, Side, Value};
use crate::plan::{PairState, Verdict, identify};
use crate::store::{Fate, NewLink, PairRow, Relinked, Verb};
use std::collections::{BTreeMap, HashSet};

/// How many merges, one into the other, a record is followed through.
const MERGES: usize = 16;

/// Who takes the place of a record that is gone.
struct Heir {
    /// Its handle in the state.
    row: i64,
    /// The link that it is taken out of, to a record that is gone as well.
    link: Option<LinkId>,
}

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
        let (mut taken, mut ended) = (HashSet::new(), HashSet::new());
        let (mut gone, mut rest): (Vec<_>, Vec<_>) =
            rows.into_iter().partition(|row| gone_side(row).is_some());
        // What has the keys comes before what a merge says, whatever the order of the pairs.
        for by_keys in [true, false] {
            for row in std::mem::take(&mut gone) {
                let heir = match gone_side(&row) {
                    _ if ended.contains(&row.state.link) => continue,
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
                let survivor = |side: Side| *row.rows.of(side.other());
                match heir {
                    Some((side, heir))
                        if !taken.contains(&heir.row) && taken.insert(survivor(side)) =>
                    {
                        taken.insert(heir.row);
                        ended.extend(heir.link);
                        self.relink(mapping.kind, side, &row, &heir, &mut relinked);
                    }
                    _ => gone.push(row),
                }
            }
        }
        rest.extend(
            gone.into_iter()
                .filter(|row| !ended.contains(&row.state.link)),
        );
        Ok((rest, relinked))
    }

    async fn heir_by_keys(
        &mut self,
        mapping: &Mapping,
        side: Side,
        row: &PairRow,
    ) -> Result<Option<Heir>, CycleError> {
        let keys = key_values(mapping, side, row.state.images.of(side));
        let heir = self.store.successor(side, mapping.kind, &keys).await?;
        Ok(heir.map(|row| Heir { row, link: None }))
    }

    /// The record that a merge left, or the merge of that one, unless it has a counterpart, is gone, or
    /// has the keys of somebody else's. A counterpart that was merged in its turn into that of the one that
    /// is gone is none: both sides have made one out of two, and each has kept another. The counterpart of
    /// the one that is gone may have them: whoever merged the two may have given it the heir's address as
    /// well.
    async fn heir_by_merge(
        &mut self,
        mapping: &Mapping,
        side: Side,
        row: &PairRow,
    ) -> Result<Option<Heir>, CycleError> {
        let (kind, survivor) = (mapping.kind, *row.rows.of(side.other()));
        let fate = row.fates.of(side).clone();
        let Some(heir) = self.last_heir(kind, side, fate).await? else {
            return Ok(None);
        };
        let heirs = self.store.records(&[heir.row]).await?;
        if heir.link.is_some()
            && let Some(it) = heirs.first()
            && self.counterparts_heir(kind, side, &it.id).await? != Some(survivor)
        {
            return Ok(None);
        }
        let mut index = self.store.index(kind, &heirs).await?;
        index.leave_out(survivor);
        Ok(matches!(identify(&index, heir.row), Verdict::New).then_some(heir))
    }

    /// Whom merges have made of the counterpart of this record, which is not there any more.
    async fn counterparts_heir(
        &mut self,
        kind: Kind,
        side: Side,
        id: &RecordId,
    ) -> Result<Option<i64>, CycleError> {
        let other = side.other();
        let Some(id) = self.store.counterpart(side, kind, id).await? else {
            return Ok(None);
        };
        let Some((row, _)) = self.store.known(other, kind, &id).await? else {
            return Ok(None);
        };
        if self.store.presence(row).await? == Presence::Live {
            return Ok(None);
        }
        let fate = self.store.fate(row).await?;
        let heir = self.last_heir(kind, other, fate).await?;
        Ok(heir.map(|it| it.row))
    }

    /// The record that merges have led to.
    async fn last_heir(
        &mut self,
        kind: Kind,
        side: Side,
        mut fate: Option<Fate>,
    ) -> Result<Option<Heir>, CycleError> {
        for _ in 0..MERGES {
            let Some(Fate::MovedTo(id)) = fate else {
                return Ok(None);
            };
            match self.store.known(side, kind, &id).await? {
                Some((row, link)) if self.store.presence(row).await? == Presence::Live => {
                    return Ok(Some(Heir { row, link }));
                }
                Some((row, _)) => fate = self.store.fate(row).await?,
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

    fn relink(
        &mut self,
        kind: Kind,
        side: Side,
        row: &PairRow,
        heir: &Heir,
        relinked: &mut Decided,
    ) {
        let mut rows = row.rows;
        *rows.of_mut(side) = heir.row;
        let adoption = &mut relinked.adoption;
        adoption.dropped.push(row.state.link);
        adoption.dropped.extend(heir.link);
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
