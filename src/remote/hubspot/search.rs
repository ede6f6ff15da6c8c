//! The pace of searches, which have a limit of their own: five a second and account, shared by all
//! apps, and no header tells what is left (CRM API usage guidelines, search).

use crate::remote::http::{Call, Reply};
use crate::remote::{ErrorKind, RemoteError};
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

use super::Hubspot;
use crate::clock::monotonic;
use crate::model::Side;

/// Searches a second that an account has.
const PER_SECOND: f64 = 5.0;
/// `HubSpot`'s second and what the way there may add to it.
const WINDOW: Duration = Duration::from_millis(1100);

/// Admits so many searches in any window. A bucket that refills would let twice as many through in
/// its first second.
#[derive(Debug)]
pub(super) struct SearchPace {
    most: usize,
    sent: Mutex<VecDeque<Instant>>,
}

impl SearchPace {
    /// `share` is our part of the account's searches; one a window is always ours.
    pub(super) fn new(share: f64) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a saturating cast of a small positive number"
        )]
        let most = (PER_SECOND * share).floor().max(1.0) as usize;
        Self {
            most,
            sent: Mutex::default(),
        }
    }

    /// Counts one search, or says how long to wait before asking again.
    fn admit(&self, now: Instant) -> Result<(), Duration> {
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        while sent.front().is_some_and(|at| now >= *at + WINDOW) {
            sent.pop_front();
        }
        match sent.front() {
            Some(oldest) if sent.len() >= self.most => Err(*oldest + WINDOW - now),
            _ => {
                sent.push_back(now);
                Ok(())
            }
        }
    }
}

impl Hubspot {
    /// Sends a search when its own pace allows.
    pub(super) async fn search(&self, call: Call) -> Result<Reply, RemoteError> {
        while let Err(wait) = self.searches.admit(monotonic()) {
            tokio::select! {
                () = self.stop.cancelled() => return Err(RemoteError {
                    side: Side::Crm,
                    call: format!("{} {}", call.method, call.endpoint),
                    kind: ErrorKind::Stopped,
                    detail: String::new(),
                    request_id: None,
                }),
                () = tokio::time::sleep(wait) => {}
            }
        }
        self.http.send(call).await?.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_second_sees_more_searches_than_the_account_has() {
        let (pace, start) = (SearchPace::new(1.0), monotonic());
        let (mut now, mut sent) = (start, Vec::new());
        while sent.len() < 40 {
            match pace.admit(now) {
                Ok(()) => sent.push(now),
                Err(wait) => now += wait,
            }
        }
        for (first, sixth) in sent.iter().zip(&sent[5..]) {
            assert!(*sixth - *first > Duration::from_secs(1));
        }
        assert!(now - start < Duration::from_secs(9));
    }

    #[test]
    fn a_small_share_still_searches() {
        let (pace, now) = (SearchPace::new(0.1), monotonic());
        assert_eq!(pace.admit(now), Ok(()));
        assert_eq!(pace.admit(now), Err(WINDOW));
    }
}
