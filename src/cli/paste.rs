//! The commands that we suggest: with the `-c FILE` that we were given, so that they work when they are
//! pasted.

use std::borrow::Cow;
use std::path::Path;
use std::sync::OnceLock;

/// How every suggestion begins, wherever in the program its sentence was made.
const BEGINNING: &str = "`deskbridge ";

/// What this process was called with: ` -c FILE`, or nothing.
static GIVEN: OnceLock<String> = OnceLock::new();

/// Remembers the file that `-c` named.
pub(super) fn called_with(config: Option<&Path>) {
    let given = config.map_or_else(String::new, |path| {
        format!(" -c {}", quoted(&path.to_string_lossy()))
    });
    // Called once, before anything is said.
    let _ = GIVEN.set(given);
}

/// `deskbridge WORDS`, to be pasted.
pub(super) fn command(words: &str) -> String {
    let given = GIVEN.get().map_or("", String::as_str);
    format!("deskbridge{given} {words}")
}

/// `text` with the commands in it to be pasted.
pub(super) fn ready(text: &str) -> Cow<'_, str> {
    with(GIVEN.get().map_or("", String::as_str), text)
}

fn with<'a>(given: &str, text: &'a str) -> Cow<'a, str> {
    if given.is_empty() || !text.contains(BEGINNING) {
        return Cow::Borrowed(text);
    }
    // What is ready already stays: a sentence may come by here twice.
    let ready = format!("`deskbridge{given} ");
    Cow::Owned(text.replace(&ready, BEGINNING).replace(BEGINNING, &ready))
}

/// A word as a shell reads it.
pub(super) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-+:@%=,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_with_a_blank_in_its_name_is_one_word_when_the_command_is_pasted() {
        assert_eq!(
            quoted("/etc/deskbridge/sync.toml"),
            "/etc/deskbridge/sync.toml"
        );
        assert_eq!(quoted("my sync.toml"), "'my sync.toml'");
        assert_eq!(quoted("it's.toml"), r"'it'\''s.toml'");
    }

    #[test]
    fn a_command_that_is_suggested_anywhere_leads_to_the_same_configuration() {
        let said = "see `deskbridge holds`, or `deskbridge discard 3`";
        assert_eq!(with("", said), said);
        assert_eq!(
            with(" -c a.toml", said),
            "see `deskbridge -c a.toml holds`, or `deskbridge -c a.toml discard 3`"
        );
        let once = with(" -c a.toml", said);
        assert_eq!(with(" -c a.toml", &once), once);
    }
}
