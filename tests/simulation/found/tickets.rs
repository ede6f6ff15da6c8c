//! What lives have brought to light about who has the last word on a ticket, as the judge sees it.

use super::{Scene, contact, run};
use crate::ends::merge_into;
use crate::judge::{Ledger, was_vip};
use crate::people::set;
use crate::systems::traits::Traits;
use crate::systems::{State, Systems};
use deskbridge::model::{Kind, Pair, Priority, RecordId, Side, TicketChange};

fn systems() -> Systems {
    let traits = Pair {
        crm: Traits::own(),
        desk: Traits::desk(),
    };
    Systems::new(1, traits)
}

fn to(priority: Priority) -> TicketChange {
    TicketChange {
        priority: Some(priority),
        ..TicketChange::default()
    }
}

#[test]
fn what_is_given_back_over_a_persons_lower_priority_is_not_taken_for_raised() {
    let systems = systems();
    let state = &mut systems.state();
    let now = state.now;
    let number = state.tickets.open("9001", None, now);
    let id = RecordId(number.to_string());
    state.touch_ticket(number, |it| it.image.priority = Priority::High);
    state.change_ticket(&id, &to(Priority::Urgent));
    assert_eq!(state.tickets.all[&number].raised, Some(Priority::High));
    // Between our look, which has shown urgent, and our change.
    state.touch_ticket(number, |it| it.image.priority = Priority::Medium);
    state.change_ticket(&id, &to(Priority::High));
    assert_eq!(state.tickets.all[&number].raised, None);
}

/// Whose the ticket of the last change was shown to be when it was asked for, and whose it was by then.
fn whose(state: &State) -> (Option<&str>, Option<&str>) {
    let write = state.witness.tickets.last().unwrap();
    (
        write.raised_for.as_ref().map(|it| it.0.as_str()),
        write.requester.as_ref().map(|it| it.0.as_str()),
    )
}

#[test]
fn a_vips_ticket_that_becomes_somebody_elses_while_a_raise_is_on_its_way_is_no_raise_for_nothing() {
    let systems = systems();
    let state = &mut systems.state();
    let now = state.now;
    let number = state.tickets.open("9001", None, now);
    let id = RecordId(number.to_string());
    let ids = std::slice::from_ref(&id);
    let raise = to(Priority::Urgent);
    state.tickets.all.get_mut(&number).unwrap().show();
    state.tickets.ask(ids, &raise);
    // Who wrote it is merged into somebody else, as Freshdesk does it.
    state.touch_ticket(number, |it| it.requester = RecordId::from("9002"));
    state.change_ticket(&id, &raise);
    assert_eq!(whose(state), (Some("9001"), Some("9002")));
    // A look shows whose it is now: what is asked for from then on is for them.
    state.tickets.all.get_mut(&number).unwrap().show();
    state.tickets.ask(ids, &raise);
    state.change_ticket(&id, &raise);
    assert_eq!(whose(state), (Some("9002"), Some("9002")));
}

#[test]
fn who_sets_a_priority_before_anybody_can_know_what_a_job_without_a_name_has_done_may_be_overruled()
{
    for (seconds, unclear) in [(20, true), (31, false)] {
        let systems = systems();
        let state = &mut systems.state();
        let now = state.now;
        let number = state.tickets.open("9001", None, now);
        let id = RecordId(number.to_string());
        let (ids, raise) = (std::slice::from_ref(&id), to(Priority::Urgent));
        state.tickets.ask(ids, &raise);
        state.tickets.nameless(ids, &raise, now);
        state.tickets.all.get_mut(&number).unwrap().show();
        state.tickets.cycle_over(true, now + seconds * 1000);
        state.touch_ticket(number, |it| it.image.priority = Priority::High);
        assert_eq!(state.tickets.all[&number].unclear, unclear, "{seconds}");
    }
}

#[test]
fn a_ticket_that_a_merge_gives_to_another_customer_is_under_another_standing() {
    let systems = systems();
    let state = &mut systems.state();
    let [ada, bob] = ["Ada", "Bob"].map(|name| contact(state, Side::Desk, &[("name", name)]));
    let now = state.now;
    let number = state.tickets.open(&ada.to_string(), None, now);
    assert!(!state.tickets.all[&number].lapsed);
    merge_into(state, Side::Desk, Kind::Contact, (ada, bob));
    let filed = &state.tickets.all[&number];
    assert_eq!(filed.ticket.requester.0, bob.to_string());
    assert!(filed.lapsed);
}

#[test]
fn whoever_was_a_vip_under_the_reference_of_that_day_was_one() {
    run(async {
        let (mut crm, mut desk) = (0, 0);
        let fill = |state: &mut State| {
            crm = contact(state, Side::Crm, &[("lastname", "King"), ("ref", "b1")]);
            let hers = [("name", "King"), ("custom_fields.ref", "b1")];
            desk = contact(state, Side::Desk, &hers);
        };
        let scene = Scene::new(Traits::own(), "crm", fill).await;
        let ledger = Ledger::of(&scene.place, Vec::new()).await;
        let state = &mut scene.systems.state();
        let (begun, desk) = (state.now, desk.to_string());
        state.now += 1000;
        let (side, kind) = (Side::Crm, Kind::Contact);
        set(state, side, kind, crm, "customer_tier", "vip".into());
        // A merge gives her another one.
        set(state, side, kind, crm, "ref", "r2".into());
        assert!(!was_vip(state, &ledger, &desk, begun));
        assert!(was_vip(state, &ledger, &desk, state.now));
        assert!(!was_vip(state, &ledger, "9999", state.now));
    });
}
