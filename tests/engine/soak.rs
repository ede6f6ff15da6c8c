//! People on both sides edit at will while everything fails now and then: in the end both sides
//! agree, nobody is there twice, and no edit is lost without a trace.
//!
//! `DESKBRIDGE_SOAK=200 cargo test --test engine soak::` tries that many seeds; `DESKBRIDGE_SEED=7` that one.

use super::seeds::{backstage, live_all};
use crate::world::{World, attempt};
use chrono::TimeDelta;
use deskbridge::sandbox::clock::SimClock;
use deskbridge::sandbox::faults::Rates;
use deskbridge::sandbox::freshdesk::{Options as DeskOptions, Quirks};
use deskbridge::sandbox::hubspot::{Kind as CrmKind, Options as CrmOptions};
use deskbridge::sync::Engine;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const CYCLES: u32 = 12;

struct Life {
    world: World,
    clock: SimClock,
    random: StdRng,
    counter: u32,
    /// The last value that a person gave a field of a record: side and id, field.
    edits: BTreeMap<(&'static str, u64, &'static str), String>,
}

async fn world(seed: u64) -> (World, SimClock) {
    let clock = SimClock::manual("2026-03-02T09:00:00Z".parse().unwrap());
    let world = World::with(
        CrmOptions {
            backstage: backstage(&clock, seed, 0),
            seed,
            search_lag: Duration::from_secs(seed % 3 * 20),
            search_jitter: Duration::from_secs(seed % 4 * 15),
            ..CrmOptions::default()
        },
        DeskOptions {
            backstage: backstage(&clock, seed, 1),
            seed,
            quirks: Quirks {
                second_tick: seed.is_multiple_of(2),
                rewrites: seed.is_multiple_of(5),
                silent_deletes: false,
                bare_conflicts: seed.is_multiple_of(3),
            },
            ..DeskOptions::default()
        },
    )
    .await;
    (world, clock)
}

impl Life {
    fn next(&mut self) -> u32 {
        self.counter += 1;
        self.counter
    }

    fn pick(&mut self, of: usize) -> usize {
        self.random.random_range(0..of)
    }

    fn live(&mut self) {
        for _ in 0..self.pick(5) {
            match self.pick(12) {
                0 => self.hire_in_crm(),
                1 => self.hire_in_desk(),
                2 => self.hire_in_both(),
                3..=6 => self.edit_in_crm(),
                7..=10 => self.edit_in_desk(),
                _ => self.found(),
            }
        }
    }

    fn hire_in_crm(&mut self) {
        let n = self.next();
        let email = format!("p{n}@acme.test");
        self.world.crm_contact(&[
            ("email", &email),
            ("firstname", "P"),
            ("lastname", &format!("L{n}")),
        ]);
    }

    fn hire_in_desk(&mut self) {
        let n = self.next();
        self.world
            .desk_contact(&json!({"name": format!("Q M{n}"), "email": format!("p{n}@acme.test")}));
    }

    fn hire_in_both(&mut self) {
        let n = self.next();
        let email = format!("p{n}@acme.test");
        self.world.crm_contact(&[
            ("email", &email),
            ("firstname", "B"),
            ("phone", &format!("+{n}")),
        ]);
        self.world
            .desk_contact(&json!({"name": format!("B N{n}"), "email": email}));
    }

    fn found(&mut self) {
        let name = format!("Company {}", self.next());
        if self.pick(2) == 0 {
            self.world.crm_company(&[("name", &name)]);
        } else {
            self.world.desk.add_company(&json!({"name": name})).unwrap();
        }
    }

    fn edit_in_crm(&mut self) {
        let contacts = self.world.crm.portal().rows(CrmKind::Contact);
        if contacts.is_empty() {
            return;
        }
        let row = contacts[self.pick(contacts.len())].clone();
        let n = self.next();
        let (field, value) = match self.pick(5) {
            0 => ("phone", format!("+{n}")),
            1 => ("jobtitle", format!("Job {n}")),
            2 => ("lastname", format!("L{n}")),
            3 => ("email", format!("p{n}@acme.test")),
            _ => {
                let companies = self.world.crm.portal().rows(CrmKind::Company);
                if let Some(company) = companies.last() {
                    self.world
                        .crm
                        .portal()
                        .associate(row.id, company.id, true)
                        .unwrap();
                }
                return;
            }
        };
        self.world.crm_edit(row.id, &[(field, &value)]);
        self.edits.insert(("crm", row.id, field), value);
    }

    fn edit_in_desk(&mut self) {
        let contacts = self.world.desk.contacts();
        if contacts.is_empty() {
            return;
        }
        let contact = contacts[self.pick(contacts.len())].clone();
        let n = self.next();
        let (field, value) = match self.pick(5) {
            0 => ("phone", format!("+{n}")),
            1 => ("job_title", format!("Job {n}")),
            2 => ("name", format!("F{n} M{n}")),
            3 => ("email", format!("p{n}@acme.test")),
            _ => {
                let companies = self.world.desk.companies();
                let company = companies.last().map(|it| it.id);
                self.world
                    .desk_edit(contact.id, &json!({"company_id": company}));
                return;
            }
        };
        self.world.desk_edit(contact.id, &json!({field: value}));
        self.edits.insert(("freshdesk", contact.id, field), value);
    }

    async fn engine(&self) -> Engine {
        self.world.timed_engine(&self.clock).await
    }

    /// Everything that the journal says about values, as one text.
    async fn journal(&self) -> String {
        let rows = self.world.texts("SELECT fields FROM journal").await;
        rows.join("\n")
    }

    async fn judge(&self, seed: u64) {
        let crm = self.world.crm.portal().rows(CrmKind::Contact);
        let desk = self.world.desk.contacts();
        let by_email: BTreeMap<&str, _> = crm
            .iter()
            .map(|it| (it.properties["email"].as_str(), it))
            .collect();
        assert_eq!(
            by_email.len(),
            crm.len(),
            "seed {seed}: an address twice in the CRM"
        );
        let there: BTreeSet<&str> = desk.iter().filter_map(|it| it.email.as_deref()).collect();
        let here: BTreeSet<&str> = by_email.keys().copied().collect();
        assert_eq!(here, there, "seed {seed}: the same people on both sides");
        assert_eq!(crm.len(), desk.len(), "seed {seed}: nobody twice");
        let companies = self.world.crm.portal().rows(CrmKind::Company);
        let names: BTreeSet<&str> = companies
            .iter()
            .map(|it| it.properties["name"].as_str())
            .collect();
        assert_eq!(
            names.len(),
            companies.len(),
            "seed {seed}: a company twice in the CRM"
        );
        assert_eq!(
            names.len(),
            self.world.desk.companies().len(),
            "seed {seed}: companies"
        );
        for contact in &desk {
            let row = by_email[contact.email.as_deref().unwrap()];
            let value = |name: &str| row.properties.get(name).map_or("", String::as_str);
            let name = format!("{} {}", value("firstname"), value("lastname"));
            assert_eq!(name.trim(), contact.name, "seed {seed}");
            assert_eq!(
                value("phone"),
                contact.phone.as_deref().unwrap_or(""),
                "seed {seed}"
            );
            assert_eq!(
                value("jobtitle"),
                contact.job_title.as_deref().unwrap_or(""),
                "seed {seed}"
            );
            let crm_company = row.companies.first().map(|id| {
                let company = self.world.crm.portal().row(CrmKind::Company, *id).unwrap();
                company.properties["name"].clone()
            });
            let desk_company = contact
                .company_id
                .map(|id| self.world.desk.company(id).unwrap().name);
            assert_eq!(crm_company, desk_company, "seed {seed} {name}");
        }
        let journal = self.journal().await;
        for ((side, id, field), value) in &self.edits {
            let now = if *side == "crm" {
                self.world.crm_row(*id).properties.get(*field).cloned()
            } else {
                let contact = self.world.desk.contact(*id).unwrap();
                match *field {
                    "phone" => contact.phone,
                    "job_title" => contact.job_title,
                    "name" => Some(contact.name),
                    _ => contact.email,
                }
            };
            let overruled = journal.contains(&format!("\"{value}\""));
            assert!(
                now.as_ref() == Some(value) || overruled,
                "seed {seed}: {side} {id} {field} {value} is lost; it is {now:?}"
            );
        }
    }
}

async fn soak(seed: u64) {
    let (world, clock) = world(seed).await;
    let mut life = Life {
        world,
        clock,
        random: StdRng::seed_from_u64(seed),
        counter: 0,
        edits: BTreeMap::new(),
    };
    for _ in 0..3 {
        life.found();
        life.hire_in_both();
    }
    let mut engine = life.engine().await;
    let faults = |world: &World, rates: Rates| {
        world.crm.backstage().faults.rates(rates);
        world.desk.backstage().faults.rates(rates);
    };
    faults(&life.world, Rates::even(0.01));
    for _ in 0..CYCLES {
        life.clock.advance(TimeDelta::seconds(60));
        life.live();
        match life.pick(6) {
            0 => {
                let moment = Duration::from_millis(life.random.random_range(1..60));
                let ended = tokio::select! {
                    report = engine.cycle(false) => Some(report.unwrap()),
                    () = tokio::time::sleep(moment) => None,
                };
                if ended.is_none() {
                    drop(engine);
                    engine = life.engine().await;
                }
            }
            1 => {
                engine.cycle(true).await.unwrap();
            }
            _ => {
                attempt(&mut engine).await;
            }
        }
    }
    faults(&life.world, Rates::default());
    let mut quiet = false;
    for _ in 0..10 {
        life.clock.advance(TimeDelta::minutes(70));
        let report = attempt(&mut engine).await;
        quiet = report.created + report.updated + report.failed == 0 && report.troubles.is_empty();
        let waiting = life.world.parked().await;
        quiet &= waiting.is_empty();
        if quiet {
            break;
        }
    }
    let parked = life.world.parked().await;
    assert!(quiet, "seed {seed}: no end: {parked:?}");
    assert_eq!(life.world.holds().await, [], "seed {seed}");
    life.judge(seed).await;
}

#[tokio::test]
async fn whatever_fails_both_sides_agree_in_the_end_and_no_edit_is_lost_without_a_trace() {
    live_all(20, soak).await;
}
