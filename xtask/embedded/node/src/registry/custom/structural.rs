//! The structural schema of a custom resource: `openAPIV3Schema`, read once for each version of a definition.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use regex::Regex;
use serde_json::Value;

use crate::registry::value::{items, text};

/// The schema of a value, with the schemas of everything below it.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "as in OpenAPI, and independent of each other")]
pub struct Structural {
    /// `object`, `array`, `string`, `integer`, `number` or `boolean`; empty if anything is allowed.
    pub ty: String,
    /// The fields of an object.
    pub properties: BTreeMap<String, Structural>,
    /// What an object may have besides its fields.
    pub additional: Additional,
    /// The elements of a list.
    pub items: Option<Box<Structural>>,
    /// Whether null is a value.
    pub nullable: bool,
    /// The value of a field that is not sent.
    pub default: Option<Value>,
    /// `x-kubernetes-preserve-unknown-fields`.
    pub preserves_unknown: bool,
    /// `x-kubernetes-embedded-resource`: an object with `apiVersion`, `kind` and `metadata`.
    pub is_embedded: bool,
    /// `x-kubernetes-int-or-string`.
    pub is_int_or_string: bool,
    /// How server-side apply merges a list.
    pub list: ListType,
    /// Whether server-side apply treats an object as a unit.
    pub is_atomic_map: bool,
    /// What a value of the right type must also fulfil.
    pub rules: Option<Box<Rules>>,
}

/// What an object may have besides its declared fields.
#[derive(Debug, Default)]
pub enum Additional {
    /// Nothing is declared.
    #[default]
    None,
    /// `true`, or `false`.
    Allowed(bool),
    /// Values of one type.
    Schema(Box<Structural>),
}

/// How server-side apply merges a list.
#[derive(Debug, Default, PartialEq, Eq)]
pub enum ListType {
    /// As a unit.
    #[default]
    Atomic,
    /// By value.
    Set,
    /// By the values of these fields, in the order of their names.
    Map(Vec<String>),
}

/// What a value of the right type must also fulfil.
#[derive(Debug, Default)]
pub struct Rules {
    /// The allowed values; none if there is no such rule.
    pub allowed: Vec<Value>,
    /// The fields that an object must have.
    pub required: Vec<String>,
    /// `minimum`, and whether it is exclusive.
    pub minimum: Option<(f64, bool)>,
    /// `maximum`, and whether it is exclusive.
    pub maximum: Option<(f64, bool)>,
    /// `multipleOf`.
    pub multiple_of: Option<f64>,
    /// `minLength`, in characters.
    pub length_min: Option<u64>,
    /// `maxLength`, in characters.
    pub length_max: Option<u64>,
    /// `minItems`.
    pub items_min: Option<u64>,
    /// `maxItems`.
    pub items_max: Option<u64>,
    /// `minProperties`.
    pub properties_min: Option<u64>,
    /// `maxProperties`.
    pub properties_max: Option<u64>,
    /// `pattern`.
    pub pattern: Option<Pattern>,
    /// `date-time`, `uuid` …
    pub format: String,
    /// All of these have to hold.
    pub all_of: Vec<Structural>,
    /// At least one of these has to hold.
    pub any_of: Vec<Structural>,
    /// Exactly one of these has to hold.
    pub one_of: Vec<Structural>,
    /// This must not hold.
    pub not: Option<Box<Structural>>,
}

/// A pattern, compiled when it is first needed: definitions have hundreds of them, and an object matches few.
#[derive(Debug)]
pub struct Pattern {
    /// As it was written.
    pub text: String,
    compiled: OnceLock<Option<Regex>>,
}

impl Pattern {
    fn new(text: &str) -> Self {
        Self { text: text.to_owned(), compiled: OnceLock::new() }
    }

    /// Returns whether a text matches; a pattern that can't be compiled matches nothing.
    pub fn matches(&self, text: &str) -> bool {
        let compiled = self.compiled.get_or_init(|| Regex::new(&self.text).ok());
        compiled.as_ref().is_some_and(|regex| regex.is_match(text))
    }
}

impl Structural {
    /// Reads a schema whose types were checked when it was decoded.
    pub fn read(schema: &Value) -> Self {
        let flag = |field: &str| schema[field] == true;
        let below =
            |field: &str| schema.get(field).filter(|below| below.is_object()).map(|below| Box::new(Self::read(below)));
        let additional = match schema.get("additionalProperties") {
            Some(Value::Bool(allowed)) => Additional::Allowed(*allowed),
            Some(below) => Additional::Schema(Box::new(Self::read(below))),
            None => Additional::None,
        };
        let properties = schema["properties"].as_object().into_iter().flatten();
        Self {
            ty: text(schema, "type").to_owned(),
            properties: properties.map(|(name, below)| (name.clone(), Self::read(below))).collect(),
            additional,
            items: below("items"),
            nullable: flag("nullable"),
            default: schema.get("default").cloned(),
            preserves_unknown: flag("x-kubernetes-preserve-unknown-fields"),
            is_embedded: flag("x-kubernetes-embedded-resource"),
            is_int_or_string: flag("x-kubernetes-int-or-string"),
            list: list_type(schema),
            is_atomic_map: schema["x-kubernetes-map-type"] == "atomic",
            rules: Rules::read(schema).map(Box::new),
        }
    }

    /// Returns the schema of a field of an object, if it has one.
    pub fn property(&self, name: &str) -> Option<&Self> {
        self.properties.get(name).or(match &self.additional {
            Additional::Schema(below) => Some(below),
            _ => None,
        })
    }
}

fn list_type(schema: &Value) -> ListType {
    match text(schema, "x-kubernetes-list-type") {
        "set" => ListType::Set,
        "map" => {
            let keys = items(schema, "x-kubernetes-list-map-keys").filter_map(Value::as_str);
            let mut keys: Vec<String> = keys.map(str::to_owned).collect();
            keys.sort();
            ListType::Map(keys)
        }
        _ => ListType::Atomic,
    }
}

/// The keywords of a schema that `Rules` reads.
const KEYWORDS: &[&str] = &[
    "enum",
    "required",
    "minimum",
    "maximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "pattern",
    "format",
    "allOf",
    "anyOf",
    "oneOf",
    "not",
];

impl Rules {
    fn read(schema: &Value) -> Option<Self> {
        if !KEYWORDS.iter().any(|keyword| schema.get(keyword).is_some()) {
            return None;
        }
        let count = |field: &str| schema[field].as_u64();
        let bound =
            |field: &str, exclusive: &str| schema[field].as_f64().map(|bound| (bound, schema[exclusive] == true));
        let alternatives = |field: &str| items(schema, field).map(Structural::read).collect();
        Some(Self {
            allowed: items(schema, "enum").cloned().collect(),
            required: items(schema, "required").filter_map(Value::as_str).map(str::to_owned).collect(),
            minimum: bound("minimum", "exclusiveMinimum"),
            maximum: bound("maximum", "exclusiveMaximum"),
            multiple_of: schema["multipleOf"].as_f64(),
            length_min: count("minLength"),
            length_max: count("maxLength"),
            items_min: count("minItems"),
            items_max: count("maxItems"),
            properties_min: count("minProperties"),
            properties_max: count("maxProperties"),
            pattern: schema["pattern"].as_str().filter(|text| !text.is_empty()).map(Pattern::new),
            format: text(schema, "format").to_owned(),
            all_of: alternatives("allOf"),
            any_of: alternatives("anyOf"),
            one_of: alternatives("oneOf"),
            not: schema.get("not").map(|not| Box::new(Structural::read(not))),
        })
    }
}
