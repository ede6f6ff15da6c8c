//! What the account and its properties are.

use super::super::Kind;
use super::super::schema::{Property, Source, ValueType};
use super::super::state::State;
use super::{Ask, Problem, Reply};
use serde_json::{Value, json};

/// `GET /account-info/v3/details`.
pub(super) fn account(state: &State) -> Reply {
    let minutes = state.utc_offset_minutes;
    let (sign, size) = (if minutes < 0 { '-' } else { '+' }, minutes.abs());
    let body = json!({
        "portalId": state.portal_id,
        "accountType": "STANDARD",
        "timeZone": state.time_zone,
        "companyCurrency": "EUR",
        "additionalCurrencies": [],
        "utcOffset": format!("{sign}{:02}:{:02}", size / 60, size % 60),
        "utcOffsetMilliseconds": i64::from(minutes) * 60_000,
        "uiDomain": "app.hubspot.com",
        "dataHostingLocation": "eu1",
    });
    Reply::with(200, body.to_string())
}

/// `GET /crm/v3/properties/{kind}`.
pub(super) fn list(state: &State, kind: Kind, ask: &Ask<'_>) -> Reply {
    let archived = ask.flag("archived");
    let all = state.table(kind).schema.all().iter();
    let shown: Vec<Value> = all
        .filter(|p| p.archived == archived)
        .map(described)
        .collect();
    Reply::with(200, json!({ "results": shown }).to_string())
}

/// `GET /crm/v3/properties/{kind}/{name}`.
pub(super) fn one(state: &State, kind: Kind, name: &str) -> Result<Reply, Problem> {
    let property = state.table(kind).schema.get(name);
    let property = property.ok_or_else(|| Problem::missing(vec![name.to_owned()]))?;
    Ok(Reply::with(200, described(property).to_string()))
}

fn described(property: &Property) -> Value {
    let (value_type, field_type) = property.value_type.names();
    let options: Vec<(&str, &str)> = match property.value_type {
        ValueType::Bool => vec![("true", "Yes"), ("false", "No")],
        _ => property
            .options
            .iter()
            .map(|(value, label)| (value.as_str(), label.as_str()))
            .collect(),
    };
    let options: Vec<Value> = (0..)
        .zip(options)
        .map(|(order, (value, label)): (i32, _)| {
            json!({ "label": label, "value": value, "displayOrder": order, "hidden": false })
        })
        .collect();
    let mut described = json!({
        "name": property.name,
        "label": property.label,
        "type": value_type,
        "fieldType": field_type,
        "description": "",
        "groupName": property.group,
        "options": options,
        "displayOrder": -1,
        "calculated": property.source == Source::PrimaryCompany,
        "externalOptions": false,
        "archived": property.archived,
        "hasUniqueValue": property.unique || property.source == Source::Id,
        "hidden": false,
        "modificationMetadata": {
            "archivable": !property.built_in,
            "readOnlyDefinition": property.built_in,
            "readOnlyValue": property.read_only,
        },
        "formField": !property.read_only,
    });
    if let Some(fields) = described.as_object_mut()
        && property.built_in
    {
        // Properties that people made do not say it at all.
        fields.insert("hubspotDefined".to_owned(), Value::Bool(true));
    }
    described
}
