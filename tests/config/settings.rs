//! What the program reads from `sync.toml` when it is right.

use super::made::{CONTRACT, Made, SHIPPED, SMALL, compiled, keys, shown};
use deskbridge::config::{self, CompileOptions, Config, CrmConfig, Secrets};
use deskbridge::mapping::{DeletePolicy, Direction, Lens, TicketStatus};
use deskbridge::model::{Kind, Side};
use expect_test::expect;
use secrecy::ExposeSecret as _;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

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
    assert_eq!(config.schedule.poll, Duration::from_mins(1));
    assert_eq!(config.schedule.reconcile, Duration::from_hours(24));
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
        config.ticket_rules[0].tickets.status,
        [TicketStatus::Number(2), TicketStatus::Number(3)]
    );
    for result in config::run_tests(&config) {
        assert!(result.passed(), "{result:?}");
    }
}

#[test]
fn whoever_looks_every_other_day_does_not_have_everything_read_each_day() {
    let text = SMALL.to_owned() + "\n[schedule]\npoll = \"48h\"\n";
    assert_eq!(shown(&text), "");
    let schedule = compiled(&text).schedule;
    assert_eq!(schedule.reconcile, Duration::from_hours(48));
}

fn described(config: &Config) -> String {
    let mut text = String::new();
    for mapping in [Some(&config.contacts), config.companies.as_ref()] {
        let Some(mapping) = mapping else { continue };
        let keys = mapping
            .keys
            .iter()
            .map(|key| format!("{}={}", key.crm, key.desk));
        writeln!(
            text,
            "{}: match {}, create crm {} freshdesk {}, {:?}",
            mapping.kind,
            keys.collect::<Vec<_>>().join(" "),
            mapping.create.crm,
            mapping.create.desk,
            mapping.delete,
        )
        .unwrap();
        for field in &mapping.fields {
            writeln!(
                text,
                "  {} {:?} {:?} {:?} {:?}",
                field.name, field.crm, field.lens, field.direction, field.conflict
            )
            .unwrap();
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
}

#[test]
fn a_journal_is_never_kept_for_a_shorter_time_than_the_admin_says() {
    let kept = |line: &str| {
        let text = format!("{SMALL}\n[state]\n{line}\n");
        let compiled = config::compile(&text, &keys()).ok();
        compiled.map(|(config, _)| config.state_keep.as_secs() / 86_400)
    };
    assert_eq!(kept(""), Some(400));
    assert_eq!(kept("keep = \"30d\""), Some(30));
    assert_eq!(kept("keep = \"3650d\""), Some(3650));
    for wrong in ["1d", "0s", "4000d", "30", "-30d", "for ever"] {
        assert_eq!(kept(&format!("keep = \"{wrong}\"")), None, "{wrong}");
    }
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
    for pasted in [
        "\"pat-secret-1\"",
        "'pat-secret-1",
        "\"\"\"\npat-secret-1\"\"\"",
        "{ value = \"pat-secret-1\" }",
    ] {
        let pasted = SHIPPED.replace("{ env = \"HUBSPOT_TOKEN\" }", pasted);
        let found = config::compile(&pasted, &keys()).unwrap_err();
        let text = format!("{} {found:?}", found.render(&pasted, "sync.toml", true));
        assert!(
            text.contains("token") && !text.contains("secret-1"),
            "{text}"
        );
    }
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
        schema["required"],
        serde_json::json!(["crm", "freshdesk", "contacts"])
    );
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
