//! Fields that are fought over wait for a person, who is told who is likely at it.

use super::guard::Guarding;
use super::{CycleError, Engine};
use crate::mapping::Mapping;
use crate::model::{LinkId, Side};
use crate::plan::{
    FieldChange, Fight, HOUR, Merged, PairVerdict, Rule, flap, leave_be, opponent, recent,
};
use crate::store::{Adoption, Answer, HoldRow, PairRow, PastWrites, Said};
use chrono::TimeDelta;
use std::collections::HashMap;

/// Earlier writes of what is about to be written; nothing where nobody looks for fights.
#[derive(Debug, Default)]
pub(super) struct Lately {
    past: PastWrites,
    /// In milliseconds since 1970.
    now: i64,
}

impl Engine {
    /// What is known of earlier writes of the fields that these verdicts want to write.
    pub(super) async fn lately(
        &mut self,
        judged: &[(PairRow, PairVerdict)],
    ) -> Result<Lately, CycleError> {
        let mut planned: HashMap<LinkId, Vec<&str>> = HashMap::new();
        for (row, verdict) in judged {
            let PairVerdict::Merge(merged) = verdict else {
                continue;
            };
            let changes = Side::BOTH.iter().flat_map(|side| merged.changes.of(*side));
            let names: Vec<&str> = changes.map(|it| it.field.as_str()).collect();
            if !names.is_empty() {
                planned.insert(row.state.link, names);
            }
        }
        if planned.is_empty() || matches!(self.guarding, Guarding::Off) {
            return Ok(Lately::default());
        }
        let now = self.clock.now();
        let since = now - TimeDelta::milliseconds(HOUR);
        Ok(Lately {
            past: self.store.written_lately(&planned, since).await?,
            now: now.timestamp_millis(),
        })
    }
}

/// Takes the fields of a pair that are fought over out of what is to be written; its other fields go
/// on. What a person has just decided is no fight.
pub(super) fn break_off(
    mapping: &Mapping,
    row: &PairRow,
    merged: &mut Merged,
    (said, lately): (&Said, &Lately),
    adoption: &mut Adoption,
) {
    if lately.past.is_empty() && said.is_silent() {
        return;
    }
    let answer = |change: &FieldChange| said.to_flap(row.rows.crm, &change.field, &detail(change));
    if !said.is_silent() {
        leave_be(mapping, &row.state, merged, |_, change| {
            matches!(answer(change), Some((Answer::Discard, _)))
        });
    }
    for target in Side::BOTH {
        merged.changes.of_mut(target).retain(|change| {
            let past = lately.past.of(row.state.link, &change.field);
            let chosen = matches!(change.rule, Rule::Chosen(_));
            let fought = flap(past, target, &change.set, lately.now).filter(|_| !chosen);
            let Some(fought) = fought else { return true };
            let fight = Fight {
                target,
                change,
                fought,
                past: recent(past, lately.now).collect(),
                images: &row.state.images,
                versions: row.state.versions,
            };
            let mut hold = hold(mapping, row, &fight, past.len());
            let approved = answer(change);
            if let Some((_, shown)) = approved {
                // The answer is one to what was shown, and is forgotten when the value is written.
                shown.clone_into(&mut hold.reason);
            }
            adoption.holds.push(hold);
            approved.is_some()
        });
    }
}

fn detail(change: &FieldChange) -> String {
    serde_json::json!([{
        "field": change.field, "crm": change.crm, "freshdesk": change.freshdesk,
    }])
    .to_string()
}

fn hold(mapping: &Mapping, row: &PairRow, fight: &Fight<'_>, times: usize) -> HoldRow {
    let Fight { change, fought, .. } = fight;
    let field = &change.field;
    HoldRow {
        kind: mapping.kind,
        class: "flap",
        side: Some(fight.target),
        row: row.rows.crm,
        field: field.clone(),
        detail: detail(change),
        reason: format!(
            "`{field}` {fought}: written {times} times within the hour; {}",
            opponent(fight)
        ),
        approvable: true,
    }
}
