//! The real binary between Odoo and a simulated Freshdesk.

use super::partners::text;
use super::server::Server;
use deskbridge::sandbox::freshdesk::{Contact, FreshdeskSim, Options};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::process::Command;
use tempfile::TempDir;

/// What is kept in step in these tests.
const MAPPINGS: &str = r#"
[contacts]
match    = ["email"]
create   = "both"
conflict = "newest"
delete   = "hold"
company  = "both"

[[contacts.field]]
crm       = "email"
freshdesk = "email"
via       = "lowercase"

[[contacts.field]]
crm       = "name"
freshdesk = "name"

[[contacts.field]]
crm       = "phone"
freshdesk = "phone"

[[contacts.field]]
crm       = "function"
freshdesk = "job_title"
conflict  = "crm"

[[contacts.field]]
crm       = "x_deskbridge_tier"
freshdesk = "custom_fields.tier"
direction = "to_freshdesk"
values    = { vip = "VIP", standard = "Standard" }

[[contacts.field]]
crm       = "x_deskbridge_news"
freshdesk = "custom_fields.newsletter"
via       = "boolean"

[companies]
match    = ["name"]
create   = "both"
conflict = "crm"
delete   = "hold"

[[companies.field]]
crm       = "name"
freshdesk = "name"

[[companies.field]]
crm       = "phone"
freshdesk = "note"
direction = "to_freshdesk"
"#;

/// The calls of a cycle that changed something in Odoo, or were to.
pub(crate) fn odoo_writes(report: &Value) -> u64 {
    let calls = report["endpoints"]["crm"].as_object().unwrap().iter();
    let method = |name: &str| name.rsplit('.').next().unwrap().to_owned();
    let writes = calls.filter(|(name, _)| ["create", "write"].contains(&method(name).as_str()));
    writes.map(|(_, number)| number.as_u64().unwrap()).sum()
}

/// Both systems, and the binary's configuration and state.
pub(crate) struct Bridge {
    pub(crate) odoo: Server,
    pub(crate) desk: FreshdeskSim,
    dir: TempDir,
}

impl Bridge {
    pub(crate) async fn new() -> Self {
        let odoo = Server::new();
        odoo.customize().await;
        let desk = FreshdeskSim::start(Options::default()).await.unwrap();
        let dir = tempfile::tempdir().unwrap();
        let systems = format!(
            "[crm]\nkind = \"odoo\"\nurl = \"{}\"\ndatabase = \"{}\"\n\
             api_key = {{ env = \"CRM_API_KEY\" }}\n\n\
             [freshdesk]\nurl = \"{}\"\napi_key = {{ env = \"FRESHDESK_API_KEY\" }}\n\n\
             [state]\npath = \"{}\"\n",
            odoo.url,
            odoo.database,
            desk.url(),
            dir.path().join("state.db").display(),
        );
        std::fs::write(dir.path().join("sync.toml"), systems + MAPPINGS).unwrap();
        Self { odoo, desk, dir }
    }

    /// Runs the binary to its end, and returns its exit code and what it printed.
    pub(crate) fn run(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_deskbridge"));
        command
            .arg("-c")
            .arg(self.dir.path().join("sync.toml"))
            .args(arguments)
            .env("FRESHDESK_API_KEY", self.desk.api_key())
            .env("NO_PROXY", "127.0.0.1")
            .env_remove("RUST_LOG");
        let output = tokio::task::block_in_place(|| command.output()).unwrap();
        let complaints = String::from_utf8_lossy(&output.stderr);
        eprintln!("{arguments:?}\n{complaints}");
        (
            output.status.code(),
            String::from_utf8(output.stdout).unwrap(),
        )
    }

    /// Runs the binary and reads the JSON that it prints.
    pub(crate) fn json(&self, arguments: &[&str], code: i32) -> Value {
        let (exit, printed) = self.run(arguments);
        assert_eq!(exit, Some(code), "{arguments:?}\n{printed}");
        serde_json::from_str(&printed).unwrap()
    }

    /// A cycle that does its work and ends with `code`; how many it created and updated.
    pub(crate) fn sync(&self, code: i32) -> [u64; 2] {
        let report = self.cycle(code);
        assert_eq!(
            (&report["outcome"], &report["failed"], &report["deleted"]),
            (&json!("done"), &json!(0), &json!(0)),
            "{report:#}"
        );
        ["created", "updated"].map(|name| report[name].as_u64().unwrap())
    }

    pub(crate) fn cycle(&self, code: i32) -> Value {
        self.json(&["sync", "--json"], code)
    }

    /// A further cycle finds nothing to do, and no system is asked to change anything. What Odoo
    /// would be asked is in the report's counts of calls.
    pub(crate) fn settled(&self, code: i32) {
        drop(self.desk.backstage().log.take());
        let report = self.cycle(code);
        for name in ["created", "updated", "deleted", "linked", "failed"] {
            assert_eq!(report[name], 0, "{report:#}");
        }
        assert_eq!(self.desk_writes(), Vec::<String>::new());
        assert_eq!(odoo_writes(&report), 0, "{report:#}");
    }

    /// The calls that change something in Freshdesk.
    pub(crate) fn desk_writes(&self) -> Vec<String> {
        let all = self.desk.backstage().log.entries().into_iter();
        all.filter(|call| call.method != "GET")
            .map(|call| format!("{} {}", call.method, call.path))
            .collect()
    }

    pub(crate) fn desk_contact(&self, email: &str) -> Contact {
        self.desk
            .contact_by_email(email)
            .unwrap_or_else(|| panic!("no {email} in Freshdesk"))
    }

    pub(crate) fn desk_company(&self, name: &str) -> u64 {
        let found = self.desk.companies();
        let found = found.iter().find(|company| company.name == name);
        found.unwrap_or_else(|| panic!("no {name} in Freshdesk")).id
    }

    /// Freshdesk's contacts, each as one line of its mapped fields.
    pub(crate) fn desk_people(&self) -> Vec<Vec<Option<String>>> {
        let companies: BTreeMap<u64, String> = self
            .desk
            .companies()
            .into_iter()
            .map(|company| (company.id, company.name))
            .collect();
        let mut people: Vec<_> = self
            .desk
            .contacts()
            .into_iter()
            .map(|contact| {
                let tier = text(&self.desk.contact_field(&contact, "tier"));
                let news = self.desk.contact_field(&contact, "newsletter") == true;
                vec![
                    Some(contact.name),
                    contact.email,
                    contact.phone,
                    contact.job_title,
                    contact.company_id.map(|id| companies[&id].clone()),
                    tier,
                    Some(news.to_string()),
                ]
            })
            .collect();
        people.sort();
        people
    }

    /// Odoo's customers, each as Freshdesk should show it. Staff and address cards are no contacts.
    pub(crate) async fn odoo_people(&self) -> Vec<Vec<Option<String>>> {
        let customers = json!([
            ["is_company", "=", false],
            ["partner_share", "=", true],
            ["type", "=", "contact"],
        ]);
        let companies: BTreeMap<i64, String> = self
            .odoo
            .search(json!([["is_company", "=", true]]))
            .await
            .iter()
            .map(|row| (row["id"].as_i64().unwrap(), text(&row["name"]).unwrap()))
            .collect();
        let line = |row: &Value| {
            let tier = match row["x_deskbridge_tier"].as_str() {
                Some("vip") => Some("VIP".to_owned()),
                Some("standard") => Some("Standard".to_owned()),
                _ => None,
            };
            let parent = row["parent_id"][0].as_i64();
            vec![
                text(&row["name"]),
                text(&row["email"]).map(|email| email.to_lowercase()),
                text(&row["phone"]),
                text(&row["function"]),
                parent.map(|id| companies[&id].clone()),
                tier,
                Some((row["x_deskbridge_news"] == true).to_string()),
            ]
        };
        let mut people: Vec<_> = self.odoo.search(customers).await.iter().map(line).collect();
        people.sort();
        people
    }

    /// Both systems show the same people and the same companies.
    pub(crate) async fn agree(&self) {
        assert_eq!(self.desk_people(), self.odoo_people().await);
        let mut here: Vec<_> = self
            .odoo
            .search(json!([["is_company", "=", true]]))
            .await
            .iter()
            .map(|row| (text(&row["name"]).unwrap(), text(&row["phone"])))
            .collect();
        let mut there: Vec<_> = self
            .desk
            .companies()
            .into_iter()
            .map(|company| (company.name, company.note))
            .collect();
        here.sort();
        there.sort();
        assert_eq!(there, here);
    }
}
