//! A ticket and what was said on it, as the account keeps them.

use serde_json::Value;

/// Where a ticket is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TicketStanding {
    /// In the default list.
    Live,
    /// In the trash: `filter=deleted`.
    Deleted,
    /// `filter=spam`.
    Spam,
    /// Closed long ago: in no list, readable under `/tickets/archived` alone.
    Archived,
}

/// One ticket. Times are whole seconds since 1970, UTC.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the attributes' names are the API's own")]
pub struct Ticket {
    /// Counted from 1 in every account.
    pub id: u64,
    pub standing: TicketStanding,
    pub subject: String,
    /// HTML.
    pub description: String,
    pub requester_id: u64,
    pub responder_id: Option<u64>,
    pub group_id: Option<u64>,
    /// The requester's company when the ticket was made.
    pub company_id: Option<u64>,
    /// 2 open, 3 pending, 4 resolved, 5 closed, others as the account has them.
    pub status: u64,
    /// 1 low, 2 medium, 3 high, 4 urgent.
    pub priority: u64,
    pub source: u64,
    /// The API's `type`.
    pub kind: Option<String>,
    pub tags: Vec<String>,
    /// `None` is shown as `null`, as on tickets that the vendor put there.
    pub cc_emails: Option<Vec<String>>,
    /// In the order of [`TicketOptions::custom`](super::TicketOptions::custom); `Null` where empty.
    pub custom: Vec<Value>,
    pub due_by: i64,
    pub fr_due_by: i64,
    pub is_escalated: bool,
    pub stats: Stats,
    pub created_at: i64,
    pub updated_at: i64,
}

/// When what happened last on a ticket; seconds since 1970, UTC.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the attributes' names are the API's own")]
pub struct Stats {
    pub agent_responded_at: Option<i64>,
    pub requester_responded_at: Option<i64>,
    pub first_responded_at: Option<i64>,
    pub status_updated_at: Option<i64>,
    pub reopened_at: Option<i64>,
    pub resolved_at: Option<i64>,
    pub closed_at: Option<i64>,
    pub pending_since: Option<i64>,
}

pub(super) const OPEN: u64 = 2;
pub(super) const PENDING: u64 = 3;
pub(super) const RESOLVED: u64 = 4;
pub(super) const CLOSED: u64 = 5;

/// The source of a ticket that an agent began by mail.
pub(super) const OUTBOUND: u64 = 10;

const HOUR: i64 = 3600;

impl Ticket {
    pub(super) fn new(id: u64, requester_id: u64, custom: usize, now: i64) -> Self {
        let mut ticket = Self {
            id,
            standing: TicketStanding::Live,
            subject: String::new(),
            description: String::new(),
            requester_id,
            responder_id: None,
            group_id: None,
            company_id: None,
            status: OPEN,
            priority: 1,
            source: 2,
            kind: None,
            tags: Vec::new(),
            cc_emails: Some(Vec::new()),
            custom: vec![Value::Null; custom],
            due_by: 0,
            fr_due_by: 0,
            is_escalated: false,
            stats: Stats::default(),
            created_at: now,
            updated_at: now,
        };
        ticket.set_due();
        ticket
    }

    /// Whether its status is resolved or closed.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        matches!(self.status, RESOLVED | CLOSED)
    }

    /// What the account's service level promises for the priority.
    pub(super) const fn set_due(&mut self) {
        let (resolve, respond) = match self.priority {
            4 => (4, 1),
            3 => (12, 4),
            2 => (24, 8),
            _ => (72, 24),
        };
        self.due_by = self.created_at + resolve * HOUR;
        self.fr_due_by = self.created_at + respond * HOUR;
    }

    /// Brings the stamps in step with a status that was `before`.
    pub(super) const fn note_status(&mut self, before: u64, now: i64) {
        if self.status == before {
            return;
        }
        let stats = &mut self.stats;
        stats.status_updated_at = Some(now);
        stats.pending_since = if self.status == PENDING {
            Some(now)
        } else {
            None
        };
        match self.status {
            RESOLVED => stats.resolved_at = Some(now),
            CLOSED => {
                stats.closed_at = Some(now);
                if stats.resolved_at.is_none() {
                    stats.resolved_at = Some(now);
                }
            }
            _ if matches!(before, RESOLVED | CLOSED) => {
                stats.reopened_at = Some(now);
                stats.resolved_at = None;
                stats.closed_at = None;
            }
            _ => {}
        }
    }
}

/// A note or a reply on a ticket. Times are whole seconds since 1970, UTC.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the attributes' names are the API's own")]
pub struct Conversation {
    pub id: u64,
    pub ticket_id: u64,
    /// HTML, as the server rewrote it.
    pub body: String,
    pub private: bool,
    /// Whether it came from the customer.
    pub incoming: bool,
    pub user_id: u64,
    /// 0 reply, 2 note.
    pub source: u64,
    /// Who was told by mail.
    pub to_emails: Vec<String>,
    pub created_at: i64,
    pub updated_at: i64,
}
