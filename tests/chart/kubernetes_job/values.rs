//! Every value takes effect: one row for each in values.yaml.

use super::CHART;
use crate::effects::{Alone, InFull, check_every_value};
use crate::refusals;

const WHOLES: [&str; 3] = ["resources", "podSecurityContext", "securityContext"];

const FULL: &[InFull] = &[
    ("image.repository", "Job", "CONTAINER.image", IMAGE),
    ("image.tag", "Job", "CONTAINER.image", IMAGE),
    ("image.pullPolicy", "Job", "CONTAINER.imagePullPolicy", r#""Always""#),
    ("imagePullSecrets", "Job", "POD.imagePullSecrets", r#"[{"name":"registry"}]"#),
    ("nameOverride", "Job", "metadata.labels[app.kubernetes.io/name]", r#""caelundas""#),
    ("nameOverride", "Job", "CONTAINER.name", r#""caelundas""#),
    ("fullnameOverride", "Job", "metadata.name", NAME),
    ("fullnameOverride", "PersistentVolumeClaim", "metadata.name", NAME),
    ("fullnameOverride", "Job", "POD.volumes[output].persistentVolumeClaim.claimName", NAME),
    ("metadata.gitCommit", "Job", "metadata.labels.git-commit", COMMIT),
    ("metadata.gitCommit", "Job", "spec.template.metadata.labels.git-commit", COMMIT),
    ("metadata.timestamp", "Job", "metadata.labels.timestamp", r#""1768000000""#),
    ("job.backoffLimit", "Job", "spec.backoffLimit", "0"),
    ("job.completions", "Job", "spec.completions", "4"),
    ("job.parallelism", "Job", "spec.parallelism", "2"),
    ("job.ttlSecondsAfterFinished", "Job", "spec.ttlSecondsAfterFinished", "3600"),
    ("persistence.storageClassName", "PersistentVolumeClaim", "spec.storageClassName", r#""nfs""#),
    ("persistence.accessMode", "PersistentVolumeClaim", "spec.accessModes", r#"["ReadWriteMany"]"#),
    ("persistence.size", "PersistentVolumeClaim", "spec.resources.requests.storage", r#""2Gi""#),
    ("persistence.mountPath", "Job", "CONTAINER.volumeMounts[output].mountPath", r#""/data""#),
    ("env", "Job", "ENV[PUBLIC_VAR].value", r#""not-sensitive""#),
    ("env", "Job", "ENV[DATABASE_PASSWORD].valueFrom.secretKeyRef.key", r#""db-password""#),
    ("command", "Job", "CONTAINER.command", r#"["/bin/caelundas"]"#),
    ("args", "Job", "CONTAINER.args", r#"["--from","2026-01-01"]"#),
    ("resources", "Job", "CONTAINER.resources.limits", r#"{"memory":"256Mi"}"#),
    ("serviceAccountName", "Job", "POD.serviceAccountName", r#""batch""#),
    ("podAnnotations", "Job", "spec.template.metadata.annotations", r#"{"example.com/owner":"calendars"}"#),
    ("nodeSelector", "Job", "POD.nodeSelector", r#"{"kubernetes.io/arch":"amd64"}"#),
    ("tolerations", "Job", "POD.tolerations", r#"[{"key":"dedicated","operator":"Exists"}]"#),
    ("affinity", "Job", AFFINITY, r#""kubernetes.io/arch""#),
];
const IMAGE: &str =
    r#""registry.example/caelundas@sha256:0000000000000000000000000000000000000000000000000000000000000000""#;
const NAME: &str = r#""caelundas-20260125-143022""#;
const COMMIT: &str = r#""3f53ab5c0ffee3f53ab5c0ffee3f53ab5c0ffee3""#;
const AFFINITY: &str = "POD.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution\
                        .nodeSelectorTerms[0].matchExpressions[0].key";

const ALONE: &[Alone] = &[
    // As numbers, without an exponent.
    ("metadata.gitCommit", "1234567", "Job", "metadata.labels.git-commit", r#""1234567""#),
    ("job.ttlSecondsAfterFinished", "2592000", "Job", "spec.ttlSecondsAfterFinished", "2592000"),
    ("job.ttlSecondsAfterFinished", "0", "Job", "spec.ttlSecondsAfterFinished", "0"),
    ("job.ttlSecondsAfterFinished", "null", "Job", "spec.ttlSecondsAfterFinished", "null"),
    ("persistence.enabled", "false", "PersistentVolumeClaim", "kind", "null"),
    ("persistence.enabled", "false", "Job", "POD.volumes", "null"),
    ("persistence.enabled", "false", "Job", "CONTAINER.volumeMounts", "null"),
    ("persistence.storageClassName", r#""""#, "PersistentVolumeClaim", "spec.storageClassName", "null"),
    ("podSecurityContext", r#"{"fsGroup":7}"#, "Job", "POD.securityContext.fsGroup", "7"),
    ("securityContext", r#"{"runAsUser":7}"#, "Job", "CONTAINER.securityContext.runAsUser", "7"),
];

#[test]
fn every_value_takes_effect() {
    check_every_value(CHART, &WHOLES, FULL, ALONE);
}

#[test]
fn invalid_values_are_rejected_by_name() {
    let rows = [
        ("image.repository", "\"app:v1\"", "repository"),
        ("image.pullPolicy", "\"Sometimes\"", "pullPolicy"),
        ("job.backoffLimit", "-1", "backoffLimit"),
        ("job.parallelism", "0", "parallelism"),
        ("job.schedule", "\"* * * * *\"", "schedule"),
        ("job.ttlSecondsAfterFinished", "\"1h\"", "ttlSecondsAfterFinished"),
        ("metadata.gitCommit", "\"a commit\"", "gitCommit"),
        ("persistence.accessMode", "\"RWO\"", "accessMode"),
        ("persistence.mountPath", "\"output\"", "mountPath"),
        ("env", "[{\"START_DATE\": \"2026-01-01\"}]", "env"),
        ("args", "[1]", "args"),
    ];
    refusals::check(CHART, &rows);
}
