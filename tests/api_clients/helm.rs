//! The whole life of a helm release, with helm 4 (server-side apply) and helm 3 (client-side patches).

use std::path::Path;

use serde_json::Value;
use tools::Name;

use super::{Client, chart};
use crate::support::Api;

const SETS: &str = "/apis/apps/v1/namespaces/default/statefulsets/web";

async fn replicas(api: &Api) -> Value {
    api.call("GET", SETS, None).await.1["spec"]["replicas"].clone()
}

async fn a_release_lives(version: &str) {
    let api = Api::start();
    let helm = Client::of(&api, Name::Helm, Some(version)).await;
    let chart = chart();
    helm.run(&format!("install web {chart}")).await;
    let (_, installed) = api.call("GET", SETS, None).await;
    assert_eq!(installed["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["cpu"], "500m");
    helm.run(&format!("upgrade web {chart} --set replicas=3")).await;
    assert_eq!(replicas(&api).await, 3);
    assert_eq!(api.call("GET", SETS, None).await.1["metadata"]["generation"], 2);
    helm.run(&format!("upgrade web {chart} --set replicas=3")).await;
    assert_eq!(
        api.call("GET", SETS, None).await.1["metadata"]["generation"],
        2,
        "an unchanged upgrade changes nothing"
    );
    helm.run("rollback web 1").await;
    assert_eq!(replicas(&api).await, 1);
    let listed: Value = serde_json::from_str(&helm.run("list -o json").await).unwrap();
    assert_eq!((&listed[0]["name"], &listed[0]["revision"]), (&"web".into(), &"4".into()));
    assert!(helm.run("status web").await.contains("STATUS: deployed"));
    let history: Value = serde_json::from_str(&helm.run("history web -o json").await).unwrap();
    assert_eq!(history.as_array().unwrap().len(), 4);
    helm.run("uninstall web").await;
    assert_eq!(api.call("GET", SETS, None).await.0, 404);
    let (_, secrets) = api.call("GET", "/api/v1/namespaces/default/secrets", None).await;
    assert_eq!(secrets["items"].as_array().unwrap().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn helm_4_manages_a_release() {
    a_release_lives("4.1.4").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn helm_3_manages_a_release() {
    a_release_lives("3.17.3").await;
}

/// Installs a chart with one object of each kind that charts usually contain, after a dry run.
async fn kinds_are_accepted(version: &str) {
    let api = Api::start();
    let helm = Client::of(&api, Name::Helm, Some(version)).await;
    let chart = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/api_clients/kinds").display().to_string();
    let shown = helm.run(&format!("install all {chart} --dry-run=server")).await;
    assert!(shown.contains("kind: ValidatingWebhookConfiguration") && !shown.contains("kind: PodMonitor"), "{shown}");
    let webhooks = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/all";
    assert_eq!(api.call("GET", webhooks, None).await.0, 404, "a dry run creates nothing");
    helm.run(&format!("install all {chart}")).await;
    assert_eq!(api.call("GET", webhooks, None).await.0, 200);
    helm.run(&format!("upgrade all {chart}")).await;
    helm.run("uninstall all").await;
    assert_eq!(api.call("GET", webhooks, None).await.0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn helm_4_installs_every_kind() {
    kinds_are_accepted("4.1.4").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn helm_3_installs_every_kind() {
    kinds_are_accepted("3.17.3").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn helm_creates_a_namespace() {
    let api = Api::start();
    let helm = Client::of(&api, Name::Helm, Some("4.1.4")).await;
    helm.run(&format!("install web {} --namespace shop --create-namespace", chart())).await;
    assert_eq!(api.call("GET", "/apis/apps/v1/namespaces/shop/statefulsets/web", None).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_of_another_manager_are_a_conflict_for_helm_4() {
    let api = Api::start();
    let helm = Client::of(&api, Name::Helm, Some("4.1.4")).await;
    helm.run(&format!("install web {}", chart())).await;
    api.patch(&format!("{SETS}/scale?fieldManager=kubectl"), "merge", &serde_json::json!({"spec": {"replicas": 5}}))
        .await;
    let refused = helm.fail(&format!("upgrade web {} --set replicas=2", chart()), "").await;
    assert!(refused.contains("conflict with \"kubectl\" with subresource \"scale\""), "{refused}");
    helm.run(&format!("upgrade web {} --set replicas=2 --force-conflicts", chart())).await;
    assert_eq!(replicas(&api).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn helm_shows_the_servers_error() {
    let api = Api::start();
    let helm = Client::of(&api, Name::Helm, Some("4.1.4")).await;
    let refused = helm.fail(&format!("install web {} --set replicas=-1", chart()), "").await;
    assert!(refused.contains("spec.replicas: Invalid value: -1: must be greater than or equal to 0"), "{refused}");
}
