//! Requests that arrive when their sender has given them up: answered "no answer", carried out later.

use super::State;
use super::answers::apply;
use deskbridge::model::{Kind, RecordId, Side, TicketChange};
use deskbridge::remote::Op;
use rand::Rng as _;

/// How much later at the most, in milliseconds.
const LATEST: i64 = 45_000;

/// What was asked for.
#[derive(Debug, Clone)]
pub enum Request {
    Records {
        side: Side,
        kind: Kind,
        ops: Vec<Op>,
    },
    Ticket(RecordId, TicketChange),
    Tickets(Vec<RecordId>, TicketChange),
    Note(RecordId, String),
}

impl State {
    /// The request is on its way for a while yet.
    pub(super) fn delay(&mut self, request: Request) {
        let at = self.now + self.random.random_range(500..LATEST);
        self.tell(|| format!("it arrives at {at}"));
        self.late.push((at, request));
    }

    /// Whatever was on its way until now arrives. People may have done something since.
    pub fn arrive(&mut self) {
        let now = self.now;
        let (mut due, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut self.late)
            .into_iter()
            .partition(|(at, _)| *at <= now);
        self.late = rest;
        due.sort_by_key(|(at, _)| *at);
        for (at, request) in due {
            self.now = at;
            self.tell(|| format!("arrives late: {request:?}"));
            self.arriving = true;
            match request {
                Request::Records { side, kind, ops } => {
                    for op in &ops {
                        let outcome = apply(self, side, kind, (&[], false), op);
                        self.tell(|| format!("-> {outcome:?}"));
                    }
                }
                Request::Ticket(id, change) => {
                    self.change_ticket(&id, &change);
                }
                Request::Tickets(ids, change) => self.tickets.queue(ids, change, now),
                Request::Note(id, text) => self.note_ticket(&id, &text),
            }
            self.arriving = false;
        }
        self.now = now;
        self.run_jobs();
    }
}
