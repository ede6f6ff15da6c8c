//! What the server does with companies, whoever asks.

use super::fields::{HEALTH, INDUSTRIES, TIERS};
use super::form::Form;
use super::record::{Company, Shape, Shown};
use super::reply::{Problem, Reply};
use super::service::{Body, Service, location};
use axum::http::{StatusCode, header};
use serde_json::Value;

impl Service<'_> {
    pub(super) fn create_company(&mut self, body: &Body) -> Result<Reply, Reply> {
        let id = self.account.next_id();
        let blank = Company::new(id, self.options.schema.company.len(), self.second());
        let company = self.filled_company(body, blank, true)?;
        let reply = self.show_company(StatusCode::CREATED, &company, Shape::Echo);
        self.store_company(company);
        Ok(reply.with(header::LOCATION, location("companies", id)))
    }

    pub(super) fn update_company(&mut self, id: u64, body: &Body) -> Result<Reply, Reply> {
        let old = self.account.companies.get(id).cloned();
        let old = old.ok_or_else(Reply::missing)?;
        let mut company = self.filled_company(body, old.clone(), false)?;
        if company == old {
            return Ok(self.show_company(StatusCode::OK, &old, Shape::Echo));
        }
        company.updated_at = self.second();
        let reply = self.show_company(StatusCode::OK, &company, Shape::Echo);
        self.store_company(company);
        Ok(reply)
    }

    /// For good; its contacts stay, and their `updated_at` too.
    pub(super) fn delete_company(&mut self, id: u64) -> Result<Reply, Reply> {
        let company = self.account.companies.take(id).ok_or_else(Reply::missing)?;
        let lag = self.options.search_lag;
        self.account
            .old_companies
            .note(id, || Some(company), lag, self.now);
        self.release_tickets_of(id);
        for contact in self.account.contacts.of_company(id) {
            let Some(mut contact) = self.account.contacts.get(contact).cloned() else {
                continue;
            };
            contact.company_id = contact.company_id.filter(|it| *it != id);
            contact.other_companies.retain(|(it, _)| *it != id);
            self.keep_contact(contact);
        }
        Ok(Reply::empty(StatusCode::NO_CONTENT))
    }

    fn filled_company(&self, body: &Body, company: Company, new: bool) -> Result<Company, Reply> {
        let mut form = self.form();
        let mut company = company;
        if new {
            form.demand(body, "name");
        }
        for (key, value) in body {
            self.company_attribute(&mut form, key, value, &mut company);
        }
        form.accept()?;
        let conflicts = self.account.companies.conflicts(&company);
        if conflicts.is_empty() {
            return Ok(company);
        }
        Err(Reply::conflict(&conflicts))
    }

    fn company_attribute(&self, form: &mut Form, key: &str, value: &Value, into: &mut Company) {
        match key {
            "name" => form.name(key, value, &mut into.name),
            "description" => form.paragraph(key, value, &mut into.description),
            "note" => form.paragraph(key, value, &mut into.note),
            "domains" => {
                if let Some(domains) = form.texts(key, value) {
                    into.domains = domains.iter().map(|it| it.to_lowercase()).collect();
                }
            }
            "health_score" => form.choice(key, value, &HEALTH, &mut into.health_score),
            "account_tier" => form.choice(key, value, &TIERS, &mut into.account_tier),
            "industry" => form.choice(key, value, &INDUSTRIES, &mut into.industry),
            "renewal_date" => form.day(key, value, &mut into.renewal_date),
            "custom_fields" => form.custom(&self.options.schema.company, value, &mut into.custom),
            _ => form.wrong(Problem::unknown(key)),
        }
    }

    pub(super) fn show_company(
        &mut self,
        status: StatusCode,
        record: &Company,
        shape: Shape,
    ) -> Reply {
        let shown = Shown {
            record,
            fields: &self.options.schema.company,
            shape,
            nonce: 0,
        };
        Reply::json(status, &shown)
    }

    fn store_company(&mut self, mut company: Company) {
        if self.options.quirks.second_tick {
            company.updated_at += 1;
        }
        let old = || self.account.companies.get(company.id).cloned();
        let lag = self.options.search_lag;
        self.account
            .old_companies
            .note(company.id, old, lag, self.now);
        self.account.companies.put(company);
    }
}
