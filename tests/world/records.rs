//! Contacts and companies, as people in the CRM and agents in Freshdesk make, edit and see them.

use super::World;
use deskbridge::sandbox::freshdesk::{Contact, Standing};
use deskbridge::sandbox::hubspot::{Kind as CrmKind, Row};
use serde_json::{Value as Json, json};

impl World {
    /// Somebody in the CRM alone: `Ada` is a contact of this first name, at `ada@acme.test`.
    pub fn crm_person(&self, name: &str, more: &[(&str, &str)]) -> u64 {
        let email = format!("{}@acme.test", name.to_lowercase());
        let who = [("email", email.as_str()), ("firstname", name)];
        self.crm_contact(&[&who[..], more].concat())
    }

    pub fn crm_contact(&self, properties: &[(&str, &str)]) -> u64 {
        self.crm
            .portal()
            .create(CrmKind::Contact, properties)
            .unwrap()
    }

    pub fn crm_company(&self, properties: &[(&str, &str)]) -> u64 {
        self.crm
            .portal()
            .create(CrmKind::Company, properties)
            .unwrap()
    }

    pub fn crm_edit(&self, contact: u64, properties: &[(&str, &str)]) {
        self.crm
            .portal()
            .edit(CrmKind::Contact, contact, properties)
            .unwrap();
    }

    pub fn crm_row(&self, contact: u64) -> Row {
        self.crm.portal().row(CrmKind::Contact, contact).unwrap()
    }

    pub fn desk_by_email(&self, email: &str) -> Contact {
        self.desk
            .contact_by_email(email)
            .unwrap_or_else(|| panic!("no contact {email} in Freshdesk"))
    }

    /// A contact made by an agent in Freshdesk.
    pub fn desk_contact(&self, attributes: &Json) -> u64 {
        self.desk.add_contact(attributes).unwrap()
    }

    /// So many contacts made by agents: `P 0` at `p0@acme.test`, and so on.
    pub fn desk_crowd(&self, people: usize) -> Vec<u64> {
        let person = |number| {
            let email = format!("p{number}@acme.test");
            self.desk_contact(&json!({"name": format!("P {number}"), "email": email}))
        };
        (0..people).map(person).collect()
    }

    /// How many live contacts Freshdesk has.
    pub fn desk_count(&self) -> usize {
        let contacts = self.desk.contacts();
        let live = contacts.iter().filter(|it| it.standing == Standing::Live);
        live.count()
    }

    /// The id in the CRM of whom this address belongs to.
    pub fn crm_by_email(&self, email: &str) -> u64 {
        let found = self.crm.portal().contact_by_email(email);
        found.unwrap_or_else(|| panic!("no contact {email} in the CRM"))
    }

    /// An agent's edit of a contact in Freshdesk.
    pub fn desk_edit(&self, contact: u64, change: &Json) {
        self.desk.edit_contact(contact, change).unwrap();
    }

    /// The telephone that Freshdesk shows; empty where there is none.
    pub fn desk_phone(&self, contact: u64) -> String {
        let contact = self.desk.contact(contact).unwrap();
        contact.phone.unwrap_or_default()
    }

    /// How many live contacts there are: in the CRM, and in Freshdesk.
    pub fn contacts(&self) -> (usize, usize) {
        let crm = self.crm.portal().count(CrmKind::Contact);
        (crm, self.desk_count())
    }
}
