//! The chart for a database.

use crate::effects::{Alone, InFull, check_every_value};
use crate::helm::Chart;
use crate::manifests::at;
use crate::refusals;

/// The chart.
pub const CHART: Chart = Chart("everything/database");

const WHOLES: [&str; 6] =
    ["config", "livenessProbe", "readinessProbe", "resources", "podSecurityContext", "securityContext"];

const FULL: &[InFull] = &[
    ("image.repository", "StatefulSet", "CONTAINER.image", IMAGE),
    ("image.tag", "StatefulSet", "CONTAINER.image", IMAGE),
    ("image.pullPolicy", "StatefulSet", "CONTAINER.imagePullPolicy", r#""Always""#),
    ("imagePullSecrets", "StatefulSet", "POD.imagePullSecrets", r#"[{"name":"registry"}]"#),
    ("imagePullSecrets", "Pod", "spec.imagePullSecrets", r#"[{"name":"registry"}]"#),
    ("nameOverride", "StatefulSet", "CONTAINER.name", r#""postgres""#),
    ("fullnameOverride", "StatefulSet", "metadata.name", r#""postgresql""#),
    ("fullnameOverride", "StatefulSet", "spec.serviceName", r#""postgresql-headless""#),
    ("fullnameOverride", "Service/postgresql", "kind", r#""Service""#),
    ("maxConnections", "StatefulSet", "CONTAINER.args[1]", r#""max_connections=50""#),
    ("config", "StatefulSet", "ENV[POSTGRES_DB].value", r#""orders""#),
    ("auth.existingSecret", "StatefulSet", "ENV[PASSWORD].valueFrom.secretKeyRef.name", r#""master""#),
    ("auth.key", "StatefulSet", "ENV[PASSWORD].valueFrom.secretKeyRef.key", r#""password""#),
    ("auth.variable", "StatefulSet", "ENV[PASSWORD].name", r#""PASSWORD""#),
    ("port", "StatefulSet", "CONTAINER.ports[db].containerPort", "5433"),
    ("port", "Service/postgresql", "spec.ports[db].port", "5433"),
    ("port", "Pod", "spec.containers[connect].env[PORT].value", r#""5433""#),
    ("livenessProbe", "StatefulSet", "CONTAINER.livenessProbe.periodSeconds", "20"),
    ("readinessProbe", "StatefulSet", "CONTAINER.readinessProbe.periodSeconds", "7"),
    ("terminationGracePeriodSeconds", "StatefulSet", "POD.terminationGracePeriodSeconds", "60"),
    ("persistence.storageClass", "StatefulSet", "CLAIM.spec.storageClassName", r#""fast""#),
    ("persistence.size", "StatefulSet", "CLAIM.spec.resources.requests.storage", r#""10Gi""#),
    ("persistence.mountPath", "StatefulSet", "CONTAINER.volumeMounts[data].mountPath", DATA),
    ("resources", "StatefulSet", "CONTAINER.resources.limits", r#"{"memory":"1Gi"}"#),
    ("test.image.repository", "Pod", "spec.containers[connect].image", r#""registry.example/busybox:1.37.0""#),
    ("test.image.tag", "Pod", "spec.containers[connect].image", r#""registry.example/busybox:1.37.0""#),
    ("test.image.pullPolicy", "Pod", "spec.containers[connect].imagePullPolicy", r#""Always""#),
];
const IMAGE: &str =
    r#""registry.example/postgres@sha256:0000000000000000000000000000000000000000000000000000000000000000""#;
const DATA: &str = r#""/var/lib/postgresql/data""#;

const ALONE: &[Alone] = &[
    ("global.image", r#"{"repository":"stand-in","tag":"dev"}"#, "StatefulSet", "CONTAINER.image", r#""stand-in:dev""#),
    ("args", r#"["db"]"#, "StatefulSet", "CONTAINER.args", r#"["db"]"#),
    ("auth.existingSecret", r#""""#, "StatefulSet", "ENV[POSTGRES_PASSWORD]", "null"),
    ("persistence.enabled", "false", "StatefulSet", "spec.volumeClaimTemplates", "null"),
    ("persistence.enabled", "false", "StatefulSet", "POD.volumes[data].emptyDir", "{}"),
    ("podSecurityContext", r#"{"fsGroup":7}"#, "StatefulSet", "POD.securityContext.fsGroup", "7"),
    ("securityContext", r#"{"runAsUser":7}"#, "StatefulSet", "CONTAINER.securityContext.runAsUser", "7"),
];

#[test]
fn every_value_takes_effect() {
    check_every_value(CHART, &WHOLES, FULL, ALONE);
}

#[test]
fn invalid_values_are_rejected_by_name() {
    let rows = [
        ("replicaCount", "3", "replicaCount"),
        ("maxConnections", "0", "maxConnections"),
        ("auth.password", "\"in the open\"", "password"),
        ("persistence.size", "\"8 GB\"", "size"),
        ("port", "\"5432\"", "port"),
    ];
    refusals::check(CHART, &rows);
}

#[test]
fn the_host_is_the_releases_name_and_its_services_select_only_its_pod() {
    let rendered = CHART.render().release("postgresql").manifests();
    let labels = at(rendered.get("StatefulSet"), "spec.template.metadata.labels");
    for service in ["Service/postgresql", "Service/postgresql-headless"] {
        let selector = at(rendered.get(service), "spec.selector").as_object().unwrap();
        assert!(selector.iter().all(|(key, value)| &labels[key] == value));
        assert!(selector.iter().any(|(key, value)| &at(rendered.get("Pod"), "metadata.labels")[key] != value));
    }
    assert_eq!(at(rendered.get("Service/postgresql-headless"), "spec.clusterIP"), "None");
    assert_eq!(at(rendered.get("Pod"), "spec.containers[connect].env[HOST].value"), "postgresql");
}

#[test]
fn the_notes_name_the_host() {
    let notes = CHART.render().release("postgresql").notes();
    assert!(notes.contains("postgresql.default.svc.cluster.local:5432"), "{notes}");
}
