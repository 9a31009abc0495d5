//! Compares recordings of a real cluster with what happened here, both without ids and times.

use std::collections::BTreeMap;

use serde_json::Value;

use super::is_of;
use crate::controllers::NODE;
use crate::store::Change;

/// Parses the lines of a recording.
pub fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The controllers' events about each object, in order, with the count of a repeated one.
pub type RecordedEvents = BTreeMap<String, Vec<String>>;

/// Returns the events of a recording that do not come from the kubelet.
pub fn recorded_events(lines: &[Value]) -> RecordedEvents {
    let mut names = Names::default();
    let mut events = RecordedEvents::new();
    for line in lines.iter().filter(|line| line["kind"] == "events" && line["source"] != "kubelet") {
        let what = format!("{} {}: {}", text(&line["type"]), text(&line["reason"]), text(&line["message"]));
        events.entry(names.replace(text(&line["involved"]))).or_default().push(names.replace(&what));
    }
    events
}

/// Returns the events that were recorded here.
pub fn events(log: &[Change]) -> RecordedEvents {
    let mut names = Names::default();
    let mut events = RecordedEvents::new();
    for event in log.iter().filter(|change| is_of(change, "Event")).map(|change| &change.object) {
        let involved = format!("{}/{}", text(&event["involvedObject"]["kind"]), text(&event["involvedObject"]["name"]));
        let what = format!("{} {}: {}", text(&event["type"]), text(&event["reason"]), text(&event["message"]));
        events.entry(names.replace(&involved)).or_default().push(names.replace(&what));
    }
    events
}

/// Returns the states of the objects of a kind in a recording, without consecutive duplicates.
pub fn recorded_states(lines: &[Value], plural: &str, name: &str) -> Vec<String> {
    let of_kind = lines.iter().filter(|line| line["kind"] == plural && line["event"] != "DELETED");
    let named = of_kind.filter(|line| line["metadata"]["name"] == name);
    states(named.map(|line| (&line["metadata"]["generation"], &line["status"])))
}

/// Returns the states of an object here.
pub fn own_states(log: &[Change], kind: &str, name: &str) -> Vec<String> {
    let of_kind = log.iter().filter(|change| is_of(change, kind)).map(|change| &change.object);
    let named = of_kind.filter(|object| object["metadata"]["name"] == name);
    states(named.map(|object| (&object["metadata"]["generation"], &object["status"])))
}

fn states<'a>(all: impl Iterator<Item = (&'a Value, &'a Value)>) -> Vec<String> {
    let mut names = Names::default();
    // The first is as the API creates it.
    let mut all: Vec<String> = all
        .skip(1)
        .map(|(generation, status)| {
            let mut timeless = status.clone();
            without_times(&mut timeless);
            names.replace(&format!("{generation} {timeless}"))
        })
        .collect();
    all.dedup();
    all
}

/// Removes times and meaningless values, and sorts keys.
fn without_times(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            let mut kept: Vec<(String, Value)> = std::mem::take(fields).into_iter().collect();
            kept.retain(|(key, value)| !key.ends_with("Time") && *value != Value::Null);
            kept.sort_by(|a, b| a.0.cmp(&b.0));
            for (_, value) in &mut kept {
                without_times(value);
            }
            fields.extend(kept);
        }
        Value::Array(items) => items.iter_mut().for_each(without_times),
        _ => {}
    }
}

/// Hashes, random suffixes and ids, numbered in the order in which they are first seen.
#[derive(Default)]
pub struct Names(Vec<String>);

impl Names {
    /// Returns the text with all of them replaced.
    pub fn replace(&mut self, text: &str) -> String {
        let mut replaced = String::new();
        let mut word = String::new();
        for c in without_uids(text).chars().chain(['\n']) {
            if c.is_ascii_alphanumeric() {
                word.push(c);
                continue;
            }
            replaced.push_str(&self.word(&word));
            word.clear();
            replaced.push(c);
        }
        replaced.trim_end().replace("lf-control-plane", "NODE").replace(NODE, "NODE")
    }

    fn word(&mut self, word: &str) -> String {
        let safe = |b: u8| b"bcdfghjklmnpqrstvwxz2456789".contains(&b);
        if !matches!(word.len(), 5..=10) || !word.bytes().all(safe) {
            return word.to_owned();
        }
        let known = self.0.iter().position(|name| name == word).unwrap_or_else(|| {
            self.0.push(word.to_owned());
            self.0.len() - 1
        });
        format!("#{known}")
    }
}

fn without_uids(text: &str) -> String {
    const LENGTH: usize = 36;
    let is_uid = |text: &str| {
        let parts: Vec<&str> = text.split('-').collect();
        let hex = text.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit());
        hex && parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12])
    };
    let mut kept = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let uid = rest.get(..LENGTH).is_some_and(is_uid);
        kept.push_str(if uid { "(uid)" } else { &rest[..first.len_utf8()] });
        rest = &rest[if uid { LENGTH } else { first.len_utf8() }..];
    }
    kept
}

/// Fails if the two differ, and shows the first difference.
pub fn assert_same(own: &[String], recorded: &[String], what: &str) {
    let same = own.iter().zip(recorded).take_while(|(own, recorded)| own == recorded).count();
    let rest = |all: &[String]| all[same.min(all.len())..].iter().take(4).cloned().collect::<Vec<_>>();
    let (here, there) = (rest(own), rest(recorded));
    assert!(
        here.is_empty() && there.is_empty(),
        "{what}: {same} equal, then here {here:#?} and on a real cluster {there:#?}"
    );
}

/// Returns the last changes, for a message.
pub fn tail(log: &[Change]) -> Vec<String> {
    let line = |change: &Change| {
        let name = change.object["metadata"]["name"].as_str().unwrap_or_default();
        format!("{:?} {} {name} {}", change.change, change.kind.kind, change.object["status"])
    };
    log.iter().rev().take(20).rev().map(line).collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
