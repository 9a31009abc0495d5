//! What kube-apiserver does to objects, over HTTP: field ownership, generations, subresources, dry runs, graceful
//! deletion, namespaces, reports.

#![expect(clippy::unwrap_used, reason = "a test that can't continue fails")]

mod support;

use serde_json::{Value, json};
use support::{Api, document};

const PODS: &str = "/api/v1/namespaces/default/pods";
const SETS: &str = "/apis/apps/v1/namespaces/default/statefulsets";

#[expect(clippy::needless_pass_by_value, reason = "the argument is a literal")]
fn pod(spec: Value) -> Value {
    let mut pod = json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "main", "image": "i"}]}});
    for (field, value) in spec.as_object().unwrap() {
        pod["spec"][field] = value.clone();
    }
    pod
}

fn set() -> Value {
    json!({
        "metadata": {"name": "s"},
        "spec": {
            "serviceName": "s", "selector": {"matchLabels": {"app": "s"}},
            "template": {
                "metadata": {"labels": {"app": "s"}},
                "spec": {"containers": [{"name": "main", "image": "i"}]},
            },
        },
    })
}

#[tokio::test]
async fn requests_without_the_token_are_unauthorized() {
    let api = Api::start();
    let (code, answer) = document(api.anonymous("/api/v1/namespaces").send().await.unwrap()).await;
    assert_eq!((code, &answer["reason"]), (401, &json!("Unauthorized")));
}

#[tokio::test]
async fn discovery_is_cached_by_its_etag() {
    let api = Api::start();
    let accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json";
    let first = api.request("GET", "/apis").header("accept", accept).send().await.unwrap();
    assert_eq!(first.headers()["content-type"], "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList");
    let etag = first.headers()["etag"].clone();
    let again = api.request("GET", "/apis").header("accept", accept).header("if-none-match", etag);
    assert_eq!(again.send().await.unwrap().status(), 304);
    let (_, legacy) = api.call("GET", "/apis/apps/v1", None).await;
    assert!(legacy["resources"].as_array().unwrap().iter().any(|r| r["name"] == "statefulsets/scale"));
}

#[tokio::test]
async fn a_changed_spec_raises_the_generation_and_the_status_is_a_subresource() {
    let api = Api::start();
    let created = api.create(SETS, &set()).await;
    assert_eq!(created["metadata"]["generation"], 1);
    let one = format!("{SETS}/s");
    let (_, scaled) = api.patch(&one, "merge", &json!({"spec": {"replicas": 2}, "status": {"replicas": 9}})).await;
    assert_eq!((&scaled["metadata"]["generation"], &scaled["status"]["replicas"]), (&json!(2), &json!(0)));
    let status = json!({"spec": {"replicas": 7}, "status": {"replicas": 2}});
    let (_, written) = api.patch(&format!("{one}/status"), "merge", &status).await;
    assert_eq!((&written["metadata"]["generation"], &written["status"]["replicas"]), (&json!(2), &json!(2)));
    assert_eq!(written["spec"]["replicas"], 2);
    let (_, scale) = api.patch(&format!("{one}/scale"), "merge", &json!({"spec": {"replicas": 3}})).await;
    assert_eq!((&scale["spec"]["replicas"], &scale["status"]["selector"]), (&json!(3), &json!("app=s")));
}

#[tokio::test]
async fn a_write_without_changes_keeps_the_version() {
    let api = Api::start();
    let created = api.create(SETS, &set()).await;
    let (_, again) = api.patch(&format!("{SETS}/s"), "strategic-merge", &json!({"spec": {"replicas": 1}})).await;
    assert_eq!(again["metadata"]["resourceVersion"], created["metadata"]["resourceVersion"]);
}

#[tokio::test]
async fn a_dry_run_writes_nothing() {
    let api = Api::start();
    let (code, answer) = api.call("POST", &format!("{SETS}?dryRun=All"), Some(&set())).await;
    assert_eq!((code, &answer["spec"]["podManagementPolicy"]), (201, &json!("OrderedReady")));
    assert_eq!(api.call("GET", &format!("{SETS}/s"), None).await.0, 404);
    api.create(SETS, &set()).await;
    let one = format!("{SETS}/s?dryRun=All");
    assert_eq!(api.patch(&one, "merge", &json!({"spec": {"replicas": 5}})).await.1["spec"]["replicas"], 5);
    assert_eq!(api.call("DELETE", &one, None).await.0, 200);
    assert_eq!(api.call("GET", &format!("{SETS}/s"), None).await.1["spec"]["replicas"], 1);
}

#[tokio::test]
async fn what_the_node_does_not_support_is_only_refused_if_it_would_run() {
    let api = Api::start();
    let mut sharing = set();
    sharing["spec"]["template"]["spec"]["shareProcessNamespace"] = true.into();
    assert_eq!(api.call("POST", &format!("{SETS}?dryRun=All"), Some(&sharing)).await.0, 201);
    let (code, refused) = api.call("POST", SETS, Some(&sharing)).await;
    assert_eq!(code, 422);
    assert!(
        refused["message"].as_str().unwrap().contains("shareProcessNamespace: Forbidden: not supported"),
        "{refused}"
    );
    sharing["spec"]["replicas"] = (-1).into();
    assert_eq!(api.call("POST", &format!("{SETS}?dryRun=All"), Some(&sharing)).await.0, 422, "invalid anywhere");
}

#[tokio::test]
async fn applying_scale_and_then_the_object_is_a_conflict() {
    let api = Api::start();
    let mut applied = set();
    applied["apiVersion"] = "apps/v1".into();
    applied["kind"] = "StatefulSet".into();
    applied["spec"]["replicas"] = 1.into();
    let one = format!("{SETS}/s?fieldManager=helm");
    assert_eq!(api.patch(&one, "apply", &applied).await.0, 201);
    let scale = format!("{SETS}/s/scale?fieldManager=kubectl");
    assert_eq!(api.patch(&scale, "merge", &json!({"spec": {"replicas": 3}})).await.0, 200);
    let (code, refused) = api.patch(&one, "apply", &applied).await;
    assert_eq!(code, 409);
    let message = refused["message"].as_str().unwrap();
    assert!(
        message.starts_with("Apply failed with 1 conflict: conflict with \"kubectl\" with subresource \"scale\""),
        "{message}"
    );
    let (code, forced) = api.patch(&format!("{one}&force=true"), "apply", &applied).await;
    assert_eq!((code, &forced["spec"]["replicas"]), (200, &json!(1)));
}

#[tokio::test]
async fn unknown_fields_are_rejected_warned_of_or_dropped() {
    let api = Api::start();
    let object = json!({"metadata": {"name": "a"}, "nosuch": 1});
    let path = "/api/v1/namespaces/default/configmaps";
    let post = |query: &str| api.request("POST", &format!("{path}?dryRun=All&{query}")).body(object.to_string());
    assert_eq!(post("fieldValidation=Strict").send().await.unwrap().status(), 400);
    let warned = post("fieldValidation=Warn").send().await.unwrap();
    assert_eq!(warned.headers()["warning"], "299 - \"unknown field \\\"nosuch\\\"\"");
    assert!(post("fieldValidation=Ignore").send().await.unwrap().headers().get("warning").is_none());
    let apply = json!({"apiVersion": "v1", "kind": "ConfigMap", "nosuch": 1});
    let (code, refused) = api.patch(&format!("{path}/a?fieldManager=m"), "apply", &apply).await;
    let wanted =
        "failed to create typed patch object (default/a; /v1, Kind=ConfigMap): .nosuch: field not declared in schema";
    assert_eq!((code, refused["message"].as_str().unwrap()), (500, wanted));
}

#[tokio::test]
async fn a_pod_with_a_node_has_a_grace_period() {
    let api = Api::start();
    api.create(PODS, &pod(json!({"terminationGracePeriodSeconds": 7}))).await;
    let binding = json!({"target": {"kind": "Node", "name": "n"}});
    assert_eq!(api.call("POST", &format!("{PODS}/p/binding"), Some(&binding)).await.0, 201);
    let (_, marked) = api.call("DELETE", &format!("{PODS}/p"), None).await;
    assert_eq!(marked["metadata"]["deletionGracePeriodSeconds"], 7);
    let now = json!({"gracePeriodSeconds": 0});
    assert_eq!(api.call("DELETE", &format!("{PODS}/p"), Some(&now)).await.0, 200);
    assert_eq!(api.call("GET", &format!("{PODS}/p"), None).await.0, 404);
}

#[tokio::test]
async fn foreground_deletion_waits_for_its_finalizer() {
    let api = Api::start();
    api.create(SETS, &set()).await;
    let options = json!({"propagationPolicy": "Foreground"});
    let (_, marked) = api.call("DELETE", &format!("{SETS}/s"), Some(&options)).await;
    assert_eq!(marked["metadata"]["finalizers"], json!(["foregroundDeletion"]));
    let (code, _) = api.patch(&format!("{SETS}/s"), "merge", &json!({"metadata": {"finalizers": null}})).await;
    assert_eq!(code, 200);
    assert_eq!(api.call("GET", &format!("{SETS}/s"), None).await.0, 404);
}

#[tokio::test]
async fn a_namespace_is_removed_when_it_is_finalized() {
    let api = Api::start();
    api.create("/api/v1/namespaces", &json!({"metadata": {"name": "n"}})).await;
    let (_, going) = api.call("DELETE", "/api/v1/namespaces/n", None).await;
    assert_eq!(going["status"]["phase"], "Terminating");
    let (code, _) = api.call("PUT", "/api/v1/namespaces/n/finalize", Some(&json!({"metadata": {"name": "n"}}))).await;
    assert_eq!(code, 200);
    assert_eq!(api.call("GET", "/api/v1/namespaces/n", None).await.0, 404);
}

#[tokio::test]
async fn lists_are_paged() {
    let api = Api::start();
    let path = "/api/v1/namespaces/default/configmaps";
    for name in ["a", "b", "c"] {
        api.create(path, &json!({"metadata": {"name": name}})).await;
    }
    let (_, first) = api.call("GET", &format!("{path}?limit=2"), None).await;
    assert_eq!((first["items"].as_array().unwrap().len(), &first["metadata"]["remainingItemCount"]), (2, &json!(1)));
    let token = first["metadata"]["continue"].as_str().unwrap();
    let (_, second) = api.call("GET", &format!("{path}?limit=2&continue={token}"), None).await;
    assert_eq!(second["items"][0]["metadata"]["name"], "c");
    assert!(second["metadata"].get("continue").is_none());
}

#[tokio::test]
async fn a_collection_can_be_deleted_by_its_labels() {
    let api = Api::start();
    let path = "/api/v1/namespaces/default/configmaps";
    for (name, app) in [("a", "x"), ("b", "y")] {
        api.create(path, &json!({"metadata": {"name": name, "labels": {"app": app}}})).await;
    }
    assert_eq!(api.call("DELETE", &format!("{path}?labelSelector=app=x"), None).await.0, 200);
    let (_, left) = api.call("GET", path, None).await;
    assert_eq!(left["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn services_get_addresses_and_keep_them() {
    let api = Api::start();
    let path = "/api/v1/namespaces/default/services";
    let service = |name: &str, spec: Value| json!({"metadata": {"name": name}, "spec": spec});
    let ports = json!([{"port": 80}]);
    let one = api.create(path, &service("one", json!({ "ports": ports }))).await;
    let two = api.create(path, &service("two", json!({"ports": ports, "type": "NodePort"}))).await;
    let none = api.create(path, &service("none", json!({"ports": ports, "clusterIP": "None"}))).await;
    assert_ne!(one["spec"]["clusterIP"], two["spec"]["clusterIP"]);
    assert_eq!((&one["spec"]["ports"][0]["targetPort"], &none["spec"]["clusterIPs"]), (&json!(80), &json!(["None"])));
    let replaced = service("two", json!({"ports": [{"port": 80, "name": "http"}], "type": "NodePort"}));
    let (code, kept) = api.call("PUT", &format!("{path}/two"), Some(&replaced)).await;
    assert_eq!(code, 200, "{kept}");
    assert_eq!(kept["spec"]["clusterIP"], two["spec"]["clusterIP"]);
    assert_eq!(kept["spec"]["ports"][0]["nodePort"], two["spec"]["ports"][0]["nodePort"]);
}

#[tokio::test]
async fn unsupported_fields_are_rejected_by_name() {
    let api = Api::start();
    let refused = [
        ("hostNetwork", json!({"hostNetwork": true})),
        ("hostPID", json!({"hostPID": true})),
        ("hostIPC", json!({"hostIPC": true})),
        ("shareProcessNamespace", json!({"shareProcessNamespace": true})),
        ("hostUsers", json!({"hostUsers": false})),
        ("runtimeClassName", json!({"runtimeClassName": "gvisor"})),
        ("resourceClaims", json!({"resourceClaims": [{"name": "gpu"}]})),
        ("volumes[0].hostPath", json!({"volumes": [{"name": "v", "hostPath": {"path": "/"}}]})),
        ("volumes[0].nfs", json!({"volumes": [{"name": "v", "nfs": {"server": "s", "path": "/"}}]})),
        ("volumes[0].csi", json!({"volumes": [{"name": "v", "csi": {"driver": "d"}}]})),
        ("securityContext.sysctls", json!({"securityContext": {"sysctls": [{"name": "a", "value": "b"}]}})),
        (
            "containers[0].securityContext.privileged",
            json!({"containers": [{"name": "m", "image": "i", "securityContext": {"privileged": true}}]}),
        ),
        (
            "containers[0].ports[0].hostPort",
            json!({"containers": [{"name": "m", "image": "i", "ports": [{"containerPort": 1, "hostPort": 1}]}]}),
        ),
        (
            "containers[0].lifecycle.stopSignal",
            json!({"containers": [{"name": "m", "image": "i", "lifecycle": {"stopSignal": "SIGINT"}}]}),
        ),
    ];
    for (field, spec) in refused {
        let (code, answer) = api.call("POST", PODS, Some(&pod(spec.clone()))).await;
        let wanted = format!("spec.{field}: Forbidden: not supported by the embedded cluster");
        assert_eq!(code, 422, "{field} was accepted: {answer}");
        assert!(answer["message"].as_str().unwrap().contains(&wanted), "{field}: {}", answer["message"]);
        let mut workload = set();
        workload["spec"]["template"]["spec"] = pod(spec)["spec"].clone();
        assert_eq!(api.call("POST", SETS, Some(&workload)).await.0, 422, "{field} in a template");
    }
}

#[tokio::test]
async fn fields_without_effect_are_reported() {
    let api = Api::start();
    api.create(PODS, &pod(json!({"securityContext": {"appArmorProfile": {"type": "RuntimeDefault"}}}))).await;
    let ingress = json!({"metadata": {"name": "i"}, "spec": {"defaultBackend": {"service": {"name": "s", "port": {"number": 80}}}}});
    api.create("/apis/networking.k8s.io/v1/namespaces/default/ingresses", &ingress).await;
    let (_, report) = api.call("GET", "/chartproof/report", None).await;
    assert_eq!(report["inert"], json!(["Ingress default/i"]));
    assert_eq!(report["ignoredFields"], json!(["Pod default/p spec.securityContext.appArmorProfile"]));
}

#[tokio::test]
async fn planted_faults_fail_calls() {
    let api = Api::start();
    let plant = json!([
        {"fault": "apiFails", "code": 429, "message": "slow down", "of": "GET secrets", "times": 1},
        {"fault": "apiFails", "code": 403, "message": "exceeded quota: q", "of": "POST pods"},
    ]);
    assert_eq!(api.call("POST", "/chartproof/faults", Some(&plant)).await.0, 200);
    let busy = api.request("GET", "/api/v1/namespaces/default/secrets").send().await.unwrap();
    assert_eq!((busy.status().as_u16(), busy.headers()["retry-after"].to_str().unwrap()), (429, "1"));
    assert_eq!(api.call("GET", "/api/v1/namespaces/default/secrets", None).await.0, 200);
    let (code, refused) = api.call("POST", PODS, Some(&pod(json!({})))).await;
    assert_eq!((code, &refused["message"]), (403, &json!("exceeded quota: q")));
}
