//! What the API server would refuse of an upgrade: changes of fields that can't be changed, from two sets of manifests.

mod compare;
mod table;

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

pub use table::{ROWS, Row, Rule};

/// The longest value in a message, in characters.
const SHOWN_MAX: usize = 80;

/// A change that the API server refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The object: `StatefulSet/web`.
    pub object: String,
    /// The field: `spec.serviceName`.
    pub field: String,
    /// Its earlier value.
    pub before: String,
    /// Its present value.
    pub after: String,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { object, field, before, after } = self;
        write!(f, "{object}: {field} can't be changed from {before} to {after}")
    }
}

/// What an upgrade does to objects that can't be changed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Upgrade {
    /// The changes that are refused.
    pub refused: Vec<Change>,
    /// What is not refused, but loses something.
    pub notes: Vec<String>,
    /// The number of objects that are in both releases.
    pub in_both: usize,
}

/// Compares the objects of an earlier and a present release in the same namespace.
pub fn upgrade(before: &[Value], after: &[Value]) -> Upgrade {
    let (before, after): (Vec<_>, Vec<_>) = (regular(before).collect(), regular(after).collect());
    let (mut refused, mut in_both) = (Vec::new(), 0);
    for present in &after {
        match before.iter().find(|earlier| identity(earlier) == identity(present)) {
            Some(earlier) => {
                in_both += 1;
                refused.extend(changes(earlier, present));
            }
            None => refused.extend(taken_ports(present, &before, &after)),
        }
    }
    Upgrade { refused, notes: lost_claims(&before, &after), in_both }
}

/// Returns the objects that helm updates. It deletes hooks and creates them again.
fn regular(objects: &[Value]) -> impl Iterator<Item = Value> {
    let is_hook = |object: &&Value| object["metadata"]["annotations"]["helm.sh/hook"].is_string();
    objects.iter().filter(move |object| !is_hook(object)).map(stored)
}

/// Returns a manifest as the API server stores it: `stringData` of a Secret becomes `data`.
fn stored(object: &Value) -> Value {
    let mut stored = object.clone();
    let Some(texts) = stored.get_mut("stringData").map(Value::take) else { return stored };
    let mut data = stored["data"].as_object().cloned().unwrap_or_else(Map::new);
    for (key, text) in texts.as_object().into_iter().flatten() {
        data.insert(key.clone(), STANDARD.encode(text.as_str().unwrap_or_default()).into());
    }
    stored["data"] = data.into();
    stored
}

/// Returns what makes two manifests the same object. Its API version may change.
fn identity(object: &Value) -> [&str; 4] {
    let (kind, metadata) = (text(&object["kind"]), &object["metadata"]);
    [group(object), kind, text(&metadata["namespace"]), text(&metadata["name"])]
}

fn group(object: &Value) -> &str {
    text(&object["apiVersion"]).split_once('/').map_or("", |(group, _)| group)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn title(object: &Value) -> String {
    format!("{}/{}", text(&object["kind"]), text(&object["metadata"]["name"]))
}

/// Returns the refused changes of one object.
fn changes(before: &Value, after: &Value) -> Vec<Change> {
    let (group, kind) = (group(after), text(&after["kind"]));
    let rows = ROWS.iter().filter(|row| row.group == group && row.kind == kind);
    rows.filter(|row| !(row.exempt)(before, after)).flat_map(|row| of_row(row, before, after)).collect()
}

fn of_row(row: &Row, before: &Value, after: &Value) -> Vec<Change> {
    let pointer = format!("/{}", row.field.replace('.', "/"));
    let part = |object: &Value| object.pointer(&pointer).cloned().unwrap_or_default();
    let (mut earlier, mut present) = (part(before), part(after));
    let is_refused = match row.rule {
        Rule::Fixed => true,
        Rule::AllBut(fields) => {
            for field in fields {
                compare::remove(&mut earlier, field);
                compare::remove(&mut present, field);
            }
            true
        }
        Rule::Chosen => !present.is_null(),
        Rule::ChosenOnce => !(earlier.is_null() && present.is_null()),
        Rule::Grows => compare::quantity_of(&present) < compare::quantity_of(&earlier),
        Rule::IfImmutable => before["immutable"] == true,
    };
    if !is_refused {
        return Vec::new();
    }
    let found = compare::differences(&earlier, &present, row.field);
    found.into_iter().map(|difference| change(row, after, difference)).collect()
}

fn change(row: &Row, object: &Value, (field, before, after): compare::Difference) -> Change {
    // Where the cluster chose a value, the manifest has none.
    let chosen = matches!(row.rule, Rule::Chosen | Rule::ChosenOnce) && before.is_null();
    let before = if chosen { "the cluster's choice".to_owned() } else { shown(row, &before) };
    Change { object: title(object), field, before, after: shown(row, &after) }
}

/// Returns a value for a message; the data of a Secret is hidden.
fn shown(row: &Row, value: &Value) -> String {
    if value.is_null() {
        return "nothing".to_owned();
    }
    if row.kind == "Secret" && row.field == "data" {
        return "a hidden value".to_owned();
    }
    let text = value.to_string();
    match text.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// Returns the ports and addresses of a new Service that an earlier one still has, because helm deletes it afterwards.
fn taken_ports(service: &Value, before: &[Value], after: &[Value]) -> Vec<Change> {
    if service["kind"] != "Service" {
        return Vec::new();
    }
    let is_gone = |earlier: &&Value| !after.iter().any(|present| identity(present) == identity(earlier));
    let gone: Vec<_> = before.iter().filter(|earlier| earlier["kind"] == "Service").filter(is_gone).collect();
    let mut found = Vec::new();
    for (field, value) in claims(service) {
        let holder = gone.iter().find(|earlier| claims(earlier).iter().any(|(_, taken)| *taken == value));
        found.extend(holder.map(|holder| Change {
            object: title(service),
            field,
            before: format!("that of {}, which still has it then,", title(holder)),
            after: value.to_string(),
        }));
    }
    found
}

/// Returns what no other Service may have: its node ports and its address.
fn claims(service: &Value) -> Vec<(String, Value)> {
    let ports = service["spec"]["ports"].as_array().into_iter().flatten().enumerate();
    let ports = ports.map(|(index, port)| (format!("spec.ports[{index}].nodePort"), port["nodePort"].clone()));
    let address = ("spec.clusterIP".to_owned(), service["spec"]["clusterIP"].clone());
    ports.chain([address]).filter(|(_, value)| !value.is_null() && value != "None" && value != "").collect()
}

/// Returns a note for each StatefulSet with claims that is gone, if another one is new: the claims are not taken over.
fn lost_claims(before: &[Value], after: &[Value]) -> Vec<String> {
    let only_in = |one: &[Value], other: &[Value]| {
        let has_claims =
            |set: &&Value| set["spec"]["volumeClaimTemplates"].as_array().is_some_and(|all| !all.is_empty());
        let is_alone = |set: &&Value| !other.iter().any(|object| identity(object) == identity(set));
        let sets = one.iter().filter(|set| set["kind"] == "StatefulSet").filter(has_claims).filter(is_alone);
        sets.map(title).collect::<Vec<_>>()
    };
    let (gone, new) = (only_in(before, after), only_in(after, before));
    if new.is_empty() {
        return Vec::new();
    }
    gone.into_iter().map(|gone| format!("{gone} is gone, and its claims are not those of {}", new.join(", "))).collect()
}

#[cfg(test)]
mod tests;
