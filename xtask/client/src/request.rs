//! One request: HTTP, a command, or lines over TCP. What it sends, and what its success looks like.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::pattern::Pattern;
use crate::response::Response;
use crate::template::{Fill, SecretKey, Template};

/// One request, and what its success looks like.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Request {
    /// What is sent.
    pub kind: Kind,
    /// The HTTP status or exit status that means success; none over TCP.
    pub status: Option<u16>,
    /// What the output of a success contains.
    pub expect: Option<Pattern>,
    /// What the output of a success does not contain.
    pub error: Option<Pattern>,
}

/// A kind of request, with what is sent.
#[derive(Debug, Clone)]
pub enum Kind {
    /// An HTTP request.
    Http(HttpRequest),
    /// A command in a container.
    Exec(Command),
    /// Lines over TCP.
    Tcp(Template),
}

/// An HTTP request; headers and body are templates, and so is the path.
#[derive(Debug, Clone)]
pub struct HttpRequest {
    /// The method.
    pub method: String,
    /// The path and query.
    pub path: Template,
    /// The headers, by name.
    pub headers: BTreeMap<String, Template>,
    /// The body, sent as JSON.
    pub body: Option<Template>,
}

/// A program with its arguments.
#[derive(Debug, Clone)]
pub struct Command {
    /// The program and its arguments.
    pub words: Vec<Template>,
    /// The container of a replica in which it runs; by default that of the workload.
    pub container: Option<String>,
}

/// How connections are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP, possibly over TLS.
    Http,
    /// Lines over TCP.
    Tcp,
}

/// A request as a suite file has it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    method: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path: Option<Template>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    headers: BTreeMap<String, Template>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body: Option<Template>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    exec: Option<Vec<Template>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    container: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tcp: Option<WrittenTcp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expect: Option<Pattern>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<Pattern>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenTcp {
    send: Template,
    expect: Pattern,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<Pattern>,
}

impl TryFrom<Written> for Request {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, Self::Error> {
        if let Some((key, owner)) = written.misplaced() {
            return Err(format!("`{key}` is for a request with `{owner}`: remove it"));
        }
        let (expect, error) = (written.expect, written.error);
        let request = match (written.path, written.exec, written.tcp) {
            (Some(path), None, None) => {
                if written.status.is_some_and(|status| status < 100) {
                    return Err("an HTTP status is from 100 to 599: 0 is the exit status of a command".to_owned());
                }
                let method = written.method.unwrap_or_else(|| "GET".to_owned());
                let http = HttpRequest { method, path, headers: written.headers, body: written.body };
                Self { kind: Kind::Http(http), status: written.status.or(Some(200)), expect, error }
            }
            (None, Some(words), None) => {
                let command = Command { words, container: written.container };
                Self { kind: Kind::Exec(command), status: written.status.or(Some(0)), expect, error }
            }
            (None, None, Some(tcp)) => {
                Self { kind: Kind::Tcp(tcp.send), status: None, expect: Some(tcp.expect), error: tcp.error }
            }
            _ => return Err("a request is HTTP, a command or TCP: write one of `path`, `exec` and `tcp`".to_owned()),
        };
        request.check_holes()?;
        Ok(request)
    }
}

impl Written {
    /// Returns a key that has no meaning in this kind of request, and the key of the kind to which it belongs.
    fn misplaced(&self) -> Option<(&'static str, &'static str)> {
        let of_http =
            [("method", self.method.is_some()), ("headers", !self.headers.is_empty()), ("body", self.body.is_some())];
        let not_http = of_http.into_iter().find(|(_, is_set)| *is_set && self.path.is_none() && !self.is_none());
        let not_exec = self.container.is_some() && self.exec.is_none() && !self.is_none();
        let outside =
            [("status", self.status.is_some()), ("expect", self.expect.is_some()), ("error", self.error.is_some())];
        let beside_tcp = outside.into_iter().find(|(_, is_set)| *is_set && self.tcp.is_some());
        let not_http = not_http.map(|(key, _)| (key, "path"));
        let not_http = not_http.or(not_exec.then_some(("container", "exec")));
        not_http.or(beside_tcp.map(|(key, _)| (key, "path` or `exec")))
    }

    fn is_none(&self) -> bool {
        self.path.is_none() && self.exec.is_none() && self.tcp.is_none()
    }
}

impl From<Request> for Written {
    fn from(request: Request) -> Self {
        let mut written = Self {
            method: None,
            path: None,
            headers: BTreeMap::new(),
            body: None,
            exec: None,
            container: None,
            tcp: None,
            status: request.status,
            expect: None,
            error: None,
        };
        match (request.kind, request.expect) {
            (Kind::Tcp(send), Some(expect)) => {
                written.tcp = Some(WrittenTcp { send, expect, error: request.error });
                return written;
            }
            // A request over TCP always has an `expect`.
            (Kind::Tcp(_), None) => {}
            (Kind::Http(http), expect) => {
                (written.method, written.path) = (Some(http.method), Some(http.path));
                (written.headers, written.body, written.expect) = (http.headers, http.body, expect);
            }
            (Kind::Exec(command), expect) => {
                (written.exec, written.container, written.expect) = (Some(command.words), command.container, expect);
            }
        }
        Self { error: request.error, ..written }
    }
}

impl Request {
    /// Returns a plain GET of a path.
    pub fn get(path: &Template) -> Self {
        let http = HttpRequest { method: "GET".to_owned(), path: path.clone(), headers: BTreeMap::new(), body: None };
        Self { kind: Kind::Http(http), status: Some(200), expect: None, error: None }
    }

    /// Returns why a response is not a success.
    ///
    /// # Errors
    /// If it is not, with its beginning.
    pub fn check(&self, response: &Response) -> Result<(), String> {
        self.check_error(response)?;
        if self.status != response.status {
            let status = |status: Option<u16>| status.map_or_else(|| "none".to_owned(), |status| status.to_string());
            return Err(format!(
                "status {} instead of {}: {}",
                status(response.status),
                status(self.status),
                response.beginning()
            ));
        }
        match self.expect.as_ref().filter(|expect| !response.contains(expect)) {
            Some(expect) => Err(format!("the output contains no `{}`: {}", expect.as_str(), response.beginning())),
            None => Ok(()),
        }
    }

    /// Returns that a response is an error, whatever its status.
    ///
    /// # Errors
    /// If it is, with its beginning.
    pub fn check_error(&self, response: &Response) -> Result<(), String> {
        match self.error.as_ref().filter(|error| response.contains(error)) {
            Some(error) => Err(format!("an error, according to `{}`: {}", error.as_str(), response.beginning())),
            None => Ok(()),
        }
    }

    /// Returns whether these lines are the complete response to a request over TCP.
    pub fn is_complete(&self, received: &str) -> bool {
        let Some(text) = received.strip_suffix('\n') else { return false };
        let text = text.strip_suffix('\r').unwrap_or(text);
        [&self.expect, &self.error].into_iter().flatten().any(|pattern| pattern.ends(text))
    }

    /// Returns the protocol of its connection; none for a command.
    pub fn protocol(&self) -> Option<Protocol> {
        match self.kind {
            Kind::Http(_) => Some(Protocol::Http),
            Kind::Exec(_) => None,
            Kind::Tcp(_) => Some(Protocol::Tcp),
        }
    }

    /// Returns whether it can be sent to another host than the pod in which its command runs.
    pub fn goes_to_any_host(&self) -> bool {
        !matches!(&self.kind, Kind::Exec(command) if !command.words.iter().any(Template::needs_host))
    }

    /// Returns whether it contains the ID of a record.
    pub fn needs_id(&self) -> bool {
        self.templates().any(Template::needs_id)
    }

    /// Returns the keys of Secrets that it contains.
    pub fn secrets(&self) -> impl Iterator<Item = &SecretKey> {
        self.templates().flat_map(Template::secrets)
    }

    /// Returns what is sent, in one line and without Secrets.
    pub fn shown(&self, fill: Fill<'_>) -> String {
        let line = match &self.kind {
            Kind::Http(http) => format!("{} {}", http.method, http.path.shown(fill)),
            Kind::Exec(command) => {
                let words: Vec<_> = command.words.iter().map(|word| word.shown(fill)).collect();
                format!("`{}`", words.join(" "))
            }
            Kind::Tcp(send) => format!("{:?}", send.shown(fill)),
        };
        crate::value::beginning(&line)
    }

    fn templates(&self) -> impl Iterator<Item = &Template> {
        let (http, words, lines) = match &self.kind {
            Kind::Http(http) => (Some(http), &[][..], None),
            Kind::Exec(command) => (None, command.words.as_slice(), None),
            Kind::Tcp(lines) => (None, &[][..], Some(lines)),
        };
        let of_http = http.into_iter().flat_map(|http| http.headers.values().chain(&http.body).chain([&http.path]));
        of_http.chain(words).chain(lines)
    }

    fn check_holes(&self) -> Result<(), String> {
        if let Kind::Http(http) = &self.kind
            && http.path.secrets().next().is_some()
        {
            return Err("a path is shown and logged: move `${secret:…}` to a header or the body".to_owned());
        }
        if !matches!(self.kind, Kind::Exec(_)) && self.templates().any(Template::needs_host) {
            return Err("`${host}` is for commands, which make their own connections: remove it".to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
