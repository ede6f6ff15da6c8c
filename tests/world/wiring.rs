//! How an engine is wired to two simulators: their keys, the `sync.toml` that names them, and the real
//! connectors.

#![allow(dead_code, reason = "each test binary and benchmark uses a part of it")]

use deskbridge::config::{self, Config, Environment};
use deskbridge::remote::Connector;
use deskbridge::remote::freshdesk::{self, Freshdesk};
use deskbridge::remote::governor::Limits;
use deskbridge::remote::hubspot::{self, Hubspot};
use std::io;
use std::path::Path;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

pub(crate) const CRM_TOKEN: &str = "pat-sandbox";
pub(crate) const DESK_KEY: &str = "freshdesk-sandbox-key";

/// The mapping of most tests and of the benchmarks: one field of each sort.
pub(crate) const MAPPING: &str = concat!(
    r#"
[contacts]
match    = ["email"]
create   = "both"
conflict = "newest"
delete   = "hold"
company  = "both"

"#,
    include_str!("../fixtures/contact_fields.toml"),
    r#"
[companies]
match    = ["domain", "name"]
create   = "both"
conflict = "crm"
delete   = "ignore"

[[companies.field]]
crm       = "name"
freshdesk = "name"

[[companies.field]]
crm       = "domain"
freshdesk = "domains"
via       = "list"
"#
);

/// The sections of a `sync.toml` about two systems at these addresses.
pub(crate) fn systems(crm: &str, desk: &str) -> String {
    format!(
        "[crm]\nkind = \"hubspot\"\ntoken = {{ env = \"HUBSPOT_TOKEN\" }}\nbase_url = \"{crm}\"\n\n\
         [freshdesk]\nurl = \"{desk}\"\napi_key = {{ env = \"FRESHDESK_API_KEY\" }}\n\n"
    )
}

#[derive(Debug)]
struct Keys;

impl Environment for Keys {
    fn variable(&self, name: &str) -> Option<String> {
        match name {
            "HUBSPOT_TOKEN" => Some(CRM_TOKEN.to_owned()),
            "FRESHDESK_API_KEY" => Some(DESK_KEY.to_owned()),
            _ => None,
        }
    }

    fn read(&self, _: &Path) -> io::Result<String> {
        Err(io::ErrorKind::NotFound.into())
    }
}

/// This text as a `sync.toml`.
pub(crate) fn compiled(source: &str) -> Config {
    match config::compile(source, &Keys) {
        Ok((config, _)) => config,
        Err(wrong) => panic!("{}", wrong.render(source, "sync.toml", false)),
    }
}

/// The CRM at this address; without limits, what the vendor's smallest plan allows.
pub(crate) fn hubspot(
    url: &str,
    limits: Option<Limits>,
    share: f64,
    stop: &CancellationToken,
) -> Arc<dyn Connector> {
    let hubspot = Hubspot::new(hubspot::Options {
        base_url: url.parse().unwrap(),
        token: CRM_TOKEN.to_owned().into(),
        limits,
        share,
        stop: stop.clone(),
    });
    Arc::new(hubspot.unwrap())
}

/// Freshdesk at this address; without limits, what its headers say.
pub(crate) fn freshdesk(
    url: &str,
    limits: Option<Limits>,
    calls_per_minute: Option<f64>,
    stop: &CancellationToken,
) -> Arc<dyn Connector> {
    let freshdesk = Freshdesk::new(freshdesk::Options {
        url: url.parse().unwrap(),
        api_key: DESK_KEY.to_owned().into(),
        limits,
        calls_per_minute,
        share: 1.0,
        stop: stop.clone(),
    });
    Arc::new(freshdesk.unwrap())
}
