//! `GET /ticket_fields` and `GET /groups`: choices in all their shapes.

use super::options::TicketOptions;
use super::talk::paged;
use crate::sandbox::freshdesk::fields::FieldType;
use crate::sandbox::freshdesk::list::Query;
use crate::sandbox::freshdesk::record::Standing;
use crate::sandbox::freshdesk::reply::{Problem, Reply};
use crate::sandbox::freshdesk::service::Service;
use serde_json::{Map, Value, json};

/// Name, label and type of the fields that every account has.
const DEFAULTS: [(&str, &str, &str); 11] = [
    ("requester", "Search a requester", "default_requester"),
    ("company", "Company", "default_company"),
    ("subject", "Subject", "default_subject"),
    ("ticket_type", "Type", "default_ticket_type"),
    ("source", "Source", "default_source"),
    ("status", "Status", "default_status"),
    ("priority", "Priority", "default_priority"),
    ("group", "Group", "default_group"),
    ("agent", "Agent", "default_agent"),
    ("product", "Product", "default_product"),
    ("description", "Description", "default_description"),
];

impl Service<'_> {
    pub(super) fn ticket_fields(&self, query: &Query) -> Result<Reply, Reply> {
        if let Some((name, _)) = query.iter().find(|(name, _)| name != "type") {
            return Err(Reply::invalid(&[Problem::unknown(name)]));
        }
        let kind = query.first().map(|(_, value)| value.as_str());
        let options = &self.options.tickets;
        let defaults = DEFAULTS.iter().map(|&(name, label, kind)| {
            let choices = self.choices(name);
            (name, label, kind, choices, true)
        });
        let custom = options.custom.iter().map(|field| {
            let choices = (field.kind == FieldType::Dropdown).then(|| json!(field.choices));
            let (name, label) = (field.name.as_str(), field.label.as_str());
            (name, label, field.kind.name(), choices, false)
        });
        let rows = defaults.chain(custom).zip(1_u64..);
        let rows = rows.filter(|((_, _, it, ..), _)| kind.is_none_or(|kind| kind == *it));
        let rows: Value = rows
            .map(|(field, position)| row(options, field, position))
            .collect();
        Ok(super::route::ok(&rows))
    }

    fn choices(&self, name: &str) -> Option<Value> {
        let options = &self.options.tickets;
        match name {
            "ticket_type" => Some(json!(options.types)),
            "status" => {
                let rows = options.statuses.iter();
                let rows = rows.map(|it| (it.id.to_string(), json!([it.label, it.for_customers])));
                Some(Value::Object(rows.collect()))
            }
            "priority" => Some(json!({"Low": 1, "Medium": 2, "High": 3, "Urgent": 4})),
            "source" => Some(json!({
                "Email": 1, "Portal": 2, "Phone": 3, "Forum": 4, "Twitter": 5, "Facebook": 6,
                "Chat": 7, "MobiHelp": 8, "Feedback Widget": 9, "Outbound Email": 10,
            })),
            "group" => {
                let rows = options.groups();
                let rows = rows.map(|(id, name)| (name.to_owned(), Value::from(id)));
                Some(Value::Object(rows.collect()))
            }
            "agent" => {
                let own = self.own_agent();
                let contacts = self.account.contacts.iter();
                let agents = contacts.filter(|it| it.standing == Standing::Agent);
                let rows = agents.map(|it| (it.name.clone(), Value::from(it.id)));
                let own = (own.name, Value::from(own.id));
                Some(Value::Object(rows.chain([own]).collect::<Map<_, _>>()))
            }
            "product" => Some(json!({})),
            _ => None,
        }
    }

    /// Only for administrators.
    pub(super) fn list_groups(&self, query: &Query, url: &str) -> Result<Reply, Reply> {
        self.administrators_only()?;
        let groups: Vec<(u64, &str)> = self.options.tickets.groups().collect();
        let rows = groups.into_iter().map(|(id, name)| {
            json!({
                "id": id,
                "name": name,
                "description": null,
                "escalate_to": null,
                "unassigned_for": null,
                "business_hour_id": null,
                "group_type": "support_agent_group",
                "agent_ids": [self.account.agent],
                "auto_ticket_assign": 0,
                "created_at": "2024-01-15T09:00:00Z",
                "updated_at": "2024-01-15T09:00:00Z",
            })
        });
        paged(rows, query, url)
    }

    /// 403 for the key of a plain agent.
    pub(crate) fn administrators_only(&self) -> Result<(), Reply> {
        if !self.options.quirks.plain_agent {
            return Ok(());
        }
        Err(Reply::denied())
    }
}

type Field<'a> = (&'a str, &'a str, &'a str, Option<Value>, bool);

fn row(options: &TicketOptions, field: Field<'_>, position: u64) -> Value {
    let (name, label, kind, choices, default) = field;
    let is_in = |names: &[String]| names.iter().any(|it| it == name);
    let always = matches!(
        name,
        "requester" | "subject" | "description" | "status" | "priority"
    );
    let mut row = json!({
        "id": 158_000_060_000_u64 + position,
        "name": name,
        "label": label,
        "description": null,
        "position": position,
        "required_for_closure": is_in(&options.required_for_closure),
        "required_for_agents": always || is_in(&options.required_for_agents),
        "type": kind,
        "default": default,
        "customers_can_edit": default,
        "customers_can_filter": false,
        "label_for_customers": label,
        "required_for_customers": matches!(name, "requester" | "subject" | "description"),
        "displayed_to_customers": default,
        "created_at": "2024-01-15T09:00:00Z",
        "updated_at": "2024-01-15T09:00:00Z",
    });
    if let Value::Object(row) = &mut row {
        row.extend(choices.map(|choices| ("choices".to_owned(), choices)));
    }
    row
}
