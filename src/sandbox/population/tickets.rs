//! Tickets for an office: what its people asked over the last year, most of it long answered.

use crate::sandbox::freshdesk::{FreshdeskSim, Standing, TicketSeed, TicketStanding};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};

/// Seconds of a day.
const DAY: i64 = 86_400;

const SUBJECTS: [&str; 12] = [
    "Cannot log in since this morning",
    "Invoice shows the wrong address",
    "How do I add a colleague?",
    "The export stops half way",
    "Please cancel our second order",
    "Delivery is late again",
    "The report is empty",
    "Two of the parts are missing",
    "Is there a discount for schools?",
    "App closes by itself",
    "Who is our contact person now?",
    "Request for a data protection agreement",
];
const TAGS: [&str; 5] = ["billing", "login", "delivery", "bug", "sales"];
const TYPES: [&str; 4] = ["Question", "Incident", "Problem", "Feature Request"];
const GROUPS: [&str; 3] = ["Product Management", "QA", "Sales"];

/// What the tickets are like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TicketPlan {
    /// Decides everything that is left to chance.
    pub seed: u64,
    /// Tickets in all, also those in the trash and in spam.
    pub tickets: usize,
    /// How many days the oldest ticket goes back.
    pub days: u32,
    /// The share of tickets that are neither resolved nor closed, 0 to 1.
    pub unsolved: f64,
}

impl Default for TicketPlan {
    fn default() -> Self {
        Self {
            seed: 0,
            tickets: 100,
            days: 365,
            unsolved: 0.2,
        }
    }
}

/// Gives the contacts that Freshdesk has their tickets: some people ask often, many never.
/// Nothing happens where there are no contacts.
pub fn populate_tickets(plan: &TicketPlan, desk: &FreshdeskSim) {
    let mut random = StdRng::seed_from_u64(plan.seed);
    let contacts = desk.contacts().into_iter();
    let contacts = contacts.filter(|it| it.standing == Standing::Live);
    let people: Vec<u64> = contacts.map(|it| it.id).collect();
    if people.is_empty() {
        return;
    }
    let now = desk.backstage().clock.now().timestamp();
    let seeds = (0..plan.tickets).map(|_| seed(plan, &people, now, desk, &mut random));
    desk.populate_tickets(seeds.collect::<Vec<_>>());
}

fn seed(
    plan: &TicketPlan,
    people: &[u64],
    now: i64,
    desk: &FreshdeskSim,
    random: &mut StdRng,
) -> TicketSeed {
    // Squared: the first of them write most.
    let at = random.random::<f64>().powi(2);
    let created = now - random.random_range(60..i64::from(plan.days.max(1)) * DAY);
    let solved = !random.random_bool(plan.unsolved.clamp(0.0, 1.0));
    let status = match (solved, random.random_range(0..10)) {
        (true, 0..4) => 4,
        (true, _) => 5,
        (false, 0..6) => 2,
        (false, 6..8) => 3,
        (false, _) => 6,
    };
    let group = random.random_bool(0.7);
    let group = group.then(|| GROUPS.choose(random)).flatten();
    TicketSeed {
        requester_id: nth(people, at),
        subject: pick(&SUBJECTS, random).to_owned(),
        status,
        priority: match random.random_range(0..10) {
            0..5 => 1,
            5..8 => 2,
            8 => 3,
            _ => 4,
        },
        kind: Some(pick(&TYPES, random).to_owned()),
        tags: if random.random_bool(0.3) {
            vec![pick(&TAGS, random).to_owned()]
        } else {
            Vec::new()
        },
        group_id: group.and_then(|name| desk.group_id(name)),
        standing: match random.random_range(0..100) {
            0 => TicketStanding::Deleted,
            1 => TicketStanding::Spam,
            _ => TicketStanding::Live,
        },
        created_at: Some(created),
        updated_at: Some(random.random_range(created..now)),
        ..TicketSeed::default()
    }
}

fn pick(from: &[&'static str], random: &mut StdRng) -> &'static str {
    from.choose(random).copied().unwrap_or_default()
}

/// The element at `at`, 0 to 1, of those that are there.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "any element will do"
)]
fn nth(people: &[u64], at: f64) -> u64 {
    let place = (at * people.len() as f64) as usize;
    people
        .get(place)
        .or(people.last())
        .copied()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::freshdesk::{ContactSeed, Options};

    #[tokio::test]
    async fn an_office_asks_old_and_new_questions_and_the_same_ones_for_the_same_seed() {
        let office = async || {
            let desk = FreshdeskSim::start(Options::default()).await.unwrap();
            let person = |n| ContactSeed {
                name: format!("Person {n}"),
                ..ContactSeed::default()
            };
            desk.populate_contacts((0..40).map(person));
            let plan = TicketPlan {
                tickets: 500,
                ..TicketPlan::default()
            };
            populate_tickets(&plan, &desk);
            assert_eq!(desk.tickets().len(), 500);
            desk.tickets()
        };
        let (one, two) = (office().await, office().await);
        let subjects = |tickets: &[crate::sandbox::freshdesk::Ticket]| {
            tickets
                .iter()
                .map(|it| it.subject.clone())
                .collect::<Vec<_>>()
        };
        assert_eq!(subjects(&one), subjects(&two));
        let unsolved = one.iter().filter(|it| !it.is_done()).count();
        assert!((60..140).contains(&unsolved), "{unsolved}");
        assert!(one.iter().any(|it| it.standing == TicketStanding::Spam));
        let of = |requester| one.iter().filter(|it| it.requester_id == requester).count();
        assert!(of(one[0].requester_id) > 0);
        assert!(one.iter().all(|it| it.updated_at >= it.created_at));
    }
}
