//! The account's calls per minute: a sliding window for all calls and one for each narrower limit.

use super::FreshdeskSim;
use super::options::Limits;
use super::tickets::TicketOptions;
use std::collections::VecDeque;

/// The window in milliseconds.
const MINUTE: i64 = 60_000;

#[derive(Debug, Default)]
pub(super) struct Budget {
    calls: Window,
    /// By [`Class::place`].
    classes: [Window; 4],
}

/// Calls that may have a limit of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Other,
    ContactsList,
    TicketsList,
    TicketCreate,
    TicketUpdate,
}

impl Class {
    const fn place(self) -> Option<usize> {
        match self {
            Self::Other => None,
            Self::ContactsList => Some(0),
            Self::TicketsList => Some(1),
            Self::TicketCreate => Some(2),
            Self::TicketUpdate => Some(3),
        }
    }
}

/// What the headers say after a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Allowance {
    pub(super) total: u32,
    pub(super) remaining: u32,
    /// Seconds to wait; the call was refused.
    pub(super) retry_after: Option<u32>,
}

impl Budget {
    /// Counts one call at `now` in milliseconds, which costs `credits` of the total; `None` without
    /// limits. Refused calls are free.
    pub(super) fn spend(
        &mut self,
        (limits, options): (Limits, &TicketOptions),
        now: i64,
        class: Class,
        credits: u32,
    ) -> Option<Allowance> {
        let Limits::PerMinute { total, .. } = limits else {
            return None;
        };
        let own = class.place().and_then(|at| self.classes.get_mut(at));
        let mut own = own.zip(limits.of(class, options));
        let wait = self.calls.wait(total, now);
        let own_wait = own.as_mut().and_then(|(own, most)| own.wait(*most, now));
        let wait = wait.max(own_wait);
        if wait.is_none() {
            self.calls.0.extend((0..credits).map(|_| now));
            if let Some((own, _)) = own {
                own.0.push_back(now);
            }
        }
        let used = u32::try_from(self.calls.0.len()).unwrap_or(u32::MAX);
        Some(Allowance {
            total,
            remaining: total.saturating_sub(used),
            retry_after: wait,
        })
    }

    /// Others spend `calls` of the account's minute at `now` in milliseconds.
    pub(super) fn spent_by_others(&mut self, calls: u32, now: i64) {
        self.calls.0.extend((0..calls).map(|_| now));
    }
}

impl FreshdeskSim {
    /// Other apps of the account spend `calls` of this minute.
    pub fn spend(&self, calls: u32) {
        self.shared
            .with(|service| service.account.budget.spent_by_others(calls, service.now));
    }

    /// Another app of the account makes a call, which counts unless it is refused; whether it was allowed.
    #[must_use]
    pub fn call_of_another(&self) -> bool {
        self.shared.with(|service| {
            let limits = (service.account.limits, &service.options.tickets);
            let budget = &mut service.account.budget;
            let allowance = budget.spend(limits, service.now, Class::Other, 1);
            allowance.is_none_or(|it| it.retry_after.is_none())
        })
    }

    /// Other limits from now on; what was used up stays so.
    pub fn set_limits(&self, limits: Limits) {
        self.shared.account().limits = limits;
    }
}

/// When the calls of the last minute came, in milliseconds.
#[derive(Debug, Default)]
struct Window(VecDeque<i64>);

impl Window {
    /// Seconds until there is room; `None` if there is.
    fn wait(&mut self, limit: u32, now: i64) -> Option<u32> {
        while self.0.front().is_some_and(|&at| at + MINUTE <= now) {
            self.0.pop_front();
        }
        let over = self
            .0
            .len()
            .checked_sub(usize::try_from(limit).unwrap_or(usize::MAX))?;
        // Where no call at all is allowed there is nothing to wait for but the next minute.
        let free = self.0.get(over).map_or(now + MINUTE, |at| at + MINUTE);
        u32::try_from((free - now + 999) / 1000).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_contact_list_is_refused_while_the_headers_promise_plenty() {
        let mut budget = Budget::default();
        let limits = (Limits::growth(), &TicketOptions::default());
        for call in 0..20 {
            let after = budget
                .spend(limits, call * 1000, Class::ContactsList, 1)
                .unwrap();
            assert_eq!(after.retry_after, None);
        }
        let refused = budget
            .spend(limits, 20_500, Class::ContactsList, 1)
            .unwrap();
        assert_eq!((refused.remaining, refused.retry_after), (180, Some(40)));
        assert_eq!(
            budget
                .spend(limits, 20_500, Class::Other, 1)
                .unwrap()
                .retry_after,
            None
        );
        assert_eq!(
            budget
                .spend(limits, 60_000, Class::ContactsList, 1)
                .unwrap()
                .retry_after,
            None
        );
    }

    #[test]
    fn what_other_apps_use_is_missing_from_ours() {
        let mut budget = Budget::default();
        budget.spent_by_others(49, 0);
        let limits = (Limits::trial(), &TicketOptions::default());
        let last = budget.spend(limits, 1, Class::Other, 1).unwrap();
        assert_eq!((last.total, last.remaining), (50, 0));
        assert_eq!(
            budget
                .spend(limits, 2, Class::Other, 1)
                .unwrap()
                .retry_after,
            Some(60)
        );
    }
}
