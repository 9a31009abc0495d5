//! The compared form: a line of text for each state of each object, without ids, times and addresses.

use serde_json::Value;

/// The states of one object, or the events about it.
pub type Track = (String, String);

/// Returns the object and its state, or `None` if it is not compared.
pub fn state(seen: &Value) -> Option<(Track, String)> {
    match seen["kind"].as_str()? {
        "events" => event(seen),
        "pods" => Some((track(seen), pod(seen))),
        "persistentvolumeclaims" => Some((track(seen), claim(seen))),
        "endpointslices" => Some((track(seen), slice(seen))),
        _ => Some((track(seen), workload(seen))),
    }
}

fn track(seen: &Value) -> Track {
    (text(&seen["kind"]).to_owned(), text(&seen["metadata"]["name"]).to_owned())
}

/// Returns an event the first time; how often it repeats depends on timing.
fn event(seen: &Value) -> Option<(Track, String)> {
    let content = [text(&seen["type"]), text(&seen["reason"]), text(&seen["message"])].join(" ");
    let source = text(&seen["source"]).split('_').next().unwrap_or_default();
    // Two components do not wait for each other with their events.
    let track = ("events".to_owned(), format!("{} {source}", text(&seen["involved"])));
    (seen["event"] == "ADDED").then(|| (track, plain(&content)))
}

fn pod(seen: &Value) -> String {
    let status = &seen["status"];
    let mut line = vec![happened(seen), text(&status["phase"]).to_owned()];
    line.extend(status["qosClass"].as_str().map(ToOwned::to_owned));
    line.extend(status["observedGeneration"].as_i64().map(|generation| format!("observed={generation}")));
    line.extend(status["startTime"].as_str().map(|_| "started".to_owned()));
    line.extend(status["podIP"].as_str().map(|_| "ip".to_owned()));
    line.extend(items(&status["conditions"]).map(condition));
    for list in ["initContainerStatuses", "containerStatuses"] {
        line.extend(items(&status[list]).map(container));
    }
    plain(&line.join(" | "))
}

/// Returns how it was changed, and whether it is being deleted.
fn happened(seen: &Value) -> String {
    let metadata = &seen["metadata"];
    let grace = metadata["deletionGracePeriodSeconds"].as_i64();
    let deleting = grace.map(|grace| format!(" deleting({grace})")).unwrap_or_default();
    let node = seen["nodeName"].as_str().map(|_| " bound").unwrap_or_default();
    format!("{} generation={}{deleting}{node}", text(&seen["event"]), metadata["generation"])
}

fn condition(condition: &Value) -> String {
    let why = [text(&condition["reason"]), text(&condition["message"])].join(" ");
    let observed = condition["observedGeneration"].as_i64().map(|g| format!("/{g}")).unwrap_or_default();
    format!("{}={}{observed} {}", text(&condition["type"]), text(&condition["status"]), why.trim()).trim().to_owned()
}

fn container(status: &Value) -> String {
    let flag = |name: &'static str| if status[name] == true { name } else { "" };
    let line = [
        text(&status["name"]).to_owned(),
        container_state(&status["state"]),
        format!("last={}", container_state(&status["lastState"])),
        format!("restarts={}", status["restartCount"]),
        flag("ready").to_owned(),
        flag("started").to_owned(),
    ];
    line.join(" ").trim().to_owned()
}

fn container_state(state: &Value) -> String {
    let Some((name, state)) = state.as_object().and_then(|state| state.iter().next()) else { return "-".to_owned() };
    let code = state["exitCode"].as_i64().map(|code| format!("({code})")).unwrap_or_default();
    format!("{name}:{}{code}:{}", text(&state["reason"]), text(&state["message"]))
}

fn claim(seen: &Value) -> String {
    let volume = text(&seen["volumeName"]);
    plain(&format!("{} {} {volume}", text(&seen["event"]), text(&seen["status"]["phase"])))
}

fn slice(seen: &Value) -> String {
    let endpoint = |endpoint: &Value| {
        let conditions = &endpoint["conditions"];
        let flags = ["ready", "serving", "terminating"].map(|name| format!("{name}={}", conditions[name]));
        format!("{} {}", text(&endpoint["targetRef"]["name"]), flags.join(" "))
    };
    let mut endpoints: Vec<_> = items(&seen["endpoints"]).map(endpoint).collect();
    endpoints.sort();
    plain(&format!("{} [{}]", text(&seen["event"]), endpoints.join(", ")))
}

/// Returns the status of StatefulSets, Deployments, Jobs, budgets, without times and revisions.
fn workload(seen: &Value) -> String {
    let mut fields = Vec::new();
    for (name, value) in seen["status"].as_object().into_iter().flatten() {
        match name.as_str() {
            "conditions" => fields.extend(items(value).map(condition)),
            "currentRevision" | "updateRevision" | "startTime" | "completionTime" | "uncountedTerminatedPods" => {}
            _ => fields.push(format!("{name}={value}")),
        }
    }
    fields.sort();
    plain(&format!("{} generation={} {}", text(&seen["event"]), seen["metadata"]["generation"], fields.join(" ")))
}

fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Returns the text without parts that are different in every run.
pub fn plain(text: &str) -> String {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        plain.push_str(&word(&rest[..end]));
        let next = rest[end..].find(is_word).map_or(rest.len(), |at| end + at);
        plain.push_str(&rest[end..next]);
        rest = &rest[next..];
    }
    plain
}

/// Replaces addresses, UIDs, generated names and the node's name in one word.
fn word(word: &str) -> String {
    if word.split('.').count() == 4 && word.split('.').all(|part| part.parse::<u8>().is_ok()) {
        return "IP".to_owned();
    }
    if matches!(word, "lf-control-plane" | "chartproof-control-plane") {
        return "NODE".to_owned();
    }
    if let Some(at) = uid_at(word) {
        return format!("{}UID", &word[..at]);
    }
    let parts = word.split('-').enumerate();
    parts.map(|(n, part)| if n > 0 && is_generated(part) { "*" } else { part }).collect::<Vec<_>>().join("-")
}

fn uid_at(word: &str) -> Option<usize> {
    let at = word.len().checked_sub(36)?;
    let groups: Vec<_> = word.get(at..)?.split('-').map(str::len).collect();
    (groups == [8, 4, 4, 4, 12]).then_some(at)
}

/// Returns whether part of a name has the alphabet and the length of Kubernetes' generated names.
fn is_generated(part: &str) -> bool {
    let is_safe = |c: char| "bcdfghjklmnpqrstvwxz2456789".contains(c);
    matches!(part.len(), 5 | 8..=10) && part.chars().all(is_safe)
}
