//! How records are written, read and looked up, as the suite file defines it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::template::Template;

/// One HTTP request; path and body are templates.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The method; by default GET.
    #[serde(default = "default_method")]
    pub method: String,
    /// The path and query.
    pub path: Template,
    /// The headers, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// The body, sent as JSON; by default none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Template>,
    /// The status that means success; by default 200.
    #[serde(default = "default_status")]
    pub status: u16,
}

impl Request {
    /// Returns a plain GET of a path.
    pub fn get(path: &Template) -> Self {
        Self {
            method: default_method(),
            path: path.clone(),
            headers: BTreeMap::new(),
            body: None,
            status: default_status(),
        }
    }
}

/// How a record is written, read and looked up.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Records {
    /// What the application promises about its records.
    pub promise: history::Promise,
    /// Writes `${value}` under `${key}`; both are unique.
    pub write: Write,
    /// Reads the record `${id}` or `${key}`.
    pub read: Read,
    /// Looks up a record by its value if its write got no response; by default, `read` does this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub find: Option<Find>,
}

/// How a record is written.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Write {
    /// The request.
    pub request: Request,
    /// JSON pointer to the ID that the application assigned to the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Pointer>,
}

/// How a record is read.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Read {
    /// The request.
    pub request: Request,
    /// The status that means that there is no such record; without it, a response without the value means that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub absent: Option<u16>,
    /// JSON pointer to the value.
    pub value: Pointer,
    /// How the value is encoded in the response.
    #[serde(default)]
    pub encoding: Encoding,
}

/// How a record is looked up by its value in a list.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Find {
    /// The request.
    pub request: Request,
    /// JSON pointer to the list in the response; empty if the response is the list.
    pub items: Pointer,
    /// JSON pointer to the value in an item.
    pub value: Pointer,
    /// JSON pointer to the ID in an item.
    pub id: Pointer,
}

/// How a value is encoded in a response.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// Unchanged.
    #[default]
    Plain,
    /// As base64.
    Base64,
}

/// A JSON pointer (RFC 6901); the empty one is the whole document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Returns the value to which it points.
    pub fn get<'a>(&self, document: &'a Value) -> Option<&'a Value> {
        document.pointer(&self.0)
    }

    /// Returns the value to which it points as text: strings without quotes, other scalars as in JSON.
    pub fn text(&self, document: &Value) -> Option<String> {
        match self.get(document)? {
            Value::String(text) => Some(text.clone()),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
            scalar => Some(scalar.to_string()),
        }
    }

    /// Returns the pointer as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn default_method() -> String {
    "GET".to_owned()
}

fn default_status() -> u16 {
    200
}
