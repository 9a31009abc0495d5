//! The ready pods of a release that must keep running, and whether one of them stops being ready.

use std::collections::BTreeSet;

use kube::ResourceExt;

use crate::deployed_release::DeployedRelease;
use kubernetes::objects;

/// The ready pods of a release at some moment.
pub struct Untouched {
    deployed_release: DeployedRelease,
    uids: BTreeSet<String>,
}

impl Untouched {
    /// Returns the current ready pods of a release.
    pub fn of(deployed_release: &DeployedRelease) -> Self {
        Self { deployed_release: deployed_release.clone(), uids: ready(deployed_release) }
    }

    /// Fails if there are no ready pods, since then nothing would be checked.
    ///
    /// # Errors
    /// If no pod of the release was ready.
    pub fn some(self) -> anyhow::Result<Self> {
        anyhow::ensure!(
            self.count() > 0,
            "release {} has no ready pod that must keep running",
            self.deployed_release.release.key()
        );
        Ok(self)
    }

    /// Returns the number of pods.
    pub fn count(&self) -> usize {
        self.uids.len()
    }

    /// Runs an action; returns its result, and a message if fewer pods were ready at any time meanwhile.
    pub async fn while_doing<T>(&self, doing: impl Future<Output = T>) -> (T, Option<String>) {
        let mut changes = self.deployed_release.watch.changes();
        let mut lost = None;
        let mut doing = std::pin::pin!(doing);
        loop {
            tokio::select! {
                done = &mut doing => return (done, lost),
                news = changes.changed(), if lost.is_none() => {
                    lost = self.lost();
                    if news.is_err() {
                        return (doing.await, lost);
                    }
                }
            }
        }
    }

    /// Checks that the same pods still exist and are ready.
    ///
    /// # Errors
    /// If a pod is gone or not ready.
    pub fn check(&self) -> anyhow::Result<()> {
        let now = ready(&self.deployed_release);
        let gone = self.uids.difference(&now).count();
        anyhow::ensure!(
            gone == 0,
            "{gone} of {} pods of release {} are gone or not ready",
            self.uids.len(),
            self.deployed_release.release.key()
        );
        Ok(())
    }

    fn lost(&self) -> Option<String> {
        let now = ready(&self.deployed_release).len();
        (now < self.uids.len()).then(|| format!("only {now} of {} pods were ready", self.uids.len()))
    }
}

fn ready(deployed_release: &DeployedRelease) -> BTreeSet<String> {
    deployed_release.pods().iter().filter(|pod| objects::is_ready(pod)).filter_map(ResourceExt::uid).collect()
}
