//! A customer who is known on both sides, and their tickets.

use super::hooked::{Hook, Hooked, TicketCall};
use super::{World, cycle};
use chrono::TimeDelta;
use deskbridge::sandbox::clock::SimClock;
use deskbridge::sandbox::freshdesk::{Options, TicketSeed};
use deskbridge::sandbox::hubspot::Kind as CrmKind;
use deskbridge::sync::{CycleReport, Engine};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

pub const VIP: &str = r#"
[[ticket_rule]]
name     = "vip"
when     = { record = "contact", field = "customer_tier", in = ["vip"] }
tickets  = { status = ["open", "pending"] }
priority = "urgent"
tags     = ["vip"]
note     = "Priority raised: {{ contact.name }} is a VIP."
on_end   = "restore"
"#;

pub const LOW: u64 = 1;
pub const MEDIUM: u64 = 2;
pub const HIGH: u64 = 3;
pub const URGENT: u64 = 4;

/// Ada, a standard customer who is known on both sides, and an engine that has seen her.
pub struct Stage {
    pub world: World,
    pub clock: SimClock,
    pub engine: Engine,
    /// In the CRM.
    pub ada: u64,
    /// In Freshdesk.
    pub ada_desk: u64,
}

impl Stage {
    pub async fn new(rules: &str) -> Self {
        Self::with(rules, Options::default()).await
    }

    pub async fn with(rules: &str, desk: Options) -> Self {
        let (mut world, clock) = World::timed_with(desk).await;
        world.mapping.push_str(rules);
        let ada = world.crm_contact(&[
            ("email", "ada@example.com"),
            ("firstname", "Ada"),
            ("lastname", "King"),
            ("customer_tier", "standard"),
        ]);
        let mut engine = world.timed_engine(&clock).await;
        cycle(&mut engine).await;
        let ada_desk = world.desk_by_email("ada@example.com").id;
        let mut stage = Self {
            world,
            clock,
            engine,
            ada,
            ada_desk,
        };
        stage.turn().await;
        stage
    }

    /// A minute later, a cycle.
    pub async fn turn(&mut self) -> CycleReport {
        self.clock.advance(TimeDelta::minutes(1));
        cycle(&mut self.engine).await
    }

    pub fn tier(&self, tier: &str) {
        self.world.crm_edit(self.ada, &[("customer_tier", tier)]);
    }

    pub fn ticket(&self, status: u64, priority: u64) -> u64 {
        self.seed(TicketSeed {
            requester_id: self.ada_desk,
            status,
            priority,
            ..TicketSeed::default()
        })
    }

    /// So many open tickets of Ada's, of the lowest priority.
    pub fn open_tickets(&self, how_many: usize) -> Vec<u64> {
        (0..how_many).map(|_| self.ticket(2, LOW)).collect()
    }

    pub fn seed(&self, seed: TicketSeed) -> u64 {
        self.world.desk.populate_tickets([seed]).remove(0)
    }

    pub fn priority(&self, ticket: u64) -> u64 {
        self.world.desk.ticket(ticket).unwrap().priority
    }

    pub fn tags(&self, ticket: u64) -> Vec<String> {
        self.world.desk.ticket(ticket).unwrap().tags
    }

    pub fn edit(&self, ticket: u64, change: &serde_json::Value) {
        self.world.desk.edit_ticket(ticket, change).unwrap();
    }

    pub fn notes(&self, ticket: u64) -> usize {
        self.world.desk.conversations(ticket).len()
    }

    /// Calls about tickets since the log was last taken.
    pub fn ticket_calls(&self) -> Vec<String> {
        let entries = self.world.desk.backstage().log.entries().into_iter();
        entries
            .filter(|it| it.path.contains("ticket") || it.path.contains("/jobs/"))
            .map(|it| format!("{} {}", it.method, it.path))
            .collect()
    }

    /// The engine dies, and another one opens the state.
    pub async fn restart(&mut self) {
        self.world.let_go(&mut self.engine).await;
        self.engine = self.world.timed_engine(&self.clock).await;
    }

    /// A cycle during which the engine dies at this call: before it was sent, or after it was carried
    /// out. Then another engine opens the state.
    pub async fn die_at(&mut self, call: TicketCall, carried_out: bool) {
        let reached = Arc::new(Notify::new());
        let hook = if carried_out {
            Hook::Swallow(Arc::clone(&reached))
        } else {
            Hook::Vanish(Arc::clone(&reached))
        };
        self.hooked().await.hook_tickets(call, hook);
        self.die_when(&reached).await;
    }

    /// A cycle during which the engine dies when it asks for a second list of tickets. Then another
    /// engine opens the state.
    pub async fn die_at_second_list(&mut self) {
        let reached = Arc::new(Notify::new());
        let vanish = Hook::Vanish(Arc::clone(&reached));
        let hooked = self.hooked().await;
        let second = Arc::clone(&hooked);
        let first = move || second.hook_tickets(TicketCall::List, vanish.clone());
        hooked.hook_tickets(TicketCall::List, Hook::Before(Arc::new(first)));
        self.die_when(&reached).await;
    }

    async fn die_when(&mut self, reached: &Notify) {
        self.clock.advance(TimeDelta::minutes(1));
        tokio::select! {
            report = self.engine.cycle(false) => panic!("no such call: {report:?}"),
            () = reached.notified() => {}
        }
        self.restart().await;
    }

    /// The engine is another one from now on, with something between it and Freshdesk.
    pub async fn hooked(&mut self) -> Arc<Hooked> {
        self.world.let_go(&mut self.engine).await;
        let (engine, hooked) = self.world.lying_engine(&self.clock).await;
        self.engine = engine;
        hooked
    }

    /// A minute later, a cycle, whatever comes of it.
    pub async fn try_turn(&mut self) -> CycleReport {
        self.clock.advance(TimeDelta::minutes(1));
        self.engine.cycle(false).await.unwrap()
    }

    /// A cycle later nothing is written any more.
    pub async fn rests(&mut self) {
        self.world.forget_calls();
        self.turn().await;
        assert_eq!(self.world.writes(), [""; 0], "a further cycle writes again");
    }

    pub fn standard(&self) {
        self.tier("standard");
    }

    pub fn vip(&self) {
        self.tier("vip");
    }

    /// Somebody else, in the CRM alone.
    pub fn person(&self, name: &str, tier: &str) -> u64 {
        let email = format!("{name}@example.com");
        self.world.crm_contact(&[
            ("email", &email),
            ("firstname", name),
            ("customer_tier", tier),
        ])
    }

    pub fn company(&self, name: &str, plan: &str) -> u64 {
        let domain = format!("{name}.example");
        self.world
            .crm_company(&[("name", name), ("domain", &domain), ("plan", plan)])
    }

    pub fn plan(&self, company: u64, plan: &str) {
        let portal = self.world.crm.portal();
        portal
            .edit(CrmKind::Company, company, &[("plan", plan)])
            .unwrap();
    }

    pub fn desk_company(&self, name: &str) -> u64 {
        let companies = self.world.desk.companies();
        companies.iter().find(|it| it.name == name).unwrap().id
    }

    /// A ticket of this person, opened for this company.
    pub fn ticket_of(&self, requester: u64, company: Option<u64>) -> u64 {
        self.seed(TicketSeed {
            requester_id: requester,
            company_id: company,
            ..TicketSeed::default()
        })
    }

    /// What every row of a journal of tickets says: action and outcome.
    pub async fn journal(&self, ticket: u64) -> Vec<String> {
        let rows = self.world.texts(
            "SELECT desk_id || ' ' || action || ' ' || coalesce(outcome, 'open') FROM journal WHERE kind = 'ticket' ORDER BY id",
        );
        let prefix = format!("{ticket} ");
        let rows = rows.await.into_iter();
        rows.filter_map(|row| row.strip_prefix(&prefix).map(str::to_owned))
            .collect()
    }
}

/// Looks at jobs in quick succession.
pub fn impatient(engine: &mut Engine) {
    engine.job_looks = vec![Duration::from_millis(1); 3];
}
