//! The JSON Schema of `sync.toml`, derived from the structs that read it.

use super::raw::Raw;
use schemars::generate::SchemaSettings;
use serde_json::Value as Json;

/// The JSON Schema of `sync.toml` (draft 2020-12), for editors and for checks before a deployment.
#[must_use]
pub fn json_schema() -> Json {
    let settings =
        SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    settings
        .into_generator()
        .into_root_schema_for::<Raw>()
        .to_value()
}

/// The keys that are known in the table at `path`, a list's index being any number; `None` where
/// no table of fixed keys is there.
pub(super) fn known_keys(path: &[String]) -> Option<Vec<String>> {
    let schema = json_schema();
    let mut at = &schema;
    for part in path {
        at = at
            .get("properties")
            .and_then(|properties| properties.get(part))
            .or_else(|| at.get("items").filter(|_| part.parse::<usize>().is_ok()))?;
    }
    let properties = at.get("properties")?.as_object()?;
    Some(properties.keys().cloned().collect())
}
