//! The guard over what rules do to tickets: too many changes at once wait for a person.

use super::CHUNK;
use super::act::{Turn, would_change};
use crate::model::Kind;
use crate::plan::{Class, Counts, Guards, Limit, Line, Weight, judge};
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
        if let Some((Some(answer), shown)) = known {
            let grew = self.outgrows(guards, shown, tally).await?;
            return Ok((!grew || watches).then(|| Turn {
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
        let barred = self.weigh_tickets(guards, held, tally).await?;
        self.rules.weighed(true);
        Ok((!barred || watches).then(Turn::default))
    }

    /// How many tickets the rules want to change; `None` where there are so few that they cross no
    /// line, and nobody has to know.
    async fn wanted(&mut self, most: Option<u64>) -> Result<Option<u64>, CycleError> {
        let (now, mut after, mut planned) = (self.clock.now(), String::new(), 0);
        loop {
            let rows = self.store.tickets_due(now, &after, CHUNK).await?;
            let (Some(last), Some(rules)) = (rows.last(), self.rules.resolved.as_ref()) else {
                return Ok(Some(planned));
            };
            after.clone_from(&last.ticket.id.0);
            let last_page = usize::try_from(CHUNK).is_ok_and(|chunk| rows.len() < chunk);
            let few = most.is_some_and(|most| rows.len() as u64 + planned <= most);
            if last_page && few {
                return Ok(None);
            }
            for row in rows {
                planned += u64::from(would_change(row, rules, &self.failures, now));
            }
        }
    }

    /// Whether rules want far more by now than the `shown` changes that a person has answered about:
    /// more on top of them than would pass without a question. Then the answer is none to it, and
    /// all of it is held anew.
    async fn outgrows(
        &mut self,
        guards: Guards,
        shown: u64,
        tally: &Tally,
    ) -> Result<bool, CycleError> {
        let limit = guards.of(Class::Ticket);
        let Some(planned) = self.wanted(Some(shown + limit.count)).await? else {
            return Ok(false);
        };
        let sent = self.tickets_sent(tally).await?;
        let weight = self.weight(sent, planned).await?;
        if planned <= shown + limit.most(weight.linked) {
            return Ok(false);
        }
        tracing::warn!(
            event = "answer_outgrown",
            shown,
            count = planned,
            "an answer about tickets is not carried out: by now rules want to change far more of them than it was about"
        );
        self.store.drop_class_hold(TICKET, TICKET, None).await?;
        self.hold_tickets(limit, Line::Cycle, weight, planned)
            .await?;
        self.rules.weighed(true);
        Ok(true)
    }

    /// How many changes were sent in this cycle and within 24 hours that nobody had approved.
    async fn tickets_sent(&mut self, tally: &Tally) -> Result<(u64, u64), CycleError> {
        let day = self.store.sent_in_a_day(TICKET, self.clock.now()).await?;
        Ok((tally.tickets_sent, day.of(Class::Ticket)))
    }

    /// What changes of tickets come to with `planned` more than were sent in the cycle and the day.
    async fn weight(
        &mut self,
        (cycle, day): (u64, u64),
        planned: u64,
    ) -> Result<Weight, CycleError> {
        Ok(Weight {
            linked: self.store.linked(Kind::Contact).await?,
            cycle: cycle + planned,
            day: day + planned,
        })
    }

    /// Whether what rules want to do to tickets is over a line; then it is held.
    async fn weigh_tickets(
        &mut self,
        guards: Guards,
        held: bool,
        tally: &Tally,
    ) -> Result<bool, CycleError> {
        let limit = guards.of(Class::Ticket);
        // Mostly there are so few that no line can be crossed.
        let sent = self.tickets_sent(tally).await?;
        let left = limit.count.saturating_sub(sent.0);
        let left_today = limit.over_a_day().count.saturating_sub(sent.1);
        let most = (!held).then(|| left.min(left_today));
        let Some(planned) = self.wanted(most).await? else {
            return Ok(false);
        };
        if planned == 0 {
            if held {
                self.store.drop_class_hold(TICKET, TICKET, None).await?;
            }
            return Ok(false);
        }
        let weight = self.weight(sent, planned).await?;
        let Some(line) = judge(limit, weight, held) else {
            return Ok(false);
        };
        self.hold_tickets(limit, line, weight, planned).await?;
        Ok(true)
    }

    async fn hold_tickets(
        &mut self,
        limit: Limit,
        line: Line,
        weight: Weight,
        planned: u64,
    ) -> Result<(), CycleError> {
        let news = ClassHold {
            kind: TICKET,
            class: TICKET,
            side: None,
            count: planned,
            reason: reason(None, Class::Ticket, line, weight, limit, false),
            first: false,
        };
        let passing = limit.most(weight.linked);
        let now = self.clock.now();
        self.store.hold_class(&news, passing, now).await?;
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
        Ok(())
    }

    /// Counts changes of tickets that are about to be sent for the first time.
    pub(super) async fn count_tickets(
        &mut self,
        turn: &Turn,
        number: u64,
        tally: &mut Tally,
    ) -> Result<(), CycleError> {
        if turn.is_approved() || number == 0 || matches!(self.guarding, Guarding::Off) {
            return Ok(());
        }
        tally.tickets_sent += number;
        let mut counts = Counts::default();
        counts.add(Class::Ticket, number);
        let now = self.clock.now();
        Ok(self.store.count_sent(TICKET, &counts, now).await?)
    }

    /// An answer about tickets is carried out: all that it was about was gone through.
    pub(super) async fn tickets_answered(&mut self, turn: &Turn) -> Result<(), CycleError> {
        if turn.is_approved() {
            self.store
                .forget_sent_in_a_day(TICKET, Class::Ticket)
                .await?;
        }
        if turn.answer.is_some() {
            self.store.drop_class_hold(TICKET, TICKET, None).await?;
        }
        Ok(())
    }
}
