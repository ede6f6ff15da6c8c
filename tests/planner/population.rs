//! Pairs of records that come from one record: what both agreed on, and what each made of it since.

use crate::spelling::{lenses, spelled};
use crate::world::{Server, World};
use deskbridge::mapping::{ConflictPolicy, DeletePolicy, Direction, Field, Lens, Mapping};
use deskbridge::model::{Image, Kind, Pair, Side, Value, Version};
use proptest::prelude::*;
use proptest::sample::select;
use std::collections::BTreeSet;

/// What became of a field on one side since both agreed.
#[derive(Debug, Clone)]
pub(crate) enum Fate {
    /// Nothing.
    Kept,
    /// It says something, in some spelling; the same as before, perhaps.
    Says(usize, usize),
    /// It says what nobody expected of this lens.
    Wild(Value),
}

/// What is remembered of an agreement.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Memory {
    Both,
    Neither,
    Only(Side),
    /// The other side's server made something else of it: this meaning.
    Apart(usize),
}

/// One field of a pair, as it was drawn.
#[derive(Debug, Clone)]
pub(crate) struct Spot {
    pub(crate) lens: Lens,
    pub(crate) direction: Direction,
    pub(crate) conflict: ConflictPolicy,
    pub(crate) agreed: (usize, usize, usize),
    pub(crate) memory: Memory,
    pub(crate) fates: Pair<Fate>,
    pub(crate) hidden: Pair<bool>,
}

pub(crate) fn side() -> impl Strategy<Value = Side> {
    select(Side::BOTH.to_vec())
}

fn wild() -> impl Strategy<Value = Value> {
    prop_oneof![
        select(vec!["x", " ", "Ada", "true", "42", "n/a", "ÄÖ"]).prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        (0_i64..3).prop_map(Value::from),
        prop::collection::vec(select(vec!["a.com", "B", " "]), 0..3)
            .prop_map(|members| Value::list(members.into_iter().map(str::to_owned).collect())),
    ]
}

pub(crate) fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        6 => Just(Fate::Kept),
        6 => (0_usize..5, 0_usize..3).prop_map(|(meaning, spelling)| Fate::Says(meaning, spelling)),
        2 => (Just(0_usize), 0_usize..3).prop_map(|(meaning, spelling)| Fate::Says(meaning, spelling)),
        1 => wild().prop_map(Fate::Wild),
    ]
}

fn memory() -> impl Strategy<Value = Memory> {
    prop_oneof![
        7 => Just(Memory::Both),
        2 => Just(Memory::Neither),
        1 => side().prop_map(Memory::Only),
        1 => (0_usize..5).prop_map(Memory::Apart),
    ]
}

fn direction() -> impl Strategy<Value = Direction> {
    prop_oneof![
        4 => Just(Direction::Both),
        1 => side().prop_map(Direction::To),
    ]
}

fn conflict() -> impl Strategy<Value = ConflictPolicy> {
    prop_oneof![
        2 => Just(ConflictPolicy::Newest),
        1 => Just(ConflictPolicy::Hold),
        1 => side().prop_map(ConflictPolicy::Prefer),
    ]
}

/// One field of one of these lenses.
pub(crate) fn spot(lenses: Vec<Lens>) -> impl Strategy<Value = Spot> {
    (
        select(lenses),
        direction(),
        conflict(),
        (0_usize..5, 0_usize..3, 0_usize..3),
        memory(),
        (fate(), fate()),
        (prop::bool::weighted(0.06), prop::bool::weighted(0.06)),
    )
        .prop_map(
            |(lens, direction, conflict, agreed, memory, fates, hidden)| Spot {
                lens,
                direction,
                conflict,
                agreed,
                memory,
                fates: pair(fates),
                hidden: pair(hidden),
            },
        )
}

fn server() -> impl Strategy<Value = Server> {
    select(vec![
        Server::Faithful,
        Server::Terse,
        Server::Upper,
        Server::Tidy,
        Server::Short,
        Server::Stubborn,
        Server::Deaf,
        Server::Shouting,
    ])
}

/// A pair of linked records with fields of every lens, and a company or not.
pub(crate) fn world() -> impl Strategy<Value = World> {
    with(lenses())
}

/// A pair of linked records with fields of these lenses, and a company or not.
pub(crate) fn with(lenses: Vec<Lens>) -> impl Strategy<Value = World> {
    let company = prop::option::of(spot(vec![Lens::Company]));
    (
        prop::collection::vec(spot(lenses), 1..4),
        company,
        (0_i64..3, 0_i64..3),
        (server(), server()),
    )
        .prop_map(|(spots, company, versions, servers)| {
            build(
                spots.into_iter().chain(company).collect(),
                pair(versions).map(Version),
                pair(servers),
            )
        })
}

/// `(crm, desk)` by name.
pub(crate) fn pair<T>((crm, desk): (T, T)) -> Pair<T> {
    Pair { crm, desk }
}

/// What `field` shows on `side` after `fate`.
pub(crate) fn after(field: &Field, side: Side, before: &[Value], fate: &Fate) -> Vec<Value> {
    match fate {
        Fate::Kept => before.to_vec(),
        Fate::Says(meaning, spelling) => spelled(&field.lens, side, *meaning, *spelling),
        Fate::Wild(value) if field.lens != Lens::Company => {
            vec![value.clone(); field.names(side).count()]
        }
        Fate::Wild(_) => spelled(&field.lens, side, 3, 0),
    }
}

fn field(at: usize, spot: &Spot) -> Field {
    if spot.lens == Lens::Company {
        return Field::company(spot.direction, spot.conflict);
    }
    let mut crm = vec![format!("c{at}")];
    if spot.lens == Lens::FullName {
        crm.push(format!("c{at}b"));
    }
    Field {
        name: format!("f{at}"),
        crm,
        desk: format!("d{at}"),
        lens: spot.lens.clone(),
        direction: spot.direction,
        conflict: spot.conflict,
    }
}

fn build(spots: Vec<Spot>, versions: Pair<Version>, servers: Pair<Server>) -> World {
    let mut world = World {
        mapping: Mapping {
            kind: Kind::Contact,
            fields: Vec::new(),
            keys: Vec::new(),
            create: pair((true, true)),
            delete: DeletePolicy::Hold,
            scope: pair((None, None)),
            watched: Pair::default(),
        },
        records: Pair::default(),
        hidden: Pair::default(),
        images: Pair::default(),
        bases: Pair::default(),
        versions,
        servers,
    };
    for (at, spot) in spots.into_iter().enumerate() {
        let field = field(at, &spot);
        for side in Side::BOTH {
            let spelling = [spot.agreed.1, spot.agreed.2][usize::from(side == Side::Desk)];
            let meaning = match spot.memory {
                Memory::Apart(meaning) if side == Side::Desk => meaning,
                _ => spot.agreed.0,
            };
            let agreed = spelled(&field.lens, side, meaning, spelling);
            let now = after(&field, side, &agreed, spot.fates.of(side));
            let remembered = match spot.memory {
                Memory::Both | Memory::Apart(_) => true,
                Memory::Neither => false,
                Memory::Only(known) => known == side,
            };
            for ((name, agreed), now) in field.names(side).zip(agreed).zip(now) {
                world.records.of_mut(side).set(name, now);
                if remembered {
                    world.bases.of_mut(side).set(name, agreed);
                }
                if *spot.hidden.of(side) {
                    world.hidden.of_mut(side).insert(name.to_owned());
                }
            }
        }
        world.mapping.fields.push(field);
    }
    for side in Side::BOTH {
        let note = format!("{side}'s own");
        world.records.of_mut(side).set("note", note.as_str().into());
    }
    world.observe();
    world
}

/// `image` without the fields of `hidden`.
pub(crate) fn without(image: &Image, hidden: &BTreeSet<String>) -> Image {
    Image(
        image
            .0
            .iter()
            .filter(|(name, _)| !hidden.contains(*name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect(),
    )
}
