//! Both simulators with a population, limits off, taking orders for edits on standard input.

use deskbridge::sandbox::freshdesk::{self, CompanySeed, ContactSeed, FreshdeskSim, TicketSeed};
use deskbridge::sandbox::hubspot::{self, HubspotSim, Kind, Seed};
use deskbridge::sandbox::log::Keep;
use serde_json::json;
use std::io::BufRead as _;

/// All records were last changed then: long ago, as most customers were.
const LONG_AGO: i64 = 1_750_000_000;

/// Which part of the population a side has.
fn has(scenario: &str, crm: bool, number: usize) -> bool {
    match scenario {
        "half" => crm || number.is_multiple_of(2),
        "quarters" => match number % 4 {
            0 => crm,
            1 => !crm,
            _ => true,
        },
        _ => true,
    }
}

pub(crate) fn serve(args: &[String]) {
    let [_, scenario, contacts, companies] = args else {
        panic!("systems SCENARIO CONTACTS COMPANIES")
    };
    let (contacts, companies): (usize, usize) =
        (contacts.parse().unwrap(), companies.parse().unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let crm = HubspotSim::start(hubspot::Options::default())
            .await
            .unwrap();
        let desk = FreshdeskSim::start(freshdesk::Options::default())
            .await
            .unwrap();
        crm.backstage().log.keep(Keep::Counts);
        desk.backstage().log.keep(Keep::Counts);
        let crm_ids = populate_crm(&crm, scenario, contacts, companies);
        let desk_ids = populate_desk(&desk, scenario, contacts, companies);
        if scenario == "vips" {
            populate_tickets(&desk, &desk_ids);
        }
        println!("{} {}", crm.url(), desk.url());
        let orders = std::io::stdin().lock();
        for order in orders.lines() {
            let order = order.unwrap();
            let mut words = order.split_whitespace();
            let (what, how_many) = (words.next().unwrap(), words.next().unwrap());
            let round = words.next().unwrap_or("1");
            let how_many: usize = how_many.parse().unwrap();
            let skip: usize = words.next().unwrap_or("0").parse().unwrap();
            match what {
                "edit_crm" => {
                    for id in crm_ids.iter().skip(skip).take(how_many) {
                        crm.portal()
                            .edit(
                                Kind::Contact,
                                *id,
                                &[("jobtitle", &format!("Title {round}"))],
                            )
                            .unwrap();
                    }
                }
                "edit_desk" => {
                    for id in desk_ids.iter().rev().take(how_many) {
                        desk.edit_contact(*id, &json!({"phone": format!("+49 30 {round}")}))
                            .unwrap();
                    }
                }
                "vips" => {
                    for id in crm_ids.iter().take(how_many) {
                        let vip = [("customer_tier", "vip")];
                        crm.portal().edit(Kind::Contact, *id, &vip).unwrap();
                    }
                }
                other => panic!("no order {other}"),
            }
            println!("done");
        }
    });
}

/// 50,000 tickets: five open ones of each of the first 1,000 contacts, and the others' solved ones.
fn populate_tickets(desk: &FreshdeskSim, people: &[u64]) {
    let (vips, others) = people.split_at(1_000);
    let seeds = (0..50_000).map(|number: usize| {
        let open = number.is_multiple_of(10);
        let mut among = if open { vips } else { others }.iter().cycle();
        let ago = i64::try_from(number).unwrap() * 60;
        TicketSeed {
            requester_id: *among.nth(number / 10 % 1_000).unwrap(),
            status: if open { 2 } else { 5 },
            created_at: Some(LONG_AGO - ago),
            updated_at: Some(LONG_AGO - ago),
            ..TicketSeed::default()
        }
    });
    desk.populate_tickets(seeds);
}

fn name(number: usize) -> (String, String) {
    (
        format!("Given{}", number % 977),
        format!("Family{number:06}"),
    )
}

fn populate_crm(crm: &HubspotSim, scenario: &str, contacts: usize, companies: usize) -> Vec<u64> {
    let portal = crm.portal();
    let numbers: Vec<usize> = (0..companies)
        .filter(|number| has(scenario, true, *number))
        .collect();
    let ids = portal
        .populate(
            Kind::Company,
            chrono::DateTime::from_timestamp(LONG_AGO, 0).unwrap(),
            numbers.iter().map(|number| Seed {
                properties: vec![
                    ("name", format!("Company {number:05}")),
                    ("domain", format!("c{number}.example")),
                ],
                company: None,
            }),
        )
        .unwrap();
    let of = |number: usize| ids.get(numbers.binary_search(&number).ok()?).copied();
    portal
        .populate(
            Kind::Contact,
            chrono::DateTime::from_timestamp(LONG_AGO, 0).unwrap(),
            (0..contacts)
                .filter(|number| has(scenario, true, *number))
                .map(|number| {
                    let (given, family) = name(number);
                    Seed {
                        properties: vec![
                            ("email", format!("p{number}@people.example")),
                            ("firstname", given),
                            ("lastname", family),
                            ("phone", format!("+1 555 {number:07}")),
                            ("jobtitle", "Engineer".to_owned()),
                        ],
                        company: of(number % companies.max(1)),
                    }
                }),
        )
        .unwrap()
}

fn populate_desk(
    desk: &FreshdeskSim,
    scenario: &str,
    contacts: usize,
    companies: usize,
) -> Vec<u64> {
    let numbers: Vec<usize> = (0..companies)
        .filter(|number| has(scenario, false, *number))
        .collect();
    let ids = desk.populate_companies(numbers.iter().map(|number| CompanySeed {
        name: format!("Company {number:05}"),
        domains: vec![format!("c{number}.example")],
        updated_at: Some(LONG_AGO),
        ..CompanySeed::default()
    }));
    let of = |number: usize| ids.get(numbers.binary_search(&number).ok()?).copied();
    desk.populate_contacts(
        (0..contacts)
            .filter(|number| has(scenario, false, *number))
            .map(|number| {
                let (given, family) = name(number);
                ContactSeed {
                    name: format!("{given} {family}"),
                    email: Some(format!("p{number}@people.example")),
                    phone: Some(format!("+1 555 {number:07}")),
                    job_title: Some("Engineer".to_owned()),
                    company_id: of(number % companies.max(1)),
                    updated_at: Some(LONG_AGO),
                    ..ContactSeed::default()
                }
            }),
    )
}
