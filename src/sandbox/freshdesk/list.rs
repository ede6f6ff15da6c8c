//! `GET /contacts` and `GET /companies`: filters, pages, the order of names.

use super::fields::CustomField;
use super::options::{Options, UpdatedSince};
use super::record::{Contact, Shape, Shown, Standing};
use super::reply::{Problem, Reply};
use super::service::Service;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use chrono::{DateTime, NaiveDate, NaiveDateTime};
use serde::Serialize;
use std::collections::VecDeque;
use std::sync::Arc;

/// Rows of a page unless told otherwise, and the most.
const PER_PAGE: (usize, usize) = (30, 100);
/// How many filtered lists are remembered between pages.
const MOST_PAGES: usize = 4;

/// Query parameters, decoded; of one that is given twice the last counts.
pub(super) type Query = [(String, String)];

/// Filtered lists, so that the next page need not filter again; void once anything changed.
#[derive(Debug, Default)]
pub(super) struct Pages(VecDeque<(u64, String, Arc<[u64]>)>);

impl Pages {
    pub(super) fn get(&self, generation: u64, key: &str) -> Option<Arc<[u64]>> {
        let found = self
            .0
            .iter()
            .find(|(at, it, _)| *at == generation && it == key);
        found.map(|(_, _, ids)| Arc::clone(ids))
    }

    pub(super) fn put(&mut self, generation: u64, key: String, ids: Arc<[u64]>) {
        self.0.truncate(MOST_PAGES - 1);
        self.0.push_front((generation, key, ids));
    }
}

/// What is asked of a list.
#[derive(Debug, Default)]
struct Wanted {
    page: usize,
    per_page: usize,
    /// The first second that is listed; `None` lists all.
    since: Option<i64>,
    standing: Option<Standing>,
    active: Option<bool>,
    visitors: bool,
    email: Option<String>,
    phone: Option<String>,
    mobile: Option<String>,
    company: Option<u64>,
}

impl Wanted {
    fn skip(&self) -> usize {
        (self.page - 1) * self.per_page
    }

    fn is_plain(&self) -> bool {
        self.active.is_none()
            && !self.visitors
            && self.email.is_none()
            && self.phone.is_none()
            && self.mobile.is_none()
            && self.company.is_none()
    }

    /// The same for every page of one list.
    fn key(&self, kind: &str) -> String {
        let Self {
            page: _,
            per_page: _,
            since,
            standing,
            active,
            visitors,
            email,
            phone,
            mobile,
            company,
        } = self;
        format!(
            "{kind} {since:?} {standing:?} {active:?} {visitors} {email:?} {phone:?} {mobile:?} {company:?}"
        )
    }

    fn takes(&self, contact: &Contact) -> bool {
        let standing = self.standing.unwrap_or(Standing::Live);
        contact.standing == standing
            && !self.visitors
            && self.since.is_none_or(|since| contact.updated_at >= since)
            && self.active.is_none_or(|active| contact.active == active)
            && self
                .email
                .as_ref()
                .is_none_or(|email| contact.emails().any(|it| it == email))
            && self.phone.is_none_or_eq(contact.phone.as_ref())
            && self.mobile.is_none_or_eq(contact.mobile.as_ref())
            && self.company.is_none_or(|id| contact.company_id == Some(id))
    }
}

/// `None` wants nothing in particular.
trait Unless {
    fn is_none_or_eq(&self, other: Option<&String>) -> bool;
}

impl Unless for Option<String> {
    fn is_none_or_eq(&self, other: Option<&String>) -> bool {
        self.is_none() || self.as_ref() == other
    }
}

impl Service<'_> {
    pub(super) fn list_contacts(&mut self, query: &Query, url: &str) -> Result<Reply, Reply> {
        let wanted = wanted(query, self.options, true)?;
        let standing = wanted.standing.unwrap_or(Standing::Live);
        let fields = &self.options.schema.contact;
        let all = wanted.is_plain()
            && wanted
                .since
                .is_none_or(|since| self.account.contacts.all_changed_since(standing, since));
        if all {
            let total = self.account.contacts.count(standing);
            let rows = self.account.contacts.by_name(standing, wanted.skip());
            return Ok(page(rows, total, &wanted, fields, query, url));
        }
        let generation = self.account.contacts.generation();
        let key = wanted.key("contacts");
        let ids = self.account.pages.get(generation, &key).unwrap_or_else(|| {
            let ids: Arc<[u64]> = self.filtered(&wanted).into();
            self.account.pages.put(generation, key, Arc::clone(&ids));
            ids
        });
        let rows = ids.iter().skip(wanted.skip());
        let rows = rows.filter_map(|id| self.account.contacts.get(*id));
        Ok(page(rows, ids.len(), &wanted, fields, query, url))
    }

    fn filtered(&self, wanted: &Wanted) -> Vec<u64> {
        let contacts = &self.account.contacts;
        let standing = wanted.standing.unwrap_or(Standing::Live);
        let candidates: Vec<u64> = if let Some(email) = &wanted.email {
            contacts.with_email(email).into_iter().collect()
        } else if let Some(phone) = &wanted.phone {
            contacts.with_phone(phone)
        } else if let Some(mobile) = &wanted.mobile {
            contacts.with_mobile(mobile)
        } else if let Some(company) = wanted.company {
            contacts.of_company(company)
        } else {
            contacts
                .changed_since(standing, wanted.since.unwrap_or(i64::MIN))
                .collect()
        };
        let rows = candidates.iter().filter_map(|id| contacts.get(*id));
        let rows = rows.filter(|contact| wanted.takes(contact));
        sorted(rows.map(|contact| (contact.name.as_str(), contact.id)))
    }

    pub(super) fn list_companies(&mut self, query: &Query, url: &str) -> Result<Reply, Reply> {
        let wanted = wanted(query, self.options, false)?;
        let fields = &self.options.schema.company;
        let companies = &self.account.companies;
        if wanted
            .since
            .is_none_or(|since| companies.all_changed_since(since))
        {
            let rows = companies.by_name(wanted.skip());
            return Ok(page(rows, companies.len(), &wanted, fields, query, url));
        }
        let generation = companies.generation();
        let key = wanted.key("companies");
        let ids = self.account.pages.get(generation, &key).unwrap_or_else(|| {
            let changed = companies.changed_since(wanted.since.unwrap_or(i64::MIN));
            let rows = changed.filter_map(|id| companies.get(id));
            let ids: Arc<[u64]> = sorted(rows.map(|it| (it.name.as_str(), it.id))).into();
            self.account.pages.put(generation, key, Arc::clone(&ids));
            ids
        });
        let rows = ids.iter().skip(wanted.skip());
        let rows = rows.filter_map(|id| self.account.companies.get(*id));
        Ok(page(rows, ids.len(), &wanted, fields, query, url))
    }
}

fn sorted<'a>(rows: impl Iterator<Item = (&'a str, u64)>) -> Vec<u64> {
    let mut rows: Vec<(String, u64)> = rows.map(|(name, id)| (name.to_lowercase(), id)).collect();
    rows.sort_unstable();
    rows.into_iter().map(|(_, id)| id).collect()
}

fn page<'a, T: 'static>(
    rows: impl Iterator<Item = &'a T>,
    total: usize,
    wanted: &Wanted,
    fields: &[CustomField],
    query: &Query,
    url: &str,
) -> Reply
where
    for<'b> Shown<'b, T>: Serialize,
{
    let mut body = Vec::with_capacity(64 * 1024);
    body.push(b'[');
    for record in rows.take(wanted.per_page) {
        if body.len() > 1 {
            body.push(b',');
        }
        let shown = Shown {
            record,
            fields,
            shape: Shape::Row,
            nonce: 0,
        };
        // Writing to memory fails for no record that we can hold.
        serde_json::to_writer(&mut body, &shown).ok();
    }
    body.push(b']');
    let reply = Reply {
        body,
        ..Reply::empty(StatusCode::OK)
    };
    if wanted.skip() + wanted.per_page >= total {
        return reply;
    }
    match next_link(wanted.page + 1, query, url) {
        Some((name, value)) => reply.with(name, value),
        None => reply,
    }
}

pub(super) fn next_link(
    page: usize,
    query: &Query,
    url: &str,
) -> Option<(HeaderName, HeaderValue)> {
    let others = query.iter().filter(|(name, _)| name != "page");
    let mut next = reqwest::Url::parse(url).ok()?;
    next.query_pairs_mut()
        .extend_pairs(others)
        .append_pair("page", &page.to_string());
    let value = HeaderValue::try_from(format!("<{next}>; rel=\"next\"")).ok()?;
    Some((header::LINK, value))
}

fn wanted(query: &Query, options: &Options, contacts: bool) -> Result<Wanted, Reply> {
    let mut wanted = Wanted {
        page: 1,
        per_page: PER_PAGE.0,
        ..Wanted::default()
    };
    let mut problems = Vec::new();
    for (name, value) in query {
        let wrong = match name.as_str() {
            "updated_since" | "_updated_since" => since(name, value, options, &mut wanted),
            "page" => positive(name, value, usize::MAX / PER_PAGE.1, &mut wanted.page),
            "per_page" => positive(name, value, PER_PAGE.1, &mut wanted.per_page),
            _ if contacts => contact_filter(name, value, &mut wanted),
            _ => Some(Problem::unknown(name)),
        };
        problems.extend(wrong);
    }
    if problems.is_empty() {
        return Ok(wanted);
    }
    Err(Reply::invalid(&problems))
}

fn contact_filter(name: &str, value: &str, wanted: &mut Wanted) -> Option<Problem> {
    match name {
        "email" => wanted.email = Some(value.to_lowercase()),
        "phone" => wanted.phone = Some(value.to_owned()),
        "mobile" => wanted.mobile = Some(value.to_owned()),
        "company_id" => {
            wanted.company = value.parse().ok();
            if wanted.company.is_none() {
                let message = "It should be a/an Positive Integer";
                return Some(Problem::new(name, "datatype_mismatch", message));
            }
        }
        "state" => match value {
            "deleted" => wanted.standing = Some(Standing::Deleted),
            "blocked" => wanted.standing = Some(Standing::Blocked),
            "verified" => wanted.active = Some(true),
            "unverified" => wanted.active = Some(false),
            _ => {
                let states = ["verified", "unverified", "blocked", "deleted"];
                return Some(Problem::not_a_choice(name, &states));
            }
        },
        "contact_type" => match value {
            "contact" => wanted.visitors = false,
            "visitor" => wanted.visitors = true,
            _ => return Some(Problem::not_a_choice(name, &["contact", "visitor"])),
        },
        _ => return Some(Problem::unknown(name)),
    }
    None
}

pub(super) fn positive(name: &str, value: &str, most: usize, into: &mut usize) -> Option<Problem> {
    match value.parse::<usize>() {
        Ok(number) if (1..=most).contains(&number) => {
            *into = number;
            None
        }
        Ok(_) => {
            let message = format!("It should be a Positive Integer less than or equal to {most}");
            Some(Problem::new(name, "invalid_value", message))
        }
        Err(_) => {
            let message = "It should be a/an Positive Integer";
            Some(Problem::new(name, "datatype_mismatch", message))
        }
    }
}

fn since(name: &str, value: &str, options: &Options, wanted: &mut Wanted) -> Option<Problem> {
    let plain = name == "updated_since";
    let (known, obeyed) = match options.updated_since {
        UpdatedSince::Both => (true, true),
        UpdatedSince::OnlyPlain => (plain, plain),
        UpdatedSince::OnlyUnderscored => (!plain, !plain),
        UpdatedSince::IgnoresUnderscored => (true, plain),
        UpdatedSince::IgnoresPlain => (true, !plain),
        UpdatedSince::IgnoresBoth => (true, false),
    };
    if !known {
        return Some(Problem::unknown(name));
    }
    let Some(millis) = instant(value) else {
        let message = "It should be in the 'combined date and time ISO8601' format";
        return Some(Problem::new(name, "invalid_value", message));
    };
    if obeyed {
        wanted.since = Some(second_of(millis, options.since_inclusive));
    }
    None
}

/// The first second that is listed. Stamps are whole seconds: one half past ten is after ten and
/// before eleven.
pub(super) const fn second_of(millis: i64, inclusive: bool) -> i64 {
    let second = millis.div_euclid(1000);
    if inclusive && millis.rem_euclid(1000) == 0 {
        second
    } else {
        second + 1
    }
}

/// A time in one of the forms the reference allows, in milliseconds since 1970.
pub(super) fn instant(text: &str) -> Option<i64> {
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Some(at.timestamp_millis());
    }
    let forms = [
        "%Y-%m-%dT%H:%M:%S%.f",
        "%Y-%m-%d %H:%M:%S",
        "%Y-%m-%dT%H:%M",
    ];
    let local = forms
        .iter()
        .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok());
    let midnight = || text.parse::<NaiveDate>().ok()?.and_hms_opt(0, 0, 0);
    Some(local.or_else(midnight)?.and_utc().timestamp_millis())
}
