//! Fields of pods that this cluster can't honour. One that would change behaviour is refused; one
//! that can't matter on one node is accepted and reported.

use serde_json::Value;

use super::Cause;
use crate::controllers;
use crate::kinds::Kind;
use crate::registry::value::{items, text};

const WHY: &str = "not supported by the embedded cluster";

/// Volumes that the node can make.
const VOLUMES: &[&str] = &["emptyDir", "configMap", "secret", "persistentVolumeClaim", "downwardAPI", "projected"];

/// Flags of a pod that would change behaviour.
const POD_FLAGS: &[&str] = &["hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"];
/// Fields of a pod that would change behaviour.
const POD_FIELDS: &[&str] =
    &["ephemeralContainers", "resourceClaims", "runtimeClassName", "overhead", "schedulingGroup"];
/// Fields of a pod that can't matter on one node.
const POD_INERT: &[&str] = &["topologySpreadConstraints", "priorityClassName"];

/// Where the spec of an object's pods is, if it has any.
pub fn pod_spec(kind: &Kind) -> Option<&'static str> {
    match kind.kind {
        "Pod" => Some("/spec"),
        "StatefulSet" | "Deployment" | "ReplicaSet" | "Job" => Some("/spec/template/spec"),
        "CronJob" => Some("/spec/jobTemplate/spec/template/spec"),
        _ => None,
    }
}

/// The fields of an object that are refused.
pub fn refused(kind: &Kind, object: &Value) -> Vec<Cause> {
    let own = controllers::refused::fields(kind, object, pod_spec(kind));
    let mut causes: Vec<Cause> = own.into_iter().map(|path| Cause::forbidden(path, WHY)).collect();
    let Some((pointer, spec)) = pod_spec(kind).and_then(|pointer| Some((pointer, object.pointer(pointer)?))) else {
        return causes;
    };
    let mut fields = Vec::new();
    of_pod(spec, &mut fields);
    let path = pointer[1..].replace('/', ".");
    causes.extend(fields.into_iter().map(|field| Cause::forbidden(format!("{path}.{field}"), WHY)));
    causes
}

fn of_pod(spec: &Value, fields: &mut Vec<String>) {
    let is_set = |field: &str| spec.get(field).is_some_and(|value| !value.is_null());
    fields.extend(POD_FLAGS.iter().filter(|field| spec[**field] == true).map(ToString::to_string));
    fields.extend(POD_FIELDS.iter().filter(|field| is_set(field)).map(ToString::to_string));
    if spec["hostUsers"] == false {
        fields.push("hostUsers".to_owned());
    }
    if text(&spec["os"], "name") == "windows" {
        fields.push("os.name".to_owned());
    }
    of_security(&spec["securityContext"], "securityContext", fields);
    for (index, volume) in items(spec, "volumes").enumerate() {
        of_volume(volume, &format!("volumes[{index}]"), fields);
    }
    for list in ["initContainers", "containers"] {
        for (index, container) in items(spec, list).enumerate() {
            of_container(container, &format!("{list}[{index}]"), fields);
        }
    }
}

fn of_volume(volume: &Value, path: &str, fields: &mut Vec<String>) {
    let sources = volume.as_object().into_iter().flatten().map(|(field, _)| field);
    let other = sources.filter(|field| *field != "name" && !VOLUMES.contains(&field.as_str()));
    fields.extend(other.map(|field| format!("{path}.{field}")));
    for (index, source) in items(&volume["projected"], "sources").enumerate() {
        for field in ["clusterTrustBundle", "podCertificate"] {
            if source[field].is_object() {
                fields.push(format!("{path}.projected.sources[{index}].{field}"));
            }
        }
    }
}

fn of_container(container: &Value, path: &str, fields: &mut Vec<String>) {
    for field in ["tty", "stdin", "stdinOnce"] {
        if container[field] == true {
            fields.push(format!("{path}.{field}"));
        }
    }
    for field in ["volumeDevices", "restartPolicyRules"] {
        if container.get(field).is_some_and(|value| !value.is_null()) {
            fields.push(format!("{path}.{field}"));
        }
    }
    // An init container that is always restarted is a sidecar, which the node can run.
    let policy = text(container, "restartPolicy");
    let is_sidecar = policy == "Always" && path.starts_with("initContainers");
    if !policy.is_empty() && !is_sidecar {
        fields.push(format!("{path}.restartPolicy"));
    }
    if !text(&container["lifecycle"], "stopSignal").is_empty() {
        fields.push(format!("{path}.lifecycle.stopSignal"));
    }
    for (index, port) in items(container, "ports").enumerate() {
        if port["hostPort"].as_i64().is_some_and(|port| port != 0) {
            fields.push(format!("{path}.ports[{index}].hostPort"));
        }
    }
    for (index, mount) in items(container, "volumeMounts").enumerate() {
        if !matches!(text(mount, "mountPropagation"), "" | "None") {
            fields.push(format!("{path}.volumeMounts[{index}].mountPropagation"));
        }
    }
    for (index, variable) in items(container, "env").enumerate() {
        if variable["valueFrom"]["fileKeyRef"].is_object() {
            fields.push(format!("{path}.env[{index}].valueFrom.fileKeyRef"));
        }
    }
    of_security(&container["securityContext"], &format!("{path}.securityContext"), fields);
}

fn of_security(context: &Value, path: &str, fields: &mut Vec<String>) {
    if context["privileged"] == true {
        fields.push(format!("{path}.privileged"));
    }
    if items(context, "sysctls").next().is_some() {
        fields.push(format!("{path}.sysctls"));
    }
    for (field, harmless) in [("procMount", "Default"), ("supplementalGroupsPolicy", "Merge")] {
        if !matches!(text(context, field), "") && text(context, field) != harmless {
            fields.push(format!("{path}.{field}"));
        }
    }
    for field in ["seccompProfile", "appArmorProfile"] {
        if text(&context[field], "type") == "Localhost" {
            fields.push(format!("{path}.{field}.localhostProfile"));
        }
    }
    if context["windowsOptions"].is_object() {
        fields.push(format!("{path}.windowsOptions"));
    }
}

/// The fields of an object that are accepted and make no difference here.
pub fn ignored(kind: &Kind, object: &Value) -> Vec<String> {
    if kind.kind == "Service" {
        let is_outward = matches!(text(&object["spec"], "type"), "NodePort" | "LoadBalancer");
        return is_outward.then(|| "spec.type".to_owned()).into_iter().collect();
    }
    let Some((pointer, spec)) = pod_spec(kind).and_then(|pointer| Some((pointer, object.pointer(pointer)?))) else {
        return Vec::new();
    };
    let path = pointer[1..].replace('/', ".");
    let is_set = |value: &Value| !value.is_null() && value.as_str() != Some("");
    let mut fields: Vec<String> =
        POD_INERT.iter().filter(|field| is_set(&spec[**field])).map(|field| format!("{path}.{field}")).collect();
    let mut of_context = |context: &Value, at: &str| {
        for field in ["seccompProfile", "appArmorProfile", "seLinuxOptions"] {
            if context[field].is_object() {
                fields.push(format!("{path}.{at}securityContext.{field}"));
            }
        }
    };
    of_context(&spec["securityContext"], "");
    for list in ["initContainers", "containers"] {
        for (index, container) in items(spec, list).enumerate() {
            of_context(&container["securityContext"], &format!("{list}[{index}]."));
        }
    }
    for list in ["initContainers", "containers"] {
        for (index, container) in items(spec, list).enumerate() {
            for limit in ["cpu", "ephemeral-storage"] {
                if is_set(&container["resources"]["limits"][limit]) {
                    fields.push(format!("{path}.{list}[{index}].resources.limits.{limit}"));
                }
            }
        }
    }
    fields
}
