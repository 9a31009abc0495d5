//! The remaining differences between the recordings and the replays, each with its reason.

/// A known difference: a state that only one of the two has.
pub struct Known {
    /// The scenario; `*` for all.
    scenario: &'static str,
    /// The beginning of the track's name: kind and object.
    track: &'static str,
    /// `-` if only the recording has it, `+` if only the replay.
    sign: char,
    /// A part of the state.
    state: &'static str,
    #[expect(dead_code, reason = "for readers of the table")]
    why: &'static str,
}

impl Known {
    /// Returns whether a difference is known.
    pub fn has(scenario: &str, track: &str, sign: char, state: &str) -> bool {
        KNOWN.iter().any(|known| {
            (known.scenario == "*" || known.scenario == scenario)
                && track.starts_with(known.track)
                && known.sign == sign
                && state.contains(known.state)
        })
    }
}

const fn only_recorded(scenario: &'static str, track: &'static str, state: &'static str, why: &'static str) -> Known {
    Known { scenario, track, sign: '-', state, why }
}

const fn only_here(scenario: &'static str, track: &'static str, state: &'static str, why: &'static str) -> Known {
    Known { scenario, track, sign: '+', state, why }
}

const LISTENS: &str = "whether a server listens before its first probe depends on milliseconds";
const STOPS: &str = "whether a probe reaches a server that is stopping depends on milliseconds";
const FORCED: &str = "a force-deleted pod is stopped while its successor of the same name starts";
const FORCED_COUNT: &str = "a force-deleted pod is gone at once; here it is not counted while it terminates";
const TOGETHER: &str = "changes within milliseconds of each other become one write of the slice";
const FIRST_TWO_SERVE: &str =
    "[s-0 ready=true serving=true terminating=false, s-1 ready=true serving=true terminating=false";
const SOONER: &str = "the pod may exist before the budget is processed";
const RELIST: &str = "kubelet checks its containers once a second and misses shorter runs";
const ONE_BY_ONE: &str = "an aggregate of several pods: which combinations appear depends on which pod is faster";

const MERGED: &str = "kubelet writes statuses asynchronously and skips one that the next has overtaken";

const RETRIED: &str = "a real controller's first write of the numbers conflicts with its own note of the new set; \
                       whether the set has counted its pods by the next is a matter of milliseconds";
const STILL_CREATED: &str = "Progressing=True NewReplicaSetCreated Created new replica set \"d-*\" availableReplicas=2 \
                             observedGeneration=2 readyReplicas=2 replicas=3";
const NOT_COUNTED: &str = "Progressing=True NewReplicaSetCreated Created new replica set \"d-*\" availableReplicas=2 \
                           observedGeneration=2 readyReplicas=2 replicas=2";
const COUNTED: &str = "Progressing=True ReplicaSetUpdated ReplicaSet \"d-*\" is progressing. availableReplicas=2 \
                       observedGeneration=2 readyReplicas=2 replicas=3";

const KNOWN: &[Known] = &[
    only_here("*", "events Pod/", "connection refused", LISTENS),
    only_recorded("*", "events Pod/", "connection refused", LISTENS),
    only_here("*", "events Pod/", "Readiness probe failed: Get ", STOPS),
    only_here("statefulset", "events Pod/s-0 kubelet", "Stopping container main", FORCED),
    only_recorded("statefulset", "events Pod/s-0 kubelet", "Stopping container main", FORCED),
    only_recorded("eviction-budget", "poddisruptionbudgets b", "expectedPods=0 observedGeneration=1", SOONER),
    only_recorded("eviction-budget", "events PodDisruptionBudget/b", "No matching pods found", SOONER),
    only_here("init-fails", "pods i", "init running:: last=terminated:Error(1): restarts=1", RELIST),
    only_recorded("init-fails", "pods i", "init terminated:Error(1): last=terminated:Error(1): restarts=1", MERGED),
    only_recorded(
        "oom",
        "pods oom",
        "terminated:Error(137)",
        "containerd lost the kernel's notification of the second kill; here each is reported correctly",
    ),
    only_here("oom", "pods oom", "terminated:OOMKilled(137)", "the counterpart of the row above"),
    only_recorded(
        "statefulset",
        "events PersistentVolumeClaim/",
        "WaitForFirstConsumer",
        "the consumer exists before the claim is processed",
    ),
    only_recorded("statefulset", "statefulsets s", " readyReplicas=2 ", ONE_BY_ONE),
    only_here("statefulset", "statefulsets s", " readyReplicas=2 ", ONE_BY_ONE),
    only_recorded("statefulset", "statefulsets s", " readyReplicas=1 replicas=2 ", ONE_BY_ONE),
    only_here("statefulset", "statefulsets s", " readyReplicas=1 replicas=2 ", ONE_BY_ONE),
    only_recorded(
        "statefulset",
        "statefulsets s",
        "currentReplicas=2 observedGeneration=1 readyReplicas=3",
        FORCED_COUNT,
    ),
    only_here("statefulset", "pods s-", "PodReadyToStartContainers=False/1", MERGED),
    only_recorded("statefulset", "endpointslices h-*", " terminating=true", TOGETHER),
    only_here("statefulset", "endpointslices h-*", " terminating=true", TOGETHER),
    only_recorded("statefulset", "endpointslices h-*", FIRST_TWO_SERVE, TOGETHER),
    only_recorded("*", "jobs j", "active=1", ONE_BY_ONE),
    only_here("*", "jobs j", "active=1", ONE_BY_ONE),
    only_recorded("deployment-stuck", "deployments d", " availableReplicas=1 ", ONE_BY_ONE),
    only_here("deployment-stuck", "deployments d", " availableReplicas=1 ", ONE_BY_ONE),
    only_recorded("deployment-stuck", "deployments d", STILL_CREATED, RETRIED),
    only_here("deployment-stuck", "deployments d", NOT_COUNTED, RETRIED),
    only_here("deployment-stuck", "deployments d", COUNTED, RETRIED),
];
