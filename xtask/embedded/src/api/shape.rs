//! The shape in which a client wants objects: whole, their metadata alone, or as rows of a table.

use serde_json::{Value, json};

use super::request::Request;
use crate::kinds::Kind;

/// What the client asked for in `Accept`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Objects as they are.
    Whole,
    /// `PartialObjectMetadata`.
    Metadata,
}

impl Shape {
    /// The first shape in `Accept` that is known.
    pub fn asked(request: &Request) -> Self {
        for choice in request.accept().split(',') {
            let parameter =
                |name: &str| choice.split(';').find_map(|part| part.trim().strip_prefix(name)).map(str::trim);
            match (parameter("as="), parameter("v=")) {
                (Some("PartialObjectMetadata" | "PartialObjectMetadataList"), Some("v1")) => return Self::Metadata,
                (None, _) => return Self::Whole,
                _ => {}
            }
        }
        Self::Whole
    }

    /// One object.
    pub fn one(self, _kind: &'static Kind, object: &Value) -> Value {
        match self {
            Self::Whole => object.clone(),
            Self::Metadata => metadata(object),
        }
    }

    /// A list of objects with the list's own metadata.
    pub fn list<'a>(self, kind: &'static Kind, objects: impl Iterator<Item = &'a Value>, list: Value) -> Value {
        let items: Vec<Value> = objects.map(|object| self.one(kind, object)).collect();
        let (name, version) = match self {
            Self::Whole => (format!("{}List", kind.kind), kind.api_version()),
            Self::Metadata => ("PartialObjectMetadataList".to_owned(), "meta.k8s.io/v1".to_owned()),
        };
        json!({"kind": name, "apiVersion": version, "metadata": list, "items": items})
    }

    /// A bookmark.
    pub fn bookmark(self, object: Value) -> Value {
        if self == Self::Metadata { metadata(&object) } else { object }
    }
}

fn metadata(object: &Value) -> Value {
    json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"]})
}
