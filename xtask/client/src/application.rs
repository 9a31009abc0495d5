//! What an application's answers say about a record: written, read, found. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::http::{Failure, Response};
use crate::records::{Encoding, Find, Read, Records, Request, Write};
use crate::template::Fill;

/// Statuses that say that a write had no effect. All others leave that open, of the 4xx above all 408 (it was being
/// worked on when time was over), 409 (a retry on the way may have found what the first try wrote) and 499.
const REFUSALS: [u16; 21] =
    [400, 401, 403, 404, 405, 406, 410, 411, 412, 413, 414, 415, 416, 417, 421, 422, 426, 428, 429, 431, 451];

/// A record that was, or may have been, written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// What the client called it.
    pub key: String,
    /// What it holds.
    pub value: String,
    /// What the application called it, once it said so.
    pub id: Option<String>,
}

/// How a write ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    /// Acknowledged, with the id that the application gave.
    Acknowledged(Option<String>),
    /// Refused, or never sent: it had no effect.
    Failed(String),
    /// It may have had an effect.
    Unknown(String),
}

/// How a read ended: the value, none where there is no such record, or why it is not known.
pub type Got = Result<Option<String>, String>;

impl Record {
    /// A record that is still to be written.
    pub fn new(key: impl Into<String>, value: impl Into<String>) -> Self {
        Self { key: key.into(), value: value.into(), id: None }
    }

    /// What fills the requests about it.
    pub fn fill(&self) -> Fill<'_> {
        Fill { key: &self.key, value: &self.value, id: self.id.as_deref().unwrap_or_default() }
    }
}

/// How a write ended that got this answer, or none.
pub fn written(records: &Records, answer: Result<Response, Failure>) -> Written {
    match answer {
        Ok(answer) => judge_write(&records.write, &answer),
        Err(Failure::NotSent(why)) => Written::Failed(why),
        Err(Failure::TimedOut(why) | Failure::Unanswered(why)) => Written::Unknown(why),
    }
}

/// How a read ended that got this answer, or none.
///
/// # Errors
/// Why nothing is known.
pub fn got(records: &Records, answer: Result<Response, Failure>) -> Got {
    judge_read(&records.read, &answer.map_err(|failure| failure.to_string())?)
}

/// What to ask where a write was not answered.
pub fn lookup(records: &Records) -> &Request {
    records.find.as_ref().map_or(&records.read.request, |find| &find.request)
}

/// The record as a [`lookup`] found it; none where it is not there.
///
/// # Errors
/// Why nothing is known.
pub fn found(records: &Records, answer: Result<Response, Failure>, record: &Record) -> Result<Option<Record>, String> {
    let Some(find) = &records.find else {
        return Ok(got(records, answer)?.map(|value| Record { value, ..record.clone() }));
    };
    let id = judge_find(find, &answer.map_err(|failure| failure.to_string())?, &record.value)?;
    Ok(id.map(|id| Record { id: Some(id), ..record.clone() }))
}

/// Whether the application under test can't have given this answer to a write: it says that there is no such request
/// where it was sent, or not for us, or it is a success without what the suite says that there is in one. Something
/// else has taken the connection.
pub fn is_strange_to_write(write: &Write, answer: &Response) -> bool {
    if answer.status == write.request.status {
        return matches!(judge_write(write, answer), Written::Unknown(_));
    }
    is_not_there(answer.status)
}

/// The same for an answer to a read. That there is no such record is what others may say, too: see
/// [`Team`](crate::team::Team).
pub fn is_strange_to_read(read: &Read, answer: &Response) -> bool {
    if answer.status == read.request.status {
        return answer.json().is_err();
    }
    read.absent != Some(answer.status) && is_not_there(answer.status)
}

/// Statuses by which a server says that it does not know the request, or that it is not for whoever asks. Others are
/// about the state that an application is in, and may come from it at any time: a conflict, no leader, too many requests.
fn is_not_there(status: u16) -> bool {
    matches!(status, 400 | 401 | 403 | 404 | 405 | 410 | 421 | 501)
}

fn judge_write(write: &Write, answer: &Response) -> Written {
    match answer.status {
        status if status == write.request.status => match &write.id {
            None => Written::Acknowledged(None),
            Some(pointer) => match answer.json().map(|body| pointer.text(&body)) {
                Ok(Some(id)) => Written::Acknowledged(Some(id)),
                Ok(None) => Written::Unknown(format!("the answer to the write has no {}", pointer.as_str())),
                Err(why) => Written::Unknown(why),
            },
        },
        // Whoever returns this is not the application: what that one did is not known.
        status if is_not_there(status) => Written::Unknown(format!("status {status}: {}", answer.beginning())),
        status if REFUSALS.contains(&status) => Written::Failed(format!("status {status}: {}", answer.beginning())),
        status => Written::Unknown(format!("status {status}: {}", answer.beginning())),
    }
}

fn judge_read(read: &Read, answer: &Response) -> Got {
    if read.absent == Some(answer.status) {
        return Ok(None);
    }
    let answer = answer.clone().require(read.request.status)?;
    let Some(value) = read.value.text(&answer.json()?) else {
        return Ok(None);
    };
    match read.encoding {
        Encoding::Plain => Ok(Some(value)),
        Encoding::Base64 => {
            let bytes = STANDARD.decode(&value).map_err(|error| format!("{value} is not base64: {error}"))?;
            Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
        }
    }
}

fn judge_find(find: &Find, answer: &Response, value: &str) -> Result<Option<String>, String> {
    let body = answer.clone().require(find.request.status)?.json()?;
    let items = find.items.get(&body).and_then(serde_json::Value::as_array);
    let items = items.ok_or_else(|| format!("the answer has no list at \"{}\"", find.items.as_str()))?;
    let found = items.iter().find(|item| find.value.text(item).as_deref() == Some(value));
    Ok(found.and_then(|item| find.id.text(item)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Response {
        Response { status, body: body.to_owned().into() }
    }

    fn records() -> Records {
        let suite: toml::Table = toml::from_str(include_str!("../../../helm/caesium/e2e.toml")).unwrap();
        suite["records"].clone().try_into().unwrap()
    }

    #[test]
    fn a_write_is_acknowledged_refused_or_unknown() {
        let write = records().write;
        assert_eq!(judge_write(&write, &answer(201, r#"{"id":"7"}"#)), Written::Acknowledged(Some("7".to_owned())));
        assert!(matches!(judge_write(&write, &answer(422, "no")), Written::Failed(why) if why == "status 422: no"));
        for status in [408, 409, 425, 499, 500, 502, 503, 504] {
            let written = judge_write(&write, &answer(status, ""));
            assert!(matches!(written, Written::Unknown(_)), "{status}: it may have had an effect");
        }
        for status in [412, 413, 415, 422, 429] {
            assert!(matches!(judge_write(&write, &answer(status, "")), Written::Failed(_)), "{status}: it had none");
        }
        for status in [400, 401, 403, 404, 405] {
            let written = judge_write(&write, &answer(status, ""));
            assert!(matches!(written, Written::Unknown(_)), "{status}: this is not the application");
        }
        assert!(matches!(judge_write(&write, &answer(200, r#"{"id":"7"}"#)), Written::Unknown(_)));
        assert!(
            matches!(judge_write(&write, &answer(201, "{}")), Written::Unknown(_)),
            "without its id it can't be read"
        );
    }

    #[test]
    fn a_read_finds_the_value_or_that_there_is_none_or_fails() {
        let mut read = records().read;
        assert_eq!(judge_read(&read, &answer(200, r#"{"alias":"a"}"#)), Ok(Some("a".to_owned())));
        assert_eq!(judge_read(&read, &answer(404, "")), Ok(None));
        assert_eq!(
            judge_read(&read, &answer(503, "no leader")),
            Err("status 503 instead of 200: no leader".to_owned())
        );
        read.encoding = Encoding::Base64;
        assert_eq!(judge_read(&read, &answer(200, r#"{"alias":"YQ=="}"#)), Ok(Some("a".to_owned())));
    }

    #[test]
    fn an_answer_that_the_application_can_not_have_given_is_strange() {
        let Records { write, read, .. } = records();
        for (status, body, strange) in [
            (201, r#"{"id":"7"}"#, false),
            (201, "<html>", true),
            (201, "{}", true),
            (404, "", true),
            (405, "", true),
            (400, "Client sent an HTTP request to an HTTPS server.", true),
            (409, "taken", false),
            (429, "", false),
            (500, "", false),
            (503, "no leader", false),
        ] {
            assert_eq!(is_strange_to_write(&write, &answer(status, body)), strange, "{status} {body}");
        }
        for (status, body, strange) in
            [(200, "{}", false), (200, "<html>", true), (404, "", false), (405, "", true), (503, "no leader", false)]
        {
            assert_eq!(is_strange_to_read(&read, &answer(status, body)), strange, "{status} {body}");
        }
    }

    #[test]
    fn a_lost_answer_is_found_by_its_value() {
        let find = records().find.unwrap();
        let list = answer(200, r#"[{"id":"1","alias":"a"},{"id":"2","alias":"b"}]"#);
        assert_eq!(judge_find(&find, &list, "b"), Ok(Some("2".to_owned())));
        assert_eq!(judge_find(&find, &list, "c"), Ok(None));
        assert!(judge_find(&find, &answer(200, "{}"), "a").is_err());
    }
}
