//! From rows of the state to what is taken over and what is written: calls the planner, does nothing.

mod held;
mod loose;

pub(super) use loose::half_pair;
pub use loose::{LooseDecided, loose, new_pair};

use super::flap::{Lately, break_off};
use crate::mapping::{Mapping, Untranslatable};
use crate::model::{COMPANY, Changes, Image, Kind, Pair, RecordId, Side, Value, Version};
use crate::plan::{
    Class, DeleteReason, FieldChange, Merged, Notice, NoticeKind, PairVerdict, decide,
};
use crate::remote::Op;
use crate::store::{
    Adoption, Answer, Intent, Kept, NewBase, NewLink, NoticeRow, Outboxed, PairRow, Said, Standing,
    Verb,
};
use held::{as_told, conflict_hold, delete_hold, deleted};
use std::collections::HashMap;
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
    /// Whether a person has asked for just this one.
    pub asked_for: bool,
    /// Whether it is sent by itself: before, no answer told what became of it.
    pub alone: bool,
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
    /// The failed writes that were known when that was decided.
    pub failed: Failed,
}

/// Failed writes by record and action.
pub type Failed = HashMap<(i64, String), Outboxed>;

/// Decides linked pairs. `undoable` says for each side whether a delete there can be undone, `said`
/// what people have answered.
#[must_use]
pub fn pairs(
    mapping: &Mapping,
    rows: Vec<PairRow>,
    failed: &Failed,
    undoable: Pair<bool>,
    said: &Said,
) -> Decided {
    let judged = judge(mapping, rows, undoable);
    judged_pairs(
        mapping,
        judged,
        failed,
        undoable,
        (said, &Lately::default()),
    )
}

/// What the planner says of linked pairs.
pub(super) fn judge(
    mapping: &Mapping,
    rows: Vec<PairRow>,
    undoable: Pair<bool>,
) -> Vec<(PairRow, PairVerdict)> {
    let judge = |row: PairRow| {
        let verdict = decide(mapping, &row.state, undoable);
        (row, verdict)
    };
    rows.into_iter().map(judge).collect()
}

/// As [`pairs`], with what the planner says of each, and with what was written before.
pub(super) fn judged_pairs(
    mapping: &Mapping,
    judged: Vec<(PairRow, PairVerdict)>,
    failed: &Failed,
    undoable: Pair<bool>,
    (said, lately): (&Said, &Lately),
) -> Decided {
    let mut out = Decided::default();
    for (row, verdict) in judged {
        let handles = row.rows;
        let mut wanted = Vec::new();
        out.adoption.planned.extend([handles.crm, handles.desk]);
        match verdict {
            PairVerdict::OutOfScope => {}
            PairVerdict::BothGone => out.adoption.dropped.push(row.state.link),
            PairVerdict::Unlink(reason) if row.fates.of(reason.side).is_none() => {
                unlink(mapping.kind, &row, reason, &mut out);
            }
            PairVerdict::Trash(_, reason) if said.discards(handles.crm, Class::Delete) => {
                unlink(mapping.kind, &row, reason, &mut out);
            }
            PairVerdict::Trash(side, reason) if row.fates.of(reason.side).is_none() => {
                wanted.push((*handles.of(side), Verb::Delete));
                trash(mapping.kind, row, side, failed, false, &mut out);
            }
            // What was merged or became something else was not deleted: nothing is deleted in its wake.
            PairVerdict::HoldDelete(reason)
            | PairVerdict::Unlink(reason)
            | PairVerdict::Trash(_, reason) => {
                let side = reason.side.other();
                let hold = delete_hold(mapping.kind, &row, reason, *undoable.of(side));
                match said.to(hold.row, hold.class, "", &hold.detail, &hold.reason) {
                    Some(Answer::Discard) => unlink(mapping.kind, &row, reason, &mut out),
                    Some(Answer::Approve) if hold.approvable => {
                        // It is forgotten when the delete is done.
                        out.adoption.holds.push(hold);
                        wanted.push((*handles.of(side), Verb::Delete));
                        trash(mapping.kind, row, side, failed, true, &mut out);
                    }
                    _ => out.adoption.holds.push(hold),
                }
            }
            PairVerdict::Merge(merged) => {
                let mut merged = as_told(mapping, &row, merged, said, &mut out.adoption);
                break_off(
                    mapping,
                    &row,
                    &mut merged,
                    (said, lately),
                    &mut out.adoption,
                );
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

/// The survivor of a deletion stays, and gets no new counterpart: only the one that it had, should that
/// come back.
fn unlink(kind: Kind, row: &PairRow, reason: DeleteReason, out: &mut Decided) {
    out.adoption.dropped.push(row.state.link);
    let why = deleted(kind, row, reason);
    let survivor = *row.rows.of(reason.side.other());
    let gone = *row.rows.of(reason.side);
    out.adoption.parted.push((gone, survivor));
    out.adoption
        .standings
        .push((survivor, Standing::Detached, why));
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

fn trash(
    kind: Kind,
    row: PairRow,
    side: Side,
    failed: &Failed,
    asked_for: bool,
    out: &mut Decided,
) {
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
            asked_for,
            alone: false,
        });
    }
}

/// How many tries a write makes with this one; `None` where the same write failed and its pause is
/// not over.
pub(super) fn try_now(
    failed: &Failed,
    row: i64,
    verb: Verb,
    changes: &[FieldChange],
) -> Option<u32> {
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

/// Marks the writes that are sent by themselves: one that a server has a fault with takes its whole batch
/// with it, again and again.
pub(super) fn part(jobs: &mut [Job], failed: &Failed) {
    if failed.values().any(|it| it.doubted) {
        for job in jobs {
            let before = failed.get(&(job.row, job.verb.word().to_owned()));
            job.alone = before.is_some_and(|it| it.doubted);
        }
    }
}

fn take(kind: Kind, row: PairRow, merged: Merged, failed: &Failed, out: &mut Decided) {
    for notice in merged.notices {
        note(kind, &row, notice, &mut out.adoption);
    }
    if !merged.kept.is_empty() {
        out.adoption.kept.push(Kept {
            link: row.state.link,
            kind,
            rows: row.rows,
            fields: merged.kept,
        });
    }
    let mut state = row.state;
    let Pair { crm, desk } = merged.agreed;
    for (side, agreed) in [(Side::Crm, crm), (Side::Desk, desk)] {
        if agreed.is_empty() && !*row.moved.of(side) {
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
        moved: Pair::default(),
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
        asked_for: false,
        alone: false,
    }
}

impl Job {
    /// Leaves these of an update's changes. Returns `None` where that is nothing.
    #[must_use]
    pub fn only(mut self, changes: Vec<FieldChange>) -> Option<Self> {
        if changes.is_empty() {
            return None;
        }
        if let Op::Update { fields, .. } = &mut self.op {
            *fields = union(&changes);
        }
        self.changes = changes.into();
        Some(self)
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
        NoticeKind::Held {
            values,
            agreed_once,
        } => {
            let hold = conflict_hold(kind, row, &notice.field, (&values, agreed_once));
            adoption.holds.push(hold);
        }
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
