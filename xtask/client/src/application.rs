//! What an application's responses mean for a record: written, read, found. Pure functions.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::records::{Absent, Encoding, Find, Read, Records, Write};
use crate::request::{Protocol, Request};
use crate::response::{Failure, Response};
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
        Fill { key: &self.key, value: &self.value, id: self.id.as_deref().unwrap_or_default(), ..Fill::default() }
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
pub fn got(read: &Read, response: Result<Response, Failure>) -> Got {
    judge_read(read, &response.map_err(|failure| failure.to_string())?)
}

/// Returns the request that looks up a record whose write got no response; none if nothing is promised.
pub fn lookup(records: &Records) -> Option<&Request> {
    let read = &records.read_back()?.request;
    Some(records.find.as_ref().map_or(read, |find| &find.request))
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
    match (&records.find, &records.read) {
        (Some(find), _) => {
            let id = judge_find(find, &response.map_err(|failure| failure.to_string())?, &record.value)?;
            Ok(id.map(|id| Record { id: Some(id), ..record.clone() }))
        }
        (None, Some(read)) => Ok(got(read, response)?.map(|value| Record { value, ..record.clone() })),
        (None, None) => Ok(None),
    }
}

/// Returns whether the application under test can't have sent this response to a write: the server does not know or
/// permit the request, or reports a success without the content that the suite defines. Something else has accepted
/// the connection. Only HTTP has responses that any server gives: other protocols are not understood elsewhere.
pub fn is_strange_to_write(write: &Write, response: &Response) -> bool {
    if write.request.protocol() != Some(Protocol::Http) {
        return false;
    }
    if response.status == write.request.status {
        return matches!(judge_write(write, response), Written::Unknown(_));
    }
    is_not_there(response.status)
}

/// Like [`is_strange_to_write`], for a response to a read. Another server may also report that there is no such record:
/// see [`Team`](crate::team::Team).
pub fn is_strange_to_read(read: &Read, response: &Response) -> bool {
    let is_absent = matches!(&read.absent, Some(Absent::Status(status)) if response.status == Some(*status));
    if read.request.protocol() != Some(Protocol::Http) || is_absent {
        return false;
    }
    if response.status == read.request.status {
        return judge_read(read, response).is_err();
    }
    is_not_there(response.status)
}

/// Returns whether a server with this status does not know or permit the request. Other statuses are about the
/// application's state, which may return them at any time: a conflict, no leader, too many requests.
fn is_not_there(status: Option<u16>) -> bool {
    matches!(status, Some(400 | 401 | 403 | 404 | 405 | 410 | 421 | 501))
}

fn judge_write(write: &Write, response: &Response) -> Written {
    let why = match write.request.check(response) {
        Ok(()) => return acknowledged(write, response),
        Err(why) => why,
    };
    let is_http = write.request.protocol() == Some(Protocol::Http);
    // A status that any server may have sent is not the application's response.
    let is_refusal = |status| REFUSALS.contains(&status) && !is_not_there(Some(status));
    let is_refused = write.refused.as_ref().is_some_and(|refused| response.contains(refused))
        || is_http && response.status.is_some_and(is_refusal);
    if is_refused { Written::Failed(why) } else { Written::Unknown(why) }
}

/// Returns how a successful write ended: without its ID, the record can't be read.
fn acknowledged(write: &Write, response: &Response) -> Written {
    let Some(at) = &write.id else { return Written::Acknowledged(None) };
    match at.text(&response.document()) {
        Ok(Some(id)) => Written::Acknowledged(Some(id)),
        Ok(None) => Written::Unknown(format!("the response to the write has no {at}: {}", response.beginning())),
        Err(why) => Written::Unknown(why),
    }
}

fn judge_read(read: &Read, response: &Response) -> Got {
    read.request.check_error(response)?;
    match &read.absent {
        Some(Absent::Status(status)) if response.status == Some(*status) => return Ok(None),
        absent => {
            read.request.check(response)?;
            // A command that failed may have written nothing either, so the pattern counts only for a success.
            if matches!(absent, Some(Absent::Pattern { pattern }) if pattern.is_in(&response.text())) {
                return Ok(None);
            }
        }
    }
    let Some(value) = read.value.text(&response.document())? else {
        // Text of another form may be an error; JSON without the value is not.
        let is_text = read.value.is_pattern();
        let neither = || format!("the output has neither {} nor `absent`: {}", read.value, response.beginning());
        return if is_text { Err(neither()) } else { Ok(None) };
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
    find.request.check(response)?;
    for item in find.items.items(&response.document())? {
        if find.value.text(&item)?.as_deref() == Some(value) {
            return find.id.text(&item);
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status: u16, body: &str) -> Response {
        Response { status: Some(status), output: body.to_owned().into(), stderr: String::new() }
    }

    fn records() -> Records {
        let suite: toml::Table = toml::from_str(include_str!("../../../helm/caesium/e2e.toml")).unwrap();
        suite["records"].clone().try_into().unwrap()
    }

    #[test]
    fn a_write_is_acknowledged_refused_or_unknown() {
        let write = records().write;
        assert_eq!(judge_write(&write, &response(201, r#"{"id":"7"}"#)), Written::Acknowledged(Some("7".to_owned())));
        assert!(
            matches!(judge_write(&write, &response(422, "no")), Written::Failed(why) if why == "status 422 instead of 201: no")
        );
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
        let mut read = records().read.unwrap();
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
        let read = read.unwrap();
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

    fn by_command() -> Records {
        let text = r#"
            promise = "register"
            write = { request = { exec = ["set"], expect = "^OK$", error = '^\(error\)' }, refused = '^\(error\) READONLY' }
            [read]
            request = { exec = ["get"], error = '^\(error\)' }
            value = { pattern = '^"(.*)"$' }
            absent = { pattern = '^$' }
        "#;
        toml::from_str(text).unwrap()
    }

    fn ended(status: u16, output: &str) -> Response {
        response(status, output)
    }

    #[test]
    fn a_command_that_fails_leaves_the_effect_of_a_write_open_unless_the_suite_says_otherwise() {
        let write = by_command().write;
        assert_eq!(judge_write(&write, &ended(0, "OK\n")), Written::Acknowledged(None));
        for unknown in [ended(1, "OK"), ended(0, ""), ended(0, "(error) OOM"), ended(137, "")] {
            assert!(matches!(judge_write(&write, &unknown), Written::Unknown(_)), "{unknown:?}");
        }
        let refused = judge_write(&write, &ended(0, "(error) READONLY You can't write"));
        assert!(matches!(refused, Written::Failed(_)), "{refused:?}");
        assert!(!is_strange_to_write(&write, &ended(1, "")), "a command fails for many reasons");
    }

    #[test]
    fn output_that_is_neither_a_value_nor_absent_is_an_error() {
        let read = by_command().read.unwrap();
        assert_eq!(judge_read(&read, &ended(0, "\"a\"\n")), Ok(Some("a".to_owned())));
        assert_eq!(judge_read(&read, &ended(0, "\n")), Ok(None));
        for failed in [ended(1, ""), ended(0, "(error) LOADING"), ended(0, "LOADING")] {
            assert!(judge_read(&read, &failed).is_err(), "{failed:?}");
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
