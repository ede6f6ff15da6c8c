//! What a person would have to decide, as a row of a plan.

use super::{Change, Field, real, values};
use crate::cli::exit::Failure;
use crate::cli::plan::Planned;
use crate::mapping::Field as MappedField;
use crate::model::Side;
use crate::store::{HoldView, Report, Wanted};
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// The row that shows `hold`; `bases` as [`bases`] knows them.
pub(super) fn held(hold: &HoldView, bases: &BTreeMap<String, Json>) -> Change {
    Change {
        record: hold.kind.clone(),
        action: "hold".to_owned(),
        side: hold.side.clone(),
        crm_id: real(hold.crm_id.as_ref()),
        freshdesk_id: real(hold.freshdesk_id.as_ref()),
        fields: disputed(hold, bases),
        note: hold.reason.clone(),
        effect: None,
    }
}

/// What both sides agreed on last of the fields of a pair: as the side shows it that a hold is about, of a
/// conflict the CRM.
pub(super) async fn bases(
    hold: &HoldView,
    planned: &Planned,
    state: &mut Report,
) -> Result<BTreeMap<String, Json>, Failure> {
    let mapping = planned
        .mappings
        .iter()
        .find(|it| it.kind.word() == hold.kind);
    let (Some(mapping), Some(id)) = (mapping, &hold.crm_id) else {
        return Ok(BTreeMap::new());
    };
    let is_desk = hold.side.as_deref() == Some(Side::Desk.word());
    let side = if is_desk { Side::Desk } else { Side::Crm };
    for row in state.find(&Wanted::Record(Side::Crm, id.clone())).await? {
        let story = state.story(row).await?;
        let story = story.filter(|story| story.kind == mapping.kind);
        let Some(record) = story.and_then(|it| it.records.of(side).clone()) else {
            continue;
        };
        let base = |field: &MappedField| {
            let base = field.read(side, &record.base)?;
            Some((field.name.clone(), values(&base)))
        };
        return Ok(mapping.fields.iter().filter_map(base).collect());
    }
    Ok(BTreeMap::new())
}

/// The fields that a person has to decide about: nothing is written, so there is no result.
fn disputed(hold: &HoldView, bases: &BTreeMap<String, Json>) -> Vec<Field> {
    let shown = |field: &Json, side: Side| {
        let values = field.get(side.word()).cloned().unwrap_or_default();
        match values {
            Json::Array(mut values) if values.len() <= 1 => values.pop().unwrap_or_default(),
            values => values,
        }
    };
    let fields = hold.fields.as_array().into_iter().flatten();
    fields
        .filter_map(|field| {
            let name = field.get("field")?.as_str()?;
            Some(Field {
                name: name.to_owned(),
                base: bases.get(name).cloned().unwrap_or_default(),
                crm: shown(field, Side::Crm),
                freshdesk: shown(field, Side::Desk),
                result: Json::Null,
                rule: "held for a person".to_owned(),
            })
        })
        .collect()
}
