//! Putting the office into both systems, each with the part that it knows.

use super::{Firm, Home, Person, Slip, TWICE};
use crate::sandbox::freshdesk::{CompanySeed, ContactSeed, FreshdeskSim};
use crate::sandbox::hubspot::{HubspotSim, Kind, Refused, Seed};
use chrono::TimeDelta;
use serde_json::json;
use std::collections::HashMap;

/// The CRM's id of each firm that it has, and how many records that made.
pub(super) fn firms_to_crm(
    firms: &[Firm],
    crm: &HubspotSim,
) -> Result<(HashMap<usize, u64>, usize), Refused> {
    let at = crm.backstage().clock.now() - TimeDelta::days(90);
    let known = firms
        .iter()
        .enumerate()
        .filter(|(_, firm)| firm.home.in_crm());
    let known: Vec<(usize, &Firm)> = known.collect();
    let seed = |name: String, firm: &Firm| Seed {
        properties: vec![
            ("name", name),
            ("domain", firm.domain.clone()),
            ("plan", firm.plan.to_owned()),
        ],
        company: None,
    };
    let first = known.iter().map(|(_, firm)| seed(firm.name.clone(), firm));
    let ids = crm.portal().populate(Kind::Company, at, first)?;
    let twice: Vec<Seed> = known
        .iter()
        .filter(|(at, firm)| *at < TWICE && firm.home == Home::Both)
        .map(|(_, firm)| seed(firm.name.to_uppercase(), firm))
        .collect();
    let again = crm.portal().populate(Kind::Company, at, twice)?;
    let made = ids.len() + again.len();
    Ok((known.iter().map(|(at, _)| *at).zip(ids).collect(), made))
}

pub(super) fn people_to_crm(
    people: &[Person],
    firms: &HashMap<usize, u64>,
    crm: &HubspotSim,
) -> Result<usize, Refused> {
    let mut made = 0;
    for (older, days) in [(true, 60), (false, 2)] {
        let at = crm.backstage().clock.now() - TimeDelta::days(days);
        let own = people
            .iter()
            .filter(|it| it.home.in_crm() && it.crm_older == older);
        let seeds = own.map(|person| {
            let mut properties = vec![
                ("firstname", person.given.clone()),
                ("lastname", person.family.clone()),
                ("jobtitle", person.title.to_owned()),
                ("customer_tier", person.tier.to_owned()),
            ];
            properties.extend(person.email.clone().map(|email| ("email", email)));
            if person.slip != Slip::CrmPhone {
                properties.push(("phone", person.phone.clone()));
            }
            Seed {
                properties,
                company: person.firm.and_then(|firm| firms.get(&firm).copied()),
            }
        });
        made += crm.portal().populate(Kind::Contact, at, seeds)?.len();
    }
    Ok(made)
}

/// Freshdesk's id of each firm that it has.
pub(super) fn firms_to_desk(firms: &[Firm], desk: &FreshdeskSim) -> HashMap<usize, u64> {
    let at = desk.backstage().clock.now() - TimeDelta::days(90);
    let known = firms
        .iter()
        .enumerate()
        .filter(|(_, firm)| firm.home.in_desk());
    let known: Vec<(usize, &Firm)> = known.collect();
    let ids = desk.populate_companies(known.iter().map(|(_, firm)| CompanySeed {
        name: if firm.carelessly {
            firm.name.to_uppercase()
        } else {
            firm.name.clone()
        },
        domains: if firm.carelessly {
            Vec::new()
        } else {
            vec![firm.domain.clone()]
        },
        updated_at: Some(at.timestamp()),
        ..CompanySeed::default()
    }));
    known.iter().map(|(at, _)| *at).zip(ids).collect()
}

pub(super) fn people_to_desk(
    people: &[Person],
    firms: &HashMap<usize, u64>,
    desk: &FreshdeskSim,
) -> usize {
    let at = desk.backstage().clock.now() - TimeDelta::days(30);
    let known = people.iter().filter(|it| it.home.in_desk());
    let seeds = known.map(|person| {
        let name = format!("{} {}", person.given, person.family);
        let both = person.home == Home::Both;
        let phone = match person.slip {
            Slip::DeskPhone => None,
            Slip::OtherPhone => Some(format!("{} ext 7", person.phone)),
            _ => Some(person.phone.clone()),
        };
        let tier = if person.tier == "vip" {
            "VIP"
        } else {
            "Standard"
        };
        ContactSeed {
            name: if person.slip == Slip::Capitals {
                name.to_uppercase()
            } else {
                name
            },
            email: person.email.clone(),
            phone,
            job_title: (person.slip != Slip::DeskTitle).then(|| person.title.to_owned()),
            company_id: person.firm.and_then(|firm| firms.get(&firm).copied()),
            custom: if both {
                vec![("tier", json!(tier))]
            } else {
                Vec::new()
            },
            updated_at: Some(at.timestamp()),
            ..ContactSeed::default()
        }
    });
    desk.populate_contacts(seeds.collect::<Vec<_>>()).len()
}
