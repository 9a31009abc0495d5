//! The range of every key: `docs/suite.schema.json` defines it, and every suite file is checked against it.

use std::sync::LazyLock;

use anyhow::anyhow;
use boon::{Compiler, ErrorKind, InstanceToken, SchemaIndex, Schemas, ValidationError};
use serde_json::Value;

use super::{Source, Step};

/// The schema, as editors use it.
const SCHEMA: &str = include_str!("../../../../docs/suite.schema.json");
/// A URL for the schema while it is compiled; the file is embedded in this program.
const LOCATION: &str = "file:///suite.schema.json";
/// The longest value in a message, in characters.
const SHOWN: usize = 60;

/// The schema, compiled.
struct Compiled {
    text: Value,
    schemas: Schemas,
    index: SchemaIndex,
}

static COMPILED: LazyLock<Result<Compiled, String>> = LazyLock::new(|| Compiled::new().map_err(|e| format!("{e:#}")));

/// A value that is out of range: the path to it, and what is wrong.
#[derive(Debug)]
pub struct Misfit<'v> {
    way: Vec<InstanceToken<'v>>,
    message: String,
}

/// Checks that every value in a suite file is in its range. Wrong types and missing or unknown keys have already been
/// reported by serde.
///
/// # Errors
/// A usage error at the first value that is out of range.
pub fn check(source: &Source<'_>) -> anyhow::Result<()> {
    let suite: Value = toml::from_str(source.text)?;
    let Err(misfit) = compiled()?.validate(&suite) else { return Ok(()) };
    let way = misfit.way.iter().map(|token| match token {
        InstanceToken::Prop(key) => Step::Key(key),
        InstanceToken::Item(index) => Step::At(*index),
    });
    Err(source.error(&way.collect::<Vec<_>>(), &misfit.message))
}

fn compiled() -> anyhow::Result<&'static Compiled> {
    COMPILED.as_ref().map_err(|error| anyhow!("the schema of suite files: {error}"))
}

impl Compiled {
    fn new() -> anyhow::Result<Self> {
        let text: Value = serde_json::from_str(SCHEMA)?;
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.add_resource(LOCATION, text.clone()).map_err(|error| anyhow!("{error}"))?;
        let index = compiler.compile(LOCATION, &mut schemas).map_err(|error| anyhow!("{error}"))?;
        Ok(Self { text, schemas, index })
    }

    fn validate<'v>(&self, suite: &'v Value) -> Result<(), Misfit<'v>> {
        self.schemas.validate(suite, self.index).map_err(|error| self.misfit(suite, error))
    }

    fn misfit<'v>(&self, suite: &'v Value, error: ValidationError<'_, 'v>) -> Misfit<'v> {
        let leaf = leaf(error);
        if let ErrorKind::PropertyName { prop } = &leaf.kind {
            return self.misnamed(suite, &leaf, prop);
        }
        let found = suite.pointer(&leaf.instance_location.to_string()).unwrap_or(&Value::Null);
        let message = self.message(&leaf, found);
        Misfit { way: leaf.instance_location.tokens, message }
    }

    /// Returns a key that a map may not have. The error does not contain the map's location; the schema contains its name.
    fn misnamed<'v>(&self, suite: &'v Value, leaf: &ValidationError<'_, '_>, key: &str) -> Misfit<'v> {
        let map = leaf.schema_url.rsplit('/').next().unwrap_or_default();
        let mut way = Vec::new();
        find(suite, map, key, &mut way);
        let wanted = leaf.causes.first().map_or("", |cause| self.description(cause.schema_url));
        Misfit { way, message: format!("`{map}` has the key {}: write {wanted}", shown(&key.into())) }
    }

    fn message(&self, leaf: &ValidationError<'_, '_>, found: &Value) -> String {
        let name = name(&leaf.instance_location.tokens);
        match &leaf.kind {
            ErrorKind::Minimum { .. } | ErrorKind::Maximum { .. } => {
                let at = self.at(leaf.schema_url);
                format!("`{name}` is {found}: write a number from {} to {}", at["minimum"], at["maximum"])
            }
            ErrorKind::MinLength { .. } | ErrorKind::MaxLength { .. } | ErrorKind::Pattern { .. } => {
                format!("`{name}` is {}: write {}", shown(found), self.description(leaf.schema_url))
            }
            ErrorKind::MinItems { want, .. } | ErrorKind::MinProperties { want, .. } => {
                format!("`{name}` has {} entries: list at least {want}", entries(found))
            }
            ErrorKind::MaxItems { want, .. } | ErrorKind::MaxProperties { want, .. } => {
                format!("`{name}` has {} entries: list at most {want}", entries(found))
            }
            ErrorKind::UniqueItems { got: [_, second] } => {
                format!("`{name}` lists {} twice: remove one", shown(&found[second]))
            }
            other => format!("`{name}`: {other}"),
        }
    }

    /// Returns the part of the schema at a URL.
    fn at(&self, url: &str) -> &Value {
        let pointer = url.split_once('#').map_or("", |(_, pointer)| pointer).replace("%24", "$");
        self.text.pointer(&pointer).unwrap_or(&Value::Null)
    }

    fn description(&self, url: &str) -> &str {
        self.at(url)["description"].as_str().unwrap_or("something else")
    }
}

/// Returns the root cause of an error.
fn leaf<'s, 'v>(mut error: ValidationError<'s, 'v>) -> ValidationError<'s, 'v> {
    if matches!(error.kind, ErrorKind::PropertyName { .. }) {
        // Its cause is only about the key's name.
        error.causes = std::mem::take(&mut error.causes).into_iter().map(leaf).collect();
        return error;
    }
    if error.causes.is_empty() { error } else { leaf(error.causes.swap_remove(0)) }
}

/// Finds the path to the first map with this name that has this key.
fn find<'v>(value: &'v Value, map: &str, key: &str, way: &mut Vec<InstanceToken<'v>>) -> bool {
    let is_map = matches!(way.last(), Some(InstanceToken::Prop(name)) if name == map);
    if is_map && value.get(key).is_some() {
        return true;
    }
    let mut below = |token, value| {
        way.push(token);
        let found = find(value, map, key, way);
        if !found {
            way.pop();
        }
        found
    };
    match value {
        Value::Object(map) => map.iter().any(|(name, value)| below(InstanceToken::Prop(name.into()), value)),
        Value::Array(items) => items.iter().enumerate().any(|(index, value)| below(InstanceToken::Item(index), value)),
        _ => false,
    }
}

/// Returns the name of a key, or `names[1]` for an entry of a list.
fn name(way: &[InstanceToken<'_>]) -> String {
    let key = way.iter().rposition(|token| matches!(token, InstanceToken::Prop(_))).unwrap_or_default();
    let steps = way.iter().skip(key).map(|token| match token {
        InstanceToken::Prop(key) => key.to_string(),
        InstanceToken::Item(index) => format!("[{index}]"),
    });
    steps.collect()
}

/// Returns a value in a form that fits into a message.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) if text.is_empty() => "empty".to_owned(),
        Value::String(text) if text.chars().count() > SHOWN => format!("{} characters long", text.chars().count()),
        other => other.to_string(),
    }
}

fn entries(value: &Value) -> usize {
    value.as_array().map(Vec::len).or(value.as_object().map(serde_json::Map::len)).unwrap_or_default()
}
