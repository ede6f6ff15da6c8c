//! What a sync costs: time, memory, CPU and calls, against both simulators in a process of their own.
//!
//! `cargo bench` runs everything; `cargo bench -- equal half` runs some of it. Each measurement is
//! a process of its own, so that its peak memory and its CPU time are its alone.

#![expect(clippy::unwrap_used, reason = "a benchmark may panic")]
#![expect(clippy::print_stdout, reason = "its output is its purpose")]

mod measure;
mod systems;
mod trust;
#[path = "../world/wiring.rs"]
mod wiring;

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};

/// What is measured, and on how many contacts and companies.
const SCENARIOS: &[(&str, usize, usize)] = &[
    ("equal", 20_000, 2_000),
    ("half", 20_000, 2_000),
    ("quarters", 20_000, 2_000),
    ("idle", 20_000, 2_000),
    ("idle", 200_000, 2_000),
    ("changed", 20_000, 2_000),
    ("changed", 200_000, 2_000),
    ("per_record", 20_000, 2_000),
    ("trust", 20_000, 2_000),
    ("vips", 20_000, 0),
    ("reconcile", 50_000, 0),
    ("reconcile", 100_000, 0),
    ("reconcile", 200_000, 0),
];

fn main() {
    let args: Vec<String> = std::env::args()
        .skip(1)
        .filter(|arg| arg != "--bench")
        .collect();
    match args.first().map(String::as_str) {
        Some("systems") => systems::serve(&args),
        Some("measure") => measure::run(&args),
        _ => drive(&args),
    }
}

fn drive(wanted: &[String]) {
    println!(
        "{:<11} {:>8} {:>7}  measured",
        "scenario", "contacts", "comp."
    );
    for (name, contacts, companies) in SCENARIOS {
        if wanted.is_empty() || wanted.iter().any(|it| it == name) {
            scenario(name, *contacts, *companies);
        }
    }
}

fn scenario(name: &str, contacts: usize, companies: usize) {
    let (contacts, companies) = (contacts.to_string(), companies.to_string());
    let mut systems = start(&["systems", name, &contacts, &companies]);
    let mut said = BufReader::new(systems.stdout.take().unwrap());
    let mut ready = String::new();
    said.read_line(&mut ready).unwrap();
    let mut urls = ready.split_whitespace();
    let (crm, desk) = (urls.next().unwrap(), urls.next().unwrap());
    let mut measured = start(&["measure", name, &contacts, crm, desk]);
    let mut orders = measured.stdin.take().unwrap();
    for line in BufReader::new(measured.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        // The measuring process asks for people's edits between two cycles.
        if let Some(order) = line.strip_prefix("do ") {
            writeln!(systems.stdin.as_mut().unwrap(), "{order}").unwrap();
            let mut done = String::new();
            said.read_line(&mut done).unwrap();
            writeln!(orders, "{}", done.trim()).unwrap();
        } else {
            println!("{name:<11} {contacts:>8} {companies:>7}  {line}");
        }
    }
    assert!(measured.wait().unwrap().success(), "{name} failed");
    systems.kill().unwrap();
    systems.wait().unwrap();
}

fn start(args: &[&str]) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}
