//! A contact and a company as the account keeps them, and as each endpoint shows them.

use super::fields::CustomField;
use chrono::{DateTime, Datelike as _, Timelike as _};
use serde::ser::{Serialize, SerializeMap, SerializeSeq as _, Serializer};
use serde_json::Value;
use std::fmt;

/// Where a contact is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Standing {
    /// In the default list.
    Live,
    /// In the trash: `state=deleted`.
    Deleted,
    /// `state=blocked`.
    Blocked,
    /// Promoted: under `/agents`, no longer under `/contacts`.
    Agent,
}

/// One contact. Times are whole seconds since 1970, UTC.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the attributes' names are the API's own")]
pub struct Contact {
    pub id: u64,
    pub standing: Standing,
    pub name: String,
    pub email: Option<String>,
    pub other_emails: Vec<String>,
    pub phone: Option<String>,
    pub mobile: Option<String>,
    pub twitter_id: Option<String>,
    pub unique_external_id: Option<String>,
    pub company_id: Option<u64>,
    pub view_all_tickets: bool,
    pub other_companies: Vec<(u64, bool)>,
    pub tags: Vec<String>,
    pub address: Option<String>,
    pub description: Option<String>,
    pub job_title: Option<String>,
    pub language: String,
    pub time_zone: String,
    /// Verified in the portal.
    pub active: bool,
    /// The id of a picture.
    pub avatar: Option<u64>,
    /// In the order of [`Schema::contact`](super::Schema::contact); `Null` where empty.
    pub custom: Vec<Value>,
    pub created_at: i64,
    pub updated_at: i64,
}

impl Contact {
    pub(super) fn new(id: u64, custom: usize, now: i64) -> Self {
        Self {
            id,
            standing: Standing::Live,
            name: String::new(),
            email: None,
            other_emails: Vec::new(),
            phone: None,
            mobile: None,
            twitter_id: None,
            unique_external_id: None,
            company_id: None,
            view_all_tickets: false,
            other_companies: Vec::new(),
            tags: Vec::new(),
            address: None,
            description: None,
            job_title: None,
            language: "en".to_owned(),
            time_zone: "London".to_owned(),
            active: false,
            avatar: None,
            custom: vec![Value::Null; custom],
            created_at: now,
            updated_at: now,
        }
    }

    /// All its addresses, the main one first.
    pub(super) fn emails(&self) -> impl Iterator<Item = &String> {
        self.email.iter().chain(&self.other_emails)
    }
}

/// One company. Times are whole seconds since 1970, UTC.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the attributes' names are the API's own")]
pub struct Company {
    pub id: u64,
    pub name: String,
    pub description: Option<String>,
    pub note: Option<String>,
    pub domains: Vec<String>,
    pub health_score: Option<String>,
    pub account_tier: Option<String>,
    pub industry: Option<String>,
    /// `YYYY-MM-DD`.
    pub renewal_date: Option<String>,
    /// In the order of [`Schema::company`](super::Schema::company); `Null` where empty.
    pub custom: Vec<Value>,
    pub created_at: i64,
    pub updated_at: i64,
}

impl Company {
    pub(super) fn new(id: u64, custom: usize, now: i64) -> Self {
        Self {
            id,
            name: String::new(),
            description: None,
            note: None,
            domains: Vec::new(),
            health_score: None,
            account_tier: None,
            industry: None,
            renewal_date: None,
            custom: vec![Value::Null; custom],
            created_at: now,
            updated_at: now,
        }
    }
}

/// Which endpoint shows the record: the attributes differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// A row of a list.
    Row,
    /// A row of a search.
    Found,
    /// `GET` by id.
    View,
    /// The answer to a create or an update.
    Echo,
}

/// A record on its way out.
pub(super) struct Shown<'a, T> {
    pub(super) record: &'a T,
    pub(super) fields: &'a [CustomField],
    pub(super) shape: Shape,
    /// Differs from read to read.
    pub(super) nonce: u64,
}

impl Serialize for Shown<'_, Contact> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let it = self.record;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("active", &it.active)?;
        map.serialize_entry("address", &it.address)?;
        map.serialize_entry("company_id", &it.company_id)?;
        map.serialize_entry("contact_type", "contact")?;
        map.serialize_entry("csat_rating", &Value::Null)?;
        map.serialize_entry("description", &it.description)?;
        map.serialize_entry("email", &it.email)?;
        map.serialize_entry("facebook_id", &Value::Null)?;
        let (first, last) = it.name.rsplit_once(' ').unwrap_or((&it.name, ""));
        map.serialize_entry("first_name", first)?;
        map.serialize_entry("last_name", last)?;
        map.serialize_entry("id", &it.id)?;
        map.serialize_entry("job_title", &it.job_title)?;
        map.serialize_entry("language", &it.language)?;
        map.serialize_entry("mobile", &it.mobile)?;
        map.serialize_entry("name", &it.name)?;
        let org = org_id(it.id);
        map.serialize_entry("org_contact_id", &org)?;
        map.serialize_entry("org_contact_id_str", &Quoted(org))?;
        map.serialize_entry("phone", &it.phone)?;
        map.serialize_entry("preferred_source", &Value::Null)?;
        map.serialize_entry("time_zone", &it.time_zone)?;
        map.serialize_entry("twitter_id", &it.twitter_id)?;
        map.serialize_entry("unique_external_id", &it.unique_external_id)?;
        map.serialize_entry("visitor_id", &Value::Null)?;
        map.serialize_entry("custom_fields", &Custom(self.fields, &it.custom))?;
        map.serialize_entry("created_at", &Stamp(it.created_at))?;
        map.serialize_entry("updated_at", &Stamp(it.updated_at))?;
        match self.shape {
            Shape::Row if it.company_id.is_some() => {
                let ids: Vec<u64> = it.other_companies.iter().map(|(id, _)| *id).collect();
                map.serialize_entry("other_companies", &ids)?;
            }
            Shape::View | Shape::Echo => self.serialize_rest(&mut map)?,
            Shape::Row | Shape::Found => {}
        }
        match (it.standing == Standing::Deleted, self.shape) {
            (true, _) => map.serialize_entry("deleted", &true)?,
            (false, Shape::Echo) => map.serialize_entry("deleted", &false)?,
            (false, _) => {}
        }
        map.end()
    }
}

impl Shown<'_, Contact> {
    /// What lists lack.
    fn serialize_rest<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        let it = self.record;
        map.serialize_entry("other_emails", &it.other_emails)?;
        map.serialize_entry("tags", &it.tags)?;
        let view_all = it.company_id.map(|_| it.view_all_tickets);
        map.serialize_entry("view_all_tickets", &view_all)?;
        map.serialize_entry("other_companies", &Companies(&it.other_companies))?;
        map.serialize_entry("avatar", &it.avatar.map(|id| Avatar(id, self.nonce)))?;
        map.serialize_entry("social_handler", &[(); 0])?;
        map.serialize_entry("other_phone_numbers", &[(); 0])
    }
}

impl Serialize for Shown<'_, Company> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let it = self.record;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &it.id)?;
        map.serialize_entry("name", &it.name)?;
        map.serialize_entry("description", &it.description)?;
        map.serialize_entry("note", &it.note)?;
        map.serialize_entry("domains", &it.domains)?;
        map.serialize_entry("custom_fields", &Custom(self.fields, &it.custom))?;
        map.serialize_entry("created_at", &Stamp(it.created_at))?;
        map.serialize_entry("updated_at", &Stamp(it.updated_at))?;
        if self.shape != Shape::Found {
            map.serialize_entry("health_score", &it.health_score)?;
            map.serialize_entry("account_tier", &it.account_tier)?;
            map.serialize_entry("industry", &it.industry)?;
            let midnight = it
                .renewal_date
                .as_ref()
                .map(|day| format!("{day}T00:00:00Z"));
            map.serialize_entry("renewal_date", &midnight)?;
        }
        let org = org_id(it.id);
        if self.shape == Shape::Row {
            map.serialize_entry("org_company_id", &Quoted(org))?;
        } else {
            map.serialize_entry("org_company_id", &org)?;
            map.serialize_entry("org_company_id_str", &Quoted(org))?;
        }
        map.end()
    }
}

/// An organisation-wide id: 19 digits, beyond what a double holds.
const fn org_id(id: u64) -> u64 {
    1_900_000_000_000_000_001 + (id % 1_000_000_000_000) * 2
}

struct Quoted(u64);

impl Serialize for Quoted {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// The values of custom fields under their names.
pub(super) struct Custom<'a>(pub(super) &'a [CustomField], pub(super) &'a [Value]);

impl Serialize for Custom<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|field| &field.name).zip(self.1))
    }
}

struct Companies<'a>(&'a [(u64, bool)]);

impl Serialize for Companies<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(serde::Serialize)]
        struct Other {
            company_id: u64,
            view_all_tickets: bool,
        }
        let mut rows = serializer.serialize_seq(Some(self.0.len()))?;
        for &(company_id, view_all_tickets) in self.0 {
            rows.serialize_element(&Other {
                company_id,
                view_all_tickets,
            })?;
        }
        serde::ser::SerializeSeq::end(rows)
    }
}

struct Avatar(u64, u64);

impl Serialize for Avatar {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &self.0)?;
        map.serialize_entry("name", "portrait.png")?;
        map.serialize_entry("content_type", "image/png")?;
        map.serialize_entry("size", &4711)?;
        let url = format!(
            "https://attachments.invalid/{}?Expires=300&Signature={}",
            self.0, self.1
        );
        map.serialize_entry("avatar_url", &url)?;
        map.end()
    }
}

/// Seconds since 1970 as `YYYY-MM-DDTHH:MM:SSZ`; two a row, so they are written by hand.
pub(super) struct Stamp(pub(super) i64);

impl Stamp {
    fn text(&self) -> String {
        let at = DateTime::from_timestamp(self.0, 0).unwrap_or_default();
        let mut text = String::with_capacity(20);
        let year = at.year().unsigned_abs();
        two_digits(&mut text, year / 100);
        two_digits(&mut text, year);
        let rest = [
            ('-', at.month()),
            ('-', at.day()),
            ('T', at.hour()),
            (':', at.minute()),
            (':', at.second()),
        ];
        for (before, number) in rest {
            text.push(before);
            two_digits(&mut text, number);
        }
        text.push('Z');
        text
    }
}

fn two_digits(into: &mut String, number: u32) {
    for digit in [number / 10 % 10, number % 10] {
        into.extend(char::from_digit(digit, 10));
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

impl Serialize for Stamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text())
    }
}
