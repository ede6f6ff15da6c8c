//! What agents and customers do with tickets, and what a test may look at, past HTTP and its limits.

use super::attributes::Purpose;
use super::automation::Automation;
use super::ratings::Rating;
use super::record::{Conversation, OPEN, Ticket, TicketStanding};
use super::talk::Voice;
use crate::sandbox::freshdesk::FreshdeskSim;
use crate::sandbox::freshdesk::people::{Refused, body, fill};
use crate::sandbox::freshdesk::record::Standing;
use crate::sandbox::freshdesk::reply::Reply;
use crate::sandbox::freshdesk::service::Service;
use serde_json::Value;

/// A ticket to begin with; what is not named is empty.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the attributes' names are the API's own")]
pub struct TicketSeed {
    pub requester_id: u64,
    pub subject: String,
    /// 2 unless told otherwise.
    pub status: u64,
    /// 1 unless told otherwise.
    pub priority: u64,
    /// The API's `type`.
    pub kind: Option<String>,
    pub tags: Vec<String>,
    pub group_id: Option<u64>,
    pub responder_id: Option<u64>,
    /// `None`: the company that the requester has now.
    pub company_id: Option<u64>,
    /// Name and value of custom fields; unknown names are left out.
    pub custom: Vec<(&'static str, Value)>,
    pub standing: TicketStanding,
    /// Seconds since 1970. `None`: the simulator's now.
    pub created_at: Option<i64>,
    /// Seconds since 1970. `None`: as it was made.
    pub updated_at: Option<i64>,
}

impl Default for TicketSeed {
    fn default() -> Self {
        Self {
            requester_id: 0,
            subject: "Question".to_owned(),
            status: OPEN,
            priority: 1,
            kind: None,
            tags: Vec::new(),
            group_id: None,
            responder_id: None,
            company_id: None,
            custom: Vec::new(),
            standing: TicketStanding::Live,
            created_at: None,
            updated_at: None,
        }
    }
}

/// What people do: it moves `updated_at` and sets automations off as at the screen.
impl FreshdeskSim {
    /// Adds a ticket with these attributes of the API, made by an agent, and returns its id; subject
    /// and description need not be given. No mail is counted.
    pub fn add_ticket(&self, attributes: &Value) -> Result<u64, Refused> {
        let mut body = body(attributes);
        for field in ["subject", "description"] {
            body.entry(field).or_insert_with(|| Value::from("Question"));
        }
        let ticket = self.shared.with(|service| service.new_ticket(&body));
        Ok(ticket?.id)
    }

    /// A person writes in: an open ticket of the lowest priority, or one in spam if the person is in
    /// the trash or blocked. Returns its id; refused with 404 if nobody has the requester's.
    pub fn ticket_arrives(&self, requester_id: u64, subject: &str) -> Result<u64, Refused> {
        self.shared.with(|service| {
            let requester = service.account.contacts.get(requester_id);
            let requester = requester.ok_or_else(Reply::missing)?;
            let (standing, company) = (requester.standing, requester.company_id);
            let custom = service.options.tickets.custom.len();
            let id = service.account.tickets.next_id();
            let mut ticket = Ticket::new(id, requester_id, custom, service.second());
            subject.clone_into(&mut ticket.subject);
            ticket.description = format!("<div>{subject}</div>");
            ticket.company_id = company;
            ticket.source = 1;
            if matches!(standing, Standing::Deleted | Standing::Blocked) {
                ticket.standing = TicketStanding::Spam;
            }
            service.store_ticket(ticket.clone(), true);
            service.set_off(None, &ticket);
            Ok(id)
        })
    }

    /// Changes these attributes of a ticket; the form holds for agents too. No mail is counted.
    pub fn edit_ticket(&self, id: u64, attributes: &Value) -> Result<(), Refused> {
        let body = body(attributes);
        let changed = self
            .shared
            .with(|service| service.change_ticket(id, &body, Purpose::Update));
        Ok(changed.map(drop)?)
    }

    /// Puts a ticket into the trash.
    pub fn delete_ticket(&self, id: u64) -> Result<(), Refused> {
        self.move_ticket(id, TicketStanding::Live, TicketStanding::Deleted)
    }

    /// Takes a ticket out of the trash.
    pub fn restore_ticket(&self, id: u64) -> Result<(), Refused> {
        self.move_ticket(id, TicketStanding::Deleted, TicketStanding::Live)
    }

    /// Marks a ticket as spam.
    pub fn spam_ticket(&self, id: u64) -> Result<(), Refused> {
        self.move_ticket(id, TicketStanding::Live, TicketStanding::Spam)
    }

    /// The ticket was no spam.
    pub fn unspam_ticket(&self, id: u64) -> Result<(), Refused> {
        self.move_ticket(id, TicketStanding::Spam, TicketStanding::Live)
    }

    /// A closed ticket was left alone for long: it is in no list any more. No stamp moves.
    pub fn archive_ticket(&self, id: u64) -> Result<(), Refused> {
        self.move_ticket(id, TicketStanding::Live, TicketStanding::Archived)
    }

    fn move_ticket(
        &self,
        id: u64,
        from: TicketStanding,
        to: TicketStanding,
    ) -> Result<(), Refused> {
        let moved = self
            .shared
            .with(|service| service.place_ticket(id, from, to));
        Ok(moved.map(drop)?)
    }

    /// The customer writes on a ticket; one that is not open is open again.
    pub fn customer_writes(&self, ticket: u64, text: &str) -> Result<(), Refused> {
        self.shared.with(|service| {
            let old = service.writable_ticket(ticket, "POST")?;
            let author = old.requester_id;
            service.say(old.clone(), Voice::Customer, author, text, Vec::new());
            let attributes = serde_json::json!({"status": OPEN});
            // A form that refuses leaves the ticket closed.
            let reopened = service.change_ticket(ticket, &body(&attributes), Purpose::Update);
            drop(reopened);
            Ok(())
        })
    }

    /// The customer rates a ticket: 103 is very happy, -103 very unhappy. No stamp moves.
    pub fn rate_ticket(&self, ticket: u64, rating: i64, feedback: Option<&str>) {
        self.shared.with(|service| {
            let Some(of) = service.account.tickets.get(ticket).cloned() else {
                return;
            };
            let rating = Rating {
                id: service.account.next_id(),
                ticket_id: ticket,
                user_id: of.requester_id,
                agent_id: of.responder_id,
                group_id: of.group_id,
                default_question: rating,
                feedback: feedback.map(str::to_owned),
                created_at: service.second(),
            };
            service.account.ratings.push(rating);
        });
    }

    /// Makes a rule; it works from now on.
    pub fn automate(&self, rule: Automation) {
        self.shared.account().automations.rules.push(rule);
    }

    /// Ends all rules; what they set off already still happens.
    pub fn end_automations(&self) {
        self.shared.account().automations.rules.clear();
    }

    /// The next so many jobs of `bulk_update` come to nothing.
    pub fn fail_jobs(&self, times: u32) {
        self.shared.account().jobs.failures = times;
    }

    /// Fills the account quickly: nothing is validated, nothing is set off. Returns the ids in the
    /// order given.
    pub fn populate_tickets(&self, seeds: impl IntoIterator<Item = TicketSeed>) -> Vec<u64> {
        // Seeds may ask the account while they are made.
        let seeds: Vec<TicketSeed> = seeds.into_iter().collect();
        self.shared.with(|service| {
            let seeds = seeds.into_iter();
            let tickets: Vec<Ticket> = seeds.map(|seed| service.planted(seed)).collect();
            let ids = tickets.iter().map(|it| it.id).collect();
            service.account.tickets.fill(tickets);
            ids
        })
    }

    /// The id of the group of agents with this name.
    #[must_use]
    pub fn group_id(&self, name: &str) -> Option<u64> {
        self.shared.options.tickets.group_id(name)
    }

    /// The id of the agent to whom the key belongs.
    #[must_use]
    pub fn agent_id(&self) -> u64 {
        self.shared.account().agent
    }

    /// One ticket, wherever it stands.
    #[must_use]
    pub fn ticket(&self, id: u64) -> Option<Ticket> {
        self.shared
            .with(|service| service.account.tickets.get(id).cloned())
    }

    /// All tickets, wherever they stand, in the order of ids.
    #[must_use]
    pub fn tickets(&self) -> Vec<Ticket> {
        let mut all: Vec<Ticket> = self
            .shared
            .with(|service| service.account.tickets.iter().cloned().collect());
        all.sort_unstable_by_key(|it| it.id);
        all
    }

    /// The value of a ticket's custom field; `Null` where empty or unknown.
    #[must_use]
    pub fn ticket_field(&self, ticket: &Ticket, name: &str) -> Value {
        let fields = &self.shared.options.tickets.custom;
        let mut both = fields.iter().zip(&ticket.custom);
        both.find(|(field, _)| field.name == name)
            .map_or(Value::Null, |(_, it)| it.clone())
    }

    /// What was said on a ticket, oldest first.
    #[must_use]
    pub fn conversations(&self, ticket: u64) -> Vec<Conversation> {
        self.shared
            .with(|service| service.account.talk.of(ticket).to_vec())
    }

    /// How many mails calls of the API sent to customers: replies, public notes, notes that notify,
    /// tickets made, resolved or closed, and invitations.
    #[must_use]
    pub fn mails(&self) -> u64 {
        self.shared.with(|service| service.account.mails)
    }
}

impl Service<'_> {
    /// The ticket of a seed, its id taken.
    fn planted(&mut self, seed: TicketSeed) -> Ticket {
        let fields = &self.options.tickets.custom;
        let (id, now) = (self.account.tickets.next_id(), self.second());
        let created = seed.created_at.unwrap_or(now);
        let requester = self.account.contacts.get(seed.requester_id);
        let company = requester.and_then(|it| it.company_id);
        let mut ticket = Ticket::new(id, seed.requester_id, fields.len(), created);
        fill(fields, &mut ticket.custom, seed.custom);
        ticket.description = format!("<div>{}</div>", seed.subject);
        ticket.subject = seed.subject;
        ticket.priority = seed.priority;
        ticket.status = seed.status;
        ticket.kind = seed.kind;
        ticket.tags = seed.tags;
        ticket.group_id = seed.group_id;
        ticket.responder_id = seed.responder_id;
        ticket.company_id = seed.company_id.or(company);
        ticket.standing = seed.standing;
        ticket.source = 1;
        ticket.cc_emails = None;
        ticket.set_due();
        ticket.updated_at = seed.updated_at.unwrap_or(created);
        ticket.note_status(OPEN, ticket.updated_at);
        ticket.is_escalated = ticket.due_by <= now;
        ticket
    }
}
