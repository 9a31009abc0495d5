//! The `restricted` Pod Security Standard (Kubernetes v1.36), as far as a chart without Windows pods meets it.

use k8s_openapi::api::core::v1::{Container, PodSecurityContext, PodSpec, SecurityContext};

/// Returns every violation of a pod.
pub fn violations(pod: &PodSpec) -> Vec<String> {
    let mut found = Vec::new();
    if pod.host_network == Some(true) || pod.host_pid == Some(true) || pod.host_ipc == Some(true) {
        found.push("host namespaces".to_owned());
    }
    for volume in pod.volumes.iter().flatten() {
        let allowed = volume.config_map.is_some()
            || volume.empty_dir.is_some()
            || volume.secret.is_some()
            || volume.persistent_volume_claim.is_some()
            || volume.projected.is_some()
            || volume.downward_api.is_some();
        if !allowed {
            found.push(format!("volume {}: type", volume.name));
        }
    }
    let pod_context = pod.security_context.clone().unwrap_or_default();
    for container in pod.init_containers.iter().flatten().chain(&pod.containers) {
        let of_container = container_violations(&pod_context, container);
        found.extend(of_container.into_iter().map(|what| format!("container {}: {what}", container.name)));
    }
    found
}

fn container_violations(pod: &PodSecurityContext, container: &Container) -> Vec<&'static str> {
    let context = container.security_context.clone().unwrap_or_default();
    let seccomp = context.seccomp_profile.as_ref().or(pod.seccomp_profile.as_ref());
    let checks = [
        ("privileged", context.privileged != Some(true)),
        ("host port", container.ports.iter().flatten().all(|port| port.host_port.unwrap_or(0) == 0)),
        ("allowPrivilegeEscalation", context.allow_privilege_escalation == Some(false)),
        ("runAsNonRoot", context.run_as_non_root.or(pod.run_as_non_root) == Some(true)),
        ("runAsUser 0", context.run_as_user.or(pod.run_as_user) != Some(0)),
        ("seccompProfile", seccomp.is_some_and(|profile| profile.type_ != "Unconfined")),
        ("capabilities", drops_all(&context)),
        ("procMount", context.proc_mount.as_deref().is_none_or(|mount| mount == "Default")),
    ];
    checks.into_iter().filter(|(_, kept)| !kept).map(|(what, _)| what).collect()
}

fn drops_all(context: &SecurityContext) -> bool {
    context.capabilities.as_ref().is_some_and(|capabilities| {
        let adds_none = capabilities.add.iter().flatten().all(|capability| capability == "NET_BIND_SERVICE");
        adds_none && capabilities.drop.iter().flatten().any(|capability| capability == "ALL")
    })
}

#[test]
fn each_violation_is_found() {
    let good = serde_json::json!({
        "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [{"name": "c", "securityContext": {
            "allowPrivilegeEscalation": false, "runAsNonRoot": true, "capabilities": {"drop": ["ALL"]}}}],
    });
    let violations_with = |place: &str, value: serde_json::Value| {
        let mut pod = good.clone();
        let (parent, key) = place.rsplit_once('/').unwrap();
        pod.pointer_mut(parent).unwrap()[key] = value;
        violations(&serde_json::from_value(pod).unwrap())
    };
    assert_eq!(violations(&serde_json::from_value(good.clone()).unwrap()), Vec::<String>::new());
    for (place, value, want) in [
        ("/hostNetwork", true.into(), "host namespaces"),
        ("/volumes", serde_json::json!([{"name": "v", "hostPath": {"path": "/"}}]), "volume v: type"),
        ("/securityContext/seccompProfile", serde_json::Value::Null, "container c: seccompProfile"),
        ("/containers/0/securityContext/privileged", true.into(), "container c: privileged"),
        (
            "/containers/0/securityContext/allowPrivilegeEscalation",
            true.into(),
            "container c: allowPrivilegeEscalation",
        ),
        ("/containers/0/securityContext/runAsNonRoot", false.into(), "container c: runAsNonRoot"),
        ("/containers/0/securityContext/runAsUser", 0.into(), "container c: runAsUser 0"),
        (
            "/containers/0/securityContext/capabilities",
            serde_json::json!({"drop": ["CHOWN"]}),
            "container c: capabilities",
        ),
        ("/containers/0/ports", serde_json::json!([{"containerPort": 80, "hostPort": 80}]), "container c: host port"),
    ] {
        assert_eq!(violations_with(place, value), [want], "{place}");
    }
}
