//! Decodes documents as the API server does: types are checked, unknown fields dropped and listed, nulls and empty
//! lists removed, quantities rewritten.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::schema::{self, Message, Scalar, Schema};
use crate::kinds::{KINDS, Kind};
use resources::quantity;

/// A document as it will be stored.
pub struct Decoded {
    /// Without unknown fields.
    pub object: Value,
    /// The unknown fields: `unknown field "spec.x"`.
    pub unknown: Vec<String>,
}

/// Decodes a document of a type.
///
/// # Errors
/// The first value of a wrong type, in the decoder's words.
pub fn decode(message: &'static Message, document: Value) -> Result<Decoded, String> {
    let mut decoder = Decoder { unknown: Vec::new() };
    let Value::Object(mut fields) = document else {
        return Err(format!("json: cannot unmarshal {} into Go value of type v1.{}", kind_of(&document), message.name));
    };
    // Every document may contain these two, but only these types have them as fields.
    let type_meta: Vec<_> =
        ["apiVersion", "kind"].iter().filter_map(|name| fields.shift_remove(*name).map(|v| (*name, v))).collect();
    let known = decoder.message(message, fields, &mut Position::default())?;
    let mut object = Map::new();
    object.extend(type_meta.into_iter().map(|(name, value)| (name.to_owned(), value)));
    object.extend(known);
    Ok(Decoded { object: object.into(), unknown: decoder.unknown })
}

/// Splits a document of a custom kind into the rest and its decoded metadata, which is null if there is none.
///
/// # Errors
/// The first value of a wrong type in the metadata, in the decoder's words.
pub fn metadata(kind: &Kind, document: Value) -> Result<(Value, Decoded), String> {
    let Value::Object(mut fields) = document else {
        return Err(format!("json: cannot unmarshal {} into Go value of type {}", kind_of(&document), kind.kind));
    };
    let mut decoder = Decoder { unknown: Vec::new() };
    let mut position = Position { names: vec!["metadata".to_owned()], around: "ObjectMeta" };
    let metadata = fields.shift_remove("metadata").unwrap_or_default();
    let object = decoder.value(Schema::Message("ObjectMeta"), metadata, &mut position)?;
    Ok((fields.into(), Decoded { object, unknown: decoder.unknown }))
}

/// The decoder's position: names with and without indexes, and the surrounding type.
#[derive(Default)]
struct Position {
    names: Vec<String>,
    around: &'static str,
}

impl Position {
    fn indexed(&self) -> String {
        self.names.iter().fold(String::new(), |path, name| {
            let separator = if name.starts_with('[') || path.is_empty() { "" } else { "." };
            path + separator + name
        })
    }

    fn plain(&self) -> String {
        let names: Vec<_> = self.names.iter().filter(|name| !name.starts_with('[')).map(String::as_str).collect();
        names.join(".")
    }

    fn mismatch(&self, value: &Value, wanted: &str) -> String {
        let around = self.around.rsplit('.').next().unwrap_or_default();
        format!(
            "json: cannot unmarshal {} into Go struct field {around}.{} of type {wanted}",
            kind_of(value),
            self.plain()
        )
    }
}

fn is_object(message: &Message) -> bool {
    KINDS.iter().any(|kind| kind.kind == message.name)
}

struct Decoder {
    unknown: Vec<String>,
}

impl Decoder {
    fn message(
        &mut self,
        message: &'static Message,
        fields: Map<String, Value>,
        place: &mut Position,
    ) -> Result<Map<String, Value>, String> {
        let mut decoded = Map::new();
        for (name, value) in fields {
            place.names.push(name.clone());
            let around = std::mem::replace(&mut place.around, message.name);
            match message.field(&name) {
                // A claim template is an object itself, with its kind and version.
                None if ["apiVersion", "kind"].contains(&name.as_str()) && is_object(message) => {
                    decoded.insert(name, value);
                }
                None => self.unknown.push(format!("unknown field \"{}\"", place.indexed())),
                Some(field) => {
                    let value = self.value(field.schema, value, place)?;
                    if !left_out(field.schema, &value) {
                        decoded.insert(name, value);
                    }
                }
            }
            place.around = around;
            place.names.pop();
        }
        Ok(decoded)
    }

    fn value(&mut self, schema: Schema, value: Value, place: &mut Position) -> Result<Value, String> {
        match (schema, value) {
            (_, Value::Null) => Ok(Value::Null),
            (Schema::Scalar(kind), value) => scalar(kind, value, place),
            // `additionalProperties: true`
            (Schema::Message("JSONSchemaProps"), Value::Bool(allowed)) => Ok(allowed.into()),
            (Schema::Message(name), Value::Object(fields)) => {
                let message = schema::message(name).ok_or_else(|| format!("the type {name} is unknown"))?;
                self.message(message, fields, place).map(Value::Object)
            }
            (Schema::Map(element, _), Value::Object(entries)) => self.map(*element, entries, place),
            (Schema::List(element, _), Value::Array(items)) => self.list(*element, items, place),
            (schema, value) => Err(place.mismatch(&value, &go_type(schema))),
        }
    }

    fn map(&mut self, element: Schema, entries: Map<String, Value>, place: &mut Position) -> Result<Value, String> {
        let mut decoded = Map::new();
        for (key, value) in entries {
            // Go's decoder names the map, not the key, if a value has a wrong type.
            let value = if value.is_null() { zero(element) } else { self.value(element, value, place)? };
            decoded.insert(key, value);
        }
        Ok(decoded.into())
    }

    fn list(&mut self, element: Schema, items: Vec<Value>, place: &mut Position) -> Result<Value, String> {
        let mut decoded = Vec::with_capacity(items.len());
        for (index, item) in items.into_iter().enumerate() {
            place.names.push(format!("[{index}]"));
            let item = self.value(element, item, place)?;
            place.names.pop();
            decoded.push(if item.is_null() { zero(element) } else { item });
        }
        Ok(decoded.into())
    }
}

/// Applies Go's `omitempty` for non-pointers: nulls, empty lists and maps are left out.
fn left_out(schema: Schema, value: &Value) -> bool {
    match (schema, value) {
        (_, Value::Null) => true,
        (Schema::List(..), Value::Array(items)) => items.is_empty(),
        (Schema::Map(..), Value::Object(entries)) => entries.is_empty(),
        _ => false,
    }
}

fn scalar(kind: Scalar, value: Value, place: &Position) -> Result<Value, String> {
    let fits = match kind {
        Scalar::String => value.is_string(),
        Scalar::Bool => value.is_boolean(),
        Scalar::Int32 => value.as_i64().is_some_and(|number| i32::try_from(number).is_ok()),
        Scalar::Int64 => value.is_i64(),
        Scalar::Float64 => value.is_number(),
        Scalar::Any => true,
        Scalar::IntOrString => value.is_i64() || value.is_string(),
        Scalar::Bytes => return bytes(value, place),
        Scalar::Quantity => return amount(&value),
        Scalar::Time | Scalar::MicroTime => return time(value, place),
    };
    if fits {
        return Ok(value);
    }
    Err(place.mismatch(&value, &go_type(Schema::Scalar(kind))))
}

fn bytes(value: Value, place: &Position) -> Result<Value, String> {
    let Value::String(text) = value else { return Err(place.mismatch(&value, "[]uint8")) };
    let stripped: String = text.chars().filter(|c| !matches!(c, '\n' | '\r')).collect();
    match STANDARD.decode(&stripped) {
        Ok(_) => Ok(stripped.into()),
        Err(base64::DecodeError::InvalidByte(at, _)) => Err(format!("illegal base64 data at input byte {at}")),
        Err(_) => Err(format!("illegal base64 data at input byte {}", stripped.len().saturating_sub(1) / 4 * 4)),
    }
}

fn amount(value: &Value) -> Result<Value, String> {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let parsed = quantity::parse(text.trim()).ok_or(quantity::MALFORMED)?;
    Ok(parsed.canonical().into())
}

fn time(value: Value, place: &Position) -> Result<Value, String> {
    let Value::String(text) = &value else { return Err(place.mismatch(&value, "time.Time")) };
    match chrono::DateTime::parse_from_rfc3339(text) {
        Ok(_) => Ok(value),
        Err(_) => Err(format!(
            "parsing time \"{text}\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \"{text}\" as \"2006\""
        )),
    }
}

fn zero(schema: Schema) -> Value {
    match schema {
        Schema::Scalar(Scalar::String | Scalar::Bytes) => "".into(),
        Schema::Scalar(Scalar::Quantity) => "0".into(),
        Schema::Message(_) | Schema::Map(..) => Map::new().into(),
        _ => Value::Null,
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn go_type(schema: Schema) -> String {
    match schema {
        Schema::Scalar(scalar) => match scalar {
            Scalar::String => "string",
            Scalar::Bool => "bool",
            Scalar::Int32 => "int32",
            Scalar::Int64 => "int64",
            Scalar::Float64 => "float64",
            Scalar::Bytes => "[]uint8",
            Scalar::Time | Scalar::MicroTime => "time.Time",
            Scalar::Quantity => "resource.Quantity",
            Scalar::IntOrString => "intstr.IntOrString",
            Scalar::Any => "interface {}",
        }
        .to_owned(),
        Schema::Message(name) => format!("v1.{}", name.rsplit('.').next().unwrap_or(name)),
        Schema::Map(element, _) => format!("map[string]{}", go_type(*element)),
        Schema::List(element, _) => format!("[]{}", go_type(*element)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[expect(clippy::needless_pass_by_value, reason = "the argument is a literal")]
    fn pod(spec: Value) -> Result<Decoded, String> {
        decode(schema::message("Pod").unwrap(), json!({"apiVersion": "v1", "kind": "Pod", "spec": spec}))
    }

    #[test]
    fn a_wrong_type_is_reported_as_by_go() {
        let refused = pod(json!({"containers": [{"name": "m", "image": 5}]})).err().unwrap();
        let wanted =
            "json: cannot unmarshal number into Go struct field Container.spec.containers.image of type string";
        assert_eq!(refused, wanted);
    }

    #[test]
    fn unknown_fields_are_dropped_and_listed_with_their_path() {
        let decoded = pod(json!({"containers": [{"name": "m", "imige": "x"}], "nosuch": 1})).unwrap();
        assert_eq!(decoded.unknown, ["unknown field \"spec.containers[0].imige\"", "unknown field \"spec.nosuch\""]);
        assert_eq!(decoded.object["spec"], json!({"containers": [{"name": "m"}]}));
    }

    #[test]
    fn nulls_and_empty_lists_are_removed_and_quantities_rewritten() {
        let spec = json!({
            "nodeName": null, "volumes": [], "nodeSelector": {},
            "containers": [{"name": "m", "resources": {"limits": {"cpu": 0.5, "memory": "1024Mi"}}}],
        });
        let wanted = json!({
            "containers": [{"name": "m", "resources": {"limits": {"cpu": "500m", "memory": "1Gi"}}}],
        });
        assert_eq!(pod(spec).unwrap().object["spec"], wanted);
    }
}
