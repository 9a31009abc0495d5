//! A pod's volumes: directories of the node, created before its containers and removed after them.

mod content;
mod files;
mod subpath;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use embedded::changes::DISKS_CAN_FAIL;
use k8s_openapi::api::core::v1::{
    EmptyDirVolumeSource, Namespace, PersistentVolume, PersistentVolumeClaim, PersistentVolumeClaimVolumeSource, Pod,
    Volume,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use nix::mount::{MntFlags, MsFlags, mount, umount2};

pub(super) use self::subpath::mounts;
use super::disks::Disks;
use super::downward::Addresses;
use crate::client::Client;
use crate::faults::PlantedFaults;
use resources::quantity;

/// The volumes of a pod by name, with their directories on the node.
#[derive(Debug, Default)]
pub(super) struct Volumes(BTreeMap<String, MadeVolume>);

/// A volume that was set up.
#[derive(Debug)]
struct MadeVolume {
    path: PathBuf,
    /// Whether it is mounted read-only, regardless of the mount.
    read_only: bool,
}

/// Why a volume can't be set up; kubelet reports it in a `FailedMount` event.
#[derive(Debug)]
pub(super) struct MountError {
    pub volume: String,
    pub why: String,
}

impl std::fmt::Display for MountError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MountVolume.SetUp failed for volume \"{}\" : {}", self.volume, self.why)
    }
}

/// What is needed to set volumes up.
pub(super) struct VolumeSetup {
    pub client: Client,
    pub pod: Arc<Pod>,
    pub faults: PlantedFaults,
    /// The parent of this pod's own volumes.
    pub directory: PathBuf,
    /// The parent of persistent volumes, each under its name.
    pub persistent: PathBuf,
    pub addresses: Addresses,
    pub node: Arc<BTreeMap<String, Quantity>>,
    pub disks: Disks,
}

impl VolumeSetup {
    /// Sets up all volumes; called again after a failure, and when their source has changed.
    pub fn run(&self) -> Result<Volumes, MountError> {
        let volumes = self.pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten());
        let made = volumes.map(|volume| {
            let path = self.faults.mount_error(&volume.name).map_or_else(|| self.make(volume), Err);
            let path = path.map_err(|why| MountError { volume: volume.name.clone(), why })?;
            Ok((volume.name.clone(), MadeVolume { path, read_only: is_read_only(volume) }))
        });
        made.collect::<Result<_, _>>().map(Volumes)
    }

    fn make(&self, volume: &Volume) -> Result<PathBuf, String> {
        if let Some(claim) = &volume.persistent_volume_claim {
            return self.claimed(claim);
        }
        let path = self.directory.join(&volume.name);
        if let Some(empty) = &volume.empty_dir {
            let is_new = empty_dir(&path, empty).map_err(|error| error.to_string())?;
            // Later it belongs to the containers, and so do the modes and owners in it.
            files::give_to_group(&path, self.fs_group().filter(|_| is_new), false);
        } else {
            files::write_all(&path, &content::of(self, volume)?).map_err(|error| error.to_string())?;
            files::give_to_group(&path, self.fs_group(), true);
        }
        Ok(path)
    }

    fn fs_group(&self) -> Option<u32> {
        let context = self.pod.spec.as_ref()?.security_context.as_ref()?;
        context.fs_group.and_then(|group| u32::try_from(group).ok())
    }

    fn namespace(&self) -> &str {
        self.pod.metadata.namespace.as_deref().unwrap_or_default()
    }

    /// Returns the directory of a bound claim. As with kind's provisioner it is a host path, accessible to all, and
    /// `fsGroup` does not apply.
    fn claimed(&self, source: &PersistentVolumeClaimVolumeSource) -> Result<PathBuf, String> {
        let name = &source.claim_name;
        let claim: Option<PersistentVolumeClaim> = self.client.get(self.namespace(), name);
        let claim = claim.ok_or_else(|| format!("persistentvolumeclaim \"{name}\" not found"))?;
        let volume = claim.spec.as_ref().and_then(|spec| spec.volume_name.clone()).filter(|name| !name.is_empty());
        let bound = claim.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Bound");
        let volume = volume.filter(|_| bound).ok_or_else(|| format!("PVC {}/{name} is not bound", self.namespace()))?;
        self.check_bound(&volume, &claim)?;
        // The volume's own path is ignored: nothing outside the run directory is touched.
        let path = self.persistent.join(&volume);
        if !path.is_dir() {
            files::make_directory(&path, 0o777).map_err(|error| error.to_string())?;
        }
        if self.disks_can_fail() {
            self.disks.provide(&volume, &path)?;
        }
        Ok(path)
    }

    fn disks_can_fail(&self) -> bool {
        let namespace: Option<Namespace> = self.client.get("", self.namespace());
        let labels = namespace.and_then(|namespace| namespace.metadata.labels).unwrap_or_default();
        labels.get(DISKS_CAN_FAIL).is_some_and(|value| value == "true")
    }
}

impl VolumeSetup {
    /// Checks that the volume names the claim: anybody who may write claims can set any volume and phase in one.
    fn check_bound(&self, name: &str, claim: &PersistentVolumeClaim) -> Result<(), String> {
        let volume: PersistentVolume = self.client.get("", name).ok_or_else(|| {
            format!("failed to fetch PV {name} from API server: persistentvolumes \"{name}\" not found")
        })?;
        let Some(reference) = volume.spec.and_then(|spec| spec.claim_ref) else {
            let why = "with nil pv.Spec.ClaimRef indicating it is not yet bound to the claim";
            return Err(format!("found PV object {name} {why}"));
        };
        let (uid, expected) = (reference.uid.unwrap_or_default(), claim.metadata.uid.as_deref().unwrap_or_default());
        if uid == expected {
            return Ok(());
        }
        Err(format!("found PV object {name} with unexpected pv.Spec.ClaimRef.UID {uid}. Expected claim UID {expected}"))
    }
}

impl Volumes {
    pub fn path(&self, name: &str) -> Option<&Path> {
        self.0.get(name).map(|made| made.path.as_path())
    }

    fn is_read_only(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|made| made.read_only)
    }
}

/// Returns whether a volume is read-only: always if it shows objects of the API; a claim, if the pod requests it.
fn is_read_only(volume: &Volume) -> bool {
    match &volume.persistent_volume_claim {
        Some(claim) => claim.read_only == Some(true),
        None => volume.empty_dir.is_none(),
    }
}

/// Removes the directories of a pod; persistent volumes stay.
pub(super) fn tear_down(directory: &Path) {
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        // Most are not mounts, and unmounting those fails, as expected.
        let _ = umount2(&entry.path(), MntFlags::MNT_DETACH);
    }
    if let Err(error) = std::fs::remove_dir_all(directory)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(directory = %directory.display(), %error, "a pod's volumes can't be removed");
    }
}

/// Creates an empty directory; returns false if it already exists.
fn empty_dir(path: &Path, source: &EmptyDirVolumeSource) -> std::io::Result<bool> {
    if path.is_dir() {
        return Ok(false);
    }
    files::make_directory(path, 0o777)?;
    if source.medium.as_deref() == Some("Memory") {
        let size = source.size_limit.as_ref().and_then(quantity::whole).filter(|bytes| *bytes > 0);
        let options = size.map_or_else(|| "mode=0777".to_owned(), |bytes| format!("mode=0777,size={bytes}"));
        mount(Some("tmpfs"), path, Some("tmpfs"), MsFlags::MS_NOSUID | MsFlags::MS_NODEV, Some(options.as_str()))?;
    }
    Ok(true)
}

#[cfg(test)]
#[expect(clippy::needless_pass_by_value, reason = "`json!` returns values")]
mod tests {
    use std::net::Ipv4Addr;
    use std::os::unix::fs::PermissionsExt;

    use k8s_openapi::api::core::v1::{ConfigMap, PodSecurityContext, Secret};
    use serde_json::{Value, json};

    use super::*;
    use crate::faults::Faults;
    use crate::registry::Registry;

    fn setup(directory: &Path, volumes: Value) -> VolumeSetup {
        let pod = json!({"metadata": {"name": "p", "namespace": "n", "labels": {"a": "b"}},
            "spec": {"containers": [], "volumes": volumes}});
        VolumeSetup {
            client: Client::new(Registry::new(), "kubelet"),
            pod: serde_json::from_value(pod).unwrap(),
            faults: PlantedFaults::default(),
            directory: directory.join("pod"),
            persistent: directory.join("persistent"),
            addresses: Addresses { pod: None, host: Ipv4Addr::LOCALHOST },
            node: Arc::default(),
            disks: Disks::default(),
        }
    }

    fn store(setup: &VolumeSetup, kind: &str, data: Value) {
        let object = json!({"metadata": {"namespace": "n", "name": "it"}, "data": data});
        match kind {
            "Secret" => {
                setup.client.create::<Secret>(&serde_json::from_value(object).unwrap()).unwrap();
            }
            _ => {
                setup.client.create::<ConfigMap>(&serde_json::from_value(object).unwrap()).unwrap();
            }
        }
    }

    #[test]
    fn a_missing_secret_is_named_until_it_exists() {
        let directory = tempfile::tempdir().unwrap();
        let setup =
            setup(directory.path(), json!([{"name": "s", "secret": {"secretName": "it", "defaultMode": 0o400}}]));
        let error = setup.run().unwrap_err();
        assert_eq!((error.volume.as_str(), error.why.as_str()), ("s", "secret \"it\" not found"));
        store(&setup, "Secret", json!({"key": "dmFsdWU="}));
        let volumes = setup.run().unwrap();
        let file = volumes.path("s").unwrap().join("key");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "value");
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o400);
    }

    #[test]
    fn items_select_and_rename_keys_that_must_exist() {
        let directory = tempfile::tempdir().unwrap();
        let source = |key: &str| json!([{"name": "c", "configMap": {"name": "it", "items": [{"key": key, "path": "x/y", "mode": 0o600}]}}]);
        let wrong = setup(directory.path(), source("none"));
        store(&wrong, "ConfigMap", json!({"a": "1", "b": "2"}));
        assert_eq!(wrong.run().unwrap_err().why, "references non-existent config key: none");
        let right = setup(directory.path(), source("a"));
        store(&right, "ConfigMap", json!({"a": "1", "b": "2"}));
        let volumes = right.run().unwrap();
        let path = volumes.path("c").unwrap();
        assert_eq!(std::fs::read_to_string(path.join("x/y")).unwrap(), "1");
        assert!(!path.join("b").exists());
    }

    #[test]
    fn files_are_updated_and_removed_with_their_source() {
        let directory = tempfile::tempdir().unwrap();
        let setup = setup(directory.path(), json!([{"name": "c", "configMap": {"name": "it"}}]));
        store(&setup, "ConfigMap", json!({"same": "1", "changed": "1", "gone": "1"}));
        let path = setup.run().unwrap().path("c").unwrap().to_owned();
        let inode = |name: &str| std::os::unix::fs::MetadataExt::ino(&path.join(name).metadata().unwrap());
        let before = inode("same");
        let seen: ConfigMap = setup.client.get("n", "it").unwrap();
        let modified = setup.client.modify(&seen, |map: &mut ConfigMap| {
            let data = [("same", "1"), ("changed", "2"), ("new", "2")];
            map.data = Some(data.map(|(key, value)| (key.to_owned(), value.to_owned())).into());
            true
        });
        modified.unwrap();
        setup.run().unwrap();
        let read = |name: &str| std::fs::read_to_string(path.join(name)).unwrap();
        assert_eq!((read("changed"), read("new")), ("2".to_owned(), "2".to_owned()));
        assert_eq!(inode("same"), before, "an unchanged file is left alone");
        assert!(!path.join("gone").exists());
    }

    #[test]
    fn an_optional_source_may_be_missing() {
        let directory = tempfile::tempdir().unwrap();
        let volumes = json!([{"name": "s", "secret": {"secretName": "none", "optional": true}}]);
        let volumes = setup(directory.path(), volumes).run().unwrap();
        assert!(volumes.path("s").unwrap().is_dir());
    }

    #[test]
    fn sources_are_projected_into_one_volume() {
        let directory = tempfile::tempdir().unwrap();
        let sources = json!([{"configMap": {"name": "it"}}, {"serviceAccountToken": {"path": "token"}},
            {"downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}}]);
        let setup = setup(directory.path(), json!([{"name": "p", "projected": {"sources": sources}}]));
        store(&setup, "ConfigMap", json!({"ca.crt": "pem"}));
        let volumes = setup.run().unwrap();
        let path = volumes.path("p").unwrap();
        assert_eq!(std::fs::read_to_string(path.join("labels")).unwrap(), "a=\"b\"");
        assert_eq!(std::fs::read_to_string(path.join("ca.crt")).unwrap(), "pem");
        assert!(path.join("token").metadata().unwrap().len() > 0);
    }

    #[test]
    fn a_planted_fault_fails_one_mount() {
        let directory = tempfile::tempdir().unwrap();
        let setup = setup(directory.path(), json!([{"name": "d", "emptyDir": {}}]));
        let faults: Faults =
            serde_json::from_value(json!([{"fault": "mountFails", "message": "busy", "of": "d", "times": 1}])).unwrap();
        setup.faults.replace(faults);
        assert_eq!(setup.run().unwrap_err().why, "busy");
        let volumes = setup.run().unwrap();
        assert_eq!(volumes.path("d").unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o777);
    }

    #[test]
    fn a_claim_has_to_be_bound() {
        let directory = tempfile::tempdir().unwrap();
        let setup = setup(directory.path(), json!([{"name": "d", "persistentVolumeClaim": {"claimName": "c"}}]));
        assert_eq!(setup.run().unwrap_err().why, "persistentvolumeclaim \"c\" not found");
        let claim = |phase: &str| json!({"metadata": {"namespace": "n", "name": "c"}, "spec": {"volumeName": "pv"}, "status": {"phase": phase}});
        setup.client.create::<PersistentVolumeClaim>(&serde_json::from_value(claim("Pending")).unwrap()).unwrap();
        assert_eq!(setup.run().unwrap_err().why, "PVC n/c is not bound");
    }

    /// A claim as anybody may write it who may write claims.
    #[test]
    fn a_claim_is_not_bound_because_its_status_says_so() {
        for (name, sort) in [("/somewhere", "path"), ("../../elsewhere", "path"), ("mine", "nil"), ("others", "UID")] {
            let directory = tempfile::tempdir().unwrap();
            let setup = setup(directory.path(), json!([{"name": "d", "persistentVolumeClaim": {"claimName": "c"}}]));
            let claim = json!({"metadata": {"namespace": "n", "name": "c"}, "spec": {"volumeName": name}, "status": {"phase": "Bound"}});
            setup.client.create::<PersistentVolumeClaim>(&serde_json::from_value(claim).unwrap()).unwrap();
            for (name, spec) in
                [("mine", json!({})), ("others", json!({"claimRef": {"name": "c", "namespace": "n", "uid": "1"}}))]
            {
                let volume = json!({"metadata": {"name": name}, "spec": spec});
                setup.client.create::<PersistentVolume>(&serde_json::from_value(volume).unwrap()).unwrap();
            }
            let why = setup.run().unwrap_err().why;
            let expected = match sort {
                "path" => format!("failed to fetch PV {name} from API server: persistentvolumes \"{name}\" not found"),
                "nil" => {
                    "found PV object mine with nil pv.Spec.ClaimRef indicating it is not yet bound to the claim".into()
                }
                _ => "found PV object others with unexpected pv.Spec.ClaimRef.UID 1. Expected claim UID".into(),
            };
            assert!(why.starts_with(&expected), "{why}");
            assert!(!directory.path().join("elsewhere").exists());
        }
    }

    #[test]
    fn a_containers_changes_to_an_empty_directory_stay() {
        let directory = tempfile::tempdir().unwrap();
        let outside = directory.path().join("outside");
        std::fs::write(&outside, "").unwrap();
        let mut setup = setup(directory.path(), json!([{"name": "d", "emptyDir": {}}]));
        let mut pod = (*setup.pod).clone();
        let context =
            PodSecurityContext { fs_group: Some(nix::unistd::getegid().as_raw().into()), ..Default::default() };
        pod.spec.as_mut().unwrap().security_context = Some(context);
        setup.pod = Arc::new(pod);
        let path = setup.run().unwrap().path("d").unwrap().to_owned();
        std::os::unix::fs::symlink(&outside, path.join("link")).unwrap();
        std::fs::write(path.join("own"), "").unwrap();
        std::fs::set_permissions(path.join("own"), std::fs::Permissions::from_mode(0o600)).unwrap();
        setup.run().unwrap();
        assert_eq!(path.join("own").metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
}
