//! What can be wrong with JSON that comes from outside: it is cut off, of other types, with keys twice
//! or left out, or no JSON at all.

use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::Value as Json;

/// What is wrong with a body.
#[derive(Debug, Clone)]
pub(crate) enum Harm {
    /// It ends early.
    Cut(Index),
    /// It is something else.
    Bytes(Vec<u8>),
    /// Some of its bytes are others.
    Spliced(Index, Vec<u8>),
    /// One of its values is another.
    Swapped(Index, String),
    /// One of its values is left out.
    LeftOut(Index),
    /// One of its keys is there twice, with another value the second time.
    Twice(Index, String),
    /// One of its lists shows nothing.
    Emptied(Index),
    /// One of its lists shows its first member twice.
    Repeated(Index),
}

/// Values that no answer has in most of its places.
fn odd() -> impl Strategy<Value = String> {
    let deep = |open: &str, close: &str| open.repeat(1000) + "1" + &close.repeat(1000);
    let texts = [
        "null",
        "false",
        "true",
        "0",
        "-1",
        "1.5",
        "1e999",
        "-1e-999",
        "NaN",
        "2147483648",
        "9223372036854775808",
        "99999999999999999999999999",
        "[]",
        "{}",
        "[null]",
        "[[]]",
        "[7,7]",
        "[\"x\"]",
        "{\"id\":7}",
        "\"\"",
        "\" \"",
        "\"NaN\"",
        "\"0\"",
        "\"-7\"",
        "\"007\"",
        "\"7\"",
        "\"2147483648\"",
        "\"99999999999999999999999999\"",
        "\"../../x\"",
        "\"\\u0000\"",
        "\"\\ud800\"",
        "\"[\"",
        "\"Existing ID:\"",
        "\"-262143-01-01T00:00:00\"",
        "\"+262142-12-31T23:59:59\"",
        "\"-262143-01-01 00:00:00\"",
        "\"0000-01-01T00:00:00Z\"",
    ];
    let mut all: Vec<String> = texts.map(str::to_owned).into();
    all.extend([deep("[", "]"), deep("{\"a\":", "}")]);
    prop_oneof![
        6 => proptest::sample::select(all),
        1 => any::<i64>().prop_map(|number| number.to_string()),
        1 => any::<String>().prop_map(|text| Json::from(text).to_string()),
    ]
}

/// Any harm.
pub(crate) fn harm() -> impl Strategy<Value = Harm> {
    let index = any::<Index>;
    let bytes = |most| proptest::collection::vec(any::<u8>(), 0..most);
    prop_oneof![
        6 => index().prop_map(Harm::Cut),
        1 => bytes(200).prop_map(Harm::Bytes),
        2 => (index(), bytes(8)).prop_map(|(at, with)| Harm::Spliced(at, with)),
        8 => (index(), odd()).prop_map(|(at, with)| Harm::Swapped(at, with)),
        4 => index().prop_map(Harm::LeftOut),
        3 => (index(), odd()).prop_map(|(at, with)| Harm::Twice(at, with)),
        1 => index().prop_map(Harm::Emptied),
        2 => index().prop_map(Harm::Repeated),
    ]
}

/// Stands where another value will be.
const PLACE: &str = "another-value-goes-here";

impl Harm {
    /// The body after the harm; as it was where there is nothing to do it to.
    pub(crate) fn done_to(&self, body: &[u8]) -> Vec<u8> {
        match self {
            Self::Bytes(bytes) => bytes.clone(),
            _ if body.is_empty() => Vec::new(),
            Self::Cut(at) => body[..at.index(body.len())].to_vec(),
            Self::Spliced(at, with) => {
                let at = at.index(body.len());
                let end = (at + with.len()).min(body.len());
                let mut body = body.to_vec();
                body.splice(at..end, with.iter().copied());
                body
            }
            _ => self.done_to_json(body).unwrap_or_else(|| body.to_vec()),
        }
    }

    fn done_to_json(&self, body: &[u8]) -> Option<Vec<u8>> {
        let mut json: Json = serde_json::from_slice(body).ok()?;
        let mut all = Vec::new();
        places(&json, "", &mut all);
        let chosen = |at: &Index| chosen(*at, &all).to_owned();
        let lists = || -> Vec<&String> {
            let list = |at: &&String| json.pointer(at).is_some_and(Json::is_array);
            all.iter().filter(list).collect()
        };
        let text = match self {
            Self::Swapped(at, with) => {
                *json.pointer_mut(&chosen(at))? = PLACE.into();
                json.to_string().replace(&format!("\"{PLACE}\""), with)
            }
            Self::Twice(at, with) => {
                let at = &chosen(at);
                let key = at.rsplit('/').next()?;
                let first = json.pointer(at)?.to_string();
                let again = format!("{first},{}:{with}", Json::from(key));
                *json.pointer_mut(at)? = PLACE.into();
                json.to_string().replace(&format!("\"{PLACE}\""), &again)
            }
            Self::LeftOut(at) => {
                let at = chosen(at);
                let (above, key) = at.rsplit_once('/')?;
                match json.pointer_mut(above)? {
                    Json::Object(object) => drop(object.remove(key)),
                    Json::Array(list) => drop(list.remove(key.parse().ok()?)),
                    _ => return None,
                }
                json.to_string()
            }
            Self::Emptied(at) => {
                let lists = lists();
                let at = (*lists.get(at.index(lists.len().max(1)))?).clone();
                *json.pointer_mut(&at)? = Json::Array(Vec::new());
                json.to_string()
            }
            Self::Repeated(at) => {
                let lists = lists();
                let at = (*lists.get(at.index(lists.len().max(1)))?).clone();
                let list = json.pointer_mut(&at)?.as_array_mut()?;
                let first = list.first()?.clone();
                *list.last_mut()? = first;
                json.to_string()
            }
            _ => return None,
        };
        Some(text.into_bytes())
    }
}

/// One of `all`: as often as not one that decides what the whole is taken for.
fn chosen(at: Index, all: &[String]) -> &str {
    let decides = |place: &&String| {
        let key = place.rsplit('/').find(|key| key.parse::<u8>().is_err());
        let ends = [
            "id", "Id", "ids", "_at", "At", "date", "active", "archived", "deleted",
        ];
        key.is_some_and(|key| ends.iter().any(|end| key.ends_with(end)))
    };
    let some: Vec<&String> = all.iter().filter(decides).collect();
    match at.index(2) {
        0 if !some.is_empty() => some[at.index(some.len())],
        _ => &all[at.index(all.len())],
    }
}

/// All places of `json`, as pointers. No key of an answer has a slash or a tilde in it.
fn places(json: &Json, at: &str, all: &mut Vec<String>) {
    all.push(at.to_owned());
    match json {
        Json::Object(object) => {
            for (key, value) in object {
                places(value, &format!("{at}/{key}"), all);
            }
        }
        Json::Array(list) => {
            for (place, value) in list.iter().enumerate() {
                places(value, &format!("{at}/{place}"), all);
            }
        }
        _ => {}
    }
}
