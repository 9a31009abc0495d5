//! The table of unrecoverable states. Each row has a twin, which begins alike, recovers and must pass. docs/diagnosing.md
//! shows the table; a test compares them.

use super::limits::Limit::{self, Seconds, Times};
use super::{Row, pods, volumes, workloads};

const fn adjustable(key: &'static str, own_s: u64, existing_s: u64) -> Limit {
    Limit::Adjustable { key, own_s, existing_s }
}

/// In order of precedence: the state closest to the root cause comes first.
pub const TABLE: [Row; 19] = [
    Row {
        name: "image is never pulled",
        object: "Pod",
        reason: "`ErrImageNeverPull`, `InvalidImageName`",
        limit: Seconds(0),
        cleared_by: "another state of the container",
        twin: "an image that is loaded while its pod is still being scheduled",
        find: pods::image_never_pulled,
    },
    Row {
        name: "image does not exist",
        object: "Pod",
        reason: "`ErrImagePull`, `ImagePullBackOff`: not found, denied, no matching platform",
        limit: adjustable("image_missing", 3, 10),
        cleared_by: "another state; a newer `Pulling` postpones it until that pull has ended",
        twin: "a registry that is overloaded for a moment",
        find: pods::image_missing,
    },
    Row {
        name: "image can't be pulled",
        object: "Pod",
        reason: "`ErrImagePull`, `ImagePullBackOff`: anything else",
        limit: adjustable("image_pull", 60, 120),
        cleared_by: "another state; a newer `Pulling` postpones it until that pull has ended",
        twin: "a pull that fails on DNS at first",
        find: pods::image_unreachable,
    },
    Row {
        name: "init container fails",
        object: "Pod",
        reason: "`CrashLoopBackOff`, `Error` of an init container",
        limit: Times(pods::ENDS),
        cleared_by: "the container is running again; it ran for a minute or more",
        twin: "an init container that fails twice, then succeeds",
        find: pods::init_fails,
    },
    Row {
        name: "crash loop",
        object: "Pod",
        reason: "`CrashLoopBackOff`, `Error`",
        limit: Times(pods::ENDS),
        cleared_by: "the container is running again; it ran for a minute or more",
        twin: "two crashes at the start",
        find: pods::crash_loop,
    },
    Row {
        name: "container's configuration is refused",
        object: "Pod",
        reason: "`CreateContainerConfigError`: `runAsNonRoot`",
        limit: Seconds(0),
        cleared_by: "another state of the container",
        twin: "an image whose user is a number other than 0",
        find: pods::config_refused,
    },
    Row {
        name: "container's configuration refers to a missing object",
        object: "Pod",
        reason: "`CreateContainerConfigError`, `CreateContainerError`",
        // kubelet retries after 10 to 15 s.
        limit: adjustable("container_config", 20, 60),
        cleared_by: "another state of the container",
        twin: "a Secret that is created a moment after its pod",
        find: pods::config_missing,
    },
    Row {
        name: "unschedulable",
        object: "Pod",
        reason: "`Unschedulable`, unless caused by a taint, as on a new node",
        limit: adjustable("unschedulable", 15, 120),
        cleared_by: "a node; a newer `TriggeredScaleUp` or `Nominated` of an autoscaler postpones it until its `NotTriggerScaleUp`",
        twin: "a node that is not ready yet",
        find: pods::unschedulable,
    },
    Row {
        name: "claim without a class",
        object: "PersistentVolumeClaim",
        reason: "`FailedBinding`; `ProvisioningFailed`: no such class",
        limit: adjustable("claim_class", 5, 15),
        cleared_by: "`Bound`; any newer event of the binding or the provisioning",
        twin: "a claim that waits for its first consumer",
        find: volumes::claim_without_class,
    },
    Row {
        name: "claim that is not provisioned",
        object: "PersistentVolumeClaim",
        reason: "`ExternalProvisioning`, `ProvisioningFailed`",
        limit: adjustable("claim_provision", 60, 180),
        cleared_by: "`Bound`; a newer `Provisioning` postpones it until its `ProvisioningFailed`",
        twin: "a provisioner that takes a while",
        find: volumes::claim_unprovisioned,
    },
    Row {
        name: "volume that can't be attached",
        object: "Pod",
        reason: "`FailedAttachVolume`",
        // A volume of a lost node is force-detached after six minutes.
        limit: adjustable("volume_attach", 60, 420),
        cleared_by: "a newer `SuccessfulAttachVolume` of the volume; whatever clears a failed mount",
        twin: "a volume that is still attached to the node of a pod that was killed",
        find: volumes::unattached,
    },
    Row {
        name: "volume that can't be mounted",
        object: "Pod",
        reason: "`FailedMount`, unless an attachment is failing",
        limit: adjustable("volume_mount", 30, 120),
        cleared_by: "a newer event of a step after mounting (`Pulling`, `Created`, …); `PodReadyToStartContainers`",
        twin: "a mount that fails at first",
        find: volumes::unmounted,
    },
    Row {
        name: "pods refused by admission",
        object: "StatefulSet, ReplicaSet, DaemonSet, Job",
        reason: "`FailedCreate`: Pod Security, a webhook's denial",
        limit: adjustable("pods_refused", 3, 10),
        cleared_by: "a newer `SuccessfulCreate`; the wanted number of pods; a change of the spec that is not observed yet",
        twin: "a Pod Security level that is lowered a moment later",
        find: workloads::refused,
    },
    Row {
        name: "pods beyond a quota",
        object: "StatefulSet, ReplicaSet, DaemonSet, Job",
        reason: "`FailedCreate`: exceeded quota",
        limit: adjustable("quota", 15, 60),
        cleared_by: "a newer `SuccessfulCreate`; the wanted number of pods; a change of the spec that is not observed yet",
        twin: "an old pod that frees its share of the quota when it ends",
        find: workloads::over_quota,
    },
    Row {
        name: "pods that can't be created",
        object: "StatefulSet, ReplicaSet, DaemonSet, Job",
        reason: "`FailedCreate`: anything else",
        limit: adjustable("pods_created", 20, 60),
        cleared_by: "a newer `SuccessfulCreate`; the wanted number of pods; a change of the spec that is not observed yet",
        twin: "a ServiceAccount that is created a moment after the workload",
        find: workloads::uncreated,
    },
    Row {
        name: "pod failed",
        object: "Pod",
        reason: "`Failed`, for a pod of the release without a controller",
        limit: Seconds(0),
        cleared_by: "another Pod with its name",
        twin: "a pod with `restartPolicy: OnFailure` whose container fails once",
        find: pods::ended,
    },
    Row {
        name: "job failed",
        object: "Job",
        reason: "`BackoffLimitExceeded`, `DeadlineExceeded`, `PodFailurePolicy`",
        limit: Seconds(0),
        cleared_by: "nothing, for a Job by itself; for a Job of a CronJob, the next Job",
        twin: "a job whose first pod fails",
        find: workloads::failed_jobs,
    },
    Row {
        name: "hook failed",
        object: "Job, Pod",
        reason: "as for a failed job; `Failed`, for a pod that is a hook",
        // helm reports this as well, but longer; the wait does not depend on it.
        limit: Seconds(3),
        cleared_by: "another Job or Pod with its name",
        twin: "a hook's job whose first pod fails",
        find: workloads::failed_hooks,
    },
    Row {
        name: "rollout past its progress deadline",
        object: "Deployment",
        reason: "`ProgressDeadlineExceeded`",
        // A new rollout keeps the old rollout's condition until its first progress.
        limit: Seconds(2),
        cleared_by: "progress: the condition is true again; a change of the spec that is not observed yet",
        twin: "a rollout that is slow but within its deadline",
        find: workloads::stuck_rollout,
    },
];

/// Returns the valid keys of a suite's `[limits_s]`.
pub fn keys() -> impl Iterator<Item = &'static str> {
    TABLE.iter().filter_map(|row| match row.limit {
        Limit::Adjustable { key, .. } => Some(key),
        Seconds(_) | Times(_) => None,
    })
}
