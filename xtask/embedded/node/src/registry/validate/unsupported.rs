//! Fields that this cluster does not support. A field that would change behaviour is rejected; a field that has no
//! effect on a single node is accepted and reported. `docs/embedded.md` has a row for each, which `tests/contract.rs`
//! checks.

use serde_json::Value;

use super::Cause;
use crate::kinds::Kind;
use crate::registry::schema;

const WHY: &str = "not supported by the embedded cluster";

/// Volume types that the node supports.
const VOLUMES: &[&str] = &["emptyDir", "configMap", "secret", "persistentVolumeClaim", "downwardAPI", "projected"];

/// The values of a field that a row applies to.
#[derive(Debug, Clone, Copy)]
pub enum AffectedValues {
    /// Any value that is neither null, false, zero nor empty.
    Set,
    /// False.
    False,
    /// This text.
    Is(&'static str),
    /// Any text but this one.
    OtherThan(&'static str),
}

impl AffectedValues {
    fn holds(self, value: &Value) -> bool {
        let word = value.as_str().filter(|word| !word.is_empty());
        match self {
            Self::Set => match value {
                Value::Null | Value::Bool(false) => false,
                Value::Number(number) => number.as_f64() != Some(0.0),
                Value::Array(items) => !items.is_empty(),
                Value::String(text) => !text.is_empty(),
                Value::Object(fields) => !fields.is_empty(),
                Value::Bool(true) => true,
            },
            Self::False => *value == Value::Bool(false),
            Self::Is(meant) => word == Some(meant),
            Self::OtherThan(fine) => word.is_some_and(|word| word != fine),
        }
    }
}

/// A field's path, with `[]` for each element of a list and `*[]` for each container, including init and ephemeral containers; and
/// the values that the row applies to.
type Row = (&'static str, AffectedValues);

/// Fields of a pod's spec that would change behaviour; besides them, every volume type that is not in [`VOLUMES`].
const POD_REFUSED: &[Row] = &[
    ("hostNetwork", AffectedValues::Set),
    ("hostPID", AffectedValues::Set),
    ("hostIPC", AffectedValues::Set),
    ("hostUsers", AffectedValues::False),
    ("hostnameOverride", AffectedValues::Set),
    ("shareProcessNamespace", AffectedValues::Set),
    ("runtimeClassName", AffectedValues::Set),
    ("resourceClaims", AffectedValues::Set),
    ("resources", AffectedValues::Set),
    ("overhead", AffectedValues::Set),
    ("schedulingGroup", AffectedValues::Set),
    ("os.name", AffectedValues::Is("windows")),
    ("topologySpreadConstraints[].minDomains", AffectedValues::Set),
    ("affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[].matchLabelKeys", AffectedValues::Set),
    ("affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[].mismatchLabelKeys", AffectedValues::Set),
    (
        "affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[].namespaceSelector.matchLabels",
        AffectedValues::Set,
    ),
    (
        "affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[].namespaceSelector.matchExpressions",
        AffectedValues::Set,
    ),
    ("affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[].matchLabelKeys", AffectedValues::Set),
    (
        "affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[].mismatchLabelKeys",
        AffectedValues::Set,
    ),
    (
        "affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[].namespaceSelector.matchLabels",
        AffectedValues::Set,
    ),
    (
        "affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[].namespaceSelector.matchExpressions",
        AffectedValues::Set,
    ),
    ("securityContext.sysctls", AffectedValues::Set),
    ("securityContext.supplementalGroupsPolicy", AffectedValues::OtherThan("Merge")),
    ("securityContext.windowsOptions", AffectedValues::Set),
    ("securityContext.seccompProfile.localhostProfile", AffectedValues::Set),
    ("securityContext.appArmorProfile.localhostProfile", AffectedValues::Set),
    ("volumes[].emptyDir.medium", AffectedValues::OtherThan("Memory")),
    ("volumes[].projected.sources[].clusterTrustBundle", AffectedValues::Set),
    ("volumes[].projected.sources[].podCertificate", AffectedValues::Set),
    // An init container that is always restarted is a sidecar, which the node supports.
    ("containers[].restartPolicy", AffectedValues::Set),
    ("initContainers[].restartPolicy", AffectedValues::OtherThan("Always")),
    ("*[].volumeDevices", AffectedValues::Set),
    ("*[].restartPolicyRules", AffectedValues::Set),
    ("*[].resources.claims", AffectedValues::Set),
    ("*[].livenessProbe.grpc", AffectedValues::Set),
    ("*[].readinessProbe.grpc", AffectedValues::Set),
    ("*[].startupProbe.grpc", AffectedValues::Set),
    ("*[].lifecycle.stopSignal", AffectedValues::Set),
    ("*[].ports[].hostPort", AffectedValues::Set),
    ("*[].volumeMounts[].mountPropagation", AffectedValues::OtherThan("None")),
    ("*[].env[].valueFrom.fileKeyRef", AffectedValues::Set),
    ("*[].securityContext.privileged", AffectedValues::Set),
    ("*[].securityContext.procMount", AffectedValues::OtherThan("Default")),
    ("*[].securityContext.windowsOptions", AffectedValues::Set),
    ("*[].securityContext.seccompProfile.localhostProfile", AffectedValues::Set),
    ("*[].securityContext.appArmorProfile.localhostProfile", AffectedValues::Set),
];

/// Fields of other kinds that would change behaviour.
const REFUSED: &[(&str, Row)] = &[
    ("Job", ("spec.podFailurePolicy", AffectedValues::Set)),
    ("Job", ("spec.successPolicy", AffectedValues::Set)),
    ("Job", ("spec.backoffLimitPerIndex", AffectedValues::Set)),
    ("Job", ("spec.maxFailedIndexes", AffectedValues::Set)),
    ("Job", ("spec.manualSelector", AffectedValues::Set)),
    ("Job", ("spec.completionMode", AffectedValues::OtherThan("NonIndexed"))),
    ("Job", ("spec.managedBy", AffectedValues::OtherThan("kubernetes.io/job-controller"))),
    ("Job", ("spec.podReplacementPolicy", AffectedValues::OtherThan("TerminatingOrFailed"))),
    ("Service", ("spec.externalIPs", AffectedValues::Set)),
    ("Service", ("spec.ipFamilies[]", AffectedValues::Is("IPv6"))),
    ("Service", ("spec.ports[].protocol", AffectedValues::Is("SCTP"))),
    ("PersistentVolumeClaim", ("spec.dataSource", AffectedValues::Set)),
    ("PersistentVolumeClaim", ("spec.dataSourceRef", AffectedValues::Set)),
    ("PersistentVolumeClaim", ("spec.volumeAttributesClassName", AffectedValues::Set)),
    ("ResourceQuota", ("spec.scopes", AffectedValues::Set)),
    ("ResourceQuota", ("spec.scopeSelector", AffectedValues::Set)),
];

/// Fields of a pod's spec that have no effect on a single node.
const POD_IGNORED: &[Row] = &[
    ("topologySpreadConstraints", AffectedValues::Set),
    ("priorityClassName", AffectedValues::Set),
    ("securityContext.appArmorProfile", AffectedValues::Set),
    ("securityContext.seLinuxOptions", AffectedValues::Set),
    ("securityContext.seLinuxChangePolicy", AffectedValues::Set),
    ("securityContext.fsGroupChangePolicy", AffectedValues::Set),
    ("*[].securityContext.appArmorProfile", AffectedValues::Set),
    ("*[].securityContext.seLinuxOptions", AffectedValues::Set),
    ("*[].resources.limits.cpu", AffectedValues::Set),
    ("*[].resources.limits.ephemeral-storage", AffectedValues::Set),
    ("*[].resizePolicy", AffectedValues::Set),
];

/// Returns where an object has the spec of its pods, if it has pods.
pub fn pod_spec(kind: &Kind) -> Option<&'static str> {
    match kind.built_in() {
        "Pod" => Some("/spec"),
        "StatefulSet" | "Deployment" | "ReplicaSet" | "DaemonSet" | "Job" => Some("/spec/template/spec"),
        "CronJob" => Some("/spec/jobTemplate/spec/template/spec"),
        _ => None,
    }
}

/// Returns the fields of an object that are rejected.
pub fn refused(kind: &Kind, object: &Value) -> Vec<Cause> {
    let own = REFUSED.iter().filter(|(of, _)| *of == kind.built_in()).flat_map(|(_, row)| found(object, row));
    let of_pod = of_pod(kind, object, |spec| {
        let volumes = other_volumes().flat_map(|path| places(spec, &path));
        let volumes = volumes.filter(|(_, volume)| !volume.is_null()).map(|(path, _)| path);
        volumes.chain(POD_REFUSED.iter().flat_map(|row| found(spec, row))).collect()
    });
    own.chain(of_pod).map(|path| Cause::forbidden(path, WHY)).collect()
}

/// Returns the fields of an object that are accepted but have no effect here.
pub fn ignored(kind: &Kind, object: &Value) -> Vec<String> {
    if kind.built_in() == "Service" {
        let outward = ["NodePort", "LoadBalancer"].map(|sort| ("spec.type", AffectedValues::Is(sort)));
        return outward.iter().flat_map(|row| found(object, row)).collect();
    }
    of_pod(kind, object, |spec| {
        let limits = places(spec, "volumes[].emptyDir").into_iter();
        // In memory, the size limit is enforced.
        let on_disk = limits.filter(|(_, volume)| volume["medium"] != "Memory" && volume["sizeLimit"].is_string());
        let on_disk = on_disk.map(|(path, _)| format!("{path}.sizeLimit"));
        POD_IGNORED.iter().flat_map(|row| found(spec, row)).chain(on_disk).collect()
    })
}

/// Returns every path that is rejected: in a pod's spec, and in other kinds.
pub fn refused_paths() -> (Vec<String>, Vec<(&'static str, &'static str)>) {
    let of_pod = POD_REFUSED.iter().map(|(path, _)| (*path).to_owned()).chain(other_volumes());
    (of_pod.collect(), REFUSED.iter().map(|(kind, (path, _))| (*kind, *path)).collect())
}

/// Returns every path in a pod's spec that is accepted without effect.
pub fn ignored_paths() -> Vec<&'static str> {
    POD_IGNORED.iter().map(|(path, _)| *path).chain(["volumes[].emptyDir.sizeLimit"]).collect()
}

/// Returns `volumes[].hostPath` and all other unsupported volume types.
fn other_volumes() -> impl Iterator<Item = String> {
    let sorts = schema::message("Volume").into_iter().flat_map(|volume| volume.fields.keys());
    let other = sorts.filter(|sort| **sort != "name" && !VOLUMES.contains(sort));
    other.map(|sort| format!("volumes[].{sort}"))
}

/// Returns the paths that `look` finds in the spec of an object's pods, relative to the object.
fn of_pod(kind: &Kind, object: &Value, look: impl Fn(&Value) -> Vec<String>) -> Vec<String> {
    let Some((pointer, spec)) = pod_spec(kind).and_then(|pointer| Some((pointer, object.pointer(pointer)?))) else {
        return Vec::new();
    };
    let path = pointer[1..].replace('/', ".");
    look(spec).into_iter().map(|field| format!("{path}.{field}")).collect()
}

fn found(object: &Value, (path, when): &Row) -> Vec<String> {
    let places = places(object, path).into_iter();
    places.filter(|(_, value)| when.holds(value)).map(|(path, _)| path).collect()
}

/// Returns the values at a path, each with its actual path.
fn places<'a>(object: &'a Value, path: &str) -> Vec<(String, &'a Value)> {
    if let Some(rest) = path.strip_prefix('*') {
        return ["initContainers", "containers", "ephemeralContainers"]
            .iter()
            .flat_map(|list| places(object, &format!("{list}{rest}")))
            .collect();
    }
    let mut places = vec![(String::new(), object)];
    for step in path.split('.') {
        places = places.into_iter().flat_map(|(path, value)| enter(&path, value, step)).collect();
    }
    places
}

fn enter<'a>(path: &str, value: &'a Value, step: &str) -> Vec<(String, &'a Value)> {
    let (name, is_list) = step.strip_suffix("[]").map_or((step, false), |name| (name, true));
    let Some(value) = value.get(name) else { return Vec::new() };
    let path = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    if !is_list {
        return vec![(path, value)];
    }
    let items = value.as_array().into_iter().flatten().enumerate();
    items.map(|(index, item)| (format!("{path}[{index}]"), item)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kinds::KINDS;

    #[track_caller]
    fn check(kind: &str, spec: &Value, expected: &[&str]) {
        let kind = KINDS.iter().find(|row| row.kind == kind).unwrap();
        let fields: Vec<String> = refused(kind, &json!({"spec": spec})).into_iter().map(|cause| cause.field).collect();
        assert_eq!(fields, expected);
    }

    #[test]
    fn an_unset_field_is_not_rejected() {
        let container = json!({"tty": false, "ports": [{"hostPort": 0}], "securityContext": {"procMount": "Default"}});
        let sidecar = json!({"restartPolicy": "Always"});
        let spec = json!({"hostNetwork": false, "hostUsers": true, "os": {"name": "linux"}, "ephemeralContainers": [],
            "containers": [container], "initContainers": [sidecar], "volumes": [{"emptyDir": {"medium": "Memory"}}]});
        check("Pod", &spec, &[]);
        check("Job", &json!({"completions": 2, "completionMode": "NonIndexed"}), &[]);
    }

    #[test]
    fn every_occurrence_is_named() {
        let devices = json!([{"name": "a", "devicePath": "/dev/a"}]);
        let env = json!([{"name": "A"}, {"valueFrom": {"fileKeyRef": {"key": "a"}}}]);
        let container = json!({"volumeDevices": devices, "env": env});
        let init = json!({"volumeDevices": devices});
        let spec = json!({"containers": [container], "initContainers": [init], "volumes": [{"nfs": {}}]});
        let expected = [
            "spec.volumes[0].nfs",
            "spec.initContainers[0].volumeDevices",
            "spec.containers[0].volumeDevices",
            "spec.containers[0].env[1].valueFrom.fileKeyRef",
        ];
        check("Pod", &spec, &expected);
        let template = json!({"template": {"spec": {"hostPID": true}}, "podFailurePolicy": {"rules": []}});
        check("Job", &template, &["spec.podFailurePolicy", "spec.template.spec.hostPID"]);
        check("Service", &json!({"ports": [{}, {"protocol": "SCTP"}]}), &["spec.ports[1].protocol"]);
    }

    #[test]
    fn a_size_limit_is_reported_if_it_is_not_enforced() {
        let pod = KINDS.iter().find(|row| row.kind == "Pod").unwrap();
        let volume = |medium: &str| json!({"emptyDir": {"medium": medium, "sizeLimit": "1Mi"}});
        let object = json!({"spec": {"volumes": [volume("Memory"), volume("")]}});
        assert_eq!(ignored(pod, &object), ["spec.volumes[1].emptyDir.sizeLimit"]);
    }
}
