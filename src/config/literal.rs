//! Where a part of a text stands in the file: behind quotes, line breaks and escapes.

use std::ops::Range;

/// The bytes of `source` that stand for `part` of `value`, which is written at `span`. All of
/// `span` where the two cannot be brought together.
pub(super) fn place(
    source: &str,
    span: &Range<usize>,
    value: &str,
    part: &Range<usize>,
) -> Range<usize> {
    let literal = source.get(span.clone()).unwrap_or_default();
    let Some(mut marks) = marks(literal) else {
        return span.clone();
    };
    // A parser may make every line's end the same.
    if text(&marks) != value {
        marks.retain(|mark| mark.character != '\r');
    }
    if text(&marks) != value {
        return span.clone();
    }
    // Where in the literal the character begins that holds this byte of the value.
    let find = |byte: usize| {
        let mut at = 0;
        let holder = marks.iter().find(|mark| {
            at += mark.character.len_utf8();
            byte < at
        });
        holder.or(marks.last())
    };
    let (Some(first), Some(last)) = (find(part.start), find(part.end.saturating_sub(1))) else {
        return span.clone();
    };
    let start = span.start + first.raw.start;
    start..(span.start + last.raw.end).max(start)
}

/// One character of a text, and the bytes of the literal that stand for it.
struct Mark {
    character: char,
    raw: Range<usize>,
}

fn text(marks: &[Mark]) -> String {
    marks.iter().map(|mark| mark.character).collect()
}

/// The characters of a literal; `None` where it is none.
fn marks(literal: &str) -> Option<Vec<Mark>> {
    let (quote, escapes) = match literal.chars().next()? {
        '"' => ("\"", true),
        '\'' => ("'", false),
        _ => return None,
    };
    let long = quote.repeat(3);
    let quotes = if literal.len() >= 6 && literal.starts_with(&long) {
        3
    } else {
        1
    };
    let end = literal.len().checked_sub(quotes)?;
    let mut rest = literal.get(quotes..end)?;
    if quotes == 3 {
        rest = rest
            .strip_prefix("\r\n")
            .or_else(|| rest.strip_prefix('\n'))
            .unwrap_or(rest);
    }
    let mut marks = Vec::new();
    while let Some(first) = rest.chars().next() {
        let start = end - rest.len();
        let (character, length) = match first {
            '\\' if escapes => escape(rest)?,
            _ => (Some(first), first.len_utf8()),
        };
        if let Some(character) = character {
            let raw = start..start + length;
            marks.push(Mark { character, raw });
        }
        rest = rest.get(length..)?;
    }
    Some(marks)
}

/// What the escape at the beginning of `rest` stands for, and its length. One before a line's end
/// stands for nothing, with all blanks that follow.
fn escape(rest: &str) -> Option<(Option<char>, usize)> {
    let digits = |count: usize| {
        let code = u32::from_str_radix(rest.get(2..2 + count)?, 16).ok()?;
        Some((Some(char::from_u32(code)?), 2 + count))
    };
    let one = |character: char| Some((Some(character), 2));
    match rest.chars().nth(1)? {
        'b' => one('\u{8}'),
        't' => one('\t'),
        'n' => one('\n'),
        'f' => one('\u{c}'),
        'r' => one('\r'),
        'e' => one('\u{1b}'),
        '"' => one('"'),
        '\\' => one('\\'),
        'x' => digits(2),
        'u' => digits(4),
        'U' => digits(8),
        blank if blank.is_ascii_whitespace() => {
            let behind = rest.get(1..)?.trim_start_matches([' ', '\t', '\n', '\r']);
            Some((None, rest.len() - behind.len()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(literal: &str, part: &str, expected: &str) {
        let source = format!("note = {literal} # x");
        let value: toml::Table = toml::from_str(&source).unwrap();
        let value = value["note"].as_str().unwrap();
        let at = value.find(part).unwrap();
        let span = 7..7 + literal.len();
        let found = place(&source, &span, value, &(at..at + part.len()));
        assert_eq!(&source[found], expected, "{literal}");
    }

    #[test]
    fn a_mistake_in_a_note_is_shown_where_it_stands_however_the_note_is_quoted() {
        check("\"a {{ b }}\"", "b", "b");
        check("'a \\ {{ b }}'", "b", "b");
        check("\"\\t\\u00e4\\\" {{ b }}\"", "{{ b", "{{ b");
        check("\"\"\"\n  one\n\"two\" {{ b }}\"\"\"", "\"two\"", "\"two\"");
        check("\"\"\"\r\none\r\n{{ b }}\r\n\"\"\"", "{{ b", "{{ b");
        check("\"\"\"one \\\n   {{ b }}\"\"\"", "{{ b", "{{ b");
        check("'''\n'one' {{ b }}'''", "b }}", "b }}");
        check("\"ä {{ b\\n }}\"", "b\n ", "b\\n ");
    }

    #[test]
    fn what_cannot_be_placed_is_shown_as_a_whole() {
        let source = "note = \"a\"";
        assert_eq!(place(source, &(7..10), "b", &(0..1)), 7..10);
        assert_eq!(place(source, &(7..10), "a", &(1..1)), 8..9);
        assert_eq!(place("x = \"\"", &(4..6), "", &(0..0)), 4..6);
    }
}
