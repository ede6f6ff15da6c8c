//! Whether an account has the calls for what `[schedule]` asks of it: said before it is found out.

use super::preflight::Finding;
use crate::model::{Pair, Side};
use std::collections::BTreeMap;
use std::time::Duration;

/// Calls by endpoint class.
pub type Calls = BTreeMap<&'static str, u64>;

/// What one side's calls come to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Need {
    /// A look for changes that finds none.
    pub poll: Calls,
    /// How long that takes at the account's limits; nothing where it has none that is known.
    pub poll_takes: Option<Duration>,
    /// A reading of everything.
    pub listing: Calls,
    /// How long that takes.
    pub listing_takes: Option<Duration>,
    /// How many records that reading is for.
    pub records: u64,
    /// The calls that we allow ourselves in a window, and the window.
    pub allowed: Option<(f64, Duration)>,
}

/// The chosen rhythm.
#[derive(Debug, Clone, Copy)]
pub struct Rhythm {
    /// From one look for changes to the next.
    pub poll: Duration,
    /// From one reading of everything to the next.
    pub reconcile: Duration,
    /// A reading of everything goes on for one part in so many of the time.
    pub listing_part: u32,
}

/// What there is to say about the rhythm: sentences, and findings where it cannot be kept.
#[must_use]
pub fn judge(needs: &Pair<Need>, rhythm: Rhythm) -> (Vec<String>, Vec<Finding>) {
    let (mut sentences, mut findings) = (Vec::new(), Vec::new());
    for side in Side::BOTH {
        let need = needs.of(side);
        sentences.push(sentence(side, need, rhythm));
        findings.extend(poll(side, need, rhythm));
        findings.extend(listing(side, need, rhythm));
    }
    (sentences, findings)
}

fn sentence(side: Side, need: &Need, rhythm: Rhythm) -> String {
    let polls = counted(need.poll.values().sum(), "call");
    let listing = counted(need.listing.values().sum(), "call");
    let records = counted(need.records, "record");
    let Some((allowed, window)) = need.allowed else {
        return format!(
            "{side} names no limit: a look for changes is {polls}, a reading of {records} {listing}"
        );
    };
    let looks = need.poll_takes.map_or(0.0, |takes| {
        100.0 * takes.as_secs_f64() / rhythm.poll.as_secs_f64()
    });
    let reading = need.listing_takes.unwrap_or_default() * rhythm.listing_part;
    format!(
        "{side}: {allowed:.0} calls in {} are ours; a look for changes is {polls}, {looks:.0} % of what \
         `schedule.poll` = {} has; a reading of {records} is {listing}, about {} at a quarter of the pace",
        words(window),
        words(rhythm.poll),
        words(reading),
    )
}

/// On how many days so many calls are made, today included, where `today` are left of this one and `a_day`
/// are ours of each that follows. Nothing where there is no end to it.
#[must_use]
pub fn days(calls: u64, today: f64, a_day: f64) -> Option<u64> {
    #[expect(clippy::cast_precision_loss, reason = "no plan has 2^52 calls")]
    let rest = calls as f64 - today.clamp(0.0, a_day.max(0.0)).floor();
    if rest <= 0.0 {
        return Some(1);
    }
    if a_day < 1.0 {
        return None;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a whole number above zero"
    )]
    let more = (rest / a_day.floor()).ceil() as u64;
    Some(1 + more)
}

/// `3 calls`, `1 call`.
fn counted(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

fn poll(side: Side, need: &Need, rhythm: Rhythm) -> Option<Finding> {
    let takes = need.poll_takes.filter(|takes| *takes > rhythm.poll)?;
    Some(Finding {
        error: false,
        message: format!(
            "`schedule.poll` = {} cannot be kept: a look for changes takes {} at the calls that {side} allows; \
             {} or more leaves room for writes",
            words(rhythm.poll),
            words(takes),
            words(takes * 2),
        ),
    })
}

fn listing(side: Side, need: &Need, rhythm: Rhythm) -> Option<Finding> {
    let takes = need.listing_takes? * rhythm.listing_part;
    (takes > rhythm.reconcile).then(|| Finding {
        error: false,
        message: format!(
            "`schedule.reconcile` = {} cannot be kept: reading {} takes {} at the calls that {side} \
             allows, beside everything else",
            words(rhythm.reconcile),
            counted(need.records, "record"),
            words(takes),
        ),
    })
}

/// A length of time as `sync.toml` has them, rounded up.
fn words(time: Duration) -> String {
    let seconds = time.as_secs_f64().ceil();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "whole seconds of a length of time"
    )]
    let seconds = seconds as u64;
    match seconds {
        0..=120 => format!("{seconds}s"),
        121..=7200 => format!("{}m", seconds.div_ceil(60)),
        _ => format!("{}h", seconds.div_ceil(3600)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RHYTHM: Rhythm = Rhythm {
        poll: Duration::from_mins(1),
        reconcile: Duration::from_hours(24),
        listing_part: 4,
    };

    fn need(poll_takes: u64, listing_takes: u64) -> Need {
        Need {
            poll: [("contacts.list", 2)].into(),
            poll_takes: Some(Duration::from_secs(poll_takes)),
            listing: [("contacts.list", 2000)].into(),
            listing_takes: Some(Duration::from_secs(listing_takes)),
            records: 200_000,
            allowed: Some((160.0, Duration::from_mins(1))),
        }
    }

    #[test]
    fn a_plan_that_is_more_than_the_days_quota_is_not_said_to_end_today() {
        for (calls, today, a_day, expected) in [
            (0, 0.0, 0.0, Some(1)),
            (100, 100.0, 1_000.0, Some(1)),
            (101, 100.0, 1_000.0, Some(2)),
            (1_100, 100.0, 1_000.0, Some(2)),
            (1_101, 100.0, 1_000.0, Some(3)),
            (50, 0.0, 1_000.0, Some(2)),
            // What is left of the account's is not all ours.
            (950, 1_000.0, 900.0, Some(2)),
            (1, 0.0, 0.0, None),
        ] {
            assert_eq!(
                days(calls, today, a_day),
                expected,
                "{calls} {today} {a_day}"
            );
        }
    }

    #[test]
    fn one_call_is_called_one_call() {
        let mut one = need(8, 8);
        one.poll = [("contacts.list", 1)].into();
        (one.listing, one.records) = ([("contacts.list", 1)].into(), 1);
        let needs = Pair {
            crm: Need::default(),
            desk: one,
        };
        let (sentences, _) = judge(&needs, RHYTHM);
        for said in [
            "a look for changes is 1 call,",
            "a reading of 1 record is 1 call,",
        ] {
            assert!(sentences[1].contains(said), "{sentences:?}");
        }
    }

    #[test]
    fn a_rhythm_that_the_account_cannot_afford_is_said_before_the_lag_grows() {
        let needs = |need: Need| Pair {
            crm: Need::default(),
            desk: need,
        };
        let (sentences, findings) = judge(&needs(need(8, 7_500)), RHYTHM);
        assert_eq!(findings, []);
        assert!(
            sentences[0].starts_with("crm names no limit"),
            "{sentences:?}"
        );
        assert!(sentences[1].contains("13 % of what"), "{sentences:?}");
        assert!(
            sentences[1].contains("about 9h at a quarter"),
            "{sentences:?}"
        );
        let (_, findings) = judge(&needs(need(61, 7_500)), RHYTHM);
        assert!(
            findings[0].message.contains("61s at the calls"),
            "{findings:?}"
        );
        let (_, findings) = judge(&needs(need(8, 21_601)), RHYTHM);
        assert!(
            findings[0].message.contains("`schedule.reconcile` = 24h"),
            "{findings:?}"
        );
    }
}
