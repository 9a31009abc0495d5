//! What values.schema.json rejects.

use super::{CHART, defaults};
use crate::helm::HELMS;
use crate::refusals;

#[test]
fn invalid_values_are_rejected_by_name() {
    let rows = [
        ("image.repository", "\"app:v1\"", "repository"),
        ("global.image.repository", "\"app:v1\"", "repository"),
        ("replicaCount", "-1", "replicaCount"),
        ("replicas", "3", "replicas"),
        ("config.PORT", "[8080]", "PORT"),
        ("secrets.DSN", "{\"name\": \"db\"}", "key"),
        ("env", "[{\"key\": \"A\"}]", "env"),
        ("service.type", "\"ExternalName\"", "type"),
        ("service.extraPorts", "[{\"name\": \"Silo\", \"port\": 1}]", "extraPorts"),
        ("ingress", "{\"enabled\": true}", "hosts"),
        ("ingress.hosts", "[{\"host\": \"a\"}]", "paths"),
        ("livenessProbe.failureTreshold", "3", "failureTreshold"),
        ("autoscaling.minReplicas", "0", "minReplicas"),
        ("podDisruptionBudget.minAvailable", "\"half\"", "minAvailable"),
        ("migration.hookDeletePolicy", "\"never\"", "hookDeletePolicy"),
        ("waitFor", "[{\"name\": \"db\", \"url\": \"db:5432\"}]", "url"),
        ("tests.path", "\"health\"", "path"),
        ("antiAffinity", "\"soft\"", "antiAffinity"),
    ];
    refusals::check(CHART, &rows);
}

#[test]
fn a_parent_charts_global_values_are_accepted() {
    defaults().value("global", "{\"region\": \"x\"}").text(&HELMS[0]).expect("global values are not the chart's");
}
