//! The picture in `src/lib.rs` holds: a module uses only the layers below its own.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{fs, path::Path};

/// From the top: `(module, the modules that it may use)`. `main` and `lib` are above all of them.
const LAYERS: &[(&str, &[&str])] = &[
    (
        "cli",
        &[
            "clock",
            "config",
            "connect",
            "files",
            "mapping",
            "model",
            "plan",
            "remote",
            "sandbox",
            "store",
            "supervise",
            "sync",
            "telemetry",
        ],
    ),
    (
        "sync",
        &[
            "clock",
            "config",
            "connect",
            "mapping",
            "model",
            "plan",
            "remote",
            "store",
            "supervise",
            "telemetry",
        ],
    ),
    ("connect", &["config", "model", "remote"]),
    ("config", &["files", "mapping", "model", "plan"]),
    ("store", &["mapping", "model", "plan"]),
    ("remote", &["clock", "model"]),
    ("plan", &["mapping", "model"]),
    ("mapping", &["model"]),
    ("model", &[]),
    ("clock", &[]),
    ("files", &[]),
    ("telemetry", &["clock"]),
    ("supervise", &["clock"]),
    ("sandbox", &[]),
];

/// The layers without effects.
const PURE: &[&str] = &["model", "mapping", "plan"];

/// What reaches outside of the process, reads the time or rolls dice.
const EFFECTS: &[&str] = &[
    "tokio",
    "reqwest",
    "sqlx",
    "tracing",
    "rand",
    "futures_util",
    "async_trait",
    "async",
    "await",
    "unsafe",
    "println",
    "eprintln",
    "Instant",
    "SystemTime",
    "Utc::now",
    "Local",
    "std::env",
    "std::fs",
    "std::io",
    "std::net",
    "std::process",
    "std::sync",
    "std::thread",
];

/// CRMs, none of which the engine knows by name.
const VENDORS: &[&str] = &[
    "hubspot",
    "odoo",
    "salesforce",
    "pipedrive",
    "zoho",
    "dynamics",
];

/// Where a CRM may be named: its connector, the list of connectors and the place that picks one, what
/// admins write and read, and the simulators.
const VENDORS_AT_HOME: &[&str] = &[
    "remote/mod",
    "remote/hubspot",
    "remote/odoo",
    "config",
    "connect",
    "cli",
    "main",
    "lib",
    "sandbox",
];

/// One file of `src`: its path from there without `.rs`, such as `plan/merge`, and its text.
struct Source {
    path: String,
    text: String,
}

impl Source {
    fn new(path: &str, text: &str) -> Self {
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    /// The top module that it is part of.
    fn module(&self) -> &str {
        self.path.split('/').next().unwrap()
    }

    /// Whether it is `place` or below it.
    fn is_at(&self, place: &str) -> bool {
        let rest = self.path.strip_prefix(place);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// How many modules deep it stands below the crate's root.
    fn depth(&self) -> usize {
        let names = self.path.split('/').count();
        names - usize::from(self.path.ends_with("/mod"))
    }
}

/// Every file below `src`.
fn sources() -> Vec<Source> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut dirs, mut found) = (vec![src.clone()], Vec::new());
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                dirs.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let name = path.strip_prefix(&src).unwrap().with_extension("");
                let text = fs::read_to_string(&path).unwrap();
                found.push(Source::new(&name.to_string_lossy(), &text));
            }
        }
    }
    assert!(found.len() > 30, "the sources are not where they were");
    found
}

/// `text` without comments; without the content of strings, too, unless `strings`.
fn code(text: &str, strings: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let raw = rest.starts_with("r\"") || rest.starts_with("r#");
        let word = out.ends_with(|last: char| last.is_alphanumeric() || last == '_');
        let (length, kept) = if rest.starts_with("//") {
            (rest.find('\n').unwrap_or(rest.len()), false)
        } else if rest.starts_with("/*") {
            (block_comment(rest), false)
        } else if raw && !word {
            (raw_string(rest), strings)
        } else if first == '"' {
            (string(rest), strings)
        } else if rest.starts_with("'\"'") {
            (3, strings)
        } else if rest.starts_with("'\\") {
            (4, strings)
        } else {
            (first.len_utf8(), true)
        };
        let (token, after) = rest.split_at(length.min(rest.len()));
        out.push_str(if kept { token } else { " " });
        rest = after;
    }
    out
}

/// The length of the block comment at the beginning of `text`.
fn block_comment(text: &str) -> usize {
    text.find("*/").map_or(text.len(), |end| end + 2)
}

/// The length of the raw string at the beginning of `text`, or of `r#` before a name.
fn raw_string(text: &str) -> usize {
    let hashes = text.chars().skip(1).take_while(|c| *c == '#').count();
    let Some(inside) = text
        .get(1 + hashes..)
        .and_then(|text| text.strip_prefix('"'))
    else {
        return 1 + hashes;
    };
    let close = format!("\"{}", "#".repeat(hashes));
    let end = inside.find(&close).unwrap_or(inside.len());
    2 + hashes + end + close.len()
}

/// The length of the string at the beginning of `text`.
fn string(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match (escaped, c) {
            (true, _) => escaped = false,
            (false, '\\') => escaped = true,
            (false, '"') => return at + 1,
            (false, _) => {}
        }
    }
    text.len()
}

/// Whether the path `wanted` stands in `code` as whole words.
fn mentions(code: &str, wanted: &str) -> bool {
    let inside = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(wanted).any(|(at, _)| {
        !code[..at].ends_with(inside) && !code[at + wanted.len()..].starts_with(inside)
    })
}

/// The top modules that `source` names: after `crate::` or `deskbridge::`, in the braces of either,
/// and after so many `super::` that they end at the crate's root.
fn uses(source: &Source) -> Vec<String> {
    let code: String = code(&source.text, false)
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    let to_root = "super::".repeat(source.depth());
    let mut found = Vec::new();
    for root in ["crate::", "deskbridge::", &to_root] {
        for (at, _) in code.match_indices(root) {
            found.extend(heads(&code[at + root.len()..]));
        }
    }
    let modules = LAYERS.iter().map(|(module, _)| *module);
    let modules: Vec<_> = modules.chain(["lib", "main"]).collect();
    // A root may also name what is no module, and `super::super::` one of a test module's parents.
    found.retain(|name| modules.contains(&name.as_str()));
    found
}

/// The first name of each path in `tail`, which follows `…::`: one name or several in braces.
fn heads(tail: &str) -> Vec<String> {
    let name = |text: &str| -> String {
        let text = text.trim_start();
        text.chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect()
    };
    let Some(inside) = tail.strip_prefix('{') else {
        return vec![name(tail)];
    };
    let (mut heads, mut level) = (vec![name(inside)], 1);
    for (at, c) in inside.char_indices() {
        match c {
            '{' => level += 1,
            '}' => level -= 1,
            ',' if level == 1 => heads.push(name(&inside[at + 1..])),
            _ => {}
        }
        if level == 0 {
            break;
        }
    }
    heads
}

/// What is wrong with `source`, in words.
fn faults(source: &Source) -> Vec<String> {
    let module = source.module();
    let mut faults = Vec::new();
    if !["lib", "main"].contains(&module) {
        let Some((_, allowed)) = LAYERS.iter().find(|(name, _)| *name == module) else {
            return vec![format!("`{module}` has no place in the layers")];
        };
        for used in uses(source) {
            if used != module && !allowed.contains(&used.as_str()) {
                faults.push(format!("`{module}` must not use `{used}`"));
            }
        }
    }
    let bare = code(&source.text, false);
    if PURE.contains(&module) {
        let effects = EFFECTS.iter().filter(|effect| mentions(&bare, effect));
        faults.extend(effects.map(|effect| format!("`{module}` is pure: no `{effect}`")));
    }
    if source.path != "remote/retry" && (bare.contains("backoff::") || bare.contains("use backoff"))
    {
        faults.push("only remote/retry.rs knows `backoff`".to_owned());
    }
    if module != "store" && bare.contains("sqlx::") {
        faults.push("only the store knows `sqlx`".to_owned());
    }
    if !VENDORS_AT_HOME.iter().any(|place| source.is_at(place)) {
        // A test may say whose form of a value it is about.
        let tested = source.text.find("#[cfg(test)]\nmod tests {");
        let said = code(&source.text[..tested.unwrap_or(source.text.len())], true).to_lowercase();
        let vendors = VENDORS.iter().filter(|vendor| said.contains(**vendor));
        faults.extend(vendors.map(|vendor| format!("the engine must not know `{vendor}`")));
    }
    faults
}

#[test]
fn a_module_uses_only_the_layers_below_and_the_engine_knows_no_vendor() {
    let faults: Vec<String> = sources()
        .iter()
        .flat_map(|source| {
            let path = source.path.clone();
            faults(source)
                .into_iter()
                .map(move |fault| format!("src/{path}.rs: {fault}"))
        })
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_layers_have_no_way_back_up() {
    for (module, allowed) in LAYERS {
        for below in *allowed {
            let (_, back) = LAYERS.iter().find(|(name, _)| name == below).unwrap();
            assert!(!back.contains(module), "{module} and {below}");
        }
    }
}

/// Made-up files, and what is wrong with each.
fn check(cases: &[(&str, &str, &str)]) {
    for (path, text, fault) in cases {
        let found = faults(&Source::new(path, text));
        assert_eq!(found, [*fault], "{path}: {text}");
    }
}

#[test]
fn each_way_of_using_a_layer_above_is_noticed() {
    check(&[
        (
            "plan/merge",
            "use crate::store::Store;",
            "`plan` must not use `store`",
        ),
        (
            "plan/merge",
            "use crate::{model::Value, store::{Store, Row}};",
            "`plan` must not use `store`",
        ),
        (
            "plan/merge",
            "use crate::{\n    model::Value,\n    config,\n};",
            "`plan` must not use `config`",
        ),
        (
            "plan/merge",
            "fn f() { super::super::sync::run(); }",
            "`plan` must not use `sync`",
        ),
        (
            "plan/mod",
            "use super::remote::Op;",
            "`plan` must not use `remote`",
        ),
        (
            "model/mod",
            "use crate::mapping::Field;",
            "`model` must not use `mapping`",
        ),
        (
            "remote/http",
            "use crate::config::Config;",
            "`remote` must not use `config`",
        ),
        (
            "store/mod",
            "use crate::remote::Op;",
            "`store` must not use `remote`",
        ),
        (
            "sandbox/log",
            "use crate::model::Side;",
            "`sandbox` must not use `model`",
        ),
        (
            "config/mod",
            "let s = \"// no comment\"; crate::sync::x();",
            "`config` must not use `sync`",
        ),
        (
            "config/mod",
            "let q = '\"'; crate::sync::x();",
            "`config` must not use `sync`",
        ),
        ("helpers/mod", "", "`helpers` has no place in the layers"),
    ]);
}

#[test]
fn effects_in_a_pure_layer_and_names_out_of_place_are_noticed() {
    check(&[
        (
            "plan/merge",
            "async fn f() {}",
            "`plan` is pure: no `async`",
        ),
        (
            "mapping/lens",
            "let now = chrono::Utc::now();",
            "`mapping` is pure: no `Utc::now`",
        ),
        (
            "model/value",
            "let home = std::env::var(\"HOME\");",
            "`model` is pure: no `std::env`",
        ),
        (
            "plan/mod",
            "let t = std::time::Instant::now();",
            "`plan` is pure: no `Instant`",
        ),
        (
            "sync/execute",
            "use backoff::ExponentialBackoff;",
            "only remote/retry.rs knows `backoff`",
        ),
        (
            "sync/cycle",
            "sqlx::query(\"\");",
            "only the store knows `sqlx`",
        ),
        (
            "sync/cycle",
            "if system == \"hubspot\" {}",
            "the engine must not know `hubspot`",
        ),
        (
            "remote/http",
            "struct OdooClient;",
            "the engine must not know `odoo`",
        ),
    ]);
}

#[test]
fn what_is_allowed_is_not_taken_for_a_fault() {
    for (path, text) in [
        (
            "plan/merge",
            "//! As [`crate::sync`] does.\nuse crate::mapping::Field;",
        ),
        (
            "plan/merge",
            "/* crate::sync */ use super::super::model::Value;",
        ),
        (
            "plan/merge",
            "let word = \"crate::sync\"; let raw = r#\"crate::store \"tokio\"\"#;",
        ),
        (
            "plan/merge",
            "/// The way HubSpot keeps a date.\nfn asynchronous() {}",
        ),
        (
            "plan/merge",
            "fn f() {}\n#[cfg(test)]\nmod tests { fn hubspots_words() {} }",
        ),
        ("remote/hubspot/mod", "pub struct HubSpot;"),
        ("remote/retry", "use backoff::backoff::Backoff as _;"),
        ("sync/execute", "let backoff = policy.wait(1);"),
        (
            "sync/mod",
            "use crate::{clock::Clock, store::{Store, work}};",
        ),
        ("main", "deskbridge::cli::run();"),
        (
            "sandbox/hubspot/mod",
            "use super::clock::SimClock; use crate::sandbox::log;",
        ),
    ] {
        assert_eq!(faults(&Source::new(path, text)), [""; 0], "{path}: {text}");
    }
}
