//! Admission: the namespace has to be active, new objects get addresses and finalizers, quotas and Pod Security are
//! checked.

mod addresses;
mod namespace;
mod pod;
pub(crate) mod pod_security;
mod quota;
mod storage;

pub use quota::usage as quota_usage;

use serde_json::{Value, json};

use super::custom::definition;
use super::value::{fill, is_missing};
use super::{Registry, Writer, defaults};
use crate::kinds::Kind;
use crate::status::Status;

impl Registry {
    /// Changes a new object as admission does, and returns warnings.
    pub(super) fn admit(
        &self,
        writer: &Writer,
        kind: &'static Kind,
        object: &mut Value,
    ) -> Result<Vec<String>, Status> {
        namespace::check(self, writer, kind, object)?;
        match kind.built_in() {
            "Pod" => {
                pod::admit(self, object)?;
                object["status"] =
                    json!({"phase": "Pending", "qosClass": defaults::quality_of_service(&object["spec"])});
            }
            "Service" => {
                self.give_addresses(writer, object)?;
                fill(object, "status", json!({"loadBalancer": {}}));
            }
            "Ingress" => fill(object, "status", json!({"loadBalancer": {}})),
            "StatefulSet" => fill(object, "status", json!({"replicas": 0, "availableReplicas": 0})),
            "ReplicaSet" => fill(object, "status", json!({"replicas": 0})),
            "Deployment" | "Job" | "CronJob" => fill(object, "status", json!({})),
            "PodDisruptionBudget" => {
                let nothing =
                    json!({"disruptionsAllowed": 0, "currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0});
                fill(object, "status", nothing);
            }
            "CertificateSigningRequest" => name_requestor(writer, object),
            "CustomResourceDefinition" => {
                self.check_definitions(kind, object)?;
                definition::note_stored_version(object);
            }
            "PersistentVolumeClaim" => storage::admit_claim(self, object),
            "PersistentVolume" => storage::admit_volume(object),
            "Namespace" if is_missing(&object["spec"]["finalizers"]) => {
                object["spec"]["finalizers"] = json!(["kubernetes"]);
            }
            _ => {}
        }
        Ok(Vec::new())
    }

    /// Checks quotas and Pod Security, once everything else about the object is valid.
    pub(super) fn admit_last(&self, kind: &'static Kind, object: &Value) -> Result<Vec<String>, Status> {
        let warnings = pod_security::check(self, kind, object)?;
        quota::check(self, kind, object)?;
        Ok(warnings)
    }

    /// Returns Pod Security's warnings about the pods of a changed workload.
    pub(super) fn warn_of(&self, kind: &'static Kind, object: &Value) -> Result<Vec<String>, Status> {
        pod_security::check(self, kind, object)
    }

    /// Keeps values that the server assigned and that an update leaves out.
    pub(super) fn keep_given(
        &self,
        writer: &Writer,
        kind: &'static Kind,
        stored: &Value,
        object: &mut Value,
    ) -> Result<(), Status> {
        match kind.built_in() {
            "Service" => {
                addresses::keep(stored, object);
                self.give_addresses(writer, object)?;
            }
            "Pod" => pod::keep(stored, object),
            "CustomResourceDefinition" => definition::note_stored_version(object),
            "Job" => {
                fill(&mut object["spec"], "selector", stored["spec"]["selector"].clone());
            }
            // Only `finalize` and the controllers change the finalizers of a namespace.
            "Namespace" if !writer.is_internal => object["spec"] = stored["spec"].clone(),
            _ => {}
        }
        Ok(())
    }
}

/// Records who made a certificate signing request, whatever it says itself.
fn name_requestor(writer: &Writer, request: &mut Value) {
    let Some(user) = &writer.user else { return };
    let spec = &mut request["spec"];
    spec["username"] = user.name.as_str().into();
    spec["groups"] = json!(user.groups);
    if !user.uid.is_empty() {
        spec["uid"] = user.uid.as_str().into();
    }
    if !user.extra.is_empty() {
        spec["extra"] = json!(user.extra);
    }
}
