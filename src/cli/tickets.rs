//! What a cycle has done about tickets, in words.

use super::output::counted;
use serde_json::Value as Json;

/// The numbers of a cycle's `tickets` that are not nought; `None` where nothing happened.
pub(super) fn done(tickets: &Json) -> Option<String> {
    let number = |name: &str| tickets.get(name).and_then(Json::as_u64).unwrap_or(0);
    let tickets = |name: &str, rest: &str| match number(name) {
        0 => None,
        all => Some(format!("{} {rest}", counted(all, "ticket"))),
    };
    let standings = |name: &str, rest: &str| match number(name) {
        0 => None,
        all => Some(format!("{} {rest}", counted(all, "standing"))),
    };
    let said = [
        standings("begun", "begun"),
        standings("ended", "ended"),
        tickets("raised", "raised"),
        tickets("restored", "given back"),
        (number("noted") > 0).then(|| format!("{} posted", counted(number("noted"), "note"))),
        tickets("parked", "failed or refused"),
        tickets("yielded", "that somebody has decided on after us"),
        tickets("fought", "of them undone at once, and left alone"),
    ];
    let said: Vec<String> = said.into_iter().flatten().collect();
    (!said.is_empty()).then(|| said.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_cycle_that_touched_no_ticket_says_nothing_of_tickets() {
        assert_eq!(done(&json!({"raised": 0, "restored": 0})), None);
        assert_eq!(done(&Json::Null), None);
        let some = done(&json!({"begun": 1, "raised": 2, "noted": 1, "restored": 0}));
        assert_eq!(
            some.as_deref(),
            Some("1 standing begun, 2 tickets raised, 1 note posted")
        );
    }
}
