//! What an application's responses mean for a record: written, read, found. Pure functions.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::http::{Failure, Response};
use crate::records::{Encoding, Find, Read, Records, Request, Write};
use crate::template::Fill;

/// Statuses that mean that a write had no effect. All others leave that open; among 4xx these are mainly 408 (the write
/// may have been in progress at the time-out), 409 (a retry in between may have met the result of the first attempt)
/// and 499.
const REFUSALS: [u16; 21] =
    [400, 401, 403, 404, 405, 406, 410, 411, 412, 413, 414, 415, 416, 417, 421, 422, 426, 428, 429, 431, 451];

/// A record that was, or may have been, written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The key that the client chose.
    pub key: String,
    /// The value.
    pub value: String,
    /// The ID that the application assigned, once it is known.
    pub id: Option<String>,
}

/// How a write ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    /// Acknowledged, with the ID that the application assigned.
    Acknowledged(Option<String>),
    /// Refused, or never sent: it had no effect.
    Failed(String),
    /// It may have had an effect.
    Unknown(String),
}

/// How a read ended: the value, none if there is no such record, or why it is unknown.
pub type Got = Result<Option<String>, String>;

impl Record {
    /// Returns a record that is not written yet.
    pub fn new(key: impl Into<String>, value: impl Into<String>) -> Self {
        Self { key: key.into(), value: value.into(), id: None }
    }

    /// Returns the values for the placeholders of its requests.
    pub fn fill(&self) -> Fill<'_> {
        Fill { key: &self.key, value: &self.value, id: self.id.as_deref().unwrap_or_default() }
    }
}

/// Returns how a write with this response, or none, ended.
pub fn written(records: &Records, response: Result<Response, Failure>) -> Written {
    match response {
        Ok(response) => judge_write(&records.write, &response),
        Err(Failure::NotSent(why)) => Written::Failed(why),
        Err(Failure::TimedOut(why) | Failure::Unanswered(why)) => Written::Unknown(why),
    }
}

/// Returns how a read with this response, or none, ended.
///
/// # Errors
/// Why nothing is known.
pub fn got(records: &Records, response: Result<Response, Failure>) -> Got {
    judge_read(&records.read, &response.map_err(|failure| failure.to_string())?)
}

/// Returns the request that looks up a record whose write got no response.
pub fn lookup(records: &Records) -> &Request {
    records.find.as_ref().map_or(&records.read.request, |find| &find.request)
}

/// Returns the record that a [`lookup`] found; none if it does not exist.
///
/// # Errors
/// Why nothing is known.
pub fn found(
    records: &Records,
    response: Result<Response, Failure>,
    record: &Record,
) -> Result<Option<Record>, String> {
    let Some(find) = &records.find else {
        return Ok(got(records, response)?.map(|value| Record { value, ..record.clone() }));
    };
    let id = judge_find(find, &response.map_err(|failure| failure.to_string())?, &record.value)?;
    Ok(id.map(|id| Record { id: Some(id), ..record.clone() }))
}

/// Returns whether the application under test can't have sent this response to a write: the server does not know or
/// permit the request, or reports a success without the content that the suite defines. Something else has accepted
/// the connection.
pub fn is_strange_to_write(write: &Write, response: &Response) -> bool {
    if response.status == write.request.status {
        return matches!(judge_write(write, response), Written::Unknown(_));
    }
    is_not_there(response.status)
}

/// Like [`is_strange_to_write`], for a response to a read. Another server may also report that there is no such record:
/// see [`Team`](crate::team::Team).
pub fn is_strange_to_read(read: &Read, response: &Response) -> bool {
    if response.status == read.request.status {
        return response.json().is_err();
    }
    read.absent != Some(response.status) && is_not_there(response.status)
}

/// Returns whether a server with this status does not know or permit the request. Other statuses are about the
/// application's state, which may return them at any time: a conflict, no leader, too many requests.
fn is_not_there(status: u16) -> bool {
    matches!(status, 400 | 401 | 403 | 404 | 405 | 410 | 421 | 501)
}

fn judge_write(write: &Write, response: &Response) -> Written {
    match response.status {
        status if status == write.request.status => match &write.id {
            None => Written::Acknowledged(None),
            Some(pointer) => match response.json().map(|body| pointer.text(&body)) {
                Ok(Some(id)) => Written::Acknowledged(Some(id)),
                Ok(None) => Written::Unknown(format!("the response to the write has no {}", pointer.as_str())),
                Err(why) => Written::Unknown(why),
            },
        },
        // This is not the application's response, so the effect of the write is unknown.
        status if is_not_there(status) => Written::Unknown(format!("status {status}: {}", response.beginning())),
        status if REFUSALS.contains(&status) => Written::Failed(format!("status {status}: {}", response.beginning())),
        status => Written::Unknown(format!("status {status}: {}", response.beginning())),
    }
}

fn judge_read(read: &Read, response: &Response) -> Got {
    if read.absent == Some(response.status) {
        return Ok(None);
    }
    let response = response.clone().require(read.request.status)?;
    let Some(value) = read.value.text(&response.json()?) else {
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

fn judge_find(find: &Find, response: &Response, value: &str) -> Result<Option<String>, String> {
    let body = response.clone().require(find.request.status)?.json()?;
    let items = find.items.get(&body).and_then(serde_json::Value::as_array);
    let items = items.ok_or_else(|| format!("the response has no list at \"{}\"", find.items.as_str()))?;
    let found = items.iter().find(|item| find.value.text(item).as_deref() == Some(value));
    Ok(found.and_then(|item| find.id.text(item)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status: u16, body: &str) -> Response {
        Response { status, body: body.to_owned().into() }
    }

    fn records() -> Records {
        let suite: toml::Table = toml::from_str(include_str!("../../../helm/caesium/e2e.toml")).unwrap();
        suite["records"].clone().try_into().unwrap()
    }

    #[test]
    fn a_write_is_acknowledged_refused_or_unknown() {
        let write = records().write;
        assert_eq!(judge_write(&write, &response(201, r#"{"id":"7"}"#)), Written::Acknowledged(Some("7".to_owned())));
        assert!(matches!(judge_write(&write, &response(422, "no")), Written::Failed(why) if why == "status 422: no"));
        for status in [408, 409, 425, 499, 500, 502, 503, 504] {
            let written = judge_write(&write, &response(status, ""));
            assert!(matches!(written, Written::Unknown(_)), "{status}: it may have had an effect");
        }
        for status in [412, 413, 415, 422, 429] {
            assert!(matches!(judge_write(&write, &response(status, "")), Written::Failed(_)), "{status}: it had none");
        }
        for status in [400, 401, 403, 404, 405] {
            let written = judge_write(&write, &response(status, ""));
            assert!(matches!(written, Written::Unknown(_)), "{status}: this is not the application");
        }
        assert!(matches!(judge_write(&write, &response(200, r#"{"id":"7"}"#)), Written::Unknown(_)));
        assert!(
            matches!(judge_write(&write, &response(201, "{}")), Written::Unknown(_)),
            "without its ID it can't be read"
        );
    }

    #[test]
    fn a_read_finds_the_value_or_that_there_is_none_or_fails() {
        let mut read = records().read;
        assert_eq!(judge_read(&read, &response(200, r#"{"alias":"a"}"#)), Ok(Some("a".to_owned())));
        assert_eq!(judge_read(&read, &response(404, "")), Ok(None));
        assert_eq!(
            judge_read(&read, &response(503, "no leader")),
            Err("status 503 instead of 200: no leader".to_owned())
        );
        read.encoding = Encoding::Base64;
        assert_eq!(judge_read(&read, &response(200, r#"{"alias":"YQ=="}"#)), Ok(Some("a".to_owned())));
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
            assert_eq!(is_strange_to_write(&write, &response(status, body)), strange, "{status} {body}");
        }
        for (status, body, strange) in
            [(200, "{}", false), (200, "<html>", true), (404, "", false), (405, "", true), (503, "no leader", false)]
        {
            assert_eq!(is_strange_to_read(&read, &response(status, body)), strange, "{status} {body}");
        }
    }

    #[test]
    fn a_lost_answer_is_found_by_its_value() {
        let find = records().find.unwrap();
        let list = response(200, r#"[{"id":"1","alias":"a"},{"id":"2","alias":"b"}]"#);
        assert_eq!(judge_find(&find, &list, "b"), Ok(Some("2".to_owned())));
        assert_eq!(judge_find(&find, &list, "c"), Ok(None));
        assert!(judge_find(&find, &response(200, "{}"), "a").is_err());
    }
}
