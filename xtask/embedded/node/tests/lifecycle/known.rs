//! The differences that remain between the recordings and the replays, each with its reason.

/// A difference that is known: a state that only one of the two has.
pub struct Known {
    /// The scenario; `*` for all.
    scenario: &'static str,
    /// The beginning of the track's name: kind and object.
    track: &'static str,
    /// `-` where only the recording has it, `+` where only the replay.
    sign: char,
    /// A part of the state.
    state: &'static str,
    #[expect(dead_code, reason = "for who reads the table")]
    why: &'static str,
}

impl Known {
    /// Whether a difference is known.
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

const LISTENS: &str = "whether a server listens before its first probe is a matter of milliseconds";
const STOPS: &str = "whether a probe meets a server that is just stopping is a matter of milliseconds";
const FORCED: &str = "a pod deleted by force is stopped while its successor of the same name starts";
const FORCED_COUNT: &str = "a pod deleted by force is gone at once; here it is not counted on its way";
const TOGETHER: &str = "changes within milliseconds of each other are one write of the slice";
const FIRST_TWO_SERVE: &str =
    "[s-0 ready=true serving=true terminating=false, s-1 ready=true serving=true terminating=false";
const SOONER: &str = "the pod may be there before the budget is looked at";
const RELIST: &str = "kubelet looks at its containers once a second and misses a run that is shorter";
const ONE_BY_ONE: &str = "an aggregate of several pods: which combinations show depends on which pod is faster";

const MERGED: &str = "kubelet writes statuses behind its own back and leaves out one that the next has overtaken";

const RETRIED: &str = "a real controller's first write of the numbers meets a conflict with its own note of the new set; \
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
        "containerd lost the kernel's note for the second kill; here each is told as what it was",
    ),
    only_here("oom", "pods oom", "terminated:OOMKilled(137)", "the other side of the same"),
    only_recorded(
        "statefulset",
        "events PersistentVolumeClaim/",
        "WaitForFirstConsumer",
        "the consumer is there before the claim is looked at",
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
