//! What customers and agents do with tickets.

use crate::people::{any, reference};
use crate::systems::State;
use deskbridge::model::{Kind, Presence, Priority, RecordId, Side, Ticket};
use rand::Rng as _;

/// So many at once are changed by a bulk job.
const MANY: u32 = 7;

/// What a standing does to tickets. `{ON_END}` says what becomes of it.
pub(crate) const RULE: &str = r#"
[[ticket_rule]]
name     = "vip"
when     = { record = "contact", field = "customer_tier", in = ["vip"] }
tickets  = { status = ["open", "pending"] }
priority = "urgent"
note     = "{{ contact.name }} is a VIP."
on_end   = "{ON_END}"
"#;

/// How the rule signs its notes.
pub(crate) const SIGNATURE: &str = "deskbridge, ticket rule \"vip\"";

/// One thing that somebody does.
pub(crate) fn act(state: &mut State) {
    match state.random.random_range(0..12) {
        0..=2 => open(state),
        3 | 4 => promote(state),
        _ => work(state),
    }
}

fn open(state: &mut State) {
    // One of them writes more than the others.
    let regular = state.accounts.desk.live(Kind::Contact).first().copied();
    let requester = if state.random.random_bool(0.5) {
        regular
    } else {
        any(state, Side::Desk, Kind::Contact)
    };
    let Some(requester) = requester else { return };
    let many = if state.random.random_bool(0.25) {
        MANY
    } else {
        1
    };
    for _ in 0..many {
        write(state, requester);
    }
}

/// This contact of Freshdesk opens a ticket.
pub(crate) fn write(state: &mut State, requester: u64) -> u64 {
    let now = state.now;
    let id = state.tickets.open(&requester.to_string(), None, now);
    let lapses = is_to_lapse(state, requester);
    if let Some(filed) = state.tickets.all.get_mut(&id) {
        filed.lapsed = lapses;
    }
    state.tell(|| format!("{requester} opens ticket {id}"));
    id
}

/// Whether this contact of Freshdesk is no VIP any more, and the engine may not know yet: for the engine the
/// standing ends only after the ticket came.
fn is_to_lapse(state: &State, contact: u64) -> bool {
    let Some(id) = same_in_crm(state, contact).filter(|id| state.vips.contains_key(id)) else {
        return false;
    };
    let customer = &state.accounts.crm.contacts[&id];
    let edit = customer.edits.get("customer_tier");
    customer.text("customer_tier") != "vip" && edit.is_some_and(|it| !it.known)
}

/// The tier of somebody who writes tickets changes.
fn promote(state: &mut State) {
    let last = state.tickets.all.len() as u64;
    let ticket = state.random.random_range(0..last.max(1)) + 1;
    let writer = state.tickets.all.get(&ticket);
    let writer = writer.map(|it| it.ticket.requester.0.clone());
    let writer = writer.and_then(|id| id.parse::<u64>().ok());
    let known = writer.and_then(|id| same_in_crm(state, id));
    let Some(id) = known.or_else(|| any(state, Side::Crm, Kind::Contact)) else {
        return;
    };
    let tier = ["vip", "vip", "standard"][state.random.random_range(0..3)];
    crate::people::set(
        state,
        Side::Crm,
        Kind::Contact,
        id,
        "customer_tier",
        tier.into(),
    );
}

/// The live contact of the CRM with the reference of one of Freshdesk.
fn same_in_crm(state: &State, id: u64) -> Option<u64> {
    let contact = state.accounts.desk.contacts.get(&id)?;
    let name = contact.text(reference(Side::Desk));
    let mut contacts = state.accounts.crm.contacts.values();
    let same = contacts.find(|it| it.is_live() && it.text(reference(Side::Crm)) == name);
    same.map(|it| it.id)
}

fn work(state: &mut State) {
    let last = state.tickets.all.len() as u64;
    if last == 0 {
        return;
    }
    let id = state.random.random_range(1..=last);
    let what = state.random.random_range(0..8);
    let priority = Priority::ALL[state.random.random_range(0..4)];
    state.touch_ticket(id, |ticket| touch(ticket, what, priority));
    state.tell(|| format!("somebody works on ticket {id}: {what} {priority}"));
}

fn touch(ticket: &mut Ticket, what: u32, priority: Priority) {
    match (ticket.presence, what) {
        (Presence::Live, 0) => ticket.presence = Presence::Trashed,
        (Presence::Live, 1) => ticket.image.status = 5,
        (Presence::Live, 2) => ticket.image.status = 4,
        (Presence::Live, 3) => ticket.image.status = 2,
        (Presence::Live, 4) => ticket.image.status = 3,
        (Presence::Live, _) => ticket.image.priority = priority,
        _ => ticket.presence = Presence::Live,
    }
}

/// The tickets of one contact become another's.
pub(crate) fn hand_over(state: &mut State, from: u64, to: u64) {
    let tickets = state.tickets.all.iter();
    let theirs = tickets.filter(|(_, it)| it.ticket.requester.0 == from.to_string());
    let theirs: Vec<u64> = theirs.map(|(id, _)| *id).collect();
    for id in theirs {
        state.touch_ticket(id, |ticket| ticket.requester = RecordId(to.to_string()));
    }
}
