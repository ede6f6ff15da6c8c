//! What lives have brought to light about who has the last word on a ticket, as the judge sees it.

use crate::systems::Systems;
use crate::systems::traits::Traits;
use deskbridge::model::{Pair, Priority, RecordId, TicketChange};

#[test]
fn what_is_given_back_over_a_persons_lower_priority_is_not_taken_for_raised() {
    let traits = Pair {
        crm: Traits::own(),
        desk: Traits::desk(),
    };
    let systems = Systems::new(1, traits);
    let state = &mut systems.state();
    let now = state.now;
    let number = state.tickets.open("9001", None, now);
    let id = RecordId(number.to_string());
    state.touch_ticket(number, |it| it.image.priority = Priority::High);
    let to = |priority| TicketChange {
        priority: Some(priority),
        ..TicketChange::default()
    };
    state.change_ticket(&id, &to(Priority::Urgent));
    assert_eq!(state.tickets.all[&number].raised, Some(Priority::High));
    // Between our look, which has shown urgent, and our change.
    state.touch_ticket(number, |it| it.image.priority = Priority::Medium);
    state.change_ticket(&id, &to(Priority::High));
    assert_eq!(state.tickets.all[&number].raised, None);
}
