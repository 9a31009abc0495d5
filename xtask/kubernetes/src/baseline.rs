//! Objects in a namespace that do not come from a release: service accounts, certificates, pull secrets.

use std::collections::BTreeSet;

use futures::future::try_join_all;
use kube::ResourceExt;
use kube::api::DynamicObject;
use kube::core::{ApiResource, PartialObjectMeta};

use super::contents;

/// The annotation of a token or a pull secret that names its service account.
const ACCOUNT: &str = "kubernetes.io/service-account.name";

/// The kinds and names of all objects in a namespace without a release.
#[derive(Debug, Default)]
pub struct Baseline(BTreeSet<(String, String)>);

impl Baseline {
    /// Lists the objects of these kinds that are in a namespace now.
    ///
    /// # Errors
    /// If the API server returns an error.
    pub async fn of(client: &kube::Client, namespace: &str, kinds: &[ApiResource]) -> anyhow::Result<Self> {
        let lists = kinds.iter().map(async |kind| {
            let objects = contents::list(client, namespace, kind).await?.into_iter();
            anyhow::Ok(objects.map(|object| (kind.kind.clone(), object.name_any())).collect::<Vec<_>>())
        });
        Ok(Self(try_join_all(lists).await?.into_iter().flatten().collect()))
    }

    /// Returns whether an object is one of these, even if it was recreated, or belongs to one of them.
    pub fn covers(&self, kind: &str, object: &PartialObjectMeta<DynamicObject>) -> bool {
        let has = |kind: &str, name: &str| self.0.contains(&(kind.to_owned(), name.to_owned()));
        let account = object.annotations().get(ACCOUNT);
        has(kind, &object.name_any())
            || account.is_some_and(|account| has("ServiceAccount", account))
            || object.owner_references().iter().any(|owner| has(&owner.kind, &owner.name))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn baseline() -> Baseline {
        let found = [("ServiceAccount", "default"), ("ConfigMap", "openshift-service-ca.crt")];
        Baseline(found.map(|(kind, name)| (kind.to_owned(), name.to_owned())).into())
    }

    fn covers(kind: &str, metadata: &serde_json::Value) -> bool {
        let object = json!({ "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": metadata });
        baseline().covers(kind, &serde_json::from_value(object).unwrap())
    }

    #[test]
    fn objects_of_the_baseline_are_recognised_by_name_and_by_owner() {
        assert!(covers("ConfigMap", &json!({ "name": "openshift-service-ca.crt", "uid": "recreated" })));
        assert!(!covers("Secret", &json!({ "name": "openshift-service-ca.crt" })), "another kind");
        assert!(!covers("ConfigMap", &json!({ "name": "left" })));
        let token = json!({ "name": "default-dockercfg-x7k2l", "annotations": { ACCOUNT: "default" } });
        assert!(covers("Secret", &token), "a pull secret that was created later, with a random name");
        let owner = |name: &str| json!([{ "apiVersion": "v1", "kind": "ServiceAccount", "name": name, "uid": "1" }]);
        assert!(covers("Secret", &json!({ "name": "token", "ownerReferences": owner("default") })));
        assert!(!covers("Secret", &json!({ "name": "token", "ownerReferences": owner("caesium") })));
    }
}
