#![expect(clippy::needless_pass_by_value, reason = "a JSON literal reads best where it is used")]

use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim, Pod};
use serde_json::{Value, json};

use crate::controllers::testing::{Simulation, recording};
use crate::faults::PlantedFaults;
use crate::registry::DeleteOptions;

fn claim(simulation: &Simulation, spec: Value) {
    let mut claim = json!({"metadata": {"name": "c", "namespace": "a"}, "spec": {
        "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}},
    }});
    claim["spec"].as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    simulation.create::<PersistentVolumeClaim>(claim);
}

fn consumer(simulation: &Simulation) {
    simulation.create::<Pod>(json!({"metadata": {"name": "p", "namespace": "a"}, "spec": {
        "containers": [{"name": "main", "image": "one"}], "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}],
    }}));
}

fn phase(simulation: &Simulation) -> Option<String> {
    simulation.context.client.get::<PersistentVolumeClaim>("a", "c")?.status?.phase
}

fn volumes(simulation: &Simulation) -> Vec<(String, String)> {
    let volumes = simulation.context.client.list::<PersistentVolume>(None).into_iter();
    volumes.map(|v| (v.metadata.name.unwrap(), v.status.and_then(|s| s.phase).unwrap_or_default())).collect()
}

fn delete_claim(simulation: &mut Simulation) {
    simulation.delete::<PersistentVolumeClaim>("a", "c", &DeleteOptions::default());
    simulation.settle();
}

#[test]
fn a_claim_gets_its_volume_with_its_first_pod_and_releases_it_at_its_end() {
    let mut simulation = Simulation::new("a");
    claim(&simulation, json!({}));
    simulation.settle();
    assert_ne!(phase(&simulation).as_deref(), Some("Bound"), "nobody uses it yet");
    consumer(&simulation);
    simulation.settle();
    assert_eq!(phase(&simulation).as_deref(), Some("Bound"));
    let (volume, state) = volumes(&simulation).remove(0);
    assert_eq!(state, "Bound");
    let directory = simulation.context.volumes.join(&volume);
    std::fs::write(directory.join("data"), "kept").unwrap();

    simulation.run("a", "p");
    delete_claim(&mut simulation);
    assert!(phase(&simulation).is_some(), "the pod still uses it");
    assert!(directory.join("data").exists());
    simulation.delete::<Pod>("a", "p", &DeleteOptions::default());
    simulation.stop("a", "p");
    assert_eq!((phase(&simulation), volumes(&simulation).len(), directory.exists()), (None, 0, false));
}

#[test]
fn a_retained_volume_keeps_its_data_and_accepts_no_other_claim() {
    let mut simulation = Simulation::new("a");
    claim(&simulation, json!({}));
    consumer(&simulation);
    simulation.settle();
    let (volume, _) = volumes(&simulation).remove(0);
    let retain = |volume: &mut PersistentVolume| {
        volume.spec.as_mut().unwrap().persistent_volume_reclaim_policy = Some("Retain".to_owned());
        true
    };
    simulation.modify("", &volume, retain);
    simulation.delete_now("a", "p");
    delete_claim(&mut simulation);
    assert_eq!(volumes(&simulation), [(volume.clone(), "Released".to_owned())]);
    assert!(simulation.context.volumes.join(&volume).exists());
    claim(&simulation, json!({}));
    consumer(&simulation);
    simulation.settle();
    assert_eq!(volumes(&simulation).len(), 2, "the new claim has a volume of its own");
}

#[test]
fn claims_that_kinds_provisioner_rejects_are_rejected_with_its_message() {
    let mut simulation = Simulation::new("a");
    claim(&simulation, json!({"accessModes": ["ReadWriteMany"]}));
    consumer(&simulation);
    simulation.settle();
    let events = recording::events(&simulation.log());
    let words = "Warning ProvisioningFailed: failed to provision volume with StorageClass \"standard\": NodePath only \
                 supports ReadWriteOnce and ReadWriteOncePod (1.22+) access modes";
    assert_eq!(events["PersistentVolumeClaim/c"].last().unwrap(), words);
    assert_ne!(phase(&simulation).as_deref(), Some("Bound"));
}

#[test]
fn an_existing_volume_is_preferred_to_a_new_one() {
    let mut simulation = Simulation::new("a");
    for (name, size, class) in
        [("large", "9Gi", "shelf"), ("fitting", "2Gi", "shelf"), ("small", "1Mi", "shelf"), ("other", "2Gi", "box")]
    {
        simulation.create::<PersistentVolume>(json!({"metadata": {"name": name}, "spec": {
            "capacity": {"storage": size}, "accessModes": ["ReadWriteOnce"], "storageClassName": class, "local": {"path": "/x"},
        }}));
    }
    claim(&simulation, json!({"storageClassName": "shelf"}));
    simulation.settle();
    let claim: PersistentVolumeClaim = simulation.context.client.get("a", "c").unwrap();
    assert_eq!(claim.spec.unwrap().volume_name.as_deref(), Some("fitting"));
    let states: Vec<String> = volumes(&simulation).into_iter().map(|(name, state)| format!("{name} {state}")).collect();
    assert_eq!(states, ["fitting Bound", "large Available", "other Available", "small Available"]);
}

#[test]
fn a_planted_fault_keeps_a_claim_pending() {
    let mut simulation = Simulation::new("a");
    simulation.context.faults =
        PlantedFaults::new(serde_json::from_value(json!([{"fault": "claimNeverBinds", "of": "c"}])).unwrap());
    claim(&simulation, json!({}));
    consumer(&simulation);
    simulation.settle();
    simulation.later();
    assert_ne!(phase(&simulation).as_deref(), Some("Bound"));
    assert!(simulation.pod("a", "p").spec.unwrap().node_name.is_none(), "its pod waits");
}
