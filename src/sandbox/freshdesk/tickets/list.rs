//! `GET /tickets` and `GET /tickets/{id}`: thirty days unless told otherwise, filters, orders, pages.

use super::record::{Ticket, TicketStanding};
use super::shown::TicketShown;
use super::wanted::{MONTH, Order, Wanted, included};
use crate::sandbox::freshdesk::list::{Query, next_link};
use crate::sandbox::freshdesk::reply::{Problem, Reply};
use crate::sandbox::freshdesk::service::Service;
use axum::http::StatusCode;
use std::sync::Arc;

impl Service<'_> {
    pub(super) fn list_tickets(&mut self, query: &Query, url: &str) -> Result<Reply, Reply> {
        let wanted = self.wanted(query)?;
        let skip = (wanted.page - 1) * wanted.per_page;
        let (ids, total) = self.ticket_page(&wanted, skip);
        let mut body = Vec::with_capacity(64 * 1024);
        body.push(b'[');
        for ticket in ids.iter().filter_map(|id| self.account.tickets.get(*id)) {
            if body.len() > 1 {
                body.push(b',');
            }
            let mut shown = TicketShown::row(ticket, &self.options.tickets.custom);
            self.include(&mut shown, &wanted.include);
            // Writing to memory fails for no record that we can hold.
            serde_json::to_writer(&mut body, &shown).ok();
        }
        body.push(b']');
        let reply = Reply {
            body,
            ..Reply::empty(StatusCode::OK)
        };
        let more = skip + wanted.per_page < total;
        let link = more.then(|| next_link(wanted.page + 1, query, url));
        Ok(match link.flatten() {
            Some((name, value)) => reply.with(name, value),
            None => reply,
        })
    }

    /// The ids of one page, and how many tickets there are on all pages.
    fn ticket_page(&mut self, wanted: &Wanted, skip: usize) -> (Vec<u64>, usize) {
        if let Some(page) = self.straight(wanted, skip) {
            return page;
        }
        let generation = self.account.tickets.generation();
        let key = wanted.key(self.second());
        let all = self.account.pages.get(generation, &key).unwrap_or_else(|| {
            let all: Arc<[u64]> = self.chosen(wanted).into();
            self.account.pages.put(generation, key, Arc::clone(&all));
            all
        });
        let page = all.iter().skip(skip).take(wanted.per_page);
        (page.copied().collect(), all.len())
    }

    /// All that pass the filters, in order.
    fn chosen(&self, wanted: &Wanted) -> Vec<u64> {
        let tickets = &self.account.tickets;
        let now = self.second();
        let candidates = if let Some(requester) = wanted.requester {
            tickets.of_requester(requester)
        } else if let Some(company) = wanted.company {
            tickets.of_company(company)
        } else {
            let all = tickets.shelf(wanted.standing);
            let (index, first) = match wanted.since {
                Some(since) => (&all.by_update, since),
                None => (&all.by_creation, now - MONTH),
            };
            let rows = index.from(index.rank(&(first, 0)));
            rows.map(|(_, id)| *id).collect()
        };
        let rows = candidates.iter().filter_map(|id| tickets.get(*id));
        let rows = rows.filter(|it| wanted.takes(it, now, self.account.agent));
        let rows = rows.filter(|it| self.options.tickets.may_see(it.group_id));
        let mut rows: Vec<(i64, u64)> = rows.map(|it| (wanted.order.of(it), it.id)).collect();
        rows.sort_unstable();
        if !wanted.ascending {
            rows.reverse();
        }
        rows.into_iter().map(|(_, id)| id).collect()
    }

    /// A ticket, and what `include` adds; one that is in the archive has another address.
    pub(super) fn view_ticket(
        &self,
        id: u64,
        archived: bool,
        query: &Query,
    ) -> Result<Reply, Reply> {
        let ticket = self.account.tickets.get(id);
        let here = |it: &&Ticket| (it.standing == TicketStanding::Archived) == archived;
        let ticket = ticket.filter(here).ok_or_else(Reply::missing)?;
        let mut names = Vec::new();
        for (name, value) in query {
            if name != "include" {
                return Err(Reply::invalid(&[Problem::unknown(name)]));
            }
            names = included(value, true)?;
        }
        let mut shown = TicketShown::view(ticket, &self.options.tickets.custom);
        self.include(&mut shown, &names);
        Ok(Reply::json(StatusCode::OK, &shown))
    }

    fn include(&self, shown: &mut TicketShown<'_>, names: &[String]) {
        let ticket = shown.ticket;
        for name in names {
            match name.as_str() {
                "requester" => {
                    let card = self.requester_card(ticket.requester_id);
                    shown.more.push(("requester", card));
                }
                "company" => {
                    let card = self.company_card(ticket.company_id);
                    shown.more.push(("company", card));
                }
                "conversations" => {
                    let said = self.oldest_conversations(ticket.id);
                    shown.more.push(("conversations", said));
                }
                "stats" => shown.stats = true,
                _ => shown.description = true,
            }
        }
    }

    /// A page that an index has ready: all tickets in the order of the time that limits them.
    fn straight(&self, wanted: &Wanted, skip: usize) -> Option<(Vec<u64>, usize)> {
        let narrowed = wanted.mine || wanted.watched || self.options.tickets.scope.is_some();
        if narrowed || wanted.requester.is_some() || wanted.company.is_some() {
            return None;
        }
        let all = self.account.tickets.shelf(wanted.standing);
        let (index, first) = match (wanted.order, wanted.since) {
            (Order::Updated, Some(since)) => (&all.by_update, since),
            (Order::Created, None) => (&all.by_creation, self.second() - MONTH),
            _ => return None,
        };
        let before = index.rank(&(first, 0));
        let total = index.len() - before;
        let many = wanted.per_page.min(total.saturating_sub(skip));
        let ids = if wanted.ascending {
            let rows = index.from(before + skip).take(many);
            rows.map(|(_, id)| *id).collect()
        } else {
            let rows = index.back(skip).take(many);
            rows.map(|(_, id)| *id).collect()
        };
        Some((ids, total))
    }
}
