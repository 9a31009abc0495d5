//! What a namespace holds though no release put it there: service accounts, certificates, pull secrets.

use std::collections::BTreeSet;

use futures::future::try_join_all;
use kube::ResourceExt;
use kube::api::DynamicObject;
use kube::core::{ApiResource, PartialObjectMeta};

use super::contents;

/// The annotation of a token or a pull secret that names its service account.
const ACCOUNT: &str = "kubernetes.io/service-account.name";

/// Kind and name of all that a namespace without a release holds.
#[derive(Debug, Default)]
pub struct Baseline(BTreeSet<(String, String)>);

impl Baseline {
    /// What a namespace holds now, of these kinds.
    ///
    /// # Errors
    /// What the API server answers.
    pub async fn of(client: &kube::Client, namespace: &str, kinds: &[ApiResource]) -> anyhow::Result<Self> {
        let lists = kinds.iter().map(async |kind| {
            let objects = contents::list(client, namespace, kind).await?.into_iter();
            anyhow::Ok(objects.map(|object| (kind.kind.clone(), object.name_any())).collect::<Vec<_>>())
        });
        Ok(Self(try_join_all(lists).await?.into_iter().flatten().collect()))
    }

    /// Whether an object is one of these, also where it was deleted and put back, or belongs to one of them.
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
    fn what_was_there_is_known_by_its_name_and_by_what_it_belongs_to() {
        assert!(covers("ConfigMap", &json!({ "name": "openshift-service-ca.crt", "uid": "put back" })));
        assert!(!covers("Secret", &json!({ "name": "openshift-service-ca.crt" })), "another kind");
        assert!(!covers("ConfigMap", &json!({ "name": "left" })));
        let token = json!({ "name": "default-dockercfg-x7k2l", "annotations": { ACCOUNT: "default" } });
        assert!(covers("Secret", &token), "a pull secret that came later, with a name that nobody knows before");
        let owner = |name: &str| json!([{ "apiVersion": "v1", "kind": "ServiceAccount", "name": name, "uid": "1" }]);
        assert!(covers("Secret", &json!({ "name": "token", "ownerReferences": owner("default") })));
        assert!(!covers("Secret", &json!({ "name": "token", "ownerReferences": owner("caesium") })));
    }
}
