//! The form in which a client wants objects: whole, only their metadata, or as rows of a table.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::{Value, json};

use super::request::Request;
use super::table::{self, Include};
use crate::kinds::Kind;
use crate::registry::conversion;
use crate::registry::custom::CustomVersion;

/// How a client wants objects: in which form, and custom resources in which version.
pub struct Representation {
    form: Form,
    custom: Option<Arc<CustomVersion>>,
}

/// The form requested in `Accept`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
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
        Self { form: Form::requested(request), custom: request.custom.clone() }
    }

    /// Returns complete objects.
    pub fn whole(request: &Request) -> Self {
        Self { form: Form::Whole, custom: request.custom.clone() }
    }

    /// Returns one object in this form.
    pub fn one(&self, kind: &'static Kind, object: &Value) -> Value {
        let object = self.converted(object);
        match self.form {
            Form::Whole => conversion::from_stored(kind, object.into_owned()),
            Form::Metadata => metadata(&object),
            Form::Table(include) => {
                let list = json!({"resourceVersion": object["metadata"]["resourceVersion"]});
                self.table(kind, [&*object].into_iter(), &list, include)
            }
        }
    }

    /// Returns a list of objects in this form, with the list's own metadata.
    pub fn list<'a>(&self, kind: &'static Kind, objects: impl Iterator<Item = &'a Value>, list: &Value) -> Value {
        if let Form::Table(include) = self.form {
            let objects: Vec<_> = objects.map(|object| self.converted(object)).collect();
            return self.table(kind, objects.iter().map(AsRef::as_ref), list, include);
        }
        let items: Vec<Value> = objects.map(|object| self.one(kind, object)).collect();
        let (name, version) = match self.form {
            Form::Whole => (kind.list_kind(), kind.api_version()),
            _ => ("PartialObjectMetadataList".to_owned(), "meta.k8s.io/v1".to_owned()),
        };
        json!({"kind": name, "apiVersion": version, "metadata": list, "items": items})
    }

    /// Returns a bookmark in this form.
    pub fn bookmark(&self, kind: &'static Kind, object: Value) -> Value {
        match self.form {
            Form::Whole => object,
            Form::Metadata => metadata(&object),
            Form::Table(_) => {
                let row = json!({"cells": [], "object": metadata(&object)});
                let mut empty = self.table(kind, std::iter::empty(), &object["metadata"], Include::None);
                empty["rows"] = json!([row]);
                empty
            }
        }
    }

    fn table<'a>(
        &self,
        kind: &Kind,
        objects: impl Iterator<Item = &'a Value>,
        list: &Value,
        include: Include,
    ) -> Value {
        table::of(kind, self.custom.as_deref(), objects, list, include)
    }

    /// Returns an object in the version of the request: a custom resource may be stored in another one.
    fn converted<'a>(&self, object: &'a Value) -> Cow<'a, Value> {
        self.custom.as_ref().map_or(Cow::Borrowed(object), |version| Cow::Owned(version.convert(object)))
    }
}

impl Form {
    fn requested(request: &Request) -> Self {
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
