//! What went wrong with a call, and whether it can have had an effect.

use crate::model::Side;
use std::time::Duration;

/// What went wrong with a call.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{side}: {call}: {kind}{}{}", detail_of(.detail), request_of(.request_id.as_deref()))]
pub struct RemoteError {
    /// With whom.
    pub side: Side,
    /// In doing what: method and path template, without values.
    pub call: String,
    /// What sort of thing it was.
    pub kind: ErrorKind,
    /// In the other side's words, cut to a sane length, without secrets.
    pub detail: String,
    /// The server's name for the call.
    pub request_id: Option<String>,
}

/// What sort of thing went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ErrorKind {
    /// The key is wrong (401).
    #[error("the credentials are refused; check the key in sync.toml")]
    Denied,
    /// The key lacks a right on this endpoint (403).
    #[error("the credentials lack a right for this call")]
    Forbidden,
    /// Nothing under this address (404).
    #[error("not found")]
    Missing,
    /// The request is not acceptable and never will be (other 4xx).
    #[error("refused with status {0}")]
    Rejected(u16),
    /// Too many calls, also after waiting (429).
    #[error("too many calls")]
    Throttled(Option<Duration>),
    /// No more calls of this sort for so long, while others go on: nothing was sent.
    #[error("no more calls of this sort until its pause is over")]
    Paused(Duration),
    /// No connection could be made: nothing was sent.
    #[error("cannot be reached")]
    Unreachable,
    /// The connection broke or timed out after the request was sent.
    #[error("no answer")]
    NoAnswer,
    /// The server had a fault (5xx).
    #[error("the server has a fault (status {0})")]
    Fault(u16),
    /// An answer that makes no sense: torn, too large, not JSON, of another shape.
    #[error("an answer that cannot be understood")]
    Garbled,
    /// We are shutting down; nothing was sent.
    #[error("stopped before it was sent")]
    Stopped,
}

impl ErrorKind {
    /// Whether it is the system as a whole that refuses or does not answer: one more call would fare
    /// no better.
    #[must_use]
    pub const fn is_down(self) -> bool {
        matches!(self, Self::Denied | Self::Unreachable | Self::Throttled(_))
    }

    /// Whether a read that fails so may fail for this record alone, while others are read as ever.
    #[must_use]
    pub const fn may_be_one_records(self) -> bool {
        matches!(
            self,
            Self::Forbidden | Self::Rejected(_) | Self::Fault(_) | Self::Garbled | Self::NoAnswer
        )
    }

    /// Whether another call of the same sort would fare no better, whatever becomes of others.
    #[must_use]
    pub const fn bars_its_sort(self) -> bool {
        self.is_down() || matches!(self, Self::Paused(_))
    }
}

/// Whether a failed write can have had an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// Surely not.
    No,
    /// Nobody knows: look before doing anything else to the record.
    Unknown,
}

impl RemoteError {
    /// Whether the call, had it been a write, can have had an effect.
    #[must_use]
    pub const fn applied(&self) -> Applied {
        match self.kind {
            ErrorKind::Denied
            | ErrorKind::Forbidden
            | ErrorKind::Missing
            | ErrorKind::Rejected(_)
            | ErrorKind::Throttled(_)
            | ErrorKind::Paused(_)
            | ErrorKind::Unreachable
            | ErrorKind::Stopped => Applied::No,
            ErrorKind::NoAnswer | ErrorKind::Fault(_) | ErrorKind::Garbled => Applied::Unknown,
        }
    }

    /// Whether the same call may succeed later without anybody doing anything.
    #[must_use]
    pub const fn passes(&self) -> bool {
        matches!(
            self.kind,
            ErrorKind::Throttled(_)
                | ErrorKind::Paused(_)
                | ErrorKind::Unreachable
                | ErrorKind::NoAnswer
                | ErrorKind::Fault(_)
                | ErrorKind::Garbled
                | ErrorKind::Stopped
        )
    }
}

fn detail_of(detail: &str) -> String {
    if detail.is_empty() {
        String::new()
    } else {
        format!(": {detail}")
    }
}

fn request_of(id: Option<&str>) -> String {
    id.map_or_else(String::new, |id| format!(" (request {id})"))
}
