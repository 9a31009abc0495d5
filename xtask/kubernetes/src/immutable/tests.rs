//! Tests of what an upgrade would be refused, on small manifests; `tests/immutable` has one for each row of the table.

use serde_json::json;

use super::*;

fn stateful_set(name: &str, label: &str) -> Value {
    json!({ "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": { "name": name }, "spec": {
        "volumeClaimTemplates": [{ "metadata": { "name": "data", "labels": { "chart": label } } }] } })
}

fn refused(before: Value, after: Value) -> Vec<String> {
    upgrade(&[before], &[after]).refused.iter().map(ToString::to_string).collect()
}

#[test]
fn a_change_is_named_with_object_field_and_both_values() {
    let found = refused(stateful_set("web", "web-0.1.0"), stateful_set("web", "web-0.2.0"));
    let field = "spec.volumeClaimTemplates[0].metadata.labels.chart";
    assert_eq!(found, [format!("StatefulSet/web: {field} can't be changed from \"web-0.1.0\" to \"web-0.2.0\"")]);
    assert_eq!(refused(stateful_set("web", "a"), stateful_set("web", "a")), [""; 0]);
}

#[test]
fn hooks_are_made_anew() {
    let hook = |image: &str| {
        json!({ "apiVersion": "batch/v1", "kind": "Job", "metadata": { "name": "migrate",
            "annotations": { "helm.sh/hook": "pre-upgrade" } }, "spec": { "template": { "image": image } } })
    };
    assert_eq!(refused(hook("a"), hook("b")), [""; 0]);
}

#[test]
fn a_job_that_its_ttl_removes_is_made_anew() {
    let job = |image: &str, ttl: Value| {
        json!({ "apiVersion": "batch/v1", "kind": "Job", "metadata": { "name": "load" },
            "spec": { "ttlSecondsAfterFinished": ttl, "template": { "spec": { "containers": [{ "image": image }] } } } })
    };
    assert_eq!(refused(job("a", json!(60)), job("b", json!(60))), [""; 0]);
    let field = "spec.template.spec.containers[0].image";
    let wanted = format!("Job/load: {field} can't be changed from \"a\" to \"b\"");
    assert_eq!(refused(job("a", Value::Null), job("b", Value::Null)), [wanted]);
}

#[test]
fn the_values_of_a_secret_are_hidden() {
    let secret = |password: &str| {
        json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "db" }, "immutable": true,
            "stringData": { "password": password } })
    };
    let found = refused(secret("one"), secret("two"));
    assert_eq!(found, ["Secret/db: data.password can't be changed from a hidden value to a hidden value"]);
}

#[test]
fn an_address_that_the_cluster_chose_can_be_left_out_but_not_chosen() {
    let service = |address: Value| json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "name": "web" }, "spec": { "clusterIP": address } });
    assert_eq!(refused(service("10.96.0.9".into()), service(Value::Null)), [""; 0]);
    let found = refused(service(Value::Null), service("None".into()));
    assert_eq!(found, ["Service/web: spec.clusterIP can't be changed from the cluster's choice to \"None\""]);
}

#[test]
fn a_renamed_service_can_t_have_the_port_of_the_one_that_helm_deletes_afterwards() {
    let service = |name: &str, port: Value| {
        json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "name": name },
            "spec": { "ports": [{ "port": 80, "nodePort": port }] } })
    };
    let found = refused(service("old", 30_080.into()), service("new", 30_080.into()));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("Service/new: spec.ports[0].nodePort can't be changed from that of Service/old"));
    assert_eq!(refused(service("old", Value::Null), service("new", Value::Null)), [""; 0]);
}

#[test]
fn a_renamed_stateful_set_loses_its_claims() {
    let found = upgrade(&[stateful_set("old", "a")], &[stateful_set("new", "a")]);
    assert_eq!(found.notes, ["StatefulSet/old is gone, and its claims are not those of StatefulSet/new"]);
    assert_eq!(found.refused, []);
}

#[test]
fn the_api_version_of_an_object_may_change() {
    let budget = |version: &str| {
        json!({ "apiVersion": format!("rbac.authorization.k8s.io/{version}"), "kind": "RoleBinding",
            "metadata": { "name": "web" }, "roleRef": { "name": version } })
    };
    assert_eq!(refused(budget("v1beta1"), budget("v1")).len(), 1);
}
