//! Strategic merge patches: lists merged by their keys, and the directives `$patch`,
//! `$setElementOrder`, `$deleteFromPrimitiveList` and `$retainKeys`.

use serde_json::{Map, Value};

use crate::registry::schema::{self, Message, PatchStrategy, Schema};
use crate::status::Status;

const ORDER: &str = "$setElementOrder/";
const DELETE: &str = "$deleteFromPrimitiveList/";

/// Applies a strategic merge patch to an object of a type.
///
/// # Errors
/// 400 if an element of a list lacks its merge key or a directive is invalid.
pub fn patch(message: &'static Message, object: &Value, patch: &Value) -> Result<Value, Status> {
    map(Some(message), Some(object), patch)
}

fn map(message: Option<&'static Message>, original: Option<&Value>, patch: &Value) -> Result<Value, Status> {
    let (Some(patch), empty) = (patch.as_object(), Map::new()) else { return Ok(patch.clone()) };
    let original = original.and_then(Value::as_object).unwrap_or(&empty);
    match patch.get("$patch").and_then(Value::as_str) {
        Some("replace") => return Ok(without_directives(patch).into()),
        Some("delete") => return Ok(Map::new().into()),
        None | Some("merge") => {}
        Some(other) => return Err(bad(format!("unknown patch type found: {other}"))),
    }
    let mut out = original.clone();
    if let Some(kept) = patch.get("$retainKeys").and_then(Value::as_array) {
        out.retain(|name, _| kept.iter().any(|key| key == name));
    }
    for (directive, values) in patch {
        if let Some(name) = directive.strip_prefix(DELETE) {
            remove_scalars(&mut out, name, values);
        }
    }
    for (name, value) in patch.iter().filter(|(name, _)| !name.starts_with('$')) {
        let order = patch.get(&format!("{ORDER}{name}")).and_then(Value::as_array);
        match member(message, name, out.get(name), value, order)? {
            None => drop(out.shift_remove(name)),
            Some(value) => drop(out.insert(name.clone(), value)),
        }
    }
    for (directive, order) in patch {
        if let (Some(name), Some(order)) = (directive.strip_prefix(ORDER), order.as_array())
            && let Some(Value::Array(items)) = out.get_mut(name)
        {
            let key = message.and_then(|m| m.field(name)).map_or(PatchStrategy::Scalars, |field| field.patch);
            reorder(items, order, key);
        }
    }
    Ok(out.into())
}

/// Returns the value of a member after the patch, or `None` if it is removed.
fn member(
    message: Option<&'static Message>,
    name: &str,
    original: Option<&Value>,
    patch: &Value,
    order: Option<&Vec<Value>>,
) -> Result<Option<Value>, Status> {
    let field = message.and_then(|message| message.field(name));
    let below = field.and_then(|field| element(field.schema));
    match (patch, original) {
        (Value::Null, _) => Ok(None),
        (Value::Object(_), original) => map(below, original, patch).map(Some),
        (Value::Array(items), original) => {
            let original = original.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
            match field.map(|field| field.patch) {
                Some(PatchStrategy::Key(key)) => list(below, key, original, items).map(|items| Some(items.into())),
                Some(PatchStrategy::Scalars) if order.is_some() || !items.is_empty() => {
                    let added = items.iter().filter(|item| !original.contains(item));
                    Ok(Some(original.iter().chain(added).cloned().collect()))
                }
                _ => Ok(Some(patch.clone())),
            }
        }
        _ => Ok(Some(patch.clone())),
    }
}

fn element(schema: Schema) -> Option<&'static Message> {
    match schema {
        Schema::Message(name) => schema::message(name),
        Schema::List(element, _) | Schema::Map(element, _) => element_of(*element),
        Schema::Scalar(_) => None,
    }
}

fn element_of(schema: Schema) -> Option<&'static Message> {
    if let Schema::Message(name) = schema { schema::message(name) } else { None }
}

fn list(
    message: Option<&'static Message>,
    key: &str,
    original: &[Value],
    patch: &[Value],
) -> Result<Vec<Value>, Status> {
    let replace =
        patch.iter().any(|item| item.get("$patch").is_some_and(|p| p == "replace") && item.get(key).is_none());
    let mut out = if replace { Vec::new() } else { original.to_vec() };
    for item in patch {
        let directive = item.get("$patch").and_then(Value::as_str);
        let Some(wanted) = item.get(key) else {
            if directive == Some("replace") {
                continue;
            }
            return Err(bad(format!("map: {item} does not contain declared merge key: {key}")));
        };
        let at = out.iter().position(|element| element.get(key) == Some(wanted));
        match (directive, at) {
            (Some("delete"), _) => out.retain(|element| element.get(key) != Some(wanted)),
            (_, Some(at)) => out[at] = map(message, Some(&out[at]), item)?,
            (_, None) => out.push(map(message, None, item)?),
        }
    }
    Ok(out)
}

/// Sorts listed elements into the given order; every other element stays behind its predecessor.
fn reorder(items: &mut Vec<Value>, order: &[Value], patch: PatchStrategy) {
    let identity = |item: &Value| match patch {
        PatchStrategy::Key(key) => item.get(key).cloned().unwrap_or(Value::Null),
        _ => item.clone(),
    };
    let wanted: Vec<Value> = order.iter().map(identity).collect();
    let place = |item: &Value| wanted.iter().position(|other| *other == identity(item));
    let mut ranked: Vec<((usize, usize), Value)> = Vec::with_capacity(items.len());
    let mut after = 0;
    for (index, item) in items.drain(..).enumerate() {
        let rank = match place(&item) {
            Some(place) => {
                after = place + 1;
                (place + 1, 0)
            }
            None => (after, index + 1),
        };
        ranked.push((rank, item));
    }
    ranked.sort_by_key(|(rank, _)| *rank);
    items.extend(ranked.into_iter().map(|(_, item)| item));
}

fn remove_scalars(out: &mut Map<String, Value>, name: &str, values: &Value) {
    if let (Some(Value::Array(items)), Some(gone)) = (out.get_mut(name), values.as_array()) {
        items.retain(|item| !gone.contains(item));
    }
}

fn without_directives(patch: &Map<String, Value>) -> Map<String, Value> {
    patch.iter().filter(|(name, _)| !name.starts_with('$')).map(|(n, v)| (n.clone(), v.clone())).collect()
}

fn bad(message: String) -> Status {
    Status::new(400, "BadRequest", message)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[expect(clippy::needless_pass_by_value, reason = "the argument is a literal")]
    fn patched(original: Value, patch: Value) -> Value {
        let message = schema::message("Pod").unwrap();
        super::patch(message, &json!({ "spec": original }), &json!({ "spec": patch })).unwrap()["spec"].clone()
    }

    #[test]
    fn strategic_merge() {
        let two = || json!({"containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "1"}]});
        let table = [
            (
                "merged by key",
                json!({"containers": [{"name": "b", "image": "2"}]}),
                json!({"containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "2"}]}),
            ),
            (
                "added",
                json!({"containers": [{"name": "c"}]}),
                json!({"containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "1"}, {"name": "c"}]}),
            ),
            (
                "deleted",
                json!({"containers": [{"name": "a", "$patch": "delete"}]}),
                json!({"containers": [{"name": "b", "image": "1"}]}),
            ),
            (
                "replaced",
                json!({"containers": [{"name": "c"}, {"$patch": "replace"}]}),
                json!({"containers": [{"name": "c"}]}),
            ),
            (
                "reordered",
                json!({"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]}),
                json!({"containers": [{"name": "b", "image": "1"}, {"name": "a", "image": "1"}]}),
            ),
            ("a null removes", json!({"containers": null}), json!({})),
        ];
        for (name, patch, wanted) in table {
            assert_eq!(patched(two(), patch), wanted, "{name}");
        }
    }

    #[test]
    fn retain_keys_drops_all_other_keys() {
        let original = json!({"volumes": [{"name": "v", "emptyDir": {}}]});
        let patch =
            json!({"volumes": [{"name": "v", "$retainKeys": ["name", "secret"], "secret": {"secretName": "s"}}]});
        assert_eq!(patched(original, patch), json!({"volumes": [{"name": "v", "secret": {"secretName": "s"}}]}));
    }

    #[test]
    fn lists_without_a_key_are_replaced_and_scalars_deleted_by_name() {
        let original = json!({"containers": [{"name": "a", "args": ["1", "2"]}]});
        let patch = json!({"containers": [{"name": "a", "args": ["3"]}]});
        assert_eq!(patched(original, patch), json!({"containers": [{"name": "a", "args": ["3"]}]}));
        let message = schema::message("ConfigMap").unwrap();
        let object = json!({"metadata": {"finalizers": ["a", "b"]}});
        let patch = json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"], "finalizers": ["c"]}});
        assert_eq!(super::patch(message, &object, &patch).unwrap(), json!({"metadata": {"finalizers": ["b", "c"]}}));
    }
}
