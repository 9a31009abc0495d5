//! Fields that would change what the controllers do and that they can't honour: the API refuses them.

use serde_json::Value;

use crate::kinds::Kind;

/// Fields that are refused wherever they are set.
const FIELDS: &[(&str, &[&str])] = &[
    ("Job", &["/spec/podFailurePolicy", "/spec/successPolicy", "/spec/backoffLimitPerIndex", "/spec/maxFailedIndexes"]),
    ("PersistentVolumeClaim", &["/spec/dataSource", "/spec/dataSourceRef", "/spec/volumeAttributesClassName"]),
];

/// Fields that are refused with any other value than this.
const VALUES: &[(&str, &str, &str)] = &[
    ("Job", "/spec/completionMode", "NonIndexed"),
    ("Job", "/spec/managedBy", "kubernetes.io/job-controller"),
    ("Job", "/spec/podReplacementPolicy", "TerminatingOrFailed"),
];

/// The paths of the fields of an object that are refused, as errors write them; `pod` is the pointer
/// to the spec of its pods, if it has any.
pub fn fields(kind: &Kind, object: &Value, pod: Option<&str>) -> Vec<String> {
    let is_set = |pointer: &str| object.pointer(pointer).is_some_and(|value| !value.is_null());
    let of_kind = FIELDS.iter().filter(|(of, _)| *of == kind.kind).flat_map(|(_, pointers)| *pointers);
    let mut found: Vec<String> = of_kind.filter(|pointer| is_set(pointer)).map(|pointer| path(pointer)).collect();
    let other = |pointer: &str, fine: &str| object.pointer(pointer).and_then(Value::as_str).is_some_and(|v| v != fine);
    let values = VALUES.iter().filter(|(of, pointer, fine)| *of == kind.kind && other(pointer, fine));
    found.extend(values.map(|(_, pointer, _)| path(pointer)));
    if kind.kind == "Job" && object["spec"]["manualSelector"] == true {
        found.push("spec.manualSelector".to_owned());
    }
    if kind.kind == "Service" {
        found.extend(sctp_ports(object));
    }
    found.extend(pod.into_iter().flat_map(|pointer| affinity_terms(object, pointer)));
    found
}

fn path(pointer: &str) -> String {
    pointer.trim_start_matches('/').replace('/', ".")
}

/// The service proxy carries TCP and UDP; a service without an address has no need of it.
fn sctp_ports(service: &Value) -> impl Iterator<Item = String> {
    let headless = service["spec"]["clusterIP"] == "None";
    let ports = service["spec"]["ports"].as_array().into_iter().flatten().enumerate();
    let sctp = ports.filter(move |(_, port)| !headless && port["protocol"] == "SCTP");
    sctp.map(|(index, _)| format!("spec.ports[{index}].protocol"))
}

/// What the scheduler does not look at in required (anti-)affinity between pods.
fn affinity_terms(object: &Value, pod: &str) -> Vec<String> {
    let mut found = Vec::new();
    for kind in ["podAffinity", "podAntiAffinity"] {
        let terms = format!("{pod}/affinity/{kind}/requiredDuringSchedulingIgnoredDuringExecution");
        let list = object.pointer(&terms).and_then(Value::as_array);
        for (index, term) in list.into_iter().flatten().enumerate() {
            let selector = &term["namespaceSelector"];
            let partial = selector.as_object().is_some_and(|selector| !selector.is_empty());
            let keys = ["matchLabelKeys", "mismatchLabelKeys"].into_iter().filter(|key| term[*key].is_array());
            let fields = keys.chain(partial.then_some("namespaceSelector"));
            found.extend(fields.map(|field| format!("{}[{index}].{field}", path(&terms))));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::client::Client;
    use crate::controllers::bootstrap;
    use crate::kinds::KINDS;
    use crate::registry::{Registry, Writer};

    #[track_caller]
    fn check(kind: &str, spec: &Value, expected: &[&str]) {
        let kind = KINDS.iter().find(|row| row.kind == kind).unwrap();
        let pod = (kind.kind == "Pod").then_some("/spec");
        assert_eq!(fields(kind, &json!({"spec": spec}), pod), expected);
    }

    #[test]
    fn what_changes_behaviour_is_refused() {
        check("Job", &json!({"completions": 2, "completionMode": "NonIndexed"}), &[]);
        check("Job", &json!({"completionMode": "Indexed"}), &["spec.completionMode"]);
        check("Job", &json!({"podFailurePolicy": {}, "managedBy": "me"}), &["spec.podFailurePolicy", "spec.managedBy"]);
        check("Job", &json!({"manualSelector": true}), &["spec.manualSelector"]);
        check("PersistentVolumeClaim", &json!({"dataSource": {"name": "other"}}), &["spec.dataSource"]);
        let ports = json!([{"port": 1}, {"port": 2, "protocol": "SCTP"}]);
        check("Service", &json!({"ports": ports}), &["spec.ports[1].protocol"]);
        check("Service", &json!({"ports": ports, "clusterIP": "None"}), &[]);
    }

    #[test]
    fn affinity_between_pods_is_refused_where_it_is_not_understood() {
        let anti = |term: Value| json!({"affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}});
        check("Pod", &anti(json!({"topologyKey": "k", "labelSelector": {}, "namespaceSelector": {}})), &[]);
        let path = "spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0]";
        let field = format!("{path}.matchLabelKeys");
        check("Pod", &anti(json!({"matchLabelKeys": ["a"]})), &[&field]);
        let field = format!("{path}.namespaceSelector");
        check("Pod", &anti(json!({"namespaceSelector": {"matchLabels": {"a": "b"}}})), &[&field]);
    }

    #[test]
    fn the_api_says_no() {
        let job = json!({"metadata": {"name": "j", "namespace": "default"}, "spec": {
            "completionMode": "Indexed", "completions": 1,
            "template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "one"}]}},
        }});
        let registry = Registry::new();
        bootstrap::run(&Client::new(registry.clone())).unwrap();
        let writer = Writer { manager: Some("kubectl".to_owned()), ..Writer::default() };
        let kind = KINDS.iter().find(|row| row.kind == "Job").unwrap();
        let refused = registry.create_as(&writer, kind, job).unwrap_err();
        assert_eq!(refused.code, 422);
        assert!(refused.message.contains("spec.completionMode"), "{}", refused.message);
    }
}
