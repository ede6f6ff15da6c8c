//! Private notes: those that stand on a ticket as plain text, and a new one of which nobody is mailed.

use super::list::{PER_PAGE, ended};
use super::value::stamp;
use super::write::Complaint;
use super::{Freshdesk, numeric};
use crate::model::{RecordId, Version};
use crate::remote::http::Call;
use crate::remote::{NoteOutcome, RemoteError};
use reqwest::{Method, StatusCode};
use serde_json::{Value as Json, json};

const LIST: &str = "tickets.conversations";
const CREATE: &str = "tickets.notes";
/// Pages of a conversation that are read at most: 10,000 messages.
const PAGES: u32 = 100;

impl Freshdesk {
    /// The private notes of the ticket `id`, latest last ("List All Conversations of a Ticket").
    pub(super) async fn private_notes(&self, id: &RecordId) -> Result<Vec<String>, RemoteError> {
        let path = format!("/tickets/{}/conversations", numeric(LIST, id)?);
        let mut notes: Vec<(Version, String)> = Vec::new();
        for page in 1..=PAGES {
            let call = Call::get(LIST, path.as_str())
                .with("per_page", PER_PAGE.to_string())
                .with("page", page.to_string());
            let reply = self.http.send(call).await?.ok()?;
            let rows: Vec<Json> = reply.json()?;
            let ended = ended(&reply, rows.len())?;
            notes.extend(rows.iter().filter_map(note));
            if ended {
                break;
            }
        }
        notes.sort_by_key(|(written, _)| *written);
        Ok(notes.into_iter().map(|(_, text)| text).collect())
    }

    /// Adds `text` to the ticket `id` as a private note ("Create a Note"). Never `notify_emails`,
    /// which mails people.
    pub(super) async fn create_note(
        &self,
        id: &RecordId,
        text: &str,
    ) -> Result<NoteOutcome, RemoteError> {
        let path = format!("/tickets/{}/notes", numeric(CREATE, id)?);
        let body = json!({"body": html(text), "private": true});
        let reply = self
            .http
            .send(Call::send(Method::POST, CREATE, path, body))
            .await?;
        // It stands there, whatever else the answer says: a second one would be one too many.
        if reply.status.is_success() {
            return Ok(NoteOutcome::Done {
                request_id: reply.request_id(),
            });
        }
        let message = match reply.status {
            StatusCode::NOT_FOUND => {
                // Every path answers 404 where API v2 is off or the account's name is wrong.
                self.who_am_i().await?;
                "the ticket is not there".to_owned()
            }
            StatusCode::METHOD_NOT_ALLOWED => "the ticket is deleted or spam".to_owned(),
            StatusCode::BAD_REQUEST | StatusCode::CONFLICT if Complaint::of(&reply).understood => {
                reply.message()
            }
            _ => return Ok(NoteOutcome::Failed(reply.failure())),
        };
        Ok(NoteOutcome::Refused {
            message,
            request_id: reply.request_id(),
        })
    }
}

/// When a private note was written, and its text; nothing for what customers see.
fn note(row: &Json) -> Option<(Version, String)> {
    if row.get("private").and_then(Json::as_bool) != Some(true) {
        return None;
    }
    let said = |key: &str| row.get(key).and_then(Json::as_str);
    let text = said("body_text").map(str::to_owned);
    let text = text.or_else(|| said("body").map(plain))?;
    Some((said("created_at").and_then(stamp).unwrap_or_default(), text))
}

/// Plain text as HTML that shows it.
fn html(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            '\n' => html.push_str("<br>"),
            '\r' => {}
            c => html.push(c),
        }
    }
    html
}

/// What HTML shows, roughly: tags are dropped, line breaks and the ends of blocks are new lines.
fn plain(html: &str) -> String {
    let mut text = String::with_capacity(html.len());
    let mut rest = html;
    while let Some((before, tagged)) = rest.split_once('<') {
        text.push_str(before);
        let Some((tag, after)) = tagged.split_once('>') else {
            // No tag, then: a lone sign.
            text.push('<');
            rest = tagged;
            break;
        };
        let name = tag.split([' ', '\t', '\n']).next().unwrap_or_default();
        let name = name.trim_end_matches('/').to_ascii_lowercase();
        if matches!(name.as_str(), "br" | "/p" | "/div" | "/li") {
            text.push('\n');
        }
        rest = after;
    }
    text.push_str(rest);
    // The ampersand last: what it makes is no entity.
    let text = text
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&#39;", "'")
        .replace("&nbsp;", " ")
        .replace("&amp;", "&");
    text.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_markup_in_a_customers_name_is_shown_and_never_obeyed() {
        assert_eq!(
            html("<img src=x onerror='y'> & \"Ada\"\r\nline 2"),
            "&lt;img src=x onerror=&#39;y&#39;&gt; &amp; &quot;Ada&quot;<br>line 2"
        );
    }

    #[test]
    fn a_note_is_recognised_though_the_server_wraps_it() {
        assert_eq!(plain("<div>a<br/>b &amp;lt; c</div>"), "a\nb &lt; c");
        assert_eq!(plain("<p class=\"x\">1 &lt; 2</p><P>end</P>"), "1 < 2\nend");
        assert_eq!(plain("1 < 2"), "1 < 2");
    }

    #[test]
    fn what_customers_see_is_no_private_note() {
        assert_eq!(note(&json!({"private": false, "body_text": "x"})), None);
        assert_eq!(note(&json!({"body_text": "x"})), None);
        let text = |row: Json| note(&row).map(|(_, text)| text);
        let both = json!({"private": true, "body": "<div>x</div>", "body_text": "y"});
        assert_eq!(text(both).as_deref(), Some("y"));
        let html = json!({"private": true, "body": "<div>x</div>", "body_text": null});
        assert_eq!(text(html).as_deref(), Some("x"));
    }

    proptest! {
        #[test]
        fn what_is_written_is_what_is_read(text in "[a-z<>&;\"' \n]{0,40}") {
            prop_assert_eq!(plain(&format!("<div>{}</div>", html(&text))), text.trim());
        }

        #[test]
        fn no_html_makes_it_panic(text in ".{0,80}") {
            let _ = plain(&text);
        }
    }
}
