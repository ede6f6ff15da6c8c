//! Everything but the mappings: the two systems, their keys, where the memory is, when, how much.

use super::super::diagnostic::{Diagnostic, Diagnostics};
use super::super::duration::DurationText;
use super::super::raw;
use super::super::secret::{Environment, Secret, Source};
use super::super::settings::{
    CrmConfig, FreshdeskConfig, Guards, Limit, LogConfig, LogFormat, LogLevel, Schedule,
};
use super::super::slot::{At, Slot, Table};
use super::super::words::CrmKind;
use super::{CompileOptions, Secrets, solid};
use chrono::NaiveTime;
use reqwest::Url;
use std::net::IpAddr;
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

/// Polling more often than this spends calls for nothing: Freshdesk's times are whole seconds.
const SHORTEST_POLL: Duration = Duration::from_secs(5);
/// What is longer than this is a slip.
const LONGEST: Duration = Duration::from_hours(400 * 24);
/// How long the journal is kept, where the file does not say, at least and at most.
const KEPT: Duration = Duration::from_hours(400 * 24);
const SHORTEST_KEPT: Duration = Duration::from_hours(2 * 24);
const LONGEST_KEPT: Duration = Duration::from_hours(3650 * 24);
/// Of the account's calls, where the file does not say.
const DEFAULT_SHARE: f64 = 0.8;

/// Compiles what depends on the process's surroundings.
pub(super) struct Systems<'a> {
    pub(super) env: &'a dyn Environment,
    pub(super) options: CompileOptions,
    pub(super) found: &'a mut Diagnostics,
}

impl Systems<'_> {
    /// `[crm]`.
    pub(super) fn crm(&mut self, at: At<Table<raw::Crm>>) -> Option<CrmConfig> {
        let (table, Table(crm)) = (at.span, at.value);
        if matches!(crm.kind, Slot::Absent) {
            let error = Diagnostic::error(table, "`kind` is missing here");
            self.found
                .push(error.help("say which CRM it is: kind = \"hubspot\" or kind = \"odoo\""));
            return None;
        }
        let kind = crm.kind.word("kind", self.found)?;
        match kind.value {
            CrmKind::Hubspot => {
                self.not_for("hubspot", "url", &crm.url, Some("base_url"));
                self.not_for("hubspot", "api_key", &crm.api_key, Some("token"));
                self.not_for("hubspot", "database", &crm.database, None);
                let base_url = crm.base_url.get("base_url", self.found);
                let base_url = base_url.and_then(|at| self.url(&at));
                let token = self.secret(crm.token, "token", &table)?;
                Some(CrmConfig::Hubspot { base_url, token })
            }
            CrmKind::Odoo => {
                self.not_for("odoo", "token", &crm.token, Some("api_key"));
                self.not_for("odoo", "base_url", &crm.base_url, Some("url"));
                let url = crm.url.require("url", &table, self.found);
                let url = url.and_then(|at| self.url(&at));
                let database = crm.database.get("database", self.found);
                let database = database.and_then(|at| solid(at, "database", self.found));
                let api_key = self.secret(crm.api_key, "api_key", &table);
                Some(CrmConfig::Odoo {
                    url: url?,
                    api_key: api_key?,
                    database: database.map(|at| at.value),
                })
            }
            CrmKind::Later(word) => {
                let message = format!("kind `{word}` is not available in this version");
                self.found
                    .push(Diagnostic::error(kind.span, message).help("available: hubspot, odoo"));
                None
            }
        }
    }

    /// A key of another CRM.
    fn not_for<T>(&mut self, kind: &str, key: &str, slot: &Slot<T>, instead: Option<&str>) {
        let Some(span) = slot.span() else { return };
        let message = format!("`{key}` means nothing to a CRM of kind `{kind}`");
        let help = instead.map_or_else(
            || "leave it out".to_owned(),
            |instead| format!("it is called `{instead}` there"),
        );
        self.found.push(Diagnostic::error(span, message).help(help));
    }

    /// `[freshdesk]`.
    pub(super) fn freshdesk(&mut self, at: At<Table<raw::Freshdesk>>) -> Option<FreshdeskConfig> {
        let (table, Table(desk)) = (at.span, at.value);
        let url = desk.url.require("url", &table, self.found);
        let url = url.and_then(|at| self.freshdesk_url(&at));
        let api_key = self.secret(desk.api_key, "api_key", &table);
        let plan = desk.plan.word("plan", self.found);
        let calls_per_minute = desk.calls_per_minute.get("calls_per_minute", self.found);
        let calls_per_minute = calls_per_minute.and_then(|At { span, value }| {
            let calls = u32::try_from(value).ok().filter(|calls| *calls > 0);
            if calls.is_none() {
                let message = format!("`calls_per_minute` must be from 1 to {}", u32::MAX);
                self.found.push(
                    Diagnostic::error(span, message)
                        .help("leave it out to go by what the account's own headers say"),
                );
            }
            calls
        });
        let share = desk
            .share
            .get("share", self.found)
            .map(|At { span, value }| {
                if !(value > 0.0 && value <= 1.0) {
                    let message = "`share` must be above 0 and at most 1";
                    let help = "0.8 leaves a fifth of the account's calls to people and other apps";
                    self.found.push(Diagnostic::error(span, message).help(help));
                }
                value
            });
        Some(FreshdeskConfig {
            url: url?,
            api_key: api_key?,
            plan: plan.map(|at| at.value),
            calls_per_minute,
            share: share.unwrap_or(DEFAULT_SHARE),
        })
    }

    /// An address that a key may be sent to: `https`, or `http` to this machine.
    fn url(&mut self, at: &At<String>) -> Option<Url> {
        let error = |message: &str| Diagnostic::error(at.span.clone(), message);
        let problem = match Url::parse(&at.value) {
            Err(_) => error("this is not a web address").help("write it in full: https://host"),
            Ok(url) if !url.username().is_empty() || url.password().is_some() => {
                error("an address must not carry a user or a password")
                    .help("secrets have keys of their own")
            }
            Ok(url) if url.query().is_some() || url.fragment().is_some() => {
                error("an address must end before `?` and `#`").help("leave the rest out")
            }
            Ok(url) => match url.scheme() {
                "https" => return Some(url),
                "http" if is_loopback(&url) => return Some(url),
                "http" => error("plain http would show the key to everybody on the way")
                    .help("write https://; http:// is accepted for this machine only"),
                _ => error("this is not a web address").help("write it in full: https://host"),
            },
        };
        self.found.push(problem);
        None
    }

    fn freshdesk_url(&mut self, at: &At<String>) -> Option<Url> {
        let url = self.url(at)?;
        if let Some((before, _)) = at.value.split_once("/api/v") {
            let error = Diagnostic::error(at.span.clone(), "the address must end before `/api`");
            self.found.push(error.help(format!("write \"{before}\"")));
        } else if !is_loopback(&url)
            && !url
                .host_str()
                .is_some_and(|host| host.ends_with(".freshdesk.com"))
        {
            let warning = Diagnostic::warning(
                at.span.clone(),
                "this is not an address under freshdesk.com; Freshdesk serves its API under no other",
            );
            self.found.push(warning.help(
                "a portal's own domain does not answer: write https://ACCOUNT.freshdesk.com",
            ));
        }
        Some(url)
    }

    /// `{ env = }`, `{ file = }` or `{ credential = }`.
    fn secret(
        &mut self,
        slot: Slot<Table<raw::Secret>>,
        key: &str,
        table: &Range<usize>,
    ) -> Option<Secret> {
        let help = format!(
            "write {key} = {{ env = \"NAME\" }}, {{ file = \"/path\" }} or {{ credential = \"name\" }}"
        );
        if let Slot::Wrong(span) = slot {
            // Of a key over several lines only the first may be shown, where it is masked.
            let span = span.start..span.start + 1;
            let message = format!("`{key}` is a secret, which this file only says the place of");
            self.found.push(Diagnostic::error(span, message).help(help));
            return None;
        }
        let At { span, value } = slot.require(key, table, self.found)?;
        let Table(raw::Secret {
            env,
            file,
            credential,
        }) = value;
        let written = [env.span(), file.span(), credential.span()];
        let mut places: Vec<Source> = Vec::new();
        let mut text = |slot: Slot<String>, key: &str, make: fn(String) -> Source| {
            let at = slot.get(key, self.found);
            let at = at.and_then(|at| solid(at, key, self.found));
            places.extend(at.map(|at| make(at.value)));
        };
        text(env, "env", Source::Variable);
        text(file, "file", |path| Source::File(PathBuf::from(path)));
        text(credential, "credential", Source::Credential);
        match (places.pop(), written.iter().flatten().count()) {
            (Some(place), 1) => self.resolve(&place, key, span),
            (None, 1) => None,
            (_, 0) => {
                let message = format!("`{key}` does not say where the secret is");
                self.found.push(Diagnostic::error(span, message).help(help));
                None
            }
            _ => {
                let message = format!("`{key}` names several places");
                self.found
                    .push(Diagnostic::error(span, message).help("keep one"));
                None
            }
        }
    }

    fn resolve(&mut self, place: &Source, key: &str, span: Range<usize>) -> Option<Secret> {
        if let Source::Credential(name) = place
            && (name.contains('/') || name.starts_with('.'))
        {
            let error = Diagnostic::error(span, "a credential's name is no path");
            self.found
                .push(error.help("for a path write { file = \"…\" }"));
            return None;
        }
        let secret = place.resolve(self.env);
        if let Err(missing) = &secret {
            let message = format!("`{key}` is not there: {}", missing.0);
            let problem = match self.options.secrets {
                Secrets::Required => Diagnostic::error(span, message),
                Secrets::Optional => Diagnostic::warning(span, message),
            };
            self.found.push(problem.help(missing.1.clone()));
        }
        Some(Secret(secret))
    }

    /// `[state]`.
    pub(super) fn state(&mut self, slot: Slot<Table<raw::State>>) -> (PathBuf, Duration) {
        let state = slot.get("state", self.found).map(|at| at.value.0);
        let raw::State { path, keep } = state.unwrap_or_default();
        let keep = self.keep(keep);
        let path = path.get("path", self.found);
        let path = path.and_then(|at| solid(at, "path", self.found));
        let path = path.map_or_else(|| PathBuf::from("state.db"), |at| PathBuf::from(at.value));
        // systemd lists several directories with colons between; the first is the unit's own.
        let directory = self.env.variable("STATE_DIRECTORY").unwrap_or_default();
        let path = match directory.split(':').next() {
            Some(first) if !first.is_empty() => PathBuf::from(first).join(path),
            _ => path,
        };
        (path, keep)
    }

    /// How long the journal is kept.
    fn keep(&mut self, slot: Slot<DurationText>) -> Duration {
        let Some(At { span, value }) = up_to(slot, "keep", (LONGEST_KEPT, "3650d"), self.found)
        else {
            return KEPT;
        };
        if value < SHORTEST_KEPT {
            let error = Diagnostic::error(span, "`keep` must be at least \"2d\"");
            let help = "what was overwritten can be looked up and taken back for that long; \"400d\" is a good start";
            self.found.push(error.help(help));
        }
        value
    }
}

/// Whether the address is one of this machine's own.
fn is_loopback(url: &Url) -> bool {
    url.host_str().is_some_and(|host| {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    })
}

/// `[schedule]`.
pub(super) fn schedule(slot: Slot<Table<raw::Schedule>>, found: &mut Diagnostics) -> Schedule {
    let raw = slot.get("schedule", found).map(|at| at.value.0);
    let raw::Schedule {
        poll,
        reconcile,
        reconcile_at,
    } = raw.unwrap_or_default();
    let poll = length(poll, "poll", found);
    if let Some(At { span, value }) = &poll
        && *value < SHORTEST_POLL
    {
        let error = Diagnostic::error(span.clone(), "`poll` must be at least \"5s\"");
        found.push(error.help("each look costs calls of both accounts; \"60s\" is a good start"));
    }
    let poll = poll.map_or(Duration::from_mins(1), |at| at.value);
    let mut schedule = Schedule {
        poll,
        reconcile: Duration::from_hours(24).max(poll),
        reconcile_at: None,
    };
    if let Some(At { span, value }) = reconcile_at.get("reconcile_at", found) {
        schedule.reconcile_at = NaiveTime::parse_from_str(&value, "%H:%M").ok();
        if schedule.reconcile_at.is_none() {
            let message = "`reconcile_at` must be a time of day in UTC";
            found.push(Diagnostic::error(span, message).help("for example \"02:30\""));
        }
    }
    if let Some(At { span, value }) = length(reconcile, "reconcile", found) {
        if value < schedule.poll {
            let message = "`reconcile` must not be shorter than `poll`";
            let help = "it reads everything; \"24h\" is a good start";
            found.push(Diagnostic::error(span, message).help(help));
        }
        schedule.reconcile = value;
    }
    schedule
}

fn length(slot: Slot<DurationText>, key: &str, found: &mut Diagnostics) -> Option<At<Duration>> {
    up_to(slot, key, (LONGEST, "400d"), found)
}

/// A length of time that is not longer than `longest`, and how that is written.
fn up_to(
    slot: Slot<DurationText>,
    key: &str,
    longest: (Duration, &str),
    found: &mut Diagnostics,
) -> Option<At<Duration>> {
    let At { span, value } = slot.get(key, found)?;
    match value.parse() {
        Ok(value) if value > longest.0 => {
            let message = format!("`{key}` is longer than \"{}\"", longest.1);
            found.push(Diagnostic::error(span, message));
            None
        }
        Ok(value) => Some(At { span, value }),
        Err((message, help)) => {
            let message = format!("`{key}`: {message}");
            found.push(Diagnostic::error(span, message).help(help));
            None
        }
    }
}

/// `[guards]`.
pub(super) fn guards(slot: Slot<Table<raw::Guards>>, found: &mut Diagnostics) -> Guards {
    let raw = slot.get("guards", found).map(|at| at.value.0);
    let raw = raw.unwrap_or_default();
    Guards {
        creates: limit(raw.creates, "creates", (500, 20.0), found),
        updates: limit(raw.updates, "updates", (1000, 30.0), found),
        clears: limit(raw.clears, "clears", (50, 5.0), found),
        deletes: limit(raw.deletes, "deletes", (10, 1.0), found),
        tickets: limit(raw.tickets, "tickets", (500, 5.0), found),
    }
}

fn limit(
    slot: Slot<Table<raw::Limit>>,
    key: &str,
    default: (u64, f64),
    found: &mut Diagnostics,
) -> Limit {
    let mut limit = Limit {
        count: default.0,
        percent: default.1,
    };
    let Some(At { span: table, value }) = slot.get(key, found) else {
        return limit;
    };
    let Table(raw::Limit { count, percent }) = value;
    if let Some(At { span, value }) = count.require("count", &table, found) {
        match u64::try_from(value) {
            Ok(value) => limit.count = value,
            Err(_) => found.push(Diagnostic::error(span, "`count` must not be negative")),
        }
    }
    if let Some(At { span, value }) = percent.require("percent", &table, found) {
        if !(0.0..=100.0).contains(&value) {
            found.push(Diagnostic::error(span, "`percent` must be from 0 to 100"));
        }
        limit.percent = value;
    }
    limit
}

/// `[log]`.
pub(super) fn log(slot: Slot<Table<raw::Log>>, found: &mut Diagnostics) -> LogConfig {
    let raw = slot
        .get("log", found)
        .map(|at| at.value.0)
        .unwrap_or_default();
    LogConfig {
        format: raw
            .format
            .word("format", found)
            .map_or(LogFormat::Auto, |at| at.value),
        level: raw
            .level
            .word("level", found)
            .map_or(LogLevel::Info, |at| at.value),
    }
}
