//! In which order pages are asked for: always the same, whatever the machine is doing besides.
//!
//! The engine's readers run beside its writer, whose database has a thread of its own. A page is
//! answered only when every reader that is still at work waits for one; then it is the first one's turn.

use super::Systems;
use super::connector::System;
use deskbridge::model::{Kind, Pair, Side};
use std::collections::BTreeMap;
use std::sync::Weak;
use std::task::{Poll, Waker};

/// A reader: there is one for each side and kind.
type Reader = (Side, Kind);

/// Who waits, and whose turn it is.
#[derive(Debug, Default)]
pub struct Gate {
    /// The connectors: each reader holds one of them for as long as it is at work.
    pub(super) connectors: Pair<Weak<System>>,
    waiting: BTreeMap<Reader, Waker>,
    turn: Option<Reader>,
    /// Whether all readers of the cycle have asked for their first page.
    open: bool,
}

impl Gate {
    /// A cycle begins, with all readers still to come.
    pub fn shut(&mut self) {
        self.waiting.clear();
        self.turn = None;
        self.open = false;
    }

    /// Lets the first one pass if all wait.
    fn release(&mut self) {
        let all = Side::BOTH.len() * Kind::BOTH.len();
        self.open |= self.waiting.len() == all;
        // One is the engine's own.
        let at_work: usize = Side::BOTH
            .into_iter()
            .map(|side| self.connectors.of(side).strong_count().saturating_sub(1))
            .sum();
        if self.open
            && self.turn.is_none()
            && self.waiting.len() >= at_work
            && let Some((reader, waker)) = self.waiting.pop_first()
        {
            self.turn = Some(reader);
            waker.wake();
        }
    }
}

impl Systems {
    /// Has to be called whenever the engine was polled: a reader may have come to its end.
    pub fn release(&self) {
        self.state().gate.release();
    }

    /// Waits until it is this reader's turn.
    pub(super) async fn turn(&self, side: Side, kind: Kind) {
        let mut asked = false;
        std::future::poll_fn(|context| {
            let mut state = self.state();
            let gate = &mut state.gate;
            if gate.turn == Some((side, kind)) && asked {
                gate.turn = None;
                return Poll::Ready(());
            }
            asked = true;
            gate.waiting.insert((side, kind), context.waker().clone());
            gate.release();
            Poll::Pending
        })
        .await;
    }
}
