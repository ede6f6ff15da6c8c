//! What kind of Freshdesk account is simulated.

use super::budget::Class;
use super::fields::Schema;
use super::tickets::TicketOptions;
use crate::sandbox::Backstage;
use chrono::TimeDelta;

/// An account and the habits of its server.
#[derive(Debug, Clone)]
pub struct Options {
    /// The API key of the account's agent.
    pub api_key: String,
    /// The port on 127.0.0.1; 0 takes any free one.
    pub port: u16,
    /// Decides ids and other accidents.
    pub seed: u64,
    /// Calls per minute.
    pub limits: Limits,
    /// Clock, faults and request log.
    pub backstage: Backstage,
    /// Refuses what nobody has seen the real server accept: `null` for a text, `""` for a choice.
    pub strict: bool,
    /// Which spellings of the updated-since filter the account knows.
    pub updated_since: UpdatedSince,
    /// Whether a record changed exactly at the filter's second is listed.
    pub since_inclusive: bool,
    /// Whether the plan has the Multiple Companies feature.
    pub multiple_companies: bool,
    /// How old a change is when `/search/*` shows it.
    pub search_lag: TimeDelta,
    /// Agents the plan allows, the key's own included.
    pub agent_seats: usize,
    /// Custom fields, and which default fields are unique.
    pub schema: Schema,
    /// What tickets are like.
    pub tickets: TicketOptions,
    /// Behaviour that only some accounts show.
    pub quirks: Quirks,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            api_key: "freshdesk-sandbox-key".to_owned(),
            port: 0,
            seed: 0,
            limits: Limits::Off,
            backstage: Backstage::default(),
            strict: true,
            updated_since: UpdatedSince::Both,
            since_inclusive: true,
            multiple_companies: true,
            search_lag: TimeDelta::minutes(2),
            agent_seats: 10,
            schema: Schema::default(),
            tickets: TicketOptions::default(),
            quirks: Quirks::default(),
        }
    }
}

/// Calls per minute of the account; "Rate Limit" in the API reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limits {
    /// No limit and no headers about one.
    Off,
    /// A sliding minute.
    PerMinute {
        /// All calls together.
        total: u32,
        /// `GET /contacts` alone; the headers do not speak of it. Where it is set, `GET /tickets` has
        /// the same limit, and ticket create and ticket update two fifths of the total each, as in
        /// every plan; `None`: none of them.
        contacts_list: Option<u32>,
    },
}

impl Limits {
    /// Calls per minute of one class; `None`: only the total counts.
    pub(super) fn of(self, class: Class, options: &TicketOptions) -> Option<u32> {
        let Self::PerMinute {
            total,
            contacts_list,
        } = self
        else {
            return None;
        };
        let write = contacts_list.map(|_| total / 5 * 2);
        let own = options.limits;
        match class {
            Class::Other => None,
            Class::ContactsList => contacts_list,
            Class::TicketsList => own.map(|it| it.list).or(contacts_list),
            Class::TicketCreate => own.map(|it| it.create).or(write),
            Class::TicketUpdate => own.map(|it| it.update).or(write),
        }
    }

    /// A trial account.
    #[must_use]
    pub const fn trial() -> Self {
        Self::PerMinute {
            total: 50,
            contacts_list: None,
        }
    }

    /// The Growth plan.
    #[must_use]
    pub const fn growth() -> Self {
        Self::PerMinute {
            total: 200,
            contacts_list: Some(20),
        }
    }

    /// The Pro plan.
    #[must_use]
    pub const fn pro() -> Self {
        Self::PerMinute {
            total: 400,
            contacts_list: Some(100),
        }
    }

    /// The Enterprise plan.
    #[must_use]
    pub const fn enterprise() -> Self {
        Self::PerMinute {
            total: 700,
            contacts_list: Some(200),
        }
    }
}

/// The spellings of the updated-since filter of `/contacts` and `/companies` that the account knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpdatedSince {
    /// `updated_since` and `_updated_since`.
    Both,
    /// `updated_since`; the other is refused with 400 `invalid_field`.
    OnlyPlain,
    /// `_updated_since`; the other is refused with 400 `invalid_field`.
    OnlyUnderscored,
    /// `updated_since`; the other is taken and has no effect.
    IgnoresUnderscored,
    /// `_updated_since`; the other is taken and has no effect.
    IgnoresPlain,
    /// Both are taken and have no effect.
    IgnoresBoth,
}

/// Behaviour that only some accounts show; all off unless told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an independent habit of the server"
)]
pub struct Quirks {
    /// The stored `updated_at` is one second later than the answer to the write said.
    pub second_tick: bool,
    /// Telephone numbers are stored without blanks, brackets and dashes, texts without blanks around them.
    pub rewrites: bool,
    /// Deleting and blocking a contact leave its `updated_at` alone.
    pub silent_deletes: bool,
    /// Only a conflict about the e-mail names the holder in `additional_info`.
    pub bare_conflicts: bool,
    /// The key belongs to an agent who is no administrator: 403 for agents and groups.
    pub plain_agent: bool,
}
