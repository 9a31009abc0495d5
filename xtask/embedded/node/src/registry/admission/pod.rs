//! What admission adds to a pod: service account and its token, priority, tolerations.

use serde_json::{Value, json};

use crate::kinds;
use crate::registry::value::{fill, is_missing, items, items_mut, text};
use crate::registry::{Registry, defaults};
use crate::status::Status;
use crate::store;

const TOKEN_PATH: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
const TOKEN_VOLUME: &str = "kube-api-access-";

/// Fills in a new pod.
pub fn admit(registry: &Registry, pod: &mut Value) -> Result<(), Status> {
    give_account(registry, pod)?;
    give_priority(registry, pod)?;
    give_tolerations(&mut pod["spec"]);
    Ok(())
}

fn give_account(registry: &Registry, pod: &mut Value) -> Result<(), Status> {
    let (namespace, name) = store::key(pod);
    fill(&mut pod["spec"], "serviceAccountName", "default");
    let account = text(&pod["spec"], "serviceAccountName").to_owned();
    pod["spec"]["serviceAccount"] = account.as_str().into();
    let stored =
        kinds::find("", "v1", "serviceaccounts").and_then(|kind| registry.store.get(kind, &namespace, &account));
    // This includes `default`, which is created shortly after its namespace.
    let Some(stored) = stored else {
        let kind = kinds::find("", "v1", "pods").ok_or_else(|| Status::new(500, "InternalError", "no pods"))?;
        let why =
            format!("error looking up service account {namespace}/{account}: serviceaccount \"{account}\" not found");
        return Err(Status::forbidden(kind, &name, &why));
    };
    let of_account = stored["automountServiceAccountToken"].as_bool();
    let is_mounted = pod["spec"]["automountServiceAccountToken"].as_bool().or(of_account).unwrap_or(true);
    if is_mounted {
        mount_token(&mut pod["spec"]);
    }
    Ok(())
}

fn mount_token(spec: &mut Value) {
    let suffix = uuid::Uuid::new_v4().simple().to_string();
    let volume = format!("{TOKEN_VOLUME}{}", &suffix[..5]);
    let mut is_used = false;
    for field in ["initContainers", "containers"] {
        for container in items_mut(spec, field) {
            if items(container, "volumeMounts").any(|mount| text(mount, "mountPath") == TOKEN_PATH) {
                continue;
            }
            is_used = true;
            let mount = json!({"name": volume, "readOnly": true, "mountPath": TOKEN_PATH});
            push(container, "volumeMounts", mount);
        }
    }
    if is_used {
        push(spec, "volumes", token_volume(&volume));
    }
}

fn push(object: &mut Value, field: &str, item: Value) {
    fill(object, field, json!([]));
    if let Some(items) = object[field].as_array_mut() {
        items.push(item);
    }
}

fn token_volume(name: &str) -> Value {
    let namespace = json!({"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}});
    json!({
        "name": name,
        "projected": {
            "defaultMode": 420,
            "sources": [
                {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
                {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
                {"downwardAPI": {"items": [namespace]}},
            ],
        },
    })
}

fn give_priority(registry: &Registry, pod: &mut Value) -> Result<(), Status> {
    let class = text(&pod["spec"], "priorityClassName").to_owned();
    let mut value = json!(0);
    let mut policy = json!("PreemptLowerPriority");
    if !class.is_empty() {
        let built_in = match class.as_str() {
            "system-node-critical" => Some(2_000_001_000),
            "system-cluster-critical" => Some(2_000_000_000),
            _ => None,
        };
        let kind = kinds::find("scheduling.k8s.io", "v1", "priorityclasses");
        match (built_in, kind.and_then(|kind| registry.store.get(kind, "", &class))) {
            (Some(priority), _) => value = priority.into(),
            (None, Some(stored)) => {
                value = stored["value"].clone();
                policy = stored["preemptionPolicy"].clone();
            }
            (None, None) => {
                let pods = kinds::find("", "v1", "pods").ok_or_else(|| Status::new(500, "InternalError", "no pods"))?;
                let why = format!("no PriorityClass with name {class} was found");
                return Err(Status::forbidden(pods, &store::key(pod).1, &why));
            }
        }
    }
    pod["spec"]["priority"] = value;
    fill(&mut pod["spec"], "preemptionPolicy", policy);
    Ok(())
}

fn give_tolerations(spec: &mut Value) {
    for toleration in defaults::tolerations() {
        let covers = |other: &Value| {
            let (key, effect) = (text(other, "key"), text(other, "effect"));
            (key.is_empty() || key == toleration["key"]) && (effect.is_empty() || effect == "NoExecute")
        };
        if !items(spec, "tolerations").any(covers) {
            push(spec, "tolerations", toleration);
        }
    }
}

/// Keeps the values that a client's update of a pod leaves out.
pub fn keep(stored: &Value, pod: &mut Value) {
    for field in ["priority", "preemptionPolicy", "serviceAccountName", "serviceAccount", "nodeName"] {
        if is_missing(&pod["spec"][field]) && !is_missing(&stored["spec"][field]) {
            pod["spec"][field] = stored["spec"][field].clone();
        }
    }
}
