//! What goes wrong between a simulator and its client: by seed, or exactly when a test says so.

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// One mishap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The server answers with this status and has done nothing.
    Refuse(u16),
    /// The server did what was asked and answers with this status.
    ApplyThenFail(u16),
    /// The connection breaks before the server looked at the request.
    DropBefore,
    /// The server did what was asked; the connection breaks before the first byte of the answer.
    DropAfter,
    /// The server did what was asked; nothing comes for so long, then the connection breaks.
    Hang(Duration),
    /// The server did what was asked; half of the answer's body arrives, then the connection breaks.
    TornBody,
    /// The server did what was asked; a proxy puts a page of HTML in place of the body.
    HtmlBody,
    /// The server did what was asked; the body is empty.
    EmptyBody,
    /// 429 out of the blue, nothing done, with this `Retry-After` in seconds.
    Throttle(u32),
}

impl Fault {
    /// Whether the request is carried out.
    #[must_use]
    pub const fn applies(self) -> bool {
        !matches!(self, Self::Refuse(_) | Self::DropBefore | Self::Throttle(_))
    }
}

/// Probabilities per request, 0 to 1; their sum is the share of requests that suffer.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Rates {
    /// 500, nothing done.
    pub internal_error: f64,
    /// 502, nothing done.
    pub bad_gateway: f64,
    /// 503, although done.
    pub applied_unavailable: f64,
    /// Connection broken, nothing done.
    pub drop_before: f64,
    /// Connection broken, although done.
    pub drop_after: f64,
    /// No answer for [`Rates::HANG`], then connection broken, although done.
    pub hang: f64,
    /// Half a body.
    pub torn_body: f64,
    /// HTML in place of JSON.
    pub html_body: f64,
    /// No body.
    pub empty_body: f64,
    /// 429, nothing done, `Retry-After: 1`.
    pub throttle: f64,
}

impl Rates {
    /// How long a request hangs that was picked by chance.
    pub const HANG: Duration = Duration::from_millis(300);

    /// Every kind of fault with probability `each`; hanging only a tenth of that, for it costs time.
    #[must_use]
    pub fn even(each: f64) -> Self {
        Self {
            internal_error: each,
            bad_gateway: each,
            applied_unavailable: each,
            drop_before: each,
            drop_after: each,
            hang: each / 10.0,
            torn_body: each,
            html_body: each,
            empty_body: each,
            throttle: each,
        }
    }

    fn pick(&self, mut at: f64) -> Option<Fault> {
        let table = [
            (self.internal_error, Fault::Refuse(500)),
            (self.bad_gateway, Fault::Refuse(502)),
            (self.applied_unavailable, Fault::ApplyThenFail(503)),
            (self.drop_before, Fault::DropBefore),
            (self.drop_after, Fault::DropAfter),
            (self.hang, Fault::Hang(Self::HANG)),
            (self.torn_body, Fault::TornBody),
            (self.html_body, Fault::HtmlBody),
            (self.empty_body, Fault::EmptyBody),
            (self.throttle, Fault::Throttle(1)),
        ];
        for (share, fault) in table {
            if at < share {
                return Some(fault);
            }
            at -= share;
        }
        None
    }
}

/// The mishaps of one simulator; off until told. Clones share them.
#[derive(Debug, Clone)]
pub struct Faults(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    armed: AtomicBool,
    plan: Mutex<Plan>,
}

#[derive(Debug)]
struct Plan {
    random: StdRng,
    rates: Rates,
    scripts: Vec<Script>,
    poisons: Vec<Poison>,
}

#[derive(Debug)]
struct Poison {
    text: String,
    fault: Fault,
}

#[derive(Debug)]
struct Script {
    method: String,
    path_prefix: String,
    fault: Fault,
    times: u32,
}

impl Default for Faults {
    fn default() -> Self {
        Self::seeded(0)
    }
}

impl Faults {
    /// No faults yet; `seed` decides which requests suffer once rates are set.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        let plan = Plan {
            random: StdRng::seed_from_u64(seed),
            rates: Rates::default(),
            scripts: Vec::new(),
            poisons: Vec::new(),
        };
        Self(Arc::new(Shared {
            armed: AtomicBool::new(false),
            plan: Mutex::new(plan),
        }))
    }

    /// Sets the probabilities from now on.
    pub fn rates(&self, rates: Rates) {
        let mut plan = self.plan();
        plan.rates = rates;
        self.arm(&plan);
    }

    /// The next `times` requests with this verb (`""` = any) whose path begins with `path_prefix`
    /// suffer `fault`. Scripts outrank chance and are used up in the order in which they were given.
    pub fn inject(&self, method: &str, path_prefix: &str, fault: Fault, times: u32) {
        let mut plan = self.plan();
        plan.scripts.push(Script {
            method: method.to_owned(),
            path_prefix: path_prefix.to_owned(),
            fault,
            times,
        });
        self.arm(&plan);
    }

    /// From now on every answer with `text` in its body suffers `fault`, whatever was asked: what was
    /// to be done is done.
    pub fn poison(&self, text: impl Into<String>, fault: Fault) {
        let mut plan = self.plan();
        plan.poisons.push(Poison {
            text: text.into(),
            fault,
        });
        self.arm(&plan);
    }

    /// The system is gone: every connection breaks until [`clear`](Self::clear).
    pub fn take_down(&self) {
        self.inject("", "", Fault::DropBefore, u32::MAX);
    }

    /// No faults any more.
    pub fn clear(&self) {
        let mut plan = self.plan();
        plan.rates = Rates::default();
        plan.scripts.clear();
        plan.poisons.clear();
        self.arm(&plan);
    }

    /// What befalls this request.
    pub(super) fn draw(&self, method: &str, path: &str) -> Option<Fault> {
        if !self.0.armed.load(Ordering::Relaxed) {
            return None;
        }
        let mut plan = self.plan();
        let scripted = plan.scripts.iter_mut().find(|script| {
            (script.method.is_empty() || script.method == method)
                && path.starts_with(&script.path_prefix)
        });
        if let Some(script) = scripted {
            let fault = script.fault;
            script.times = script.times.saturating_sub(1);
            plan.scripts.retain(|script| script.times > 0);
            self.arm(&plan);
            return Some(fault);
        }
        let at = plan.random.random::<f64>();
        plan.rates.pick(at)
    }

    /// Whether any answer has to be looked at.
    pub(super) fn is_poisoned(&self) -> bool {
        self.0.armed.load(Ordering::Relaxed) && !self.plan().poisons.is_empty()
    }

    /// What befalls an answer with this body.
    pub(super) fn taste(&self, body: &[u8]) -> Option<Fault> {
        let plan = self.plan();
        let holds = |it: &&Poison| {
            let text = it.text.as_bytes();
            !text.is_empty() && body.windows(text.len()).any(|part| part == text)
        };
        plan.poisons.iter().find(holds).map(|it| it.fault)
    }

    fn arm(&self, plan: &Plan) {
        let armed =
            plan.rates != Rates::default() || !plan.scripts.is_empty() || !plan.poisons.is_empty();
        self.0.armed.store(armed, Ordering::Relaxed);
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.0.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scripted_fault_hits_its_path_exactly_as_often_as_told() {
        let faults = Faults::default();
        faults.inject("POST", "/contacts", Fault::DropAfter, 2);
        assert_eq!(faults.draw("GET", "/contacts"), None);
        assert_eq!(faults.draw("POST", "/contacts"), Some(Fault::DropAfter));
        assert_eq!(faults.draw("POST", "/companies"), None);
        assert_eq!(faults.draw("POST", "/contacts/1"), Some(Fault::DropAfter));
        assert_eq!(faults.draw("POST", "/contacts"), None);
    }

    #[test]
    fn the_same_seed_brings_the_same_mishaps() {
        let run = |seed| {
            let faults = Faults::seeded(seed);
            faults.rates(Rates::even(0.05));
            (0..200)
                .map(|_| faults.draw("GET", "/"))
                .collect::<Vec<_>>()
        };
        assert_eq!(run(7), run(7));
        assert_ne!(run(7), run(8));
        assert!(run(7).iter().any(Option::is_some) && run(7).iter().any(Option::is_none));
    }
}
