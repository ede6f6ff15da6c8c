//! What of linked pairs waits for a person, and what that person has said.

use crate::mapping::Mapping;
use crate::model::{Kind, Pair, Presence, Value};
use crate::plan::{Class, DeleteReason, Merged, NoticeKind, Told, clears, leave_be, merge_as_told};
use crate::store::{Adoption, Fate, HoldRow, PairRow, Said, VainAnswer};
use std::collections::BTreeMap;

/// What is to be merged after all that people have said about the pair.
pub(super) fn as_told(
    mapping: &Mapping,
    row: &PairRow,
    mut merged: Merged,
    said: &Said,
    adoption: &mut Adoption,
) -> Merged {
    let mut told = BTreeMap::new();
    let mut holds = Vec::new();
    for notice in &merged.notices {
        let NoticeKind::Held {
            values,
            agreed_once,
        } = &notice.kind
        else {
            continue;
        };
        let hold = conflict_hold(mapping.kind, row, &notice.field, (values, *agreed_once));
        let said = said.to(
            hold.row,
            hold.class,
            &hold.field,
            &hold.detail,
            &hold.reason,
        );
        let Some(answer) = said else { continue };
        told.insert(notice.field.clone(), answer.told());
        holds.push((hold, answer));
    }
    if !told.is_empty() {
        let answers = told.len();
        merged = merge_as_told(mapping, &row.state, &told);
        for (hold, answer) in holds {
            if merged.stuck(&hold.field).is_some() {
                told.remove(&hold.field);
                adoption.vain.push(VainAnswer {
                    row: hold.row,
                    field: hold.field,
                    answer,
                });
            } else if answer.told() != Told::Keep {
                // It is forgotten when the value is written.
                adoption.holds.push(hold);
            }
        }
        if told.len() < answers {
            merged = merge_as_told(mapping, &row.state, &told);
        }
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

/// What a deletion is called where people read of it.
pub(super) fn deleted(kind: Kind, row: &PairRow, reason: DeleteReason) -> String {
    let how = match (row.fates.of(reason.side), reason.seen) {
        (Some(Fate::Converted), _) => {
            "was made an agent, or something else that keeps its address,"
        }
        (Some(Fate::MovedTo(heir)), _) => {
            return format!(
                "the {kind} was merged into {}:{heir}, which has a counterpart of its own",
                reason.side
            );
        }
        (Some(Fate::Unsure), _) => "was found missing when the state was an older copy",
        (None, Presence::Trashed) => "was trashed, archived or blocked",
        (None, _) => "is not there any more",
    };
    format!("the {kind} {how} in {}", reason.side)
}

pub(super) fn delete_hold(
    kind: Kind,
    row: &PairRow,
    reason: DeleteReason,
    undoable: bool,
) -> HoldRow {
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

pub(super) fn conflict_hold(
    kind: Kind,
    row: &PairRow,
    field: &str,
    (values, agreed_once): (&Pair<Vec<Value>>, bool),
) -> HoldRow {
    let why = if agreed_once {
        "was changed on both sides"
    } else {
        "is not the same on both sides, which never agreed on it"
    };
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
        reason: format!("`{field}` {why}"),
        approvable: true,
    }
}
