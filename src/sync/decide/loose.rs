//! What records without a counterpart lead to: a link, a create, or being left alone.

use super::{Decided, Failed, Job, settle_failures, try_now, union};
use crate::mapping::Mapping;
use crate::model::{LinkId, Pair, Presence, RecordId, Side};
use crate::plan::{Class, PairState, Verdict, first_fields};
use crate::remote::Op;
use crate::store::{Answer, LooseRow, PairRow, Said, Standing, Verb};
use std::collections::HashSet;

/// How those are said to have been found whom a deletion had parted.
const AGAIN: &str = "its return";

/// What the records without a counterpart lead to.
#[derive(Debug, Default)]
pub struct LooseDecided {
    /// Standings and creates.
    pub decided: Decided,
    /// Records that were found to be the same: `(CRM's handle, Freshdesk's, found by)`.
    pub same: Vec<(i64, i64, String)>,
    /// Creates that are wanted, whether or not they are tried now.
    wanted: Vec<(i64, Verb)>,
}

/// Decides records without a counterpart, each with what identity says of it.
#[must_use]
pub fn loose<'a>(
    mapping: &Mapping,
    rows: impl IntoIterator<Item = (&'a LooseRow, Verdict)>,
    failed: &Failed,
    said: &Said,
) -> LooseDecided {
    let mut out = LooseDecided::default();
    let mut taken: HashSet<i64> = HashSet::new();
    for (row, verdict) in rows {
        if taken.contains(&row.row) {
            continue;
        }
        let jobs = out.wanted.len();
        loose_one(mapping, row, verdict, (failed, said), &mut taken, &mut out);
        let wanted = out.wanted.get(jobs..).unwrap_or_default().to_vec();
        settle_failures(failed, row.row, &wanted, &mut out.decided.adoption);
    }
    out
}

fn loose_one(
    mapping: &Mapping,
    row: &LooseRow,
    verdict: Verdict,
    known: (&Failed, &Said),
    taken: &mut HashSet<i64>,
    out: &mut LooseDecided,
) {
    if mapping.in_scope(row.side, &row.image) != Some(true) {
        let why = "it does not meet the scope".to_owned();
        return out.leave(row, Standing::OutOfScope, why);
    }
    match verdict {
        Verdict::Same { other, key } => {
            taken.insert(other);
            let found = mapping.keys.get(key).map_or("", |key| key.crm.as_str());
            out.join(row, other, found);
        }
        Verdict::Again { other } => {
            taken.insert(other);
            // One that left the scope meanwhile may have been met before: the two leave it as a pair.
            let standings = &mut out.decided.adoption.standings;
            standings.retain(|(left, ..)| *left != other);
            out.join(row, other, AGAIN);
        }
        Verdict::Shadowed { key, with } => {
            let name = mapping.keys.get(key).map_or("", |key| key.name(row.side));
            let why = format!(
                "`{name}` matches {} other record(s), or one that is linked",
                with.len()
            );
            out.leave(row, Standing::Shadowed, why);
            // One of them may have lost its counterpart, whose place this one can take.
            out.decided.adoption.shadowing.extend(with);
        }
        Verdict::New => new(mapping, row, known, out),
    }
}

impl LooseDecided {
    fn join(&mut self, row: &LooseRow, other: i64, found: &str) {
        let (crm, desk) = match row.side {
            Side::Crm => (row.row, other),
            Side::Desk => (other, row.row),
        };
        self.same.push((crm, desk, found.to_owned()));
        let create = Verb::Create.word();
        self.decided.adoption.settled.push((other, create));
    }

    fn leave(&mut self, row: &LooseRow, standing: Standing, why: String) {
        self.decided
            .adoption
            .standings
            .push((row.row, standing, why));
    }
}

fn new(
    mapping: &Mapping,
    row: &LooseRow,
    (failed, said): (&Failed, &Said),
    out: &mut LooseDecided,
) {
    let target = row.side.other();
    if row.detached {
        let why = "its counterpart was deleted, and deletions are ignored".to_owned();
        return out.leave(row, Standing::Detached, why);
    }
    if !mapping.create.of(target) {
        let why = format!("nothing is created in {target}, by the mapping");
        return out.leave(row, Standing::Single, why);
    }
    let company = row.companies.of(target).as_ref().map(|id| id.0.as_str());
    let changes = first_fields(mapping, row.side, &row.image, company);
    if changes.is_empty() {
        let why = "it has no mapped value to begin with".to_owned();
        return out.leave(row, Standing::Single, why);
    }
    let refused = said.to_duplicate(row.row) == Some(Answer::Discard);
    if refused || said.discards(row.row, Class::Create) {
        let why = "a person has decided that it gets no counterpart".to_owned();
        return out.leave(row, Standing::Detached, why);
    }
    out.decided.adoption.planned.push(row.row);
    out.wanted.push((row.row, Verb::Create));
    let Some(attempts) = try_now(failed, row.row, Verb::Create, &changes) else {
        return;
    };
    out.decided.jobs.push(Job {
        verb: Verb::Create,
        side: target,
        kind: mapping.kind,
        op: Op::Create {
            fields: union(&changes),
        },
        row: row.row,
        pair: half_pair(row),
        changes: changes.into(),
        attempts,
        asked_for: false,
        alone: false,
    });
}

/// A pair of which one half is still to be made.
pub(in crate::sync) fn half_pair(row: &LooseRow) -> PairRow {
    let mut pair = PairRow {
        rows: Pair { crm: 0, desk: 0 },
        state: PairState {
            link: LinkId(0),
            ids: Pair {
                crm: RecordId(String::new()),
                desk: RecordId(String::new()),
            },
            versions: Pair::default(),
            presence: Pair {
                crm: Presence::Live,
                desk: Presence::Live,
            },
            images: Pair::default(),
            bases: Pair::default(),
            companies: row.companies.clone(),
        },
        fates: Pair::default(),
        moved: Pair::default(),
    };
    *pair.rows.of_mut(row.side) = row.row;
    *pair.state.ids.of_mut(row.side) = row.id.clone();
    *pair.state.versions.of_mut(row.side) = row.version;
    *pair.state.images.of_mut(row.side) = row.image.clone();
    pair
}

/// Two records that are the same, as a pair that agrees on nothing yet.
#[must_use]
pub fn new_pair(link: LinkId, crm: LooseRow, desk: LooseRow) -> PairRow {
    PairRow {
        rows: Pair {
            crm: crm.row,
            desk: desk.row,
        },
        state: PairState {
            link,
            ids: Pair {
                crm: crm.id,
                desk: desk.id,
            },
            versions: Pair {
                crm: crm.version,
                desk: desk.version,
            },
            presence: Pair {
                crm: Presence::Live,
                desk: Presence::Live,
            },
            images: Pair {
                crm: crm.image,
                desk: desk.image,
            },
            bases: Pair::default(),
            companies: Pair::default(),
        },
        fates: Pair::default(),
        moved: Pair::default(),
    }
}
