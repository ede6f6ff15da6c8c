//! The table of the merge, and the first sync.

use super::*;
use crate::mapping::DeletePolicy;
use crate::model::{Kind, LinkId, Presence, Version};
use ConflictPolicy::{Hold, Newest, Prefer};
use Direction::{Both, To};
use Side::{Crm, Desk};

/// What was agreed on by the CRM and by Freshdesk.
type Base<'a> = Option<(&'a str, &'a str)>;

fn plan(
    direction: Direction,
    conflict: ConflictPolicy,
    base: Base<'_>,
    now: (&str, &str),
) -> Merged {
    let field = Field {
        name: "title".to_owned(),
        crm: vec!["title".to_owned()],
        desk: "title".to_owned(),
        lens: Lens::Trim,
        direction,
        conflict,
    };
    let mapping = Mapping {
        kind: Kind::Contact,
        fields: vec![field],
        keys: Vec::new(),
        create: Pair::default(),
        delete: DeletePolicy::Hold,
        scope: Pair::default(),
        watched: Pair::default(),
    };
    let images = |(crm, desk): (&str, &str)| Pair {
        crm: Image::from([("title", crm.into())]),
        desk: Image::from([("title", desk.into())]),
    };
    let pair = PairState {
        link: LinkId(1),
        ids: Pair {
            crm: "1".into(),
            desk: "2".into(),
        },
        versions: Pair {
            crm: Version(1),
            desk: Version(2),
        },
        presence: Pair {
            crm: Presence::Live,
            desk: Presence::Live,
        },
        images: images(now),
        bases: base.map(images).unwrap_or_default(),
        companies: Pair::default(),
    };
    merge(&mapping, &pair)
}

/// The only write: where and what. Panics where there are two.
fn write(merged: &Merged) -> Option<(Side, &str)> {
    let mut writes = Side::BOTH.into_iter().flat_map(|side| {
        let changes = merged.changes.of(side).iter();
        let values = changes.flat_map(|change| change.set.0.values());
        values.map(move |value| (side, value.as_text().unwrap_or_default()))
    });
    let first = writes.next();
    assert_eq!(writes.next(), None);
    first
}

#[test]
fn who_moved_away_from_what_both_agreed_on_has_the_say() {
    let base = Some(("a", "a"));
    for (direction, policy, base, now, expected) in [
        (Both, Hold, base, ("a", "a"), None),
        (Both, Hold, base, ("b", "a"), Some((Desk, "b"))),
        (Both, Hold, base, ("a", "b"), Some((Crm, "b"))),
        (Both, Hold, base, ("", "a"), Some((Desk, ""))),
        (Both, Hold, base, ("b", " b"), None),
        (Both, Hold, base, ("b", "c"), None),
        (Both, Prefer(Crm), base, ("b", "c"), Some((Desk, "b"))),
        (Both, Prefer(Desk), base, ("b", "c"), Some((Crm, "c"))),
        (Both, Newest, base, ("b", "c"), Some((Crm, "c"))),
        // Freshdesk keeps it in its own way: a difference, but nobody's edit.
        (Both, Newest, Some(("abc", "ab")), ("abc", "ab"), None),
        (
            Both,
            Hold,
            Some(("abc", "ab")),
            ("abd", "ab"),
            Some((Desk, "abd")),
        ),
        (To(Desk), Prefer(Desk), base, ("b", "a"), Some((Desk, "b"))),
        (To(Desk), Prefer(Desk), base, ("a", "b"), Some((Desk, "a"))),
        (To(Desk), Hold, base, ("b", "c"), Some((Desk, "b"))),
        (To(Crm), Hold, base, ("b", "c"), Some((Crm, "c"))),
    ] {
        let merged = plan(direction, policy, base, now);
        assert_eq!(
            write(&merged),
            expected,
            "{direction:?} {policy:?} {base:?} {now:?}"
        );
    }
}

#[test]
fn a_first_sync_fills_and_never_clears() {
    for (direction, policy, now, expected) in [
        (Both, Prefer(Crm), ("", "b"), Some((Crm, "b"))),
        (Both, Prefer(Desk), ("a", ""), Some((Desk, "a"))),
        (Both, Prefer(Crm), (" ", "b"), Some((Crm, "b"))),
        (Both, Prefer(Desk), ("a", "\t"), Some((Desk, "a"))),
        (Both, Prefer(Crm), ("a", "b"), Some((Desk, "a"))),
        (Both, Hold, ("a", "b"), None),
        (To(Desk), Hold, ("a", "b"), Some((Desk, "a"))),
        (To(Desk), Hold, ("", "b"), None),
        (To(Desk), Hold, (" ", "b"), None),
        (To(Crm), Hold, ("a", ""), None),
    ] {
        let merged = plan(direction, policy, None, now);
        assert_eq!(write(&merged), expected, "{direction:?} {policy:?} {now:?}");
    }
}

#[test]
fn what_both_sides_changed_to_the_same_is_the_new_agreement() {
    let merged = plan(Both, Hold, Some(("a", "a")), ("b ", "b"));
    assert_eq!(merged.agreed.crm, Image::from([("title", "b ".into())]));
    assert_eq!(merged.agreed.desk, Image::from([("title", "b".into())]));
    assert!(merged.notices.is_empty());
}

#[test]
fn a_conflict_that_waits_for_a_person_agrees_on_nothing() {
    for base in [None, Some(("a", "a"))] {
        let merged = plan(Both, Hold, base, ("b", "c"));
        assert_eq!(merged.agreed, Pair::default());
        let values = Pair {
            crm: vec!["b".into()],
            desk: vec!["c".into()],
        };
        let kind = NoticeKind::Held {
            values,
            agreed_once: base.is_some(),
        };
        let field = "title".to_owned();
        assert_eq!(merged.notices, [Notice { field, kind }]);
    }
}

#[test]
fn a_change_carries_both_values_so_that_the_loser_can_be_brought_back() {
    let merged = plan(Both, Prefer(Crm), Some(("a", "A")), ("b", "c"));
    let change = FieldChange {
        field: "title".to_owned(),
        base: vec!["A".into()],
        crm: vec!["b".into()],
        freshdesk: vec!["c".into()],
        set: Image::from([("title", "b".into())]),
        rule: Rule::Preferred(Crm),
    };
    assert_eq!(merged.changes.desk, [change]);
}
