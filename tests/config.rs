//! What admins see when `sync.toml` is wrong, and what the program reads from it when it is right.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use deskbridge::config::{
    self, CompileOptions, Config, CrmConfig, Environment, Secrets, TicketStatus,
};
use deskbridge::mapping::{DeletePolicy, Direction, Lens};
use deskbridge::model::{Kind, Side};
use expect_test::{Expect, expect};
use secrecy::ExposeSecret as _;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

const SHIPPED: &str = include_str!("../sync.toml");
const CONTRACT: &str = include_str!("fixtures/contract.toml");
/// The smallest file that is right.
const SMALL: &str = r#"
[crm]
kind = "hubspot"
token = { env = "HUBSPOT_TOKEN" }
[freshdesk]
url = "https://acme.freshdesk.com"
api_key = { env = "FRESHDESK_API_KEY" }
[contacts]
match = ["email"]
[[contacts.field]]
crm = "email"
freshdesk = "email"
[[contacts.field]]
crm = "firstname"
freshdesk = "name"
"#;

/// Surroundings that a test makes up.
#[derive(Default)]
struct Made {
    variables: BTreeMap<String, String>,
    files: BTreeMap<PathBuf, String>,
}

impl Environment for Made {
    fn variable(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned()
    }
    fn read(&self, path: &Path) -> io::Result<String> {
        let missing = || io::Error::new(io::ErrorKind::NotFound, "no such file");
        self.files.get(path).cloned().ok_or_else(missing)
    }
}

impl Made {
    fn set(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }
    fn file(mut self, path: &str, text: &str) -> Self {
        self.files.insert(path.into(), text.to_owned());
        self
    }
}

fn keys() -> Made {
    Made::default()
        .set("HUBSPOT_TOKEN", "pat-secret-1")
        .set("FRESHDESK_API_KEY", "fd-secret-2")
}

#[track_caller]
fn compiled(source: &str) -> Config {
    match config::compile(source, &keys()) {
        Ok((config, _)) => config,
        Err(errors) => panic!("{}", errors.render(source, "sync.toml", false)),
    }
}

fn shown(source: &str) -> String {
    let found = match config::compile(source, &keys()) {
        Ok((_, warnings)) => warnings,
        Err(errors) => errors,
    };
    found.render(source, "sync.toml", false)
}

/// What is shown when `from` stands as `to` in the shipped file.
#[track_caller]
fn check(from: &str, to: &str, expected: &Expect) {
    assert!(SHIPPED.contains(from), "the shipped file has no {from}");
    expected.assert_eq(&shown(&SHIPPED.replacen(from, to, 1)));
}

#[test]
fn the_shipped_file_is_right_and_its_tests_pass() {
    assert_eq!(shown(SHIPPED), "");
    for result in config::run_tests(&compiled(SHIPPED)) {
        assert!(result.passed(), "{result:?}");
    }
}

#[test]
fn every_key_of_the_contract_means_what_it_says() {
    assert_eq!(shown(CONTRACT), "");
    let config = compiled(CONTRACT);
    let CrmConfig::Hubspot { base_url, token } = &config.crm else {
        panic!("{:?}", config.crm);
    };
    assert!(base_url.is_none());
    assert_eq!(token.value().unwrap().expose_secret(), "pat-secret-1");
    assert_eq!(config.freshdesk.url.as_str(), "https://acme.freshdesk.com/");
    assert_eq!(config.state_path, Path::new("state.db"));
    assert_eq!(config.schedule.poll, Duration::from_secs(60));
    assert_eq!(config.schedule.reconcile, Duration::from_secs(86_400));
    assert_eq!(config.guards.clears.count, 50);
    expect![[r#"
        contact: match email=email, create crm true freshdesk true, Hold
          email ["email"] Lowercase Both Newest
          name ["firstname", "lastname"] FullName Both Newest
          phone ["phone"] Same Both Newest
          job_title ["jobtitle"] Same Both Prefer(Crm)
          custom_fields.tier ["customer_tier"] Values(ValueTable({"standard": "Standard", "vip": "VIP"})) To(Desk) Newest
          company ["@company"] Company Both Newest
        company: match domain=domains name=name, create crm false freshdesk true, Ignore
          name ["name"] Same Both Prefer(Crm)
          domains ["domain"] List Both Prefer(Crm)
          custom_fields.plan ["plan"] Same To(Desk) Prefer(Crm)
    "#]]
    .assert_eq(&described(&config));
    assert_eq!(
        config.ticket_rules[0].statuses,
        [TicketStatus::Number(2), TicketStatus::Number(3)]
    );
    assert_eq!(config.inactive().len(), 2);
    for result in config::run_tests(&config) {
        assert!(result.passed(), "{result:?}");
    }
}

fn described(config: &Config) -> String {
    let mut text = String::new();
    for mapping in [Some(&config.contacts), config.companies.as_ref()] {
        let Some(mapping) = mapping else { continue };
        let keys = mapping
            .keys
            .iter()
            .map(|key| format!("{}={}", key.crm, key.desk));
        text += &format!(
            "{}: match {}, create crm {} freshdesk {}, {:?}\n",
            mapping.kind,
            keys.collect::<Vec<_>>().join(" "),
            mapping.create.crm,
            mapping.create.desk,
            mapping.delete,
        );
        for field in &mapping.fields {
            text += &format!(
                "  {} {:?} {:?} {:?} {:?}\n",
                field.name, field.crm, field.lens, field.direction, field.conflict
            );
        }
    }
    text
}

#[test]
fn a_small_file_is_enough_and_the_rest_is_careful() {
    assert_eq!(shown(SMALL), "");
    let config = compiled(SMALL);
    assert_eq!(config.contacts.delete, DeletePolicy::Hold);
    assert!(config.companies.is_none());
    assert!(config.mapping(Kind::Company).is_none());
    assert!(
        config
            .contacts
            .fields
            .iter()
            .all(|field| field.lens != Lens::Company)
    );
    assert!((config.freshdesk.share - 0.8).abs() < f64::EPSILON);
    assert!(config.inactive().is_empty());
}

#[test]
fn odoo_says_what_it_needs_under_its_own_keys() {
    let source = SMALL.replace(
        "kind = \"hubspot\"\ntoken = { env = \"HUBSPOT_TOKEN\" }",
        "kind = \"odoo\"\nurl = \"https://erp.example.com/odoo\"\napi_key = { credential = \"odoo-api-key\" }\ndatabase = \"main\"",
    );
    let env = keys()
        .set("CREDENTIALS_DIRECTORY", "/run/credentials")
        .set("STATE_DIRECTORY", "/var/lib/deskbridge:/other")
        .file("/run/credentials/odoo-api-key", "odoo-secret-3\n");
    let (config, _) = config::compile(&source, &env).unwrap();
    assert_eq!(config.state_path, Path::new("/var/lib/deskbridge/state.db"));
    let CrmConfig::Odoo {
        url,
        api_key,
        database,
    } = &config.crm
    else {
        panic!("{:?}", config.crm);
    };
    assert_eq!(url.as_str(), "https://erp.example.com/odoo");
    assert_eq!(api_key.value().unwrap().expose_secret(), "odoo-secret-3");
    assert_eq!(database.as_deref(), Some("main"));
}

#[test]
fn a_company_goes_the_way_that_the_admin_says() {
    for (word, direction) in [
        ("both", Some(Direction::Both)),
        ("to_freshdesk", Some(Direction::To(Side::Desk))),
        ("to_crm", Some(Direction::To(Side::Crm))),
        ("none", None),
    ] {
        let source = SHIPPED.replace("company  = \"both\"", &format!("company = \"{word}\""));
        let config = compiled(&source);
        let company = config
            .contacts
            .fields
            .iter()
            .find(|field| field.lens == Lens::Company);
        assert_eq!(company.map(|field| field.direction), direction, "{word}");
    }
}

#[test]
fn no_debug_output_and_no_message_shows_a_key() {
    let config = compiled(SHIPPED);
    let text = format!("{config:?}");
    assert!(
        !text.contains("secret-1") && !text.contains("secret-2"),
        "{text}"
    );
    let pasted = SHIPPED.replace("{ env = \"HUBSPOT_TOKEN\" }", "\"pat-secret-1\"");
    let found = config::compile(&pasted, &keys()).unwrap_err();
    let text = format!("{} {found:?}", found.render(&pasted, "sync.toml", true));
    assert!(
        text.contains("token") && !text.contains("secret-1"),
        "{text}"
    );
}

#[test]
fn the_schema_knows_every_key_of_the_shipped_file() {
    fn missing(value: &toml::Value, schema: &serde_json::Value, path: &str) -> Vec<String> {
        match value {
            toml::Value::Table(table) if schema.get("properties").is_some() => table
                .iter()
                .flat_map(|(key, value)| {
                    let path = format!("{path}.{key}");
                    match schema["properties"].get(key) {
                        Some(schema) => missing(value, schema, &path),
                        None => vec![path],
                    }
                })
                .collect(),
            toml::Value::Array(members) => members
                .iter()
                .flat_map(|member| missing(member, &schema["items"], path))
                .collect(),
            _ => Vec::new(),
        }
    }
    let schema = config::json_schema();
    for source in [SHIPPED, CONTRACT] {
        let file: toml::Value = toml::from_str(source).unwrap();
        assert_eq!(missing(&file, &schema, ""), [""; 0]);
    }
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(
        schema["properties"]["contacts"]["properties"]["create"]["enum"],
        serde_json::json!(["both", "crm", "freshdesk", "none"])
    );
    assert!(
        schema["properties"]["companies"]["properties"]
            .get("company")
            .is_none()
    );
    let text = schema.to_string();
    assert!(!text.contains("null"), "TOML has no null: {text}");
}

#[test]
fn a_changed_mapping_is_recognised_and_another_change_is_not_taken_for_one() {
    let digest = |source: &str| compiled(source).digest();
    let before = digest(SHIPPED);
    for (from, to) in [
        ("\"lowercase\"", "\"trim\""),
        ("vip = \"VIP\"", "vip = \"Gold\""),
        (
            "match    = [\"domain\", \"name\"]",
            "match = [\"name\", \"domain\"]",
        ),
        ("conflict  = \"crm\"", "conflict = \"hold\""),
        (
            "# [contacts.scope]",
            "[contacts.scope]\ncrm = { field = \"x\", in = [1] }",
        ),
    ] {
        assert!(SHIPPED.contains(from), "{from}");
        assert_ne!(digest(&SHIPPED.replacen(from, to, 1)), before, "{from}");
    }
    for (from, to) in [
        ("poll      = \"60s\"", "poll = \"5m\""),
        ("count = 500", "count = 5"),
        ("level  = \"info\"", "level = \"debug\""),
        ("share   = 0.8", "share = 0.5"),
    ] {
        assert!(SHIPPED.contains(from), "{from}");
        assert_eq!(digest(&SHIPPED.replacen(from, to, 1)), before, "{from}");
    }
}

#[test]
fn without_keys_at_hand_a_check_still_tells_everything_else() {
    let options = CompileOptions {
        secrets: Secrets::Optional,
    };
    let (config, warnings) = config::compile_with(SHIPPED, &Made::default(), options).unwrap();
    assert_eq!(warnings.iter().count(), 2);
    assert!(config.freshdesk.api_key.value().is_err());
    assert!(
        config::run_tests(&config)
            .iter()
            .all(config::TestResult::passed)
    );
}

#[test]
fn machines_get_the_same_mistakes_with_line_and_column() {
    let source = SHIPPED.replace("poll      =", "pol       =");
    let found = config::compile(&source, &keys()).unwrap_err();
    let found = serde_json::to_string_pretty(&found.findings(&source)).unwrap();
    expect![[""]].assert_eq(&found);
}

#[test]
fn a_test_that_fails_names_the_field_and_both_values() {
    let source = SHIPPED.replace("name = \"Ada Lovelace\"", "name = \"Ada King\"");
    let results = config::run_tests(&compiled(&source));
    let shown: Vec<String> = results
        .iter()
        .flat_map(|result| {
            result
                .failures
                .iter()
                .map(|failure| format!("{}: {failure}", result.name))
        })
        .collect();
    expect![[""]].assert_eq(&shown.join("\n"));
}

#[test]
fn everything_wrong_is_shown_at_once() {
    expect![[""]].assert_eq(&shown(include_str!("fixtures/wrong.toml")));
}

proptest::proptest! {
    /// Whatever admins type, they get an answer.
    #[test]
    fn nothing_makes_it_panic(cut in 0..SHIPPED.len(), skip in 0..40usize, junk in "[\\PC\n]{0,12}") {
        let floor = |at: usize| SHIPPED.floor_char_boundary(at.min(SHIPPED.len()));
        let (before, after) = (&SHIPPED[..floor(cut)], &SHIPPED[floor(cut + skip)..]);
        for source in [format!("{before}{junk}"), format!("{before}{junk}{after}")] {
            if let Err(errors) = config::compile(&source, &keys()) {
                proptest::prop_assert!(errors.has_errors());
                proptest::prop_assert!(!errors.render(&source, "sync.toml", true).is_empty());
                proptest::prop_assert!(!errors.findings(&source).is_empty());
            }
        }
    }

    /// A value of the wrong type is told apart from everything else, wherever it stands.
    #[test]
    fn a_value_of_another_type_is_a_mistake_and_no_crash(at in 0..60usize, value in "(5|-1|0.5|true|\"\"|\"x\"|\\[\\]|\\[1\\]|\\[\\[\\]\\]|\\{\\}|\\{ a = 1 \\}|2026-01-01|nan|inf|9223372036854775807)") {
        let mut lines: Vec<String> = SHIPPED.lines().map(str::to_owned).collect();
        let keys_at: Vec<usize> = (0..lines.len())
            .filter(|line| !lines[*line].starts_with(['#', '[', ' ']) && lines[*line].contains('='))
            .collect();
        let line = keys_at[at % keys_at.len()];
        let key = lines[line].split('=').next().unwrap().to_owned();
        lines[line] = format!("{key}= {value}");
        let source = lines.join("\n");
        let rendered = shown(&source);
        proptest::prop_assert!(!rendered.contains("$__"), "{}", rendered);
    }
}
