//! Faults of the controllers.

use embedded::faults::What;

use super::Planted;

impl Planted {
    /// Returns whether the scheduler finds no room for a pod.
    pub(crate) fn fills_node(&self, pod: &str) -> bool {
        self.strikes(pod, &What::NodeFull)
    }

    /// Returns whether a claim gets no volume.
    pub(crate) fn withholds_volume(&self, claim: &str) -> bool {
        self.strikes(claim, &What::ClaimNeverBinds)
    }

    /// Returns whether the account `default` of a namespace is not created yet.
    pub(crate) fn withholds_account(&self, namespace: &str) -> bool {
        self.strikes(namespace, &What::AccountMissing)
    }

    /// Returns whether the cluster's certificate is not published in a namespace yet.
    pub(crate) fn withholds_certificate(&self, namespace: &str) -> bool {
        self.strikes(namespace, &What::CertificateMissing)
    }

    /// Returns the name of the ConfigMap that the cluster puts into a namespace, and the namespace's minimum
    /// age in seconds.
    pub(crate) fn addition(&self, namespace: &str) -> Option<(String, i64)> {
        match self.next(namespace, |what| matches!(what, What::ClusterAdds { .. }))? {
            What::ClusterAdds { name, after_s } => Some((name, after_s)),
            _ => None,
        }
    }
}
