//! What a simulator was asked, for tests to count.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many requests are kept whole unless told otherwise.
const DEFAULT_ENTRIES: usize = 100_000;

/// One request and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// `GET`, `POST`, …
    pub method: String,
    /// The path as sent, percent-encoded.
    pub path: String,
    /// The query as sent, without `?`; empty if there was none.
    pub query: String,
    /// The status the simulator chose; 0 when it hung up before it looked at the request.
    pub status: u16,
    /// The class the simulator counts it under, such as `contacts.list`; empty if it named none.
    pub endpoint: &'static str,
    /// Whether a fault changed the answer or kept it back.
    pub faulted: bool,
}

/// How much is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// Nothing.
    Nothing,
    /// Numbers for each verb and endpoint class; for benchmarks.
    Counts,
    /// The numbers, and the last so many requests whole.
    Entries(usize),
}

/// The endpoint class of an answer; simulators put it into the response's extensions.
#[derive(Debug, Clone, Copy)]
pub struct Endpoint(pub &'static str);

/// A bounded memory of requests; clones share it.
#[derive(Debug, Clone)]
pub struct RequestLog(Arc<Mutex<Memory>>);

#[derive(Debug)]
struct Memory {
    keep: Keep,
    total: u64,
    counts: BTreeMap<&'static str, BTreeMap<String, u64>>,
    entries: VecDeque<Entry>,
}

impl Default for RequestLog {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Memory {
            keep: Keep::Entries(DEFAULT_ENTRIES),
            total: 0,
            counts: BTreeMap::new(),
            entries: VecDeque::new(),
        })))
    }
}

impl RequestLog {
    /// Chooses what is remembered from now on.
    pub fn keep(&self, keep: Keep) {
        let mut memory = self.memory();
        memory.keep = keep;
        memory.trim();
    }

    /// All requests since the start or the last [`take`](Self::take), also those no longer kept whole.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.memory().total
    }

    /// Kept requests with this verb (`""` = any) whose path begins with `path_prefix`.
    #[must_use]
    pub fn count(&self, method: &str, path_prefix: &str) -> usize {
        let memory = self.memory();
        let hit = |entry: &&Entry| {
            (method.is_empty() || entry.method == method) && entry.path.starts_with(path_prefix)
        };
        memory.entries.iter().filter(hit).count()
    }

    /// How often each endpoint class was called with each verb: `("contacts.list", "GET", 7)`.
    #[must_use]
    pub fn by_endpoint(&self) -> Vec<(&'static str, String, u64)> {
        let memory = self.memory();
        let rows = memory.counts.iter();
        rows.flat_map(|(endpoint, verbs)| {
            verbs.iter().map(|(verb, n)| (*endpoint, verb.clone(), *n))
        })
        .collect()
    }

    /// The kept requests, oldest first.
    #[must_use]
    pub fn entries(&self) -> Vec<Entry> {
        self.memory().entries.iter().cloned().collect()
    }

    /// The kept requests, oldest first; the log begins anew.
    #[must_use]
    pub fn take(&self) -> Vec<Entry> {
        let mut memory = self.memory();
        memory.total = 0;
        memory.counts.clear();
        memory.entries.drain(..).collect()
    }

    /// Whether anything is remembered at all.
    pub(super) fn is_on(&self) -> bool {
        self.memory().keep != Keep::Nothing
    }

    /// Whether whole requests are remembered.
    pub(super) fn wants_entries(&self) -> bool {
        matches!(self.memory().keep, Keep::Entries(_))
    }

    /// Notes one request; `entry` is dropped where only numbers are kept.
    pub(super) fn note(&self, entry: Entry) {
        let mut memory = self.memory();
        if memory.keep == Keep::Nothing {
            return;
        }
        memory.total += 1;
        let verbs = memory.counts.entry(entry.endpoint).or_default();
        if let Some(n) = verbs.get_mut(&entry.method) {
            *n += 1;
        } else {
            verbs.insert(entry.method.clone(), 1);
        }
        if matches!(memory.keep, Keep::Entries(_)) {
            memory.entries.push_back(entry);
            memory.trim();
        }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory {
    fn trim(&mut self) {
        let most = match self.keep {
            Keep::Entries(most) => most,
            Keep::Nothing | Keep::Counts => 0,
        };
        while self.entries.len() > most {
            self.entries.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(method: &str, path: &str) -> Entry {
        Entry {
            method: method.to_owned(),
            path: path.to_owned(),
            query: String::new(),
            status: 200,
            endpoint: "contacts.list",
            faulted: false,
        }
    }

    #[test]
    fn a_bounded_log_forgets_the_oldest_and_still_knows_how_many_there_were() {
        let log = RequestLog::default();
        log.keep(Keep::Entries(2));
        for path in ["/a", "/b", "/b/1"] {
            log.note(entry("GET", path));
        }
        assert_eq!((log.count("GET", "/b"), log.count("", "/a")), (2, 0));
        assert_eq!(log.total(), 3);
        assert_eq!(log.by_endpoint(), [("contacts.list", "GET".to_owned(), 3)]);
        assert_eq!(log.take().len(), 2);
        assert_eq!(log.total(), 0);
    }

    #[test]
    fn a_log_that_is_off_holds_nothing() {
        let log = RequestLog::default();
        log.keep(Keep::Nothing);
        log.note(entry("GET", "/a"));
        assert_eq!((log.total(), log.count("", "")), (0, 0));
    }
}
