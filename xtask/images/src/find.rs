//! Finds the images in rendered manifests.

use std::collections::BTreeSet;

use serde_json::Value;

/// The lists of containers in a pod specification.
const LISTS: [&str; 3] = ["initContainers", "containers", "ephemeralContainers"];

/// Returns all images of all pods, wherever a manifest contains a pod specification: a pod, a template, the job template
/// of a cron job, a hook.
pub fn in_manifests<'a>(manifests: impl IntoIterator<Item = &'a Value>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for manifest in manifests {
        walk(manifest, &mut found);
    }
    found
}

/// Returns the images of a workload's containers, with the containers' names.
pub fn of_containers(workload: &Value) -> Vec<(&str, &str)> {
    let containers = workload.pointer("/spec/template/spec/containers").and_then(Value::as_array);
    let containers = containers.into_iter().flatten();
    let named = containers.map(|one| Some((one["name"].as_str()?, one["image"].as_str().unwrap_or_default())));
    named.flatten().collect()
}

fn walk(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                if LISTS.contains(&name.as_str()) {
                    let containers = field.as_array().into_iter().flatten();
                    found.extend(containers.filter_map(|container| container["image"].as_str()).map(str::to_owned));
                } else {
                    walk(field, found);
                }
                images_of_volumes(name, field, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| walk(item, found)),
        _ => {}
    }
}

/// Adds the images of image volumes.
fn images_of_volumes(name: &str, field: &Value, found: &mut BTreeSet<String>) {
    if name == "volumes" {
        let volumes = field.as_array().into_iter().flatten();
        found.extend(volumes.filter_map(|volume| volume["image"]["reference"].as_str()).map(str::to_owned));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn pod_specifications_are_found_everywhere() {
        let pod = json!({"initContainers": [{"image": "init:1"}], "containers": [{"image": "main:1"}]});
        let manifests = [
            json!({"kind": "StatefulSet", "spec": {"template": {"spec": pod}}}),
            json!({"kind": "Pod", "spec": {"containers": [{"image": "test:1"}, {"image": "main:1"}]}}),
            json!({"kind": "CronJob", "spec": {"jobTemplate": {"spec": {"template": {"spec": {
                "containers": [{"image": "cron:1"}], "volumes": [{"image": {"reference": "data:1"}}, {"emptyDir": {}}],
            }}}}}}),
            json!({"kind": "ConfigMap", "data": {"image": "not:this"}}),
        ];
        let found: Vec<_> = in_manifests(&manifests).into_iter().collect();
        assert_eq!(found, ["cron:1", "data:1", "init:1", "main:1", "test:1"]);
    }
}
