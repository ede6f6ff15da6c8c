//! An account's limits as a server keeps them, on a clock of its own.

use std::collections::{BTreeMap, VecDeque};

/// Microseconds.
pub(crate) const SECOND: u64 = 1_000_000;

/// How a window refills.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refill {
    /// All at once, at every whole window of the server's clock.
    Fixed,
    /// Call by call, a window's length after each.
    Sliding,
}

/// Calls counted in one window.
#[derive(Debug, Clone)]
struct Window {
    refill: Refill,
    length: u64,
    limit: u64,
    begin: u64,
    counted: VecDeque<u64>,
}

impl Window {
    fn new(refill: Refill, length: u64, limit: u64) -> Self {
        Self {
            refill,
            length,
            limit,
            begin: 0,
            counted: VecDeque::new(),
        }
    }

    fn advance(&mut self, now: u64) {
        match self.refill {
            Refill::Fixed if now / self.length != self.begin => {
                self.begin = now / self.length;
                self.counted.clear();
            }
            Refill::Fixed => {}
            Refill::Sliding => {
                while self
                    .counted
                    .front()
                    .is_some_and(|at| at + self.length <= now)
                {
                    self.counted.pop_front();
                }
            }
        }
    }

    fn left(&self) -> u64 {
        self.limit.saturating_sub(self.counted.len() as u64)
    }

    fn next_room(&self, now: u64) -> u64 {
        match (self.refill, self.counted.front()) {
            (Refill::Sliding, Some(oldest)) => oldest + self.length - now,
            _ => self.length - now % self.length,
        }
    }
}

/// The server.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    total: Window,
    classes: BTreeMap<&'static str, Window>,
    /// Millionths by which its clock is slow.
    slow_by: u64,
}

/// Its answer to one call.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Verdict {
    /// Taken; limit and calls left.
    Taken(u64, u64),
    /// Refused; limit, calls left, and seconds to wait.
    Refused(u64, u64, u64),
}

impl Server {
    pub(crate) fn new(refill: Refill, length: u64, limit: u64, slow_by: u64) -> Self {
        Self {
            total: Window::new(refill, length, limit),
            classes: BTreeMap::new(),
            slow_by,
        }
    }

    pub(crate) fn set_limit(&mut self, limit: u64) {
        self.total.limit = limit;
    }

    pub(crate) fn set_class(&mut self, class: &'static str, length: u64, limit: u64) {
        let window = Window::new(self.total.refill, length, limit);
        self.classes.insert(class, window);
    }

    /// A call arrives at `now` of the world's clock.
    pub(crate) fn take(&mut self, class: &str, now: u64) -> Verdict {
        let now = now - now / SECOND * self.slow_by;
        self.total.advance(now);
        let mut own = self.classes.get_mut(class);
        if let Some(own) = &mut own {
            own.advance(now);
        }
        let full = |window: &&mut Window| window.left() == 0;
        let refusing = own
            .as_mut()
            .filter(|own| full(own))
            .map(|own| own.next_room(now));
        let refusing = refusing.or((self.total.left() == 0).then(|| self.total.next_room(now)));
        if let Some(room) = refusing {
            let wait = room.div_ceil(SECOND).max(1);
            return Verdict::Refused(self.total.limit, self.total.left(), wait);
        }
        self.total.counted.push_back(now);
        if let Some(own) = own {
            own.counted.push_back(now);
        }
        Verdict::Taken(self.total.limit, self.total.left())
    }
}
