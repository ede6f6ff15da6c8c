//! Who is likely at it, where a field is fought over: told by who has changed it, and how.

use super::{Flap, PastWrite, changed};
use crate::model::{Image, Pair, Side, Version};
use crate::plan::FieldChange;

/// A change so soon after our write, in milliseconds, was made by no person.
const AT_ONCE: i64 = 15_000;

/// A field that is fought over.
#[derive(Debug)]
pub struct Fight<'a> {
    /// Where it is to be written.
    pub target: Side,
    /// What is to be written.
    pub change: &'a FieldChange,
    /// Why it counts as fought over.
    pub fought: Flap,
    /// The earlier writes that count.
    pub past: Vec<&'a PastWrite>,
    /// What each side shows.
    pub images: &'a Pair<Image>,
    /// When each record was last changed by others than us.
    pub versions: Pair<Version>,
}

/// How a side has changed what it was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    /// In letter case, spaces and signs alone.
    Rewrites,
    /// So soon that it was no person.
    AtOnce,
    /// To another value.
    Otherwise,
}

/// Who is likely at it, in words.
#[must_use]
pub fn opponent(fight: &Fight<'_>) -> String {
    let (target, source) = (fight.target, fight.target.other());
    let changed = fight.changed();
    match (*changed.of(source), *changed.of(target)) {
        (_, false) if fight.fought == Flap::TooOften => {
            format!("something in {source} changes it all the time")
        }
        (_, false) => format!(
            "it is changed back and forth in {source}, and {target} only takes what it is given"
        ),
        (false, true) => match fight.how(target) {
            How::Rewrites => format!("{target} rewrites what it is given"),
            How::AtOnce => format!(
                "{target} changes it back within seconds: an automation or workflow there, most likely"
            ),
            How::Otherwise => format!(
                "somebody or another integration in {target} wants another value than {source} has"
            ),
        },
        (true, true) => {
            let at_work = |side| match fight.how(side) {
                How::Rewrites => format!("{side} rewrites what it is given"),
                How::AtOnce => format!(
                    "{side} changes it within seconds, an automation or workflow there, most likely"
                ),
                How::Otherwise => {
                    format!("somebody or another integration in {side} changes it")
                }
            };
            format!(
                "both sides are at it: {}; {}",
                at_work(target),
                at_work(source)
            )
        }
    }
}

impl Fight<'_> {
    /// Which sides have changed it, before any of the writes and now.
    fn changed(&self) -> Pair<bool> {
        let Self { target, change, .. } = self;
        let mut all = changed(&change.rule, *target);
        for write in &self.past {
            for side in Side::BOTH {
                *all.of_mut(side) |= write.changed.of(side);
            }
        }
        // The rule names the source alone, where a one-way field was changed on both sides.
        let shown = match target {
            Side::Crm => &change.crm,
            Side::Desk => &change.freshdesk,
        };
        *all.of_mut(*target) |= !change.base.is_empty() && change.base != *shown;
        all
    }

    /// How a side has changed what it was given last.
    fn how(&self, side: Side) -> How {
        let mut given = self.past.iter().rev().filter(|it| it.target == side);
        let Some(last) = given.next() else {
            return How::Otherwise;
        };
        let (image, edited) = (self.images.of(side), self.versions.of(side).0);
        if rewrites(&last.set, image) {
            How::Rewrites
        } else if (0..AT_ONCE).contains(&(edited - last.at)) {
            How::AtOnce
        } else {
            How::Otherwise
        }
    }
}

/// Whether what is shown differs from what was written, in letter case, spaces and signs alone.
fn rewrites(written: &Image, shown: &Image) -> bool {
    let letters = |image: &Image, name: &str| -> String {
        let value = image.get(name);
        let text = value.map_or_else(String::new, |it| it.to_json().to_string());
        let letters = text.chars().filter(|c| c.is_alphanumeric());
        letters.flat_map(char::to_lowercase).collect()
    };
    let names = || written.0.keys().map(String::as_str);
    let mut words = names().map(|name| (letters(written, name), letters(shown, name)));
    names().any(|name| written.get(name) != shown.get(name))
        && words.all(|(written, shown)| !written.is_empty() && written == shown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Value;
    use crate::plan::Rule;

    /// One field of this name on both sides.
    fn image(text: &str) -> Image {
        Image::from([("phone", Value::from(text))])
    }

    /// A write to a side at this second, by this rule.
    type Write = (i64, Side, &'static str, Rule);

    /// What is said of a write of `set` to Freshdesk, which agreed to `base` before: `shown` is what the
    /// CRM and Freshdesk show, and when they were changed.
    fn said(
        past: &[Write],
        (base, set, rule): (&str, &str, Rule),
        shown: [(&str, i64); 2],
        fought: Flap,
    ) -> String {
        let past: Vec<PastWrite> = past
            .iter()
            .map(|(at, side, text, rule)| PastWrite::of(image(text), rule, *side, at * 1_000))
            .collect();
        let [crm, desk] = shown;
        let change = FieldChange {
            field: "phone".to_owned(),
            base: vec![base.into()],
            crm: vec![crm.0.into()],
            freshdesk: vec![desk.0.into()],
            set: image(set),
            rule,
        };
        opponent(&Fight {
            target: Side::Desk,
            change: &change,
            fought,
            past: past.iter().collect(),
            images: &Pair {
                crm: image(crm.0),
                desk: image(desk.0),
            },
            versions: Pair {
                crm: Version(crm.1 * 1_000),
                desk: Version(desk.1 * 1_000),
            },
        })
    }

    const CRM: Rule = Rule::Changed(Side::Crm);
    const DESK: Rule = Rule::Changed(Side::Desk);

    #[test]
    fn a_source_that_changes_its_mind_is_not_blamed_on_the_side_that_takes_it() {
        let past = [(10, Side::Desk, "vip", CRM), (20, Side::Desk, "std", CRM)];
        let now = ("std", "vip", CRM);
        assert_eq!(
            said(&past, now, [("vip", 30), ("std", 21)], Flap::BackAndForth),
            "it is changed back and forth in crm, and freshdesk only takes what it is given"
        );
        let now = ("std", "new", CRM);
        assert_eq!(
            said(&past, now, [("new", 30), ("std", 0)], Flap::TooOften),
            "something in crm changes it all the time"
        );
    }

    #[test]
    fn a_target_that_rewrites_is_told_from_one_where_somebody_else_is_at_work() {
        let past = [
            (10, Side::Desk, "A-b", Rule::OneWay),
            (99, Side::Desk, "A-b", Rule::OneWay),
        ];
        for (shown, at, who) in [
            ("ab", 300, "freshdesk rewrites what it is given"),
            (
                "c",
                104,
                "freshdesk changes it back within seconds: an automation or workflow there, most likely",
            ),
            (
                "",
                300,
                "somebody or another integration in freshdesk wants another value than crm has",
            ),
        ] {
            let now = ("A-b", "A-b", Rule::OneWay);
            let told = said(&past, now, [("A-b", 0), (shown, at)], Flap::SetBack);
            assert_eq!(told, who, "{shown}");
        }
    }

    #[test]
    fn where_both_sides_are_at_it_both_are_named() {
        let past = [
            (10, Side::Desk, "+49 1", CRM),
            (90, Side::Crm, "+49 0", DESK),
        ];
        let now = ("+49 0", "+49 1", CRM);
        for (crm, desk, who) in [
            (
                300,
                12,
                "both sides are at it: freshdesk changes it within seconds, an automation or workflow there, most likely; somebody or another integration in crm changes it",
            ),
            (
                91,
                80,
                "both sides are at it: somebody or another integration in freshdesk changes it; crm changes it within seconds, an automation or workflow there, most likely",
            ),
        ] {
            let shown = [("+49 1", crm), ("+49 0", desk)];
            assert_eq!(said(&past, now.clone(), shown, Flap::BackAndForth), who);
        }
        let past = [
            (10, Side::Desk, "+49 1", CRM),
            (90, Side::Crm, "+491", DESK),
        ];
        let now = ("+491", "+49 1", CRM);
        assert_eq!(
            said(
                &past,
                now,
                [("+49 1", 91), ("+491", 80)],
                Flap::BackAndForth
            ),
            "both sides are at it: freshdesk rewrites what it is given; crm rewrites what it is given"
        );
        // A one-way field whose target was changed as well, before anything was written.
        let past = [(10, Side::Desk, "vip", CRM), (20, Side::Desk, "std", CRM)];
        let told = said(
            &past,
            ("std", "vip", CRM),
            [("vip", 300), ("other", 300)],
            Flap::BackAndForth,
        );
        assert!(told.starts_with("both sides are at it"), "{told}");
    }
}
