//! What admins see when a ticket rule or the support summary is wrong, and what is read for them.

use super::made::keys;
use deskbridge::config::{self, Config, Diagnostics};
use deskbridge::mapping::{
    Check, Note, NoteFacts, Standing, SupportFact, SupportSummary, Test, TicketFilter, TicketStatus,
};
use deskbridge::model::{Image, Kind, Pair, Priority, RecordId, TicketImage, Value};
use expect_test::{expect, expect_file};
use std::fmt::Write as _;

/// Contacts with a mapped tier, and companies.
const SMALL: &str = concat!(
    include_str!("../fixtures/small.toml"),
    r#"[[contacts.field]]
crm = "customer_tier"
freshdesk = "custom_fields.tier"
direction = "to_freshdesk"
[companies]
match = ["name"]
[[companies.field]]
crm = "name"
freshdesk = "name"
"#
);

const WHEN: &str = r#"when = { record = "contact", field = "customer_tier", in = ["vip"] }"#;

fn read(source: &str) -> Result<(Config, Diagnostics), Diagnostics> {
    config::compile(source, &keys())
}

fn found(source: &str) -> Vec<config::Finding> {
    let found = match read(source) {
        Ok((_, warnings)) => warnings,
        Err(errors) => errors,
    };
    found.findings(source)
}

#[track_caller]
fn compiled(end: &str) -> Config {
    let source = format!("{SMALL}{end}");
    match read(&source) {
        Ok((config, _)) => config,
        Err(errors) => panic!("{}", errors.render(&source, "sync.toml", false)),
    }
}

/// What is said to each text at the end of the file; lines count from its own first.
fn slips(head: &str, texts: &[&str]) -> String {
    let mut said = String::new();
    for text in texts {
        let head = format!("{SMALL}{head}");
        let above = head.matches('\n').count();
        writeln!(said, "{text}").unwrap();
        for one in found(&format!("{head}{text}\n")) {
            let place = match one.line.checked_sub(above) {
                Some(line) if line > 0 => format!("{line}:{}", one.column),
                _ => "above".to_owned(),
            };
            writeln!(said, "  {:?} {place} {}", one.severity, one.message).unwrap();
            if let Some(help) = one.help {
                writeln!(said, "    {help}").unwrap();
            }
        }
    }
    said
}

#[test]
fn a_slip_in_a_standing_says_what_would_be_right() {
    let texts = [
        r"",
        r#", field = "tier""#,
        r#", field = "tier", in = []"#,
        r#", field = "tier", in = ["a"], at_least = 3"#,
        r#", field = "score", at_least = "80""#,
        r#", field = "score", at_least = nan"#,
        r#", field = "score", atleast = 80"#,
        r#", field = "csm", is_set = "yes""#,
        r#", field = "tier", in = ["a"], any = [{ field = "x", is_set = true }]"#,
        r#", all = [{ field = "x", is_set = true }], any = [{ field = "x", is_set = true }]"#,
        r", all = []",
        r#", all = { field = "x", is_set = true }"#,
        r#", any = [{ field = "x" }, { at_least = 1 }, { feild = "x", is_set = true }]"#,
        r", at_least = 5",
        r#", field = "score", at_least = 80"#,
        r#", any = [{ field = "tier", in = ["vip", 1, true] }, { field = "csm", is_set = false }]"#,
    ];
    let texts = texts.map(|rest| format!(r#"when = {{ record = "contact"{rest} }}"#));
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let head = "[[ticket_rule]]\nname = \"r\"\ntags = [\"t\"]\n";
    expect_file!["../fixtures/slips_standings.txt"].assert_eq(&slips(head, &texts));
}

#[test]
fn a_slip_in_a_rules_tickets_or_actions_says_what_would_be_right() {
    let head = format!("[[ticket_rule]]\nname = \"r\"\n{WHEN}\n");
    let tickets = slips(
        &format!("{head}tags = [\"t\"]\n"),
        &[
            "tickets = { status = [] }",
            r#"tickets = { status = ["open", 2, 0, true, "clsoed"] }"#,
            r#"tickets = { status = ["resolved", "closed", "Waiting on customer", 8] }"#,
            r#"tickets = { type = [], group = [""], tags = ["a,b"] }"#,
            r#"tickets = { group = "Support" }"#,
            r#"tickets = { groups = ["Support"] }"#,
            r#"tickets = { older_than = "4", newer_than = "30 days" }"#,
            r#"tickets = { older_than = "30d", newer_than = "4h" }"#,
            r#"tickets = { older_than = "0s" }"#,
        ],
    );
    let actions = slips(
        &head,
        &[
            r#"status = "pending""#,
            r#"status = "resolved""#,
            r"status = 5",
            r#"status = "Pendign""#,
            r#"status = """#,
            r#"group = "Support""#,
            r#"agent = " ada@example.com""#,
            r"agent = 7",
            r#"type = """#,
            r#"type = "Incident""#,
            r#"priority = "highest""#,
            r#"proirity = "high""#,
        ],
    );
    expect_file!["../fixtures/slips_rules.txt"].assert_eq(&format!("{tickets}{actions}"));
}

#[test]
fn a_slip_in_a_note_is_shown_at_its_place() {
    let head = format!("[[ticket_rule]]\nname = \"r\"\n{WHEN}\n");
    let said = slips(
        &head,
        &[
            r#"note = """#,
            r#"note = "{{ contact.name""#,
            r#"note = "{% if contact.name %}VIP""#,
            r#"note = "{% include 'x' %}""#,
            r#"note = "{{ contcat.name }}""#,
            r#"note = "{{ name }}""#,
            r#"note = "{{ contact }}""#,
            r#"note = "{{ contact.custom_fields }} {{ contact.custom_fields.teir }}""#,
            r#"note = "{{ contact.nmae }} and {{ contact.name }}""#,
            r#"note = "{{ contact.name.first }}""#,
            r#"note = "{{ ticket.subject }} {{ ticket.prioriti }} {{ rule.nam }}""#,
            r#"note = "{{ contact.name | uper }}""#,
            r#"note = "{% if contact.name %}{{ contact.name | uper }}{% endif %}""#,
            r#"note = "{{ 1 / contact.score }}""#,
            r#"note = "{% for x in range(9999) %}{% for y in range(9999) %}{% endfor %}{% endfor %}""#,
            r#"note = "{% if contact.score %}{{ contact.score * 2 }}{% endif %}""#,
            "note = \"\"\"\nN\\u00e4me: {{ contact.name }},\nTier: \\\"{{ contact.tier + }}\\\"\"\"\"",
            "note = '''\nTier: {{ ticket.urgency }}'''",
        ],
    );
    expect_file!["../fixtures/slips_notes.txt"].assert_eq(&said);
}

#[test]
fn a_note_that_does_not_render_is_shown_in_its_line_of_the_file() {
    let source = format!(
        "{SMALL}[[ticket_rule]]\nname = \"r\"\n{WHEN}\nnote = \"\"\"\nDear colleague,\n\
         {{{{ contact.name }}}} is \\\"{{{{ contact.custom_fields.tier }}}}\\\"\n\
         {{% if ticket.priorty == \"urgent\" %}}!{{% endif %}}\"\"\"\n"
    )
    .replace("file = \"/dev/null\"", "env = \"PATH\"");
    let errors = read(&source).unwrap_err();
    expect![[r#"
        error: `ticket.priorty` is nothing that a note can show
          --> sync.toml:31:7
           |
        31 | {% if ticket.priorty == "urgent" %}!{% endif %}"""
           |       ^^^^^^^^^^^^^^
           |
           = help: did you mean `ticket.priority`? Allowed: `ticket.id`, `ticket.priority`, `ticket.status`, `ticket.type`, `ticket.tags`"#]].assert_eq(&errors.render(&source, "sync.toml", false));
}

/// What the shipped file shows in a comment, from the line that begins so up to an empty one.
fn example(first: &str) -> String {
    let shipped = include_str!("../../sync.toml");
    let lines = shipped
        .lines()
        .skip_while(|line| !line.starts_with(first))
        .take_while(|line| !line.is_empty());
    let lines: Vec<&str> = lines.map(|line| line.trim_start_matches("# ")).collect();
    lines.join("\n") + "\n"
}

#[test]
fn an_example_that_is_taken_over_from_the_shipped_file_works() {
    let rule = example("# [[ticket_rule]]");
    let summary = example("# [support_summary]");
    let config = compiled(&format!("{rule}{summary}"));
    assert!(config.ticket_rules[0].note.is_some());
    assert_eq!(config.support_summary.unwrap().company.len(), 3);
    let about = example("# A condition looks").replace("],\n  ", "], ");
    let keys: Vec<&str> = about
        .lines()
        .filter_map(|line| line.strip_prefix("  "))
        .collect();
    assert_eq!(keys.len(), 8, "{keys:#?}");
    for key in keys {
        let when = if key.starts_with("when") { "" } else { WHEN };
        compiled(&format!(
            "[[ticket_rule]]\nname = \"r\"\npriority = \"high\"\n{when}\n{key}\n"
        ));
    }
}

#[test]
fn a_rule_may_do_and_ask_for_everything_that_the_file_can_say() {
    let config = compiled(
        r#"
[[ticket_rule]]
name = "all of it"
when = { record = "company", any = [{ field = "plan", in = ["gold", 7] }, { field = "arr", at_least = 1e5 }, { field = "csm", is_set = false }] }
tickets = { status = ["Open", "waiting on customer", 8], type = ["Incident"], group = ["Support"], tags = ["billing"], older_than = "4h", newer_than = "30d" }
status = "waiting on customer"
group = "Tier 2"
agent = "ada@example.com"
type = "Problem"
on_end = "keep"
"#,
    );
    let [rule] = config.ticket_rules.as_slice() else {
        panic!("{:?}", config.ticket_rules);
    };
    assert_eq!(rule.record, Kind::Company);
    let test = |field: &str, check| Test {
        field: field.to_owned(),
        check,
    };
    let tests = vec![
        test("plan", Check::In(vec!["gold".into(), 7.into()])),
        test("arr", Check::AtLeast(100_000.into())),
        test("csm", Check::IsSet(false)),
    ];
    assert_eq!(rule.when, Standing::Any(tests));
    let waiting = TicketStatus::Named("waiting on customer".to_owned());
    let filter = TicketFilter {
        status: vec![
            TicketStatus::Number(2),
            waiting.clone(),
            TicketStatus::Number(8),
        ],
        category: vec!["Incident".to_owned()],
        group: vec!["Support".to_owned()],
        tags: vec!["billing".to_owned()],
        older_than: Some(chrono::TimeDelta::hours(4)),
        newer_than: Some(chrono::TimeDelta::days(30)),
    };
    assert_eq!(rule.tickets, filter);
    assert_eq!(rule.status, Some(waiting));
    assert_eq!(rule.group.as_deref(), Some("Tier 2"));
    assert_eq!(rule.agent.as_deref(), Some("ada@example.com"));
    assert_eq!(rule.category.as_deref(), Some("Problem"));
    assert_eq!((rule.priority, &rule.note), (None, &None));
}

#[test]
fn what_rules_notes_and_the_summary_look_at_is_read_from_the_crm() {
    let rules = r#"
[[ticket_rule]]
name = "a"
tags = ["a"]
when = { record = "contact", all = [{ field = "customer_tier", in = ["vip"] }, { field = "score", at_least = 80 }] }
[[ticket_rule]]
name = "b"
when = { record = "company", field = "csm", is_set = true }
note = "{{ contact.name }} {{ contact.custom_fields.tier }} {{ contact.owner }} {{ contact.score }} {{ company.csm }} {{ company.arr }}"
"#;
    let summary = r#"
[support_summary]
contact = { open_tickets = "open_tickets" }
company = { satisfaction = "csat" }
"#;
    let watched = |source: &str| {
        let config = compiled(source);
        let company = config.companies.as_ref().unwrap().watched.clone();
        assert_eq!(config.contacts.watched.desk, [""; 0]);
        (config.contacts.watched.crm.join(" "), company.crm.join(" "))
    };
    let pair = |contact: &str, company: &str| (contact.to_owned(), company.to_owned());
    assert_eq!(watched(""), pair("", ""));
    assert_eq!(watched(rules), pair("owner score", "arr csm"));
    let both = format!("{rules}{summary}");
    assert_eq!(
        watched(&both),
        pair("open_tickets owner score", "arr csat csm")
    );
    assert_ne!(compiled(&both).digest(), compiled("").digest());
    assert_eq!(found(&format!("{SMALL}{both}")), []);
    let wanted = SupportSummary {
        contact: [(SupportFact::OpenTickets, "open_tickets".to_owned())].into(),
        company: [(SupportFact::Satisfaction, "csat".to_owned())].into(),
    };
    assert_eq!(compiled(&both).support_summary, Some(wanted));
    assert_eq!(compiled("").support_summary, None);
}

#[test]
fn a_summary_that_would_fight_with_a_mapping_is_refused() {
    let said = slips(
        "",
        &[
            "[support_summary]",
            "[support_summary]\ncontact = {}",
            "[support_summary]\ncontact = { open_tickets = \"firstname\", last_ticket = \"x\", satisfaction = \"x\" }",
            "[support_summary]\ncontact = { last_ticket = \"customer_tier\", open_tickets = \"properties.open\" }",
            "[support_summary]\ncompany = { open_tickets = \"name\", first_response = \"x\" }",
            "[support_summary]\ncontact = \"open\"",
            "[suport_summary]\ncontact = { open_tickets = \"x\" }",
        ],
    );
    expect_file!["../fixtures/slips_summary.txt"].assert_eq(&said);
    let alone = SMALL.split("[companies]").next().unwrap();
    let summary = "[support_summary]\ncompany = { satisfaction = \"x\" }\n";
    let note =
        format!("[[ticket_rule]]\nname = \"r\"\n{WHEN}\nnote = \"{{{{ company.name }}}}\"\n");
    let said: Vec<String> = found(&format!("{alone}{note}{summary}"))
        .into_iter()
        .map(|one| format!("{}:{} {}", one.line, one.column, one.message))
        .collect();
    expect![[r"
        23:12 `company.name` is not read: there is no [companies]
        25:11 companies are not read: there is no [companies]"]]
    .assert_eq(&said.join("\n"));
}

/// The note of a rule over a small population.
fn note(template: &str) -> Note {
    let end = format!("[[ticket_rule]]\nname = \"r\"\n{WHEN}\nnote = '''{template}'''\n");
    compiled(&end).ticket_rules.remove(0).note.unwrap()
}

fn rendered(template: &str, crm: &Image, desk: &Image) -> String {
    let ticket = TicketImage {
        priority: Priority::High,
        status: 2,
        category: Some("Incident".to_owned()),
        tags: vec!["a".to_owned(), "b".to_owned()],
        ..TicketImage::default()
    };
    let facts = NoteFacts {
        contact: Pair {
            crm: Some(crm),
            desk: Some(desk),
        },
        company: Pair {
            crm: None,
            desk: None,
        },
        id: &RecordId::from(7),
        ticket: &ticket,
        status: "Open",
        rule: "vip",
    };
    note(template).render(&facts).unwrap()
}

#[test]
fn a_note_shows_what_the_customer_is_called_and_no_hole_where_nothing_is_known() {
    let crm = Image::from([
        ("score", Value::decimal(80.5)),
        ("owner", Value::Empty),
        ("n", 3.into()),
    ]);
    let desk = Image::from([
        ("name", Value::from("Ada <Lovelace>")),
        ("custom_fields.tier", Value::from("VIP")),
    ]);
    for (template, expected) in [
        (
            "{{ contact.name }}: {{ contact.custom_fields.tier }} {{ contact.score }}",
            "Ada <Lovelace>: VIP 80.5",
        ),
        (
            "[{{ contact.owner }}{{ contact.hat }}{{ company.name }}]",
            "[]",
        ),
        ("{{ contact.owner | default('nobody') | upper }}", "NOBODY"),
        ("{{ contact.name | default('nobody') }}", "Ada <Lovelace>"),
        ("\n {% if contact.n > 2 %}many{% endif %} \n", "many"),
        (
            "#{{ ticket.id }} {{ ticket.priority }} {{ ticket.status }} {{ ticket.type }} {{ ticket.tags }} {{ rule.name }}",
            "#7 high Open Incident a, b vip",
        ),
        ("{% if 'b' in ticket.tags %}yes{% endif %}", "yes"),
        (
            "{% for tag in ticket.tags %}<{{ tag }}>{% endfor %}",
            "<a><b>",
        ),
    ] {
        assert_eq!(rendered(template, &crm, &desk), expected, "{template}");
    }
}

#[test]
fn a_note_that_a_long_value_makes_too_long_is_cut_and_still_posted() {
    let exact = "ä".repeat(10_000);
    for (long, whole) in [(exact.clone(), true), (format!("{exact}ä"), false)] {
        let crm = Image::from([("text", Value::from(long.as_str()))]);
        let text = rendered("{{ contact.text }}", &crm, &Image::default());
        assert_eq!(text.chars().count(), 10_000);
        assert_eq!(text == long, whole);
        assert_eq!(text.ends_with('…'), !whole);
    }
}

#[test]
fn a_note_that_fails_on_a_value_does_not_tell_the_value_to_the_log() {
    let crm = Image::from([("n", Value::from("secret"))]);
    let facts = NoteFacts {
        contact: Pair {
            crm: Some(&crm),
            desk: None,
        },
        company: Pair {
            crm: None,
            desk: None,
        },
        id: &RecordId::from(7),
        ticket: &TicketImage::default(),
        status: "Open",
        rule: "vip",
    };
    let note = note("x\n{{ contact.n | default('1') | int }}");
    let error = note.render(&facts).unwrap_err().to_string();
    expect!["the note cannot be made: invalid operation, in line 2 of the template"]
        .assert_eq(&error);
}
