//! From the configuration to the two systems, and whose data is there.

use crate::config::{AccountPlan, Config, CrmConfig, SecretMissing};
use crate::model::Pair;
use crate::remote::freshdesk::{self, Freshdesk};
use crate::remote::hubspot::{self, Hubspot};
use crate::remote::odoo::{self, Odoo};
use crate::remote::{Account, Connector, ErrorKind, RemoteError};
use reqwest::Url;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Where `HubSpot`'s API is.
const HUBSPOT: &str = "https://api.hubapi.com";
/// Our part of the CRM's calls: its search and daily limits are shared with the account's other apps.
const CRM_SHARE: f64 = 0.9;

/// Why the systems cannot be talked to at all.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// A key is not where `sync.toml` says.
    #[error(transparent)]
    Secret(#[from] SecretMissing),
    /// The machine's TLS set-up cannot be used.
    #[error(transparent)]
    Remote(#[from] RemoteError),
}

/// Connectors of both systems, with nothing sent yet. `stop` ends all their waits.
///
/// # Errors
///
/// Where a key is missing, or the machine's TLS set-up cannot be used.
pub fn connect(
    config: &Config,
    stop: &CancellationToken,
) -> Result<Pair<Arc<dyn Connector>>, ConnectError> {
    let desk = &config.freshdesk;
    let desk = Freshdesk::new(freshdesk::Options {
        url: desk.url.clone(),
        api_key: desk.api_key.value().cloned().map_err(Clone::clone)?,
        limits: desk.plan.map(|plan| named(plan).limits()),
        calls_per_minute: desk.calls_per_minute.map(f64::from),
        share: desk.share,
        stop: stop.clone(),
    })?;
    Ok(Pair {
        crm: crm(&config.crm, stop)?,
        desk: Arc::new(desk),
    })
}

const fn named(plan: AccountPlan) -> freshdesk::Plan {
    match plan {
        AccountPlan::Trial => freshdesk::Plan::Trial,
        AccountPlan::Growth => freshdesk::Plan::Growth,
        AccountPlan::Pro => freshdesk::Plan::Pro,
        AccountPlan::Enterprise => freshdesk::Plan::Enterprise,
    }
}

fn crm(config: &CrmConfig, stop: &CancellationToken) -> Result<Arc<dyn Connector>, ConnectError> {
    Ok(match config {
        CrmConfig::Hubspot { base_url, token } => Arc::new(Hubspot::new(hubspot::Options {
            base_url: match base_url {
                Some(url) => url.clone(),
                None => vendor()?,
            },
            token: token.value().cloned().map_err(Clone::clone)?,
            limits: None,
            share: CRM_SHARE,
            stop: stop.clone(),
        })?),
        CrmConfig::Odoo {
            url,
            api_key,
            database,
        } => Arc::new(Odoo::new(odoo::Options {
            url: url.clone(),
            api_key: api_key.value().cloned().map_err(Clone::clone)?,
            database: database.clone(),
            share: CRM_SHARE,
            stop: stop.clone(),
        })?),
    })
}

fn vendor() -> Result<Url, RemoteError> {
    Url::parse(HUBSPOT).map_err(|error| RemoteError {
        side: crate::model::Side::Crm,
        call: "set up".to_owned(),
        kind: ErrorKind::Unreachable,
        detail: error.to_string(),
        request_id: None,
    })
}

/// Whom the keys lead to, on both sides at once.
///
/// # Errors
///
/// What the systems that did not say answered instead; one error a side.
pub async fn accounts(
    connectors: &Pair<Arc<dyn Connector>>,
) -> Result<Pair<Account>, Vec<RemoteError>> {
    let (crm, desk) = tokio::join!(connectors.crm.account(), connectors.desk.account());
    match (crm, desk) {
        (Ok(crm), Ok(desk)) => Ok(Pair { crm, desk }),
        (crm, desk) => Err([crm.err(), desk.err()].into_iter().flatten().collect()),
    }
}

/// Whose data it is, as the state remembers it.
#[must_use]
pub fn identities(accounts: &Pair<Account>) -> Pair<String> {
    accounts.as_ref().map(|account| account.identity.clone())
}
