//! Faults planted on purpose, so that every check of the harness can be shown to fail when it should.
//!
//! They can be planted only through the library and `CHARTPROOF_EMBEDDED_FAULTS` (JSON): no flag and no suite file
//! plants one.

use serde::{Deserialize, Serialize};

/// The environment variable that holds faults as JSON: a list of [`Fault`].
pub const VARIABLE: &str = "CHARTPROOF_EMBEDDED_FAULTS";

/// The faults of one cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Faults(pub Vec<Fault>);

/// One fault: `{"fault": "pullFails", "message": "…", "of": "docker.io/library/busybox:*", "times": 2}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// What goes wrong.
    #[serde(flatten)]
    pub what: FaultKind,
    /// The target, as described for each [`FaultKind`]; a final `*` matches anything.
    #[serde(default = "anything")]
    pub of: String,
    /// How often it strikes before it stops; forever if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "camelCase")]
pub enum FaultKind {
    /// An API call returns this status code; `of` is `VERB resource`: `POST secrets`, `GET pods/log`.
    ApiFails {
        /// HTTP status code: 403, 429, 500, 503.
        code: u16,
        /// The message of the `v1.Status`.
        #[serde(default)]
        message: String,
    },
    /// An API call never returns; `of` is `VERB resource`.
    ApiHangs,
    /// The API server refuses everything for a while, starting with an API call that gets no response; `of` is
    /// `VERB resource` of that call. Established port-forwards stay.
    ApiRefuses {
        /// How many seconds.
        seconds: u64,
    },
    /// The node's process ends at an API call; `of` is `VERB resource`.
    NodeDies,
    /// The node is not ready, with this message, and the pod in `kube-system` that would provide its network requests
    /// the image `network.test/plugin:1`, which does not exist; `of` is the node's name, `times` the number of seconds.
    NodeNotReady {
        /// The message of its `Ready` condition.
        message: String,
    },
    /// A watch ends in the middle; `of` is the resource.
    WatchBreaks,
    /// A watch returns 410 `Expired`; `of` is the resource.
    WatchExpires,
    /// The node does not have this image, even if it was loaded; `of` is the image as the pod names it.
    ImageMissing,
    /// Pulling fails with this message, and works afterwards if the image was loaded; `of` is the image.
    PullFails {
        /// The message of the registry's client.
        message: String,
    },
    /// Pulling takes this long, and then works; `of` is the image.
    PullTakes {
        /// How many seconds.
        seconds: u64,
    },
    /// Mounting a volume fails with this message; `of` is the volume's name in the pod.
    MountFails {
        /// The error of the mount.
        message: String,
    },
    /// A claim stays pending; `of` is its name.
    ClaimNeverBinds,
    /// The service account `default` of a namespace is not created yet; `of` is the namespace. Each attempt is a
    /// strike; there are five a second.
    AccountMissing,
    /// The cluster's certificate is not published in a namespace yet; `of` is the namespace. Strikes as above.
    CertificateMissing,
    /// The cluster puts a ConfigMap of its own into a namespace, and restores it if deleted; `of` is the namespace.
    ClusterAdds {
        /// Its name.
        name: String,
        /// How old the namespace has to be, in seconds.
        #[serde(default, rename = "afterS")]
        after_s: i64,
    },
    /// The scheduler finds no node with enough room; `of` is the pod's name.
    NodeFull,
    /// A container is killed for memory as soon as it runs; `of` is `pod/container`.
    OutOfMemory,
    /// A name does not resolve; `of` is the requested name.
    DnsFails,
    /// A port-forward drops as soon as it is up; `of` is the pod's name.
    PortForwardDrops,
    /// A connection to a service is taken by something that answers each request with 404, as on a node whose
    /// kube-proxy has written one of its two tables; `of` is the service's name.
    ServiceAstray {
        /// Also while the service has an endpoint.
        #[serde(default, rename = "withEndpoints")]
        with_endpoints: bool,
    },
}

fn anything() -> String {
    "*".to_owned()
}

impl Fault {
    /// Returns whether the fault is meant for this target.
    pub fn hits(&self, target: &str) -> bool {
        self.of.strip_suffix('*').map_or_else(|| self.of == target, |prefix| target.starts_with(prefix))
    }
}
