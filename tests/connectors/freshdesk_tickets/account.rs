//! What rules may name, and what a key may not see of it.

use super::{Desk, qa_group};
use deskbridge::remote::{ErrorKind, RemoteError, Wanted};
use deskbridge::sandbox::freshdesk::{self as sim, Status, TicketOptions};
use serde_json::json;

#[tokio::test]
async fn rules_can_name_what_the_account_itself_has() {
    let mut statuses = TicketOptions::default().statuses;
    statuses.push(Status::new(12, "On hold", "Waiting"));
    let desk = Desk::with_tickets(TicketOptions {
        statuses,
        ..TicketOptions::default()
    })
    .await;
    for tags in [json!(["vip", "b"]), json!(["a", "vip"])] {
        let ticket = json!({"requester_id": desk.ada, "status": 2, "priority": 1, "tags": tags});
        desk.sim.add_ticket(&ticket).unwrap();
    }
    let wanted = Wanted {
        groups: true,
        agents: true,
        tags: true,
    };
    let words = desk.desk().vocabulary(&wanted).await.unwrap();
    assert!(words.statuses.contains(&(3, "Pending".to_owned())));
    assert!(words.statuses.contains(&(12, "On hold".to_owned())));
    assert_eq!(words.statuses.len(), 7);
    assert!(words.categories.contains(&"Incident".to_owned()));
    let qa = i64::try_from(qa_group()).unwrap();
    assert_eq!(words.groups.get(&qa).map(String::as_str), Some("QA"));
    let names = words.agents.values().next().unwrap();
    assert_eq!(names.len(), 2);
    assert!(names[1].contains('@'));
    assert_eq!(words.tags, ["a", "b", "vip"]);
}

#[tokio::test]
async fn a_plain_agents_key_is_told_so_only_where_a_rule_needs_more() {
    let desk = Desk::with(sim::Options {
        tickets: TicketOptions {
            plain_agent: true,
            ..TicketOptions::default()
        },
        ..sim::Options::default()
    })
    .await;
    let words = desk.desk().vocabulary(&Wanted::default()).await.unwrap();
    assert!(words.agents.is_empty() && words.groups.is_empty() && words.tags.is_empty());
    assert_eq!(desk.sim.backstage().log.total(), 1);
    for (wanted, what) in [
        (
            Wanted {
                agents: true,
                ..Wanted::default()
            },
            "the agents",
        ),
        (
            Wanted {
                groups: true,
                ..Wanted::default()
            },
            "the groups",
        ),
    ] {
        let error: RemoteError = desk.desk().vocabulary(&wanted).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Forbidden);
        assert!(error.detail.contains(what) && error.detail.contains("administrator"));
    }
}
