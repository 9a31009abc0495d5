//! Every value takes effect: one row for each in values.yaml.

use super::CHART;
use crate::effects::{Alone, InFull, check_every_value};

const WHOLES: [&str; 7] = [
    "startupProbe",
    "livenessProbe",
    "readinessProbe",
    "lifecycle",
    "strategy",
    "podSecurityContext",
    "securityContext",
];

const FULL: &[InFull] = &[
    ("image.repository", "Deployment", "CONTAINER.image", IMAGE),
    ("image.tag", "Deployment", "CONTAINER.image", IMAGE),
    ("image.tag", "Job", "CONTAINER.image", IMAGE),
    ("image.pullPolicy", "Deployment", "CONTAINER.imagePullPolicy", r#""Always""#),
    ("imagePullSecrets", "Deployment", "POD.imagePullSecrets", r#"[{"name":"registry"}]"#),
    ("imagePullSecrets", "Job", "POD.imagePullSecrets", r#"[{"name":"registry"}]"#),
    ("imagePullSecrets", "Pod", "spec.imagePullSecrets", r#"[{"name":"registry"}]"#),
    ("nameOverride", "Deployment", "metadata.labels[app.kubernetes.io/name]", r#""backend""#),
    ("nameOverride", "Deployment", "CONTAINER.name", r#""backend""#),
    ("fullnameOverride", "Deployment", "metadata.name", NAME),
    ("fullnameOverride", "Deployment", "spec.template.metadata.labels.app", NAME),
    ("fullnameOverride", "Service", "metadata.name", NAME),
    ("fullnameOverride", "Job", "metadata.name", r#""volaticloud-backend-migration""#),
    ("replicaCount", "Deployment", "spec.replicas", "3"),
    ("command", "Deployment", "CONTAINER.command", r#"["/bin/volaticloud"]"#),
    ("args", "Deployment", "CONTAINER.args", r#"["serve"]"#),
    ("config", "Deployment", "ENV[HOST_NAME].value", r#""api.default.svc""#),
    ("config", "Job", "ENV[HOST_NAME].value", r#""api.default.svc""#),
    ("secrets", "Deployment", "ENV[DATABASE].valueFrom.secretKeyRef.name", r#""default-db-secret""#),
    ("secrets", "Job", "ENV[DATABASE].valueFrom.secretKeyRef.key", r#""dsn""#),
    ("env", "Deployment", "ENV[POD_NAME].valueFrom.fieldRef.fieldPath", r#""metadata.name""#),
    ("containerPort", "Deployment", "CONTAINER.ports[http].containerPort", "8081"),
    ("service.type", "Service", "spec.type", r#""LoadBalancer""#),
    ("service.port", "Service", "spec.ports[http].port", "80"),
    ("service.extraPorts", "Service", "spec.ports[metrics].port", "9090"),
    ("service.extraPorts", "Deployment", "CONTAINER.ports[metrics].containerPort", "9090"),
    ("service.annotations", "Service", "metadata.annotations", r#"{"prometheus.io/scrape":"true"}"#),
    ("ingress.enabled", "Ingress", "kind", r#""Ingress""#),
    ("ingress.className", "Ingress", "spec.ingressClassName", r#""nginx""#),
    ("ingress.annotations", "Ingress", "metadata.annotations", r#"{"cert-manager.io/cluster-issuer":"letsencrypt"}"#),
    ("ingress.hosts", "Ingress", "spec.rules[0].host", r#""api.volaticloud.com""#),
    ("ingress.hosts", "Ingress", "spec.rules[0].http.paths[1].path", r#""/v1""#),
    ("ingress.tls", "Ingress", "spec.tls[0].secretName", r#""volaticloud-tls""#),
    ("startupProbe", "Deployment", "CONTAINER.startupProbe", r#"{"tcpSocket":{"port":"http"}}"#),
    ("livenessProbe", "Deployment", "CONTAINER.livenessProbe.periodSeconds", "20"),
    ("readinessProbe", "Deployment", "CONTAINER.readinessProbe.periodSeconds", "7"),
    ("lifecycle", "Deployment", "CONTAINER.lifecycle.preStop.sleep.seconds", "9"),
    ("terminationGracePeriodSeconds", "Deployment", "POD.terminationGracePeriodSeconds", "60"),
    ("strategy", "Deployment", "spec.strategy.rollingUpdate.maxSurge", "2"),
    ("progressDeadlineSeconds", "Deployment", "spec.progressDeadlineSeconds", "120"),
    ("podDisruptionBudget.minAvailable", "PodDisruptionBudget", "spec.minAvailable", r#""60%""#),
    ("migration.enabled", "Job", "kind", r#""Job""#),
    ("migration.command", "Job", "CONTAINER.command", r#"["migrate"]"#),
    ("migration.args", "Job", "CONTAINER.args", r#"["-y"]"#),
    ("migration.backoffLimit", "Job", "spec.backoffLimit", "1"),
    ("migration.activeDeadlineSeconds", "Job", "spec.activeDeadlineSeconds", "60"),
    (
        "migration.hookDeletePolicy",
        "Job",
        "metadata.annotations[helm.sh/hook-delete-policy]",
        r#""before-hook-creation""#,
    ),
    ("waitFor", "Deployment", SWITCH, r#""web-service-switches""#),
    ("waitFor", "Deployment", "POD.initContainers[1].name", r#""wait-for-keycloak""#),
    ("waitFor", "Deployment", "POD.initContainers[0].env[URL].value", r#""tcp://postgresql.default.svc:5432""#),
    ("tests.path", "Pod", "spec.containers[ask].env[URL].value", r#""http://volaticloud-backend:80/health/ready""#),
    ("tools.image.repository", "Pod", "spec.containers[ask].image", r#""registry.example/busybox:1.37.0""#),
    ("tools.image.tag", "Deployment", "POD.initContainers[0].image", r#""registry.example/busybox:1.37.0""#),
    ("tools.image.pullPolicy", "Pod", "spec.containers[ask].imagePullPolicy", r#""Always""#),
    ("resources", "Deployment", "CONTAINER.resources.limits", r#"{"cpu":"1000m","memory":"512Mi"}"#),
    ("antiAffinity", "Deployment", APART, r#""kubernetes.io/hostname""#),
    ("affinity", "Deployment", ON_AMD64, r#""kubernetes.io/arch""#),
    ("nodeSelector", "Deployment", "POD.nodeSelector", r#"{"kubernetes.io/os":"linux"}"#),
    ("tolerations", "Deployment", "POD.tolerations", r#"[{"key":"dedicated","operator":"Exists"}]"#),
    ("podLabels", "Deployment", "spec.template.metadata.labels[example.com/team]", r#""backend""#),
    ("podAnnotations", "Deployment", "spec.template.metadata.annotations", r#"{"example.com/owner":"backend"}"#),
    ("serviceAccountName", "Deployment", "POD.serviceAccountName", r#""backend""#),
    ("serviceAccountName", "Pod", "spec.serviceAccountName", r#""backend""#),
];
const IMAGE: &str =
    r#""registry.example/volaticloud@sha256:0000000000000000000000000000000000000000000000000000000000000000""#;
const NAME: &str = r#""volaticloud-backend""#;
const APART: &str = "POD.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey";
const ON_AMD64: &str = "POD.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution\
                        .nodeSelectorTerms[0].matchExpressions[0].key";
const SWITCH: &str = "POD.initContainers[wait-for-keycloak].env[SWITCH].valueFrom.configMapKeyRef.name";
const PREFERRED: &str = "POD.affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution";

const ALONE: &[Alone] = &[
    ("global.image", r#"{"repository":"stand-in","tag":"dev"}"#, "Deployment", "CONTAINER.image", r#""stand-in:dev""#),
    // As numbers, without an exponent.
    ("config", r#"{"MEMORY":2592000}"#, "Deployment", "ENV[MEMORY].value", r#""2592000""#),
    ("autoscaling.enabled", "true", "HorizontalPodAutoscaler", "spec.scaleTargetRef.kind", r#""Deployment""#),
    ("autoscaling.enabled", "true", "Deployment", "spec.replicas", "null"),
    ("autoscaling", r#"{"enabled":true,"minReplicas":3}"#, "HorizontalPodAutoscaler", "spec.minReplicas", "3"),
    ("autoscaling", r#"{"enabled":true,"maxReplicas":4}"#, "HorizontalPodAutoscaler", "spec.maxReplicas", "4"),
    ("autoscaling", CPU, "HorizontalPodAutoscaler", "spec.metrics[0].resource.target.averageUtilization", "50"),
    ("autoscaling", CPU, "HorizontalPodAutoscaler", "spec.metrics[1].resource.name", r#""memory""#),
    ("autoscaling", NO_CPU, "HorizontalPodAutoscaler", "spec.metrics[0].resource.name", r#""memory""#),
    ("autoscaling", NO_CPU, "HorizontalPodAutoscaler", "spec.metrics[0].resource.target.averageUtilization", "90"),
    ("podDisruptionBudget.enabled", "false", "PodDisruptionBudget", "kind", "null"),
    ("podDisruptionBudget", AT_MOST_ONE, "PodDisruptionBudget", "spec.maxUnavailable", "1"),
    ("podDisruptionBudget", AT_MOST_ONE, "PodDisruptionBudget", "spec.minAvailable", "null"),
    ("antiAffinity", r#""""#, "Deployment", PREFERRED, "null"),
    ("livenessProbe", "null", "Deployment", "CONTAINER.livenessProbe", "null"),
    ("lifecycle", "null", "Deployment", "CONTAINER.lifecycle", "null"),
    ("podSecurityContext", r#"{"fsGroup":7}"#, "Deployment", "POD.securityContext.fsGroup", "7"),
    ("securityContext", r#"{"runAsUser":7}"#, "Deployment", "CONTAINER.securityContext.runAsUser", "7"),
];
const CPU: &str = r#"{"enabled":true,"targetCPUUtilizationPercentage":50}"#;
const NO_CPU: &str = r#"{"enabled":true,"targetCPUUtilizationPercentage":null,"targetMemoryUtilizationPercentage":90}"#;
const AT_MOST_ONE: &str = r#"{"minAvailable":"","maxUnavailable":1}"#;

#[test]
fn every_value_takes_effect() {
    check_every_value(CHART, &WHOLES, FULL, ALONE);
}
