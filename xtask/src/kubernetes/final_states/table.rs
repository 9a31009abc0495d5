//! The one table of final states. Each row has a twin: the same beginning, which recovers and must stay green.
//! docs/diagnosing.md shows the table; a test keeps both the same.

use super::Limit::{Seconds, Times};
use super::{Row, pods, workloads};

/// In the order in which a wait believes them: what is nearest to the cause comes first.
pub const TABLE: [Row; 17] = [
    Row {
        name: "image is never pulled",
        object: "Pod",
        reason: "`ErrImageNeverPull`, `InvalidImageName`",
        limit: Seconds(0),
        twin: "an image that is loaded while its pod is still being scheduled",
        find: pods::image_never_pulled,
    },
    Row {
        name: "image does not exist",
        object: "Pod",
        reason: "`ErrImagePull`, `ImagePullBackOff`: not found, denied, no such platform",
        limit: Seconds(3),
        twin: "a registry that is overloaded once",
        find: pods::image_missing,
    },
    Row {
        name: "image can't be pulled",
        object: "Pod",
        reason: "`ErrImagePull`, `ImagePullBackOff`: anything else",
        limit: Seconds(60),
        twin: "a pull that fails on DNS, and then works",
        find: pods::image_unreachable,
    },
    Row {
        name: "init container fails",
        object: "Pod",
        reason: "`CrashLoopBackOff`, `Error` of an init container",
        limit: Times(pods::ENDS),
        twin: "an init container that fails twice, and then works",
        find: pods::init_fails,
    },
    Row {
        name: "crash loop",
        object: "Pod",
        reason: "`CrashLoopBackOff`, `Error`",
        limit: Times(pods::ENDS),
        twin: "two crashes at the start",
        find: pods::crash_loop,
    },
    Row {
        name: "container's configuration is refused",
        object: "Pod",
        reason: "`CreateContainerConfigError`: `runAsNonRoot`",
        limit: Seconds(0),
        twin: "an image whose user is a number other than 0",
        find: pods::config_refused,
    },
    Row {
        name: "container's configuration names what is not there",
        object: "Pod",
        reason: "`CreateContainerConfigError`, `CreateContainerError`",
        // kubelet looks again after 10 to 15 s.
        limit: Seconds(20),
        twin: "a Secret that is created a moment after its pod",
        find: pods::config_missing,
    },
    Row {
        name: "unschedulable",
        object: "Pod",
        reason: "`Unschedulable`, and not for a taint, which a young node has",
        limit: Seconds(15),
        twin: "a node that is not ready yet",
        find: pods::unschedulable,
    },
    Row {
        name: "claim without a class",
        object: "PersistentVolumeClaim",
        reason: "`FailedBinding`; `ProvisioningFailed`: no such class",
        limit: Seconds(5),
        twin: "a claim that waits for its first consumer",
        find: workloads::claim_without_class,
    },
    Row {
        name: "claim that nobody provisions",
        object: "PersistentVolumeClaim",
        reason: "`ExternalProvisioning`, `ProvisioningFailed`",
        limit: Seconds(60),
        twin: "a provisioner that takes a while",
        find: workloads::claim_unprovisioned,
    },
    Row {
        name: "volume that can't be mounted",
        object: "Pod",
        reason: "`FailedMount`, `FailedAttachVolume`",
        limit: Seconds(30),
        twin: "a mount that fails, and then works",
        find: pods::unmounted,
    },
    Row {
        name: "pods refused by admission",
        object: "StatefulSet, ReplicaSet, Job",
        reason: "`FailedCreate`: Pod Security, a webhook's denial",
        limit: Seconds(3),
        twin: "a level of Pod Security that is lowered a moment later",
        find: workloads::refused,
    },
    Row {
        name: "pods beyond a quota",
        object: "StatefulSet, ReplicaSet, Job",
        reason: "`FailedCreate`: exceeded quota",
        limit: Seconds(15),
        twin: "an old pod whose share of the quota becomes free as it ends",
        find: workloads::over_quota,
    },
    Row {
        name: "pods that can't be created",
        object: "StatefulSet, ReplicaSet, Job",
        reason: "`FailedCreate`: anything else",
        limit: Seconds(20),
        twin: "a ServiceAccount that is created a moment after the workload",
        find: workloads::uncreated,
    },
    Row {
        name: "job failed",
        object: "Job",
        reason: "`BackoffLimitExceeded`, `DeadlineExceeded`, `PodFailurePolicy`",
        limit: Seconds(0),
        twin: "a job whose first pod failed",
        find: workloads::failed_jobs,
    },
    Row {
        name: "hook failed",
        object: "Job, Pod",
        reason: "as a failed job; `Failed` of a pod that is a hook",
        // helm says it, too, with more words; a helm that does not is not waited for.
        limit: Seconds(3),
        twin: "a hook's job whose first pod failed",
        find: workloads::failed_hooks,
    },
    Row {
        name: "rollout past its progress deadline",
        object: "Deployment",
        reason: "`ProgressDeadlineExceeded`",
        // A new rollout keeps the old one's condition until the first progress.
        limit: Seconds(2),
        twin: "a rollout that is slow but within its deadline",
        find: workloads::stuck_rollout,
    },
];
