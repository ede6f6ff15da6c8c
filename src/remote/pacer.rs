//! A token bucket that listens to the server. Pure: the caller brings the time.

use std::time::Duration;
use tokio::time::Instant;

/// The longest that one refusal keeps a system closed, whatever it asks for.
const LONGEST_CLOSURE: Duration = Duration::from_mins(15);

/// How many calls we may make, and when.
#[derive(Debug, Clone)]
pub struct Pacer {
    /// Calls per second; `None` while no limit is known.
    per_second: Option<f64>,
    /// The most calls per minute that the configuration allows.
    ceiling: Option<f64>,
    /// The part of the account's limit that is ours, 0 to 1.
    share: f64,
    burst: f64,
    tokens: f64,
    filled_at: Instant,
    closed_until: Option<Instant>,
}

/// What a response said about the account's allowance. Anything that is not a sane number is left
/// out by the connector that reads the headers.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Allowance {
    /// Calls per minute that the account has in all.
    pub per_minute: Option<f64>,
    /// Calls left in this window, for everybody who uses the account.
    pub remaining: Option<f64>,
}

impl Pacer {
    /// A full bucket of `burst` calls. `per_minute` is the account's limit as far as known, `ceiling`
    /// the configuration's, `share` our part of either.
    #[must_use]
    pub fn new(
        per_minute: Option<f64>,
        ceiling: Option<f64>,
        share: f64,
        burst: f64,
        now: Instant,
    ) -> Self {
        let mut pacer = Self {
            per_second: None,
            ceiling,
            share,
            burst,
            tokens: burst,
            filled_at: now,
            closed_until: None,
        };
        pacer.limit(per_minute);
        pacer
    }

    fn limit(&mut self, per_minute: Option<f64>) {
        let allowed = match (per_minute, self.ceiling) {
            (Some(account), Some(ceiling)) => Some(account.min(ceiling)),
            (one, other) => one.or(other),
        };
        if let Some(allowed) = allowed {
            self.per_second = Some((allowed * self.share / 60.0).max(1.0 / 60.0));
        }
    }

    /// Calls per minute that we allow ourselves; `None` while no limit is known.
    #[must_use]
    pub fn calls_per_minute(&self) -> Option<f64> {
        self.per_second.map(|rate| rate * 60.0)
    }

    /// Takes one call out of the bucket, or says how long to wait before asking again.
    ///
    /// # Errors
    ///
    /// The wait, never zero.
    pub fn admit(&mut self, now: Instant) -> Result<(), Duration> {
        if let Some(until) = self.closed_until.filter(|until| now < *until) {
            return Err(until - now);
        }
        let Some(rate) = self.per_second else {
            return Ok(());
        };
        let passed = now.saturating_duration_since(self.filled_at).as_secs_f64();
        self.tokens = (self.tokens + passed * rate).min(self.burst);
        self.filled_at = now;
        if self.tokens < 1.0 {
            return Err(
                Duration::from_secs_f64((1.0 - self.tokens) / rate).max(Duration::from_millis(1))
            );
        }
        self.tokens -= 1.0;
        Ok(())
    }

    /// Takes the server's word for what is left.
    pub fn observe(&mut self, allowance: Allowance) {
        if let Some(total) = allowance.per_minute {
            self.limit(Some(total));
        }
        if let Some(remaining) = allowance.remaining {
            self.tokens = self.tokens.min(remaining.max(0.0));
        }
    }

    /// The server said no: stay away for `wait`, within reason.
    pub fn refused(&mut self, now: Instant, wait: Duration) {
        self.tokens = self.tokens.min(1.0);
        self.closed_until = Some(now + wait.min(LONGEST_CLOSURE));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_server_has_the_last_word_on_what_is_left() {
        let start = Instant::now();
        let mut pacer = Pacer::new(Some(60.0), None, 1.0, 10.0, start);
        assert_eq!(pacer.admit(start), Ok(()));
        pacer.observe(Allowance {
            per_minute: None,
            remaining: Some(1.0),
        });
        assert_eq!(pacer.admit(start), Ok(()));
        assert_eq!(pacer.admit(start), Err(Duration::from_secs(1)));
        pacer.refused(start, Duration::from_secs(30));
        assert_eq!(
            pacer.admit(start + Duration::from_secs(10)),
            Err(Duration::from_secs(20))
        );
    }

    #[tokio::test]
    async fn a_week_of_retry_after_does_not_stop_us_for_a_week() {
        let start = Instant::now();
        let mut pacer = Pacer::new(None, None, 1.0, 10.0, start);
        pacer.refused(start, Duration::from_hours(168));
        assert_eq!(pacer.admit(start + LONGEST_CLOSURE), Ok(()));
    }

    #[tokio::test]
    async fn our_share_is_kept_when_the_headers_change_the_limit() {
        let start = Instant::now();
        let mut pacer = Pacer::new(None, Some(300.0), 0.5, 1.0, start);
        assert_eq!(pacer.calls_per_minute(), Some(150.0));
        pacer.observe(Allowance {
            per_minute: Some(50.0),
            remaining: None,
        });
        assert_eq!(pacer.calls_per_minute(), Some(25.0));
    }
}
