//! Every promise of the README names tests, and they are there.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// All Rust files under `place`, one after the other.
fn source(place: &Path, into: &mut String) {
    for entry in fs::read_dir(place).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            source(&path, into);
        } else if path.extension().is_some_and(|it| it == "rs") {
            into.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}

/// The names in backticks that can only be tests.
fn named(text: &str) -> BTreeSet<&str> {
    let in_backticks = text.split('`').skip(1).step_by(2);
    in_backticks
        .filter(|name| name.matches('_').count() >= 3)
        .filter(|name| name.bytes().all(|it| it.is_ascii_lowercase() || it == b'_'))
        .collect()
}

#[test]
fn a_promise_without_a_test_is_not_made() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let (_, promises) = readme.split_once("## What is promised").unwrap();
    let (promises, _) = promises.split_once("Not promised:").unwrap();
    let mut code = String::new();
    source(&root.join("src"), &mut code);
    source(&root.join("tests"), &mut code);
    let names = named(promises);
    assert!(names.len() > 30, "{names:?}");
    for name in names {
        assert!(code.contains(&format!("fn {name}(")), "no test `{name}`");
    }
    for promise in promises.split("\n- ").skip(1) {
        for sentence in sentences(promise) {
            assert!(!named(&sentence).is_empty(), "nothing proves: {sentence}");
        }
    }
}

/// The sentences of a promise, without its title where that is a sentence of its own.
fn sentences(promise: &str) -> Vec<String> {
    let words: Vec<&str> = promise.split_whitespace().collect();
    let text = words.join(" ");
    let text = match text.split_once(".** ") {
        Some((title, rest)) if title.starts_with("**") => rest,
        _ => &text,
    };
    // Within backticks and names no stop is followed by a blank.
    let all = text.split(". ").map(str::trim);
    all.filter(|it| !it.is_empty()).map(str::to_owned).collect()
}

#[test]
fn a_sentence_that_nothing_proves_does_not_hide_behind_its_neighbour() {
    let promise = "**Kept.** It is so (`a_test_that_proves_it`). That too.\n  And this (`a_test_of_its_own`).";
    let found = sentences(promise);
    assert_eq!(
        found,
        [
            "It is so (`a_test_that_proves_it`)",
            "That too",
            "And this (`a_test_of_its_own`)."
        ]
    );
    assert!(named(&found[1]).is_empty());
}
