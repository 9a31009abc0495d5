//! What values.schema.json rejects.

use super::{CHART, defaults};
use crate::helm::HELMS;
use crate::refusals;

#[test]
fn invalid_values_are_rejected_by_name() {
    let rows = [
        ("replicaCount", "\"three\"", "replicaCount"),
        ("replicaCount", "-1", "replicaCount"),
        ("replicas", "3", "replicas"),
        ("image.repository", "\"caesium:v1\"", "repository"),
        ("image.tag", "\"a b\"", "tag"),
        ("image.pullPolicy", "\"Sometimes\"", "pullPolicy"),
        ("config.port", "0", "port"),
        ("config.port", "\"8080\"", "port"),
        ("config.nodeAddress", "\"hostname\"", "nodeAddress"),
        ("config.databaseType", "\"mysql\"", "databaseType"),
        ("config.databaseNodes", "\"a\"", "databaseNodes"),
        ("config.extraEnv", "[{\"key\": \"A\"}]", "extraEnv"),
        ("discovery.absentSeconds", "0", "absentSeconds"),
        ("persistence.size", "\"1 GB\"", "size"),
        ("persistence.accessModes", "[]", "accessModes"),
        ("service.type", "\"ExternalName\"", "type"),
        ("ingress.hosts", "[{\"host\": \"a\"}]", "paths"),
        ("podDisruptionBudget.minAvailable", "\"half\"", "minAvailable"),
        ("podManagementPolicy", "\"Serial\"", "podManagementPolicy"),
        ("livenessProbe.failureTreshold", "3", "failureTreshold"),
        ("podAnnotations", "{\"a\": 1}", "podAnnotations"),
    ];
    refusals::check(CHART, &rows);
}

#[test]
fn two_handlers_in_one_probe_are_rejected() {
    let http = defaults().value("livenessProbe.httpGet", "{\"path\": \"/health\", \"port\": \"http\"}");
    let refused = http.text(&HELMS[0]).expect_err("merged with the default's tcpSocket");
    assert!(refused.contains("livenessProbe has 2 handlers (httpGet, tcpSocket)"), "{refused}");
    http.value("livenessProbe.tcpSocket", "null").text(&HELMS[0]).expect("the default's handler is gone");
}

#[test]
fn a_parent_charts_global_values_are_accepted() {
    defaults().value("global", "{\"region\": \"x\"}").text(&HELMS[0]).expect("global values are not the chart's");
}
