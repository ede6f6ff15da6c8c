//! What admins see when `sync.toml` is wrong.

use super::made::{SHIPPED, SMALL, compiled, keys, shown};
use deskbridge::config::{self};
use expect_test::{ExpectFile, expect, expect_file};

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
