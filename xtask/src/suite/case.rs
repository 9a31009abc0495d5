//! A case as a topology lists it: the name of a phase, or a table with the phase's parameters.

use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{Deserializer, Error, MapAccess, Visitor};

use crate::phases::Phase;

/// A case of a topology: `"ready"`, or `{ case = "job_fails", name = "no_dates", reason = "BackoffLimitExceeded" }`.
#[derive(Debug, Clone, PartialEq)]
pub struct CaseSpec {
    /// What it does.
    pub phase: Phase,
    /// Last part of its name: the phase's, unless the suite gives another.
    pub name: String,
    /// Key of the release that it is about; the one under test unless said.
    pub release: Option<String>,
    /// The phase's parameters.
    pub with: toml::Table,
}

#[derive(Deserialize)]
struct Written {
    case: Phase,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    release: Option<String>,
    #[serde(flatten)]
    with: toml::Table,
}

impl From<Phase> for CaseSpec {
    fn from(phase: Phase) -> Self {
        Self { phase, name: phase.name().to_owned(), release: None, with: toml::Table::new() }
    }
}

impl From<Written> for CaseSpec {
    fn from(written: Written) -> Self {
        let name = written.name.unwrap_or_else(|| written.case.name().to_owned());
        Self { phase: written.case, name, release: written.release, with: written.with }
    }
}

// By hand, since an untagged enum would say of any mistake only that it fits neither way of writing a case.
impl<'de> Deserialize<'de> for CaseSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Either)
    }
}

struct Either;

impl<'de> Visitor<'de> for Either {
    type Value = CaseSpec;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a case's name, or a table with `case` and its parameters")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<CaseSpec, E> {
        Phase::deserialize(StrDeserializer::new(name)).map(CaseSpec::from)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<CaseSpec, A::Error> {
        Written::deserialize(MapAccessDeserializer::new(map)).map(CaseSpec::from)
    }
}
