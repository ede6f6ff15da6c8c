//! `sync.toml` as serde reads it. The JSON Schema is derived from these structs, its descriptions
//! from their comments.
//!
//! No `flatten`, `untagged` or `tag` here: they lose the places of the values.

use super::duration::DurationText;
use super::settings::{AccountPlan, LogFormat, LogLevel};
use super::slot::{Cell, OneOrMany, Slot, Table};
use super::words::{CrmKind, Word};
use crate::mapping::{ConflictPolicy, DeletePolicy, Direction, OnEnd};
use crate::model::{Kind, Pair, Priority};
use schemars::{JsonSchema, Schema};
use serde::Deserialize;
use std::collections::BTreeMap;

/// A list of tables.
pub(super) type Tables<T> = Slot<Vec<Slot<Table<T>>>>;
/// A list of texts.
pub(super) type Texts = Slot<Vec<Slot<String>>>;

/// What is kept in step between the CRM and Freshdesk, and how.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, extend("required" = ["crm", "freshdesk", "contacts"]), title = "sync.toml")]
pub(super) struct Raw {
    /// The CRM.
    pub(super) crm: Slot<Table<Crm>>,
    /// The helpdesk.
    pub(super) freshdesk: Slot<Table<Freshdesk>>,
    /// Where the memory is.
    pub(super) state: Slot<Table<State>>,
    /// When it works.
    pub(super) schedule: Slot<Table<Schedule>>,
    /// What one cycle may do before a person has to approve.
    pub(super) guards: Slot<Table<Guards>>,
    /// How contacts map.
    pub(super) contacts: Slot<Table<Section>>,
    /// How companies map; without it they are left alone.
    #[schemars(transform = without_company)]
    pub(super) companies: Slot<Table<Section>>,
    /// What a customer's standing in the CRM does to their tickets.
    pub(super) ticket_rule: Tables<TicketRule>,
    /// What a customer's tickets come to, written into the CRM; without it nothing is.
    pub(super) support_summary: Slot<Table<SupportSummary>>,
    /// What an admin expects of the mappings, run by `deskbridge check`.
    pub(super) test: Tables<Test>,
    /// How it logs.
    pub(super) log: Slot<Table<Log>>,
}

/// A company has no company.
fn without_company(schema: &mut Schema) {
    if let Some(serde_json::Value::Object(properties)) = schema.get_mut("properties") {
        properties.remove("company");
    }
}

/// A CRM; which keys it takes depends on its kind.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, extend("required" = ["kind"]))]
pub(super) struct Crm {
    /// Which CRM it is.
    pub(super) kind: Slot<Word<CrmKind>>,
    /// HubSpot: the access token of a private app.
    pub(super) token: Slot<Table<Secret>>,
    /// HubSpot: another host than the vendor's.
    pub(super) base_url: Slot<String>,
    /// Odoo: the server's address.
    pub(super) url: Slot<String>,
    /// Odoo: a user's API key.
    pub(super) api_key: Slot<Table<Secret>>,
    /// Odoo: which database, where the server has several.
    pub(super) database: Slot<String>,
}

/// Where a secret is kept: exactly one of these.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(
    deny_unknown_fields,
    extend("minProperties" = 1, "maxProperties" = 1)
)]
pub(super) struct Secret {
    /// The name of an environment variable.
    pub(super) env: Slot<String>,
    /// The path of a file.
    pub(super) file: Slot<String>,
    /// The name of a credential of systemd (`LoadCredential=`).
    pub(super) credential: Slot<String>,
}

/// Freshdesk.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, extend("required" = ["url", "api_key"]))]
pub(super) struct Freshdesk {
    /// The account's address, such as `https://acme.freshdesk.com`.
    pub(super) url: Slot<String>,
    /// The API key of an agent.
    pub(super) api_key: Slot<Table<Secret>>,
    /// The account's plan, whose limits hold until the account's own headers say.
    pub(super) plan: Slot<Word<AccountPlan>>,
    /// The most calls per minute; without it the account's own headers say.
    #[schemars(range(min = 1))]
    pub(super) calls_per_minute: Slot<i64>,
    /// Our part of the account's calls per minute, above 0 and at most 1; 0.8 where it is not said.
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 1))]
    pub(super) share: Slot<f64>,
}

/// Where the memory is.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub(super) struct State {
    /// The SQLite file; under systemd relative to `$STATE_DIRECTORY`. `state.db` where it is not said.
    pub(super) path: Slot<String>,
    /// How long the journal is kept, in which every write is with what was there before; 400d where
    /// it is not said, 2d at least.
    pub(super) keep: Slot<DurationText>,
}

/// When it works.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub(super) struct Schedule {
    /// How often it looks for changes; 60s where it is not said.
    pub(super) poll: Slot<DurationText>,
    /// How often it reads everything, to find what polling cannot see; 24h where it is not said.
    pub(super) reconcile: Slot<DurationText>,
    /// The time of day, in UTC, at which a reading of everything begins, such as `02:30`; at any time
    /// where it is not said.
    #[schemars(regex(pattern = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"))]
    pub(super) reconcile_at: Slot<String>,
}

/// What one cycle may do before a person has to approve, per kind of record.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub(super) struct Guards {
    /// New records; 500 and 20 % where it is not said.
    pub(super) creates: Slot<Table<Limit>>,
    /// Changed records, and support summaries by themselves; 1000 and 30 % where it is not said.
    pub(super) updates: Slot<Table<Limit>>,
    /// Filled fields emptied, and those of support summaries by themselves; 50 and 5 % where it is not said.
    pub(super) clears: Slot<Table<Limit>>,
    /// Deleted records; 10 and 1 % where it is not said.
    pub(super) deletes: Slot<Table<Limit>>,
    /// Tickets changed by ticket rules; 500 and 5 % of the linked contacts where it is not said.
    pub(super) tickets: Slot<Table<Limit>>,
}

/// Held is what exceeds both.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, extend("required" = ["count", "percent"]))]
pub(super) struct Limit {
    /// This many …
    #[schemars(range(min = 0))]
    pub(super) count: Slot<i64>,
    /// … and this part of the linked records.
    #[schemars(range(min = 0, max = 100))]
    pub(super) percent: Slot<f64>,
}

/// How one kind of record maps.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, extend("required" = ["match", "field"]))]
pub(super) struct Section {
    /// How two unlinked records are found to be the same: CRM field names, first that hits wins.
    #[serde(rename = "match")]
    pub(super) keys: Texts,
    /// Where a missing counterpart may be created; both where it is not said.
    pub(super) create: Slot<Word<Pair<bool>>>,
    /// The same field changed on both sides; newest where it is not said.
    pub(super) conflict: Slot<Word<ConflictPolicy>>,
    /// A counterpart was deleted; hold where it is not said.
    pub(super) delete: Slot<Word<DeletePolicy>>,
    /// The contact's company; both where it is not said and companies are kept in step.
    pub(super) company: Slot<Word<Option<Direction>>>,
    /// The fields.
    pub(super) field: Tables<Field>,
    /// Only these are kept in step.
    pub(super) scope: Slot<Table<Scope>>,
}

/// One field here and its counterpart there.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, extend("required" = ["crm", "freshdesk"]))]
pub(super) struct Field {
    /// The CRM's own name of the field; several for `full_name`.
    pub(super) crm: Slot<OneOrMany>,
    /// Freshdesk's own name of the field; `custom_fields.NAME` for a custom one.
    pub(super) freshdesk: Slot<String>,
    /// How a value crosses over; as it is where it is not said.
    #[schemars(extend("pattern" = "^(lowercase|trim|full_name|list|phone(:[A-Z]{2})?|number|boolean|date)$"))]
    pub(super) via: Slot<String>,
    /// The CRM's words for Freshdesk's; one-to-one where the field may write the CRM.
    pub(super) values: Slot<BTreeMap<String, Slot<String>>>,
    /// Which way it goes; both where it is not said.
    pub(super) direction: Slot<Word<Direction>>,
    /// This field's own policy.
    pub(super) conflict: Slot<Word<ConflictPolicy>>,
}

/// Which records of each side take part.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub(super) struct Scope {
    /// Of the CRM's.
    pub(super) crm: Slot<Table<Membership>>,
    /// Of Freshdesk's.
    pub(super) freshdesk: Slot<Table<Membership>>,
}

/// A field that has one of some values.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, extend("required" = ["field", "in"]))]
pub(super) struct Membership {
    /// The field's name on its side.
    pub(super) field: Slot<String>,
    /// The values.
    #[serde(rename = "in")]
    #[schemars(length(min = 1))]
    pub(super) values: Slot<Vec<Slot<Cell>>>,
}

/// What a customer's standing in the CRM does to their tickets.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, extend("required" = ["name", "when"]))]
pub(super) struct TicketRule {
    /// What it is called; unique.
    pub(super) name: Slot<String>,
    /// The standing.
    pub(super) when: Slot<Table<When>>,
    /// Which tickets.
    pub(super) tickets: Slot<Table<Tickets>>,
    /// Raised to this, never lowered.
    pub(super) priority: Slot<Word<Priority>>,
    /// Added.
    pub(super) tags: Texts,
    /// Set once on a ticket: a name or number.
    pub(super) status: Slot<Cell>,
    /// Set once on a ticket: the group's name.
    pub(super) group: Slot<String>,
    /// Set once on a ticket: the agent's e-mail address or name.
    pub(super) agent: Slot<String>,
    /// Set once on a ticket.
    #[serde(rename = "type")]
    pub(super) category: Slot<String>,
    /// The template of a private note, posted once on a ticket.
    pub(super) note: Slot<String>,
    /// The standing ends; restore where it is not said.
    pub(super) on_end: Slot<Word<OnEnd>>,
}

/// A standing: one condition on the record, or several in `all` or `any`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, extend("required" = ["record"]))]
pub(super) struct When {
    /// Whose: the ticket's requester, or the company that it was opened for.
    pub(super) record: Slot<Word<Kind>>,
    /// The CRM's name of the field.
    pub(super) field: Slot<String>,
    /// The field has one of these values.
    #[serde(rename = "in")]
    #[schemars(length(min = 1))]
    pub(super) values: Slot<Vec<Slot<Cell>>>,
    /// The field holds a number that is not less.
    pub(super) at_least: Slot<f64>,
    /// The field holds something, or nothing.
    pub(super) is_set: Slot<bool>,
    /// Each of these conditions holds.
    #[schemars(length(min = 1))]
    pub(super) all: Tables<Condition>,
    /// One of these conditions holds.
    #[schemars(length(min = 1))]
    pub(super) any: Tables<Condition>,
}

/// A condition on one field: exactly one of `in`, `at_least` and `is_set`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(
    deny_unknown_fields,
    extend("required" = ["field"], "minProperties" = 2, "maxProperties" = 2)
)]
pub(super) struct Condition {
    /// The CRM's name of the field.
    pub(super) field: Slot<String>,
    /// It has one of these values.
    #[serde(rename = "in")]
    #[schemars(length(min = 1))]
    pub(super) values: Slot<Vec<Slot<Cell>>>,
    /// It holds a number that is not less.
    pub(super) at_least: Slot<f64>,
    /// It holds something, or nothing.
    pub(super) is_set: Slot<bool>,
}

/// Which tickets a rule looks at.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub(super) struct Tickets {
    /// In one of these statuses, by name or number; open and pending where it is not said.
    #[schemars(length(min = 1))]
    pub(super) status: Slot<Vec<Slot<Cell>>>,
    /// Of one of these types.
    #[serde(rename = "type")]
    #[schemars(length(min = 1))]
    pub(super) category: Texts,
    /// In one of these groups.
    #[schemars(length(min = 1))]
    pub(super) group: Texts,
    /// With one of these tags.
    #[schemars(length(min = 1))]
    pub(super) tags: Texts,
    /// Opened at least this long ago.
    pub(super) older_than: Slot<DurationText>,
    /// Opened less than this long ago.
    pub(super) newer_than: Slot<DurationText>,
}

/// What a customer's tickets come to, written into the CRM.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, extend("minProperties" = 1))]
pub(super) struct SupportSummary {
    /// Into fields of the contact.
    pub(super) contact: Slot<Table<SupportFields>>,
    /// Into fields of the company.
    pub(super) company: Slot<Table<SupportFields>>,
}

/// The CRM's field for each; what is not named is not written.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, extend("minProperties" = 1))]
pub(super) struct SupportFields {
    /// How many tickets are neither resolved nor closed.
    pub(super) open_tickets: Slot<String>,
    /// When the latest ticket was opened.
    pub(super) last_ticket: Slot<String>,
    /// From a ticket's opening to its first answer in hours: the median of the last 90 days.
    pub(super) first_response_hours: Slot<String>,
    /// How content they said they were.
    pub(super) satisfaction: Slot<String>,
}

/// An expectation: these values in the CRM are those in Freshdesk.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, extend("required" = ["name", "record", "crm", "freshdesk"]))]
pub(super) struct Test {
    /// What it is called; unique.
    pub(super) name: Slot<String>,
    /// Of which kind the records are.
    pub(super) record: Slot<Word<Kind>>,
    /// CRM field → value.
    pub(super) crm: Slot<BTreeMap<String, Slot<Cell>>>,
    /// Freshdesk field → value.
    pub(super) freshdesk: Slot<BTreeMap<String, Slot<Cell>>>,
}

/// How it logs.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub(super) struct Log {
    /// The form; auto is journald's under systemd, text on a terminal, else JSON.
    pub(super) format: Slot<Word<LogFormat>>,
    /// How much; info where it is not said.
    pub(super) level: Slot<Word<LogLevel>>,
}
