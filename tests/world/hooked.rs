//! A connector that does as the real one does, except where a test stands in the way.

use async_trait::async_trait;
use deskbridge::model::{Kind, RecordId, Side};
use deskbridge::remote::{
    Account, Caps, Connector, Cursor, Feed, Fetched, Lookup, Op, Outcome, Page, PageRequest,
    RemoteError, Schema,
};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
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
    lie: AtomicBool,
}

impl Hooked {
    /// Stands in the way of writes of `kind`.
    pub(crate) fn new(real: Arc<dyn Connector>, kind: Kind) -> Self {
        Self {
            real,
            kind,
            hook: Mutex::new(Hook::Pass),
            after_page: Mutex::new(Hook::Pass),
            lie: AtomicBool::new(false),
        }
    }

    pub(crate) fn hook(&self, hook: Hook) {
        *self.hook.lock().unwrap() = hook;
    }

    /// The next listing of everything is empty, and says that it is complete.
    pub(crate) fn empty_next_listing(&self) {
        self.lie.store(true, Ordering::Relaxed);
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
        let mut page = self.real.page(request, cursor).await;
        let lies = matches!(request.feed, Feed::All) && request.kind == self.kind;
        if lies
            && self.lie.swap(false, Ordering::Relaxed)
            && let Ok(page) = &mut page
        {
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

    async fn find(
        &self,
        kind: Kind,
        fields: &[String],
        field: &str,
        value: &str,
    ) -> Result<Lookup, RemoteError> {
        self.real.find(kind, fields, field, value).await
    }

    async fn write(&self, kind: Kind, fields: &[String], ops: &[Op]) -> Vec<Outcome> {
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

    fn calls(&self) -> BTreeMap<&'static str, u64> {
        self.real.calls()
    }

    fn calls_per_minute(&self) -> Option<f64> {
        self.real.calls_per_minute()
    }

    fn cost(&self, kind: Kind, sort: &Op, ops: usize) -> (&'static str, usize) {
        self.real.cost(kind, sort, ops)
    }
}
