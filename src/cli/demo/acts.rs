//! What goes well: the first sync, edits, conflicts, newcomers, silence.

use super::stage::{Couple, bug};
use super::tell::{Story, known, system};
use super::voice::Tone;
use crate::cli::exit::Failure;
use crate::model::Side;
use crate::plan::Rule;
use crate::sandbox::hubspot::Kind;
use crate::store::JournalView;
use serde_json::json;

impl Story {
    /// Somebody in sales edits a contact.
    pub(super) fn sales(
        &mut self,
        who: &Couple,
        field: &'static str,
        to: &str,
    ) -> Result<(), Failure> {
        self.stage.later(10);
        let before = self.stage.crm_value(Kind::Contact, who.crm, field);
        let portal = self.stage.crm.portal();
        portal
            .edit(Kind::Contact, who.crm, &[(field, to)])
            .map_err(bug)?;
        self.edited(Side::Crm, &who.name, field, before.as_deref(), to)
    }

    /// Somebody in support edits a contact.
    pub(super) fn support(
        &mut self,
        who: &Couple,
        field: &'static str,
        to: &str,
    ) -> Result<(), Failure> {
        self.stage.later(10);
        let contact = known(self.stage.desk.contact(who.desk), "such contact")?;
        let before = match field {
            "phone" => contact.phone,
            _ => contact.job_title,
        };
        self.stage
            .desk
            .edit_contact(who.desk, &json!({field: to}))
            .map_err(bug)?;
        self.edited(Side::Desk, &who.name, field, before.as_deref(), to)
    }

    /// Tells of an edit.
    pub(super) fn edited(
        &mut self,
        side: Side,
        name: &str,
        field: &str,
        before: Option<&str>,
        to: &str,
    ) -> Result<(), Failure> {
        let before = before.map_or("nothing".to_owned(), |text| format!("\"{text}\""));
        self.said(side, &format!("{name}: {field} {before} → \"{to}\""))
    }

    /// Tells of something that people did.
    pub(super) fn said(&mut self, side: Side, what: &str) -> Result<(), Failure> {
        let who = match side {
            Side::Crm => "Sales, in HubSpot",
            Side::Desk => "Support, in Freshdesk",
        };
        self.voice.deed(Tone::People, who, what)
    }
}

/// Two systems that were never kept in step.
pub(super) async fn first_sync(story: &mut Story) -> Result<(), Failure> {
    story.begin("The first sync: nothing is cleared, nothing is deleted")?;
    story.voice.aside(
        "approved beforehand, as by `sync --approve-first`; from then on more than 500 new records wait for a person",
    )?;
    let report = story.turn().await?;
    let mut writes: Vec<JournalView> = Vec::new();
    let mut after = 0;
    loop {
        let page = story.stage.report.journal(report.id, after, 500).await?;
        let Some((last, _)) = page.last() else { break };
        after = *last;
        writes.extend(page.into_iter().map(|(_, write)| write));
    }
    count(story, &writes)?;
    let filled = |rule: &Rule| matches!(rule, Rule::Filled);
    let differed = |rule: &Rule| matches!(rule, Rule::Newest { .. });
    for (rule, examples) in [(&filled as &dyn Fn(&Rule) -> bool, 2), (&differed, 1)] {
        let hits = writes
            .iter()
            .filter(|write| matches!(write.fields.as_slice(), [only] if rule(&only.rule)));
        for write in hits.take(examples) {
            story.write(write)?;
        }
    }
    for (kind, side, id, because) in story.stage.report.shadowed(20).await? {
        let side = if side == Side::Crm.word() {
            Side::Crm
        } else {
            Side::Desk
        };
        let (crm, desk) = match side {
            Side::Crm => (Some(id.as_str()), None),
            Side::Desk => (None, Some(id.as_str())),
        };
        let name = story.name(&kind, crm, desk);
        let text = format!("{name} ({}): {because}", system(side));
        story.voice.deed(Tone::Bridge, "left alone", &text)?;
    }
    let shadowed = story
        .stage
        .report
        .counts(crate::model::Kind::Company)
        .await?
        .shadowed;
    let expected = story.stage.ambiguous_companies();
    story.ledger.check(
        "companies that exist twice are named and left alone",
        expected,
        shadowed,
    );
    story
        .ledger
        .check("writes that failed or were refused", 0, report.failed);
    Ok(())
}

/// How many records were made and changed on each side.
fn count(story: &mut Story, writes: &[JournalView]) -> Result<(), Failure> {
    for side in Side::BOTH {
        let of = |kind: &str, action: &str| {
            let hits = writes
                .iter()
                .filter(|it| it.side == side && it.kind == kind);
            hits.filter(|it| it.action == action).count()
        };
        let text = format!(
            "{} contacts and {} companies created, {} and {} completed or corrected",
            of("contact", "create"),
            of("company", "create"),
            of("contact", "update"),
            of("company", "update"),
        );
        story.voice.deed(
            Tone::Bridge,
            &format!("deskbridge → {}", system(side)),
            &text,
        )?;
    }
    Ok(())
}

/// Both sides edit one person, in different fields.
pub(super) async fn edits(story: &mut Story) -> Result<(), Failure> {
    story.begin("Both sides edit one person, in different fields")?;
    let who = story.stage.couple(3)?;
    story.sales(&who, "lastname", "Montgomery-Rao")?;
    story.sales(&who, "jobtitle", "Chief Operating Officer")?;
    story.support(&who, "phone", "+44 20 7946 0118")?;
    let report = story.cycle().await?;
    let phone = story
        .stage
        .crm_value(Kind::Contact, who.crm, "phone")
        .unwrap_or_default();
    let there = known(story.stage.desk.contact(who.desk), "such contact")?;
    let digits: String = phone.chars().filter(|c| !c.is_whitespace()).collect();
    story
        .ledger
        .check("the phone arrived in HubSpot", "+442079460118", digits);
    let title = there.job_title.unwrap_or_default();
    story.ledger.check(
        "the job title arrived in Freshdesk",
        "Chief Operating Officer",
        title,
    );
    story
        .ledger
        .check("records written, one on each side", 2, report.updated);
    Ok(())
}

/// Both sides edit the same field.
pub(super) async fn conflicts(story: &mut Story) -> Result<(), Failure> {
    story.begin("Both sides edit the same field: the mapping says who wins")?;
    let (newest, crm) = (story.stage.couple(17)?, story.stage.couple(29)?);
    story.sales(&newest, "phone", "+1 415 555 0100")?;
    story.support(&newest, "phone", "+1 415 555 0199")?;
    story.sales(&crm, "jobtitle", "Chief Technology Officer")?;
    story.support(&crm, "job_title", "on parental leave")?;
    let report = story.cycle().await?;
    let phone = story
        .stage
        .crm_value(Kind::Contact, newest.crm, "phone")
        .unwrap_or_default();
    story.ledger.check(
        "conflict = \"newest\": the later change stands",
        "+14155550199",
        phone,
    );
    let there = known(story.stage.desk.contact(crm.desk), "such contact")?;
    let title = there.job_title.unwrap_or_default();
    story.ledger.check(
        "conflict = \"crm\": HubSpot's value stands",
        "Chief Technology Officer",
        title,
    );
    let journal = story.stage.report.journal(report.id, 0, 20).await?;
    let fields = journal.iter().flat_map(|(_, write)| &write.fields);
    let values = fields.flat_map(|change| change.crm.iter().chain(&change.freshdesk));
    let losers = ["+1 415 555 0100", "on parental leave"];
    let kept = values.filter(|value| value.as_text().is_some_and(|text| losers.contains(&text)));
    story.ledger.check(
        "values that lost and are in the journal",
        losers.len(),
        kept.count(),
    );
    Ok(())
}

/// A new customer on each side, and the company of each.
pub(super) async fn newcomers(story: &mut Story) -> Result<(), Failure> {
    story.begin("A new customer on each side, each with a new company")?;
    story.stage.later(10);
    let portal = story.stage.crm.portal();
    let company = [
        ("name", "Lighthouse Keepers"),
        ("domain", "lighthouse-keepers.example"),
        ("plan", "Team"),
    ];
    let company = portal.create(Kind::Company, &company).map_err(bug)?;
    let person = [
        ("email", "Nwando.Achebe@Lighthouse-Keepers.example"),
        ("firstname", "Nwando"),
        ("lastname", "Achebe"),
        ("customer_tier", "vip"),
    ];
    let person = portal.create(Kind::Contact, &person).map_err(bug)?;
    portal.associate(person, company, true).map_err(bug)?;
    story.said(
        Side::Crm,
        "new customer: Nwando Achebe, VIP, of Lighthouse Keepers",
    )?;
    story.stage.later(10);
    let company = json!({"name": "Clockwork Orchard", "domains": ["clockwork-orchard.example"]});
    let company = story.stage.desk.add_company(&company).map_err(bug)?;
    let person = json!({"name": "Tomás de la Fuente", "email": "tomas@clockwork-orchard.example", "company_id": company});
    story.stage.desk.add_contact(&person).map_err(bug)?;
    story.said(
        Side::Desk,
        "first call of Tomás de la Fuente of Clockwork Orchard",
    )?;
    let report = story.cycle().await?;
    story.ledger.check(
        "records created: a company and a person on each side",
        4,
        report.created,
    );
    Ok(())
}

/// Nothing happens.
pub(super) async fn quiet(story: &mut Story) -> Result<(), Failure> {
    story.begin("A minute in which nothing happens")?;
    let report = story.cycle().await?;
    for side in Side::BOTH {
        let calls = report.endpoints.of(side).iter();
        let calls: Vec<String> = calls
            .map(|(endpoint, n)| format!("{endpoint} {n}"))
            .collect();
        story
            .voice
            .aside(&format!("{:<25} {}", system(side), calls.join(", ")))?;
    }
    let writes = report.linked + report.created + report.updated + report.deleted + report.failed;
    let writes = writes + report.tickets.raised + report.tickets.restored + report.tickets.noted;
    story
        .ledger
        .check("writes of a cycle in which nothing happened", 0, writes);
    Ok(())
}
