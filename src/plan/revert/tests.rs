//! What taking back promises, over histories of writes and edits.

use super::*;
use proptest::prelude::*;

/// A record of three fields, `c` of which has two names.
const FIELDS: [(&str, &[&str]); 3] = [("a", &["a"]), ("b", &["b"]), ("c", &["c1", "c2"])];

/// One thing that happens to the record.
#[derive(Debug, Clone)]
enum Event {
    /// We write these values under the names of a field; the server may store another text.
    Write {
        field: usize,
        values: Vec<u8>,
        rewrites: bool,
    },
    /// Somebody changes one name.
    Edit { name: &'static str, value: u8 },
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let write = (0..3_usize, prop::collection::vec(0..4_u8, 2), any::<bool>()).prop_map(
        |(field, values, rewrites)| Event::Write {
            field,
            values,
            rewrites,
        },
    );
    let edit = (prop::sample::select(&["a", "b", "c1", "c2"][..]), 0..4_u8)
        .prop_map(|(name, value)| Event::Edit { name, value });
    prop::collection::vec(prop_oneof![3 => write, 1 => edit], 0..8)
}

fn text(value: u8) -> Value {
    if value == 0 {
        Value::Empty
    } else {
        Value::from(value.to_string().as_str())
    }
}

fn blank_record() -> Image {
    let names = FIELDS.iter().flat_map(|(_, names)| names.iter());
    Image(
        names
            .map(|name| ((*name).to_owned(), Value::Empty))
            .collect(),
    )
}

/// What the record shows in the end, and the steps that were ours.
fn play(events: &[Event]) -> (Image, Vec<Step>) {
    let (mut record, mut steps) = (blank_record(), Vec::new());
    for event in events {
        match event {
            Event::Edit { name, value } => record.set(*name, text(*value)),
            Event::Write {
                field,
                values,
                rewrites,
            } => {
                let (field, names) = FIELDS[*field];
                let shown = |name: &&str| ((*name).to_owned(), record.get(name).unwrap().clone());
                let before = Image(names.iter().map(shown).collect());
                let set: Image = Image(
                    names
                        .iter()
                        .zip(values)
                        .map(|(name, value)| ((*name).to_owned(), text(*value)))
                        .filter(|(name, value)| before.get(name) != Some(value))
                        .collect(),
                );
                if set.is_empty() {
                    continue;
                }
                let mut stored = Image::default();
                if *rewrites {
                    for name in set.0.keys() {
                        stored.set(name.clone(), "stored".into());
                    }
                }
                record.overlay(&set);
                record.overlay(&stored);
                steps.push(Step {
                    field: field.to_owned(),
                    before,
                    set,
                    stored,
                });
            }
        }
    }
    (record, steps)
}

fn restored(reverted: &Reverted, now: &Image) -> Image {
    let mut record = now.clone();
    for (_, set) in &reverted.restore {
        record.overlay(set);
    }
    record
}

proptest! {
    #[test]
    fn what_nobody_touched_since_is_as_before_we_came(events in events()) {
        let only_ours: Vec<Event> = events
            .into_iter()
            .filter(|it| matches!(it, Event::Write { .. }))
            .collect();
        let (now, steps) = play(&only_ours);
        let reverted = revert_fields(&steps, &now);
        prop_assert_eq!(&reverted.left, &[]);
        prop_assert_eq!(restored(&reverted, &now), blank_record());
    }

    #[test]
    fn an_edit_that_somebody_made_after_us_is_never_taken_away(events in events()) {
        let (now, steps) = play(&events);
        let mut theirs = BTreeSet::new();
        for event in &events {
            match event {
                Event::Edit { name, .. } => { theirs.insert(*name); }
                Event::Write { field, values, .. } => {
                    for (name, _) in FIELDS[*field].1.iter().zip(values) { theirs.remove(name); }
                }
            }
        }
        let reverted = revert_fields(&steps, &now);
        for (_, set) in &reverted.restore {
            for name in set.0.keys() {
                let ours = steps.iter().any(|step| step.holds(name, &now));
                prop_assert!(ours, "{name} does not hold what we wrote");
            }
        }
        // What they typed may happen to be what we had written; else it stays.
        for name in theirs {
            let ours = steps.iter().any(|step| step.holds(name, &now));
            if !ours {
                let kept = restored(&reverted, &now);
                prop_assert_eq!(kept.get(name), now.get(name));
            }
        }
    }

    #[test]
    fn taking_back_what_was_taken_back_returns(events in events()) {
        let (now, steps) = play(&events);
        let reverted = revert_fields(&steps, &now);
        let before = restored(&reverted, &now);
        let again: Vec<Step> = reverted
            .restore
            .iter()
            .map(|(field, set)| Step {
                field: field.clone(),
                before: now.clone(),
                set: set.clone(),
                stored: Image::default(),
            })
            .collect();
        let back = revert_fields(&again, &before);
        prop_assert_eq!(&back.left, &[]);
        prop_assert_eq!(restored(&back, &before), now);
    }

    #[test]
    fn the_order_in_which_fields_were_written_decides_nothing(events in events(), turn in 0..3_usize) {
        let (now, steps) = play(&events);
        let mut sorted = steps.clone();
        sorted.sort_by_key(|step| {
            let at = FIELDS.iter().position(|(field, _)| *field == step.field).unwrap();
            (at + turn) % FIELDS.len()
        });
        prop_assert_eq!(revert_fields(&sorted, &now), revert_fields(&steps, &now));
    }
}

fn step(field: &str, before: impl Into<Value>, after: impl Into<Value>) -> Step {
    Step {
        field: field.to_owned(),
        before: Image::from([(field, before.into())]),
        set: Image::from([(field, after.into())]),
        stored: Image::default(),
    }
}

#[test]
fn a_persons_edit_between_two_writes_of_ours_is_what_comes_back() {
    let steps = [step("a", "1", "2"), step("a", "3", "4")];
    let reverted = revert_fields(&steps, &Image::from([("a", Value::from("4"))]));
    let set = Image::from([("a", Value::from("3"))]);
    assert_eq!(reverted.restore, [("a".to_owned(), set)]);
}

#[test]
fn on_a_ticket_only_our_own_tags_go() {
    let list = |tags: &[&str]| Value::list(tags.iter().map(|tag| (*tag).to_owned()).collect());
    let steps = [
        step("priority", "low", "urgent"),
        step("tags", list(&["old"]), list(&["old", "vip"])),
        step("agent", Value::Empty, 7),
    ];
    let now = TicketImage {
        priority: Priority::Urgent,
        agent: Some(7),
        tags: ["theirs", "VIP", "old"].map(str::to_owned).into(),
        ..TicketImage::default()
    };
    let (change, reverted) = revert_ticket(&steps, &now);
    let tags = Some(vec!["theirs".to_owned(), "old".to_owned()]);
    assert_eq!((change.priority, change.tags), (Some(Priority::Low), tags));
    let agent = Left {
        field: "agent".to_owned(),
        why: LeftWhy::WasEmpty,
    };
    assert_eq!(reverted.left, [agent]);
    let theirs = TicketImage {
        priority: Priority::High,
        agent: Some(8),
        ..TicketImage::default()
    };
    let (change, reverted) = revert_ticket(&steps[..1], &theirs);
    assert!(change.is_empty());
    assert_eq!(reverted.left.len(), 1);
}
