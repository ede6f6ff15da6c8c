//! What admins see when `sync.toml` is wrong, and what the program reads from it when it is right.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod tickets;

use deskbridge::config::{self, CompileOptions, Config, CrmConfig, Environment, Secrets};
use deskbridge::mapping::{DeletePolicy, Direction, Lens, TicketStatus};
use deskbridge::model::{Kind, Side};
use expect_test::{ExpectFile, expect, expect_file};
use secrecy::ExposeSecret as _;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

const SHIPPED: &str = include_str!("../../sync.toml");
const CONTRACT: &str = include_str!("../fixtures/contract.toml");
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

/// What is found when `from` stands as `to` in the shipped file, a line each.
#[track_caller]
fn found(from: &str, to: &str) -> String {
    assert!(SHIPPED.contains(from), "the shipped file has no {from}");
    let source = SHIPPED.replacen(from, to, 1);
    let found = match config::compile(&source, &keys()) {
        Ok((_, warnings)) => warnings,
        Err(errors) => errors,
    };
    let lines = found.findings(&source).into_iter().map(|one| {
        let help = one
            .help
            .map_or_else(String::new, |help| format!("\n    {help}"));
        format!(
            "  {:?} {}:{} {}{help}\n",
            one.severity, one.line, one.column, one.message
        )
    });
    format!("{to}\n{}", lines.collect::<String>())
}

/// Every slip in the shipped file and what is said to it.
#[track_caller]
fn slips(slips: &[(&str, &str)], expected: &ExpectFile) {
    let said: String = slips.iter().map(|(from, to)| found(from, to)).collect();
    expected.assert_eq(&said);
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

#[test]
fn machines_get_the_same_mistakes_with_line_and_column() {
    let source = SHIPPED.replace("poll      =", "pol       =");
    let found = config::compile(&source, &keys()).unwrap_err();
    let found = serde_json::to_string_pretty(&found.findings(&source)).unwrap();
    expect![[r#"
        [
          {
            "severity": "error",
            "message": "unknown key `schedule.pol`",
            "line": 42,
            "column": 1,
            "help": "did you mean `poll`? Allowed: `poll`, `reconcile`, `reconcile_at`"
          }
        ]"#]]
    .assert_eq(&found);
}

#[test]
fn a_test_that_fails_names_the_field_and_both_values() {
    let source = SHIPPED.replace("name = \"Ada Lovelace\"", "name = \"Ada King\"")
        + "[[test]]\nname = \"words\"\nrecord = \"contact\"\ncrm = { customer_tier = \"gold\" }\n\
           freshdesk = { \"custom_fields.tier\" = \"VIP\" }\n\
           [[test]]\nname = \"back\"\nrecord = \"contact\"\ncrm = { firstname = \"Ada Augusta\", lastname = \"King\" }\n\
           freshdesk = { name = \"Ada Augusta King\" }\n";
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
    expect![[r#"
        tier names: name would be "Ada Lovelace" in Freshdesk, not "Ada King"
        words: custom_fields.tier would be left alone (the value is not in the field's table of values) in Freshdesk, not "VIP""#]]
        .assert_eq(&shown.join("\n"));
}

#[test]
fn everything_wrong_is_shown_at_once() {
    expect_file!["../fixtures/wrong.txt"].assert_eq(&shown(include_str!("../fixtures/wrong.toml")));
}

#[test]
fn a_slip_about_the_two_systems_says_what_would_be_right() {
    slips(
        &[
            ("kind  = \"hubspot\"", "kind = \"salesforce\""),
            ("kind  = \"hubspot\"", "kind = \"hubspott\""),
            ("kind  = \"hubspot\"", "kind = \"odoo\""),
            ("kind  = \"hubspot\"", ""),
            ("[freshdesk]", "[fresh_desk]"),
            (
                "token = { env = \"HUBSPOT_TOKEN\" }",
                "token = { env = \"A\", file = \"b\" }",
            ),
            (
                "token = { env = \"HUBSPOT_TOKEN\" }",
                "token = { file = \"/no/such\" }",
            ),
            (
                "token = { env = \"HUBSPOT_TOKEN\" }",
                "token = { credential = \"hubspot\" }",
            ),
            (
                "token = { env = \"HUBSPOT_TOKEN\" }",
                "token = { credential = \"/etc/key\" }",
            ),
            ("token = { env = \"HUBSPOT_TOKEN\" }", "token = {}"),
            (
                "token = { env = \"HUBSPOT_TOKEN\" }",
                "token = { enw = \"HUBSPOT_TOKEN\" }",
            ),
            (
                "# base_url = \"https://api.hubapi.com\"",
                "base_url = \"http://127.9.9.9:80/x/\"",
            ),
            (
                "# base_url = \"https://api.hubapi.com\"",
                "base_url = \"http://[::1]:8080\"",
            ),
            (
                "# base_url = \"https://api.hubapi.com\"",
                "base_url = \"http://localhost:8080\"",
            ),
            (
                "# base_url = \"https://api.hubapi.com\"",
                "base_url = \"http://localhost.example.com\"",
            ),
            (
                "https://acme.freshdesk.com",
                "https://me:pw@acme.freshdesk.com",
            ),
            ("https://acme.freshdesk.com", "acme.freshdesk.com"),
            (
                "https://acme.freshdesk.com",
                "https://acme.freshdesk.com/api/v2",
            ),
            ("https://acme.freshdesk.com", "https://help.acme.com"),
            ("share   = 0.8", "share = 0"),
            ("poll      = \"60s\"", "poll = \"1s\""),
            ("poll      = \"60s\"", "poll = 60s"),
            ("reconcile = \"24h\"", "reconcile = \"30s\""),
            ("reconcile = \"24h\"", "reconcile = \"500d\""),
            ("path = \"state.db\"", "path = \"\""),
            ("path = \"state.db\"", "poll = \"60s\""),
            ("[state]", "state = 2026-01-01\n[stat]"),
        ],
        &expect_file!["../fixtures/slips_systems.txt"],
    );
}

#[test]
fn a_slip_about_a_mapping_says_what_would_be_right() {
    slips(
        &[
            ("[[contacts.field]]", "[contacts.field]"),
            ("[contacts]", "[contact]"),
            ("match    = [\"email\"]", "match = []"),
            ("match    = [\"email\"]", "match = \"email\""),
            (
                "match    = [\"email\"]",
                "match = [\"email\", \"email\", \"phone\"]",
            ),
            ("match    = [\"email\"]", "match = [\"customer_tier\"]"),
            ("via       = \"lowercase\"", "direction = \"to_crm\""),
            ("via       = \"lowercase\"", "via = \"lowercase:DE\""),
            ("via       = \"lowercase\"", "via = 3"),
            ("# via     = \"phone:DE\"", "via = \"phone:XX\""),
            (
                "[\"firstname\", \"lastname\"]",
                "[\"firstname\", \"firstname\"]",
            ),
            ("[\"firstname\", \"lastname\"]", "[]"),
            ("[\"firstname\", \"lastname\"]", "[\"firstname\", 3]"),
            ("\"jobtitle\"", "\"properties.jobtitle\""),
            ("\"jobtitle\"", "\" jobtitle\""),
            ("\"jobtitle\"", "\"@company\""),
            ("\"job_title\"", "\"custom_fields.\""),
            ("\"job_title\"", "\"jobtitle\""),
            ("\"job_title\"", "\"custom.title\""),
            (
                "conflict  = \"crm\"",
                "conflict = \"crm\"\ndirection = \"to_crm\"",
            ),
            (
                "values    = { vip = \"VIP\", standard = \"Standard\" }",
                "values = {}",
            ),
            (
                "values    = { vip = \"VIP\", standard = \"Standard\" }",
                "values = { vip = \"\" }",
            ),
            (
                "values    = { vip = \"VIP\", standard = \"Standard\" }",
                "values = { vip = \"VIP\", gold = \"VIP\" }",
            ),
            ("company  = \"both\"", "company = \"off\""),
            ("# [contacts.scope]", "[contacts.scope]"),
            (
                "# [contacts.scope]",
                "[contacts.scope]\ncrm = { in = [[1]] }",
            ),
            ("delete   = \"ignore\"", "delete = \"propagate\""),
            ("delete   = \"ignore\"", "company = \"both\""),
            (
                "\"custom_fields.tier\" = \"VIP\"",
                "custom_fields.tier = \"VIP\", phnoe = 1",
            ),
            ("record    = \"contact\"", "record = \"person\""),
        ],
        &expect_file!["../fixtures/slips_mappings.txt"],
    );
}

#[test]
fn without_companies_what_needs_them_is_refused() {
    let source = SMALL.replace("match =", "company = \"to_crm\"\nmatch =")
        + "[[ticket_rule]]\nname = \"a\"\nwhen = { record = \"company\", field = \"plan\", in = [\"x\"] }\ntags = [\"a\"]\n\
           [[test]]\nname = \"a\"\nrecord = \"company\"\ncrm = {}\nfreshdesk = { name = \"\" }\n";
    expect![[r#"
        error: a contact's company can only be kept where companies are
         --> sync.toml:9:11
          |
        9 | company = "to_crm"
          |           ^^^^^^^^
          |
          = help: add a section [companies], or write company = "none"

        error: companies are not read: there is no [companies]
          --> sync.toml:19:19
           |
        19 | when = { record = "company", field = "plan", in = ["x"] }
           |                   ^^^^^^^^^
           |
           = help: add a section [companies], or look at the contact

        error: companies are not mapped: there is no [companies]
          --> sync.toml:23:10
           |
        23 | record = "company"
           |          ^^^^^^^^^"#]]
    .assert_eq(&shown(&source));
}

#[test]
fn one_slip_in_the_syntax_is_one_error_and_not_forty() {
    for (from, to) in [
        ("match    = [\"email\"]", "match    = [\"email\""),
        ("kind  = \"hubspot\"", "kind  = \"hubspot"),
        ("[contacts]", "[contacts"),
        ("[[contacts.field]]", "[contacts.field]]"),
        ("{ env = \"HUBSPOT_TOKEN\" }", "{ env = \"HUBSPOT_TOKEN\""),
    ] {
        assert!(SHIPPED.contains(from), "{from}");
        let source = SHIPPED.replacen(from, to, 1);
        let errors = config::compile(&source, &keys()).unwrap_err();
        let said = errors.render(&source, "sync.toml", false);
        assert_eq!(errors.iter().count(), 1, "{from}: {said}");
        let line = errors.findings(&source)[0].line;
        let slip = source.lines().position(|it| it.contains(to)).unwrap() + 1;
        assert!(
            (slip..slip + 12).contains(&line),
            "{from}, line {slip}: {said}"
        );
    }
}

#[test]
fn an_empty_or_torn_file_is_answered_in_full() {
    expect![[r"
        error: the section `[crm]` is missing
         --> sync.toml:1:1
          |
        1 |
          | ^

        error: the section `[freshdesk]` is missing
         --> sync.toml:1:1
          |
        1 |
          | ^

        error: the section `[contacts]` is missing
         --> sync.toml:1:1
          |
        1 |
          | ^"]]
    .assert_eq(&shown(""));
    expect![[r"
        error: string values must be quoted, expected literal string
         --> sync.toml:2:8
          |
        2 | kind = hubspot
          |        ^^^^^^^"]]
    .assert_eq(&shown(
        "[crm]\nkind = hubspot\ntoken = \"x\n[freshdesk\nurl = 'a'\nurl = 'b'\n",
    ));
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
