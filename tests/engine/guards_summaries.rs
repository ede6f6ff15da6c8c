//! Too many support summaries at once: held whole, until a person says what is to be done.

use super::office::GUARDS;
use super::support::{SUMMARY, Stage};
use crate::world::reconcile;
use chrono::TimeDelta;
use deskbridge::sandbox::freshdesk::TicketSeed;
use deskbridge::store::{Answer, HoldView};
use serde_json::json;

/// What of the summary is about contacts.
const CONTACTS: &str = r#"contact = { open_tickets = "open_tickets", last_ticket = "last_ticket", first_response_hours = "first_response", satisfaction = "csat" }"#;

/// Ada and eight others, each with a ticket, and guards that few summaries cross.
struct Crowd {
    stage: Stage,
    people: Vec<u64>,
}

impl Crowd {
    async fn new() -> Self {
        let mut stage = Stage::new().await;
        let others = (0..8).map(|number| {
            let email = format!("customer-{number}@example.com");
            stage
                .world
                .crm_contact(&[("email", &email), ("firstname", "Bob"), ("phone", "+1")])
        });
        let people = others.chain([stage.ada]).collect();
        stage.later(10).await;
        stage.engine.guard(GUARDS);
        let crowd = Self { stage, people };
        crowd.tickets(9);
        crowd
    }

    /// The same, and their fields were filled.
    async fn filled() -> Self {
        let mut crowd = Self::new().await;
        crowd.stage.later(1).await;
        crowd.answer(Answer::Approve).await;
        assert_eq!(crowd.stage.later(1).await.summed_up, 9);
        crowd
    }

    /// A new ticket of each of so many people, just now; their numbers.
    fn tickets(&self, people: usize) -> Vec<u64> {
        let now = self.stage.clock.now().timestamp();
        let contacts = self.stage.world.desk.contacts();
        let seeds = contacts.iter().take(people).map(|contact| TicketSeed {
            requester_id: contact.id,
            created_at: Some(now),
            updated_at: Some(now),
            ..TicketSeed::default()
        });
        self.stage
            .world
            .desk
            .populate_tickets(seeds.collect::<Vec<_>>())
    }

    async fn only_hold(&self) -> HoldView {
        self.stage.world.only_hold().await
    }

    async fn answer(&self, answer: Answer) {
        let hold = self.only_hold().await;
        self.stage.world.answer(hold.id, answer).await;
    }

    /// How many contacts of the CRM show this.
    fn showing(&self, property: &str, value: &str) -> usize {
        let rows = self.people.iter().map(|id| self.stage.world.crm_row(*id));
        rows.filter(|row| row.properties.get(property).map(String::as_str) == Some(value))
            .count()
    }
}

#[tokio::test]
async fn the_first_summaries_of_everybody_wait_for_a_person_while_edits_go_on() {
    let mut crowd = Crowd::new().await;
    crowd.stage.world.forget_calls();
    let report = crowd.stage.later(1).await;
    assert_eq!((report.summed_up, report.held), (0, 1), "{report:?}");
    assert_eq!(crowd.stage.world.writes(), [""; 0]);
    let hold = crowd.only_hold().await;
    assert_eq!(
        (hold.kind.as_str(), hold.class.as_str(), hold.count),
        ("contact", "summary", 9)
    );
    assert!(hold.is_of_many() && hold.approvable);
    assert!(hold.reason.contains("--approve-first"), "{hold:?}");
    crowd
        .stage
        .world
        .crm_edit(crowd.people[0], &[("phone", "+2")]);
    let report = crowd.stage.later(1).await;
    assert_eq!((report.updated, report.summed_up), (1, 0));
    assert_eq!(crowd.only_hold().await.id, hold.id);
    crowd.answer(Answer::Approve).await;
    assert_eq!(crowd.stage.later(1).await.summed_up, 9);
    assert_eq!(crowd.showing("open_tickets", "1"), 9);
    assert_eq!(crowd.stage.world.holds().await, []);
    // From then on a few pass without a word, and many are asked about anew.
    crowd.tickets(6);
    assert_eq!(crowd.stage.later(1).await.summed_up, 6);
    crowd.tickets(7);
    assert_eq!(crowd.stage.later(1).await.summed_up, 0);
    let hold = crowd.only_hold().await;
    assert_eq!(hold.count, 7);
    assert!(!hold.reason.contains("--approve-first"), "{hold:?}");
}

#[tokio::test]
async fn the_first_summaries_go_through_where_a_first_sync_is_approved() {
    let mut crowd = Crowd::new().await;
    crowd.stage.later(1).await;
    crowd.stage.engine.approve_first();
    assert_eq!(crowd.stage.later(1).await.summed_up, 9);
    assert_eq!(crowd.stage.world.holds().await, []);
    // That is no word about later ones.
    crowd.tickets(7);
    assert_eq!(crowd.stage.later(1).await.summed_up, 0);
    assert_eq!(crowd.only_hold().await.count, 7);
}

#[tokio::test]
async fn summaries_that_a_person_discarded_are_not_written_before_they_change() {
    let mut crowd = Crowd::new().await;
    crowd.stage.later(1).await;
    crowd.answer(Answer::Discard).await;
    crowd.stage.world.forget_calls();
    crowd.stage.later(1).await;
    crowd.stage.clock.advance(TimeDelta::minutes(61));
    reconcile(&mut crowd.stage.engine).await;
    assert_eq!(crowd.stage.world.writes(), [""; 0]);
    assert_eq!(crowd.stage.world.holds().await, []);
    crowd.tickets(2);
    assert_eq!(crowd.stage.later(1).await.summed_up, 2);
    assert_eq!(crowd.showing("open_tickets", "2"), 2);
}

#[tokio::test]
async fn a_helpdesk_that_is_emptied_does_not_zero_the_figures_of_everybody_unseen() {
    let mut crowd = Crowd::filled().await;
    let tickets = crowd.tickets(9);
    crowd.stage.later(1).await;
    crowd.answer(Answer::Approve).await;
    crowd.stage.later(1).await;
    assert_eq!(crowd.showing("open_tickets", "2"), 9);
    for ticket in tickets {
        crowd.stage.world.desk.delete_ticket(ticket).unwrap();
    }
    assert_eq!(crowd.stage.later(61).await.summed_up, 0);
    assert_eq!(crowd.showing("open_tickets", "2"), 9);
    assert_eq!(crowd.only_hold().await.count, 9);
}

#[tokio::test]
async fn emptied_fields_of_summaries_wait_by_themselves() {
    let mut crowd = Crowd::filled().await;
    for ticket in crowd.tickets(3) {
        crowd.stage.world.desk.rate_ticket(ticket, 103, None);
    }
    crowd.stage.later(61).await;
    assert_eq!(crowd.showing("csat", "100"), 3);
    crowd.stage.clock.advance(TimeDelta::days(91));
    let tickets = crowd.tickets(3);
    reconcile(&mut crowd.stage.engine).await;
    let hold = crowd.only_hold().await;
    assert_eq!(
        (hold.class.as_str(), hold.count),
        ("summary_clear", 3),
        "{hold:?}"
    );
    assert_eq!(crowd.showing("csat", "100"), 3);
    assert_eq!(crowd.showing("open_tickets", "3"), 3);
    // Nobody's figures stand still for it.
    let closed = json!({"status": 5});
    crowd
        .stage
        .world
        .desk
        .edit_ticket(tickets[0], &closed)
        .unwrap();
    assert_eq!(crowd.stage.later(1).await.summed_up, 1);
    assert_eq!(crowd.only_hold().await.id, hold.id);
    crowd.answer(Answer::Approve).await;
    assert_eq!(crowd.stage.later(1).await.summed_up, 3);
    assert_eq!(crowd.showing("csat", "100"), 0);
    assert_eq!(crowd.stage.world.holds().await, []);
}

#[tokio::test]
async fn everyday_summaries_leave_the_line_of_edits_alone_and_have_one_of_a_day_themselves() {
    let mut crowd = Crowd::filled().await;
    for round in 0..3 {
        crowd.tickets(6);
        for person in &crowd.people[..6] {
            let phone = format!("+5{round}");
            crowd.stage.world.crm_edit(*person, &[("phone", &phone)]);
        }
        let report = crowd.stage.later(1).await;
        assert_eq!(
            (report.updated, report.summed_up),
            (6, 6),
            "{round}: {report:?}"
        );
    }
    crowd.tickets(1);
    assert_eq!(crowd.stage.later(1).await.summed_up, 0);
    let hold = crowd.only_hold().await;
    assert!(hold.reason.contains("24 hours"), "{hold:?}");
    crowd.answer(Answer::Approve).await;
    crowd.stage.later(1).await;
    crowd.tickets(6);
    assert_eq!(crowd.stage.later(1).await.summed_up, 6);
}

#[tokio::test]
async fn held_summaries_whose_cause_is_gone_wait_for_nobody() {
    let mut crowd = Crowd::filled().await;
    let tickets = crowd.tickets(7);
    crowd.stage.later(1).await;
    assert_eq!(crowd.only_hold().await.count, 7);
    for ticket in tickets {
        let closed = json!({"status": 5});
        crowd.stage.world.desk.edit_ticket(ticket, &closed).unwrap();
    }
    crowd.stage.later(1).await;
    assert_eq!(crowd.stage.world.holds().await, []);
    assert_eq!(crowd.showing("open_tickets", "1"), 9);
}

#[tokio::test]
async fn an_approval_of_summaries_does_not_cover_far_more_of_them() {
    let mut crowd = Crowd::filled().await;
    crowd.tickets(7);
    crowd.stage.later(1).await;
    crowd.answer(Answer::Approve).await;
    for number in 0..9 {
        let email = format!("late-{number}@example.com");
        let late = crowd
            .stage
            .world
            .crm_contact(&[("email", &email), ("firstname", "Eve")]);
        crowd.people.push(late);
    }
    // Whoever came since has no ticket yet: what was approved is written.
    crowd.stage.engine.approve_first();
    let mut engine_guards = GUARDS;
    engine_guards.creates.count = 100;
    crowd.stage.engine.guard(engine_guards);
    assert_eq!(crowd.stage.later(1).await.summed_up, 7);
    crowd.tickets(7);
    crowd.stage.later(1).await;
    assert_eq!(crowd.only_hold().await.count, 7);
    crowd.answer(Answer::Approve).await;
    crowd.tickets(18);
    assert_eq!(crowd.stage.later(1).await.summed_up, 0);
    assert_eq!(crowd.only_hold().await.count, 18);
}

#[tokio::test]
async fn an_approved_filling_that_is_interrupted_goes_on_and_covers_nothing_else() {
    let mut crowd = Crowd::new().await;
    crowd.stage.later(1).await;
    crowd.answer(Answer::Approve).await;
    let faults = crowd.stage.world.crm.backstage().faults.clone();
    let update = "/crm/v3/objects/contacts/batch/update";
    faults.inject(
        "POST",
        update,
        deskbridge::sandbox::faults::Fault::Refuse(500),
        100,
    );
    crowd.stage.try_later(1).await;
    assert_eq!(crowd.showing("open_tickets", "1"), 0);
    faults.clear();
    assert_eq!(crowd.stage.later(120).await.summed_up, 9);
    crowd.tickets(7);
    assert_eq!(crowd.stage.later(1).await.summed_up, 0);
    assert_eq!(crowd.only_hold().await.count, 7);
}

#[tokio::test]
async fn a_rehearsal_shows_every_summary_and_that_they_would_be_held() {
    let mut crowd = Crowd::new().await;
    crowd.stage.engine.only_watch();
    let report = crowd.stage.later(1).await;
    assert_eq!((report.summed_up, report.held), (9, 1), "{report:?}");
    assert_eq!(crowd.only_hold().await.class, "summary");
}

#[tokio::test]
async fn a_first_sync_comes_to_its_end_though_the_first_summaries_wait() {
    let mut crowd = Crowd::new().await;
    let late = |number: usize| {
        let email = format!("late-{number}@example.com");
        let fields = [("email", email.as_str()), ("firstname", "Eve")];
        crowd.stage.world.crm_contact(&fields)
    };
    let late: Vec<u64> = (0..6).map(late).collect();
    crowd
        .stage
        .world
        .execute("INSERT INTO meta (key, value) VALUES ('first_contact', 'begun')")
        .await;
    assert_eq!(crowd.stage.later(1).await.held, 2);
    let holds = crowd.stage.world.holds().await;
    let create = holds.iter().find(|it| it.class == "create").unwrap();
    crowd.stage.world.answer(create.id, Answer::Approve).await;
    assert_eq!(crowd.stage.later(1).await.created, late.len() as u64);
    crowd.stage.later(1).await;
    assert_eq!(crowd.only_hold().await.class, "summary");
    let first = "SELECT count(*) FROM meta WHERE key = 'first_contact'";
    assert_eq!(crowd.stage.world.count(first).await, 0);
}

#[tokio::test]
async fn summaries_that_are_not_asked_for_any_more_wait_for_nobody() {
    for (from, to) in [(SUMMARY, ""), (CONTACTS, "")] {
        let mut crowd = Crowd::new().await;
        crowd.stage.later(1).await;
        assert_eq!(crowd.only_hold().await.count, 9);
        crowd.stage.world.remap(from, to);
        let mut stage = crowd.stage.restarted().await;
        stage.engine.guard(GUARDS);
        stage.later(1).await;
        assert_eq!(stage.world.holds().await, [], "without {from}");
    }
}
