//! What lives have brought to light about who has the last word on a ticket, as the judge sees it.

use crate::systems::traits::Traits;
use crate::systems::{State, Systems};
use deskbridge::model::{Pair, Priority, RecordId, TicketChange};

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
