//! Pod Security: how strict a namespace is about the pods in it.
//!
//! Levels and label: <https://kubernetes.io/docs/concepts/security/pod-security-admission/>.

use serde::Deserialize;

use super::{Suite, Topology};

/// The Pod Security Standard that a namespace enforces.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PodSecurity {
    /// Every pod is admitted, as in a namespace without the label on a cluster with default settings.
    #[default]
    Privileged,
    /// Known privilege escalations are rejected.
    Baseline,
    /// Pods must follow current hardening practice.
    Restricted,
}

impl PodSecurity {
    /// The value of the label `pod-security.kubernetes.io/enforce`.
    pub fn label(self) -> &'static str {
        match self {
            Self::Privileged => "privileged",
            Self::Baseline => "baseline",
            Self::Restricted => "restricted",
        }
    }
}

impl Suite {
    /// The level of one of a topology's namespaces: that of a release in it, else the topology's, else the suite's.
    pub fn pod_security(&self, topology: &Topology, part: &str) -> PodSecurity {
        let mut of_release = self.releases.iter().filter(|release| release.namespace == part);
        let of_release = of_release.find_map(|release| release.pod_security);
        of_release.or(topology.pod_security).or(self.pod_security).unwrap_or_default()
    }
}
