//! What both accounts say to the file: keys, identities, fields, and the right to read.

use crate::cli::exit::{self, Exit, Failure};
use crate::cli::output::{Output, harmless};
use crate::cli::watch::attended;
use crate::clock::{Clock as _, SystemClock};
use crate::config::Config;
use crate::connect::connect;
use crate::mapping::Mapping;
use crate::model::{Kind, Pair, Side};
use crate::remote::{
    Account, Connector, ErrorKind, Feed, Page, PageRequest, RemoteError, TicketFeed,
};
use crate::store::Report;
use crate::sync::afford::{self, Calls, Need, Rhythm};
use crate::sync::observe::LISTING_PART;
use crate::sync::preflight::{self, Finding};
use crate::sync::vocabulary;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// How many records of a kind are reckoned with where there are more than a page and no state says.
const ASSUMED: u64 = 10_000;

/// What was found out.
#[derive(Debug, Default, Serialize)]
pub(super) struct Online {
    accounts: Pair<Option<Who>>,
    findings: Vec<Said>,
    /// What the accounts' calls are enough for.
    budget: Vec<String>,
    #[serde(skip)]
    needs: Pair<Need>,
    #[serde(rename = "errors", serialize_with = "in_words")]
    failures: Vec<RemoteError>,
}

/// Whom a key leads to.
#[derive(Debug, Serialize)]
struct Who {
    identity: String,
    acting_as: String,
}

/// A finding for machines.
#[derive(Debug, Serialize)]
struct Said {
    severity: &'static str,
    message: String,
}

fn in_words<S: serde::Serializer>(errors: &[RemoteError], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(errors.iter().map(ToString::to_string))
}

/// Asks both systems. What they answer is in the result, whatever it is.
pub(super) async fn ask(config: &Config) -> Result<Online, Failure> {
    let stop = CancellationToken::new();
    let connectors = connect(config, &stop)?;
    attended(examine(config, &connectors), &stop, || ()).await
}

async fn examine(config: &Config, connectors: &Pair<Arc<dyn Connector>>) -> Online {
    let known = known(config).await;
    let mut online = Online::default();
    let (crm, desk) = tokio::join!(connectors.crm.account(), connectors.desk.account());
    online.accounts = Pair {
        crm: online.note(crm).map(Who::from),
        desk: online.note(desk).map(Who::from),
    };
    if !online.failures.is_empty() {
        return online;
    }
    for mapping in config.mappings() {
        let kind = mapping.kind;
        let (crm, desk) = tokio::join!(
            connectors.crm.describe(kind),
            connectors.desk.describe(kind)
        );
        let (crm, desk) = (online.note(crm), online.note(desk));
        let (Some(crm), Some(desk)) = (crm, desk) else {
            continue;
        };
        let schemas = Pair {
            crm: &crm,
            desk: &desk,
        };
        let mut findings = preflight::compare(mapping, schemas);
        if let Some(summary) = &config.support_summary {
            findings.extend(preflight::summary(kind, summary.of(kind), &crm));
        }
        let sound = findings.iter().all(|finding| !finding.error);
        findings.extend(preflight::conditions(kind, &config.ticket_rules, &crm));
        online.findings.extend(findings.into_iter().map(Said::from));
        // A field that is not there would be refused, and say nothing about rights.
        if sound {
            let known = known.get(&kind).copied().unwrap_or_default();
            online.read(mapping, connectors, known).await;
        }
    }
    online.rules(config, connectors).await;
    online.tickets(config, connectors).await;
    if online.failures.is_empty() {
        online.afford(config, connectors);
    }
    online
}

/// How many records each side has, as far as a state says.
async fn known(config: &Config) -> BTreeMap<Kind, Pair<u64>> {
    let mut known = BTreeMap::new();
    if let Ok(mut state) = Report::open(&config.state_path).await {
        for mapping in config.mappings() {
            if let Ok(live) = state.live(mapping.kind).await {
                known.insert(mapping.kind, live);
            }
        }
    }
    known
}

/// The calls in between.
fn took(before: &Calls, after: &Calls) -> Calls {
    let count = |(endpoint, calls): (&&'static str, &u64)| {
        let before = before.get(endpoint).copied().unwrap_or(0);
        (*endpoint, calls.saturating_sub(before))
    };
    let all = after.iter().map(count);
    all.filter(|(_, calls)| *calls > 0).collect()
}

/// A look for changes takes each endpoint once; the first one may have tried what the account knows.
fn look(need: &mut Need, took: &Calls) {
    for endpoint in took.keys() {
        *need.poll.entry(endpoint).or_default() += 1;
    }
}

/// A listing takes as many calls as `page` has of the records, and what each page takes.
fn list(need: &mut Need, page: &Page, took: &Calls, known: u64) {
    let rows = page.records.len() as u64;
    let whole = page.next.is_none();
    let records = match known {
        _ if whole => rows,
        0 => ASSUMED,
        known => known.max(rows),
    };
    let pages = if whole {
        1
    } else {
        records.div_ceil(rows.max(1))
    };
    need.records += records;
    for (endpoint, calls) in took {
        *need.listing.entry(endpoint).or_default() += calls * pages;
    }
}

impl Online {
    fn note<T>(&mut self, answer: Result<T, RemoteError>) -> Option<T> {
        match answer {
            Ok(answer) => Some(answer),
            Err(error) => {
                self.failures.push(error);
                None
            }
        }
    }

    /// Reads what a cycle reads, one page of each, to see whether the keys may.
    async fn read(
        &mut self,
        mapping: &Mapping,
        connectors: &Pair<Arc<dyn Connector>>,
        known: Pair<u64>,
    ) {
        let now = SystemClock.now();
        for side in Side::BOTH {
            let connector = connectors.of(side);
            let fields = mapping.reads(side);
            let mut feeds = vec![Feed::Again, Feed::Changes(now)];
            if !connector.caps().trash_in_changes {
                feeds.push(Feed::Trash(Some(now)));
            }
            for feed in feeds {
                let request = PageRequest {
                    kind: mapping.kind,
                    feed,
                    fields: &fields,
                };
                let before = connector.calls();
                let page = connector.page(&request, None).await;
                let took = took(&before, &connector.calls());
                if let Some(page) = self.note(page) {
                    let need = self.needs.of_mut(side);
                    match feed {
                        Feed::All | Feed::Again => list(need, &page, &took, *known.of(side)),
                        Feed::Changes(_) => look(need, &took),
                        Feed::Trash(_) => {}
                    }
                }
            }
        }
    }

    /// What the accounts' calls are enough for.
    fn afford(&mut self, config: &Config, connectors: &Pair<Arc<dyn Connector>>) {
        for side in Side::BOTH {
            let (connector, need) = (connectors.of(side), self.needs.of_mut(side));
            let spending = connector.spending();
            need.poll_takes = connector.forecast(&need.poll);
            need.listing_takes = connector.forecast(&need.listing);
            need.allowed = spending.allowed.map(|allowed| (allowed, spending.window));
        }
        let rhythm = Rhythm {
            poll: config.schedule.poll,
            reconcile: config.schedule.reconcile,
            listing_part: LISTING_PART,
        };
        let (sentences, findings) = afford::judge(&self.needs, rhythm);
        self.budget = sentences;
        self.findings.extend(findings.into_iter().map(Said::from));
    }

    /// Whether the account has what the ticket rules name.
    async fn rules(&mut self, config: &Config, connectors: &Pair<Arc<dyn Connector>>) {
        let rules = config.ticket_rules.as_slice();
        let (false, Some(helpdesk)) = (rules.is_empty(), connectors.desk.helpdesk()) else {
            return;
        };
        let resolved = vocabulary::resolve(helpdesk, rules).await;
        if let Some(resolved) = self.note(resolved) {
            let findings = resolved.findings.into_iter().map(Said::from);
            self.findings.extend(findings);
        }
    }

    /// Whether the key may read tickets, where anything has to do with them.
    async fn tickets(&mut self, config: &Config, connectors: &Pair<Arc<dyn Connector>>) {
        let wanted = !config.ticket_rules.is_empty() || config.support_summary.is_some();
        let (true, Some(helpdesk)) = (wanted, connectors.desk.helpdesk()) else {
            return;
        };
        let feed = TicketFeed::Changed {
            since: SystemClock.now(),
            answers: false,
        };
        let before = connectors.desk.calls();
        let page = helpdesk.tickets(&feed, None).await;
        look(
            &mut self.needs.desk,
            &took(&before, &connectors.desk.calls()),
        );
        self.note(page);
    }

    /// What it comes to.
    /// How many things are wrong.
    pub(super) fn errors(&self) -> usize {
        let wrong = self.findings.iter().filter(|said| said.severity == "error");
        wrong.count() + self.failures.len()
    }

    pub(super) fn exit(&self) -> Exit {
        let any = |test: fn(ErrorKind) -> bool| self.failures.iter().any(|it| test(it.kind));
        if any(|kind| matches!(kind, ErrorKind::Denied | ErrorKind::Forbidden)) {
            Exit::Denied
        } else if !self.failures.is_empty() {
            exit::of_errors(&self.failures)
        } else if self.findings.iter().any(|said| said.severity == "error") {
            Exit::Config
        } else {
            Exit::Done
        }
    }

    /// The same for people.
    pub(super) fn show(&self, out: &mut Output) -> Result<(), Failure> {
        for side in Side::BOTH {
            if let Some(Who {
                identity,
                acting_as,
            }) = self.accounts.of(side)
            {
                let (identity, acting_as) = (harmless(identity), harmless(acting_as));
                out.line(format_args!("{side}: {identity}, as {acting_as}"))?;
            }
        }
        for said in &self.findings {
            out.line(format_args!("{}: {}", said.severity, said.message))?;
        }
        for sentence in &self.budget {
            out.line(sentence)?;
        }
        for error in &self.failures {
            out.line(format_args!("error: {}", harmless(&error.to_string())))?;
        }
        if self.exit() == Exit::Done {
            out.line("both accounts have what the mappings need")?;
        }
        Ok(())
    }
}

impl From<Account> for Who {
    fn from(account: Account) -> Self {
        Self {
            identity: account.identity,
            acting_as: account.acting_as,
        }
    }
}

impl From<Finding> for Said {
    fn from(finding: Finding) -> Self {
        Self {
            severity: if finding.error { "error" } else { "warning" },
            message: finding.message,
        }
    }
}
