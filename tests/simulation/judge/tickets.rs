//! What must hold of tickets when everything is quiet.

use super::ledger::Ledger;
use crate::clients::SIGNATURE;
use crate::life::Life;
use crate::people::reference;
use crate::systems::State;
use crate::systems::filed::Filed;
use deskbridge::model::{Presence, Priority, RecordId, Side};
use deskbridge::plan::FieldChange;
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn judge(life: &Life, ledger: &Ledger, wrong: &mut Vec<String>) {
    let state = life.systems.state();
    journalled(&state, ledger, wrong);
    for write in &state.witness.tickets {
        let raises = write.change.as_ref().and_then(|it| it.priority) == Some(Priority::Urgent);
        // A ticket may change hands between our last look at it and the change.
        let mut whose = write.requester.iter().chain(&write.raised_for);
        if let (true, Some(requester)) = (raises, &write.requester)
            && !whose.any(|it| was_vip(&state, ledger, &it.0, write.at))
        {
            wrong.push(format!(
                "ticket {} of {requester}, no VIP, was raised",
                write.id
            ));
        }
    }
    let ends = life.setting.tickets.unwrap_or_default();
    for filed in state.tickets.all.values() {
        let id = &filed.ticket.id;
        let notes = filed.notes.iter().filter(|it| it.contains(SIGNATURE));
        let notes = notes.count();
        if notes > 1 {
            wrong.push(format!("ticket {id} has {notes} notes"));
        }
        if ledger.tickets.contains(&id.0) || life.discarded.contains("ticket") {
            continue;
        }
        if let Some(lacks) = lacks(&state, ledger, filed, ends, notes) {
            let (ticket, decided) = (&filed.ticket, &filed.decided);
            wrong.push(format!(
                "ticket {id}: {lacks}: {ticket:?} {decided:?} {:?}",
                filed.raised
            ));
        }
    }
}

/// What is wrong with a ticket that people work on.
fn lacks(
    state: &State,
    ledger: &Ledger,
    filed: &Filed,
    ends: &str,
    notes: usize,
) -> Option<&'static str> {
    let ticket = &filed.ticket;
    let open = ticket.presence == Presence::Live && matches!(ticket.image.status, 2 | 3);
    if !open || filed.unclear {
        return None;
    }
    let vip = is_vips(state, ledger, &ticket.requester);
    // What was given back before the note could be posted is nobody's question any more.
    let stays = ends == "keep" || vip == Some(true);
    if filed.raised.is_some() && notes == 0 && !filed.mute && stays {
        return Some("it was raised, and nobody is told why");
    }
    if filed.decided.is_some() {
        return None;
    }
    match (vip?, ticket.image.priority) {
        (true, Priority::Urgent) => None,
        (true, _) => Some("it is a VIP's and not urgent"),
        (false, _) if filed.raised.is_some() && ends == "restore" && !filed.closed => {
            Some("it is no VIP's any more and still raised")
        }
        (false, _) => None,
    }
}

/// Whether a ticket's customer is a VIP; nothing where they are not on both sides.
fn is_vips(state: &State, ledger: &Ledger, requester: &RecordId) -> Option<bool> {
    let customer = ledger.counterpart(&requester.0)?;
    let customer = state.accounts.crm.contacts.get(&customer)?;
    let desk = state
        .accounts
        .desk
        .contacts
        .get(&requester.0.parse().ok()?)?;
    let there = customer.is_live() && desk.is_live();
    there.then(|| customer.text("customer_tier") == "vip")
}

/// Whether somebody was a VIP at this time, or before. A merge may have given either of the two another reference
/// since.
pub(crate) fn was_vip(state: &State, ledger: &Ledger, contact: &str, at: i64) -> bool {
    let id: u64 = contact.parse().unwrap_or(0);
    let desk = state.accounts.desk.contacts.get(&id);
    let names = desk.map(|it| it.ever(reference(Side::Desk)));
    let names: BTreeSet<&str> = names.into_iter().flatten().collect();
    let linked = ledger.counterpart(contact);
    let records = &state.accounts.crm.contacts;
    let mut vips = state.vips.iter().filter(|(_, since)| **since <= at);
    vips.any(|(vip, _)| {
        let known = records.get(vip);
        let mut same = known
            .into_iter()
            .flat_map(|it| it.ever(reference(Side::Crm)));
        Some(*vip) == linked || same.any(|it| names.contains(it))
    })
}

/// Each change of a ticket that reached the helpdesk was written down.
fn journalled(state: &State, ledger: &Ledger, wrong: &mut Vec<String>) {
    let mut rows: BTreeMap<(String, String), i64> = BTreeMap::new();
    for row in ledger.journal.iter().filter(|row| row.kind == "ticket") {
        let changes: Vec<FieldChange> = serde_json::from_str(&row.fields).unwrap();
        for change in changes {
            let value = change.set.0.values().next().cloned().unwrap_or_default();
            let what = match change.field.as_str() {
                "note" => "note".to_owned(),
                _ => value.as_text().unwrap_or_default().to_owned(),
            };
            let id = row.desk_id.clone().unwrap_or_default();
            *rows.entry((id, what)).or_default() += 1;
        }
    }
    for write in &state.witness.tickets {
        let what = match &write.change {
            None => "note".to_owned(),
            Some(change) => change
                .priority
                .map_or_else(String::new, |it| it.word().to_owned()),
        };
        let left = rows.entry((write.id.0.clone(), what.clone())).or_default();
        *left -= 1;
        if *left < 0 {
            wrong.push(format!("not in the journal: ticket {} {what}", write.id));
        }
    }
}
