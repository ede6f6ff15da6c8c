//! Odoo's partners, as these tests look at them and change them.

use super::server::Server;
use serde_json::{Value, json};

/// The columns of a partner that the tests look at.
const COLUMNS: [&str; 8] = [
    "name",
    "email",
    "phone",
    "function",
    "is_company",
    "parent_id",
    "x_deskbridge_tier",
    "x_deskbridge_news",
];

impl Server {
    pub(crate) async fn search(&self, domain: Value) -> Vec<Value> {
        let body = json!({ "domain": domain, "fields": COLUMNS, "order": "id" });
        let rows = self.call("res.partner", "search_read", body).await;
        serde_json::from_value(rows).unwrap()
    }

    /// The one active partner of this name.
    pub(crate) async fn named(&self, name: &str) -> Value {
        let mut rows = self.search(json!([["name", "=", name]])).await;
        assert_eq!(rows.len(), 1, "{name}: {rows:#?}");
        rows.remove(0)
    }

    /// Writes `values` so that the change has another second than the last one: Odoo shows whole ones,
    /// and two states within one cannot be told apart.
    pub(crate) async fn write_later(&self, id: i64, values: Value) {
        let second = async || {
            let body = json!({ "ids": [id], "fields": ["write_date"] });
            self.call("res.partner", "read", body).await[0]["write_date"].clone()
        };
        let before = second().await;
        self.write(&[id], values.clone()).await;
        while second().await == before {
            self.write(&[id], values.clone()).await;
        }
    }

    /// The two fields of a customer's own that Odoo's demo data lack.
    pub(crate) async fn customize(&self) {
        let ours =
            json!({ "domain": [["name", "=like", "x_deskbridge_tier"]], "fields": ["name"] });
        let there = self.call("ir.model.fields", "search_read", ours).await;
        if there != json!([]) {
            return;
        }
        let model = json!({ "domain": [["model", "=", "res.partner"]], "fields": ["id"] });
        let model = self.call("ir.model", "search_read", model).await[0]["id"].clone();
        let word = |value: &str| json!([0, 0, { "value": value, "name": value }]);
        let rows = json!([
            {
                "model_id": model, "name": "x_deskbridge_tier", "field_description": "Tier",
                "ttype": "selection", "selection_ids": [word("vip"), word("standard")],
            },
            {
                "model_id": model, "name": "x_deskbridge_news", "field_description": "Newsletter",
                "ttype": "boolean",
            },
        ]);
        self.call("ir.model.fields", "create", json!({ "vals_list": rows }))
            .await;
    }
}

/// A value of Odoo, whose `false` stands for nothing.
pub(crate) fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}
