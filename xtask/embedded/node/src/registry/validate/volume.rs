//! Volumes of a pod.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Cause, names};
use crate::registry::value::{items, text};

/// Checks the volumes of a pod and returns their names, including claims used as devices.
pub fn volumes(spec: &Value, path: &str, causes: &mut Vec<Cause>) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    for (index, volume) in items(spec, "volumes").enumerate() {
        let path = format!("{path}[{index}]");
        let name = text(volume, "name");
        if name.is_empty() {
            causes.push(Cause::required(format!("{path}.name"), ""));
        } else {
            let faults = names::label(name);
            causes.extend(faults.iter().map(|fault| Cause::bad(format!("{path}.name"), &json!(name), fault)));
        }
        if !name.is_empty() && !seen.insert(name.to_owned()) {
            causes.push(Cause::duplicate(format!("{path}.name"), &json!(name)));
        }
        source(volume, &path, causes);
    }
    seen
}

fn source(volume: &Value, path: &str, causes: &mut Vec<Cause>) {
    let sources = volume.as_object().into_iter().flatten().filter(|(field, _)| *field != "name");
    for (field, _) in sources.skip(1) {
        causes.push(Cause::forbidden(format!("{path}.{field}"), "may not specify more than 1 volume type"));
    }
    let required = |field: &str, key: &str, causes: &mut Vec<Cause>| {
        if volume[field].is_object() && text(&volume[field], key).is_empty() {
            causes.push(Cause::required(format!("{path}.{field}.{key}"), ""));
        }
    };
    required("persistentVolumeClaim", "claimName", causes);
    required("secret", "secretName", causes);
    required("configMap", "name", causes);
    for field in ["secret", "configMap", "downwardAPI", "projected"] {
        if volume[field]["defaultMode"].as_i64().is_some_and(|mode| !(0..=0o777).contains(&mode)) {
            let why = "must be a number between 0 and 0777 (octal), both inclusive";
            causes.push(Cause::bad(format!("{path}.{field}.defaultMode"), &volume[field]["defaultMode"], why));
        }
    }
    files(volume, path, causes);
    for (index, source) in items(&volume["projected"], "sources").enumerate() {
        let path = format!("{path}.projected.sources[{index}]");
        files(source, &path, causes);
        if source["serviceAccountToken"].is_object() {
            file(&source["serviceAccountToken"], &format!("{path}.serviceAccountToken"), causes);
        }
    }
}

/// Checks the files that a volume, or a source of a projected one, selects.
fn files(volume: &Value, path: &str, causes: &mut Vec<Cause>) {
    for field in ["secret", "configMap", "downwardAPI"] {
        for (index, item) in items(&volume[field], "items").enumerate() {
            let path = format!("{path}.{field}.items[{index}]");
            if field != "downwardAPI" && text(item, "key").is_empty() {
                causes.push(Cause::required(format!("{path}.key"), ""));
            }
            file(item, &path, causes);
        }
    }
}

fn file(item: &Value, path: &str, causes: &mut Vec<Cause>) {
    let (name, path) = (text(item, "path"), format!("{path}.path"));
    if name.is_empty() {
        causes.push(Cause::required(&path, ""));
    }
    causes.extend(names::volume_file(name).iter().map(|fault| Cause::bad(&path, &json!(name), fault)));
}
