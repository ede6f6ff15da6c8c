//! Stands beside a long piece of work: draws how far it is on a terminal, and passes on signals.

use super::exit::Failure;
use super::paste;
use crate::model::Side;
use crate::supervise::signals;
use crate::sync::Progress;
use futures_util::StreamExt as _;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often the picture is drawn anew.
const FRAME: Duration = Duration::from_millis(200);

/// Does `work` to its end. The first signal asks it, by `stop`, to end early and in good order; a
/// second one does not wait for that.
///
/// # Errors
///
/// [`Failure::Stopped`] where it did not end by itself; [`Failure::Machine`] without signals.
pub(super) async fn attended<T>(
    work: impl Future<Output = T>,
    stop: &CancellationToken,
    mut frame: impl FnMut(),
) -> Result<T, Failure> {
    let mut signals = signals().map_err(Failure::machine("listening to signals"))?;
    let mut frames = tokio::time::interval(FRAME);
    let mut work = pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return Ok(done),
            Some(_) = signals.next() => {
                if stop.is_cancelled() {
                    return Err(Failure::Stopped);
                }
                stop.cancel();
                say("stopping: what is in flight is finished; a second signal does not wait for it");
            }
            _ = frames.tick() => frame(),
        }
    }
}

/// One line for the person at the terminal.
pub(super) fn say(text: &str) {
    // Nobody is left to tell where stderr is closed.
    let _ = writeln!(std::io::stderr(), "deskbridge: {}", paste::ready(text));
}

/// How far a cycle is, drawn on stderr where that is a terminal.
#[derive(Debug)]
pub(super) struct Picture {
    bar: ProgressBar,
}

impl Picture {
    pub(super) fn new() -> Self {
        let target = if std::io::stderr().is_terminal() {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(None, target);
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
            bar.set_style(style);
        }
        Self { bar }
    }

    /// Draws it once more.
    pub(super) fn draw(&self, progress: &Progress) {
        let read = |side: Side| progress.read.of(side).load(Ordering::Relaxed);
        let decided = progress.decided.load(Ordering::Relaxed);
        let written = progress.written.load(Ordering::Relaxed);
        let mut text = format!(
            "read {} in crm, {} in freshdesk",
            read(Side::Crm),
            read(Side::Desk)
        );
        if decided > 0 {
            let _ = write!(text, "; written {written} of {decided}");
        }
        self.bar.set_message(text);
        self.bar.tick();
    }
}

impl Drop for Picture {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
