//! All tickets of the account, and the indexes that keep every call cheap.

use super::record::{OPEN, Ticket, TicketStanding};
use crate::sandbox::freshdesk::ranked::Ranked;
use std::collections::{BTreeSet, HashMap};

#[derive(Debug, Default)]
pub(crate) struct Tickets {
    rows: HashMap<u64, Ticket>,
    /// Live, deleted, spam, archived.
    shelves: [Shelf; 4],
    by_requester: BTreeSet<(u64, u64)>,
    by_company: BTreeSet<(u64, u64)>,
    /// Open and not yet escalated, by the time when they will be.
    due: BTreeSet<(i64, u64)>,
    last_id: u64,
    /// Grows with every change.
    generation: u64,
}

/// The tickets of one standing, by a time and the id.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    pub(super) by_creation: Ranked<(i64, u64)>,
    pub(super) by_update: Ranked<(i64, u64)>,
}

impl Tickets {
    /// Larger by one than the one before.
    pub(super) const fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    pub(super) const fn generation(&self) -> u64 {
        self.generation
    }

    pub(super) fn get(&self, id: u64) -> Option<&Ticket> {
        self.rows.get(&id)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Ticket> {
        self.rows.values()
    }

    /// Puts a ticket in, in place of the one with its id.
    pub(super) fn put(&mut self, ticket: Ticket) {
        self.take(ticket.id);
        self.generation += 1;
        let id = ticket.id;
        let own = self.shelf_mut(ticket.standing);
        own.by_creation.insert((ticket.created_at, id));
        own.by_update.insert((ticket.updated_at, id));
        self.by_requester.insert((ticket.requester_id, id));
        self.by_company
            .extend(ticket.company_id.map(|company| (company, id)));
        self.due.extend(due(&ticket));
        self.rows.insert(id, ticket);
    }

    /// Puts many new tickets in at once.
    pub(super) fn fill(&mut self, tickets: Vec<Ticket>) {
        self.generation += 1;
        for standing in [
            TicketStanding::Live,
            TicketStanding::Deleted,
            TicketStanding::Spam,
            TicketStanding::Archived,
        ] {
            let theirs = || tickets.iter().filter(|it| it.standing == standing);
            let own = self.shelf_mut(standing);
            own.by_creation
                .extend(theirs().map(|it| (it.created_at, it.id)));
            own.by_update
                .extend(theirs().map(|it| (it.updated_at, it.id)));
        }
        for ticket in tickets {
            let id = ticket.id;
            self.by_requester.insert((ticket.requester_id, id));
            self.by_company
                .extend(ticket.company_id.map(|company| (company, id)));
            self.due.extend(due(&ticket));
            self.rows.insert(id, ticket);
        }
    }

    /// Takes a ticket out for good.
    pub(super) fn take(&mut self, id: u64) -> Option<Ticket> {
        let ticket = self.rows.remove(&id)?;
        self.generation += 1;
        let own = self.shelf_mut(ticket.standing);
        own.by_creation.remove(&(ticket.created_at, id));
        own.by_update.remove(&(ticket.updated_at, id));
        self.by_requester.remove(&(ticket.requester_id, id));
        if let Some(company) = ticket.company_id {
            self.by_company.remove(&(company, id));
        }
        if let Some(due) = due(&ticket) {
            self.due.remove(&due);
        }
        Some(ticket)
    }

    /// The tickets of a person, wherever they stand.
    pub(super) fn of_requester(&self, requester: u64) -> Vec<u64> {
        second(&self.by_requester, requester)
    }

    /// The tickets of a company, wherever they stand.
    pub(super) fn of_company(&self, company: u64) -> Vec<u64> {
        second(&self.by_company, company)
    }

    /// The first open ticket that was due by `now`, and when.
    pub(super) fn overdue(&self, now: i64) -> Option<(i64, u64)> {
        self.due.first().copied().filter(|(at, _)| *at <= now)
    }

    pub(super) const fn shelf(&self, standing: TicketStanding) -> &Shelf {
        let [live, deleted, spam, archived] = &self.shelves;
        match standing {
            TicketStanding::Live => live,
            TicketStanding::Deleted => deleted,
            TicketStanding::Spam => spam,
            TicketStanding::Archived => archived,
        }
    }

    const fn shelf_mut(&mut self, standing: TicketStanding) -> &mut Shelf {
        let [live, deleted, spam, archived] = &mut self.shelves;
        match standing {
            TicketStanding::Live => live,
            TicketStanding::Deleted => deleted,
            TicketStanding::Spam => spam,
            TicketStanding::Archived => archived,
        }
    }
}

/// When an open ticket escalates.
fn due(ticket: &Ticket) -> Option<(i64, u64)> {
    let ticks =
        ticket.standing == TicketStanding::Live && ticket.status == OPEN && !ticket.is_escalated;
    // What was due before the last change is noticed after it.
    let at = ticket.due_by.max(ticket.updated_at);
    ticks.then_some((at, ticket.id))
}

fn second(pairs: &BTreeSet<(u64, u64)>, first: u64) -> Vec<u64> {
    let range = pairs.range((first, 0)..=(first, u64::MAX));
    range.map(|(_, id)| *id).collect()
}
