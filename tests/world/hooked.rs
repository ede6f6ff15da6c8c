//! A connector that does as the real one does, except where a test stands in the way.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use deskbridge::model::{Kind, RecordId, Side, Ticket, TicketChange};
use deskbridge::remote::{
    Account, Caps, Connector, Cursor, ErrorKind, Feed, Fetched, Helpdesk, Job, JobState, Lookup,
    NoteOutcome, Op, Outcome, Page, PageRequest, RemoteError, Schema, Spending, TicketFeed,
    TicketLimits, TicketOutcome, TicketPage, Vocabulary, Wanted,
};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Notify;

/// What happens at a write.
#[derive(Clone)]
pub(crate) enum Hook {
    /// Nothing special.
    Pass,
    /// This is done once, just before the next write is sent.
    Before(Arc<dyn Fn() + Send + Sync>),
    /// The next write is never sent, and no answer comes.
    Vanish(Arc<Notify>),
    /// The next write is carried out, and no answer comes.
    Swallow(Arc<Notify>),
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pass => "Pass",
            Self::Before(_) => "Before",
            Self::Vanish(_) => "Vanish",
            Self::Swallow(_) => "Swallow",
        })
    }
}

#[derive(Debug)]
pub(crate) struct Hooked {
    real: Arc<dyn Connector>,
    kind: Kind,
    hook: Mutex<Hook>,
    after_page: Mutex<Hook>,
    tickets: Mutex<Option<(TicketCall, Hook)>>,
    denied: Mutex<Option<u64>>,
    lie: AtomicBool,
    hushed: AtomicBool,
    paused: AtomicBool,
    deaf: AtomicBool,
    poison: Mutex<Option<&'static str>>,
}

/// A call about tickets that a test can stand in the way of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TicketCall {
    Change,
    Bulk,
    Job,
    Note,
    List,
}

impl Hooked {
    /// Stands in the way of writes of `kind`.
    pub(crate) fn new(real: Arc<dyn Connector>, kind: Kind) -> Self {
        Self {
            real,
            kind,
            hook: Mutex::new(Hook::Pass),
            after_page: Mutex::new(Hook::Pass),
            tickets: Mutex::new(None),
            denied: Mutex::new(None),
            lie: AtomicBool::new(false),
            hushed: AtomicBool::new(false),
            paused: AtomicBool::new(false),
            deaf: AtomicBool::new(false),
            poison: Mutex::new(None),
        }
    }

    pub(crate) fn hook(&self, hook: Hook) {
        *self.hook.lock().unwrap() = hook;
    }

    /// Stands once in the way of a call about tickets.
    pub(crate) fn hook_tickets(&self, call: TicketCall, hook: Hook) {
        *self.tickets.lock().unwrap() = Some((call, hook));
    }

    /// From now on the tickets of this contact cannot be listed.
    pub(crate) fn deny_tickets_of(&self, requester: Option<u64>) {
        *self.denied.lock().unwrap() = requester;
    }

    /// Whether this call is to be carried out although its answer never comes: then that is said
    /// here, once it is done. Comes back from nothing that was made to vanish.
    async fn ticket_call(&self, call: TicketCall) -> Option<Arc<Notify>> {
        let hook = {
            let mut hooked = self.tickets.lock().unwrap();
            hooked.take_if(|(of, _)| *of == call).map(|(_, hook)| hook)
        };
        match hook? {
            Hook::Pass => {}
            Hook::Before(act) => act(),
            Hook::Vanish(done) => {
                done.notify_one();
                std::future::pending::<()>().await;
            }
            Hook::Swallow(done) => return Some(done),
        }
        None
    }

    fn desk(&self) -> &dyn Helpdesk {
        self.real.helpdesk().unwrap()
    }

    /// The next listing of everything is empty, and says that it is complete.
    pub(crate) fn empty_next_listing(&self) {
        self.lie.store(true, Ordering::Relaxed);
    }

    /// Whether looks for what has changed of `kind` show nobody from now on.
    pub(crate) fn hush(&self, hushed: bool) {
        self.hushed.store(hushed, Ordering::Relaxed);
    }

    /// From now on no page of `kind` is read: there are no more calls of this sort for minutes.
    pub(crate) fn pause(&self) {
        self.paused.store(true, Ordering::Relaxed);
    }

    /// Whether no look for a record of `kind` by its key is answered from now on, while lists are as ever.
    pub(crate) fn deafen(&self, deaf: bool) {
        self.deaf.store(deaf, Ordering::Relaxed);
    }

    /// From now on the system has a fault with every call that writes this, and carries out nothing of it.
    pub(crate) fn poison(&self, text: &'static str) {
        *self.poison.lock().unwrap() = Some(text);
    }

    /// What is done once after the next page of `kind` was read.
    pub(crate) fn after_page(&self, act: impl Fn() + Send + Sync + 'static) {
        *self.after_page.lock().unwrap() = Hook::Before(Arc::new(act));
    }
}

#[async_trait]
impl Connector for Hooked {
    fn side(&self) -> Side {
        self.real.side()
    }

    fn caps(&self) -> &Caps {
        self.real.caps()
    }

    async fn account(&self) -> Result<Account, RemoteError> {
        self.real.account().await
    }

    async fn describe(&self, kind: Kind) -> Result<Schema, RemoteError> {
        self.real.describe(kind).await
    }

    async fn page(
        &self,
        request: &PageRequest<'_>,
        cursor: Option<&Cursor>,
    ) -> Result<Page, RemoteError> {
        if request.kind == self.kind && self.paused.load(Ordering::Relaxed) {
            return Err(RemoteError {
                side: self.side(),
                call: "page".to_owned(),
                kind: ErrorKind::Paused(Duration::from_mins(10)),
                detail: String::new(),
                request_id: None,
            });
        }
        let mut page = self.real.page(request, cursor).await;
        let lies = request.kind == self.kind
            && match request.feed {
                Feed::All | Feed::Again => self.lie.swap(false, Ordering::Relaxed),
                Feed::Changes(_) => self.hushed.load(Ordering::Relaxed),
                Feed::Trash(_) => false,
            };
        if lies && let Ok(page) = &mut page {
            page.records.clear();
            page.next = None;
        }
        if request.kind == self.kind {
            let hook = std::mem::replace(&mut *self.after_page.lock().unwrap(), Hook::Pass);
            if let Hook::Before(act) = hook {
                act();
            }
        }
        page
    }

    async fn fetch(
        &self,
        kind: Kind,
        fields: &[String],
        ids: &[RecordId],
    ) -> Result<Vec<Fetched>, RemoteError> {
        self.real.fetch(kind, fields, ids).await
    }

    fn refuses_twins(&self, kind: Kind, field: &str) -> bool {
        self.real.refuses_twins(kind, field)
    }

    async fn find(
        &self,
        kind: Kind,
        fields: &[String],
        field: &str,
        value: &str,
    ) -> Result<Lookup, RemoteError> {
        if kind == self.kind && self.deaf.load(Ordering::Relaxed) {
            return Err(RemoteError {
                side: self.side(),
                call: "find".to_owned(),
                kind: ErrorKind::NoAnswer,
                detail: String::new(),
                request_id: None,
            });
        }
        self.real.find(kind, fields, field, value).await
    }

    async fn write(&self, kind: Kind, fields: &[String], ops: &[Op]) -> Vec<Outcome> {
        let poison = *self.poison.lock().unwrap();
        let chokes = |it: &Op| poison.is_some_and(|text| format!("{it:?}").contains(text));
        if ops.iter().any(chokes) {
            let fault = RemoteError {
                side: self.side(),
                call: "write".to_owned(),
                kind: ErrorKind::Fault(500),
                detail: String::new(),
                request_id: None,
            };
            let failed = ops.iter().map(|_| Outcome::Failed(fault.clone()));
            return failed.collect();
        }
        let hook = if kind == self.kind {
            std::mem::replace(&mut *self.hook.lock().unwrap(), Hook::Pass)
        } else {
            Hook::Pass
        };
        match hook {
            Hook::Pass => {}
            Hook::Before(act) => act(),
            Hook::Vanish(done) => {
                done.notify_one();
                std::future::pending::<()>().await;
            }
            Hook::Swallow(done) => {
                self.real.write(kind, fields, ops).await;
                done.notify_one();
                std::future::pending::<()>().await;
            }
        }
        self.real.write(kind, fields, ops).await
    }

    fn helpdesk(&self) -> Option<&dyn Helpdesk> {
        self.real.helpdesk().map(|_| self as &dyn Helpdesk)
    }

    fn spending(&self) -> Spending {
        self.real.spending()
    }

    fn calls(&self) -> BTreeMap<&'static str, u64> {
        self.real.calls()
    }

    fn cost(&self, kind: Kind, sort: &Op, ops: usize) -> (&'static str, usize) {
        self.real.cost(kind, sort, ops)
    }
}

/// Says that a call was carried out, and lets its answer never come.
async fn swallow(swallowed: Option<Arc<Notify>>) {
    if let Some(done) = swallowed {
        done.notify_one();
        std::future::pending::<()>().await;
    }
}

#[async_trait]
impl Helpdesk for Hooked {
    fn limits(&self) -> TicketLimits {
        self.desk().limits()
    }

    async fn vocabulary(&self, wanted: &Wanted) -> Result<Vocabulary, RemoteError> {
        self.desk().vocabulary(wanted).await
    }

    async fn tickets(
        &self,
        feed: &TicketFeed,
        cursor: Option<&Cursor>,
    ) -> Result<TicketPage, RemoteError> {
        let denied = *self.denied.lock().unwrap();
        if denied.is_some_and(|id| *feed == TicketFeed::Requester(RecordId(id.to_string()))) {
            return Err(RemoteError {
                side: Side::Desk,
                call: "GET tickets.list".to_owned(),
                kind: ErrorKind::Fault(500),
                detail: String::new(),
                request_id: None,
            });
        }
        let hook = self.ticket_call(TicketCall::List).await;
        let page = self.desk().tickets(feed, cursor).await;
        swallow(hook).await;
        page
    }

    async fn ticket(&self, id: &RecordId) -> Result<Option<Ticket>, RemoteError> {
        self.desk().ticket(id).await
    }

    async fn count(&self) -> Result<u64, RemoteError> {
        self.desk().count().await
    }

    async fn change(&self, ticket: &Ticket, change: &TicketChange) -> TicketOutcome {
        let hook = self.ticket_call(TicketCall::Change).await;
        let outcome = self.desk().change(ticket, change).await;
        swallow(hook).await;
        outcome
    }

    async fn change_many(
        &self,
        ids: &[RecordId],
        change: &TicketChange,
    ) -> Result<Job, RemoteError> {
        let hook = self.ticket_call(TicketCall::Bulk).await;
        let job = self.desk().change_many(ids, change).await;
        swallow(hook).await;
        job
    }

    async fn job(&self, job: &Job) -> Result<JobState, RemoteError> {
        let hook = self.ticket_call(TicketCall::Job).await;
        let state = self.desk().job(job).await;
        swallow(hook).await;
        state
    }

    async fn ratings(&self, since: DateTime<Utc>) -> Result<Vec<(RecordId, i64)>, RemoteError> {
        self.desk().ratings(since).await
    }

    async fn notes(&self, id: &RecordId) -> Result<Vec<String>, RemoteError> {
        self.desk().notes(id).await
    }

    async fn add_note(&self, id: &RecordId, text: &str) -> NoteOutcome {
        let hook = self.ticket_call(TicketCall::Note).await;
        let outcome = self.desk().add_note(id, text).await;
        swallow(hook).await;
        outcome
    }
}
