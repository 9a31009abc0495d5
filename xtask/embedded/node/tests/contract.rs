//! Compares docs/embedded.md with the cluster: kinds, rejected fields, fields without effect.

#![expect(clippy::unwrap_used, reason = "a test that can't continue fails")]

mod support;

use std::collections::BTreeSet;

use node::kinds::KINDS;
use node::registry::{ignored_paths, refused_paths, schema};
use serde_json::{Value, json};
use support::Api;

const DOCS: &str = include_str!("../../../../docs/embedded.md");

/// Returns the cells of the table under a heading.
fn table(heading: &str) -> Vec<Vec<&'static str>> {
    let (_, section) = DOCS.split_once(&format!("\n## {heading}\n")).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with('|')).skip(2);
    rows.map(|row| row.trim_matches('|').split(" | ").map(|cell| cell.trim().trim_matches('`')).collect()).collect()
}

/// Returns a pod with a value at a path like `containers[0].ports[0].hostPort`, and whatever else is required there.
fn pod(path: &str, value: &str) -> Value {
    let mut spec = json!({"containers": [{"name": "main", "image": "busybox:1"}]});
    set(&mut spec, path, serde_json::from_str(value).unwrap_or_else(|error| panic!("{path}: {value}: {error}")));
    complete(&mut spec);
    json!({"metadata": {"generateName": "p-"}, "spec": spec})
}

/// Sets the value at a path, and creates missing parents.
fn set(mut place: &mut Value, path: &str, value: Value) {
    let pointer = path.replace('[', ".").replace(']', "");
    for step in pointer.split('.') {
        place = match step.parse::<usize>() {
            Ok(index) => at(place, index),
            Err(_) => &mut place[step],
        };
    }
    *place = value;
}

fn at(list: &mut Value, index: usize) -> &mut Value {
    if list.is_null() {
        *list = json!([{}]);
    }
    &mut list[index]
}

/// Adds to the parents of a field what a server that supports it requires.
fn complete(spec: &mut Value) {
    let require = |place: Option<&mut Value>, fields: Value| {
        if let Some(place) = place {
            for (name, value) in fields.as_object().unwrap() {
                place.as_object_mut().unwrap().entry(name).or_insert(value.clone());
            }
        }
    };
    require(spec.pointer_mut("/volumes/0"), json!({"name": "v"}));
    let spread = json!({"maxSkew": 1, "topologyKey": "a", "whenUnsatisfiable": "DoNotSchedule"});
    require(spec.pointer_mut("/topologySpreadConstraints/0"), spread);
    for sort in ["podAffinity", "podAntiAffinity"] {
        let term = format!("/affinity/{sort}/requiredDuringSchedulingIgnoredDuringExecution/0");
        require(spec.pointer_mut(&term), json!({"topologyKey": "a"}));
    }
    require(spec.pointer_mut("/initContainers/0"), json!({"name": "first", "image": "busybox:1"}));
    for list in ["containers", "initContainers"] {
        require(spec.pointer_mut(&format!("/{list}/0/ports/0")), json!({"containerPort": 80}));
        require(spec.pointer_mut(&format!("/{list}/0/env/0")), json!({"name": "A"}));
        for profile in ["seccompProfile", "appArmorProfile"] {
            require(spec.pointer_mut(&format!("/{list}/0/securityContext/{profile}")), json!({"type": "Localhost"}));
        }
    }
    for profile in ["seccompProfile", "appArmorProfile"] {
        require(spec.pointer_mut(&format!("/securityContext/{profile}")), json!({"type": "Localhost"}));
    }
    for list in ["containers", "initContainers"] {
        if spec.pointer(&format!("/{list}/0/volumeMounts/0")).is_some() {
            spec["volumes"] = json!([{"name": "v", "emptyDir": {}}]);
            let mount = json!({"name": "v", "mountPath": "/v"});
            require(spec.pointer_mut(&format!("/{list}/0/volumeMounts/0")), mount);
        }
    }
}

/// Returns the server's objections to an object: fields with messages.
async fn refusals(api: &Api, path: &str, object: &Value) -> Vec<(String, String)> {
    let (code, answer) = api.call("POST", path, Some(object)).await;
    let causes = answer["details"]["causes"].as_array().cloned().unwrap_or_default();
    assert!(code == 422 || code == 201, "{object}: {answer}");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    causes.iter().map(|cause| (text(&cause["field"]), text(&cause["message"]))).collect()
}

const WORDS: &str = "Forbidden: not supported by the embedded cluster";

/// Returns the paths of a table's rows in the form of the code; they are in `column`.
fn paths(rows: &[Vec<&str>], column: usize) -> BTreeSet<String> {
    rows.iter().map(|row| row[column].replace("[0]", "[]")).collect()
}

/// Returns a path of the code in the form of the page: a path of all containers is listed under `containers`.
fn documented(path: &str) -> String {
    path.replace("*[]", "containers[]")
}

#[test]
fn the_page_has_exactly_the_paths_of_the_code() {
    let (of_pods, of_kinds) = refused_paths();
    assert_eq!(paths(&table("Refused in pods"), 0), of_pods.iter().map(|path| documented(path)).collect());
    let rows = table("Refused elsewhere");
    let both: BTreeSet<String> = rows.iter().map(|row| format!("{} {}", row[0], row[1].replace("[0]", "[]"))).collect();
    assert_eq!(both, of_kinds.iter().map(|(kind, path)| format!("{kind} {path}")).collect());
    let ignored: BTreeSet<String> = ignored_paths().into_iter().map(documented).collect();
    assert_eq!(paths(&table("Accepted without effect"), 0), ignored);
}

/// Fields of a pod that the node, the scheduler or a controller acts on.
const HONOURED: &[(&str, &str)] = &[
    (
        "PodSpec",
        "activeDeadlineSeconds affinity automountServiceAccountToken containers dnsConfig dnsPolicy enableServiceLinks \
         ephemeralContainers hostAliases hostname imagePullSecrets initContainers nodeName nodeSelector os preemptionPolicy priority \
         readinessGates restartPolicy schedulerName schedulingGates securityContext serviceAccount serviceAccountName \
         setHostnameAsFQDN subdomain terminationGracePeriodSeconds tolerations volumes",
    ),
    (
        "Container",
        "args command env envFrom image imagePullPolicy lifecycle livenessProbe name ports readinessProbe resources \
         securityContext startupProbe stdin stdinOnce terminationMessagePath terminationMessagePolicy tty volumeMounts workingDir",
    ),
    ("PodSecurityContext", "fsGroup runAsGroup runAsNonRoot runAsUser seccompProfile supplementalGroups"),
    (
        "SecurityContext",
        "allowPrivilegeEscalation capabilities readOnlyRootFilesystem runAsGroup runAsNonRoot runAsUser seccompProfile",
    ),
    (
        "Probe",
        "exec failureThreshold httpGet initialDelaySeconds periodSeconds successThreshold tcpSocket \
         terminationGracePeriodSeconds timeoutSeconds",
    ),
    ("Lifecycle", "postStart preStop"),
    ("VolumeMount", "mountPath name readOnly recursiveReadOnly subPath subPathExpr"),
    ("Volume", "configMap downwardAPI emptyDir name persistentVolumeClaim projected secret"),
];

/// A field from a new version of Kubernetes has to be classified.
#[test]
fn every_field_of_a_pod_is_supported_rejected_or_reported() {
    let (refused, _) = refused_paths();
    let paths = refused.into_iter().chain(ignored_paths().into_iter().map(str::to_owned));
    let steps: BTreeSet<String> =
        paths.flat_map(|path| path.split('.').map(|step| step.replace("[]", "")).collect::<Vec<_>>()).collect();
    for (message, honoured) in HONOURED {
        let honoured: Vec<&str> = honoured.split_whitespace().collect();
        let fields = &schema::message(message).unwrap().fields;
        let lost: Vec<_> = fields.keys().filter(|f| !honoured.contains(f) && !steps.contains(**f)).collect();
        assert!(lost.is_empty(), "{message}: neither supported, rejected nor reported: {lost:?}");
    }
}

#[tokio::test]
async fn every_field_documented_as_rejected_is_rejected_by_name_wherever_it_occurs() {
    let api = Api::start();
    let (of_pods, _) = refused_paths();
    for row in table("Refused in pods") {
        let of_every_container = of_pods.contains(&row[0].replace("containers[0]", "*[]").replace("[0]", "[]"));
        let first = row[0].replace("containers", "initContainers");
        for path in [row[0].to_owned()].into_iter().chain(of_every_container.then_some(first)) {
            is_refused_in_pods(&api, &path, row[1]).await;
        }
    }
}

async fn is_refused_in_pods(api: &Api, path: &str, value: &str) {
    let pod = pod(path, value);
    let template = json!({"metadata": {"labels": {"app": "a"}}, "spec": pod["spec"]});
    let spec = json!({"selector": {"matchLabels": {"app": "a"}}, "serviceName": "a", "template": template});
    let set = json!({"metadata": {"generateName": "s-"}, "spec": spec});
    let objects = [
        ("/api/v1/namespaces/default/pods", "spec", pod),
        ("/apis/apps/v1/namespaces/default/statefulsets", "spec.template.spec", set),
    ];
    for (url, prefix, object) in objects {
        let refused = refusals(api, url, &object).await;
        let expected = (format!("{prefix}.{path}"), WORDS.to_owned());
        assert!(refused.contains(&expected), "{url} {object}: {refused:?} lacks {expected:?}");
    }
}

#[tokio::test]
async fn fields_of_other_kinds_are_rejected_too() {
    let api = Api::start();
    for row in table("Refused elsewhere") {
        let kind = KINDS.iter().find(|kind| kind.kind == row[0]).unwrap();
        let group = if kind.group.is_empty() { "/api/v1".to_owned() } else { format!("/apis/{}", kind.api_version()) };
        let url = format!("{group}/namespaces/default/{}", kind.plural);
        let path = row[1].strip_prefix("spec.").unwrap();
        let value: Value = serde_json::from_str(row[2]).unwrap();
        let mut object = json!({"metadata": {"generateName": "a-"}, "spec": least(kind.kind)});
        set(&mut object["spec"], path, value);
        let refused = refusals(&api, &url, &object).await;
        assert!(refused.contains(&(row[1].to_owned(), WORDS.to_owned())), "{object}: {refused:?}");
        let plain = json!({"metadata": {"generateName": "a-"}, "spec": least(kind.kind)});
        assert_eq!(refusals(&api, &url, &plain).await, [], "without the field there is nothing to reject");
    }
}

/// Returns the minimal spec of a kind.
fn least(kind: &str) -> Value {
    match kind {
        "Job" => json!({"template": {"spec": {
            "restartPolicy": "Never", "containers": [{"name": "main", "image": "busybox:1"}],
        }}}),
        "Service" => json!({"ports": [{"port": 80}]}),
        "PersistentVolumeClaim" => {
            json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}})
        }
        "ResourceQuota" => json!({"hard": {"pods": "1"}}),
        other => panic!("{other} has no minimal spec here"),
    }
}

#[tokio::test]
async fn every_field_documented_as_without_effect_is_accepted_and_reported() {
    let api = Api::start();
    let rows = table("Accepted without effect");
    for row in rows {
        let created = api.create("/api/v1/namespaces/default/pods", &pod(row[0], row[1])).await;
        let name = created["metadata"]["name"].as_str().unwrap();
        let (_, report) = api.call("GET", "/chartproof/report", None).await;
        let listed: Vec<&str> = report["ignoredFields"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        let expected = format!("spec.{}", row[0]);
        let found = listed.iter().any(|line| line.contains(name) && line.ends_with(&expected));
        assert!(found, "{name} {expected}: {listed:?}");
    }
}

#[test]
fn the_documented_kinds_are_those_of_the_code() {
    let documented: Vec<String> = table("Kinds").iter().map(|row| row.join(" ")).collect();
    let served = KINDS.iter().map(|kind| {
        let sort = if kind.inert { "inert" } else { "served" };
        format!("{} {} {sort}", kind.kind, kind.api_version())
    });
    assert_eq!(documented, served.collect::<Vec<_>>());
}
