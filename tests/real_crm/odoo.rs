//! A real Odoo 19, as `CRM_URL`, `CRM_DB` and `CRM_API_KEY` name it, and as its administrator drives it.

use serde_json::{Value as Json, json};
use std::env::var;

pub(crate) struct Server {
    pub(crate) url: String,
    pub(crate) database: String,
    pub(crate) key: String,
    client: reqwest::Client,
}

impl Server {
    pub(crate) fn new() -> Self {
        Self {
            url: var("CRM_URL").unwrap(),
            database: var("CRM_DB").unwrap(),
            key: var("CRM_API_KEY").unwrap(),
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
        }
    }

    pub(crate) async fn call(&self, model: &str, method: &str, body: Json) -> Json {
        let url = format!("{}/json/2/{model}/{method}", self.url);
        let call = self.client.post(url).bearer_auth(&self.key).json(&body);
        let answer: Json = call.send().await.unwrap().json().await.unwrap();
        assert!(answer.get("debug").is_none(), "{answer:#}");
        answer
    }

    pub(crate) async fn partners(&self, rows: Vec<Json>) -> Vec<i64> {
        let body = json!({ "vals_list": rows });
        let ids = self.call("res.partner", "create", body).await;
        serde_json::from_value(ids).unwrap()
    }

    pub(crate) async fn partner(&self, values: Json) -> i64 {
        self.partners(vec![values]).await.remove(0)
    }

    pub(crate) async fn write(&self, ids: &[i64], values: Json) {
        let body = json!({ "ids": ids, "vals": values });
        self.call("res.partner", "write", body).await;
    }

    pub(crate) async fn unlink(&self, ids: &[i64]) {
        self.call("res.partner", "unlink", json!({ "ids": ids }))
            .await;
    }
}
