//! How many calls the portal takes.

use super::time::Millis;
use std::collections::VecDeque;

/// The plan's limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Limits {
    /// None, and no headers about them.
    #[default]
    Off,
    /// 100 calls in 10 seconds, 5 searches a second, 250,000 calls a day.
    Free,
    /// 190 calls in 10 seconds, 5 searches a second, 625,000 calls a day.
    Pro,
    /// As told.
    Custom {
        /// Calls in any 10 seconds.
        ten_seconds: u32,
        /// Searches in any second.
        searches: u32,
        /// Calls from midnight to midnight in the account's zone.
        daily: u32,
    },
}

impl Limits {
    /// In 10 seconds, searches a second, a day.
    const fn numbers(self) -> Option<(u32, u32, u32)> {
        match self {
            Self::Off => None,
            Self::Free => Some((100, 5, 250_000)),
            Self::Pro => Some((190, 5, 625_000)),
            Self::Custom {
                ten_seconds,
                searches,
                daily,
            } => Some((ten_seconds, searches, daily)),
        }
    }
}

/// Which limit was hit, as `policyName` says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Policy {
    TenSecondlyRolling,
    Secondly,
    Daily,
}

impl Policy {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::TenSecondlyRolling => "TEN_SECONDLY_ROLLING",
            Self::Secondly => "SECONDLY",
            Self::Daily => "DAILY",
        }
    }
}

/// What the headers say.
#[derive(Debug, Clone, Copy)]
pub(super) struct Remaining {
    pub(super) max: u32,
    pub(super) left: u32,
    pub(super) daily: u32,
    pub(super) daily_left: u32,
}

/// Counts calls.
#[derive(Debug)]
pub(super) struct Limiter {
    limits: Limits,
    utc_offset: Millis,
    calls: VecDeque<Millis>,
    searches: VecDeque<Millis>,
    day: i64,
    today: u32,
}

impl Limiter {
    pub(super) fn new(limits: Limits, utc_offset_minutes: i32) -> Self {
        Self {
            limits,
            utc_offset: Millis::from(utc_offset_minutes) * 60_000,
            calls: VecDeque::new(),
            searches: VecDeque::new(),
            day: 0,
            today: 0,
        }
    }

    /// Counts a call, or says which limit forbids it; refused calls do not count.
    pub(super) fn admit(&mut self, now: Millis, search: bool) -> Result<(), Policy> {
        let Some((ten_seconds, searches, daily)) = self.limits.numbers() else {
            return Ok(());
        };
        let day = (now + self.utc_offset).div_euclid(86_400_000);
        if day != self.day {
            (self.day, self.today) = (day, 0);
        }
        forget(&mut self.calls, now - 10_000);
        forget(&mut self.searches, now - 1_000);
        if self.today >= daily {
            return Err(Policy::Daily);
        }
        if reached(&self.calls, ten_seconds) {
            return Err(Policy::TenSecondlyRolling);
        }
        if search && reached(&self.searches, searches) {
            return Err(Policy::Secondly);
        }
        self.today += 1;
        self.calls.push_back(now);
        if search {
            self.searches.push_back(now);
        }
        Ok(())
    }

    /// For the headers of an answer.
    pub(super) fn remaining(&self) -> Option<Remaining> {
        let (max, _, daily) = self.limits.numbers()?;
        let used = u32::try_from(self.calls.len()).unwrap_or(u32::MAX);
        Some(Remaining {
            max,
            left: max.saturating_sub(used),
            daily,
            daily_left: daily.saturating_sub(self.today),
        })
    }
}

fn forget(times: &mut VecDeque<Millis>, until: Millis) {
    while times.front().is_some_and(|time| *time <= until) {
        times.pop_front();
    }
}

fn reached(times: &VecDeque<Millis>, most: u32) -> bool {
    times.len() >= usize::try_from(most).unwrap_or(usize::MAX)
}
