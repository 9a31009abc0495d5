//! A namespace for one row, and the actions in it.

use std::fmt::Write as _;
use std::path::PathBuf;

use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams};
use kubernetes::given;
use process::{Cmd, Launcher};
use serde_json::{Value, json};
use tools::helm::Helm;

use super::Shared;
use super::rows::{Deed, Scene};

/// A namespace.
pub struct Place<'a> {
    pub shared: &'a Shared,
    pub namespace: &'a str,
}

impl<'a> Place<'a> {
    /// Creates the namespace.
    pub async fn make(shared: &'a Shared, namespace: &'a str, scene: &Scene) -> Self {
        let object = json!({ "metadata": { "name": namespace, "labels": scene.labels } });
        let namespaces: Api<Namespace> = Api::all(shared.client.clone());
        namespaces.create(&PostParams::default(), &serde_json::from_value(object).unwrap()).await.unwrap();
        given::arrived(&shared.client, namespace).await.unwrap();
        Self { shared, namespace }
    }

    /// Performs an action.
    pub async fn act(&self, deed: &Deed) {
        if deed.load {
            self.shared.cluster.load_images(&self.shared.archive.path).await.unwrap();
        }
        self.create(&deed.make).await;
        if let Some(object) = &deed.patch {
            let (api, object) = self.api(object);
            let name = object.metadata.name.clone().unwrap();
            api.patch(&name, &PatchParams::default(), &Patch::Merge(&object)).await.unwrap();
        }
        if let Some(object) = &deed.delete {
            let (api, object) = self.api(object);
            api.delete(&object.metadata.name.unwrap(), &DeleteParams::default()).await.unwrap();
        }
    }

    /// Creates objects.
    pub async fn create(&self, objects: &[Value]) {
        for object in objects {
            let (api, object) = self.api(object);
            api.create(&PostParams::default(), &object).await.unwrap();
        }
    }

    fn api(&self, object: &Value) -> (Api<DynamicObject>, DynamicObject) {
        let now = k8s_openapi::jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let text = object.to_string().replace("NAMESPACE", self.namespace).replace("NOW", &now);
        let object: DynamicObject = serde_json::from_str(&text).unwrap();
        let types = object.types.clone().unwrap();
        let kind = ApiResource::from_gvk(&GroupVersionKind::try_from(&types).unwrap());
        let client = self.shared.client.clone();
        let api = match types.kind.as_str() {
            "Node" | "Namespace" | "StorageClass" => Api::all_with(client, &kind),
            _ => Api::namespaced_with(client, self.namespace, &kind),
        };
        (api, object)
    }

    /// Returns the `helm install` command of a chart that renders these objects.
    pub fn install(&self, objects: &[Value]) -> Cmd {
        let chart = self.chart(objects);
        let helm = Helm {
            launcher: Launcher::light(false),
            tool: self.shared.helm.clone(),
            kubeconfig: self.shared.cluster.kubeconfig().to_owned(),
            context: "chartproof".to_owned(),
            namespace: self.namespace.to_owned(),
            release: "hooks".to_owned(),
        };
        helm.install(&chart, &tools::helm::Values::default()).timeout(super::trial::PATIENCE)
    }

    fn chart(&self, objects: &[Value]) -> PathBuf {
        let folder = self.shared.folder.join(self.namespace);
        std::fs::create_dir_all(folder.join("templates")).unwrap();
        std::fs::write(folder.join("Chart.yaml"), "apiVersion: v2\nname: hooks\nversion: 0.1.0\n").unwrap();
        let mut text = String::new();
        for object in objects {
            writeln!(text, "---\n{object}").unwrap();
        }
        std::fs::write(folder.join("templates/all.yaml"), text).unwrap();
        folder
    }
}
