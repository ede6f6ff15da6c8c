//! What other consumers of the account use, as far as `Remaining` shows it.

use std::collections::VecDeque;
use std::time::Duration;

/// One answer's word on the account, beside what we know of our own calls.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sighting {
    /// Used in this window, by everybody.
    pub(super) used: f64,
    /// The most of it that can be ours.
    pub(super) ours_at_most: f64,
    /// What would surely be ours if every call counted for the window's whole length.
    pub(super) ours_if_sliding: f64,
    /// All that we ever sent.
    pub(super) ours_ever: f64,
    /// As much of it may have come later than this answer's call.
    pub(super) ours_later: f64,
}

/// The use of others.
#[derive(Debug, Clone, Default)]
pub(super) struct Others {
    /// Their least possible use in the window up to a time: the last, and of earlier ones those that are
    /// higher than all after them.
    levels: VecDeque<(Duration, f64)>,
    /// When the server last forgot calls all at once.
    reset_seen: Option<Duration>,
    /// The beginning of a stretch in which their use grew: time, and used less ours ever.
    base: Option<(Duration, f64)>,
    /// What the last such stretch comes to over a window.
    growth: f64,
}

impl Others {
    /// Takes in an answer's word; returns whether the server has forgotten calls all at once.
    pub(super) fn see(&mut self, seen: Sighting, window: Duration, now: Duration) -> bool {
        let level = (seen.used - seen.ours_at_most).max(0.0);
        while self.levels.back().is_some_and(|(_, lower)| *lower <= level) {
            self.levels.pop_back();
        }
        self.levels.push_back((now, level));
        let horizon = window + window / 4;
        while self
            .levels
            .front()
            .is_some_and(|(at, _)| *at + horizon < now)
        {
            self.levels.pop_front();
        }
        // A window that slides cannot have lost calls of ours that are younger than it is long.
        let forgot = seen.used + 1.5 < seen.ours_if_sliding;
        if forgot {
            self.reset_seen = Some(now);
        }
        let least = seen.used - seen.ours_ever;
        self.grow(least, least + seen.ours_later, window, now);
        forgot
    }

    /// In a window that is reset as a whole, the level is right only at its end. The growth within
    /// it says earlier what the end will be; it is taken at the lower edge of what chance explains.
    fn grow(&mut self, least: f64, most: f64, window: Duration, now: Duration) {
        match self.base {
            Some((since, base)) if most >= base => {
                let passed = now.saturating_sub(since).as_secs_f64();
                let grown = (least - base).max(0.0);
                if passed * 6.0 >= window.as_secs_f64() {
                    let sure = (grown - 2.0 * grown.sqrt()).max(0.0);
                    self.growth = sure * window.as_secs_f64() / passed;
                }
            }
            _ => {
                self.base = Some((now, most));
                self.growth = 0.0;
            }
        }
    }

    /// Whether windows were lately seen to be reset as a whole.
    pub(super) fn resets(&self, window: Duration, now: Duration) -> bool {
        self.reset_seen.is_some_and(|at| now < at + window * 10)
    }

    /// By how much they may exceed `expected` by chance before we see it, as the root of their calls
    /// until then: to the end of a window that is reset, else for a tenth of one or so.
    pub(super) fn spread(&self, expected: f64, window: Duration, now: Duration) -> f64 {
        if expected < 1.0 {
            0.0
        } else if self.resets(window, now) {
            expected.sqrt()
        } else {
            1.0 + (expected / 8.0).sqrt()
        }
    }

    /// Calls that they take in a window of length `window`, as far as one can tell at `now`.
    pub(super) fn expected(&self, window: Duration, now: Duration) -> f64 {
        let horizon = window + window / 4;
        let fresh = |(at, _): &&(Duration, f64)| *at + horizon >= now;
        let level = if self.resets(window, now) {
            self.levels.iter().find(fresh)
        } else {
            self.levels.back().filter(fresh)
        };
        let level = level.map_or(0.0, |(_, level)| *level);
        let growing = self
            .levels
            .back()
            .is_some_and(|(at, _)| *at + window / 4 >= now);
        if growing {
            level.max(self.growth)
        } else {
            level
        }
    }
}
