//! From rows of the state to what is taken over and what is written: calls the planner, does nothing.

use crate::mapping::{Mapping, Untranslatable};
use crate::model::{
    COMPANY, Changes, Image, Kind, LinkId, Pair, Presence, RecordId, Side, Value, Version,
};
use crate::plan::{
    DeleteReason, FieldChange, Merged, Notice, NoticeKind, PairState, PairVerdict, Verdict, decide,
    first_fields,
};
use crate::remote::Op;
use crate::store::{
    Adoption, Fate, HoldRow, Intent, LooseRow, NewBase, NewLink, NoticeRow, Outboxed, PairRow,
    Standing, Verb,
};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// One write, and all that is needed to understand its answer.
#[derive(Debug, Clone)]
pub struct Job {
    /// What is done.
    pub verb: Verb,
    /// Where.
    pub side: Side,
    /// Of which kind.
    pub kind: Kind,
    /// The call's content.
    pub op: Op,
    /// The record to write, or to make a counterpart of: the outbox key.
    pub row: i64,
    /// The pair; a create's target has neither id nor image yet.
    pub pair: PairRow,
    /// The fields.
    pub changes: Arc<[FieldChange]>,
    /// How often it was tried, this time included.
    pub attempts: u32,
}

impl Job {
    /// What the state has to know before the write is sent.
    #[must_use]
    pub fn intent(&self) -> Intent {
        let create = self.verb == Verb::Create;
        let ids = &self.pair.state.ids;
        let id = |side: Side| (!create || side != self.side).then(|| ids.of(side).clone());
        Intent {
            row: self.row,
            verb: self.verb,
            side: self.side,
            kind: self.kind,
            link: (!create).then_some(self.pair.state.link),
            ids: Pair {
                crm: id(Side::Crm),
                desk: id(Side::Desk),
            },
            fields: Arc::clone(&self.changes),
            attempts: self.attempts,
        }
    }
}

/// What a chunk of rows leads to.
#[derive(Debug, Default)]
pub struct Decided {
    /// To be taken over before anything is sent.
    pub adoption: Adoption,
    /// To be sent.
    pub jobs: Vec<Job>,
}

/// Failed writes by record and action.
pub type Failed = HashMap<(i64, String), Outboxed>;

/// Decides linked pairs. `undoable` says for each side whether a delete there can be undone.
#[must_use]
pub fn pairs(
    mapping: &Mapping,
    rows: Vec<PairRow>,
    failed: &Failed,
    undoable: Pair<bool>,
) -> Decided {
    let mut out = Decided::default();
    for row in rows {
        let handles = row.rows;
        let mut wanted = Vec::new();
        out.adoption.planned.extend([handles.crm, handles.desk]);
        match decide(mapping, &row.state, undoable) {
            PairVerdict::OutOfScope => {}
            PairVerdict::BothGone => out.adoption.dropped.push(row.state.link),
            PairVerdict::HoldDelete(reason) => hold_delete(mapping.kind, &row, reason, &mut out),
            // What was merged or became something else was not deleted: nothing is deleted in its wake.
            PairVerdict::Unlink(reason) | PairVerdict::Trash(_, reason)
                if row.fates.of(reason.side).is_some() =>
            {
                hold_delete(mapping.kind, &row, reason, &mut out);
            }
            PairVerdict::Unlink(reason) => {
                out.adoption.dropped.push(row.state.link);
                let why = deleted(mapping.kind, &row, reason);
                let survivor = *row.rows.of(reason.side.other());
                out.adoption
                    .standings
                    .push((survivor, Standing::Detached, why));
            }
            PairVerdict::Trash(side, _) => {
                wanted.push((*row.rows.of(side), Verb::Delete));
                trash(mapping.kind, row, side, failed, &mut out);
            }
            PairVerdict::Merge(merged) => {
                for side in Side::BOTH {
                    if !merged.changes.of(side).is_empty() {
                        wanted.push((*handles.of(side), Verb::Update));
                    }
                }
                take(mapping.kind, row, merged, failed, &mut out);
            }
        }
        for handle in [handles.crm, handles.desk] {
            settle_failures(failed, handle, &wanted, &mut out.adoption);
        }
    }
    out
}

/// Forgets the failed writes about a record that are not wanted any more.
fn settle_failures(failed: &Failed, row: i64, wanted: &[(i64, Verb)], adoption: &mut Adoption) {
    if failed.is_empty() {
        return;
    }
    for verb in [Verb::Create, Verb::Update, Verb::Delete] {
        if !wanted.contains(&(row, verb)) && failed.contains_key(&(row, verb.word().to_owned())) {
            adoption.settled.push((row, verb.word()));
        }
    }
}

/// What a deletion is called where people read of it.
fn deleted(kind: Kind, row: &PairRow, reason: DeleteReason) -> String {
    let how = match (row.fates.of(reason.side), reason.seen) {
        (Some(Fate::Converted), _) => {
            "was made an agent, or something else that keeps its address,"
        }
        (Some(Fate::MovedTo(_)), _) => "was merged into another that has a counterpart of its own",
        (None, Presence::Trashed) => "was trashed, archived or blocked",
        (None, _) => "is not there any more",
    };
    format!("the {kind} {how} in {}", reason.side)
}

fn hold_delete(kind: Kind, row: &PairRow, reason: DeleteReason, out: &mut Decided) {
    let other = reason.side.other();
    out.adoption.holds.push(HoldRow {
        kind,
        class: "delete",
        side: Some(other),
        row: row.rows.crm,
        field: String::new(),
        detail: "[]".to_owned(),
        reason: format!(
            "{}; its counterpart in {other} is kept until a person decides",
            deleted(kind, row, reason),
        ),
    });
}

fn trash(kind: Kind, row: PairRow, side: Side, failed: &Failed, out: &mut Decided) {
    let target = *row.rows.of(side);
    let id = row.state.ids.of(side).clone();
    if let Some(attempts) = try_now(failed, target, Verb::Delete, &[]) {
        out.jobs.push(Job {
            verb: Verb::Delete,
            side,
            kind,
            op: Op::Delete { id },
            row: target,
            pair: row,
            changes: Arc::default(),
            attempts,
        });
    }
}

/// How many tries a write makes with this one; `None` where the same write failed and its pause is
/// not over.
fn try_now(failed: &Failed, row: i64, verb: Verb, changes: &[FieldChange]) -> Option<u32> {
    let Some(before) = failed.get(&(row, verb.word().to_owned())) else {
        return Some(1);
    };
    let same = serde_json::to_string(changes).is_ok_and(|effect| effect == before.effect);
    match (same, before.due) {
        (true, false) => None,
        (true, true) => Some(before.attempts.saturating_add(1)),
        (false, _) => Some(1),
    }
}

fn take(kind: Kind, row: PairRow, merged: Merged, failed: &Failed, out: &mut Decided) {
    for notice in merged.notices {
        note(kind, &row, notice, &mut out.adoption);
    }
    let mut state = row.state;
    let Pair { crm, desk } = merged.agreed;
    for (side, agreed) in [(Side::Crm, crm), (Side::Desk, desk)] {
        if agreed.is_empty() {
            continue;
        }
        let base = state.bases.of_mut(side);
        base.0.extend(agreed.0);
        let same = base == state.images.of(side);
        out.adoption.bases.push(NewBase {
            row: *row.rows.of(side),
            base: (!same).then(|| base.clone()),
        });
    }
    let Pair { crm, desk } = merged.changes;
    let mut wanted = Vec::with_capacity(2);
    for (side, changes) in [(Side::Crm, crm), (Side::Desk, desk)] {
        if changes.is_empty() {
            continue;
        }
        if let Some(attempts) = try_now(failed, *row.rows.of(side), Verb::Update, &changes) {
            wanted.push((side, changes, attempts));
        }
    }
    let pair = PairRow {
        rows: row.rows,
        state,
        fates: Pair::default(),
    };
    // Most pairs are written on one side only, and their state is handed on, not copied.
    let last = wanted.pop();
    for (side, changes, attempts) in wanted {
        out.jobs
            .push(update(kind, side, pair.clone(), changes, attempts));
    }
    if let Some((side, changes, attempts)) = last {
        out.jobs.push(update(kind, side, pair, changes, attempts));
    }
}

pub(super) fn update(
    kind: Kind,
    side: Side,
    pair: PairRow,
    changes: Vec<FieldChange>,
    attempts: u32,
) -> Job {
    let fields = union(&changes);
    let company_before = fields
        .get(COMPANY)
        .and_then(|_| pair.state.images.of(side).get(COMPANY)?.as_text())
        .map(RecordId::from);
    Job {
        verb: Verb::Update,
        side,
        kind,
        op: Op::Update {
            id: pair.state.ids.of(side).clone(),
            fields,
            company_before,
        },
        row: *pair.rows.of(side),
        pair,
        changes: changes.into(),
        attempts,
    }
}

pub(super) fn union(changes: &[FieldChange]) -> Changes {
    let mut all = Image::default();
    for change in changes {
        all.overlay(&change.set);
    }
    all
}

fn note(kind: Kind, row: &PairRow, notice: Notice, adoption: &mut Adoption) {
    match notice.kind {
        NoticeKind::Held { values } => adoption.holds.push(HoldRow {
            kind,
            class: "conflict",
            side: None,
            row: row.rows.crm,
            detail: serde_json::json!([{
                "field": notice.field, "crm": values.crm, "freshdesk": values.desk,
            }])
            .to_string(),
            reason: format!("`{}` was changed on both sides", notice.field),
            field: notice.field,
        }),
        NoticeKind::Untranslatable {
            source,
            why: Untranslatable::CompanyNotLinked,
        } => {
            let company = row.state.images.of(source).get(COMPANY);
            if let Some(id) = company.and_then(Value::as_text) {
                adoption
                    .waiting
                    .push((source, id.to_owned(), *row.rows.of(source)));
            }
        }
        NoticeKind::Untranslatable { source, why } => adoption.notices.push(NoticeRow {
            row: row.rows.crm,
            reason: format!("the value of {source} cannot cross over: {why}"),
            field: notice.field,
        }),
    }
}

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
) -> LooseDecided {
    let mut out = LooseDecided::default();
    let mut taken: HashSet<i64> = HashSet::new();
    for (row, verdict) in rows {
        if taken.contains(&row.row) {
            continue;
        }
        let jobs = out.wanted.len();
        loose_one(mapping, row, verdict, failed, &mut taken, &mut out);
        let wanted = out.wanted.get(jobs..).unwrap_or_default().to_vec();
        settle_failures(failed, row.row, &wanted, &mut out.decided.adoption);
    }
    out
}

fn loose_one(
    mapping: &Mapping,
    row: &LooseRow,
    verdict: Verdict,
    failed: &Failed,
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
            let (crm, desk) = match row.side {
                Side::Crm => (row.row, other),
                Side::Desk => (other, row.row),
            };
            let found = mapping.keys.get(key).map_or("", |key| key.crm.as_str());
            out.same.push((crm, desk, found.to_owned()));
            let create = Verb::Create.word();
            out.decided.adoption.settled.push((other, create));
        }
        Verdict::Shadowed { key, with } => {
            let name = mapping.keys.get(key).map_or("", |key| key.name(row.side));
            let why = format!(
                "`{name}` matches {} other record(s), or one that is linked",
                with.len()
            );
            out.leave(row, Standing::Shadowed, why);
        }
        Verdict::New => new(mapping, row, failed, out),
    }
}

impl LooseDecided {
    fn leave(&mut self, row: &LooseRow, standing: Standing, why: String) {
        self.decided
            .adoption
            .standings
            .push((row.row, standing, why));
    }
}

fn new(mapping: &Mapping, row: &LooseRow, failed: &Failed, out: &mut LooseDecided) {
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
    });
}

/// A pair of which one half is still to be made.
pub(super) fn half_pair(row: &LooseRow) -> PairRow {
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
    }
}

/// The link of a new pair.
#[must_use]
pub fn new_link(kind: Kind, pair: &PairRow, found: String) -> NewLink {
    NewLink {
        link: pair.state.link,
        kind,
        rows: pair.rows,
        found,
    }
}

/// The version to remember for a record that a create has made, where the server named none.
#[must_use]
pub fn version_or(version: Version, known: Version) -> Version {
    if version.0 > 0 { version } else { known }
}
