//! The identity of the n-th pod of a set: name, labels, host name, claims.

use k8s_openapi::api::apps::v1::{ControllerRevision, StatefulSet, StatefulSetSpec};
use k8s_openapi::api::core::v1::{
    PersistentVolumeClaim, PersistentVolumeClaimVolumeSource, Pod, PodSpec, PodTemplateSpec, Volume,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::controllers::{owners, revisions};

const NAME_LABEL: &str = "statefulset.kubernetes.io/pod-name";
const INDEX_LABEL: &str = "apps.kubernetes.io/pod-index";

/// Returns the ordinal in a pod's name, if the pod can be one of the set's.
pub fn ordinal(set: &StatefulSet, pod: &Pod) -> Option<i32> {
    let (parent, ordinal) = pod.metadata.name.as_deref()?.rsplit_once('-')?;
    (Some(parent) == set.metadata.name.as_deref()).then(|| ordinal.parse().ok())?
}

/// Returns the first ordinal of the set.
pub fn start(spec: &StatefulSetSpec) -> i32 {
    spec.ordinals.as_ref().and_then(|o| o.start).unwrap_or(0)
}

/// Returns the name of the set's n-th pod.
pub fn pod_name(set: &StatefulSet, ordinal: i32) -> String {
    format!("{}-{ordinal}", set.metadata.name.as_deref().unwrap_or_default())
}

/// Returns the set's n-th pod, created from a revision.
pub fn pod(set: &StatefulSet, spec: &StatefulSetSpec, ordinal: i32, revision: &ControllerRevision) -> Pod {
    let template = revisions::template(revision).unwrap_or_else(|| spec.template.clone());
    let PodTemplateSpec { metadata, spec: pod_spec } = template;
    let metadata = metadata.unwrap_or_default();
    let name = pod_name(set, ordinal);
    let mut labels = metadata.labels.unwrap_or_default();
    labels.insert(revisions::LABEL.to_owned(), revisions::name(revision).to_owned());
    labels.extend(own_labels(&name, ordinal));
    let pod_spec = pod_spec.unwrap_or_default();
    Pod {
        spec: Some(PodSpec {
            hostname: Some(name.clone()),
            subdomain: spec.service_name.clone(),
            volumes: volumes(set, spec, ordinal, pod_spec.volumes.clone()),
            ..pod_spec
        }),
        metadata: ObjectMeta {
            name: Some(name),
            namespace: set.metadata.namespace.clone(),
            labels: Some(labels),
            annotations: metadata.annotations,
            finalizers: metadata.finalizers,
            owner_references: Some(vec![owners::controller_reference(set)]),
            ..ObjectMeta::default()
        },
        status: None,
    }
}

/// Returns the labels that an adopted pod may lack.
pub fn own_labels(name: &str, ordinal: i32) -> [(String, String); 2] {
    [(NAME_LABEL.to_owned(), name.to_owned()), (INDEX_LABEL.to_owned(), ordinal.to_string())]
}

/// Returns the template's volumes; claim templates come first and replace volumes of the same name.
fn volumes(
    set: &StatefulSet,
    spec: &StatefulSetSpec,
    ordinal: i32,
    of_template: Option<Vec<Volume>>,
) -> Option<Vec<Volume>> {
    let claims = spec.volume_claim_templates.iter().flatten();
    let mut volumes: Vec<Volume> = claims.map(|template| claim_volume(set, template, ordinal)).collect();
    let taken: Vec<String> = volumes.iter().map(|v| v.name.clone()).collect();
    volumes.extend(of_template.into_iter().flatten().filter(|v| !taken.contains(&v.name)));
    (!volumes.is_empty()).then_some(volumes)
}

fn claim_volume(set: &StatefulSet, template: &PersistentVolumeClaim, ordinal: i32) -> Volume {
    Volume {
        name: template.metadata.name.clone().unwrap_or_default(),
        persistent_volume_claim: Some(PersistentVolumeClaimVolumeSource {
            claim_name: claim_name(set, template, ordinal),
            read_only: None,
        }),
        ..Volume::default()
    }
}

fn claim_name(set: &StatefulSet, template: &PersistentVolumeClaim, ordinal: i32) -> String {
    format!("{}-{}", template.metadata.name.as_deref().unwrap_or_default(), pod_name(set, ordinal))
}

/// Returns the claims of the set's n-th pod.
pub fn claims(set: &StatefulSet, spec: &StatefulSetSpec, ordinal: i32) -> Vec<PersistentVolumeClaim> {
    let templates = spec.volume_claim_templates.iter().flatten();
    templates.map(|template| claim(set, spec, template, ordinal)).collect()
}

fn claim(
    set: &StatefulSet,
    spec: &StatefulSetSpec,
    template: &PersistentVolumeClaim,
    ordinal: i32,
) -> PersistentVolumeClaim {
    let mut labels = template.metadata.labels.clone().unwrap_or_default();
    labels.extend(spec.selector.match_labels.clone().unwrap_or_default());
    PersistentVolumeClaim {
        metadata: ObjectMeta {
            name: Some(claim_name(set, template, ordinal)),
            namespace: set.metadata.namespace.clone(),
            labels: Some(labels),
            annotations: template.metadata.annotations.clone(),
            ..ObjectMeta::default()
        },
        spec: template.spec.clone(),
        status: None,
    }
}
