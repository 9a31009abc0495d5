//! The strictest Pod Security level that all of a chart's pods satisfy.

use serde_json::Value;

use super::pods;
use resources::pod_security::violations;
use suite::PodSecurity;

/// The level, and what keeps the chart from the next stricter one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Level {
    pub level: PodSecurity,
    pub in_the_way: Option<String>,
}

/// Returns the strictest level that the pods of all objects satisfy, those of hooks and tests included.
pub fn strictest(objects: &[Value]) -> Level {
    let mut in_the_way = None;
    for level in [PodSecurity::Restricted, PodSecurity::Baseline] {
        match objects.iter().find_map(|object| violated(object, level)) {
            None => return Level { level, in_the_way },
            Some(why) => in_the_way = Some(why),
        }
    }
    Level { level: PodSecurity::Privileged, in_the_way }
}

fn violated(object: &Value, level: PodSecurity) -> Option<String> {
    let why = violations(level.label(), pods::spec(object)?)?;
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    Some(format!("{} of {}/{name}: {why}", level.label(), object["kind"].as_str().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(more: &Value) -> Value {
        let mut spec = json!({
            "securityContext": { "runAsNonRoot": true, "seccompProfile": { "type": "RuntimeDefault" } },
            "containers": [{ "name": "a", "securityContext": {
                "allowPrivilegeEscalation": false, "capabilities": { "drop": ["ALL"] },
            } }],
        });
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ "kind": "Pod", "metadata": { "name": "p" }, "spec": spec })
    }

    #[test]
    fn the_weakest_pod_decides() {
        let hardened = pod(&json!({}));
        assert_eq!(
            strictest(std::slice::from_ref(&hardened)),
            Level { level: PodSecurity::Restricted, in_the_way: None }
        );
        let root = pod(&json!({ "securityContext": {} }));
        let found = strictest(&[hardened.clone(), root]);
        assert_eq!(found.level, PodSecurity::Baseline);
        assert!(found.in_the_way.unwrap().starts_with("restricted of Pod/p: runAsNonRoot != true (pod or container"));
        let host = pod(&json!({ "hostNetwork": true }));
        let found = strictest(&[hardened, host]);
        assert_eq!(found.level, PodSecurity::Privileged);
        assert_eq!(found.in_the_way.unwrap(), "baseline of Pod/p: host namespaces (hostNetwork=true)");
    }

    #[test]
    fn a_chart_without_pods_is_restricted() {
        assert_eq!(strictest(&[json!({ "kind": "ConfigMap" })]).level, PodSecurity::Restricted);
    }
}
