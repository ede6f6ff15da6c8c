//! `check`: the file alone, or compared with what both accounts have.

mod online;

use super::exit::{Exit, Failure};
use super::open::{Source, errors};
use super::output::{Output, counted};
use crate::config::{Config, Diagnostics, Secrets, TestResult, run_tests};
use online::Online;
use serde::Serialize;
use serde_json::{Value as Json, json};
use std::path::Path;

/// What `check` is asked for.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Also ask both systems: whether the keys are accepted, whose accounts they lead to, and
    /// whether every mapped field is there and fits. Writes nothing
    #[arg(long)]
    online: bool,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn check(named: Option<&Path>, arguments: &Arguments) -> Result<Exit, Failure> {
    let source = Source::read(named)?;
    let secrets = if arguments.online {
        Secrets::Required
    } else {
        Secrets::Optional
    };
    let mut out = Output::new();
    let (config, warnings) = match source.compile(secrets) {
        Ok(compiled) => compiled,
        Err(diagnostics) if arguments.json => {
            out.json(&document(&source, &diagnostics, &[], None))?;
            out.finish()?;
            return Ok(Exit::Config);
        }
        Err(diagnostics) => return Err(source.wrong(&diagnostics)),
    };
    let tests = run_tests(&config);
    if !arguments.json {
        source.show(&warnings);
        offline(&source, &config, &tests, &mut out)?;
    }
    let failed = tests.iter().any(|test| !test.passed());
    let online = if arguments.online {
        Some(online::ask(&config).await?)
    } else {
        None
    };
    if arguments.json {
        let found = document(&source, &warnings, &tests, online.as_ref());
        out.json(&found)?;
    } else if let Some(online) = &online {
        online.show(&mut out)?;
    }
    out.finish()?;
    let verdict = online.as_ref().map_or(Exit::Done, Online::exit);
    Ok(match verdict {
        Exit::Done if failed => Exit::Config,
        verdict => verdict,
    })
}

/// What the file says by itself.
fn offline(
    source: &Source,
    config: &Config,
    tests: &[TestResult],
    out: &mut Output,
) -> Result<(), Failure> {
    let mut mapped: Vec<String> = config
        .mappings()
        .map(|mapping| {
            let fields = counted(mapping.fields.len() as u64, "field");
            format!("{fields} of a {}", mapping.kind)
        })
        .collect();
    let rules = config.ticket_rules.len() as u64;
    if rules > 0 {
        mapped.push(counted(rules, "ticket rule"));
    }
    let path = source.path.display();
    out.line(format_args!("{path}: {}", mapped.join(", ")))?;
    for test in tests {
        let verdict = if test.passed() { "passed" } else { "FAILED" };
        out.line(format_args!("test \"{}\": {verdict}", test.name))?;
        for failure in &test.failures {
            out.line(format_args!("    {failure}"))?;
        }
    }
    Ok(())
}

/// All of it for machines.
fn document(
    source: &Source,
    diagnostics: &Diagnostics,
    tests: &[TestResult],
    online: Option<&Online>,
) -> Json {
    let tests: Vec<Test> = tests.iter().map(Test::of).collect();
    json!({
        "file": source.path,
        "errors": errors(diagnostics) + online.map_or(0, Online::errors),
        "findings": diagnostics.findings(&source.text),
        "tests": tests,
        // Parts of the file that this version reads and does not act on.
        "inactive": [],
        "online": online,
    })
}

#[derive(Debug, Serialize)]
struct Test {
    name: String,
    passed: bool,
    failures: Vec<String>,
}

impl Test {
    fn of(test: &TestResult) -> Self {
        Self {
            name: test.name.clone(),
            passed: test.passed(),
            failures: test.failures.iter().map(ToString::to_string).collect(),
        }
    }
}
