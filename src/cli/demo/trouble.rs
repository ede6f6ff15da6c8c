//! What goes wrong: a refused record, a deletion, an outage, an answer that is lost.

use super::stage::bug;
use super::tell::{Story, known};
use super::voice::Tone;
use crate::cli::exit::Failure;
use crate::cli::output::harmless;
use crate::model::Side;
use crate::sandbox::faults::Fault;
use crate::sandbox::hubspot::Kind;
use crate::sync::CycleOutcome;

/// Freshdesk refuses one record; the others go on.
pub(super) async fn refusal(story: &mut Story) -> Result<(), Failure> {
    story.begin("Freshdesk refuses a record: it is parked, the others go on")?;
    let (company, name) = story.stage.company()?;
    let other = story.stage.couple(41)?;
    plan(story, company, &name, "Platinum")?;
    story.sales(&other, "jobtitle", "Head of Research")?;
    let report = story.cycle().await?;
    let parked = story.stage.report.parked(20).await?;
    for write in &parked {
        let error = write.error.as_deref().unwrap_or_default();
        let text = format!("{name}: Freshdesk says: {}", harmless(error));
        story.voice.deed(Tone::Bad, "parked", &text)?;
    }
    let there = known(story.stage.desk.contact(other.desk), "such contact")?;
    story
        .ledger
        .check("a refused record is parked", 1, parked.len());
    story
        .ledger
        .check("… and the others go on", 1, report.updated);
    let title = there.job_title.unwrap_or_default();
    story
        .ledger
        .check("… with what they brought", "Head of Research", title);
    plan(story, company, &name, "Enterprise")?;
    story.cycle().await?;
    let parked = story.stage.report.parked(20).await?;
    story.ledger.check(
        "parked records once a person has mended them",
        0,
        parked.len(),
    );
    Ok(())
}

fn plan(story: &mut Story, company: u64, name: &str, to: &str) -> Result<(), Failure> {
    story.stage.later(10);
    let before = story.stage.crm_value(Kind::Company, company, "plan");
    let portal = story.stage.crm.portal();
    portal
        .edit(Kind::Company, company, &[("plan", to)])
        .map_err(bug)?;
    story.edited(Side::Crm, name, "plan", before.as_deref(), to)
}

/// Somebody deletes a contact on one side.
pub(super) async fn deletion(story: &mut Story) -> Result<(), Failure> {
    story.begin("A contact is deleted: a person decides, not a program")?;
    let who = story.stage.couple(53)?;
    story.stage.later(10);
    story.stage.desk.delete_contact(who.desk).map_err(bug)?;
    story.said(Side::Desk, &format!("{}: deleted, by mistake", who.name))?;
    story.stage.later(3_600);
    story.voice.aside(&format!(
        "{:<25} an hour goes by: that is how often the trash is looked into",
        ""
    ))?;
    let report = story.cycle().await?;
    for hold in story.stage.report.holds(0, 20).await? {
        let text = format!("{}: {}", who.name, harmless(&hold.reason));
        story
            .voice
            .deed(Tone::Bridge, "deskbridge status: held", &text)?;
    }
    story
        .ledger
        .check("deletions that are held for a person", 1, report.held);
    let here = story.stage.crm.portal().row(Kind::Contact, who.crm);
    let lives = here.is_some_and(|row| !row.archived);
    story
        .ledger
        .check("… while HubSpot's contact lives", true, lives);
    story.stage.later(10);
    story.stage.desk.restore_contact(who.desk).map_err(bug)?;
    story.said(Side::Desk, &format!("{}: restored", who.name))?;
    let report = story.cycle().await?;
    story
        .ledger
        .check("… and held no more once it is back", 0, report.held);
    Ok(())
}

/// Freshdesk is away for a minute.
pub(super) async fn outage(story: &mut Story) -> Result<(), Failure> {
    story.begin("Freshdesk is down for a minute, and then short of calls")?;
    let who = story.stage.couple(67)?;
    let faults = story.stage.desk.backstage().faults.clone();
    faults.take_down();
    story
        .voice
        .deed(Tone::Bad, "Freshdesk", "is gone: every connection breaks")?;
    story.sales(&who, "jobtitle", "Chief Happiness Officer")?;
    let report = story.cycle().await?;
    let incomplete = report.outcome == CycleOutcome::Incomplete;
    story.ledger.check(
        "a cycle without Freshdesk says that it is incomplete",
        true,
        incomplete,
    );
    faults.clear();
    faults.inject("GET", "/api/v2/contacts", Fault::Throttle(1), 1);
    story.voice.deed(
        Tone::People,
        "Freshdesk",
        "is back, and answers the next call with 429, Retry-After: 1",
    )?;
    story.cycle().await?;
    let there = known(story.stage.desk.contact(who.desk), "such contact")?;
    let title = there.job_title.unwrap_or_default();
    story.ledger.check(
        "what was edited meanwhile arrives afterwards",
        "Chief Happiness Officer",
        title,
    );
    Ok(())
}

/// Freshdesk makes a contact, and its answer never comes.
pub(super) async fn lost_answer(story: &mut Story) -> Result<(), Failure> {
    story.begin("An answer is lost: the contact is there, nobody said so")?;
    story.stage.later(10);
    let person = [
        ("email", "ingrid@fjordline.example"),
        ("firstname", "Ingrid"),
        ("lastname", "Solheim"),
    ];
    story
        .stage
        .crm
        .portal()
        .create(Kind::Contact, &person)
        .map_err(bug)?;
    story.said(Side::Crm, "new customer: Ingrid Solheim")?;
    let (faults, log) = {
        let backstage = story.stage.desk.backstage();
        (backstage.faults.clone(), backstage.log.clone())
    };
    let before = log.count("POST", "/api/v2/contacts");
    faults.inject("POST", "/api/v2/contacts", Fault::DropAfter, 1);
    story.voice.deed(
        Tone::Bad,
        "Freshdesk",
        "does what the next POST asks, and hangs up before it answers",
    )?;
    story.cycle().await?;
    story.cycle().await?;
    let sent = log.count("POST", "/api/v2/contacts") - before;
    let contacts = story.stage.desk.contacts();
    let made = contacts
        .iter()
        .filter(|it| it.name == "Ingrid Solheim")
        .count();
    story
        .ledger
        .check("times that the contact was sent", 1, sent);
    story.ledger.check("times that it is there", 1, made);
    let open = story.stage.report.parked(20).await?.len();
    story
        .ledger
        .check("writes whose outcome is still not known", 0, open);
    Ok(())
}
