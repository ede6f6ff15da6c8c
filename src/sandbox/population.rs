//! An office to begin with: people of many countries and their firms, in both systems, with the
//! differences that two systems have when nobody kept them in step.

mod fill;
mod names;
mod tickets;

pub use tickets::{TicketPlan, populate_tickets};

use super::freshdesk::FreshdeskSim;
use super::hubspot::{HubspotSim, Refused};
use fill::{firms_to_crm, firms_to_desk, people_to_crm, people_to_desk};
use names::{COUNTRIES, FIRM_FIRST, FIRM_LAST, TITLES};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use std::collections::HashMap;

/// How many people one firm has, on average.
const PEOPLE_PER_FIRM: usize = 8;
/// How many firms the CRM has twice, the second time in capitals.
const TWICE: usize = 2;

/// What the office is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// Decides everything that is left to chance.
    pub seed: u64,
    /// People in all, on either side or on both.
    pub people: usize,
    /// Whether Freshdesk is new and has nobody yet.
    pub empty_freshdesk: bool,
}

/// How many records each system was given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Census {
    /// Contacts in the CRM.
    pub crm_contacts: usize,
    /// Companies in the CRM.
    pub crm_companies: usize,
    /// Contacts in Freshdesk.
    pub desk_contacts: usize,
    /// Companies in Freshdesk.
    pub desk_companies: usize,
}

/// In which systems a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Home {
    Both,
    Crm,
    Desk,
}

impl Home {
    const fn in_crm(self) -> bool {
        matches!(self, Self::Both | Self::Crm)
    }

    const fn in_desk(self) -> bool {
        matches!(self, Self::Both | Self::Desk)
    }
}

/// A firm, as the CRM has it.
#[derive(Debug)]
struct Firm {
    name: String,
    domain: String,
    plan: &'static str,
    home: Home,
    /// Freshdesk has it without a domain, and in capitals.
    carelessly: bool,
}

/// A person, as somebody who knows everything would note it.
#[derive(Debug)]
struct Person {
    given: String,
    family: String,
    email: Option<String>,
    phone: String,
    title: &'static str,
    tier: &'static str,
    firm: Option<usize>,
    home: Home,
    slip: Slip,
    /// Whether the CRM's record is older than Freshdesk's.
    crm_older: bool,
}

/// In what the two records of a person differ before the first sync.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slip {
    None,
    /// Freshdesk has no telephone number.
    DeskPhone,
    /// The CRM has no telephone number.
    CrmPhone,
    /// Freshdesk has no job title.
    DeskTitle,
    /// Freshdesk has the name in capitals.
    Capitals,
    /// Each side has a number of its own.
    OtherPhone,
}

/// Fills two empty systems with the same office.
///
/// # Errors
///
/// Where the CRM refuses a record.
pub fn populate(plan: &Plan, crm: &HubspotSim, desk: &FreshdeskSim) -> Result<Census, Refused> {
    let mut random = StdRng::seed_from_u64(plan.seed);
    let firms = firms(plan, &mut random);
    let people = people(plan, &firms, &mut random);
    let (crm_firms, crm_companies) = firms_to_crm(&firms, crm)?;
    let crm_contacts = people_to_crm(&people, &crm_firms, crm)?;
    let mut census = Census {
        crm_contacts,
        crm_companies,
        ..Census::default()
    };
    if !plan.empty_freshdesk {
        let desk_firms = firms_to_desk(&firms, desk);
        census.desk_companies = desk_firms.len();
        census.desk_contacts = people_to_desk(&people, &desk_firms, desk);
    }
    Ok(census)
}

fn firms(plan: &Plan, random: &mut StdRng) -> Vec<Firm> {
    let count = plan.people.div_ceil(PEOPLE_PER_FIRM).max(TWICE + 1);
    (0..count)
        .map(|at| {
            // Every first word meets every last word before any number is needed.
            let first = pick(&FIRM_FIRST, at);
            let last = pick(&FIRM_LAST, at / FIRM_FIRST.len() + at);
            let round = at / (FIRM_FIRST.len() * FIRM_LAST.len());
            let number = if round == 0 {
                String::new()
            } else {
                format!(" {}", round + 1)
            };
            let name = format!("{first} {last}{number}");
            let domain = format!("{}.example", name.to_lowercase().replace(' ', "-"));
            let home = if plan.empty_freshdesk {
                Home::Crm
            } else if at < TWICE {
                Home::Both
            } else {
                home(random, 0.6, 0.25)
            };
            Firm {
                name,
                domain,
                plan: ["Free", "Team", "Team", "Enterprise"]
                    .choose(random)
                    .unwrap_or(&"Free"),
                home,
                carelessly: at >= TWICE && random.random_bool(0.15),
            }
        })
        .collect()
}

fn people(plan: &Plan, firms: &[Firm], random: &mut StdRng) -> Vec<Person> {
    let mut used: HashMap<String, u32> = HashMap::new();
    (0..plan.people)
        .map(|_| {
            let firm = random
                .random_bool(0.9)
                .then(|| random.random_range(0..firms.len()));
            let home = if plan.empty_freshdesk {
                Home::Crm
            } else {
                home(random, 0.55, 0.25)
            };
            person(
                firm.and_then(|at| Some((at, firms.get(at)?))),
                home,
                &mut used,
                random,
            )
        })
        .collect()
}

fn person(
    firm: Option<(usize, &Firm)>,
    home: Home,
    used: &mut HashMap<String, u32>,
    random: &mut StdRng,
) -> Person {
    let country = COUNTRIES.choose(random).unwrap_or(&COUNTRIES[0]);
    let (given, given_latin) = spelled(country.given.choose(random).unwrap_or(&"Kim"));
    let (family, family_latin) = spelled(country.family.choose(random).unwrap_or(&"Lee"));
    let local = format!("{}.{}", address(&given_latin), address(&family_latin));
    let domain = firm.map_or("post.example", |(_, firm)| firm.domain.as_str());
    let email = format!("{local}@{domain}");
    let times = used.entry(email.clone()).or_default();
    *times += 1;
    let email = match *times {
        1 => email,
        again => format!("{local}{again}@{domain}"),
    };
    // Who has no address cannot be found on the other side, so only one side has them.
    let nameless = home != Home::Both && random.random_bool(0.04);
    let slips = [
        Slip::DeskPhone,
        Slip::CrmPhone,
        Slip::DeskTitle,
        Slip::Capitals,
        Slip::OtherPhone,
    ];
    let slip = if home == Home::Both && random.random_bool(0.3) {
        *slips.choose(random).unwrap_or(&Slip::None)
    } else {
        Slip::None
    };
    Person {
        given,
        family,
        email: (!nameless).then_some(email),
        phone: phone(country.dial, random),
        title: TITLES.choose(random).unwrap_or(&"Buyer"),
        tier: if random.random_bool(0.1) {
            "vip"
        } else {
            "standard"
        },
        firm: firm.map(|(at, _)| at),
        home,
        slip,
        crm_older: random.random_bool(0.5),
    }
}

fn home(random: &mut StdRng, both: f64, crm: f64) -> Home {
    match random.random::<f64>() {
        at if at < both => Home::Both,
        at if at < both + crm => Home::Crm,
        _ => Home::Desk,
    }
}

fn phone(dial: &str, random: &mut StdRng) -> String {
    let (block, rest) = (
        random.random_range(100..1000),
        random.random_range(0..10_000),
    );
    format!("{dial} {block} {rest:04}")
}

fn pick(from: &[&'static str], at: usize) -> &'static str {
    from.get(at % from.len()).copied().unwrap_or_default()
}

/// How it is written, and how that is spelled in Latin letters.
fn spelled(name: &str) -> (String, String) {
    let (shown, latin) = name.split_once('|').unwrap_or((name, name));
    (shown.to_owned(), latin.to_owned())
}

/// What of a name can stand in an e-mail address.
fn address(latin: &str) -> String {
    let mut plain = String::new();
    for letter in latin.to_lowercase().chars() {
        match letter {
            'a'..='z' => plain.push(letter),
            'ä' => plain.push_str("ae"),
            'ö' | 'œ' => plain.push_str("oe"),
            'ü' => plain.push_str("ue"),
            'ß' => plain.push_str("ss"),
            'á' | 'à' | 'â' | 'ã' | 'å' | 'ą' => plain.push('a'),
            'ç' | 'ć' => plain.push('c'),
            'é' | 'è' | 'ê' | 'ë' | 'ę' => plain.push('e'),
            'ğ' => plain.push('g'),
            'í' | 'ï' | 'î' | 'ı' => plain.push('i'),
            'ł' => plain.push('l'),
            'ñ' | 'ń' => plain.push('n'),
            'ó' | 'ô' | 'õ' | 'ō' => plain.push('o'),
            'ś' | 'ş' => plain.push('s'),
            'ú' | 'û' => plain.push('u'),
            'ż' | 'ź' => plain.push('z'),
            _ => {}
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::hubspot::Kind;
    use crate::sandbox::{freshdesk, hubspot};
    use std::collections::BTreeSet;

    async fn office(plan: Plan) -> (HubspotSim, FreshdeskSim, Census) {
        let crm = HubspotSim::start(hubspot::Options::default())
            .await
            .unwrap();
        let desk = FreshdeskSim::start(freshdesk::Options::default())
            .await
            .unwrap();
        let census = populate(&plan, &crm, &desk).unwrap();
        (crm, desk, census)
    }

    const PLAN: Plan = Plan {
        seed: 1,
        people: 300,
        empty_freshdesk: false,
    };

    #[tokio::test]
    async fn the_same_seed_brings_the_same_office_and_another_seed_another() {
        let names = |desk: &FreshdeskSim| {
            desk.contacts()
                .iter()
                .map(|it| it.name.clone())
                .collect::<Vec<_>>()
        };
        let (_, first, one) = office(PLAN).await;
        let (_, second, two) = office(PLAN).await;
        let (_, third, _) = office(Plan { seed: 2, ..PLAN }).await;
        assert_eq!((names(&first), one), (names(&second), two));
        assert_ne!(names(&first), names(&third));
    }

    #[tokio::test]
    async fn an_office_has_people_on_both_sides_and_on_one_and_some_without_an_address() {
        let (crm, desk, census) = office(PLAN).await;
        let here: BTreeSet<String> = crm
            .portal()
            .rows(Kind::Contact)
            .iter()
            .filter_map(|row| row.properties.get("email").cloned())
            .collect();
        let there: BTreeSet<String> = desk
            .contacts()
            .iter()
            .filter_map(|it| it.email.clone())
            .collect();
        let both = here.intersection(&there).count();
        assert!(
            both > 120 && here.len() > both + 40 && there.len() > both + 30,
            "{both} {census:?}"
        );
        assert!(
            census.crm_contacts > here.len() && census.desk_contacts > there.len(),
            "{census:?}"
        );
        assert!(
            census.crm_companies + census.desk_companies > 40,
            "{census:?}"
        );
    }

    #[tokio::test]
    async fn a_large_office_has_no_address_twice_and_a_new_freshdesk_has_nobody() {
        let plan = Plan {
            people: 5_000,
            empty_freshdesk: true,
            ..PLAN
        };
        let (crm, desk, census) = office(plan).await;
        assert_eq!((census.crm_contacts, census.desk_contacts), (5_000, 0));
        let domains: BTreeSet<String> = crm
            .portal()
            .rows(Kind::Company)
            .iter()
            .filter_map(|row| row.properties.get("domain").cloned())
            .collect();
        assert_eq!(domains.len(), census.crm_companies);
        assert_eq!(desk.companies().len(), 0);
    }
}
