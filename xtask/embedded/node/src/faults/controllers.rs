//! Faults of the controllers.

use embedded::faults::FaultKind;

use super::PlantedFaults;

impl PlantedFaults {
    /// Returns whether the scheduler finds no room for a pod.
    pub(crate) fn fills_node(&self, pod: &str) -> bool {
        self.strikes(pod, &FaultKind::NodeFull)
    }

    /// Returns whether a claim gets no volume.
    pub(crate) fn withholds_volume(&self, claim: &str) -> bool {
        self.strikes(claim, &FaultKind::ClaimNeverBinds)
    }

    /// Returns whether the account `default` of a namespace is not created yet.
    pub(crate) fn withholds_account(&self, namespace: &str) -> bool {
        self.strikes(namespace, &FaultKind::AccountMissing)
    }

    /// Returns whether the cluster's certificate is not published in a namespace yet.
    pub(crate) fn withholds_certificate(&self, namespace: &str) -> bool {
        self.strikes(namespace, &FaultKind::CertificateMissing)
    }

    /// Returns the name of the ConfigMap that the cluster puts into a namespace, and the namespace's minimum
    /// age in seconds.
    pub(crate) fn addition(&self, namespace: &str) -> Option<(String, i64)> {
        match self.next(namespace, |what| matches!(what, FaultKind::ClusterAdds { .. }))? {
            FaultKind::ClusterAdds { name, after_s } => Some((name, after_s)),
            _ => None,
        }
    }
}
