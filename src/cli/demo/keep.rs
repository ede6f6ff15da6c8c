//! `demo --keep`: the two systems stay, with everything that is needed to try the other commands.

use super::DemoArgs;
use super::place::Place;
use super::stage::{FRESHDESK_API_KEY, HUBSPOT_TOKEN, Systems};
use super::voice::{Voice, document};
use crate::cli::exit::{Exit, Failure};
use crate::sandbox::freshdesk::TicketStanding;
use crate::sandbox::hubspot::Kind;
use serde_json::json;
use tokio_util::sync::CancellationToken;

/// Serves both systems until `stop`.
pub(super) async fn keep(
    args: &DemoArgs,
    place: &Place,
    stop: &CancellationToken,
) -> Result<Exit, Failure> {
    let systems = Systems::plain(args).await?;
    place.write("sync.toml", &systems.sync_toml(&place.state()))?;
    let env = format!("HUBSPOT_TOKEN={HUBSPOT_TOKEN}\nFRESHDESK_API_KEY={FRESHDESK_API_KEY}\n");
    place.write("env", &env)?;
    let mut voice = Voice::new(false);
    if args.json {
        document(&json!({
            "directory": place.path(),
            "config": place.path().join("sync.toml"),
            "env": place.path().join("env"),
            "hubspot": systems.crm.url(),
            "freshdesk": systems.desk.url(),
        }))?;
    } else {
        explain(&mut voice, &systems, place)?;
    }
    stop.cancelled().await;
    systems.crm.stop().await;
    systems.desk.stop().await;
    Ok(Exit::Done)
}

fn explain(voice: &mut Voice, systems: &Systems, place: &Place) -> Result<(), Failure> {
    let (census, dir) = (systems.census, place.path().display());
    let (crm, desk) = (systems.crm.url(), systems.desk.url());
    voice.line(format!(
        "HubSpot    {crm}  {} contacts, {} companies",
        census.crm_contacts, census.crm_companies
    ))?;
    voice.line(format!(
        "Freshdesk  {desk}  {} contacts, {} companies",
        census.desk_contacts, census.desk_companies
    ))?;
    voice.line(format!("directory  {dir}"))?;
    voice.line("\nIn another terminal:\n")?;
    voice.line(format!("  set -a; . {dir}/env; set +a"))?;
    for (command, what) in [
        (
            "check --online",
            "whether both systems have what sync.toml names",
        ),
        ("plan", "what a first sync would write; writes nothing"),
        (
            "sync --approve-first",
            "one cycle; a first sync that creates more than 500 records asks first without the flag",
        ),
        ("status", "what it knows"),
        ("run", "the daemon, a cycle every 10 s; Ctrl-C ends it"),
    ] {
        voice.line(format!(
            "  deskbridge -c {dir}/sync.toml {command:<20} # {what}"
        ))?;
    }
    voice.line("\nBe one of the people, then `sync` again:\n")?;
    let edit = |id: u64, field: &str, value: &str| {
        format!(
            "  curl -X PATCH {crm}/crm/v3/objects/contacts/{id} -H \"Authorization: Bearer $HUBSPOT_TOKEN\" -H 'Content-Type: application/json' -d '{{\"properties\":{{\"{field}\":\"{value}\"}}}}'"
        )
    };
    if let Some(row) = systems.crm.portal().rows(Kind::Contact).first() {
        voice.line(edit(row.id, "jobtitle", "Chief Executive"))?;
    }
    if let Some(id) = waiting(systems) {
        let line = edit(id, "customer_tier", "vip");
        voice.line(format!("{line}   # a VIP: their open tickets rise"))?;
    }
    let contact = systems.desk.contacts().first().map(|it| it.id);
    let (verb, path, body) = contact.map_or_else(
        || {
            (
                "POST",
                String::new(),
                r#"{"name":"Grace Hopper","email":"grace@post.example"}"#,
            )
        },
        |id| ("PUT", format!("/{id}"), r#"{"phone":"+1 202 555 0143"}"#),
    );
    voice.line(format!(
        "  curl -X {verb} {desk}/api/v2/contacts{path} -u \"$FRESHDESK_API_KEY:X\" -H 'Content-Type: application/json' -d '{body}'"
    ))?;
    voice.line(
        "\nCtrl-C ends both systems and removes the directory unless it was named with --dir.",
    )
}

/// Somebody in HubSpot who is no VIP and waits for an answer of support.
fn waiting(systems: &Systems) -> Option<u64> {
    let portal = systems.crm.portal();
    let tickets = systems.desk.tickets().into_iter();
    let mut open = tickets.filter(|it| it.standing == TicketStanding::Live && it.status == 2);
    open.find_map(|ticket| {
        let email = systems.desk.contact(ticket.requester_id)?.email?;
        let row = portal.row(Kind::Contact, portal.contact_by_email(&email)?)?;
        let tier = row.properties.get("customer_tier")?;
        (tier == "standard").then_some(row.id)
    })
}
