//! What stands beside the work: signals come in, signs of life go out.

use crate::config::Config;
use crate::supervise::{Signal, Supervisor};
use futures_util::{Stream, StreamExt as _};
use std::fmt;
use std::pin::pin;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use tokio_util::sync::CancellationToken;

/// How long a stop waits for what is in flight. A write that is given up is looked at by the next
/// start, before anything else is planned for its record.
const GRACE: Duration = Duration::from_secs(20);
/// How often a sign of life is considered where nobody waits for one.
const BEAT: Duration = Duration::from_secs(30);

/// Reads `sync.toml` again. `None` says that it is wrong; what is wrong is in the log then.
pub struct Reread(pub Box<dyn FnMut() -> Option<Config> + Send>);

impl fmt::Debug for Reread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reread").finish_non_exhaustive()
    }
}

/// Signals, signs of life, and what they ask for.
#[derive(Debug)]
pub(super) struct Attendant<S> {
    signals: S,
    pub(super) supervisor: Supervisor,
    reread: Reread,
    /// Ends every wait of the work.
    pub(super) stop: CancellationToken,
    /// When a stop no longer waits.
    deadline: Option<Instant>,
    /// A configuration that is to be used from the next cycle on.
    pending: Option<Config>,
}

impl<S: Stream<Item = Signal> + Unpin> Attendant<S> {
    pub(super) const fn new(
        signals: S,
        supervisor: Supervisor,
        reread: Reread,
        stop: CancellationToken,
    ) -> Self {
        Self {
            signals,
            supervisor,
            reread,
            stop,
            deadline: None,
            pending: None,
        }
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// The configuration that a reload brought, once.
    pub(super) fn reloaded(&mut self) -> Option<Config> {
        self.pending.take()
    }

    /// Does `work`; `beats` says at each beat whether it still gets on. `None` where it was given
    /// up because it did not end in time after a stop.
    pub(super) async fn during<T>(
        &mut self,
        work: impl Future<Output = T>,
        mut beats: impl FnMut() -> bool,
    ) -> Option<T> {
        let mut beat = self.beat();
        let mut work = pin!(work);
        loop {
            let deadline = self.deadline;
            tokio::select! {
                done = &mut work => return Some(done),
                Some(signal) = self.signals.next() => self.heed(signal),
                () = expiry(deadline) => {
                    tracing::warn!(event = "given_up", "what was in flight did not end in time");
                    return None;
                }
                _ = beat.tick() => if beats() {
                    self.supervisor.alive();
                }
            }
        }
    }

    /// Waits; less long where a signal asks for something.
    pub(super) async fn sleep(&mut self, wait: Duration) {
        let mut beat = self.beat();
        let mut end = pin!(sleep_until(Instant::now() + wait));
        while !self.is_stopped() && self.pending.is_none() {
            tokio::select! {
                () = &mut end => return,
                Some(signal) = self.signals.next() => self.heed(signal),
                _ = beat.tick() => self.supervisor.alive(),
            }
        }
    }

    fn beat(&self) -> tokio::time::Interval {
        // More often than signs of life are passed on: one that comes a moment too early is not.
        let every = self
            .supervisor
            .alive_every()
            .map_or(BEAT, |every| every / 4);
        let mut beat = interval(every.max(Duration::from_millis(1)));
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        beat
    }

    fn heed(&mut self, signal: Signal) {
        match signal {
            Signal::Term => {
                if self.deadline.is_none() {
                    tracing::info!(event = "stopping", "what is in flight is finished first");
                    self.supervisor.stopping();
                    self.deadline = Some(Instant::now() + GRACE);
                }
                self.stop.cancel();
            }
            Signal::Reload => {
                self.supervisor.reloading();
                if let Some(config) = (self.reread.0)() {
                    tracing::info!(event = "reload", "sync.toml is used from the next cycle on");
                    self.pending = Some(config);
                    self.supervisor.ready("sync.toml was read again");
                } else {
                    tracing::error!(
                        event = "reload",
                        "sync.toml is wrong; the former one stays in use"
                    );
                    self.supervisor
                        .ready("sync.toml is wrong; the former one stays in use");
                }
            }
        }
    }
}

/// Comes at `deadline`; never without one.
async fn expiry(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
