//! Fingerprints of what the file means, so that a change is recognised: of the mappings, and of everything
//! that decides what a plan has.

use super::Config;
use crate::mapping::{ConflictPolicy, DeletePolicy, Field, Mapping, Scope};
use crate::model::fingerprint;
use serde_json::{Value as Json, json};

impl Config {
    /// 32 hexadecimal digits that are the same as long as the mappings mean the same: fields,
    /// lenses, directions, policies, match keys, creation, deletion, scope and watched fields. Neither the order of
    /// fields nor anything outside of `[contacts]` and `[companies]` counts.
    #[must_use]
    pub fn digest(&self) -> String {
        let companies = self.companies.as_ref().map(meaning);
        let text = json!([meaning(&self.contacts), companies]).to_string();
        fingerprint(&text)
    }

    /// 32 hexadecimal digits that are the same as long as the same records lead to the same plan: beside
    /// [`Config::digest`] the ticket rules, the support summary and the guards. When something is done,
    /// how it is logged, where the state and the systems are and with which keys counts for nothing. Only
    /// for comparison with another one by the same version of this program.
    #[must_use]
    pub fn plan_digest(&self) -> String {
        let rules = format!("{:?}", self.ticket_rules);
        let summary = format!("{:?}", self.support_summary);
        let guards = format!("{:?}", self.guards);
        fingerprint(&json!([self.digest(), rules, summary, guards]).to_string())
    }
}

fn meaning(mapping: &Mapping) -> Json {
    let mut fields: Vec<Json> = mapping.fields.iter().map(field).collect();
    fields.sort_by_key(Json::to_string);
    let keys: Vec<&str> = mapping.keys.iter().map(|key| key.crm.as_str()).collect();
    json!({
        "fields": fields,
        "keys": keys,
        "create": [mapping.create.crm, mapping.create.desk],
        "delete": match mapping.delete {
            DeletePolicy::Hold => "hold",
            DeletePolicy::Ignore => "ignore",
            DeletePolicy::Propagate => "propagate",
        },
        "watched": [mapping.watched.crm, mapping.watched.desk],
        "scope": [scope(mapping.scope.crm.as_ref()), scope(mapping.scope.desk.as_ref())],
    })
}

fn field(field: &Field) -> Json {
    let conflict = match field.conflict {
        ConflictPolicy::Newest => "newest",
        ConflictPolicy::Prefer(side) => side.word(),
        ConflictPolicy::Hold => "hold",
    };
    let mut told = field.meaning();
    told.push(json!(conflict));
    Json::Array(told)
}

fn scope(scope: Option<&Scope>) -> Json {
    scope.map_or(Json::Null, |scope| {
        let mut values: Vec<String> = scope
            .values
            .iter()
            .map(|value| value.to_json().to_string())
            .collect();
        values.sort_unstable();
        json!([scope.field, values])
    })
}
