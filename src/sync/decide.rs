//! From rows of the state to what is taken over and what is written: calls the planner, does nothing.

mod loose;

pub(super) use loose::half_pair;
pub use loose::{LooseDecided, loose, new_pair};

use crate::mapping::{Mapping, Untranslatable};
use crate::model::{COMPANY, Changes, Image, Kind, Pair, Presence, RecordId, Side, Value, Version};
use crate::plan::{
    Class, DeleteReason, FieldChange, Merged, Notice, NoticeKind, PairVerdict, Told, clears,
    decide, leave_be, merge_as_told,
};
use crate::remote::Op;
use crate::store::{
    Adoption, Answer, Fate, HoldRow, Intent, NewBase, NewLink, NoticeRow, Outboxed, PairRow, Said,
    Standing, Verb,
};
use std::collections::{BTreeMap, HashMap};
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
    let mut out = Decided::default();
    for row in rows {
        let handles = row.rows;
        let mut wanted = Vec::new();
        out.adoption.planned.extend([handles.crm, handles.desk]);
        match decide(mapping, &row.state, undoable) {
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
                let merged = as_told(mapping, &row, merged, said, &mut out.adoption);
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

/// What is to be merged after all that people have said about the pair.
fn as_told(
    mapping: &Mapping,
    row: &PairRow,
    mut merged: Merged,
    said: &Said,
    adoption: &mut Adoption,
) -> Merged {
    let mut told = BTreeMap::new();
    for notice in &merged.notices {
        let NoticeKind::Held { values } = &notice.kind else {
            continue;
        };
        let hold = conflict_hold(mapping.kind, row, &notice.field, values);
        let said = said.to(
            hold.row,
            hold.class,
            &hold.field,
            &hold.detail,
            &hold.reason,
        );
        let Some(answer) = said else { continue };
        let answer = match answer {
            Answer::Approve => Told::Newest,
            Answer::Take(side) => Told::Take(side),
            Answer::Discard => Told::Keep,
        };
        told.insert(notice.field.clone(), answer);
        if answer != Told::Keep {
            // It is forgotten when the value is written.
            adoption.holds.push(hold);
        }
    }
    if !told.is_empty() {
        merged = merge_as_told(mapping, &row.state, &told);
    }
    let discards = [Class::Update, Class::Clear].map(|class| said.discards(row.rows.crm, class));
    if let [update, clear] = discards
        && (update || clear)
    {
        leave_be(mapping, &row.state, &mut merged, |target, change| {
            if clears(change, target) {
                clear
            } else {
                update
            }
        });
    }
    merged
}

/// The survivor of a deletion stays, and gets no new counterpart.
fn unlink(kind: Kind, row: &PairRow, reason: DeleteReason, out: &mut Decided) {
    out.adoption.dropped.push(row.state.link);
    let why = deleted(kind, row, reason);
    let survivor = *row.rows.of(reason.side.other());
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

/// What a deletion is called where people read of it.
fn deleted(kind: Kind, row: &PairRow, reason: DeleteReason) -> String {
    let how = match (row.fates.of(reason.side), reason.seen) {
        (Some(Fate::Converted), _) => {
            "was made an agent, or something else that keeps its address,"
        }
        (Some(Fate::MovedTo(_)), _) => "was merged into another that has a counterpart of its own",
        (Some(Fate::Unsure), _) => "was found missing when the state was an older copy",
        (None, Presence::Trashed) => "was trashed, archived or blocked",
        (None, _) => "is not there any more",
    };
    format!("the {kind} {how} in {}", reason.side)
}

fn delete_hold(kind: Kind, row: &PairRow, reason: DeleteReason, undoable: bool) -> HoldRow {
    let other = reason.side.other();
    let what = deleted(kind, row, reason);
    HoldRow {
        kind,
        class: "delete",
        side: Some(other),
        row: row.rows.crm,
        field: String::new(),
        detail: "[]".to_owned(),
        reason: if undoable {
            format!("{what}; its counterpart in {other} is kept until a person decides")
        } else {
            format!(
                "{what}; its counterpart in {other} is kept, since a delete there cannot be undone: only a person can make it, there"
            )
        },
        approvable: undoable,
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
        NoticeKind::Held { values } => {
            let hold = conflict_hold(kind, row, &notice.field, &values);
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

fn conflict_hold(kind: Kind, row: &PairRow, field: &str, values: &Pair<Vec<Value>>) -> HoldRow {
    HoldRow {
        kind,
        class: "conflict",
        side: None,
        row: row.rows.crm,
        field: field.to_owned(),
        detail: serde_json::json!([{
            "field": field, "crm": values.crm, "freshdesk": values.desk,
        }])
        .to_string(),
        reason: format!("`{field}` was changed on both sides"),
        approvable: true,
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
