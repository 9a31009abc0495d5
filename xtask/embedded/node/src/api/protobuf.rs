//! Reads Kubernetes' protobuf bodies. Responses are always JSON, which every client accepts.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, SecondsFormat};
use serde_json::{Map, Value, json};

use crate::registry::schema::{self, Field, Message, Scalar, Schema};

/// The media type of these bodies.
pub const MEDIA_TYPE: &str = "application/vnd.kubernetes.protobuf";

const MAGIC: &[u8] = b"k8s\0";

/// Reads a body: the magic, `runtime.Unknown` around it, and the object.
///
/// # Errors
/// A description of the part that can't be read.
pub fn read(body: &[u8]) -> Result<Value, String> {
    let unknown = body.strip_prefix(MAGIC).ok_or("provided data does not appear to be a protobuf message")?;
    let (mut type_meta, mut raw) = (&[][..], &[][..]);
    for (number, wire) in Fields(unknown) {
        match (number, wire?) {
            (1, Wire::Bytes(bytes)) => type_meta = bytes,
            (2, Wire::Bytes(bytes)) => raw = bytes,
            _ => {}
        }
    }
    let (mut api_version, mut kind) = (String::new(), String::new());
    for (number, wire) in Fields(type_meta) {
        match (number, wire?) {
            (1, Wire::Bytes(bytes)) => api_version = text(bytes),
            (2, Wire::Bytes(bytes)) => kind = text(bytes),
            _ => {}
        }
    }
    let (group, version) = api_version.rsplit_once('/').unwrap_or(("", &api_version));
    let message = schema::of(group, version, &kind).ok_or_else(|| format!("no kind \"{kind}\" is registered"))?;
    let mut object = json!({"kind": kind, "apiVersion": api_version});
    if let Some(object) = object.as_object_mut() {
        object.extend(fields(message, raw)?);
    }
    Ok(object)
}

enum Wire<'a> {
    Varint(u64),
    Fixed(u64),
    Bytes(&'a [u8]),
}

/// The fields of a message on the wire.
struct Fields<'a>(&'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = (u32, Result<Wire<'a>, String>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let Some(tag) = varint(&mut self.0) else { return Some((0, Err("a tag is truncated".to_owned()))) };
        let number = u32::try_from(tag >> 3).unwrap_or(0);
        let wire = match tag & 7 {
            0 => varint(&mut self.0).map(Wire::Varint),
            1 => take(&mut self.0, 8).and_then(|b| b.try_into().ok()).map(|b| Wire::Fixed(u64::from_le_bytes(b))),
            2 => varint(&mut self.0)
                .and_then(|length| usize::try_from(length).ok())
                .and_then(|length| take(&mut self.0, length))
                .map(Wire::Bytes),
            5 => take(&mut self.0, 4)
                .and_then(|b| b.try_into().ok())
                .map(|b| Wire::Fixed(u64::from(u32::from_le_bytes(b)))),
            _ => None,
        };
        if wire.is_none() {
            self.0 = &[];
        }
        Some((number, wire.ok_or_else(|| format!("field {number} is truncated"))))
    }
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(count)?;
    *bytes = rest;
    Some(taken)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn fields(message: &'static Message, raw: &[u8]) -> Result<Map<String, Value>, String> {
    let mut object = Map::new();
    for (number, wire) in Fields(raw) {
        let wire = wire?;
        if let Some(field) = message.fields.values().find(|field| field.number == (number, None)) {
            add(&mut object, field, &wire)?;
            continue;
        }
        // What JSON inlines is a separate message on the wire.
        let inlined = |inner| message.fields.values().find(move |field| field.number == (number, Some(inner)));
        let is_inlining = message.fields.values().any(|field| field.number.0 == number);
        let Wire::Bytes(bytes) = wire else { return Err(unknown(message, number)) };
        if !is_inlining {
            return Err(unknown(message, number));
        }
        for (inner, wire) in Fields(bytes) {
            let field = inlined(inner).ok_or_else(|| unknown(message, inner))?;
            add(&mut object, field, &wire?)?;
        }
    }
    // Go also sends empty fields, unless they are pointers; JSON leaves them out.
    object.retain(|_, value| !matches!(value, Value::Null) && value.as_str() != Some(""));
    Ok(object)
}

fn unknown(message: &Message, number: u32) -> String {
    format!("field {number} of {} is unknown", message.name)
}

fn add(object: &mut Map<String, Value>, field: &Field, wire: &Wire) -> Result<(), String> {
    match field.schema {
        Schema::List(element, _) => {
            let value = value(*element, wire)?;
            match object.entry(field.name).or_insert_with(|| json!([])) {
                Value::Array(items) => items.push(value),
                _ => return Err(format!("{} is not a list", field.name)),
            }
        }
        Schema::Map(element, _) => {
            let Wire::Bytes(bytes) = wire else { return Err(format!("{} is not a map", field.name)) };
            let (mut key, mut entry) = (String::new(), value(*element, &Wire::Bytes(&[]))?);
            for (number, wire) in Fields(bytes) {
                match (number, wire?) {
                    (1, Wire::Bytes(bytes)) => key = text(bytes),
                    (2, wire) => entry = value(*element, &wire)?,
                    _ => {}
                }
            }
            object.entry(field.name).or_insert_with(|| json!({}))[key] = entry;
        }
        schema => {
            object.insert(field.name.to_owned(), value(schema, wire)?);
        }
    }
    Ok(())
}

fn value(schema: Schema, wire: &Wire) -> Result<Value, String> {
    Ok(match (schema, wire) {
        (Schema::Message(name), Wire::Bytes(bytes)) => {
            let message = schema::message(name).ok_or_else(|| format!("the type {name} is unknown"))?;
            fields(message, bytes)?.into()
        }
        (Schema::Scalar(Scalar::Bool), Wire::Varint(number)) => (*number != 0).into(),
        (Schema::Scalar(Scalar::Int32 | Scalar::Int64), Wire::Varint(number)) => number.cast_signed().into(),
        (Schema::Scalar(Scalar::Float64), Wire::Fixed(bits)) => f64::from_bits(*bits).into(),
        (Schema::Scalar(scalar), Wire::Bytes(bytes)) => composed(scalar, bytes)?,
        _ => return Err(format!("a value of a type other than {schema:?}")),
    })
}

/// Reads JSON scalars that are bytes or messages on the wire.
fn composed(scalar: Scalar, bytes: &[u8]) -> Result<Value, String> {
    Ok(match scalar {
        Scalar::String => text(bytes).into(),
        Scalar::Bytes => STANDARD.encode(bytes).into(),
        Scalar::Time | Scalar::MicroTime => time(scalar, bytes)?,
        Scalar::Quantity => member(bytes, 1)?.map_or(Value::Null, |bytes| text(bytes).into()),
        Scalar::Any => {
            let raw = member(bytes, 1)?.unwrap_or(b"null");
            serde_json::from_slice(raw).map_err(|error| error.to_string())?
        }
        Scalar::IntOrString => match (number(bytes, 1)?, member(bytes, 3)?) {
            (1, string) => text(string.unwrap_or_default()).into(),
            _ => number(bytes, 2)?.into(),
        },
        _ => return Err(format!("bytes in place of a {scalar:?}")),
    })
}

/// Reads a time; the zero time is null.
fn time(scalar: Scalar, bytes: &[u8]) -> Result<Value, String> {
    let (seconds, nanos) = (number(bytes, 1)?, number(bytes, 2)?);
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    let format = if scalar == Scalar::Time { SecondsFormat::Secs } else { SecondsFormat::Micros };
    let time = DateTime::from_timestamp(seconds, u32::try_from(nanos).unwrap_or(0));
    Ok(time.map_or(Value::Null, |time| time.to_rfc3339_opts(format, true).into()))
}

fn member(bytes: &[u8], wanted: u32) -> Result<Option<&[u8]>, String> {
    for (number, wire) in Fields(bytes) {
        if let (true, Wire::Bytes(found)) = (number == wanted, wire?) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn number(bytes: &[u8], wanted: u32) -> Result<i64, String> {
    for (number, wire) in Fields(bytes) {
        if let (true, Wire::Varint(found)) = (number == wanted, wire?) {
            return Ok(found.cast_signed());
        }
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        let length = u8::try_from(bytes.len()).unwrap();
        [&[number << 3 | 2, length][..], bytes].concat()
    }

    #[test]
    fn a_secret_is_read_as_helm_sends_it() {
        let metadata = [
            field(1, b"sh.helm.release.v1.a.v1"),
            field(2, b""),
            field(8, b""),
            field(11, &[field(1, b"owner"), field(2, b"helm")].concat()),
        ];
        let data = [field(1, b"release"), field(2, b"x")].concat();
        let secret = [field(1, &metadata.concat()), field(2, &data), field(3, b"helm.sh/release.v1")].concat();
        let type_meta = [field(1, b"v1"), field(2, b"Secret")].concat();
        let body = [MAGIC, &field(1, &type_meta), &field(2, &secret), &field(3, b""), &field(4, b"")].concat();
        let wanted = json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": "sh.helm.release.v1.a.v1", "labels": {"owner": "helm"}},
            "data": {"release": "eA=="}, "type": "helm.sh/release.v1",
        });
        assert_eq!(read(&body).unwrap(), wanted);
    }

    #[test]
    fn an_unknown_field_is_an_error() {
        let type_meta = [field(1, b"v1"), field(2, b"Secret")].concat();
        let body = [MAGIC, &field(1, &type_meta), &field(2, &field(15, b"x"))].concat();
        assert_eq!(read(&body).unwrap_err(), "field 15 of Secret is unknown");
    }
}
