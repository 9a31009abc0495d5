//! `pods/log`: the node's log file in CRI's format, converted to what the client requested.

use std::path::Path;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::Response;
use chrono::{DateTime, TimeDelta, Utc};
use futures::stream;
use serde_json::Value;
use tokio::fs::File;
use tokio::io::AsyncReadExt;

use super::request::Request;
use super::{State, answer, body, pod};
use crate::kinds::Kind;
use crate::status::Status;
use crate::store::Store;

/// How often a followed file is read: there is nothing to wait on.
const FOLLOW_EVERY: Duration = Duration::from_millis(100);

/// Handles a request for the log of a container.
pub async fn answer(state: &State, request: &Request) -> Result<Response, Status> {
    let pod = pod::of(state, &request.target)?;
    let options = LogOptions::of(request)?;
    let name = pod::container(&pod, request.parameter("container").unwrap_or_default())?;
    if pod["spec"]["nodeName"].as_str().is_none_or(str::is_empty) {
        return Ok(answer::body(200, "text/plain", ""));
    }
    let uid = pod["metadata"]["uid"].as_str().unwrap_or_default();
    let path = state.kubelet.log_path(uid, &name, request.flag("previous"))?;
    let mut file = File::open(&path).await.map_err(|error| missing(&path, &error))?;
    let mut written = Vec::new();
    file.read_to_end(&mut written).await.map_err(|error| missing(&path, &error))?;
    let mut lines = Lines::new(options);
    let mut shown = lines.tail(&written);
    shown.truncate(lines.options.limit_bytes.unwrap_or(usize::MAX));
    if !request.flag("follow") {
        return Ok(answer::body(200, "text/plain", shown));
    }
    let run = FollowedContainer { kind: request.target.kind, restarts: restarts(&pod, &name), pod, name };
    let follower = Follower { file, lines, first: Some(shown.into()), run, state: state.clone(), is_over: false };
    let chunks = stream::unfold(follower, |mut follower| async move {
        let chunk = follower.next().await?;
        Some((Ok::<_, std::io::Error>(chunk), follower))
    });
    Ok(answer::body(200, "text/plain", Body::from_stream(chunks)))
}

fn missing(path: &Path, error: &std::io::Error) -> Status {
    Status::new(500, "InternalError", format!("the log {} cannot be read: {error}", path.display()))
}

struct LogOptions {
    tail_lines: Option<usize>,
    limit_bytes: Option<usize>,
    since: Option<DateTime<Utc>>,
    timestamps: bool,
}

impl LogOptions {
    fn of(request: &Request) -> Result<Self, Status> {
        let number = |name: &str| match request.parameter(name).filter(|text| !text.is_empty()) {
            None => Ok(None),
            Some(text) => text.parse::<u32>().map(Some).map_err(|_| {
                Status::new(422, "Invalid", format!("PodLogOptions \"\" is invalid: {name}: Invalid value: {text}"))
            }),
        };
        let whole = |number: Option<u32>| number.and_then(|number| usize::try_from(number).ok());
        let since_time = match request.parameter("sinceTime") {
            None => None,
            Some(text) => Some(
                DateTime::parse_from_rfc3339(text)
                    .map_err(|error| body::bad(format!("sinceTime: {text}: {error}")))?
                    .to_utc(),
            ),
        };
        let since = number("sinceSeconds")?.map(|seconds| Utc::now() - TimeDelta::seconds(seconds.into()));
        Ok(Self {
            tail_lines: whole(number("tailLines")?),
            limit_bytes: whole(number("limitBytes")?),
            since: since.or(since_time),
            timestamps: request.flag("timestamps"),
        })
    }
}

/// Converts lines of CRI's log format to what the client sees. Keeps an incomplete line until it is complete.
struct Lines {
    options: LogOptions,
    rest: Vec<u8>,
    is_in_line: bool,
}

impl Lines {
    fn new(options: LogOptions) -> Self {
        Self { options, rest: Vec::new(), is_in_line: false }
    }

    /// Returns the requested part of the log so far.
    fn tail(&mut self, written: &[u8]) -> Vec<u8> {
        let shown = self.show(written);
        let Some(wanted) = self.options.tail_lines else { return shown };
        let ends = shown.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at);
        // The line before the requested ones ends here.
        let skipped = usize::from(shown.last() == Some(&b'\n'));
        match ends.skip(skipped).nth(wanted.saturating_sub(1)) {
            _ if wanted == 0 => Vec::new(),
            Some(end) => shown[end + 1..].to_vec(),
            None => shown,
        }
    }

    /// Returns the requested part of additional bytes of the log.
    fn show(&mut self, written: &[u8]) -> Vec<u8> {
        self.rest.extend_from_slice(written);
        let end = self.rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let whole: Vec<u8> = self.rest.drain(..end).collect();
        let mut shown = Vec::with_capacity(whole.len());
        for line in whole.split_inclusive(|byte| *byte == b'\n') {
            self.show_line(line, &mut shown);
        }
        shown
    }

    /// Converts `2026-11-21T03:12:33.5Z stdout F text`; with `P`, the text continues in the next line.
    fn show_line(&mut self, line: &[u8], shown: &mut Vec<u8>) {
        let mut parts = line.splitn(4, |byte| *byte == b' ');
        let (time, _, tag) = (parts.next().unwrap_or_default(), parts.next(), parts.next().unwrap_or_default());
        let text = parts.next().unwrap_or_default();
        let time = String::from_utf8_lossy(time);
        let is_old = self
            .options
            .since
            .is_some_and(|since| DateTime::parse_from_rfc3339(&time).is_ok_and(|written_at| written_at < since));
        if is_old {
            return;
        }
        if self.options.timestamps && !self.is_in_line {
            shown.extend_from_slice(time.as_bytes());
            shown.push(b' ');
        }
        self.is_in_line = tag.starts_with(b"P");
        let text = if self.is_in_line { text.strip_suffix(b"\n").unwrap_or(text) } else { text };
        shown.extend_from_slice(text);
    }
}

/// A log that is followed until its container ends.
struct Follower {
    file: File,
    lines: Lines,
    first: Option<Bytes>,
    run: FollowedContainer,
    state: State,
    is_over: bool,
}

/// The container whose log is followed, in one of its restarts.
struct FollowedContainer {
    kind: &'static Kind,
    pod: std::sync::Arc<Value>,
    name: String,
    restarts: u64,
}

impl Follower {
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(first) = self.first.take().filter(|first| !first.is_empty()) {
            return Some(first);
        }
        while !self.is_over {
            // Checked before the last bytes are read: by then everything the container wrote is in the file.
            self.is_over = self.run.has_ended(&self.state.registry.store);
            let mut written = Vec::new();
            if self.file.read_to_end(&mut written).await.is_err() {
                return None;
            }
            let shown = self.lines.show(&written);
            if !shown.is_empty() {
                return Some(shown.into());
            }
            if !self.is_over {
                tokio::time::sleep(FOLLOW_EVERY).await;
            }
        }
        None
    }
}

impl FollowedContainer {
    fn has_ended(&self, store: &Store) -> bool {
        let (namespace, name) = crate::store::key(&self.pod);
        let Some(pod) = store.get(self.kind, &namespace, &name) else { return true };
        let is_same = pod["metadata"]["uid"] == self.pod["metadata"]["uid"];
        let has_ended = container_status(&pod, &self.name).is_some_and(|status| {
            status["state"].get("terminated").is_some_and(Value::is_object)
                || status["restartCount"].as_u64().unwrap_or(0) > self.restarts
        });
        !is_same || has_ended
    }
}

fn container_status<'a>(pod: &'a Value, name: &str) -> Option<&'a Value> {
    ["containerStatuses", "initContainerStatuses"]
        .into_iter()
        .filter_map(|field| pod["status"][field].as_array())
        .flatten()
        .find(|status| status["name"] == *name)
}

fn restarts(pod: &Value, name: &str) -> u64 {
    container_status(pod, name).and_then(|status| status["restartCount"].as_u64()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &[u8] = b"2026-11-21T03:12:33.5Z stdout F one\n\
        2026-11-21T03:12:34.5Z stderr P tw\n2026-11-21T03:12:34.6Z stderr F o\n2026-11-21T03:12:35.5Z stdout F three\n";

    fn shown(options: LogOptions) -> String {
        String::from_utf8(Lines::new(options).tail(LOG)).unwrap()
    }

    fn plain() -> LogOptions {
        LogOptions { tail_lines: None, limit_bytes: None, since: None, timestamps: false }
    }

    #[test]
    fn lines_are_shown_without_the_cri_prefix() {
        assert_eq!(shown(plain()), "one\ntwo\nthree\n");
        assert_eq!(shown(LogOptions { tail_lines: Some(2), ..plain() }), "two\nthree\n");
        assert_eq!(shown(LogOptions { tail_lines: Some(0), ..plain() }), "");
        assert_eq!(shown(LogOptions { tail_lines: Some(9), ..plain() }), "one\ntwo\nthree\n");
        let since = DateTime::parse_from_rfc3339("2026-11-21T03:12:35Z").unwrap().to_utc();
        assert_eq!(shown(LogOptions { since: Some(since), ..plain() }), "three\n");
        let stamped = shown(LogOptions { timestamps: true, tail_lines: Some(2), ..plain() });
        assert_eq!(stamped, "2026-11-21T03:12:34.5Z two\n2026-11-21T03:12:35.5Z three\n");
    }

    #[test]
    fn an_incomplete_line_is_held_back_until_it_is_complete() {
        let mut lines = Lines::new(plain());
        assert_eq!(lines.show(&LOG[..30]), b"");
        assert_eq!(lines.show(&LOG[30..40]), b"one\n");
    }
}
