//! What the services' charts add to the chart for web services.

use super::{CUSTOMER, ORDER, SERVER, SERVICES};
use crate::effects::{Alone, check_alone, check_every_value_has_a_row, check_together};
use crate::helm::HELMS;
use crate::manifests::at;

const SERVER_ROWS: &[Alone] = &[
    ("server.fullnameOverride", r#""front""#, "Deployment", "metadata.name", r#""front""#),
    ("server.image.repository", r#""stand-in""#, "Deployment", "CONTAINER.image", r#""stand-in:1.0.0""#),
    ("server.image.tag", r#""dev""#, "Deployment", "CONTAINER.image", r#""everything/server:dev""#),
    ("server.replicaCount", "2", "Deployment", "spec.replicas", "2"),
    ("server.config.LOG_LEVEL", r#""debug""#, "Deployment", "ENV[LOG_LEVEL].value", r#""debug""#),
    ("server.config.ORDER_SERVICE_ADDRESS", r#""o:1""#, "Deployment", "ENV[ORDER_SERVICE_ADDRESS].value", r#""o:1""#),
    (
        "server.config.CUSTOMER_SERVICE_ADDRESS",
        r#""c:1""#,
        "Deployment",
        "ENV[CUSTOMER_SERVICE_ADDRESS].value",
        r#""c:1""#,
    ),
    ("server.config.VALKEY_ADDRESS", r#""v:1""#, "Deployment", "ENV[VALKEY_ADDRESS].value", r#""v:1""#),
    ("server.config.OTEL_EXPORTER_OTLP_ENDPOINT", r#""o""#, "Deployment", OTEL, r#""o""#),
    ("server.podDisruptionBudget.enabled", "true", "PodDisruptionBudget", "spec.minAvailable", "1"),
    ("server.resources.requests.cpu", r#""1m""#, "Deployment", "CONTAINER.resources.requests.cpu", r#""1m""#),
    ("server.resources.requests.memory", r#""1Mi""#, "Deployment", "CONTAINER.resources.requests.memory", r#""1Mi""#),
    (
        "global.namespaces.infra",
        r#""i""#,
        "Deployment",
        "ENV[VALKEY_ADDRESS].value",
        r#""valkey.i.svc.cluster.local:6379""#,
    ),
    (
        "global.namespaces.monitoring",
        r#""m""#,
        "Deployment",
        OTEL,
        r#""http://otel-collector.m.svc.cluster.local:4317""#,
    ),
];
const OTEL: &str = "ENV[OTEL_EXPORTER_OTLP_ENDPOINT].value";

/// What orders and customers have in common, with `ALIAS` for their alias and `BROKER` for the broker's values.
const WITH_DATABASE: &[Alone] = &[
    ("ALIAS.fullnameOverride", r#""x""#, "Deployment", "metadata.name", r#""x""#),
    ("ALIAS.fullnameOverride", r#""x""#, "Job", "metadata.name", r#""x-migration""#),
    ("ALIAS.image.repository", r#""stand-in""#, "Deployment", "CONTAINER.image", r#""stand-in:1.0.0""#),
    ("ALIAS.image.tag", r#""dev""#, "Job", "CONTAINER.image", r#""everything/ALIAS-service:dev""#),
    ("ALIAS.replicaCount", "2", "Deployment", "spec.replicas", "2"),
    ("ALIAS.containerPort", "8080", "Deployment", "CONTAINER.ports[http].containerPort", "8080"),
    ("ALIAS.service.port", "80", "Service", "spec.ports[http].port", "80"),
    ("ALIAS.config.LOG_LEVEL", r#""debug""#, "Deployment", "ENV[LOG_LEVEL].value", r#""debug""#),
    ("ALIAS.config.DB_HOST", r#""h""#, "Deployment", "ENV[DB_HOST].value", r#""h""#),
    ("ALIAS.config.DB_HOST", r#""h""#, "Job", "ENV[DB_HOST].value", r#""h""#),
    ("ALIAS.config.DB_NAME", r#""n""#, "Job", "ENV[DB_NAME].value", r#""n""#),
    ("ALIAS.config.DB_USER", r#""u""#, "Job", "ENV[DB_USER].value", r#""u""#),
    ("ALIAS.config.DB_POOL_SIZE", "7", "Deployment", "ENV[DB_POOL_SIZE].value", r#""7""#),
    ("ALIAS.config.BROKER", r#""b""#, "Deployment", "ENV[BROKER].value", r#""b""#),
    ("ALIAS.config.OTEL_EXPORTER_OTLP_ENDPOINT", r#""o""#, "Deployment", OTEL, r#""o""#),
    ("ALIAS.secrets.DB_PASSWORD.name", r#""s""#, "Job", "ENV[DB_PASSWORD].valueFrom.secretKeyRef.name", r#""s""#),
    ("ALIAS.secrets.DB_PASSWORD.key", r#""k""#, "Deployment", "ENV[DB_PASSWORD].valueFrom.secretKeyRef.key", r#""k""#),
    ("ALIAS.migration.enabled", "false", "Job", "kind", "null"),
    ("ALIAS.migration.command", r#"["m"]"#, "Job", "CONTAINER.command", r#"["m"]"#),
    ("ALIAS.migration.args", r#"["a"]"#, "Job", "CONTAINER.args", r#"["a"]"#),
    ("ALIAS.migration.backoffLimit", "0", "Job", "spec.backoffLimit", "0"),
    ("ALIAS.podDisruptionBudget.enabled", "true", "PodDisruptionBudget", "spec.minAvailable", "1"),
    ("ALIAS.resources.requests.cpu", r#""1m""#, "Deployment", "CONTAINER.resources.requests.cpu", r#""1m""#),
    ("ALIAS.resources.requests.memory", r#""1Mi""#, "Deployment", "CONTAINER.resources.requests.memory", r#""1Mi""#),
    ("global.namespaces.infra", r#""i""#, "Job", "ENV[DB_HOST].value", r#""postgresql.i.svc.cluster.local""#),
    (
        "global.namespaces.monitoring",
        r#""m""#,
        "Deployment",
        OTEL,
        r#""http://otel-collector.m.svc.cluster.local:4317""#,
    ),
];

fn with_database(alias: &str, broker: &str) -> Vec<Alone> {
    let filled = |text: &str| -> &'static str { text.replace("ALIAS", alias).replace("BROKER", broker).leak() };
    let rows = WITH_DATABASE.iter();
    rows.map(|(value, set, object, at, want)| (filled(value), *set, *object, filled(at), filled(want))).collect()
}

#[test]
fn every_value_takes_effect() {
    let rows = [
        (SERVER, SERVER_ROWS.to_vec()),
        (ORDER, with_database("order", "TEMPORAL_ADDRESS")),
        (CUSTOMER, with_database("customer", "KAFKA_BROKERS")),
    ];
    for (chart, rows) in rows {
        // Values that do not affect each other are set at once.
        let by_itself = |row: &Alone| ["image", "global", "enabled"].iter().any(|part| row.0.contains(part));
        let (alone, together): (Vec<_>, Vec<_>) = rows.iter().partition(|row| by_itself(row));
        check_alone(chart, &alone);
        check_together(chart, &[together]);
        check_every_value_has_a_row(chart, &[], &[], &rows);
    }
}

#[test]
fn values_of_no_service_are_rejected() {
    for (chart, alias) in SERVICES {
        for (value, words) in [("orders", "orders"), ("global.namespaces.infrastructure", "infrastructure")] {
            let refused = chart.render().value(value, "{}").text(&HELMS[0]).expect_err(value);
            assert!(refused.contains(words), "{refused}");
        }
        let misspelt = format!("{alias}.replicas");
        let refused = chart.render().value(&misspelt, 1).text(&HELMS[0]).expect_err(&misspelt);
        assert!(refused.contains("replicas"), "{refused}");
    }
}

#[test]
fn one_image_serves_every_service_and_its_migration() {
    let stand_in = r#"{"repository":"stand-in","tag":"dev"}"#;
    for (chart, _) in SERVICES {
        let rendered = chart.render().value("global.image", stand_in).manifests();
        for kind in ["Deployment", "Job"].iter().filter_map(|kind| rendered.find(kind)) {
            assert_eq!(at(kind, "spec.template.spec.containers[0].image"), "stand-in:dev");
        }
    }
}

#[test]
fn the_notes_name_the_commands_for_checking_a_release() {
    for (chart, alias) in SERVICES {
        let notes = chart.render().notes();
        assert!(notes.contains(&format!("rollout status deployment/{alias}")), "{notes}");
        assert_eq!(notes.contains(&format!("logs job/{alias}-migration")), alias != "server", "{notes}");
    }
}
