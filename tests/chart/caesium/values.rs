//! Every value takes effect: one row for each in values.yaml.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{CHART, WHOLES, defaults};
use crate::effects::{Alone, InFull, check_alone, check_full, every_value, json, place};
use crate::helm::{HELMS, Render};
use crate::manifests::at;

const SECURITY: &str = "securityContext";

const FULL: &[InFull] = &[
    ("replicaCount", "StatefulSet", "spec.replicas", "5"),
    ("replicaCount", "ConfigMap", "data.replicas", r#""5""#),
    ("image.repository", "StatefulSet", "CONTAINER.image", IMAGE),
    ("image.tag", "StatefulSet", "CONTAINER.image", IMAGE),
    ("image.pullPolicy", "StatefulSet", "CONTAINER.imagePullPolicy", r#""Always""#),
    ("imagePullSecrets", "StatefulSet", "POD.imagePullSecrets", r#"[{"name":"registry"}]"#),
    ("imagePullSecrets", "Pod", "spec.imagePullSecrets", r#"[{"name":"registry"}]"#),
    ("clusterDomain", "StatefulSet", "POD.initContainers[0].env[POD_DOMAIN].value", DOMAIN),
    ("serviceAccount.name", "ServiceAccount", "metadata.name", r#""scheduler""#),
    ("serviceAccount.name", "StatefulSet", "POD.serviceAccountName", r#""scheduler""#),
    ("serviceAccount.annotations", "ServiceAccount", "metadata.annotations", r#"{"example.com/role":"scheduler"}"#),
    ("config.logLevel", "StatefulSet", "ENV[CAESIUM_LOG_LEVEL].value", r#""debug""#),
    ("config.port", "StatefulSet", "ENV[CAESIUM_PORT].value", r#""8181""#),
    ("config.port", "StatefulSet", "CONTAINER.ports[http].containerPort", "8181"),
    ("config.port", "StatefulSet", "POD.initContainers[0].env[HTTP_PORT].value", r#""8181""#),
    ("config.dqlitePort", "StatefulSet", "CONTAINER.ports[dqlite].containerPort", "9101"),
    ("config.dqlitePort", "StatefulSet", "POD.initContainers[0].env[DQLITE_PORT].value", r#""9101""#),
    ("config.maxParallelTasks", "StatefulSet", "ENV[CAESIUM_MAX_PARALLEL_TASKS].value", r#""4""#),
    ("config.nodeAddress", "StatefulSet", "ENV[CAESIUM_NODE_ADDRESS].value", ADDRESS),
    ("config.extraEnv", "StatefulSet", "ENV[CAESIUM_EXTRA].valueFrom.secretKeyRef.key", r#""extra""#),
    ("discovery.image.repository", "StatefulSet", "POD.initContainers[0].image", BUSYBOX),
    ("discovery.image.tag", "StatefulSet", "POD.initContainers[0].image", BUSYBOX),
    ("discovery.image.pullPolicy", "StatefulSet", "POD.initContainers[0].imagePullPolicy", r#""Always""#),
    ("discovery.absentSeconds", "StatefulSet", "POD.initContainers[0].env[ABSENT_SECONDS].value", r#""30""#),
    (
        "discovery.probeTimeoutSeconds",
        "StatefulSet",
        "POD.initContainers[0].env[PROBE_TIMEOUT_SECONDS].value",
        r#""4""#,
    ),
    ("discovery.giveUpSeconds", "StatefulSet", "POD.initContainers[0].env[GIVE_UP_SECONDS].value", r#""90""#),
    ("discovery.resources", "StatefulSet", "POD.initContainers[0].resources.limits", r#"{"memory":"32Mi"}"#),
    ("test.image.repository", "Pod", "spec.containers[curl].image", CURL),
    ("test.image.tag", "Pod", "spec.containers[curl].image", CURL),
    ("test.image.pullPolicy", "Pod", "spec.containers[curl].imagePullPolicy", r#""Always""#),
    ("test.maxTimeSeconds", "Pod", "spec.containers[curl].args[4]", r#""9""#),
    ("test.retries", "Pod", "spec.containers[curl].args[6]", r#""3""#),
    ("persistence.storageClass", "StatefulSet", "CLAIM.spec.storageClassName", r#""fast""#),
    ("persistence.accessModes", "StatefulSet", "CLAIM.spec.accessModes", r#"["ReadWriteOncePod"]"#),
    ("persistence.size", "StatefulSet", "CLAIM.spec.resources.requests.storage", r#""10Gi""#),
    ("persistence.annotations", "StatefulSet", "CLAIM.metadata.annotations", r#"{"example.com/backup":"nightly"}"#),
    (
        "persistence.retentionPolicy",
        "StatefulSet",
        "spec.persistentVolumeClaimRetentionPolicy.whenDeleted",
        r#""Delete""#,
    ),
    ("service.type", "Service/caesium", "spec.type", r#""LoadBalancer""#),
    ("service.port", "Service/caesium", "spec.ports[http].port", "80"),
    ("service.annotations", "Service/caesium", "metadata.annotations", r#"{"example.com/internal":"true"}"#),
    ("headlessService.port", "Service/caesium-headless", "spec.ports[dqlite].port", "9101"),
    ("ingress.enabled", "Ingress", "kind", r#""Ingress""#),
    ("ingress.className", "Ingress", "spec.ingressClassName", r#""nginx""#),
    (
        "ingress.annotations",
        "Ingress",
        "metadata.annotations[nginx.ingress.kubernetes.io/proxy-read-timeout]",
        r#""60""#,
    ),
    ("ingress.hosts", "Ingress", "spec.rules[0].host", r#""caesium.example""#),
    ("ingress.hosts", "Ingress", "spec.rules[0].http.paths[1].path", r#""/v1""#),
    ("ingress.hosts", "Ingress", "spec.rules[0].http.paths[1].pathType", r#""Exact""#),
    ("ingress.tls", "Ingress", "spec.tls[0].secretName", r#""caesium-tls""#),
    ("resources", "StatefulSet", "CONTAINER.resources.limits", r#"{"memory":"1Gi"}"#),
    ("podDisruptionBudget.enabled", "PodDisruptionBudget", "kind", r#""PodDisruptionBudget""#),
    ("podDisruptionBudget.minAvailable", "PodDisruptionBudget", "spec.minAvailable", r#""60%""#),
    ("podManagementPolicy", "StatefulSet", "spec.podManagementPolicy", r#""OrderedReady""#),
    ("updateStrategy", "StatefulSet", "spec.updateStrategy.rollingUpdate.partition", "2"),
    ("terminationGracePeriodSeconds", "StatefulSet", "POD.terminationGracePeriodSeconds", "60"),
    ("startupProbe", "StatefulSet", "CONTAINER.startupProbe.failureThreshold", "30"),
    ("readinessProbe", "StatefulSet", "CONTAINER.readinessProbe.periodSeconds", "5"),
    ("livenessProbe", "StatefulSet", "CONTAINER.livenessProbe.exec.command", r#"["/bin/true"]"#),
    ("livenessProbe", "StatefulSet", "CONTAINER.livenessProbe.tcpSocket", "null"),
    ("podAnnotations", "StatefulSet", "spec.template.metadata.annotations[example.com/scrape]", r#""true""#),
    ("podLabels", "StatefulSet", "spec.template.metadata.labels[example.com/team]", r#""platform""#),
    ("priorityClassName", "StatefulSet", "POD.priorityClassName", r#""system-cluster-critical""#),
    ("nodeSelector", "StatefulSet", "POD.nodeSelector", r#"{"kubernetes.io/os":"linux"}"#),
    ("tolerations", "StatefulSet", "POD.tolerations[0].key", r#""dedicated""#),
    (
        "affinity",
        "StatefulSet",
        "POD.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey",
        r#""kubernetes.io/hostname""#,
    ),
    ("topologySpreadConstraints", "StatefulSet", "POD.topologySpreadConstraints[0].maxSkew", "1"),
];
const IMAGE: &str =
    r#""registry.example/caesium@sha256:0000000000000000000000000000000000000000000000000000000000000000""#;
const BUSYBOX: &str = r#""registry.example/busybox:1.37.0""#;
const CURL: &str = r#""registry.example/curl:8.13.0""#;
const DOMAIN: &str = r#""caesium-headless.default.svc.cluster.example""#;
const ADDRESS: &str = r#""$(POD_NAME).caesium-headless.default.svc.cluster.example:9101""#;

const ALONE: &[Alone] = &[
    ("nameOverride", r#""jobs""#, "StatefulSet", "metadata.name", r#""caesium-jobs""#),
    ("fullnameOverride", r#""jobs""#, "StatefulSet", "metadata.name", r#""jobs""#),
    ("serviceAccount.create", "false", "StatefulSet", "POD.serviceAccountName", r#""default""#),
    ("serviceAccount.create", "false", "ServiceAccount", "kind", "null"),
    ("config.databaseType", r#""postgres""#, "StatefulSet", "ENV[CAESIUM_DATABASE_TYPE].value", r#""postgres""#),
    ("config.databaseType", r#""postgres""#, "StatefulSet", "POD.initContainers", "null"),
    ("config.databaseType", r#""postgres""#, "ConfigMap", "kind", "null"),
    ("persistence.enabled", "false", "StatefulSet", "spec.volumeClaimTemplates", "null"),
    ("persistence.enabled", "false", "StatefulSet", "spec.persistentVolumeClaimRetentionPolicy", "null"),
    ("persistence.enabled", "false", "StatefulSet", "POD.volumes[data].emptyDir", "{}"),
    ("podSecurityContext", r#"{"fsGroup":7}"#, "StatefulSet", "POD.securityContext.fsGroup", "7"),
    ("podSecurityContext", r#"{"fsGroup":7}"#, "Pod", "spec.securityContext.fsGroup", "7"),
    (SECURITY, r#"{"runAsUser":7}"#, "StatefulSet", "POD.containers[0].securityContext.runAsUser", "7"),
    (SECURITY, r#"{"runAsUser":7}"#, "StatefulSet", "POD.initContainers[0].securityContext.runAsUser", "7"),
    (SECURITY, r#"{"runAsUser":7}"#, "Pod", "spec.containers[0].securityContext.runAsUser", "7"),
];

#[test]
fn values_of_the_full_variant_take_effect() {
    check_full(CHART, FULL);
}

#[test]
fn values_that_exclude_others_take_effect() {
    check_alone(CHART, ALONE);
}

#[test]
fn a_budget_of_unavailable_pods_is_the_default() {
    let budget = |render: Render| {
        render.value("podDisruptionBudget.enabled", true).manifests().get("PodDisruptionBudget")["spec"].clone()
    };
    assert_eq!(budget(defaults())["maxUnavailable"], 1);
    assert_eq!(budget(defaults().value("podDisruptionBudget.maxUnavailable", 2))["maxUnavailable"], 2);
    let least = budget(defaults().value("podDisruptionBudget.minAvailable", 0));
    assert_eq!((&least["minAvailable"], &least["maxUnavailable"]), (&json("0"), &Value::Null));
}

#[test]
fn a_dsn_is_stored_in_a_secret() {
    let rendered = defaults()
        .value("config.databaseType", r#""postgres""#)
        .value("config.databaseDSN", r#""postgres://u:p@db/c""#);
    let (rendered, text) = (rendered.manifests(), rendered.text(&HELMS[0]).unwrap());
    assert_eq!(rendered.get("Secret")["stringData"]["dsn"], "postgres://u:p@db/c");
    assert_eq!(text.matches("postgres://").count(), 1, "the DSN appears outside the Secret");
    let reference = place(&rendered, "StatefulSet", "ENV[CAESIUM_DATABASE_DSN].valueFrom.secretKeyRef.name");
    assert_eq!(reference, rendered.get("Secret")["metadata"]["name"]);
}

#[test]
fn scaling_restarts_no_replica() {
    let template = |replicas: u32| {
        let rendered = defaults().value("replicaCount", replicas).manifests();
        at(rendered.get("StatefulSet"), "spec.template").clone()
    };
    assert_eq!(template(1), template(3));
}

#[test]
fn changed_configuration_restarts_the_replicas() {
    let checksum = |dsn: &str| {
        let rendered = defaults().value("config.databaseDSN", format!("\"{dsn}\"")).manifests();
        at(rendered.get("StatefulSet"), "spec.template.metadata.annotations[checksum/config]").clone()
    };
    assert_ne!(checksum("a"), checksum("b"));
}

#[test]
fn every_value_has_a_row() {
    let mut rows: BTreeSet<_> = FULL.iter().map(|row| row.0.to_owned()).collect();
    rows.extend(ALONE.iter().map(|row| row.0.to_owned()));
    rows.extend(["config.databaseDSN", "podDisruptionBudget.maxUnavailable"].map(String::from));
    assert_eq!(every_value(CHART, &WHOLES), rows);
}
