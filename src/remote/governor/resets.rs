//! Windows that are reset as a whole: when they begin, and what others take in them, as answers show it.
//!
//! Whoever knows when a window ends can keep back a lot for others at its beginning, and use nearly all
//! that they did not take before it is lost.

use super::Duration;
use std::ops::Range;

/// A clock that is slewed runs off by so much of a window at the most, as in the meter.
const SLEW: u32 = 2000;
/// So many beginnings in a row have to agree before anything is built on them.
const TRUSTED: u32 = 2;
/// After so many windows without a beginning that was seen, nothing is known any more.
const FORGOTTEN: u32 = 10;
/// What the last window adds to what is known of all.
const WEIGHT: f64 = 0.25;
/// By how many standard deviations others may exceed what is expected of them.
const DEVIATIONS: f64 = 2.0;

/// The window at hand.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Span {
    /// It may have begun as early as this.
    pub(super) earliest: Duration,
    /// It has begun by then.
    pub(super) since: Duration,
    /// It surely lasts until then.
    pub(super) until: Duration,
}

/// What an answer has shown of the window at hand.
#[derive(Debug, Clone, Copy)]
struct Look {
    /// When its call was sent.
    sent: Duration,
    /// Calls of everybody.
    used: f64,
    /// Calls of others.
    theirs: f64,
}

/// What others do to a window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Demand {
    /// Their calls.
    pub(super) expected: f64,
    /// By how many more it may be, by chance.
    pub(super) spread: f64,
}

/// What is known of windows that are reset.
#[derive(Debug, Clone, Default)]
pub(super) struct Resets {
    /// Between these times one began.
    began: Option<(Duration, Duration)>,
    /// How many beginnings in a row agree with it.
    agreed: u32,
    /// When the call was sent that the last answer was to, and what that showed of the window's use.
    former: Option<(Duration, f64)>,
    /// The window that `look` is about.
    span: Option<Span>,
    look: Option<Look>,
    /// Calls of others in a window: the mean, and the mean square of what they differ by from it.
    mean: Option<f64>,
    square: f64,
}

impl Resets {
    /// An answer to a call that was sent at `sent` shows `used` calls; `forgot` says that the server has
    /// forgotten calls that are younger than a window.
    pub(super) fn see(
        &mut self,
        (sent, used): (Duration, f64),
        forgot: bool,
        length: Duration,
        now: Duration,
    ) {
        let former = self.former.replace((sent, used));
        let Some((before, used_before)) = former else {
            return;
        };
        // What it has forgotten is missing for a whole window; that began where far less is used than
        // before. A little less is an answer that overtook another.
        if forgot && used * 2.0 < used_before {
            self.begin(before, now, length);
            return;
        }
        // One that was to begin in between has not, or it would show less.
        let due = self.span(length, now).is_some_and(|span| {
            before < span.earliest && sent >= span.since && !self.has_seen(span, length)
        });
        if due && used_before >= 5.0 && used >= used_before {
            self.agreed = 0;
        }
    }

    /// A window began between these times.
    fn begin(&mut self, from: Duration, to: Duration, length: Duration) {
        let agreed = self.began.and_then(|(earliest, latest)| {
            let windows = (from.saturating_sub(earliest) + length / 2).div_duration_f64(length);
            let (by, drift) = later(windows, length);
            let earliest = (earliest + by).saturating_sub(drift).max(from);
            let latest = (latest + by + drift).min(to);
            (by > Duration::ZERO && earliest <= latest).then_some((earliest, latest))
        });
        self.agreed = agreed.map_or(1, |_| self.agreed.saturating_add(1));
        self.began = Some(agreed.unwrap_or((from, to)));
    }

    /// The window at `now`; nothing where none is known well enough.
    pub(super) fn span(&self, length: Duration, now: Duration) -> Option<Span> {
        let (earliest, latest) = self.began.filter(|_| self.agreed >= TRUSTED)?;
        let windows = now.checked_sub(latest)?.div_duration_f64(length);
        if windows > f64::from(FORGOTTEN) {
            return None;
        }
        let (by, drift) = later(windows, length);
        let (next, further) = later(windows + 1.0, length);
        let span = Span {
            earliest: (earliest + by).saturating_sub(drift),
            since: latest + by + drift,
            until: (earliest + next).saturating_sub(further),
        };
        (span.until > span.since).then_some(span)
    }

    /// An answer to a call sent at `sent` shows `used` calls in the window, `theirs` of others.
    pub(super) fn saw(
        &mut self,
        span: Span,
        sent: Duration,
        (used, theirs): (f64, f64),
        length: Duration,
    ) {
        if !self.has_seen(span, length) {
            self.learn(length);
            self.look = None;
        }
        self.span = Some(span);
        self.look = Some(Look { sent, used, theirs });
    }

    /// Whether what is known is of this window.
    fn has_seen(&self, span: Span, length: Duration) -> bool {
        self.span
            .is_some_and(|known| span.earliest < known.since + length / 2)
    }

    /// Whether others take more than `few` calls of a window.
    pub(super) fn are_shared(&self, few: f64) -> bool {
        self.mean.is_some_and(|mean| mean > few)
    }

    /// What the window that is over says of others.
    fn learn(&mut self, length: Duration) {
        let (Some(span), Some(look)) = (self.span, self.look) else {
            return;
        };
        let seen = look
            .sent
            .saturating_sub(span.earliest)
            .div_duration_f64(length);
        // Of what was not seen to its end, the end is a guess.
        if seen < 0.7 {
            return;
        }
        let theirs = look.theirs / seen.min(1.0);
        let Some(mean) = self.mean else {
            self.mean = Some(theirs);
            self.square = theirs;
            return;
        };
        let off = theirs - mean;
        self.mean = Some(mean + off * WEIGHT);
        self.square += (off * off - self.square) * WEIGHT;
    }

    /// All that was used of `span` as far as answers have shown: calls of everybody before the call that
    /// was sent at the time beside it.
    pub(super) fn shown(&self, span: Span, length: Duration) -> Option<(Duration, f64)> {
        let look = self.look.filter(|_| self.has_seen(span, length))?;
        Some((look.sent, look.used))
    }

    /// What others take in this part of the window.
    pub(super) fn demand(&self, span: Span, during: Range<Duration>, length: Duration) -> Demand {
        let mean = self.mean.unwrap_or(0.0);
        let window = length.as_secs_f64();
        let mut rate = mean / window;
        if let Some(look) = self.look.filter(|_| self.has_seen(span, length)) {
            let passed = look.sent.saturating_sub(span.earliest).as_secs_f64();
            if passed * 6.0 >= window {
                // As much as chance explains of what they did so far in this one.
                let by_chance = 2.0 * (look.theirs * self.bursts()).sqrt();
                let least = (look.theirs - by_chance) / passed;
                let most = (look.theirs + by_chance + 2.0) / passed;
                rate = rate.clamp(least, most);
            }
        }
        let left = during.end.saturating_sub(during.start).as_secs_f64();
        let expected = rate.max(0.0) * left;
        Demand {
            expected,
            spread: DEVIATIONS * (expected * self.bursts()).sqrt(),
        }
    }

    /// How many calls of others come at once, as the ratio of variance and mean tells.
    fn bursts(&self) -> f64 {
        let mean = self.mean.unwrap_or(0.0);
        if mean < 1.0 {
            1.0
        } else {
            (self.square / mean).clamp(1.0, 30.0)
        }
    }
}

/// So many whole windows, and by how much a clock may be off after them.
fn later(windows: f64, length: Duration) -> (Duration, Duration) {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "rounded down; a cast of a float keeps within the bounds of its type"
    )]
    let windows = windows.max(0.0) as u32;
    let by = length.saturating_mul(windows);
    (by, by / SLEW)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LENGTH: Duration = Duration::from_mins(1);

    fn at(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    /// Answers every three seconds for so long, of windows that begin seven seconds past the minute, of
    /// which others take twelve calls.
    fn watched(seconds: u32) -> Resets {
        let mut resets = Resets::default();
        for moment in (0..seconds).step_by(3).map(f64::from) {
            let passed = (moment - 7.0).rem_euclid(60.0);
            let (ours, theirs) = ((passed / 3.0).floor() + 1.0, (passed / 5.0).floor());
            // Calls of ours from before the window are missing until as many are in it.
            let (sent, used) = (at(moment), ours + theirs);
            resets.see((sent, used), passed < 50.0, LENGTH, sent);
            if let Some(span) = resets.span(LENGTH, sent).filter(|it| sent >= it.since) {
                resets.saw(span, sent, (used, theirs), LENGTH);
            }
        }
        resets
    }

    #[test]
    fn the_end_of_a_window_is_known_so_that_what_others_left_is_used_before_it_is_lost() {
        let resets = watched(600);
        let span = resets.span(LENGTH, at(600.0)).unwrap();
        assert!(
            span.earliest <= at(547.0) && at(547.0) <= span.since,
            "{span:?}"
        );
        assert!(
            at(603.0) <= span.until && span.until <= at(607.0),
            "{span:?}"
        );
        assert!(resets.are_shared(5.0) && !resets.are_shared(15.0));
        let to_the_end = |from: f64| resets.demand(span, at(from)..span.until, LENGTH);
        let (early, late) = (to_the_end(550.0), to_the_end(600.0));
        assert!((8.0..=14.0).contains(&early.expected), "{early:?}");
        assert!(
            late.expected < 2.0 && late.spread < early.spread / 2.0,
            "{late:?}"
        );
    }

    #[test]
    fn an_answer_that_overtook_another_does_not_unlearn_when_windows_begin() {
        let mut resets = watched(600);
        resets.see((at(598.0), 20.0), false, LENGTH, at(598.0));
        resets.see((at(599.0), 19.0), true, LENGTH, at(599.0));
        assert!(resets.span(LENGTH, at(600.0)).is_some());
    }

    #[test]
    fn a_window_that_does_not_begin_when_it_was_to_is_not_counted_on() {
        let mut resets = watched(600);
        resets.see((at(603.0), 30.0), false, LENGTH, at(603.0));
        resets.see((at(612.0), 33.0), false, LENGTH, at(612.0));
        assert_eq!(resets.span(LENGTH, at(613.0)), None);
    }
}
