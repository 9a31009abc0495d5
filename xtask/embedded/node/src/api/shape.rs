//! The form in which a client wants objects: whole, only their metadata, or as rows of a table.

use serde_json::{Value, json};

use super::request::Request;
use super::table::{self, Include};
use crate::kinds::Kind;
use crate::registry::conversion;

/// The form requested in `Accept`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Representation {
    /// Complete objects.
    Whole,
    /// `PartialObjectMetadata`.
    Metadata,
    /// Rows of a `Table`, and what is included beside them.
    Table(Include),
}

impl Representation {
    /// Returns the first form in `Accept` that is supported.
    pub fn requested(request: &Request) -> Self {
        for choice in request.accept().split(',') {
            let parameter =
                |name: &str| choice.split(';').find_map(|part| part.trim().strip_prefix(name)).map(str::trim);
            match (parameter("as="), parameter("v=")) {
                (Some("PartialObjectMetadata" | "PartialObjectMetadataList"), Some("v1")) => return Self::Metadata,
                (Some("Table"), Some("v1")) => return Self::Table(include(request)),
                (None, _) => return Self::Whole,
                _ => {}
            }
        }
        Self::Whole
    }

    /// Returns one object in this form.
    pub fn one(self, kind: &'static Kind, object: &Value) -> Value {
        match self {
            Self::Whole => conversion::from_stored(kind, object.clone()),
            Self::Metadata => metadata(object),
            Self::Table(include) => {
                let list = json!({"resourceVersion": object["metadata"]["resourceVersion"]});
                table::of(kind, [object].into_iter(), &list, include)
            }
        }
    }

    /// Returns a list of objects in this form, with the list's own metadata.
    pub fn list<'a>(self, kind: &'static Kind, objects: impl Iterator<Item = &'a Value>, list: &Value) -> Value {
        if let Self::Table(include) = self {
            return table::of(kind, objects, list, include);
        }
        let items: Vec<Value> = objects.map(|object| self.one(kind, object)).collect();
        let (name, version) = match self {
            Self::Whole => (format!("{}List", kind.kind), kind.api_version()),
            _ => ("PartialObjectMetadataList".to_owned(), "meta.k8s.io/v1".to_owned()),
        };
        json!({"kind": name, "apiVersion": version, "metadata": list, "items": items})
    }

    /// Returns a bookmark in this form.
    pub fn bookmark(self, kind: &'static Kind, object: Value) -> Value {
        match self {
            Self::Whole => object,
            Self::Metadata => metadata(&object),
            Self::Table(_) => {
                let row = json!({"cells": [], "object": metadata(&object)});
                let mut empty = table::of(kind, std::iter::empty(), &object["metadata"], Include::None);
                empty["rows"] = json!([row]);
                empty
            }
        }
    }
}

fn metadata(object: &Value) -> Value {
    json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"]})
}

fn include(request: &Request) -> Include {
    match request.parameter("includeObject") {
        Some("None") => Include::None,
        Some("Object") => Include::Object,
        _ => Include::Metadata,
    }
}
