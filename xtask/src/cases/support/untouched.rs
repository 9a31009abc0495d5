//! The pods of a release that has to go on: which they are, and whether one of them stops being ready.

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
    /// Its ready pods now.
    pub fn of(deployed_release: &DeployedRelease) -> Self {
        Self { deployed_release: deployed_release.clone(), uids: ready(deployed_release) }
    }

    /// Refuses to watch over none: whatever happens, none of them would be touched.
    ///
    /// # Errors
    /// Where no pod of the release was ready.
    pub fn some(self) -> anyhow::Result<Self> {
        anyhow::ensure!(
            self.count() > 0,
            "release {} has no ready pod that has to go on",
            self.deployed_release.release.key()
        );
        Ok(self)
    }

    /// How many there were.
    pub fn count(&self) -> usize {
        self.uids.len()
    }

    /// Does something; answers what came of it, and how fewer pods were ready meanwhile, if that ever was so.
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

    /// Whether they are still the same, and ready.
    ///
    /// # Errors
    /// Where one is gone or not ready.
    pub fn check(&self) -> anyhow::Result<()> {
        let now = ready(&self.deployed_release);
        let gone = self.uids.difference(&now).count();
        anyhow::ensure!(
            gone == 0,
            "{gone} of {} pods of release {} were touched",
            self.uids.len(),
            self.deployed_release.release.key()
        );
        Ok(())
    }

    fn lost(&self) -> Option<String> {
        let now = ready(&self.deployed_release).len();
        (now < self.uids.len()).then(|| format!("{now} of {} pods were ready", self.uids.len()))
    }
}

fn ready(deployed_release: &DeployedRelease) -> BTreeSet<String> {
    deployed_release.pods().iter().filter(|pod| objects::is_ready(pod)).filter_map(ResourceExt::uid).collect()
}
