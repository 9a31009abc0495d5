//! Custom resources with kubectl, kube-rs, and helm with a chart that has `crds/`.

use std::path::Path;

use kube::api::{DynamicObject, ListParams, Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::discovery;
use kube::runtime::wait::{await_condition, conditions};
use serde_json::{Value, json};
use tools::Name;

use super::{Client, kube_rs};
use crate::support::Api;

const DEFINITION: &str = r"
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {kind: Widget, plural: widgets, shortNames: [wd], categories: [all]}
  versions:
    - name: v1
      served: true
      storage: true
      subresources: {status: {}, scale: {specReplicasPath: .spec.size, statusReplicasPath: .status.size}}
      additionalPrinterColumns:
        - {name: Size, type: integer, jsonPath: .spec.size}
      schema:
        openAPIV3Schema:
          type: object
          description: A widget.
          properties:
            spec:
              type: object
              required: [size]
              properties:
                size: {type: integer, maximum: 9, description: How large it is.}
                color: {type: string, default: red}
            status:
              type: object
              properties: {size: {type: integer}}
";

fn widget(size: &str) -> String {
    format!("{{apiVersion: example.com/v1, kind: Widget, metadata: {{name: a}}, spec: {{size: {size}}}}}")
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_works_with_custom_resources() {
    let api = Api::start();
    let kubectl = Client::of(&api, Name::Kubectl, None).await;
    let unknown = kubectl.fail("apply -f -", &widget("1")).await;
    assert!(unknown.contains("no matches for kind \"Widget\" in version \"example.com/v1\""), "{unknown}");
    kubectl.feed("apply -f -", DEFINITION).await;
    kubectl.run("wait crd/widgets.example.com --for=condition=Established --timeout=20s").await;
    assert_eq!(kubectl.feed("apply -f -", &widget("1")).await, "widget.example.com/a created\n");
    assert_eq!(kubectl.feed("apply -f -", &widget("1")).await, "widget.example.com/a unchanged\n");
    assert_eq!(kubectl.feed("apply -f -", &widget("2")).await, "widget.example.com/a configured\n");
    let refused = kubectl.fail("apply -f -", &widget("10")).await;
    let wanted = "spec.size: Invalid value: 10: spec.size in body should be less than or equal to 9";
    assert!(refused.contains(wanted), "{refused}");
    let strict = kubectl.fail("apply -f -", &widget("1, sise: 2")).await;
    assert!(strict.contains("strict decoding error: unknown field \"spec.sise\""), "{strict}");
    let shown = kubectl.run("get wd").await;
    let words: Vec<&str> = shown.split_whitespace().collect();
    assert_eq!(words[..4], ["NAME", "SIZE", "a", "2"], "{shown}");
    assert!(kubectl.run("get all").await.contains("widget.example.com/a"));
    kubectl.run("scale widget a --replicas=5").await;
    assert_eq!(kubectl.run("get widget a -o jsonpath={.spec}").await, "{\"color\":\"red\",\"size\":5}");
    assert!(kubectl.run("explain widget.spec.size").await.contains("How large it is."));
    assert!(kubectl.run("get apiservice v1.example.com").await.contains("Local"));
    kubectl.run("delete crd widgets.example.com --timeout=20s").await;
    // kubectl still has the kind in its cache of discovery.
    let gone = kubectl.fail("get widgets", "").await;
    assert!(gone.contains("the server could not find the requested resource"), "{gone}");
}

#[tokio::test]
async fn kube_rs_works_with_custom_resources() {
    let api = Api::start();
    let client = kube_rs::client(&api).await;
    let definition: k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition =
        serde_json::from_value(serde_saphyr::from_str(DEFINITION).unwrap()).unwrap();
    let definitions: kube::Api<_> = kube::Api::all(client.clone());
    let params = PatchParams::apply("test");
    definitions.patch("widgets.example.com", &params, &Patch::Apply(&definition)).await.unwrap();
    let established = await_condition(definitions, "widgets.example.com", conditions::is_crd_established());
    tokio::time::timeout(std::time::Duration::from_secs(20), established).await.unwrap().unwrap();
    let kind = GroupVersionKind::gvk("example.com", "v1", "Widget");
    let (resource, _) = discovery::pinned_kind(&client, &kind).await.unwrap();
    let widgets: kube::Api<DynamicObject> = kube::Api::default_namespaced_with(client, &resource);
    let widget: Value = serde_saphyr::from_str(&widget("3")).unwrap();
    let applied = widgets.patch("a", &params, &Patch::Apply(&widget)).await.unwrap();
    assert_eq!(applied.data["spec"], json!({"size": 3, "color": "red"}));
    widgets.patch_status("a", &params, &Patch::Merge(json!({"status": {"size": 2}}))).await.unwrap();
    assert_eq!(widgets.get_scale("a").await.unwrap().status.unwrap().replicas, 2);
    assert_eq!(widgets.list(&ListParams::default()).await.unwrap().items.len(), 1);
    let refused = widgets.patch("a", &PatchParams::default(), &Patch::Merge(json!({"spec": {"size": null}}))).await;
    assert!(refused.unwrap_err().to_string().contains("spec.size: Required value"));
}

/// Writes a chart with a definition in `crds/` and a custom resource.
fn chart(folder: &Path) -> String {
    let files = [
        ("Chart.yaml", "{apiVersion: v2, name: widget, version: 0.1.0}".to_owned()),
        ("values.yaml", "{size: 3}".to_owned()),
        ("crds/widgets.yaml", DEFINITION.to_owned()),
        ("templates/widget.yaml", widget("{{ .Values.size }}")),
    ];
    for (name, text) in files {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    folder.display().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn helm_installs_definitions_first() {
    let api = Api::start();
    let helm = Client::of(&api, Name::Helm, Some("4.1.4")).await;
    let folder = tempfile::tempdir().unwrap();
    let chart = chart(folder.path());
    let unknown = helm.fail(&format!("install a {chart} --skip-crds"), "").await;
    assert!(unknown.contains("no matches for kind \"Widget\" in version \"example.com/v1\""), "{unknown}");
    helm.run(&format!("install a {chart}")).await;
    let size = async || {
        api.call("GET", "/apis/example.com/v1/namespaces/default/widgets/a", None).await.1["spec"]["size"].clone()
    };
    assert_eq!(size().await, 3);
    helm.run(&format!("upgrade a {chart} --set size=4")).await;
    assert_eq!(size().await, 4);
    let refused = helm.fail(&format!("upgrade a {chart} --set size=10"), "").await;
    assert!(refused.contains("spec.size in body should be less than or equal to 9"), "{refused}");
    helm.run("uninstall a").await;
    assert_eq!(size().await, Value::Null);
    let definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/widgets.example.com";
    assert_eq!(api.call("GET", definitions, None).await.0, 200, "helm keeps definitions");
}
