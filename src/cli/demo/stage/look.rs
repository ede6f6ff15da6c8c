//! What there is to see in the systems, past HTTP.

use super::{Stage, bug};
use crate::cli::exit::Failure;
use crate::sandbox::hubspot::Kind as CrmKind;
use std::collections::BTreeSet;

/// One person as both systems know them.
#[derive(Debug, Clone)]
pub(in crate::cli::demo) struct Couple {
    pub(in crate::cli::demo) crm: u64,
    pub(in crate::cli::demo) desk: u64,
    pub(in crate::cli::demo) name: String,
}

/// What there is to see in the systems.
impl Stage {
    /// A property of a record in HubSpot.
    pub(in crate::cli::demo) fn crm_value(
        &self,
        kind: CrmKind,
        id: u64,
        property: &str,
    ) -> Option<String> {
        let mut row = self.crm.portal().row(kind, id)?;
        row.properties.remove(property)
    }

    /// What HubSpot calls a contact.
    pub(in crate::cli::demo) fn crm_name(&self, id: u64) -> Option<String> {
        let row = self.crm.portal().row(CrmKind::Contact, id)?;
        let of = |property| row.properties.get(property).map_or("", String::as_str);
        Some(
            format!("{} {}", of("firstname"), of("lastname"))
                .trim()
                .to_owned(),
        )
    }

    /// A contact that both systems have, a different one for each number below 70.
    pub(in crate::cli::demo) fn couple(&self, number: usize) -> Result<Couple, Failure> {
        let couples: Vec<Couple> = self
            .crm
            .portal()
            .rows(CrmKind::Contact)
            .into_iter()
            .filter_map(|row| {
                let there = self.desk.contact_by_email(row.properties.get("email")?)?;
                there.phone.as_ref()?;
                Some(Couple {
                    crm: row.id,
                    desk: there.id,
                    name: self.crm_name(row.id)?,
                })
            })
            .collect();
        let at = number.checked_rem(couples.len()).unwrap_or(0);
        couples
            .get(at)
            .cloned()
            .ok_or_else(|| bug("nobody is in both systems"))
    }

    /// A contact without a standing, whom both systems have and who never asked anything.
    pub(in crate::cli::demo) fn quiet_customer(&self) -> Result<Couple, Failure> {
        let asked: BTreeSet<u64> = self
            .desk
            .tickets()
            .iter()
            .map(|it| it.requester_id)
            .collect();
        for number in 0..70 {
            let who = self.couple(number)?;
            let tier = self.crm_value(CrmKind::Contact, who.crm, "customer_tier");
            if tier.as_deref() == Some("standard") && !asked.contains(&who.desk) {
                return Ok(who);
            }
        }
        Err(bug("everybody is a VIP or has asked something"))
    }

    /// A company that both systems have, by its id in HubSpot and its name.
    pub(in crate::cli::demo) fn company(&self) -> Result<(u64, String), Failure> {
        let there: BTreeSet<String> = self
            .desk
            .companies()
            .into_iter()
            .map(|company| company.name)
            .collect();
        let twice = self.ambiguous_domains();
        self.crm
            .portal()
            .rows(CrmKind::Company)
            .into_iter()
            .filter(|row| {
                !row.properties
                    .get("domain")
                    .is_some_and(|it| twice.contains(it))
            })
            .filter_map(|row| Some((row.id, row.properties.get("name")?.clone())))
            .find(|(_, name)| there.contains(name))
            .ok_or_else(|| bug("no company is in both systems"))
    }

    /// The domains that more than one company of HubSpot has.
    pub(in crate::cli::demo) fn ambiguous_domains(&self) -> BTreeSet<String> {
        let (mut known, mut twice) = (BTreeSet::new(), BTreeSet::new());
        for mut row in self.crm.portal().rows(CrmKind::Company) {
            if let Some(domain) = row.properties.remove("domain")
                && !known.insert(domain.clone())
            {
                twice.insert(domain);
            }
        }
        twice
    }

    /// How many companies of both systems have such a domain.
    pub(in crate::cli::demo) fn ambiguous_companies(&self) -> usize {
        let twice = self.ambiguous_domains();
        let here = self.crm.portal().rows(CrmKind::Company);
        let here = here.iter().filter(|row| {
            row.properties
                .get("domain")
                .is_some_and(|it| twice.contains(it))
        });
        let there = self.desk.companies();
        let there = there
            .iter()
            .filter(|company| company.domains.iter().any(|it| twice.contains(it)));
        here.count() + there.count()
    }
}
