//! `APIService`s: one for each group and version that this server serves. Those of other servers are stored, and never
//! available.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1::{
    APIService, APIServiceCondition, APIServiceSpec, APIServiceStatus,
};

use super::reconcile::unless;
use super::{Controller, ControllerContext, Key, ReconcileResult, clock};
use crate::client::Client;
use crate::kinds::KINDS;
use crate::registry::DeleteOptions;
use crate::status::Status;
use crate::store::Change;

/// Keeps the services of local groups, and says of each whether it is available.
pub const CONTROLLER: Controller = Controller { name: "apiservice", keys, reconcile };

/// The label of a service that the server created: `onstart` for a built-in group, `true` for custom resources.
const AUTOMANAGED: &str = "kube-aggregator.kubernetes.io/automanaged";

/// The priorities of groups, as kube-apiserver has them.
const PRIORITIES: &[(&str, i32)] = &[
    ("", 18_000),
    ("apps", 17_800),
    ("events.k8s.io", 17_750),
    ("authentication.k8s.io", 17_700),
    ("authorization.k8s.io", 17_600),
    ("autoscaling", 17_500),
    ("batch", 17_400),
    ("certificates.k8s.io", 17_300),
    ("networking.k8s.io", 17_200),
    ("policy", 17_100),
    ("rbac.authorization.k8s.io", 17_000),
    ("storage.k8s.io", 16_800),
    ("apiextensions.k8s.io", 16_700),
    ("admissionregistration.k8s.io", 16_700),
    ("scheduling.k8s.io", 16_600),
    ("coordination.k8s.io", 16_500),
    ("node.k8s.io", 16_300),
    ("discovery.k8s.io", 16_200),
    ("flowcontrol.apiserver.k8s.io", 16_100),
];

/// The priority of other built-in groups.
const PRIORITY: i32 = 16_000;

/// Returns a single key: there are few definitions and services.
fn keys(_: &Client, change: &Change) -> Vec<Key> {
    let concerns = matches!(change.kind.built_in(), "CustomResourceDefinition" | "APIService");
    if concerns { vec![Key::default()] } else { Vec::new() }
}

fn reconcile(context: &ControllerContext, _: &Key) -> ReconcileResult {
    let client = &context.client.of("kube-apiserver");
    create_local(client)?;
    let custom = client.custom_group_versions();
    for service in client.list::<APIService>(None) {
        let label = service.metadata.labels.as_ref().and_then(|labels| labels.get(AUTOMANAGED));
        let is_wanted = |name: &str| custom.iter().any(|(group, version)| *name == format!("{version}.{group}"));
        if label.is_some_and(|label| label == "true")
            && !is_wanted(service.metadata.name.as_deref().unwrap_or_default())
        {
            unless("NotFound", client.delete(&service, &DeleteOptions::default()))?;
        } else {
            unless("NotFound", write_status(client, &service))?;
        }
    }
    Ok(None)
}

/// Creates the missing services of the groups and versions that are served here.
///
/// # Errors
/// If the API rejects one.
pub fn create_local(client: &Client) -> Result<(), Status> {
    let reviews = ["authentication.k8s.io", "authorization.k8s.io"].map(|group| (group, "v1"));
    let built_in = KINDS.iter().map(|kind| (kind.group, kind.version)).chain(reviews);
    let custom = client.custom_group_versions();
    let all = built_in.map(|pair| (pair, "onstart")).chain(custom.into_iter().map(|pair| (pair, "true")));
    for ((group, version), label) in all {
        if client.get::<APIService>("", &format!("{version}.{group}")).is_none() {
            unless("AlreadyExists", client.create(&local(group, version, label)))?;
        }
    }
    Ok(())
}

fn local(group: &str, version: &str, label: &str) -> APIService {
    let priority = PRIORITIES.iter().find(|(known, _)| *known == group).map_or(PRIORITY, |(_, priority)| *priority);
    let (group_priority_minimum, version_priority) = if label == "true" { (1000, 100) } else { (priority, 15) };
    let spec = APIServiceSpec {
        group: Some(group.to_owned()).filter(|group| !group.is_empty()),
        version: Some(version.to_owned()),
        group_priority_minimum,
        version_priority,
        ..APIServiceSpec::default()
    };
    let labels = BTreeMap::from([(AUTOMANAGED.to_owned(), label.to_owned())]);
    let metadata =
        ObjectMeta { name: Some(format!("{version}.{group}")), labels: Some(labels), ..ObjectMeta::default() };
    let status = status(&spec);
    APIService { metadata, spec: Some(spec), status: Some(status) }
}

/// Returns whether a service is available, and why: requests are never passed on to other servers.
fn status(spec: &APIServiceSpec) -> APIServiceStatus {
    let (status, reason, message) = match &spec.service {
        None => ("True", "Local", "Local APIServices are always available".to_owned()),
        Some(service) => {
            let text = |text: &Option<String>| text.clone().unwrap_or_default();
            let (namespace, name) = (text(&service.namespace), text(&service.name));
            (
                "False",
                "NotSupported",
                format!("the embedded cluster passes no requests on to service/{name} in \"{namespace}\""),
            )
        }
    };
    let condition = APIServiceCondition {
        type_: "Available".to_owned(),
        status: status.to_owned(),
        reason: Some(reason.to_owned()),
        message: Some(message),
        last_transition_time: Some(clock::now()),
    };
    APIServiceStatus { conditions: Some(vec![condition]) }
}

fn write_status(client: &Client, service: &APIService) -> Result<(), Status> {
    let Some(wanted) = service.spec.as_ref().map(status) else { return Ok(()) };
    let says = |status: Option<&APIServiceStatus>| {
        let conditions = status.and_then(|status| status.conditions.clone()).unwrap_or_default();
        conditions.into_iter().map(|one| (one.type_, one.status, one.message)).collect::<Vec<_>>()
    };
    client.modify_status(service, |stored: &mut APIService| {
        let is_changed = says(stored.status.as_ref()) != says(Some(&wanted));
        if is_changed {
            stored.status = Some(wanted.clone());
        }
        is_changed
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::controllers::testing::Simulation;

    fn available(simulation: &Simulation, name: &str) -> String {
        let service: APIService = simulation.context.client.get("", name).unwrap();
        let condition = service.status.unwrap().conditions.unwrap().remove(0);
        format!("{} {} {}", condition.type_, condition.status, condition.reason.unwrap())
    }

    #[test]
    fn local_groups_are_available_and_other_servers_are_not() {
        let mut simulation = Simulation::new("a");
        for name in ["v1.", "v1.apps", "v1.authorization.k8s.io", "v1.apiregistration.k8s.io"] {
            assert_eq!(available(&simulation, name), "Available True Local");
        }
        let spec = json!({
            "group": "metrics.k8s.io", "version": "v1beta1", "groupPriorityMinimum": 100, "versionPriority": 100,
            "service": {"namespace": "kube-system", "name": "metrics-server"},
        });
        simulation.create::<APIService>(json!({"metadata": {"name": "v1beta1.metrics.k8s.io"}, "spec": spec}));
        simulation.settle();
        assert_eq!(available(&simulation, "v1beta1.metrics.k8s.io"), "Available False NotSupported");
    }
}
