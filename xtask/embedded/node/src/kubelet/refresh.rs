//! Updates volumes when their source changes: config maps, secrets, the pod's own labels and annotations. Kubelet
//! checks from time to time; here a change is passed on at once.

use k8s_openapi::api::core::v1::{Pod, Volume, VolumeProjection};

use super::Workers;
use super::worker::Worker;
use crate::store::{self, Change};

impl Worker {
    /// Updates the files of volumes whose source has changed. If that fails, the old files stay.
    pub(super) async fn refresh_volumes(&mut self) {
        let changes = self.orders.borrow().changes;
        if changes == self.shown {
            return;
        }
        self.shown = changes;
        match self.set_up_volumes().await {
            Ok(Ok(volumes)) => self.volumes = Some(volumes),
            Ok(Err(error)) => self.reporter.warning("FailedMount", &error.to_string()),
            Err(error) => tracing::error!(%error, "refreshing volumes failed"),
        }
    }
}

/// Notifies the workers of pods with a volume of the changed object.
pub(super) fn announce(change: &Change, workers: &Workers) {
    if !["ConfigMap", "Secret"].contains(&change.kind.built_in()) {
        return;
    }
    let (namespace, name) = store::key(&change.object);
    for orders in workers.values() {
        let pod = orders.borrow().pod.clone();
        if pod.metadata.namespace.as_ref() == Some(&namespace) && shows(&pod, change.kind.kind, &name) {
            orders.send_modify(|order| order.changes += 1);
        }
    }
}

/// Returns whether a pod has a volume of an object of this kind and name.
fn shows(pod: &Pod, kind: &str, name: &str) -> bool {
    let projected = |source: &VolumeProjection| match kind {
        "ConfigMap" => source.config_map.as_ref().is_some_and(|source| source.name == name),
        _ => source.secret.as_ref().is_some_and(|source| source.name == name),
    };
    let direct = |volume: &Volume| match kind {
        "ConfigMap" => volume.config_map.as_ref().is_some_and(|source| source.name == name),
        _ => volume.secret.as_ref().is_some_and(|source| source.secret_name.as_deref() == Some(name)),
    };
    volumes(pod).any(|volume| {
        let mut sources = volume.projected.iter().flat_map(|projected| projected.sources.iter().flatten());
        direct(volume) || sources.any(projected)
    })
}

/// Returns whether the pod has a volume of its own fields, and these now differ.
pub(super) fn shows_other_fields(before: &Pod, after: &Pod) -> bool {
    let fields = |pod: &Pod| (pod.metadata.labels.clone(), pod.metadata.annotations.clone());
    let shows = |volume: &Volume| {
        let mut sources = volume.projected.iter().flat_map(|projected| projected.sources.iter().flatten());
        volume.downward_api.is_some() || sources.any(|source| source.downward_api.is_some())
    };
    volumes(after).any(shows) && fields(before) != fields(after)
}

fn volumes(pod: &Pod) -> impl Iterator<Item = &Volume> {
    pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten())
}
