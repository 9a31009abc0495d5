//! How records are written, read and looked up, as the suite file defines it.

use std::fmt;

use history::Promise;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

use crate::pattern::Pattern;
use crate::request::Request;
use crate::value::{ListAt, ValueAt};

/// How a record is written, read and looked up.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Records {
    /// What the application promises about its records.
    pub promise: Promise,
    /// Writes `${value}` under `${key}`; both are unique.
    pub write: Write,
    /// Reads the record `${id}` or `${key}`; required unless nothing is promised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read: Option<Read>,
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
    /// The ID that the application assigned to the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<ValueAt>,
    /// Output that means that the write had no effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Pattern>,
}

/// How a record is read.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Read {
    /// The request.
    pub request: Request,
    /// What means that there is no such record; without it, JSON without the value means that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub absent: Option<Absent>,
    /// The value.
    pub value: ValueAt,
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
    /// The list.
    pub items: ListAt,
    /// The value in an item.
    pub value: ValueAt,
    /// The ID in an item.
    pub id: ValueAt,
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

/// What means that there is no such record: `404`, or `{ pattern = '…' }`.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum Absent {
    /// An HTTP status or an exit status.
    Status(u16),
    /// Output.
    Pattern {
        /// What it contains.
        pattern: Pattern,
    },
}

impl Records {
    /// Returns how records are read back; none if nothing is promised, so that nothing is checked.
    pub fn read_back(&self) -> Option<&Read> {
        self.read.as_ref().filter(|_| self.promise != Promise::None)
    }

    /// Returns all requests.
    pub fn requests(&self) -> impl Iterator<Item = &Request> {
        let read = self.read.iter().map(|read| &read.request);
        [&self.write.request].into_iter().chain(read).chain(self.find.iter().map(|find| &find.request))
    }
}

// By hand, because the error of an untagged enum would not say what is wrong.
impl<'de> Deserialize<'de> for Absent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Either)
    }
}

struct Either;

impl<'de> Visitor<'de> for Either {
    type Value = Absent;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a status, or a table with `pattern`")
    }

    fn visit_u64<E: Error>(self, status: u64) -> Result<Absent, E> {
        u16::try_from(status).map(Absent::Status).map_err(|_| E::custom(format!("{status} is not a status")))
    }

    fn visit_i64<E: Error>(self, status: i64) -> Result<Absent, E> {
        u16::try_from(status).map(Absent::Status).map_err(|_| E::custom(format!("{status} is not a status")))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Absent, A::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Table {
            pattern: Pattern,
        }
        let Table { pattern } = Table::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Absent::Pattern { pattern })
    }
}
