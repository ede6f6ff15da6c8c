//! What goes wrong with a call, by chance.

use deskbridge::model::Side;
use deskbridge::remote::ErrorKind;
use rand::Rng as _;
use rand::rngs::StdRng;
use std::time::Duration;

/// Where the process dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Before this call has an effect.
    Before(u64),
    /// When this call was carried out, before its answer is heard.
    After(u64),
    /// At this look at the clock.
    Look(u64),
    /// When it goes on for so many times, wherever it waited: mostly for its own state. How often it
    /// waits depends on the machine.
    Poll(u64),
}

/// How likely what is.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    /// That a call fails, of one.
    pub rate: f64,
    /// That a whole list lies: it is empty, or ends too early.
    pub lies: f64,
    /// That a look for what has changed shows nothing, while whole lists are as ever.
    pub hush: f64,
    /// Whose lists lie; of both, if of nobody in particular.
    pub liar: Option<Side>,
    /// That one record of a batch is refused.
    pub refusals: f64,
    /// That a bulk job passes over one of its tickets.
    pub skips: f64,
    /// That a page shows again what the one before has shown.
    pub repeats: f64,
    /// That people do something between two calls.
    pub bustle: f64,
    pub death: Option<Moment>,
    /// What becomes of the next write.
    pub once: Option<Failure>,
    /// Nothing is answered any more, and the process dies at its next look at the clock.
    pub dying: bool,
}

/// What becomes of a call that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// It had no effect.
    Unsent(ErrorKind),
    /// It was carried out, wholly or in part, and the answer is lost.
    Done(ErrorKind),
    /// It arrives when its sender has given it up already.
    Late,
}

impl Failure {
    /// What the sender is told.
    pub fn told(self) -> ErrorKind {
        match self {
            Self::Unsent(kind) | Self::Done(kind) => kind,
            Self::Late => ErrorKind::NoAnswer,
        }
    }
}

impl Faults {
    /// What becomes of the next call.
    pub fn draw(&self, random: &mut StdRng) -> Option<Failure> {
        if !happens(random, self.rate) {
            return None;
        }
        Some(match random.random_range(0..17) {
            0 => Failure::Unsent(ErrorKind::Throttled(None)),
            1 => Failure::Unsent(ErrorKind::Throttled(Some(Duration::from_secs(30)))),
            2 => Failure::Unsent(ErrorKind::Unreachable),
            3 => Failure::Unsent(ErrorKind::Denied),
            4 => Failure::Unsent(ErrorKind::Forbidden),
            5 => Failure::Unsent(ErrorKind::NoAnswer),
            6 => Failure::Unsent(ErrorKind::Fault(503)),
            7 => Failure::Unsent(ErrorKind::Garbled),
            8 => Failure::Unsent(ErrorKind::Missing),
            9 | 10 => Failure::Done(ErrorKind::NoAnswer),
            11 => Failure::Done(ErrorKind::Fault(502)),
            12 => Failure::Done(ErrorKind::Garbled),
            _ => Failure::Late,
        })
    }
}

/// Whether something of this likelihood happens.
pub fn happens(random: &mut StdRng, rate: f64) -> bool {
    rate > 0.0 && random.random_bool(rate)
}
