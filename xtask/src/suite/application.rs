//! The application as the suite file describes it: how it is asked, its records, its members, its leader.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::template::Template;

/// How the application is asked.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// The containers' port.
    pub port: u16,
    /// Answers 200 when the replica is healthy.
    pub health: Template,
    /// After which one request is given up, in milliseconds.
    #[serde(default = "default_request_timeout_ms")]
    pub request_timeout_ms: u64,
}

impl Http {
    /// After which one request is given up.
    pub fn request_timeout(&self) -> Duration {
        Duration::from_millis(self.request_timeout_ms)
    }
}

/// One HTTP request; path and body are templates.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The method; GET unless said.
    #[serde(default = "default_method")]
    pub method: String,
    /// Path and query.
    pub path: Template,
    /// The body, sent as JSON; none unless said.
    #[serde(default)]
    pub body: Option<Template>,
    /// The status that means success; 200 unless said.
    #[serde(default = "default_status")]
    pub status: u16,
}

impl Request {
    /// A plain GET of a path.
    pub fn get(path: &Template) -> Self {
        Self { method: default_method(), path: path.clone(), body: None, status: default_status() }
    }
}

/// How a record is written, read and found again.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Records {
    /// What the application promises about its records.
    pub promise: history::Promise,
    /// Writes `${value}` under `${key}`; both are unique.
    pub write: Write,
    /// Reads the record `${id}` or `${key}`.
    pub read: Read,
    /// Finds a record by its value where the write's answer never came; `read` does, unless said.
    #[serde(default)]
    pub find: Option<Find>,
}

/// How a record is written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Write {
    /// The request.
    pub request: Request,
    /// JSON pointer to the id that the application gave the record.
    #[serde(default)]
    pub id: Option<Pointer>,
}

/// How a record is read.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Read {
    /// The request.
    pub request: Request,
    /// The status that says that there is no such record; without it, an answer without the value does.
    #[serde(default)]
    pub absent: Option<u16>,
    /// JSON pointer to the value.
    pub value: Pointer,
    /// How the value is encoded in the answer.
    #[serde(default)]
    pub encoding: Encoding,
}

/// How a record is found by its value in a list.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Find {
    /// The request.
    pub request: Request,
    /// JSON pointer to the list in the answer; empty where the answer is the list.
    pub items: Pointer,
    /// JSON pointer to the value in an item.
    pub value: Pointer,
    /// JSON pointer to the id in an item.
    pub id: Pointer,
}

/// How a value stands in an answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// As it was written.
    #[default]
    Plain,
    /// In base64.
    Base64,
}

/// How the application tells its members.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Members {
    /// The request; every pod is asked.
    pub request: Request,
    /// JSON pointer to the list in the answer.
    pub items: Pointer,
    /// JSON pointer to what identifies a member in an item.
    pub name: Pointer,
    /// JSON pointer to the role in an item; without it every item is a voter.
    #[serde(default)]
    pub role: Option<Pointer>,
    /// The role that votes.
    #[serde(default = "default_voter")]
    pub voter: String,
    /// The roles of members; items of any other role are none.
    #[serde(default)]
    pub roles: Vec<String>,
    /// How long a dead member may count before it is demoted, in seconds.
    #[serde(default)]
    pub demotion_s: u64,
}

/// How the application tells its leader.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leader {
    /// The request; every pod is asked.
    pub request: Request,
    /// JSON pointer to who leads, as the answering pod knows it.
    pub leader: Pointer,
    /// JSON pointer to what the answering pod is called itself. Without it the leader's name is its
    /// pod's IP, with or without a port, or its pod's name.
    #[serde(default)]
    pub own: Option<Pointer>,
}

/// A JSON pointer (RFC 6901); the empty one is the whole document.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Pointer(String);

impl TryFrom<String> for Pointer {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.is_empty() || text.starts_with('/') {
            return Ok(Self(text));
        }
        Err(format!("a JSON pointer is empty or begins with a slash: write \"/{text}\""))
    }
}

impl Pointer {
    /// What it points to.
    pub fn get<'a>(&self, document: &'a Value) -> Option<&'a Value> {
        document.pointer(&self.0)
    }

    /// What it points to, as text: strings without their quotes, other scalars as JSON writes them.
    pub fn text(&self, document: &Value) -> Option<String> {
        match self.get(document)? {
            Value::String(text) => Some(text.clone()),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
            scalar => Some(scalar.to_string()),
        }
    }

    /// The pointer as it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn default_request_timeout_ms() -> u64 {
    2000
}

fn default_method() -> String {
    "GET".to_owned()
}

fn default_status() -> u16 {
    200
}

fn default_voter() -> String {
    "voter".to_owned()
}
