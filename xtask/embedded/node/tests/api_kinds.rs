//! The built-in kinds: which there are, and what is particular about storing them.

#![expect(clippy::unwrap_used, reason = "a test that can't continue fails")]

mod support;

use serde_json::{Value, json};
use support::Api;

/// Every resource and subresource of a kind cluster of version 1.36.2, after its API group and version.
const RESOURCES: &str = "
v1: bindings componentstatuses configmaps endpoints events limitranges namespaces namespaces/finalize
v1: namespaces/status nodes nodes/proxy nodes/status persistentvolumeclaims persistentvolumeclaims/status
v1: persistentvolumes persistentvolumes/status pods pods/attach pods/binding pods/ephemeralcontainers
v1: pods/eviction pods/exec pods/log pods/portforward pods/proxy pods/resize pods/status podtemplates
v1: replicationcontrollers replicationcontrollers/scale replicationcontrollers/status resourcequotas
v1: resourcequotas/status secrets serviceaccounts serviceaccounts/token services services/proxy
v1: services/status
apiregistration.k8s.io/v1: apiservices apiservices/status
apps/v1: controllerrevisions daemonsets daemonsets/status deployments deployments/scale deployments/status
apps/v1: replicasets replicasets/scale replicasets/status statefulsets statefulsets/scale statefulsets/status
events.k8s.io/v1: events
authentication.k8s.io/v1: selfsubjectreviews tokenreviews
authorization.k8s.io/v1: localsubjectaccessreviews selfsubjectaccessreviews selfsubjectrulesreviews
authorization.k8s.io/v1: subjectaccessreviews
autoscaling/v2: horizontalpodautoscalers horizontalpodautoscalers/status
autoscaling/v1: horizontalpodautoscalers horizontalpodautoscalers/status
batch/v1: cronjobs cronjobs/status jobs jobs/status
certificates.k8s.io/v1: certificatesigningrequests certificatesigningrequests/approval
certificates.k8s.io/v1: certificatesigningrequests/status
networking.k8s.io/v1: ingressclasses ingresses ingresses/status ipaddresses networkpolicies servicecidrs
networking.k8s.io/v1: servicecidrs/status
policy/v1: poddisruptionbudgets poddisruptionbudgets/status
rbac.authorization.k8s.io/v1: clusterrolebindings clusterroles rolebindings roles
storage.k8s.io/v1: csidrivers csinodes csistoragecapacities storageclasses volumeattachments
storage.k8s.io/v1: volumeattachments/status volumeattributesclasses
admissionregistration.k8s.io/v1: mutatingadmissionpolicies mutatingadmissionpolicybindings
admissionregistration.k8s.io/v1: mutatingwebhookconfigurations validatingadmissionpolicies
admissionregistration.k8s.io/v1: validatingadmissionpolicies/status validatingadmissionpolicybindings
admissionregistration.k8s.io/v1: validatingwebhookconfigurations
apiextensions.k8s.io/v1: customresourcedefinitions customresourcedefinitions/status
scheduling.k8s.io/v1: priorityclasses
coordination.k8s.io/v1: leases
node.k8s.io/v1: runtimeclasses
discovery.k8s.io/v1: endpointslices
resource.k8s.io/v1: deviceclasses resourceclaims resourceclaims/status resourceclaimtemplates resourceslices
flowcontrol.apiserver.k8s.io/v1: flowschemas flowschemas/status prioritylevelconfigurations
flowcontrol.apiserver.k8s.io/v1: prioritylevelconfigurations/status
";

/// Resources that the embedded cluster does not have, and why.
const ABSENT: &[(&str, &str)] = &[
    ("bindings", "pods/binding does the same"),
    ("nodes/proxy", "there is no kubelet API"),
    ("pods/proxy", "the API server does not proxy"),
    ("services/proxy", "the API server does not proxy"),
    ("pods/resize", "nothing is resized in place"),
];

#[tokio::test]
async fn discovery_lists_every_resource_of_a_real_server() {
    let api = Api::start();
    for line in RESOURCES.lines().filter(|line| !line.is_empty()) {
        let (version, resources) = line.split_once(": ").unwrap();
        let path = if version.contains('/') { format!("/apis/{version}") } else { format!("/api/{version}") };
        let (code, answer) = api.call("GET", &path, None).await;
        if ["apiextensions.k8s.io/v1", "apiregistration.k8s.io/v1"].contains(&version) && code == 404 {
            continue;
        }
        let listed: Vec<&str> =
            answer["resources"].as_array().unwrap().iter().filter_map(|resource| resource["name"].as_str()).collect();
        let missing = resources.split(' ').filter(|name| !listed.contains(name));
        let missing: Vec<&str> = missing.filter(|name| !ABSENT.iter().any(|(absent, _)| absent == name)).collect();
        assert!(missing.is_empty(), "{version} lacks {missing:?}");
    }
}

/// Returns the objects of a list.
async fn listed(api: &Api, path: &str) -> Vec<Value> {
    api.call("GET", path, None).await.1["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn what_charts_create_for_the_whole_cluster_is_stored_checked_and_listed() {
    let api = Api::start();
    let admission = "/apis/admissionregistration.k8s.io/v1";
    let storage = "/apis/storage.k8s.io/v1";
    let client_config = json!({"service": {"name": "s", "namespace": "default"}});
    let rule = json!({"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]});
    let webhook = json!({
        "name": "w.example.com", "clientConfig": client_config, "admissionReviewVersions": ["v1"],
        "sideEffects": "None", "rules": [rule],
    });
    let table = [
        (format!("{admission}/validatingwebhookconfigurations"), json!({"webhooks": [webhook]})),
        (format!("{admission}/mutatingwebhookconfigurations"), json!({"webhooks": [webhook]})),
        (
            format!("{admission}/validatingadmissionpolicies"),
            json!({"spec": {"matchConstraints": {"resourceRules": [rule]}, "validations": [{"expression": "true"}]}}),
        ),
        (format!("{storage}/csidrivers"), json!({"spec": {}})),
        ("/apis/node.k8s.io/v1/runtimeclasses".to_owned(), json!({"handler": "runc"})),
        ("/apis/scheduling.k8s.io/v1/priorityclasses".to_owned(), json!({"value": 5})),
        ("/api/v1/namespaces/default/podtemplates".to_owned(), json!({"template": {"spec": {"containers": []}}})),
    ];
    for (path, mut object) in table {
        object["metadata"] = json!({"name": "a"});
        api.create(&path, &object).await;
        assert!(listed(&api, &path).await.iter().any(|stored| stored["metadata"]["name"] == "a"), "{path}");
        object["metadata"] = json!({"name": "b", "lables": {}});
        let (code, answer) = api.call("POST", &format!("{path}?fieldValidation=Strict"), Some(&object)).await;
        assert_eq!(code, 400, "{path}: {answer}");
        assert!(answer["message"].as_str().unwrap().ends_with("unknown field \"metadata.lables\""), "{answer}");
    }
    let (_, stored) = api.call("GET", &format!("{admission}/validatingwebhookconfigurations/a"), None).await;
    let webhook = &stored["webhooks"][0];
    assert_eq!((&webhook["failurePolicy"], &webhook["timeoutSeconds"]), (&json!("Fail"), &json!(10)));
    assert_eq!(
        (&webhook["rules"][0]["scope"], &webhook["clientConfig"]["service"]["port"]),
        (&json!("*"), &json!(443))
    );
    let (_, report) = api.call("GET", "/chartproof/report", None).await;
    assert!(report["inert"].to_string().contains("ValidatingWebhookConfiguration a"), "{report}");
}

const CORE_EVENTS: &str = "/api/v1/namespaces/default/events";
const EVENTS: &str = "/apis/events.k8s.io/v1/namespaces/default/events";

#[tokio::test]
async fn an_event_is_the_same_in_both_groups() {
    let api = Api::start();
    let event = json!({
        "metadata": {"name": "new"}, "regarding": {"kind": "Namespace", "name": "default"}, "note": "hello",
        "reason": "Tested", "action": "Testing", "type": "Normal", "reportingController": "test",
        "reportingInstance": "test-1", "eventTime": "2026-12-01T00:00:00.000000Z",
    });
    let created = api.create(EVENTS, &event).await;
    assert_eq!((&created["apiVersion"], &created["note"]), (&json!("events.k8s.io/v1"), &json!("hello")));
    let (_, core) = api.call("GET", &format!("{CORE_EVENTS}/new"), None).await;
    assert_eq!((&core["apiVersion"], &core["message"]), (&json!("v1"), &json!("hello")));
    assert_eq!((&core["involvedObject"]["name"], &core["reportingComponent"]), (&json!("default"), &json!("test")));
    let series = json!({"note": "again", "series": {"count": 2, "lastObservedTime": "2026-12-01T00:00:01.000000Z"}});
    let (code, patched) = api.patch(&format!("{EVENTS}/new"), "merge", &series).await;
    assert_eq!((code, &patched["series"]["count"], &patched["note"]), (200, &json!(2), &json!("again")), "{patched}");
    let old =
        json!({"metadata": {"name": "old"}, "involvedObject": {"kind": "Pod", "name": "p", "namespace": "default"}});
    api.create(CORE_EVENTS, &old).await;
    assert_eq!(listed(&api, EVENTS).await.len(), 2);
    let chosen = listed(&api, &format!("{EVENTS}?fieldSelector=regarding.kind%3DPod")).await;
    assert_eq!((chosen.len(), &chosen[0]["regarding"]["name"]), (1, &json!("p")));
    let (code, _) = api.call("DELETE", &format!("{EVENTS}/old"), None).await;
    assert_eq!((code, listed(&api, CORE_EVENTS).await.len()), (200, 1));
}

#[tokio::test]
async fn an_autoscaler_is_the_same_in_both_versions() {
    let api = Api::start();
    let path = |version: &str| format!("/apis/autoscaling/{version}/namespaces/default/horizontalpodautoscalers");
    let target = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"});
    let spec = json!({"maxReplicas": 3, "scaleTargetRef": target, "targetCPUUtilizationPercentage": 60});
    let scaler = json!({"apiVersion": "autoscaling/v1", "kind": "HorizontalPodAutoscaler", "spec": spec});
    let (code, applied) = api.patch(&format!("{}/web?fieldManager=helm", path("v1")), "apply", &scaler).await;
    assert_eq!((code, &applied["spec"]["targetCPUUtilizationPercentage"]), (201, &json!(60)), "{applied}");
    let (_, newer) = api.call("GET", &format!("{}/web", path("v2")), None).await;
    let cpu = json!({"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 60}});
    assert_eq!(newer["spec"]["metrics"], json!([{"type": "Resource", "resource": cpu}]));
    assert_eq!((listed(&api, &path("v1")).await.len(), listed(&api, &path("v2")).await.len()), (1, 1));
    let (_, groups) = api.call("GET", "/apis/autoscaling", None).await;
    assert_eq!(groups["preferredVersion"]["version"], "v2");
}

#[tokio::test]
async fn objects_begin_as_a_real_server_writes_them() {
    let api = Api::start();
    let maps = "/api/v1/namespaces/default/configmaps";
    let metadata = json!({"labels": {"x": "y"}, "name": "m"});
    let map = json!({"data": {"a": "b"}, "metadata": metadata, "apiVersion": "v1", "kind": "ConfigMap"});
    api.create(maps, &map).await;
    api.patch(&format!("{maps}/m"), "merge", &json!({"data": {"c": "d"}})).await;
    let text = api.request("GET", &format!("{maps}/m")).send().await.unwrap().text().await.unwrap();
    let expected = r#"{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"m","namespace":"default","uid":"#;
    assert!(text.starts_with(expected), "{text}");
    let order =
        ["\"uid\"", "\"resourceVersion\"", "\"creationTimestamp\"", "\"labels\"", "\"managedFields\"", "\"data\""];
    let places: Vec<usize> = order.iter().map(|field| text.find(field).unwrap()).collect();
    assert!(places.is_sorted(), "{text}");
    assert!(text.contains(r#""operation":"Update","apiVersion":"v1""#), "{text}");
}

#[tokio::test]
async fn a_certificate_request_is_approved_but_never_changed() {
    let api = Api::start();
    let path = "/apis/certificates.k8s.io/v1/certificatesigningrequests";
    let pem = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KLS0tLS1FTkQgQ0VSVElGSUNBVEUgUkVRVUVTVC0tLS0tCg==";
    let signer = "kubernetes.io/kube-apiserver-client";
    let spec = json!({"request": pem, "signerName": signer, "usages": ["client auth"], "username": "me"});
    let created = api.create(path, &json!({"metadata": {"name": "a"}, "spec": spec})).await;
    assert_eq!(created["spec"]["username"], "chartproof", "the server says who asked");
    let approved = json!({"type": "Approved", "status": "True", "reason": "Test"});
    let patch = json!({"spec": {"username": "you"}, "status": {"conditions": [approved]}});
    let (code, answer) = api.patch(&format!("{path}/a/approval"), "merge", &patch).await;
    assert_eq!((code, &answer["status"]["conditions"][0]["type"]), (200, &json!("Approved")), "{answer}");
    assert_eq!(answer["spec"]["username"], "chartproof");
    let (code, answer) = api.patch(&format!("{path}/a"), "merge", &json!({"spec": {"signerName": "a.b/c"}})).await;
    assert_eq!(code, 422, "{answer}");
    let wrong = json!({"metadata": {"name": "b"}, "spec": {"request": "eA==", "signerName": "x"}});
    let (_, answer) = api.call("POST", path, Some(&wrong)).await;
    let fields: Vec<&Value> = answer["details"]["causes"].as_array().unwrap().iter().map(|c| &c["field"]).collect();
    assert_eq!(fields, ["spec.request", "spec.usages", "spec.signerName"], "{answer}");
}

#[tokio::test]
async fn ephemeral_containers_are_added_only_through_their_subresource() {
    let api = Api::start();
    let pods = "/api/v1/namespaces/default/pods";
    let pod = |ephemeral: Value| {
        let spec = json!({"containers": [{"name": "main", "image": "busybox"}], "ephemeralContainers": ephemeral});
        json!({"metadata": {"name": "p"}, "spec": spec})
    };
    let debugger = json!({"name": "debugger", "image": "busybox", "stdin": true, "tty": true});
    let (_, refused) = api.call("POST", pods, Some(&pod(json!([debugger])))).await;
    assert!(refused["message"].as_str().unwrap().ends_with("cannot be set on create"), "{refused}");
    api.create(pods, &pod(json!([]))).await;
    let (_, refused) = api.patch(&format!("{pods}/p"), "merge", &pod(json!([debugger]))).await;
    assert_eq!(refused["code"], 422, "{refused}");
    let path = format!("{pods}/p/ephemeralcontainers");
    let (code, added) =
        api.patch(&path, "strategic-merge", &json!({"spec": {"ephemeralContainers": [debugger]}})).await;
    assert_eq!(code, 200, "{added}");
    assert_eq!(added["spec"]["ephemeralContainers"][0]["imagePullPolicy"], "Always", "defaults are filled in");
    assert_eq!(added["metadata"]["generation"], 2);
    let (_, refused) = api.patch(&path, "merge", &json!({"spec": {"ephemeralContainers": []}})).await;
    assert!(refused["message"].as_str().unwrap().contains("may not be removed"), "{refused}");
    let privileged = json!({"name": "root", "image": "busybox", "securityContext": {"privileged": true}});
    let (_, refused) =
        api.patch(&path, "strategic-merge", &json!({"spec": {"ephemeralContainers": [privileged]}})).await;
    assert!(refused["message"].as_str().unwrap().contains("not supported by the embedded cluster"), "{refused}");
    let (_, whole) = api.call("GET", &path, None).await;
    assert_eq!(whole["spec"]["ephemeralContainers"].as_array().unwrap().len(), 1);
}
