//! What a customer's standing in the CRM does to their tickets, and who has the last word.

use super::stage::{Couple, bug};
use super::tell::{Story, known};
use super::voice::Tone;
use crate::cli::exit::Failure;
use crate::model::Side;
use crate::sandbox::freshdesk::Ticket;
use serde_json::json;

/// What undoes a change of ours sooner than this counts as a machine, so people take their time.
const A_WHILE: i64 = 25;

/// A customer and their tickets.
struct Customer {
    who: Couple,
    /// Low; an agent has a word to say about it.
    open: u64,
    /// Medium.
    pending: u64,
    closed: u64,
}

/// A standing begins, holds and ends.
pub(super) async fn standing(story: &mut Story) -> Result<(), Failure> {
    let mails = story.stage.desk.mails();
    let customer = begins(story).await?;
    let new = holds(story, &customer).await?;
    ends(story, &customer, new).await?;
    let mails = story.stage.desk.mails() - mails;
    story
        .ledger
        .check("mails to customers about any of this", 0, mails);
    Ok(())
}

/// A customer becomes a VIP.
async fn begins(story: &mut Story) -> Result<Customer, Failure> {
    story.begin("A customer becomes a VIP: their open tickets rise")?;
    let who = story.stage.quiet_customer()?;
    let open = asks(story, &who, "The invoice is wrong")?;
    let pending = asks(story, &who, "A colleague cannot log in")?;
    agent(
        story,
        pending,
        "status pending, priority medium",
        &json!({"status": 3, "priority": 2}),
    )?;
    let closed = asks(story, &who, "How do I change my address?")?;
    agent(story, closed, "status closed", &json!({"status": 5}))?;
    story.sales(&who, "customer_tier", "vip")?;
    story.stage.later(A_WHILE);
    let (plan, mut rehearsed) = story.stage.rehearse().await?;
    for (_, write) in rehearsed.journal(plan.id, 0, 20).await? {
        story.tell_of("deskbridge plan", &write)?;
    }
    let ledger = &mut story.ledger;
    ledger.check(
        "tickets that the plan says would rise",
        2,
        plan.tickets.raised,
    );
    let untouched = shown(&[open, pending], story)?;
    story
        .ledger
        .check("… while it writes to none", "low, medium", untouched);
    story.cycle().await?;
    let after = shown(&[open, pending, closed], story)?;
    story.ledger.check(
        "what was open, pending and closed shows now",
        "urgent vip, urgent vip, low",
        after,
    );
    let said = |id| story.stage.desk.conversations(id).len();
    let notes = said(open) + said(pending) + said(closed);
    story
        .ledger
        .check("… with one private note on each that rose", 2, notes);
    Ok(Customer {
        who,
        open,
        pending,
        closed,
    })
}

/// The VIP writes again, and an agent decides on one of their tickets.
async fn holds(story: &mut Story, customer: &Customer) -> Result<u64, Failure> {
    story.begin("A VIP's new ticket rises; an agent who lowers one has the last word")?;
    story.stage.later(A_WHILE);
    agent(
        story,
        customer.open,
        "priority urgent → medium",
        &json!({"priority": 2}),
    )?;
    let new = asks(story, &customer.who, "And now the export stops half way")?;
    let report = story.cycle().await?;
    if report.tickets.yielded > 0 {
        let text = format!("ticket {}: the priority is the agent's now", customer.open);
        story.voice.deed(Tone::Bridge, "left alone", &text)?;
    }
    story.cycle().await?;
    let lowered = shown(&[customer.open], story)?;
    story
        .ledger
        .check("what an agent lowered stays", "medium vip", lowered);
    let rose = shown(&[new], story)?;
    story
        .ledger
        .check("a VIP's new ticket rises by itself", "urgent vip", rose);
    Ok(new)
}

/// The customer is no VIP any more.
async fn ends(story: &mut Story, customer: &Customer, new: u64) -> Result<(), Failure> {
    story.begin("The standing ends: what we set goes back, what a person set stays")?;
    story.sales(&customer.who, "customer_tier", "standard")?;
    story.stage.later(A_WHILE);
    story.cycle().await?;
    let Customer {
        open,
        pending,
        closed,
        ..
    } = *customer;
    let after = shown(&[open, pending, closed, new], story)?;
    story.ledger.check(
        "lowered, pending, closed and new tickets show afterwards",
        "medium, medium, low, low",
        after,
    );
    Ok(())
}

/// The customer writes in.
fn asks(story: &mut Story, who: &Couple, subject: &str) -> Result<u64, Failure> {
    story.stage.later(5);
    let id = story
        .stage
        .desk
        .ticket_arrives(who.desk, subject)
        .map_err(bug)?;
    let text = format!("ticket {id} \"{subject}\", by {}", who.name);
    story.voice.deed(Tone::People, "A customer", &text)?;
    Ok(id)
}

/// An agent changes a ticket.
fn agent(
    story: &mut Story,
    id: u64,
    what: &str,
    change: &serde_json::Value,
) -> Result<(), Failure> {
    story.stage.later(5);
    story.stage.desk.edit_ticket(id, change).map_err(bug)?;
    story.said(Side::Desk, &format!("ticket {id}: {what}"))
}

/// The priority of each ticket, and its tags.
fn shown(ids: &[u64], story: &Story) -> Result<String, Failure> {
    let mut all = Vec::new();
    for id in ids {
        let ticket = known(story.stage.desk.ticket(*id), "such ticket")?;
        let mut words = vec![priority(&ticket).to_owned()];
        words.extend(ticket.tags);
        all.push(words.join(" "));
    }
    Ok(all.join(", "))
}

/// What people call a ticket's priority.
const fn priority(ticket: &Ticket) -> &'static str {
    match ticket.priority {
        1 => "low",
        2 => "medium",
        3 => "high",
        4 => "urgent",
        _ => "?",
    }
}
