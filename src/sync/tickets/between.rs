//! Tickets of customers who get their counterpart while a cycle is at work: they go before the rest of it.

use crate::clock::monotonic;
use crate::remote::Lane;
use crate::remote::lane::in_lane;
use crate::sync::{CycleError, Engine, Tally};
use std::time::Duration;
use tokio::time::Instant;

/// In the middle of a cycle tickets are looked at for one part in so many of its time: where that means going
/// through all of them, what is linked meanwhile is better looked at together.
const PART: u32 = 4;

/// The last look at tickets of a cycle.
#[derive(Debug, Default)]
pub(in crate::sync) struct LastLook {
    /// Customers whose tickets it has left unread.
    unread: u64,
    /// When it ended, and how long it took.
    ended: Option<(Instant, Duration)>,
    /// Whether customers were linked since whose tickets are to be read.
    due: bool,
}

impl LastLook {
    /// Whether it is long enough ago for another one in the middle of the cycle.
    fn is_over(&self) -> bool {
        let over = |(at, took): (Instant, Duration)| at.elapsed() >= took * (PART - 1);
        self.ended.is_none_or(over)
    }
}

impl Engine {
    /// The tickets of customers whose standing has changed go before everything else that is written.
    pub(in crate::sync) async fn tickets_first(
        &mut self,
        tally: &mut Tally,
    ) -> Result<(), CycleError> {
        let begun = monotonic();
        in_lane(Lane::Vip, self.tickets(tally)).await?;
        tally.looked_at_tickets = LastLook {
            unread: self.store.begun_count().await?,
            ended: Some((monotonic(), begun.elapsed())),
            due: false,
        };
        Ok(())
    }

    /// The same between two chunks of writes, once customers with a standing have got their counterpart;
    /// `linked` says who has by the last one.
    pub(in crate::sync) async fn tickets_between(
        &mut self,
        linked: &[i64],
        tally: &mut Tally,
    ) -> Result<(), CycleError> {
        if self.rules.named.is_empty() {
            return Ok(());
        }
        let last = &mut tally.looked_at_tickets;
        last.due = last.due || self.store.is_unread(linked).await?;
        if last.due && last.is_over() {
            self.tickets_first(tally).await?;
        }
        Ok(())
    }

    /// The same at the end of a cycle, whenever the last look was.
    pub(in crate::sync) async fn tickets_last(
        &mut self,
        tally: &mut Tally,
    ) -> Result<(), CycleError> {
        if self.store.begun_count().await? > tally.looked_at_tickets.unread {
            self.tickets_first(tally).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn where_a_look_at_tickets_takes_minutes_customers_who_are_linked_get_on_meanwhile() {
        let minutes = Duration::from_mins;
        assert!(LastLook::default().is_over());
        let last = LastLook {
            ended: Some((monotonic(), minutes(2))),
            ..LastLook::default()
        };
        tokio::time::advance(minutes(5)).await;
        assert!(!last.is_over());
        tokio::time::advance(minutes(1)).await;
        assert!(last.is_over());
    }
}
