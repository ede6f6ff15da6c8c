//! Who asks, and in what form: the headers that decide whether a request is looked at.

use axum::http::{HeaderMap, header};

/// Whether the request carries the account's key; the password may be anything.
pub(super) fn is_authorized(headers: &HeaderMap, key: &str) -> bool {
    let given = headers
        .get(header::AUTHORIZATION)
        .and_then(|it| it.to_str().ok());
    let user = given.and_then(basic_user);
    user.is_some_and(|user| user == key.as_bytes())
}

/// The user of HTTP Basic.
fn basic_user(header: &str) -> Option<Vec<u8>> {
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let mut user = Vec::new();
    let (mut bits, mut width) = (0_u32, 0_u32);
    for letter in encoded.trim().trim_end_matches('=').bytes() {
        let six = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = (bits << 6 | u32::from(six)) & 0xFFFF;
        width += 6;
        if width >= 8 {
            width -= 8;
            user.push(u8::try_from(bits >> width & 0xFF).ok()?);
        }
    }
    let colon = user.iter().position(|&byte| byte == b':')?;
    user.truncate(colon);
    Some(user)
}

/// Whether the client takes JSON.
pub(super) fn accepts_json(headers: &HeaderMap) -> bool {
    let Some(accept) = headers.get(header::ACCEPT).and_then(|it| it.to_str().ok()) else {
        return true;
    };
    let kinds = accept
        .split(',')
        .map(|kind| kind.split(';').next().unwrap_or("").trim());
    kinds
        .into_iter()
        .any(|kind| matches!(kind, "application/json" | "*/*" | "application/*"))
}

/// Whether the body says that it is JSON.
pub(super) fn sends_json(headers: &HeaderMap) -> bool {
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|it| it.to_str().ok());
    kind.is_some_and(|kind| kind.split(';').next().unwrap_or("").trim() == "application/json")
}
