//! How records end: deleted, merged, made something else; and come back.

use crate::clients;
use crate::people::{any, any_side, note, reference};
use crate::systems::State;
use crate::systems::account::{Record, Standing};
use crate::systems::connector::lag;
use crate::systems::record::OTHERS;
use deskbridge::model::{Kind, Side, Value};
use rand::Rng as _;
use std::collections::BTreeMap;

/// Somebody deletes a record, brings one back, merges two, or makes a contact something else.
pub(crate) fn end(state: &mut State) {
    let side = any_side(state);
    let kind = Kind::BOTH[usize::from(state.random.random_bool(0.8))];
    let now = state.now;
    if kind == Kind::Contact {
        lapse(state, None);
    }
    match state.random.random_range(0..8) {
        0 | 1 => {
            if let Some(id) = any(state, side, kind) {
                state.tell(|| format!("somebody trashes {side} {kind} {id}"));
                state.accounts.of_mut(side).trash(kind, id, now);
            }
        }
        2 | 3 => restore(state, side, kind),
        4..=6 if side == Side::Crm && state.accounts.crm.traits.index_lag > 0 => {
            merge(state, side, kind);
        }
        4 | 5 if side == Side::Desk => merge(state, side, Kind::Contact),
        _ if side == Side::Desk => {
            if let Some(id) = any(state, side, Kind::Contact) {
                state.tell(|| format!("somebody makes {side} contact {id} an agent"));
                lapse(state, None);
                let account = state.accounts.of_mut(side);
                account.stand(Kind::Contact, id, now, Standing::Converted);
            }
        }
        _ => {}
    }
}

fn restore(state: &mut State, side: Side, kind: Kind) {
    let now = state.now;
    let account = state.accounts.of_mut(side);
    let mut trashed = account.of(kind).values();
    let trashed = trashed.find(|it| it.standing == Standing::Trashed);
    let Some((id, fields)) = trashed.map(|it| (it.id, it.fields.clone())) else {
        return;
    };
    // Nobody brings back who was entered anew.
    let name = reference(side);
    let mut others = account.of(kind).values().filter(|it| it.is_live());
    let anew = others.any(|it| Some(it.text(name)) == fields.get(name).and_then(Value::as_text));
    if !anew && account.taken(kind, &fields, Some(id)).is_none() {
        account.stand(kind, id, now, Standing::Live);
        state.tell(|| format!("somebody restores {side} {kind} {id}"));
    }
}

/// Somebody merges two records.
fn merge(state: &mut State, side: Side, kind: Kind) {
    let (one, two) = (any(state, side, kind), any(state, side, kind));
    let (Some(survivor), Some(loser)) = (one, two) else {
        return;
    };
    if survivor != loser {
        merge_into(state, side, kind, (loser, survivor));
    }
}

/// The survivor of a merge takes over what it lacks, and all addresses.
pub(crate) fn merge_into(state: &mut State, side: Side, kind: Kind, (loser, survivor): (u64, u64)) {
    state.tell(|| format!("somebody merges {side} {kind} {loser} into {survivor}"));
    if kind == Kind::Contact {
        lapse(state, None);
    }
    let (now, lag) = (state.now, lag(state, side));
    let account = state.accounts.of_mut(side);
    account.stand(kind, loser, now, Standing::MergedInto(survivor));
    let fields = account.of(kind)[&loser].fields.clone();
    // What somebody has emptied there is filled again.
    let before = &account.of(kind)[&survivor];
    let filled = before.edits.keys();
    let filled = filled.filter(|it| !before.fields.contains_key(*it) && fields.contains_key(*it));
    let filled: Vec<String> = filled.cloned().collect();
    let version = account.stamp(now);
    account.change(kind, survivor, now + lag, version, |record| {
        take_over(record, &fields, side);
    });
    if kind == Kind::Company {
        account.leave(loser, now);
    }
    for field in &filled {
        note(state, side, kind, survivor, field);
    }
    honour(state, side, kind, survivor);
    if side == Side::Desk {
        clients::hand_over(state, loser, survivor);
    }
}

fn take_over(record: &mut Record, fields: &BTreeMap<String, Value>, side: Side) {
    let address = |fields: &BTreeMap<String, Value>| {
        let address = fields.get("email").and_then(Value::as_text);
        address.map(str::to_owned)
    };
    let members = |fields: &BTreeMap<String, Value>| match fields.get(OTHERS) {
        Some(Value::List(members)) => members.clone(),
        _ => Vec::new(),
    };
    if side == Side::Desk {
        let mut others = members(&record.fields);
        others.extend(members(fields));
        others.extend(address(fields).filter(|_| address(&record.fields).is_some()));
        record.fields.insert(OTHERS.to_owned(), Value::list(others));
    }
    for (field, value) in fields {
        let lacking = record.fields.entry(field.clone());
        lacking.or_insert_with(|| value.clone());
    }
}

/// A standing may have ended: of this contact of the CRM, or of anybody.
fn lapse(state: &mut State, of: Option<u64>) {
    let name = of.and_then(|id| state.accounts.crm.contacts.get(&id));
    let name = name.map(|it| it.text(reference(Side::Crm)).to_owned());
    let contacts = &state.accounts.desk.contacts;
    for filed in state.tickets.all.values_mut() {
        let requester = filed.ticket.requester.0.parse().ok();
        let requester = requester.and_then(|id: u64| contacts.get(&id));
        let theirs = requester.map(|it| it.text(reference(Side::Desk)));
        filed.lapsed |= name.is_none() || theirs == name.as_deref();
    }
}

/// Takes note of who is a VIP in the CRM.
pub(crate) fn honour(state: &mut State, side: Side, kind: Kind, id: u64) {
    if side == Side::Crm && kind == Kind::Contact {
        let is_vip = |it: &Record| it.text("customer_tier") == "vip";
        if state.accounts.crm.contacts.get(&id).is_some_and(is_vip) {
            let now = state.now;
            state.vips.entry(id).or_insert(now);
        } else if state.vips.contains_key(&id) {
            lapse(state, Some(id));
        }
    }
}
