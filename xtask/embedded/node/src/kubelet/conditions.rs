//! A pod's conditions, with kubelet's reasons and messages.

use k8s_openapi::api::core::v1::{ContainerStatus, Pod, PodCondition, PodSpec};

use super::phase::is_initialized;
use super::record::is_sidecar;
use super::time;

/// The condition types that the kubelet owns, in its order; other conditions come before them.
const OWNED: [&str; 5] = ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"];

/// The input for conditions.
pub(super) struct ConditionInput<'a> {
    pub pod: &'a Pod,
    /// The phase that follows from the containers, even if the pod does not show it yet.
    pub phase: &'a str,
    pub init: &'a [ContainerStatus],
    pub main: &'a [ContainerStatus],
    pub has_sandbox: bool,
}

/// Returns all conditions of a pod: first those of others, unchanged, then the kubelet's own. A condition whose status
/// did not change keeps the time of its last transition.
pub(super) fn conditions(facts: &ConditionInput) -> Vec<PodCondition> {
    let stored: &[PodCondition] = facts.pod.status.as_ref().and_then(|s| s.conditions.as_deref()).unwrap_or_default();
    let foreign = stored.iter().filter(|c| !OWNED.contains(&c.type_.as_str())).cloned();
    let spec = facts.pod.spec.as_ref();
    let containers_ready = containers_ready(spec, facts);
    let own = [
        condition(facts, "PodReadyToStartContainers", facts.has_sandbox, None),
        initialized(spec, facts),
        ready(spec, facts, &containers_ready, stored),
        containers_ready,
        condition(facts, "PodScheduled", true, None),
    ];
    foreign.chain(own.into_iter().map(|condition| carry_over(stored, condition))).collect()
}

type Why = (&'static str, String);

fn condition(facts: &ConditionInput, type_: &str, status: bool, why: Option<Why>) -> PodCondition {
    let (reason, message) = why.unzip();
    PodCondition {
        type_: type_.to_owned(),
        status: if status { "True" } else { "False" }.to_owned(),
        observed_generation: facts.pod.metadata.generation,
        reason: reason.map(ToOwned::to_owned),
        message: message.filter(|text| !text.is_empty()),
        ..PodCondition::default()
    }
}

fn carry_over(stored: &[PodCondition], mut condition: PodCondition) -> PodCondition {
    let before = stored.iter().find(|old| old.type_ == condition.type_ && old.status == condition.status);
    let since = before.and_then(|old| old.last_transition_time.clone());
    condition.last_transition_time = since.or_else(|| Some(time::of(chrono::Utc::now())));
    condition
}

fn initialized(spec: Option<&PodSpec>, facts: &ConditionInput) -> PodCondition {
    let is_done = |status: &&ContainerStatus| spec.is_some_and(|spec| is_initialized(spec, status));
    let incomplete: Vec<&str> = facts.init.iter().filter(|s| !is_done(s)).map(|s| s.name.as_str()).collect();
    if facts.phase == "Succeeded" {
        return condition(facts, "Initialized", true, Some(("PodCompleted", String::new())));
    }
    let message = format!("containers with incomplete status: {}", list(&incomplete));
    let why = (!incomplete.is_empty()).then_some(("ContainersNotInitialized", message));
    condition(facts, "Initialized", why.is_none(), why)
}

fn containers_ready(spec: Option<&PodSpec>, facts: &ConditionInput) -> PodCondition {
    let sidecars = spec.into_iter().flat_map(|spec| spec.init_containers.iter().flatten()).filter(|c| is_sidecar(c));
    let sidecars: Vec<&str> = sidecars.map(|container| container.name.as_str()).collect();
    let counted = facts.init.iter().filter(|s| sidecars.contains(&s.name.as_str())).chain(facts.main);
    let unready: Vec<&str> = counted.filter(|s| !s.ready).map(|s| s.name.as_str()).collect();
    let why = match facts.phase {
        "Succeeded" => Some(("PodCompleted", String::new())),
        "Failed" => Some(("PodFailed", String::new())),
        _ if unready.is_empty() => None,
        _ => Some(("ContainersNotReady", format!("containers with unready status: {}", list(&unready)))),
    };
    condition(facts, "ContainersReady", why.is_none(), why)
}

fn ready(
    spec: Option<&PodSpec>,
    facts: &ConditionInput,
    containers: &PodCondition,
    stored: &[PodCondition],
) -> PodCondition {
    if containers.status != "True" {
        return PodCondition { type_: "Ready".to_owned(), ..containers.clone() };
    }
    let gates = spec.into_iter().flat_map(|spec| spec.readiness_gates.iter().flatten());
    let closed: Vec<String> = gates.filter_map(|gate| closed_gate(&gate.condition_type, stored)).collect();
    let why = (!closed.is_empty()).then(|| ("ReadinessGatesNotReady", closed.join(", ")));
    condition(facts, "Ready", why.is_none(), why)
}

fn closed_gate(gate: &str, stored: &[PodCondition]) -> Option<String> {
    match stored.iter().find(|condition| condition.type_ == gate) {
        None => Some(format!("corresponding condition of pod readiness gate \"{gate}\" does not exist.")),
        Some(open) if open.status == "True" => None,
        Some(found) => {
            Some(format!("the status of pod readiness gate \"{gate}\" is not \"True\", but {}", found.status))
        }
    }
}

/// Formats names as Go prints a slice.
fn list(names: &[&str]) -> String {
    format!("[{}]", names.join(" "))
}

#[cfg(test)]
#[expect(clippy::needless_pass_by_value, reason = "`json!` returns values")]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(status: serde_json::Value) -> Pod {
        let spec = json!({"containers": [{"name": "main"}], "initContainers": [{"name": "init"}]});
        serde_json::from_value(json!({"metadata": {"generation": 2}, "spec": spec, "status": status})).unwrap()
    }

    fn container(name: &str, ready: bool, state: serde_json::Value) -> ContainerStatus {
        let status =
            json!({"name": name, "image": "", "imageID": "", "ready": ready, "restartCount": 0, "state": state});
        serde_json::from_value(status).unwrap()
    }

    /// Returns `type=status:reason:message` of each condition.
    fn shown(pod: &Pod, phase: &str, init: &ContainerStatus, main: &ContainerStatus) -> Vec<String> {
        let (init, main) = (std::slice::from_ref(init), std::slice::from_ref(main));
        let facts = ConditionInput { pod, phase, init, main, has_sandbox: true };
        let shown = conditions(&facts).into_iter().map(|c| {
            let why = [c.reason, c.message].into_iter().flatten().collect::<Vec<_>>().join(":");
            format!("{}={}:{why}", c.type_, c.status)
        });
        shown.collect()
    }

    #[test]
    fn an_initializing_pod_lists_what_is_missing() {
        let init = container("init", false, json!({"running": {}}));
        let main = container("main", false, json!({"waiting": {}}));
        let unready = "ContainersNotReady:containers with unready status: [main]";
        assert_eq!(
            shown(&pod(json!({})), "Pending", &init, &main),
            [
                "PodReadyToStartContainers=True:",
                "Initialized=False:ContainersNotInitialized:containers with incomplete status: [init]",
                &format!("Ready=False:{unready}"),
                &format!("ContainersReady=False:{unready}"),
                "PodScheduled=True:",
            ]
        );
    }

    #[test]
    fn a_completed_pod_has_a_reason_but_no_message() {
        let ended = json!({"terminated": {"exitCode": 0}});
        let (init, main) = (container("init", true, ended.clone()), container("main", false, ended));
        let shown = shown(&pod(json!({})), "Succeeded", &init, &main);
        assert_eq!(
            shown[1..4],
            ["Initialized=True:PodCompleted", "Ready=False:PodCompleted", "ContainersReady=False:PodCompleted"]
        );
    }

    #[test]
    fn unchanged_conditions_keep_their_time_and_foreign_ones_stay() {
        let stored = json!({"conditions": [
            {"type": "PodScheduled", "status": "True", "lastTransitionTime": "2026-11-21T03:11:18Z"},
            {"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"},
        ]});
        let (pod, ended) = (pod(stored), json!({"terminated": {"exitCode": 0}}));
        let (init, main) = ([container("init", true, ended)], [container("main", true, json!({"running": {}}))]);
        let facts = ConditionInput { pod: &pod, phase: "Running", init: &init, main: &main, has_sandbox: true };
        let conditions = conditions(&facts);
        assert_eq!(conditions[0].type_, "DisruptionTarget");
        assert_eq!(conditions[0].observed_generation, None);
        let scheduled = conditions.last().unwrap();
        assert_eq!(scheduled.observed_generation, Some(2));
        assert_eq!(serde_json::to_value(&scheduled.last_transition_time).unwrap(), "2026-11-21T03:11:18Z");
        assert_eq!(conditions[3].status, "True");
    }
}
