//! The types of values, as server-side apply sees them: from the table of built-in types, or from the schema of a custom
//! resource.

use std::sync::Arc;

use serde_json::Value;

use crate::kinds::{KINDS, Kind};
use crate::registry::Registry;
use crate::registry::custom::CustomVersion;
use crate::registry::custom::structural::{Additional, ListType, Structural};
use crate::registry::schema::{self, MergeStrategy, Message, Scalar, Schema};

/// The type of a kind's objects.
pub(crate) enum ObjectType {
    /// A built-in type.
    BuiltIn(&'static Message),
    /// A version of a custom resource.
    Custom(Arc<CustomVersion>),
}

impl ObjectType {
    /// Returns it as the type of a value.
    pub fn root(&self) -> Type<'_> {
        match self {
            Self::BuiltIn(message) => Type::Message(message),
            Self::Custom(version) => Type::Object(version.schema()),
        }
    }
}

impl Registry {
    /// Returns the type of a kind's objects; `None` if the kind is not served any more.
    pub(crate) fn type_of(&self, kind: &Kind) -> Option<ObjectType> {
        match kind.custom {
            Some(_) => self.custom_version(kind).map(ObjectType::Custom),
            None => schema::of_kind(kind).map(ObjectType::BuiltIn),
        }
    }
}

/// The type of a value.
#[derive(Clone, Copy)]
pub enum Type<'a> {
    /// From the table.
    Table(Schema),
    /// From the table, with fields.
    Message(&'static Message),
    /// From a custom resource.
    Custom(&'a Structural),
    /// A whole custom resource, whose metadata is not in its schema.
    Object(&'a Structural),
    /// Not declared: maps are merged by key, lists are units.
    Untyped,
}

/// What values of a type contain.
#[derive(Clone, Copy)]
pub enum Shape<'a> {
    /// Nothing that is looked at.
    Leaf,
    /// Declared fields.
    Message(&'static Message),
    /// Declared fields of a custom resource.
    Custom(&'a Structural),
    /// Declared fields of a custom resource, and those of every object.
    Object(&'a Structural),
    /// Keys with values of one type.
    Map(Type<'a>),
    /// Elements of one type, merged one by one unless there is no way to.
    List(Type<'a>, Option<Merge<'a>>),
}

/// What identifies an element of a list.
#[derive(Clone, Copy)]
pub enum Merge<'a> {
    /// Its value.
    Set,
    /// The values of these fields.
    Keys(&'static [&'static str]),
    /// The values of these fields, which may have defaults.
    CustomKeys(&'a [String], &'a Structural),
}

impl Merge<'_> {
    /// Returns the fields that identify an element, unless its value does.
    pub fn keys(&self) -> Option<Vec<&str>> {
        match self {
            Self::Set => None,
            Self::Keys(keys) => Some(keys.to_vec()),
            Self::CustomKeys(keys, _) => Some(keys.iter().map(String::as_str).collect()),
        }
    }

    /// Returns the value of a missing key.
    pub fn default(&self, key: &str) -> Option<Value> {
        match self {
            Self::CustomKeys(_, element) => element.properties.get(key)?.default.clone(),
            _ => (key == "protocol").then(|| "TCP".into()),
        }
    }
}

/// Returns what values of a type contain.
pub fn content(ty: Type) -> Shape {
    match ty {
        Type::Message(message) => Shape::Message(message),
        Type::Table(Schema::Scalar(_)) => Shape::Leaf,
        Type::Table(Schema::Message(name)) => schema::message(name).map_or(Shape::Leaf, Shape::Message),
        Type::Table(Schema::Map(element, _)) => Shape::Map(Type::Table(*element)),
        Type::Table(Schema::List(element, merge)) => Shape::List(Type::Table(*element), table_merge(merge)),
        Type::Custom(schema) => custom_content(schema),
        Type::Object(schema) => Shape::Object(schema),
        Type::Untyped => Shape::Map(Type::Untyped),
    }
}

/// As [`content`], but what is merged as a unit contains nothing.
pub fn shape(ty: Type) -> Shape {
    let is_unit = match ty {
        Type::Table(Schema::Map(_, atomic)) => atomic,
        Type::Custom(schema) => schema.is_atomic_map,
        _ => false,
    };
    match content(ty) {
        _ if is_unit => Shape::Leaf,
        Shape::List(_, None) => Shape::Leaf,
        Shape::Message(message) if message.atomic => Shape::Leaf,
        shape => shape,
    }
}

fn table_merge(merge: MergeStrategy) -> Option<Merge<'static>> {
    match merge {
        MergeStrategy::Atomic => None,
        MergeStrategy::Set => Some(Merge::Set),
        MergeStrategy::Map(keys) => Some(Merge::Keys(keys)),
    }
}

fn custom_content(schema: &Structural) -> Shape<'_> {
    if let Some(element) = schema.items.as_deref() {
        let merge = match &schema.list {
            ListType::Atomic => None,
            ListType::Set => Some(Merge::Set),
            ListType::Map(keys) => Some(Merge::CustomKeys(keys, element)),
        };
        return Shape::List(Type::Custom(element), merge);
    }
    match &schema.additional {
        _ if !schema.properties.is_empty() || schema.is_embedded => Shape::Custom(schema),
        Additional::Schema(element) => Shape::Map(Type::Custom(element)),
        _ if schema.preserves_unknown => Shape::Map(Type::Untyped),
        _ if schema.ty == "object" => Shape::Custom(schema),
        _ => Shape::Leaf,
    }
}

/// Returns the type of a field of a value, if it is declared.
pub fn child<'a>(shape: Shape<'a>, name: &str) -> Option<Type<'a>> {
    match shape {
        Shape::Message(message) => message.field(name).map(|field| Type::Table(field.schema)),
        Shape::Map(element) => Some(element),
        Shape::Custom(schema) if schema.is_embedded => meta(name).or_else(|| declared(schema, name)),
        Shape::Custom(schema) => declared(schema, name),
        Shape::Object(schema) => meta(name).or_else(|| declared(schema, name)),
        Shape::Leaf | Shape::List(..) => None,
    }
}

/// Returns the type of a field that every object has.
fn meta(name: &str) -> Option<Type<'static>> {
    match name {
        "metadata" => Some(Type::Table(Schema::Message("ObjectMeta"))),
        "apiVersion" | "kind" => Some(Type::Table(Schema::Scalar(Scalar::String))),
        _ => None,
    }
}

fn declared<'a>(schema: &'a Structural, name: &str) -> Option<Type<'a>> {
    let is_open = schema.preserves_unknown || matches!(schema.additional, Additional::Allowed(true));
    schema.property(name).map(Type::Custom).or(is_open.then_some(Type::Untyped))
}

/// Returns whether a value is an object itself, with its kind and version: a claim template.
pub fn is_object(shape: Shape) -> bool {
    matches!(shape, Shape::Message(message) if KINDS.iter().any(|kind| kind.kind == message.name))
}
