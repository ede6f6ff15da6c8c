//! What the admins want, with nothing left to check.

use super::secret::Secret;
use crate::mapping::{Mapping, Named, SupportSummary, TicketRule};
use crate::model::{Kind, Value};
use reqwest::Url;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// Everything that `sync.toml` says.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The CRM.
    pub crm: CrmConfig,
    /// The helpdesk.
    pub freshdesk: FreshdeskConfig,
    /// The database; under systemd inside of `$STATE_DIRECTORY`.
    pub state_path: PathBuf,
    /// When.
    pub schedule: Schedule,
    /// What one cycle may do.
    pub guards: Guards,
    /// How contacts map.
    pub contacts: Mapping,
    /// How companies map; `None` where they are left alone.
    pub companies: Option<Mapping>,
    /// What a customer's standing does to their tickets.
    pub ticket_rules: Vec<TicketRule<Named>>,
    /// What their tickets come to, in the CRM; `None` where it is not wanted.
    pub support_summary: Option<SupportSummary>,
    /// What the admin expects of the mappings.
    pub tests: Vec<TestCase>,
    /// How it logs.
    pub log: LogConfig,
    /// Whether `[guards]` is in the file.
    pub(super) guards_written: bool,
}

impl Config {
    /// How `kind` maps; `None` where it is left alone.
    #[must_use]
    pub const fn mapping(&self, kind: Kind) -> Option<&Mapping> {
        match kind {
            Kind::Contact => Some(&self.contacts),
            Kind::Company => self.companies.as_ref(),
        }
    }

    /// The kinds that are kept in step, companies first.
    pub fn mappings(&self) -> impl Iterator<Item = &Mapping> {
        self.companies.iter().chain([&self.contacts])
    }

    /// What the file asks for and this version reads, checks and does not do, one sentence each.
    #[must_use]
    pub fn inactive(&self) -> Vec<String> {
        let mut said = Vec::new();
        if self.guards_written {
            said.push(
                "[guards] is read and checked but does not act in this version: no cycle is held for its size."
                    .to_owned(),
            );
        }
        said
    }
}

/// The CRM and how it is reached.
#[derive(Debug, Clone, PartialEq)]
pub enum CrmConfig {
    /// `HubSpot`.
    Hubspot {
        /// Another host than the vendor's.
        base_url: Option<Url>,
        /// A private app's access token.
        token: Secret,
    },
    /// Odoo.
    Odoo {
        /// The server.
        url: Url,
        /// A user's API key.
        api_key: Secret,
        /// Which one, where the server has several.
        database: Option<String>,
    },
}

/// Freshdesk and how it is reached.
#[derive(Debug, Clone, PartialEq)]
pub struct FreshdeskConfig {
    /// The account's own address.
    pub url: Url,
    /// An agent's API key.
    pub api_key: Secret,
    /// The account's plan, whose limits hold until the account's headers say.
    pub plan: Option<AccountPlan>,
    /// The most calls per minute that we ever make; without it the account's headers say.
    pub calls_per_minute: Option<u32>,
    /// Our part of the account's calls: above 0, at most 1.
    pub share: f64,
}

/// A plan of Freshdesk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountPlan {
    /// The free trial.
    Trial,
    /// Growth.
    Growth,
    /// Pro.
    Pro,
    /// Enterprise.
    Enterprise,
}

/// When it works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    /// From the start of one cycle to that of the next; 5 s or more.
    pub poll: Duration,
    /// From one complete reading to the next; not shorter than `poll`.
    pub reconcile: Duration,
}

/// What one cycle may do to one kind of record before a person has to approve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Guards {
    /// New records.
    pub creates: Limit,
    /// Changed records.
    pub updates: Limit,
    /// Filled fields emptied.
    pub clears: Limit,
    /// Deleted records.
    pub deletes: Limit,
}

/// Both have to be exceeded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limit {
    /// This many …
    pub count: u64,
    /// … and this part of the linked records, 0 to 100.
    pub percent: f64,
}

/// What an admin expects: these values in the CRM are those in Freshdesk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestCase {
    /// What it is called.
    pub name: String,
    /// Of which kind the records are.
    pub record: Kind,
    /// Field → value in the CRM; a field that is not named is empty.
    pub crm: BTreeMap<String, Value>,
    /// Field → value in Freshdesk.
    pub desk: BTreeMap<String, Value>,
}

/// How it logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogConfig {
    /// In what form.
    pub format: LogFormat,
    /// How much.
    pub level: LogLevel,
}

/// The form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// journald's under systemd, text on a terminal, else JSON.
    Auto,
    /// Lines to read.
    Text,
    /// One JSON object a line.
    Json,
}

/// How much is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Only what failed.
    Error,
    /// And what is odd.
    Warn,
    /// And a line a cycle.
    Info,
    /// And each call.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}
