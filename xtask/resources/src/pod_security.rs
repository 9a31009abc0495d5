//! The Pod Security Standards `baseline` and `restricted`: which rules a pod violates.

use serde_json::Value;

/// A violated rule: what, and where.
type Violation = (String, String);

/// Checks a rule; returns `None` if the pod satisfies it.
type Check = fn(&Pod) -> Option<Violation>;

/// The rules of `baseline`, then those of `restricted`, which replace a baseline rule of the same name. Violations are
/// listed in the order of the names.
const BASELINE: &[(&str, Check)] = &[
    ("appArmorProfile", app_armor),
    ("capabilities", added_capabilities),
    ("hostNamespaces", host_namespaces),
    ("hostPathVolumes", host_paths),
    ("hostPorts", host_ports),
    ("privileged", privileged),
    ("procMount", proc_mount),
    ("seccompProfile", seccomp_baseline),
    ("sysctls", sysctls),
];
const RESTRICTED: &[(&str, Check)] = &[
    ("allowPrivilegeEscalation", privilege_escalation),
    ("capabilities", dropped_capabilities),
    ("restrictedVolumes", restricted_volumes),
    ("runAsNonRoot", run_as_non_root),
    ("runAsUser", run_as_user),
    ("seccompProfile", seccomp_restricted),
];

const BASELINE_CAPABILITIES: &[&str] = &[
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];
const BASELINE_SYSCTLS: &[&str] = &[
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.ping_group_range",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
];
const RESTRICTED_VOLUMES: &[&str] =
    &["configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"];

/// Returns a pod's violations of a level, in kube-apiserver's words. `level` is `baseline` or `restricted`; nothing violates
/// another one.
pub fn violations(level: &str, spec: &Value) -> Option<String> {
    let checks: Vec<(&str, Check)> = match level {
        "baseline" => BASELINE.to_vec(),
        "restricted" => {
            let replaced = |name: &str| RESTRICTED.iter().any(|(other, _)| *other == name);
            let kept = BASELINE.iter().filter(|(name, _)| !replaced(name));
            let mut checks: Vec<_> = kept.chain(RESTRICTED).copied().collect();
            checks.sort_by_key(|(name, _)| *name);
            checks
        }
        _ => return None,
    };
    let pod = Pod { spec };
    let details: Vec<String> =
        checks.iter().filter_map(|(_, check)| check(&pod)).map(|(what, at)| format!("{what} ({at})")).collect();
    (!details.is_empty()).then(|| details.join(", "))
}

struct Pod<'a> {
    spec: &'a Value,
}

impl<'a> Pod<'a> {
    fn containers(&self) -> impl Iterator<Item = &'a Value> {
        let spec = self.spec;
        ["initContainers", "containers", "ephemeralContainers"].into_iter().flat_map(move |field| items(spec, field))
    }

    /// Returns the names of the containers that satisfy a predicate.
    fn named(&self, holds: impl Fn(&Value) -> bool) -> Vec<&'a str> {
        self.containers().filter(|container| holds(container)).map(|container| text(container, "name")).collect()
    }

    fn context(&self) -> &'a Value {
        &self.spec["securityContext"]
    }
}

fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object.get(field).and_then(Value::as_str).unwrap_or_default()
}

fn items<'a>(object: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> {
    object.get(field).and_then(Value::as_array).into_iter().flatten()
}

fn quoted<T: AsRef<str>>(names: &[T]) -> String {
    names.iter().map(|name| format!("\"{}\"", name.as_ref())).collect::<Vec<_>>().join(", ")
}

fn plural<'a>(one: &'a str, many: &'a str, count: usize) -> &'a str {
    if count == 1 { one } else { many }
}

fn containers(names: &[&str]) -> String {
    format!("{} {}", plural("container", "containers", names.len()), quoted(names))
}

/// Returns a violation by `container "a" …`, if there are any such containers.
fn by_containers(what: &str, names: &[&str], at: &str) -> Option<Violation> {
    (!names.is_empty()).then(|| (what.to_owned(), format!("{} {at}", containers(names))))
}

fn privilege_escalation(pod: &Pod) -> Option<Violation> {
    let names = pod.named(|container| container["securityContext"]["allowPrivilegeEscalation"] != false);
    let at = "must set securityContext.allowPrivilegeEscalation=false";
    by_containers("allowPrivilegeEscalation != false", &names, at)
}

fn app_armor(pod: &Pod) -> Option<Violation> {
    let is_bad = |context: &Value| text(&context["appArmorProfile"], "type") == "Unconfined";
    let mut at = Vec::new();
    if is_bad(pod.context()) {
        at.push("pod must not set AppArmor profile type to \"Unconfined\"".to_owned());
    }
    let names = pod.named(|container| is_bad(&container["securityContext"]));
    if !names.is_empty() {
        at.push(format!("{} must not set AppArmor profile type to \"Unconfined\"", containers(&names)));
    }
    (!at.is_empty()).then(|| ("forbidden AppArmor profile".to_owned(), at.join(", ")))
}

/// Returns the containers that add capabilities outside the allowed ones, and all of those capabilities.
fn adding<'a>(pod: &Pod<'a>, allowed: &[&str]) -> (Vec<&'a str>, Vec<String>) {
    let added = |container: &Value| -> Vec<String> {
        let listed = items(&container["securityContext"]["capabilities"], "add").filter_map(Value::as_str);
        listed.filter(|name| !allowed.contains(name)).map(str::to_owned).collect()
    };
    let mut all: Vec<String> = pod.containers().flat_map(added).collect();
    all.sort();
    all.dedup();
    (pod.named(|container| !added(container).is_empty()), all)
}

fn added_capabilities(pod: &Pod) -> Option<Violation> {
    let (names, added) = adding(pod, BASELINE_CAPABILITIES);
    let at = format!("must not include {} in securityContext.capabilities.add", quoted(&added));
    by_containers("non-default capabilities", &names, &at)
}

fn dropped_capabilities(pod: &Pod) -> Option<Violation> {
    let drops_all = |container: &Value| {
        items(&container["securityContext"]["capabilities"], "drop").any(|dropped| dropped == "ALL")
    };
    let mut at = Vec::new();
    let keeping = pod.named(|container| !drops_all(container));
    if !keeping.is_empty() {
        at.push(format!("{} must set securityContext.capabilities.drop=[\"ALL\"]", containers(&keeping)));
    }
    let (names, added) = adding(pod, &["NET_BIND_SERVICE"]);
    if !names.is_empty() {
        let added = quoted(&added);
        at.push(format!("{} must not include {added} in securityContext.capabilities.add", containers(&names)));
    }
    (!at.is_empty()).then(|| ("unrestricted capabilities".to_owned(), at.join("; ")))
}

fn host_namespaces(pod: &Pod) -> Option<Violation> {
    let fields = ["hostNetwork", "hostPID", "hostIPC"].into_iter().filter(|field| pod.spec[*field] == true);
    let details: Vec<String> = fields.map(|field| format!("{field}=true")).collect();
    (!details.is_empty()).then(|| ("host namespaces".to_owned(), details.join(", ")))
}

fn host_paths(pod: &Pod) -> Option<Violation> {
    let volumes = items(pod.spec, "volumes").filter(|volume| volume["hostPath"].is_object());
    let names: Vec<&str> = volumes.map(|volume| text(volume, "name")).collect();
    let details = format!("{} {}", plural("volume", "volumes", names.len()), quoted(&names));
    (!names.is_empty()).then(|| ("hostPath volumes".to_owned(), details))
}

fn host_ports(pod: &Pod) -> Option<Violation> {
    let ports_of = |container: &Value| -> Vec<i64> {
        items(container, "ports").filter_map(|port| port["hostPort"].as_i64()).filter(|port| *port != 0).collect()
    };
    let names = pod.named(|container| !ports_of(container).is_empty());
    let ports: Vec<String> = pod.containers().flat_map(ports_of).map(|port| port.to_string()).collect();
    let word = plural("hostPort", "hostPorts", ports.len());
    let at = format!("{} {word} {}", plural("uses", "use", names.len()), ports.join(", "));
    by_containers(word, &names, &at)
}

fn privileged(pod: &Pod) -> Option<Violation> {
    let names = pod.named(|container| container["securityContext"]["privileged"] == true);
    by_containers("privileged", &names, "must not set securityContext.privileged=true")
}

fn proc_mount(pod: &Pod) -> Option<Violation> {
    let names = pod.named(|container| !matches!(text(&container["securityContext"], "procMount"), "" | "Default"));
    by_containers("procMount", &names, "must not set securityContext.procMount to \"Unmasked\"")
}

fn restricted_volumes(pod: &Pod) -> Option<Violation> {
    let sort = |volume: &Value| -> Option<String> {
        let mut sources = volume.as_object()?.keys().filter(|field| *field != "name");
        sources.find(|field| !RESTRICTED_VOLUMES.contains(&field.as_str())).cloned()
    };
    let bad: Vec<(&str, String)> =
        items(pod.spec, "volumes").filter_map(|volume| Some((text(volume, "name"), sort(volume)?))).collect();
    let names: Vec<&str> = bad.iter().map(|(name, _)| *name).collect();
    let mut sorts: Vec<&String> = bad.iter().map(|(_, sort)| sort).collect();
    sorts.sort();
    sorts.dedup();
    let details = format!(
        "{} {} {} {} {}",
        plural("volume", "volumes", names.len()),
        quoted(&names),
        plural("uses", "use", names.len()),
        plural("restricted volume type", "restricted volume types", sorts.len()),
        quoted(&sorts)
    );
    (!names.is_empty()).then(|| ("restricted volume types".to_owned(), details))
}

fn run_as_non_root(pod: &Pod) -> Option<Violation> {
    let of_pod = &pod.context()["runAsNonRoot"];
    let mut at = Vec::new();
    if *of_pod == false {
        at.push("pod must not set securityContext.runAsNonRoot=false".to_owned());
    }
    let refusing = pod.named(|container| container["securityContext"]["runAsNonRoot"] == false);
    if !refusing.is_empty() {
        at.push(format!("{} must not set securityContext.runAsNonRoot=false", containers(&refusing)));
    }
    let silent = pod.named(|container| container["securityContext"]["runAsNonRoot"].is_null());
    if of_pod.is_null() && !silent.is_empty() {
        at.push(format!("pod or {} must set securityContext.runAsNonRoot=true", containers(&silent)));
    }
    (!at.is_empty()).then(|| ("runAsNonRoot != true".to_owned(), at.join(", ")))
}

fn run_as_user(pod: &Pod) -> Option<Violation> {
    let mut at = Vec::new();
    if pod.context()["runAsUser"] == 0 {
        at.push("pod must not set runAsUser=0".to_owned());
    }
    let names = pod.named(|container| container["securityContext"]["runAsUser"] == 0);
    if !names.is_empty() {
        at.push(format!("{} must not set runAsUser=0", containers(&names)));
    }
    (!at.is_empty()).then(|| ("runAsUser=0".to_owned(), at.join(", ")))
}

fn seccomp(context: &Value) -> &str {
    text(&context["seccompProfile"], "type")
}

fn seccomp_baseline(pod: &Pod) -> Option<Violation> {
    let mut at = Vec::new();
    if seccomp(pod.context()) == "Unconfined" {
        at.push("pod must not set securityContext.seccompProfile.type to \"Unconfined\"".to_owned());
    }
    let names = pod.named(|container| seccomp(&container["securityContext"]) == "Unconfined");
    if !names.is_empty() {
        let details = "must not set securityContext.seccompProfile.type to \"Unconfined\"";
        at.push(format!("{} {details}", containers(&names)));
    }
    (!at.is_empty()).then(|| ("seccompProfile".to_owned(), at.join(", ")))
}

fn seccomp_restricted(pod: &Pod) -> Option<Violation> {
    if let Some(violation) = seccomp_baseline(pod) {
        return Some(violation);
    }
    let names = pod.named(|container| seccomp(&container["securityContext"]).is_empty());
    if !seccomp(pod.context()).is_empty() || names.is_empty() {
        return None;
    }
    let details = "must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\"";
    Some(("seccompProfile".to_owned(), format!("pod or {} {details}", containers(&names))))
}

fn sysctls(pod: &Pod) -> Option<Violation> {
    let set = items(pod.context(), "sysctls").map(|sysctl| text(sysctl, "name"));
    let bad: Vec<&str> = set.filter(|name| !BASELINE_SYSCTLS.contains(name)).collect();
    (!bad.is_empty()).then(|| ("forbidden sysctls".to_owned(), bad.join(", ")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_plain_pod_is_baseline_but_not_restricted() {
        let spec = json!({"containers": [{"name": "main"}]});
        assert_eq!(violations("baseline", &spec), None);
        let wanted = "allowPrivilegeEscalation != false (container \"main\" must set \
            securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (container \"main\" must set \
            securityContext.capabilities.drop=[\"ALL\"]), runAsNonRoot != true (pod or container \"main\" must set \
            securityContext.runAsNonRoot=true), seccompProfile (pod or container \"main\" must set \
            securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\")";
        assert_eq!(violations("restricted", &spec).unwrap(), wanted);
    }

    #[test]
    fn a_hardened_pod_is_restricted() {
        let container = json!({"name": "main", "securityContext": {
            "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]},
        }});
        let spec = json!({
            "containers": [container], "volumes": [{"name": "v", "emptyDir": {}}],
            "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
        });
        assert_eq!(violations("restricted", &spec), None);
    }

    #[test]
    fn each_violated_baseline_rule_is_listed() {
        let container = json!({
            "name": "main", "ports": [{"containerPort": 80, "hostPort": 80}],
            "securityContext": {"privileged": true, "capabilities": {"add": ["SYS_ADMIN"]}},
        });
        let spec = json!({
            "hostNetwork": true, "containers": [container], "volumes": [{"name": "v", "hostPath": {"path": "/"}}],
        });
        let wanted = "non-default capabilities (container \"main\" must not include \"SYS_ADMIN\" in \
            securityContext.capabilities.add), host namespaces (hostNetwork=true), hostPath volumes (volume \"v\"), \
            hostPort (container \"main\" uses hostPort 80), privileged (container \"main\" must not set \
            securityContext.privileged=true)";
        assert_eq!(violations("baseline", &spec).unwrap(), wanted);
    }
}
