//! An approved write as a row of a plan.

use super::{Change, field, real};
use crate::plan::{PlannedWrite, Subject};

/// The row that shows `write`.
pub(in crate::cli) fn planned(write: &PlannedWrite) -> Change {
    let is_ticket = write.record == Subject::Ticket;
    let action = write.action.word().to_owned();
    let id = |id: Option<&crate::model::RecordId>| real(id.map(|id| &id.0));
    Change {
        record: write.record.word().to_owned(),
        action: if is_ticket {
            "ticket".to_owned()
        } else {
            action.clone()
        },
        side: Some(write.side.to_string()),
        crm_id: id(write.crm_id.as_ref()),
        freshdesk_id: id(write.freshdesk_id.as_ref()),
        fields: write.fields.iter().map(field).collect(),
        note: String::new(),
        effect: is_ticket.then_some(action),
    }
}
