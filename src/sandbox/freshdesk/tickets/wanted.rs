//! What is asked of `GET /tickets`: the parameters, and which tickets they mean.

use super::record::{OPEN, Ticket, TicketStanding};
use crate::sandbox::freshdesk::list::{Query, instant, positive, second_of};
use crate::sandbox::freshdesk::reply::{Problem, Reply};
use crate::sandbox::freshdesk::service::Service;

/// What is listed when no time is given, in seconds.
pub(super) const MONTH: i64 = 30 * 86_400;
/// The last page that is shown.
const LAST_PAGE: usize = 300;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Order {
    #[default]
    Created,
    Updated,
    Due,
    Status,
}

/// What is asked of the list.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) page: usize,
    pub(super) per_page: usize,
    /// The first second of `updated_at`; `None`: created within the last month.
    pub(super) since: Option<i64>,
    pub(super) standing: TicketStanding,
    /// Open, and nobody's or the key's agent's.
    pub(super) mine: bool,
    /// Nobody watches anything.
    pub(super) watched: bool,
    pub(super) requester: Option<u64>,
    pub(super) company: Option<u64>,
    pub(super) order: Order,
    pub(super) ascending: bool,
    pub(super) include: Vec<String>,
}

/// What both the list and the view can include.
const EXTRAS: [&str; 4] = ["requester", "stats", "description", "company"];

impl Service<'_> {
    pub(super) fn wanted(&self, query: &Query) -> Result<Wanted, Reply> {
        let mut wanted = Wanted {
            page: 1,
            per_page: 30,
            since: None,
            standing: TicketStanding::Live,
            mine: false,
            watched: false,
            requester: None,
            company: None,
            order: Order::default(),
            ascending: false,
            include: Vec::new(),
        };
        let mut wrong = Vec::new();
        for (name, value) in query {
            wrong.extend(self.parameter(name, value, &mut wanted)?);
        }
        if wrong.is_empty() {
            return Ok(wanted);
        }
        Err(Reply::invalid(&wrong))
    }

    fn parameter(
        &self,
        name: &str,
        value: &str,
        wanted: &mut Wanted,
    ) -> Result<Option<Problem>, Reply> {
        let contacts = &self.account.contacts;
        let problem = match name {
            "page" => page(value, &mut wanted.page),
            "per_page" => positive(name, value, 100, &mut wanted.per_page),
            "updated_since" => {
                let millis = instant(value);
                wanted.since = millis.map(|it| second_of(it, self.options.since_inclusive));
                let message = "It should be in the 'combined date and time ISO8601' format";
                let missing = millis.is_none();
                missing.then(|| Problem::new(name, "invalid_value", message))
            }
            "filter" => wanted.filter(value),
            "order_by" => wanted.order_by(value),
            "order_type" => {
                wanted.ascending = value == "asc";
                let known = ["asc", "desc"].contains(&value);
                (!known).then(|| Problem::not_a_choice(name, &["asc", "desc"]))
            }
            "include" => {
                wanted.include = included(value, false)?;
                None
            }
            "requester_id" => {
                let id: Option<u64> = value.parse().ok();
                let known = id.filter(|id| contacts.get(*id).is_some());
                self.somebody(name, id, known, &mut wanted.requester)
            }
            "email" => {
                let known = contacts.with_email(&value.to_lowercase());
                self.somebody(name, Some(0), known, &mut wanted.requester)
            }
            "unique_external_id" => {
                let known = contacts.with_external_id(value);
                self.somebody(name, Some(0), known, &mut wanted.requester)
            }
            "company_id" => {
                let id: Option<u64> = value.parse().ok();
                let known = id.filter(|id| self.account.companies.get(*id).is_some());
                self.somebody(name, id, known, &mut wanted.company)
            }
            _ => Some(Problem::unknown(name)),
        };
        Ok(problem)
    }

    fn somebody(
        &self,
        name: &str,
        given: Option<u64>,
        known: Option<u64>,
        into: &mut Option<u64>,
    ) -> Option<Problem> {
        *into = known.or(given);
        if given.is_none() {
            let message = "It should be a/an Positive Integer";
            return Some(Problem::new(name, "datatype_mismatch", message));
        }
        let refused = known.is_none() && self.options.tickets.strict_filters;
        let kind = if name == "company_id" {
            "company"
        } else {
            "contact"
        };
        let message = format!("There is no {kind} matching the given {name}");
        refused.then(|| Problem::new(name, "invalid_value", message))
    }
}

impl Wanted {
    fn filter(&mut self, value: &str) -> Option<Problem> {
        match value {
            "new_and_my_open" => self.mine = true,
            "watching" => self.watched = true,
            "spam" => self.standing = TicketStanding::Spam,
            "deleted" => self.standing = TicketStanding::Deleted,
            _ => {
                let choices = ["new_and_my_open", "watching", "spam", "deleted"];
                return Some(Problem::not_a_choice("filter", &choices));
            }
        }
        None
    }

    fn order_by(&mut self, value: &str) -> Option<Problem> {
        self.order = match value {
            "created_at" => Order::Created,
            "updated_at" => Order::Updated,
            "due_by" => Order::Due,
            "status" => Order::Status,
            _ => {
                let choices = ["created_at", "due_by", "updated_at", "status"];
                return Some(Problem::not_a_choice("order_by", &choices));
            }
        };
        None
    }

    pub(super) fn takes(&self, ticket: &Ticket, now: i64, agent: u64) -> bool {
        let fresh = match self.since {
            Some(since) => ticket.updated_at >= since,
            None => ticket.created_at >= now - MONTH,
        };
        let nobodys_or_mine = ticket.responder_id.is_none_or(|it| it == agent);
        fresh
            && !self.watched
            && ticket.standing == self.standing
            && (!self.mine || ticket.status == OPEN && nobodys_or_mine)
            && self.requester.is_none_or(|it| ticket.requester_id == it)
            && self.company.is_none_or(|it| ticket.company_id == Some(it))
    }

    /// The same for every page of one list.
    pub(super) fn key(&self, now: i64) -> String {
        let since = self.since.ok_or(now - MONTH);
        let Self {
            standing,
            mine,
            watched,
            requester,
            company,
            order,
            ascending,
            ..
        } = self;
        format!(
            "tickets {since:?} {standing:?} {mine} {watched} {requester:?} {company:?} {order:?} {ascending}"
        )
    }
}

impl Order {
    pub(super) fn of(self, ticket: &Ticket) -> i64 {
        match self {
            Self::Created => ticket.created_at,
            Self::Updated => ticket.updated_at,
            Self::Due => ticket.due_by,
            Self::Status => i64::try_from(ticket.status).unwrap_or(i64::MAX),
        }
    }
}

fn page(value: &str, into: &mut usize) -> Option<Problem> {
    if value.parse::<usize>().is_ok_and(|page| page > LAST_PAGE) {
        let message = format!(
            "You cannot access tickets beyond the {LAST_PAGE}th page. Please provide a smaller page number."
        );
        return Some(Problem::new("page", "invalid_value", message));
    }
    positive("page", value, LAST_PAGE, into)
}

pub(super) fn included(value: &str, view: bool) -> Result<Vec<String>, Reply> {
    let names: Vec<String> = value.split(',').map(|it| it.trim().to_owned()).collect();
    let known = |name: &str| EXTRAS.contains(&name) || view && name == "conversations";
    if names.iter().all(|name| known(name)) {
        return Ok(names);
    }
    let choices = EXTRAS
        .iter()
        .copied()
        .chain(view.then_some("conversations"));
    let problem = Problem::not_a_choice("include", &choices.collect::<Vec<_>>());
    Err(Reply::invalid(&[problem]))
}

/// What a call costs that includes `value`: two for each in the list, one in the view, but for
/// conversations, which are "two calls".
pub(super) fn cost(value: &str, view: bool) -> u32 {
    let each = value.split(',').map(|name| match (view, name.trim()) {
        (true, "conversations") | (false, _) => 2,
        (true, _) => 1,
    });
    each.sum()
}
