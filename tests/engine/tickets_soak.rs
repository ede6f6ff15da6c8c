//! Standings begin and end, tickets come, people and automations change them, and everything fails now
//! and then: in the end each ticket is where its customer's standing wants it, nobody was overruled,
//! and nothing of ours stays behind.
//!
//! `DESKBRIDGE_SOAK=200 cargo test --test engine tickets_soak::` tries that many seeds;
//! `DESKBRIDGE_SEED=7` that one.

use super::seeds::{backstage, live_all};
use crate::world::stage::{HIGH, LOW, MEDIUM, URGENT, VIP};
use crate::world::{World, attempt, cycle};
use chrono::TimeDelta;
use deskbridge::sandbox::clock::SimClock;
use deskbridge::sandbox::faults::Rates;
use deskbridge::sandbox::freshdesk::{
    Action, Automation, Event, Options as DeskOptions, Quirks, Ticket, TicketOptions, TicketSeed,
    TicketStanding,
};
use deskbridge::sandbox::hubspot::{Kind as CrmKind, Options as CrmOptions};
use deskbridge::sync::Engine;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const CYCLES: u32 = 14;
const PEOPLE: usize = 5;
const COMPANIES: usize = 2;

const ENTERPRISE: &str = r#"
[[ticket_rule]]
name     = "enterprise"
when     = { record = "company", field = "plan", in = ["enterprise"] }
tickets  = { status = ["open", "pending"] }
priority = "high"
tags     = ["enterprise"]
"#;
const OURS: [&str; 2] = ["vip", "enterprise"];

/// What people did to a ticket.
#[derive(Debug, Default)]
struct Lot {
    /// The priority that the last one of them left.
    priority: u64,
    /// Whether they chose it when ours stood there: then it is theirs.
    decided: bool,
    /// Whether they chose it while nobody knew whether ours was made.
    unclear: bool,
    /// Tags of ours that they took away.
    refused: BTreeSet<&'static str>,
    /// Tags that they added.
    added: BTreeSet<String>,
}

struct Life {
    seed: u64,
    world: World,
    clock: SimClock,
    random: StdRng,
    people: Vec<u64>,
    companies: Vec<u64>,
    /// The same in Freshdesk.
    there: Vec<u64>,
    companies_there: Vec<u64>,
    lots: BTreeMap<u64, Lot>,
    /// Whether nothing went wrong since the last change of ours.
    calm: bool,
}

async fn world(seed: u64) -> (World, SimClock) {
    let clock = SimClock::manual("2026-03-02T09:00:00Z".parse().unwrap());
    let crm = CrmOptions {
        backstage: backstage(&clock, seed, 0),
        seed,
        search_lag: Duration::ZERO,
        search_jitter: Duration::ZERO,
        ..CrmOptions::default()
    };
    let desk = DeskOptions {
        backstage: backstage(&clock, seed, 1),
        seed,
        quirks: Quirks {
            second_tick: seed.is_multiple_of(2),
            ..Quirks::default()
        },
        tickets: TicketOptions {
            bulk_ids: if seed.is_multiple_of(3) { 7 } else { 100 },
            job_polls: u32::from(seed.is_multiple_of(4)) * 9,
            job_time: TimeDelta::seconds(1),
            escalates: seed.is_multiple_of(5),
            ..TicketOptions::default()
        },
        ..DeskOptions::default()
    };
    let mut world = World::with(crm, desk).await;
    world.mapping.push_str(VIP);
    world.mapping.push_str(ENTERPRISE);
    (world, clock)
}

impl Life {
    async fn begin(seed: u64) -> (Self, Engine) {
        let (world, clock) = world(seed).await;
        let person = |n| {
            let email = format!("p{n}@example.com");
            world.crm_contact(&[("email", &email), ("firstname", "P"), ("lastname", &email)])
        };
        let people: Vec<u64> = (0..PEOPLE).map(person).collect();
        let company = |n| world.crm_company(&[("name", &format!("C{n}")), ("plan", "free")]);
        let companies: Vec<u64> = (0..COMPANIES).map(company).collect();
        let mut life = Self {
            seed,
            clock,
            random: StdRng::seed_from_u64(seed),
            people,
            companies,
            there: Vec::new(),
            companies_there: Vec::new(),
            lots: BTreeMap::new(),
            calm: true,
            world,
        };
        let mut engine = life.engine().await;
        cycle(&mut engine).await;
        let email = |n| format!("p{n}@example.com");
        let of = |n| life.world.desk_by_email(&email(n)).id;
        life.there = (0..PEOPLE).map(of).collect();
        let companies = life.world.desk.companies();
        let of = |n| {
            companies
                .iter()
                .find(|it| it.name == format!("C{n}"))
                .unwrap()
                .id
        };
        life.companies_there = (0..COMPANIES).map(of).collect();
        for _ in 0..20 {
            life.arrive();
        }
        // Somebody has a standing all the time: tickets are looked at.
        life.tier(0, "vip");
        (life, engine)
    }

    async fn engine(&self) -> Engine {
        let mut engine = self.world.timed_engine(&self.clock).await;
        crate::world::stage::impatient(&mut engine);
        engine
    }

    fn pick(&mut self, of: usize) -> usize {
        self.random.random_range(0..of)
    }

    fn tier(&self, person: usize, tier: &str) {
        self.world
            .crm_edit(self.people[person], &[("customer_tier", tier)]);
    }

    fn plan(&self, company: usize, plan: &str) {
        let portal = self.world.crm.portal();
        portal
            .edit(CrmKind::Company, self.companies[company], &[("plan", plan)])
            .unwrap();
    }

    fn arrive(&mut self) {
        let (person, company) = (self.pick(PEOPLE), self.pick(COMPANIES + 1));
        let seed = TicketSeed {
            requester_id: self.there[person],
            company_id: self.companies_there.get(company).copied(),
            ..TicketSeed::default()
        };
        let ticket = self.world.desk.populate_tickets([seed])[0];
        let lot = Lot {
            priority: LOW,
            ..Lot::default()
        };
        self.lots.insert(ticket, lot);
    }

    fn live(&mut self) {
        let mut touched = BTreeSet::new();
        for _ in 0..self.pick(8) {
            match self.pick(12) {
                0 | 1 => {
                    let (person, tier) = (1 + self.pick(PEOPLE - 1), self.pick(2));
                    self.tier(person, ["vip", "standard"][tier]);
                }
                2 => {
                    let (company, plan) = (self.pick(COMPANIES), self.pick(2));
                    self.plan(company, ["enterprise", "free"][plan]);
                }
                3 => self.arrive(),
                4 => self.automate(),
                _ => {
                    let tickets: Vec<u64> = self.lots.keys().copied().collect();
                    let ticket = tickets[self.pick(tickets.len())];
                    if touched.insert(ticket) {
                        self.touch(ticket);
                    }
                }
            }
        }
    }

    fn automate(&mut self) {
        self.world.desk.end_automations();
        let then = match self.pick(3) {
            0 => Action::SetPriority(MEDIUM),
            1 => Action::AddTag("auto".to_owned()),
            _ => return,
        };
        self.world.desk.automate(Automation {
            when: Event::PriorityBecame(URGENT),
            then,
            after: TimeDelta::zero(),
            times: 2,
        });
    }

    /// A person does something to a ticket.
    fn touch(&mut self, id: u64) {
        let ticket = self.world.desk.ticket(id).unwrap();
        let desk = &self.world.desk;
        match (ticket.standing, self.random.random_range(0..9)) {
            (TicketStanding::Deleted, _) => desk.restore_ticket(id).unwrap(),
            (TicketStanding::Live, 0) => desk.delete_ticket(id).unwrap(),
            (TicketStanding::Live, 1) => self.edit(id, &json!({"status": 5})),
            (TicketStanding::Live, 2) => self.edit(id, &json!({"status": 3})),
            (TicketStanding::Live, 3) => desk.customer_writes(id, "Hello?").unwrap(),
            (TicketStanding::Live, 4) => self.refuse_tag(&ticket),
            (TicketStanding::Live, 5) => self.add_tag(&ticket),
            (TicketStanding::Live, _) => self.decide(&ticket),
            _ => {}
        }
    }

    fn edit(&self, ticket: u64, change: &Value) {
        self.world.desk.edit_ticket(ticket, change).unwrap();
    }

    fn decide(&mut self, ticket: &Ticket) {
        let lot = self.lots.get_mut(&ticket.id).unwrap();
        let ours = ticket.priority != lot.priority;
        // What nobody had set before, so that it can be told from what stood there.
        let priority = if ours { MEDIUM } else { HIGH };
        if priority == ticket.priority {
            return;
        }
        lot.decided |= ours;
        lot.unclear |= !self.calm;
        lot.priority = priority;
        self.edit(ticket.id, &json!({"priority": priority}));
    }

    fn refuse_tag(&mut self, ticket: &Ticket) {
        let Some(tag) = OURS
            .into_iter()
            .find(|tag| ticket.tags.iter().any(|it| it == tag))
        else {
            return;
        };
        if self.calm {
            let rest: Vec<&String> = ticket.tags.iter().filter(|it| *it != tag).collect();
            self.edit(ticket.id, &json!({"tags": rest}));
            self.lots.get_mut(&ticket.id).unwrap().refused.insert(tag);
        }
    }

    fn add_tag(&mut self, ticket: &Ticket) {
        let tag = format!("t{}", self.random.random_range(0..1000));
        let mut tags = ticket.tags.clone();
        tags.push(tag.clone());
        self.edit(ticket.id, &json!({"tags": tags}));
        self.lots.get_mut(&ticket.id).unwrap().added.insert(tag);
    }

    /// What must hold at any time.
    fn watch(&mut self, when: &str) {
        let seed = self.seed;
        assert_eq!(
            self.world.desk.mails(),
            0,
            "seed {seed}: a customer was mailed"
        );
        for ticket in self.world.desk.tickets() {
            let said = self.world.desk.conversations(ticket.id);
            for rule in OURS {
                let signed = |body: &str| body.contains(&format!("ticket rule &quot;{rule}"));
                let notes = said.iter().filter(|it| signed(&it.body)).count();
                assert!(
                    notes <= 1,
                    "seed {seed} {when}: {notes} notes on {}",
                    ticket.id
                );
            }
            let lot = self.lots.get_mut(&ticket.id).unwrap();
            if lot.decided {
                let priority = ticket.priority;
                assert_eq!(
                    priority, lot.priority,
                    "seed {seed} {when}: overruled on {}",
                    ticket.id
                );
            } else if ticket.priority == MEDIUM && lot.priority != MEDIUM {
                // An automation was there.
                lot.priority = MEDIUM;
                lot.decided = true;
            }
            assert!(
                ticket.priority >= lot.priority,
                "seed {seed} {when}: lowered {}",
                ticket.id
            );
            for tag in &lot.refused {
                let back = ticket.tags.iter().any(|it| it == tag);
                assert!(!back, "seed {seed} {when}: {tag} is back on {}", ticket.id);
            }
            for tag in &lot.added {
                assert!(
                    ticket.tags.contains(tag),
                    "seed {seed} {when}: {tag} lost on {}",
                    ticket.id
                );
            }
        }
    }

    /// Where the standings want an open ticket that is nobody else's.
    fn wanted(&self, ticket: &Ticket) -> u64 {
        let person = self
            .there
            .iter()
            .position(|it| *it == ticket.requester_id)
            .unwrap();
        let tier = self
            .world
            .crm_row(self.people[person])
            .properties
            .get("customer_tier")
            .cloned();
        let company = self
            .companies_there
            .iter()
            .position(|it| Some(*it) == ticket.company_id);
        let plan = company.and_then(|it| {
            let row = self
                .world
                .crm
                .portal()
                .row(CrmKind::Company, self.companies[it]);
            row.unwrap().properties.get("plan").cloned()
        });
        let vip = if tier.as_deref() == Some("vip") {
            URGENT
        } else {
            LOW
        };
        let enterprise = if plan.as_deref() == Some("enterprise") {
            HIGH
        } else {
            LOW
        };
        vip.max(enterprise).max(self.lots[&ticket.id].priority)
    }

    fn judge(&self, when: &str) {
        for ticket in self.world.desk.tickets() {
            let open = ticket.standing == TicketStanding::Live && matches!(ticket.status, 2 | 3);
            let lot = &self.lots[&ticket.id];
            if open && !lot.decided && !lot.unclear {
                let wanted = self.wanted(&ticket);
                assert_eq!(
                    ticket.priority, wanted,
                    "seed {} {when}: {}",
                    self.seed, ticket.id
                );
            }
        }
    }

    fn faults(&self, rates: Rates) {
        self.world.desk.backstage().faults.rates(rates);
    }

    /// A cycle with what may befall it.
    async fn turn(&mut self, mut engine: Engine) -> Engine {
        let calls = self.world.desk.backstage().log.total();
        if self.pick(5) > 0 {
            let report = attempt(&mut engine).await;
            self.calm = report.troubles.is_empty();
            return engine;
        }
        self.calm = false;
        let last = calls + self.pick(30) as u64;
        let log = self.world.desk.backstage().log.clone();
        let dead = async {
            while log.total() < last {
                tokio::task::yield_now().await;
            }
        };
        let ended = tokio::select! {
            report = engine.cycle(false) => Some(report.unwrap()),
            () = dead => None,
        };
        if ended.is_none() {
            drop(engine);
            return self.engine().await;
        }
        engine
    }

    /// Cycles without faults, until nothing is left to do.
    async fn calm_down(&mut self, engine: &mut Engine, when: &str) {
        for _ in 0..10 {
            self.clock.advance(TimeDelta::minutes(70));
            self.world.forget_calls();
            let report = attempt(engine).await;
            self.watch(when);
            if self.world.writes().is_empty() && report.troubles.is_empty() {
                return;
            }
        }
        panic!(
            "seed {} {when}: no end: {:?}",
            self.seed,
            self.world.writes()
        );
    }
}

async fn soak(seed: u64) {
    let (mut life, mut engine) = Life::begin(seed).await;
    life.faults(Rates {
        throttle: 0.002,
        ..Rates::even(0.012)
    });
    for step in 0..CYCLES {
        life.clock.advance(TimeDelta::seconds(60));
        life.live();
        engine = life.turn(engine).await;
        life.clock.advance(TimeDelta::seconds(2));
        life.watch(&format!("step {step}"));
    }
    life.faults(Rates::default());
    life.world.desk.end_automations();
    life.calm_down(&mut engine, "at rest").await;
    life.judge("at rest");
    for person in 0..PEOPLE {
        life.tier(person, "standard");
    }
    for company in 0..COMPANIES {
        life.plan(company, "free");
    }
    life.calm_down(&mut engine, "after the end").await;
    life.judge("after the end");
    for ticket in life.world.desk.tickets() {
        let open = ticket.standing == TicketStanding::Live && matches!(ticket.status, 2 | 3);
        let left = ticket.tags.iter().any(|it| OURS.contains(&it.as_str()));
        assert!(
            !open || !left,
            "seed {seed}: a tag of ours stays on {}",
            ticket.id
        );
    }
    // What was sent to a ticket in the trash is looked at when it comes back.
    let open = "SELECT count(*) FROM journal AS j WHERE outcome IS NULL AND NOT EXISTS (
                  SELECT 1 FROM ticket WHERE id = j.desk_id AND presence <> 'live')";
    assert_eq!(
        life.world.count(open).await,
        0,
        "seed {seed}: writes without an outcome"
    );
}

#[tokio::test]
async fn whatever_fails_tickets_follow_the_standing_and_nobody_is_overruled() {
    live_all(10, soak).await;
}
