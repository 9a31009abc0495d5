//! Every value takes effect: one row for each in values.yaml.

use super::{CHART, SERVICES};
use crate::effects::{Alone, check_every_value_has_a_row, check_together};
use crate::refusals;

/// Values of each service that are checked as a whole.
const WHOLES: [&str; 5] = ["config", "secrets", "livenessProbe", "readinessProbe", "service.annotations"];

/// Has no effect alone, since it only rejects development secrets: see the tests of secrets.
const ENVIRONMENT: Alone = ("global.environment", "null", "", "", "");

/// Rows that every service has, with `KEY` and `NAME` for its own; the values of a group can be set at once.
const EACH: &[&[Alone]] = &[
    &[("KEY.enabled", "false", DEPLOYMENT, "kind", "null")],
    &[("KEY.fullnameOverride", r#""{{ .Release.Name }}-NAME-2""#, "Service/toskamesh-NAME-2", "kind", r#""Service""#)],
    &[
        ("KEY.image.repository", r#""stand-in""#, DEPLOYMENT, "CONTAINER.image", r#""stand-in:latest""#),
        ("KEY.service.port", "8080", "Service/toskamesh-NAME", "spec.ports[http].port", "8080"),
    ],
    &[
        ("KEY.image.tag", r#""dev""#, DEPLOYMENT, "CONTAINER.image", r#""toskamesh-NAME:dev""#),
        ("KEY.image.pullPolicy", r#""Always""#, DEPLOYMENT, "CONTAINER.imagePullPolicy", r#""Always""#),
        ("KEY.replicaCount", "3", DEPLOYMENT, "spec.replicas", "3"),
        ("KEY.config", r#"{"A":"{{ .Release.Name }}"}"#, DEPLOYMENT, "ENV[A].value", r#""toskamesh""#),
        ("KEY.secrets", SECRET, DEPLOYMENT, "ENV[B].valueFrom.secretKeyRef", r#"{"name":"s","key":"k"}"#),
        ("KEY.waitFor", "[]", DEPLOYMENT, "POD.initContainers", "null"),
        ("KEY.livenessProbe", r#"{"periodSeconds":2}"#, DEPLOYMENT, "CONTAINER.livenessProbe.periodSeconds", "2"),
        ("KEY.readinessProbe", r#"{"periodSeconds":2}"#, DEPLOYMENT, "CONTAINER.readinessProbe.periodSeconds", "2"),
        ("KEY.tests.path", r#""/""#, "Pod/toskamesh-NAME-test-connection", URL, r#""http://toskamesh-NAME:80/""#),
        ("KEY.podDisruptionBudget.enabled", "true", "PodDisruptionBudget/toskamesh-NAME", "spec.minAvailable", "1"),
        ("KEY.resources.requests.cpu", r#""1m""#, DEPLOYMENT, "CONTAINER.resources.requests.cpu", r#""1m""#),
        ("KEY.resources.requests.memory", r#""1Mi""#, DEPLOYMENT, "CONTAINER.resources.requests.memory", r#""1Mi""#),
        ("KEY.resources.limits.cpu", r#""2""#, DEPLOYMENT, "CONTAINER.resources.limits.cpu", r#""2""#),
        ("KEY.resources.limits.memory", r#""2Mi""#, DEPLOYMENT, "CONTAINER.resources.limits.memory", r#""2Mi""#),
    ],
];
const SECRET: &str = r#"{"B":{"name":"s","key":"k"}}"#;
const DEPLOYMENT: &str = "Deployment/toskamesh-NAME";
const URL: &str = "spec.containers[ask].env[URL].value";
const CORE: &str = "Deployment/toskamesh-core";
const DISCOVERY: &str = "Deployment/toskamesh-discovery";

const ROWS: &[&[Alone]] = &[
    &[
        ("global.image", r#"{"repository":"stand-in","tag":"dev"}"#, CORE, "CONTAINER.image", r#""stand-in:dev""#),
        ("global.externalServices.consul.host", r#""c""#, CORE, "ENV[Consul__Address].value", r#""http://c:8500""#),
        ("global.externalServices.postgres.host", r#""p""#, CORE, "ENV[POSTGRES_ADDRESS].value", r#""p:5432""#),
        ("global.externalServices.postgres.database", r#""d""#, CORE, "ENV[POSTGRES_DB].value", r#""d""#),
        ("global.externalServices.postgres.username", r#""u""#, CORE, "ENV[POSTGRES_USER].value", r#""u""#),
        ("global.externalServices.rabbitmq.host", r#""r""#, DISCOVERY, "ENV[RabbitMQ__Host].value", r#""r""#),
        ("global.externalServices.rabbitmq.username", r#""u""#, DISCOVERY, "ENV[RabbitMQ__Username].value", r#""u""#),
        ("secrets.jwtSecretKey", r#""a""#, "Secret", "stringData.jwtSecretKey", r#""a""#),
        ("secrets.serviceAuthSecret", r#""b""#, "Secret", "stringData.serviceAuthSecret", r#""b""#),
        ("secrets.postgresPassword", r#""c""#, "Secret", "stringData.postgresPassword", r#""c""#),
        ("secrets.rabbitmqPassword", r#""d""#, "Secret", "stringData.rabbitmqPassword", r#""d""#),
        ("gateway.service.type", r#""NodePort""#, "Service/toskamesh-gateway", "spec.type", r#""NodePort""#),
        ("core.service.extraPorts", "[]", CORE, "CONTAINER.ports[silo]", "null"),
        ("metricsService.service.annotations", r#"{"a":"b"}"#, "Service/toskamesh-metrics-service", SCRAPED, r#""b""#),
    ],
    &[
        ("global.existingSecret", r#""vault""#, "Secret", "kind", "null"),
        ("global.externalServices.consul.port", "1", DISCOVERY, "ENV[Consul__Address].value", r#""http://consul:1""#),
        ("global.externalServices.postgres.port", "1", CORE, "ENV[POSTGRES_ADDRESS].value", r#""postgres:1""#),
        ("global.externalServices.rabbitmq.port", "1", DISCOVERY, RABBITMQ, r#""tcp://rabbitmq:1""#),
    ],
];
const RABBITMQ: &str = "POD.initContainers[wait-for-rabbitmq].env[URL].value";
const SCRAPED: &str = "metadata.annotations.a";

/// Returns the rows, in groups that can be set at once: the names keep the services' values apart.
fn groups() -> Vec<Vec<Alone>> {
    let filled = |text: &str, (key, name): (&str, &str)| -> &'static str {
        text.replace("KEY", key).replace("NAME", name).leak()
    };
    let of_all = |row: &Alone| {
        let (value, set, object, at, want) = *row;
        SERVICES.map(|of| (filled(value, of), filled(set, of), filled(object, of), at, filled(want, of)))
    };
    let each = EACH.iter().map(|rows| rows.iter().flat_map(of_all).collect());
    each.chain(ROWS.iter().map(|rows| rows.to_vec())).collect()
}

#[test]
fn every_value_takes_effect() {
    check_together(CHART, &groups());
}

#[test]
fn every_value_has_a_row() {
    let of = |(key, _): (&str, &str)| WHOLES.map(|whole| format!("{key}.{whole}"));
    let wholes: Vec<String> = SERVICES.into_iter().flat_map(of).collect();
    let wholes: Vec<&str> = wholes.iter().map(String::as_str).collect();
    check_every_value_has_a_row(CHART, &wholes, &[], &[groups().concat(), vec![ENVIRONMENT]].concat());
}

#[test]
fn invalid_values_are_rejected_by_name() {
    let rows = [
        ("global.environment", "\"Staging\"", "environment"),
        ("global.externalServices.redis", "{}", "redis"),
        ("global.externalServices.postgres.port", "\"5432\"", "port"),
        ("secrets.apiKey", "\"x\"", "apiKey"),
        ("billing", "{\"enabled\": true}", "billing"),
        ("gateway.enabled", "\"no\"", "enabled"),
        ("gateway.replicas", "3", "replicas"),
        ("healthMonitor.image.repository", "\"a:b\"", "repository"),
    ];
    refusals::check(CHART, &rows);
}
