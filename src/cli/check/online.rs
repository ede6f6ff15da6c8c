//! What both accounts say to the file: keys, identities, fields, and the right to read.

use crate::cli::exit::{self, Exit, Failure};
use crate::cli::output::{Output, harmless};
use crate::cli::watch::attended;
use crate::clock::{Clock as _, SystemClock};
use crate::config::Config;
use crate::connect::connect;
use crate::mapping::Mapping;
use crate::model::{Pair, Side};
use crate::remote::{Account, Connector, ErrorKind, Feed, PageRequest, RemoteError, TicketFeed};
use crate::sync::preflight::{self, Finding};
use crate::sync::vocabulary;
use serde::Serialize;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// What was found out.
#[derive(Debug, Default, Serialize)]
pub(super) struct Online {
    accounts: Pair<Option<Who>>,
    findings: Vec<Said>,
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
        online.findings.extend(findings.into_iter().map(Said::from));
        // A field that is not there would be refused, and say nothing about rights.
        if sound {
            online.read(mapping, connectors).await;
        }
    }
    online.rules(config, connectors).await;
    online.tickets(config, connectors).await;
    online
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
    async fn read(&mut self, mapping: &Mapping, connectors: &Pair<Arc<dyn Connector>>) {
        let now = SystemClock.now();
        for side in Side::BOTH {
            let connector = connectors.of(side);
            let fields = mapping.reads(side);
            let mut feeds = vec![Feed::All, Feed::Changes(now)];
            if !connector.caps().trash_in_changes {
                feeds.push(Feed::Trash(Some(now)));
            }
            for feed in feeds {
                let request = PageRequest {
                    kind: mapping.kind,
                    feed,
                    fields: &fields,
                };
                let page = connector.page(&request, None).await;
                self.note(page);
            }
        }
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
        let page = helpdesk.tickets(&feed, None).await;
        self.note(page);
    }

    /// What it comes to.
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
