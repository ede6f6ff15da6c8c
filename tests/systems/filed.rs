//! Tickets of the simulated helpdesk, and who has the last word on each.

use super::faults::happens;
use super::witness::TicketWrite;
use super::{State, time};
use deskbridge::model::{Presence, Priority, RecordId, Ticket, TicketChange, TicketImage, Version};
use deskbridge::remote::{Cursor, TicketFeed, TicketPage};
use std::collections::BTreeMap;

/// Tickets a page.
pub const PAGE: usize = 5;
/// For how long a job whose name was never heard may be under way, in milliseconds: until then a ticket that
/// does not show its change says nothing.
const NAMELESS: i64 = 30_000;

/// What a person decided on a priority.
#[derive(Debug, Clone)]
pub struct Decision {
    pub priority: Priority,
    /// Whether what they overruled was ours, and known to be.
    pub sure: bool,
    /// In which cycle, and whether it was under way.
    cycle: u64,
    within: bool,
    /// Whether a read has shown it since.
    shown: bool,
}

/// A ticket and what was done to it.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is true or not by itself"
)]
#[derive(Debug, Clone)]
pub struct Filed {
    pub ticket: Ticket,
    /// What was said on it privately.
    pub notes: Vec<String>,
    /// What stood there before a change of ours that stands.
    pub raised: Option<Priority>,
    pub decided: Option<Decision>,
    /// Whether nobody can know who has the last word.
    pub unclear: bool,
    /// Whether it was done with when something of ours stood on it.
    pub closed: bool,
    /// Whether its customer's standing may have ended since it came: one that begins anew acts anew.
    pub lapsed: bool,
    /// Whether a note was refused.
    pub mute: bool,
    /// Whether nobody may know yet what became of our last change.
    doubt: bool,
    /// Whether the cycle that is under way has seen it.
    seen: bool,
    /// Of a change in bulk whose answer was lost: what was asked for, and until when, by the engine's clock, it
    /// may still be under way.
    nameless: Option<(i64, TicketChange)>,
    /// Whose it was when an answer last showed it.
    shown_of: RecordId,
    /// Whose it was shown to be when we last asked for it to be raised.
    raised_for: Option<RecordId>,
}

/// A bulk job.
#[derive(Debug, Clone)]
pub struct Bulk {
    pub ids: Vec<RecordId>,
    /// Of which tickets, once it is carried out and before anybody was told so.
    pub untold: Vec<RecordId>,
    pub change: TicketChange,
    /// When it is carried out.
    pub due: i64,
}

/// All tickets, and the bulk jobs that were asked for.
#[derive(Debug, Clone, Default)]
pub struct Tickets {
    pub all: BTreeMap<u64, Filed>,
    pub jobs: Vec<Bulk>,
}

impl Tickets {
    /// Somebody opens a ticket.
    pub fn open(&mut self, requester: &str, company: Option<&str>, now: i64) -> u64 {
        let id = 1 + self.all.len() as u64;
        let ticket = Ticket {
            id: RecordId(id.to_string()),
            version: Version(now / 1000 * 1000),
            presence: Presence::Live,
            requester: RecordId::from(requester),
            company: company.map(RecordId::from),
            created_at: time(now),
            first_answered_at: None,
            image: TicketImage {
                status: 2,
                ..TicketImage::default()
            },
        };
        let filed = Filed {
            ticket,
            notes: Vec::new(),
            raised: None,
            decided: None,
            unclear: false,
            closed: false,
            lapsed: false,
            mute: false,
            doubt: false,
            seen: false,
            nameless: None,
            shown_of: RecordId::from(requester),
            raised_for: None,
        };
        self.all.insert(id, filed);
        id
    }

    pub fn get(&mut self, id: &RecordId) -> Option<&mut Filed> {
        self.all.get_mut(&id.0.parse().ok()?)
    }

    /// A change of these is about to be asked for. Whoever asks knows whose they are from the last
    /// answer that has shown them.
    pub fn ask(&mut self, ids: &[RecordId], change: &TicketChange) {
        self.doubt(ids);
        if change.priority != Some(Priority::Urgent) {
            return;
        }
        for id in ids {
            if let Some(filed) = self.get(id) {
                filed.raised_for = Some(filed.shown_of.clone());
            }
        }
    }

    /// A change of these is on its way: nobody knows until they are looked at.
    fn doubt(&mut self, ids: &[RecordId]) {
        for id in ids {
            if let Some(filed) = self.get(id) {
                (filed.doubt, filed.seen) = (true, false);
            }
        }
    }

    /// A bulk change is asked for.
    pub fn queue(&mut self, ids: Vec<RecordId>, change: TicketChange, due: i64) {
        self.jobs.push(Bulk {
            untold: ids.clone(),
            ids,
            change,
            due,
        });
    }

    /// Nobody knows what job carries out this change, or whether any does.
    pub fn nameless(&mut self, ids: &[RecordId], change: &TicketChange, clock: i64) {
        for id in ids {
            if let Some(filed) = self.get(id) {
                filed.nameless = Some((clock + NAMELESS, change.clone()));
            }
        }
    }

    /// A cycle is over that began at this time by the engine's clock: what it has seen of our changes is known,
    /// if it came to its end.
    pub fn cycle_over(&mut self, ended: bool, began: i64) {
        for filed in self.all.values_mut() {
            // Of what no job was said to have made only the change itself tells.
            let mut jobs = self.jobs.iter();
            let shows = |job: &Bulk| job.change.stands_in(&filed.ticket.image);
            let open = jobs.any(|job| job.untold.contains(&filed.ticket.id) && !shows(job));
            let nameless = filed.nameless.as_ref().is_some_and(|(until, change)| {
                began < *until && !change.stands_in(&filed.ticket.image)
            });
            let known = ended && filed.seen && !open && !nameless;
            filed.doubt &= !known;
            filed.nameless.take_if(|_| known);
            filed.seen = false;
        }
    }

    pub fn page(&mut self, feed: &TicketFeed, cursor: Option<&Cursor>, now: i64) -> TicketPage {
        let wanted = |it: &Ticket| match feed {
            TicketFeed::Changed { since, .. } => {
                it.presence == Presence::Live && it.version.time() >= *since
            }
            TicketFeed::Trashed(since) => {
                it.presence != Presence::Live && it.version.time() >= *since
            }
            TicketFeed::Requester(id) => it.presence == Presence::Live && it.requester == *id,
            TicketFeed::Company(id) => {
                it.presence == Presence::Live && it.company.as_ref() == Some(id)
            }
        };
        let place = |id: u64, it: &Ticket| {
            let version = u64::try_from(it.version.0).unwrap_or(0);
            version * 100_000 + id
        };
        let after: u64 = cursor.and_then(|it| it.0.parse().ok()).unwrap_or(0);
        let mut rows: Vec<(u64, u64)> = self
            .all
            .iter()
            .filter(|(_, it)| wanted(&it.ticket))
            .map(|(id, it)| (place(*id, &it.ticket), *id))
            .filter(|(place, _)| *place > after)
            .collect();
        rows.sort_unstable();
        let more = rows.len() > PAGE;
        rows.truncate(PAGE);
        let next = rows.last().filter(|_| more);
        let next = next.map(|(place, _)| Cursor(place.to_string()));
        let tickets = rows
            .iter()
            .filter_map(|(_, id)| Some(self.all.get_mut(id)?.show()))
            .collect();
        TicketPage {
            tickets,
            next,
            server_time: time(now / 1000 * 1000),
        }
    }
}

impl Filed {
    /// The ticket as an answer shows it.
    pub fn show(&mut self) -> Ticket {
        self.seen = true;
        self.shown_of.clone_from(&self.ticket.requester);
        if let Some(decision) = &mut self.decided {
            decision.shown = true;
        }
        self.ticket.clone()
    }

    /// Our change of a priority, and what it overrules.
    fn ours(&mut self, to: Priority, cycle: u64, late: bool) -> Option<String> {
        let from = self.ticket.image.priority;
        let crime = self.decided.take_if(|_| to != from).and_then(|it| {
            let raced = (it.within && it.cycle == cycle && !it.shown)
                || late
                || self.unclear
                || self.lapsed;
            (it.sure && !raced).then(|| {
                let id = &self.ticket.id;
                format!("ticket {id}: {from}, a person's word, was overruled by {to}")
            })
        });
        // The rule raises to urgent. What is less is given back, also where it is more than what a
        // person has set meanwhile.
        self.raised = match self.raised {
            _ if to != Priority::Urgent => None,
            Some(before) => Some(before),
            None => Some(from),
        };
        (self.doubt, self.seen) = (true, false);
        crime
    }
}

impl State {
    /// The bulk jobs that are due are carried out, as far as they are.
    pub(super) fn run_jobs(&mut self) {
        let (now, skips) = (self.now, self.faults.skips);
        let due = self.tickets.jobs.iter_mut().filter(|it| it.due <= now);
        let due: Vec<_> = due
            .map(|it| (std::mem::take(&mut it.ids), it.change.clone()))
            .filter(|(ids, _)| !ids.is_empty())
            .collect();
        for (ids, change) in due {
            self.tell(|| format!("a job changes {ids:?}"));
            self.tickets.doubt(&ids);
            for id in &ids {
                if !happens(&mut self.random, skips) {
                    self.change_ticket(id, &change);
                }
            }
        }
    }

    /// Our change of a live ticket.
    pub fn change_ticket(&mut self, id: &RecordId, change: &TicketChange) -> Option<Ticket> {
        let (cycle, late, now) = (self.cycle, self.arriving, self.now);
        let live = self.tickets.get(id).map(|it| &it.ticket);
        let live = live.filter(|it| it.presence == Presence::Live);
        let requester = live.map(|it| it.requester.clone());
        let raises = change.priority == Some(Priority::Urgent);
        let asked = self.tickets.get(id).filter(|_| raises);
        let raised_for = asked.and_then(|it| it.raised_for.clone());
        self.witness.tickets.push(TicketWrite {
            at: now,
            id: id.clone(),
            requester,
            raised_for,
            change: Some(change.clone()),
        });
        let filed = self.tickets.get(id)?;
        if filed.ticket.presence != Presence::Live {
            return Some(filed.ticket.clone());
        }
        // Who has looked in the meantime takes what arrives late for somebody else's.
        filed.unclear |= late;
        let crime = change.priority.and_then(|to| filed.ours(to, cycle, late));
        filed.ticket.image = change.applied_to(&filed.ticket.image);
        filed.ticket.version = Version(now / 1000 * 1000);
        let ticket = filed.ticket.clone();
        self.witness.crimes.extend(crime);
        Some(ticket)
    }

    /// Our note on a ticket.
    pub fn note_ticket(&mut self, id: &RecordId, text: &str) {
        let now = self.now;
        let requester = self.tickets.get(id).map(|it| it.ticket.requester.clone());
        self.witness.tickets.push(TicketWrite {
            at: now,
            id: id.clone(),
            requester,
            raised_for: None,
            change: None,
        });
        if let Some(filed) = self.tickets.get(id) {
            filed.notes.push(text.to_owned());
            filed.ticket.version = Version(now / 1000 * 1000);
        }
    }

    /// A person does something to a ticket.
    pub fn touch_ticket(&mut self, id: u64, touch: impl FnOnce(&mut Ticket)) {
        let (cycle, within, now) = (self.cycle, self.busy, self.now);
        let waits = |it: &(i64, super::late::Request)| match &it.1 {
            super::late::Request::Ticket(of, _) => of.0 == id.to_string(),
            super::late::Request::Tickets(ids, _) => ids.iter().any(|of| of.0 == id.to_string()),
            _ => false,
        };
        let doubt = self.late.iter().any(waits);
        let Some(filed) = self.tickets.all.get_mut(&id) else {
            return;
        };
        let (before, there) = (filed.ticket.image.priority, filed.ticket.presence);
        touch(&mut filed.ticket);
        // A ticket in the trash does not show what became of it.
        filed.unclear |= there != filed.ticket.presence && (filed.doubt || doubt);
        filed.ticket.version = Version(now / 1000 * 1000);
        filed.closed |= filed.ticket.image.is_done_with();
        let priority = filed.ticket.image.priority;
        if priority == before {
            return;
        }
        filed.unclear |= filed.doubt || doubt;
        if let Some(it) = &filed.decided
            && !it.shown
            && priority == Priority::Urgent
        {
            // What stood there before, before anybody has looked.
            filed.decided = None;
        } else if before == Priority::Urgent || filed.decided.is_some() {
            let sure = filed.decided.as_ref().map(|it| it.sure);
            filed.decided = Some(Decision {
                priority,
                sure: sure.unwrap_or(filed.raised.is_some()),
                cycle,
                within,
                shown: false,
            });
        }
        if priority != Priority::Urgent {
            filed.raised = None;
        }
    }
}
