//! Ephemeral containers: what `pods/ephemeralcontainers` may add to a running pod.

use serde_json::{Value, json};

use super::{Cause, names};
use crate::registry::value::{items, text};

/// The fields of a container that an ephemeral one may not have.
const FORBIDDEN: &[&str] =
    &["ports", "livenessProbe", "readinessProbe", "startupProbe", "lifecycle", "resources", "resizePolicy"];

/// Returns what is wrong with the ephemeral containers of a pod that replaces another.
pub fn changed(stored: &Value, pod: &Value) -> Vec<Cause> {
    const PATH: &str = "spec.ephemeralContainers";
    let (before, after) = (&stored["spec"], &pod["spec"]);
    let mut causes = Vec::new();
    for old in items(before, "ephemeralContainers") {
        let name = text(old, "name");
        match items(after, "ephemeralContainers").find(|new| text(new, "name") == name) {
            None => causes
                .push(Cause::forbidden(PATH, &format!("existing ephemeral containers {name:?} may not be removed"))),
            Some(new) if new != old => {
                causes.push(Cause::forbidden(
                    PATH,
                    &format!("existing ephemeral containers {name:?} may not be changed"),
                ));
            }
            Some(_) => {}
        }
    }
    let others = || ["containers", "initContainers"].into_iter().flat_map(|field| items(after, field));
    for (index, container) in items(after, "ephemeralContainers").enumerate() {
        let path = format!("{PATH}[{index}]");
        let earlier = items(after, "ephemeralContainers").take(index);
        let taken = earlier.chain(others()).any(|other| other["name"] == container["name"]);
        if taken {
            causes.push(Cause::duplicate(format!("{path}.name"), &container["name"]));
        }
        one(container, &path, &mut causes);
        let target = text(container, "targetContainerName");
        if !target.is_empty() && !others().any(|other| text(other, "name") == target) {
            causes.push(Cause::not_found(format!("{path}.targetContainerName"), &json!(target)));
        }
    }
    causes
}

fn one(container: &Value, path: &str, causes: &mut Vec<Cause>) {
    let name = text(container, "name");
    if name.is_empty() {
        causes.push(Cause::required(format!("{path}.name"), ""));
    } else {
        let field = format!("{path}.name");
        causes.extend(names::label(name).iter().map(|fault| Cause::bad(&field, &json!(name), fault)));
    }
    if text(container, "image").is_empty() {
        causes.push(Cause::required(format!("{path}.image"), ""));
    }
    let is_set = |value: &Value| match value {
        Value::Object(fields) => !fields.is_empty(),
        other => !other.is_null(),
    };
    for field in FORBIDDEN.iter().filter(|field| is_set(&container[**field])) {
        causes.push(Cause::forbidden(format!("{path}.{field}"), "cannot be set for an Ephemeral Container"));
    }
    for (index, mount) in items(container, "volumeMounts").enumerate() {
        for field in ["subPath", "subPathExpr"].into_iter().filter(|field| !text(mount, field).is_empty()) {
            let field = format!("{path}.volumeMounts[{index}].{field}");
            causes.push(Cause::forbidden(field, "cannot be set for an Ephemeral Container"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_are_only_added_and_only_simple_ones() {
        let pod =
            |ephemeral: Value| json!({"spec": {"containers": [{"name": "main"}], "ephemeralContainers": ephemeral}});
        let shown = |before: Value, after: Value| -> Vec<String> {
            let causes = changed(&pod(before), &pod(after));
            causes.iter().map(ToString::to_string).collect()
        };
        let (one, two) = (json!({"name": "one", "image": "i"}), json!({"name": "two", "image": "i", "resources": {}}));
        assert_eq!(shown(json!([one]), json!([one, two])), Vec::<String>::new());
        let removed = ["spec.ephemeralContainers: Forbidden: existing ephemeral containers \"one\" may not be removed"];
        assert_eq!(shown(json!([one]), json!([two])), removed);
        let changed = ["spec.ephemeralContainers: Forbidden: existing ephemeral containers \"one\" may not be changed"];
        assert_eq!(shown(json!([one]), json!([{"name": "one", "image": "other"}])), changed);
        let wrong = json!([{"name": "main", "targetContainerName": "nosuch", "ports": [{"containerPort": 1}]}]);
        let refused = [
            "spec.ephemeralContainers[0].name: Duplicate value: \"main\"",
            "spec.ephemeralContainers[0].image: Required value",
            "spec.ephemeralContainers[0].ports: Forbidden: cannot be set for an Ephemeral Container",
            "spec.ephemeralContainers[0].targetContainerName: Not found: \"nosuch\"",
        ];
        assert_eq!(shown(json!([]), wrong), refused);
    }
}
