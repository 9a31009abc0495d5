//! kubectl's commands that need no node.

use serde_json::{Value, json};
use tools::Name;

use super::Client;
use crate::support::Api;

fn config_map(value: &str) -> String {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"key": value}}).to_string()
}

const DEPLOYMENT: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: main, image: 'busybox:1'}]}
";

async fn kubectl(api: &Api) -> Client {
    Client::of(api, Name::Kubectl, None).await
}

#[tokio::test(flavor = "multi_thread")]
async fn apply_works_first_client_side_then_server_side() {
    let api = Api::start();
    let kubectl = kubectl(&api).await;
    assert_eq!(kubectl.feed("apply -f -", &config_map("one")).await, "configmap/a created\n");
    assert_eq!(kubectl.feed("apply -f -", &config_map("one")).await, "configmap/a unchanged\n");
    assert_eq!(
        kubectl.feed("apply -f - --dry-run=server", &config_map("two")).await,
        "configmap/a configured (server dry run)\n"
    );
    assert_eq!(kubectl.feed("apply -f -", &config_map("two")).await, "configmap/a configured\n");
    assert_eq!(kubectl.run("get cm a -o jsonpath={.data.key}").await, "two");
    assert_eq!(
        kubectl.feed("apply --server-side -f -", &config_map("three")).await,
        "configmap/a serverside-applied\n"
    );
    let other = "apply --server-side --field-manager=other -f -";
    let refused = kubectl.fail(other, &config_map("four")).await;
    assert!(refused.contains("conflict with \"kubectl\": .data.key"), "{refused}");
    kubectl.feed("apply --server-side --field-manager=other --force-conflicts -f -", &config_map("four")).await;
    let shown = kubectl.feed("diff -f -", &config_map("four")).await;
    assert!(!shown.contains("key: "), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_field_is_rejected_by_name() {
    let api = Api::start();
    let kubectl = kubectl(&api).await;
    let refused = kubectl.fail("create -f -", &DEPLOYMENT.replace("image:", "imige: x, image:")).await;
    assert!(refused.contains("unknown field \"spec.template.spec.containers[0].imige\""), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_that_changes_a_deployment_works() {
    let api = Api::start();
    let kubectl = kubectl(&api).await;
    kubectl.feed("create -f -", DEPLOYMENT).await;
    kubectl.run("scale deployment web --replicas=3").await;
    kubectl.run("label deployment web tier=front").await;
    kubectl.run("annotate deployment web note=yes").await;
    kubectl.run("set image deployment/web main=busybox:2").await;
    kubectl.run("set env deployment/web A=b").await;
    kubectl.run("rollout restart deployment web").await;
    let shown: Value = serde_json::from_str(&kubectl.run("get deployment web -o json").await).unwrap();
    let container = &shown["spec"]["template"]["spec"]["containers"][0];
    assert_eq!((&shown["spec"]["replicas"], &container["image"]), (&3.into(), &"busybox:2".into()));
    assert_eq!((&container["env"][0]["value"], &shown["metadata"]["labels"]["tier"]), (&"b".into(), &"front".into()));
    assert_eq!(shown["metadata"]["generation"], 5);
    assert!(kubectl.run("describe deployment web").await.contains("StrategyType:           RollingUpdate"));
    kubectl.run("delete deployment web --timeout=20s").await;
    assert!(kubectl.fail("get deployment web", "").await.contains("deployments.apps \"web\" not found"));
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_have_kubectls_usual_columns() {
    let api = Api::start();
    let kubectl = kubectl(&api).await;
    kubectl.feed("create -f -", DEPLOYMENT).await;
    kubectl.run("run one --image=busybox:1").await;
    let columns = async |line: &str| {
        let shown = kubectl.run(line).await;
        shown.lines().next().unwrap_or_default().split_whitespace().map(str::to_owned).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(columns("get pods").await, "NAME READY STATUS RESTARTS AGE");
    assert_eq!(columns("get deployments").await, "NAME READY UP-TO-DATE AVAILABLE AGE");
    assert_eq!(columns("get services").await, "NAME TYPE CLUSTER-IP EXTERNAL-IP PORT(S) AGE");
    assert_eq!(columns("get namespaces").await, "NAME STATUS AGE");
    assert_eq!(
        columns("get storageclasses").await,
        "NAME PROVISIONER RECLAIMPOLICY VOLUMEBINDINGMODE ALLOWVOLUMEEXPANSION AGE"
    );
    assert!(kubectl.run("get pods one").await.contains("one    0/1     Pending   0"));
    assert!(kubectl.run("get all").await.contains("deployment.apps/web"));
    let resources = kubectl.run("api-resources").await;
    let sets = resources.lines().find(|line| line.starts_with("statefulsets")).unwrap();
    let columns: Vec<&str> = sets.split_whitespace().collect();
    assert_eq!(columns, ["statefulsets", "sts", "apps/v1", "true", "StatefulSet"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn wait_and_delete_work() {
    let api = Api::start();
    let kubectl = kubectl(&api).await;
    kubectl.run("run one --image=busybox:1").await;
    kubectl.run("wait pod/one --for=jsonpath={.status.phase}=Pending --timeout=20s").await;
    let late = kubectl.fail("wait pod/one --for=condition=Ready --timeout=1s", "").await;
    assert!(late.contains("timed out waiting for the condition on pods/one"), "{late}");
    kubectl.run("delete pod one --timeout=20s").await;
    kubectl.run("wait pod/one --for=delete --timeout=20s").await;
    assert_eq!(kubectl.run("auth can-i create pods").await, "yes\n");
}
