//! A case in a topology's list: the name of its kind, or a table with the kind's parameters.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};

use super::{CaseKind, Request};

/// A case of a topology: `"ready"`, or `{ case = "job_fails", name = "no_dates", reason = "BackoffLimitExceeded" }`.
#[derive(Debug, Clone, PartialEq)]
pub struct CaseSpec {
    /// The kind of case.
    pub kind: &'static CaseKind,
    /// The last part of its name: that of its kind, unless the suite sets another.
    pub name: String,
    /// The key of the release that it is about; by default the one under test.
    pub release: Option<String>,
    /// The workload that it is about, if its kind is about one.
    pub workload: Option<String>,
    /// The kind's parameters.
    pub with: toml::Table,
}

impl CaseSpec {
    /// Returns whether another case is of a kind that it needs, and about the same workload if that kind is about one.
    pub fn needs(&self, need: &CaseKind, other: &Self) -> bool {
        other.kind == need && (!need.takes_workload || self.workload.is_none() || other.workload == self.workload)
    }

    /// Returns its parameters in the form that its kind expects.
    ///
    /// # Errors
    /// If a parameter is wrong, missing or unknown.
    pub fn with<T: DeserializeOwned>(&self) -> Result<T, String> {
        self.with.clone().try_into().map_err(|error| error.message().to_owned())
    }

    /// Returns the requests among its parameters.
    pub fn requests(&self) -> impl Iterator<Item = Request> {
        let tables = self.with.values().filter(|value| value.is_table());
        tables.filter_map(|table| table.clone().try_into().ok())
    }
}

impl From<&'static CaseKind> for CaseSpec {
    fn from(kind: &'static CaseKind) -> Self {
        Self { kind, name: kind.name.to_owned(), release: None, workload: None, with: toml::Table::new() }
    }
}

/// A case in the file, before its kind is looked up.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Written {
    case: String,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    release: Option<String>,
    #[serde(default)]
    workload: Option<String>,
    #[serde(flatten)]
    with: toml::Table,
}

impl Written {
    /// Looks up the kind of the case.
    ///
    /// # Errors
    /// If there is no such kind, with the most similar name and all names.
    pub(super) fn look_up(&self, kinds: &[&'static CaseKind]) -> Result<CaseSpec, String> {
        let Some(kind) = kinds.iter().find(|kind| kind.name == self.case) else { return Err(self.unknown(kinds)) };
        let name = self.name.clone().unwrap_or_else(|| self.case.clone());
        let (release, workload) = (self.release.clone(), self.workload.clone());
        Ok(CaseSpec { kind, name, release, workload, with: self.with.clone() })
    }

    fn unknown(&self, kinds: &[&'static CaseKind]) -> String {
        let names = kinds.iter().filter(|kind| kind.group.is_none()).map(|kind| kind.name);
        let nearest = names.clone().max_by(|a, b| self.likeness(a).total_cmp(&self.likeness(b))).unwrap_or_default();
        let all = names.collect::<Vec<_>>().join("`, `");
        format!("unknown case `{}`: did you mean `{nearest}`? Expected one of `{all}`", self.case)
    }

    fn likeness(&self, name: &str) -> f64 {
        strsim::jaro_winkler(&self.case, name)
    }
}

// By hand, because the error of an untagged enum would not say what is wrong with the case.
impl<'de> Deserialize<'de> for Listed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Either)
    }
}

/// An entry of a topology's list of cases.
#[derive(Debug, Clone)]
pub(super) struct Listed(pub(super) Written);

struct Either;

impl<'de> Visitor<'de> for Either {
    type Value = Listed;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a case's name, or a table with `case` and its parameters")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Listed, E> {
        Ok(Listed(Written {
            case: name.to_owned(),
            name: None,
            release: None,
            workload: None,
            with: toml::Table::new(),
        }))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Listed, A::Error> {
        Written::deserialize(MapAccessDeserializer::new(map)).map(Listed)
    }
}
