//! The guard over what rules do to tickets: too many changes at once wait for a person.

use super::CHUNK;
use super::act::{Turn, would_change};
use crate::model::Kind;
use crate::plan::{Class, Counts, Guards, Line, Weight, judge};
use crate::store::ClassHold;
use crate::sync::guard::{Guarding, reason};
use crate::sync::{CycleError, Engine, Tally};

/// The kind and the class of a hold over tickets.
const TICKET: &str = Class::Ticket.word();

impl Engine {
    /// How tickets are gone about in this cycle; `None` where all of them wait.
    pub(super) async fn ticket_gate(&mut self, tally: &Tally) -> Result<Option<Turn>, CycleError> {
        let (guards, watches) = match self.guarding {
            Guarding::Off => return Ok(Some(Turn::default())),
            Guarding::Watch(guards) => (guards, true),
            Guarding::Hold(guards) => (guards, false),
        };
        let known = self.store.class_answer(TICKET, TICKET).await?;
        if let Some(Some(answer)) = known {
            return Ok(Some(Turn {
                answer: Some(answer),
                ..Turn::default()
            }));
        }
        let held = known.is_some();
        // What waits is weighed again only when something may have changed about it.
        let news = tally.tickets.begun + tally.tickets.ended > 0 || !self.rules.is_weighed();
        if held && !news && !watches {
            return Ok(None);
        }
        let barred = self.weigh_tickets(guards, held).await?;
        self.rules.weighed();
        Ok((!barred || watches).then(Turn::default))
    }

    /// Whether what rules want to do to tickets is over a line; then it is held.
    async fn weigh_tickets(&mut self, guards: Guards, held: bool) -> Result<bool, CycleError> {
        let now = self.clock.now();
        let (limit, mut after) = (guards.of(Class::Ticket), String::new());
        let day = self.store.sent_in_a_day(TICKET, now).await?;
        let day = day.of(Class::Ticket);
        let mut planned = 0;
        loop {
            let rows = self.store.tickets_due(now, &after, CHUNK).await?;
            let (Some(last), Some(rules)) = (rows.last(), self.rules.resolved.as_ref()) else {
                break;
            };
            after.clone_from(&last.ticket.id.0);
            // Mostly there are so few that no line can be crossed.
            let most = rows.len() as u64 + planned;
            let last_page = usize::try_from(CHUNK).is_ok_and(|chunk| rows.len() < chunk);
            let few = most <= limit.count && day + most <= limit.over_a_day().count;
            if last_page && few && !held {
                return Ok(false);
            }
            for row in rows {
                planned += u64::from(would_change(row, rules, &self.failures, now));
            }
        }
        if planned == 0 {
            if held {
                self.store.drop_class_hold(TICKET, TICKET, None).await?;
            }
            return Ok(false);
        }
        let weight = Weight {
            linked: self.store.linked(Kind::Contact).await?,
            cycle: planned,
            day: day + planned,
        };
        let Some(line) = judge(limit, weight, held) else {
            return Ok(false);
        };
        let news = ClassHold {
            kind: TICKET,
            class: TICKET,
            side: None,
            count: planned,
            reason: reason(None, Class::Ticket, line, weight, limit, false),
            first: false,
        };
        self.store.hold_class(&news, now).await?;
        if line != Line::Before {
            tracing::warn!(
                event = "held",
                kind = TICKET,
                class = TICKET,
                count = planned,
                reason = news.reason,
                "rules want to change too many tickets at once: none of them is changed before a person approves"
            );
        }
        Ok(true)
    }

    /// Counts changes of tickets that are about to be sent for the first time.
    pub(super) async fn count_tickets(
        &mut self,
        turn: &Turn,
        number: u64,
    ) -> Result<(), CycleError> {
        if turn.is_approved() || number == 0 || matches!(self.guarding, Guarding::Off) {
            return Ok(());
        }
        let mut counts = Counts::default();
        counts.add(Class::Ticket, number);
        let now = self.clock.now();
        Ok(self.store.count_sent(TICKET, &counts, now).await?)
    }

    /// An answer about tickets is carried out: all that it was about was gone through.
    pub(super) async fn tickets_answered(&mut self, turn: &Turn) -> Result<(), CycleError> {
        if turn.is_approved() {
            self.store.forget_sent_in_a_day(TICKET).await?;
        }
        if turn.answer.is_some() {
            self.store.drop_class_hold(TICKET, TICKET, None).await?;
        }
        Ok(())
    }
}
