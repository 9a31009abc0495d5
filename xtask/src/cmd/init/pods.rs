//! What belongs together in a chart's rendered objects: workloads, and by their selectors the Services and budgets of
//! their pods.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// The kinds whose pods `[workload]` can name, and the key for each, the likelier application first.
pub const WORKLOADS: [(&str, &str); 3] =
    [("StatefulSet", "stateful_set"), ("Deployment", "deployment"), ("DaemonSet", "daemon_set")];
/// The path of the pod's spec in each kind that has pods.
const POD_SPECS: [(&str, &str); 7] = [
    ("Pod", "/spec"),
    ("Deployment", "/spec/template/spec"),
    ("StatefulSet", "/spec/template/spec"),
    ("DaemonSet", "/spec/template/spec"),
    ("ReplicaSet", "/spec/template/spec"),
    ("Job", "/spec/template/spec"),
    ("CronJob", "/spec/jobTemplate/spec/template/spec"),
];

/// A workload and what belongs to it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Workload {
    pub kind: String,
    pub name: String,
    pub replicas: u64,
    /// The name of the application's container.
    pub container: String,
    /// The pod's spec.
    pub spec: Value,
    pub service: Option<String>,
    pub budget: Option<String>,
    /// The position of the image under test that its container runs, if the chart's values set it.
    pub image: Option<usize>,
}

impl Workload {
    /// Returns whether its number of replicas is that of the nodes.
    pub fn is_on_each_node(&self) -> bool {
        self.kind == "DaemonSet"
    }
}

/// Returns the spec of an object's pods.
pub fn spec(object: &Value) -> Option<&Value> {
    let (_, path) = POD_SPECS.iter().find(|(kind, _)| object["kind"] == *kind)?;
    object.pointer(path)
}

/// Whether an object is a hook for an event whose name contains `event`; with an empty name, any hook.
pub fn is_hook(object: &Value, event: &str) -> bool {
    object["metadata"]["annotations"]["helm.sh/hook"].as_str().is_some_and(|hooks| hooks.contains(event))
}

/// Returns the objects of a kind that are not hooks.
pub fn of_kind<'a>(objects: &'a [Value], kind: &'a str) -> impl Iterator<Item = &'a Value> {
    objects.iter().filter(move |object| object["kind"] == kind && !is_hook(object, ""))
}

/// Returns the workloads that have replicas, the one that is most likely the application first: a Service selects its
/// pods, it or its image has the chart's name, and it is a StatefulSet. Of those with the same name, which cases can't
/// tell apart, only the likeliest is returned.
pub fn workloads(objects: &[Value], chart: &str) -> Vec<Workload> {
    let all = WORKLOADS.iter().flat_map(|(kind, _)| of_kind(objects, kind));
    let all = all.filter(|object| object["spec"]["replicas"] != 0 && !is_for_windows(object));
    let mut found: Vec<_> = all.map(|object| workload(objects, object, chart)).collect();
    found.sort_by_key(|one| std::cmp::Reverse(likelihood(one, chart)));
    let mut names = BTreeSet::new();
    found.retain(|one| names.insert(one.name.clone()));
    found
}

fn is_for_windows(object: &Value) -> bool {
    spec(object).is_some_and(|spec| spec["nodeSelector"]["kubernetes.io/os"] == "windows")
}

fn likelihood(one: &Workload, chart: &str) -> u32 {
    let has_name = one.name == chart || one.name.ends_with(&format!("-{chart}"));
    let has_image = container(&one.spec, &one.container).is_some_and(|found| is_image_of(found, chart));
    let points = [(one.service.is_some(), 8), (has_name, 4), (has_image, 2), (one.kind == WORKLOADS[0].0, 1)];
    points.iter().filter(|(holds, _)| *holds).map(|(_, points)| points).sum()
}

fn workload(objects: &[Value], object: &Value, chart: &str) -> Workload {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let spec = spec(object).cloned().unwrap_or_default();
    let labels = object.pointer("/spec/template/metadata/labels").and_then(Value::as_object);
    let name = text("/metadata/name");
    let container = main_container(&spec, &[chart, &name]);
    let ports = ports(&spec, &container);
    Workload {
        service: labels.and_then(|labels| service(objects, labels, &name, &ports)),
        budget: labels.and_then(|labels| budget(objects, labels)),
        replicas: object.pointer("/spec/replicas").and_then(Value::as_u64).unwrap_or(1).max(1),
        kind: text("/kind"),
        name,
        container,
        spec,
        image: None,
    }
}

/// Returns the application's container: the one whose image or name is the chart's, otherwise the first.
fn main_container(spec: &Value, names: &[&str]) -> String {
    let all = || spec["containers"].as_array().into_iter().flatten();
    let of_image = names.iter().find_map(|name| all().find(|container| is_image_of(container, name)));
    let named = || names.iter().find_map(|name| all().find(|container| container["name"] == **name));
    let found = of_image.or_else(named).or_else(|| all().next());
    found.and_then(|container| container["name"].as_str()).unwrap_or_default().to_owned()
}

/// Whether the last part of a container's image is a name: `docker.io/library/nats:2` is an image of `nats`.
fn is_image_of(container: &Value, name: &str) -> bool {
    let image = container["image"].as_str().unwrap_or_default();
    let last = image.split('@').next().unwrap_or_default().rsplit('/').next().unwrap_or_default();
    last.split(':').next() == Some(name)
}

/// Returns a container of a pod.
pub fn container<'a>(spec: &'a Value, name: &str) -> Option<&'a Value> {
    spec["containers"].as_array()?.iter().find(|container| container["name"] == name)
}

/// Returns names and numbers of a container's ports, as a Service refers to them.
fn ports(spec: &Value, name: &str) -> Vec<String> {
    let ports = container(spec, name).and_then(|container| container["ports"].as_array());
    let both = |port: &Value| {
        [port["name"].as_str().map(str::to_owned), port["containerPort"].as_u64().map(|n| n.to_string())]
    };
    ports.into_iter().flatten().flat_map(both).flatten().collect()
}

/// Returns the Service that clients use: it selects the pods; better if it has an address, leads to the application's
/// container, and has the workload's name.
fn service(objects: &[Value], labels: &Map<String, Value>, workload: &str, ports: &[String]) -> Option<String> {
    let selects = |service: &&Value| {
        let selector = service.pointer("/spec/selector").and_then(Value::as_object);
        selector.is_some_and(|selector| !selector.is_empty() && contains(labels, selector))
    };
    let leads_to = |service: &Value| {
        let targets = service["spec"]["ports"].as_array().into_iter().flatten();
        let mut targets =
            targets.map(|port| if port["targetPort"].is_null() { &port["port"] } else { &port["targetPort"] });
        targets.any(|target| ports.contains(&target.as_str().map_or_else(|| target.to_string(), str::to_owned)))
    };
    let likelihood = |service: &&Value| {
        let has_address = service["spec"]["clusterIP"] != "None";
        let points = [(has_address, 4), (leads_to(service), 2), (service["metadata"]["name"] == workload, 1)];
        points.iter().filter(|(holds, _)| *holds).map(|(_, points)| points).sum::<u32>()
    };
    let found = of_kind(objects, "Service").filter(selects);
    // Of several that are equally likely, the first one.
    let found = found.min_by_key(|service| std::cmp::Reverse(likelihood(service)))?;
    found["metadata"]["name"].as_str().map(str::to_owned)
}

/// Returns the budget that protects the pods.
fn budget(objects: &[Value], labels: &Map<String, Value>) -> Option<String> {
    let protects = |budget: &&Value| {
        let selector = budget.pointer("/spec/selector/matchLabels").and_then(Value::as_object);
        selector.is_some_and(|selector| !selector.is_empty() && contains(labels, selector))
    };
    of_kind(objects, "PodDisruptionBudget").find(protects)?["metadata"]["name"].as_str().map(str::to_owned)
}

fn contains(labels: &Map<String, Value>, selector: &Map<String, Value>) -> bool {
    selector.iter().all(|(name, value)| labels.get(name) == Some(value))
}

/// Whether several replicas of a workload can run, as it is rendered: not if they share a claim that one node mounts.
pub fn can_scale(objects: &[Value], workload: &Workload) -> bool {
    let claims =
        |volume: &Value| volume.pointer("/persistentVolumeClaim/claimName").and_then(Value::as_str).map(str::to_owned);
    let shared: Vec<_> = workload.spec["volumes"].as_array().into_iter().flatten().filter_map(claims).collect();
    let is_of_one_node = |claim: &&Value| {
        let modes = claim.pointer("/spec/accessModes").and_then(Value::as_array);
        !modes.into_iter().flatten().any(|mode| mode == "ReadWriteMany")
    };
    let named = |claim: &Value| shared.iter().any(|name| claim["metadata"]["name"] == name.as_str());
    !of_kind(objects, "PersistentVolumeClaim").filter(is_of_one_node).any(named)
}
