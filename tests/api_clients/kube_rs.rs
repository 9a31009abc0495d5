//! kube-rs: typed objects, watches, server-side apply, evictions.

use futures::TryStreamExt;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Pod, Service};
use k8s_openapi::api::events::v1 as events;
use kube::api::{DeleteParams, EvictParams, ListParams, ObjectMeta, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::events::{Event, EventType, Recorder};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Client, Config, Resource};

use crate::support::Api;

pub async fn client(api: &Api) -> Client {
    let directory = tempfile::tempdir().unwrap();
    let kubeconfig = Kubeconfig::read_from(api.kubeconfig(directory.path())).unwrap();
    let options = KubeConfigOptions { context: Some("chartproof".into()), ..KubeConfigOptions::default() };
    Client::try_from(Config::from_custom_kubeconfig(kubeconfig, &options).await.unwrap()).unwrap()
}

fn config_map(name: &str) -> ConfigMap {
    ConfigMap { metadata: ObjectMeta { name: Some(name.into()), ..ObjectMeta::default() }, ..ConfigMap::default() }
}

#[tokio::test]
async fn a_watcher_sees_existing_and_new_objects() {
    let api = Api::start();
    let maps: kube::Api<ConfigMap> = kube::Api::default_namespaced(client(&api).await);
    for config in [watcher::Config::default(), watcher::Config::default().streaming_lists()] {
        maps.create(&PostParams::default(), &config_map("one")).await.unwrap();
        let mut seen = Box::pin(watcher(maps.clone(), config).applied_objects());
        assert_eq!(seen.try_next().await.unwrap().unwrap().metadata.name.unwrap(), "one");
        maps.create(&PostParams::default(), &config_map("two")).await.unwrap();
        assert_eq!(seen.try_next().await.unwrap().unwrap().metadata.name.unwrap(), "two");
        maps.delete_collection(&DeleteParams::default(), &ListParams::default()).await.unwrap();
    }
}

#[tokio::test]
async fn server_side_apply_and_metadata_requests_work() {
    let api = Api::start();
    let maps: kube::Api<ConfigMap> = kube::Api::default_namespaced(client(&api).await);
    let mut map = config_map("a");
    map.data = Some([("k".to_owned(), "v".to_owned())].into());
    let applied = maps.patch("a", &PatchParams::apply("test"), &Patch::Apply(&map)).await.unwrap();
    assert_eq!(applied.metadata.managed_fields.unwrap()[0].manager.as_deref(), Some("test"));
    let listed = maps.list_metadata(&ListParams::default()).await.unwrap();
    assert_eq!(listed.items[0].metadata.name.as_deref(), Some("a"));
}

#[tokio::test]
async fn a_pod_is_created_and_evicted() {
    let api = Api::start();
    let client = client(&api).await;
    let pods: kube::Api<Pod> = kube::Api::default_namespaced(client.clone());
    let pod = serde_json::json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "m", "image": "i"}]}});
    pods.create(&PostParams::default(), &serde_json::from_value(pod).unwrap()).await.unwrap();
    pods.evict("p", &EvictParams::default()).await.unwrap();
    assert!(pods.get_opt("p").await.unwrap().is_none(), "without a node there is nothing to wait for");
    let version = client.apiserver_version().await.unwrap();
    assert_eq!(version.git_version, "v1.36.2");
    let namespaces: kube::Api<Namespace> = kube::Api::all(client);
    assert_eq!(namespaces.list(&ListParams::default()).await.unwrap().items.len(), 4);
}

#[tokio::test]
async fn a_recorder_publishes_events_of_objects_with_and_without_a_namespace() {
    let api = Api::start();
    let client = client(&api).await;
    let recorder = Recorder::new(client.clone(), "chartproof".into());
    let events: kube::Api<events::Event> = kube::Api::namespaced(client.clone(), "default");
    let service: Service = kube::Api::default_namespaced(client.clone()).get("kubernetes").await.unwrap();
    let namespace: Namespace = kube::Api::all(client).get("default").await.unwrap();
    for (reason, about) in [("Inside", service.object_ref(&())), ("Outside", namespace.object_ref(&()))] {
        for _ in 0..2 {
            let event = Event {
                type_: EventType::Normal,
                reason: reason.to_owned(),
                note: Some("something happened".to_owned()),
                action: "Test".to_owned(),
                secondary: None,
            };
            recorder.publish(&event, &about).await.unwrap();
        }
        let listed = events.list(&ListParams::default()).await.unwrap();
        let found = listed.items.iter().find(|event| event.reason.as_deref() == Some(reason)).unwrap();
        assert_eq!(found.series.as_ref().map(|series| series.count), Some(2), "{reason}: {found:?}");
    }
}

#[tokio::test]
async fn ephemeral_containers_are_replaced_and_patched() {
    let api = Api::start();
    let pods: kube::Api<Pod> = kube::Api::default_namespaced(client(&api).await);
    let pod = |ephemeral: &[&str]| -> Pod {
        let ephemeral: Vec<_> = ephemeral.iter().map(|name| serde_json::json!({"name": name, "image": "i"})).collect();
        let spec = serde_json::json!({"containers": [{"name": "m", "image": "i"}], "ephemeralContainers": ephemeral});
        serde_json::from_value(serde_json::json!({"metadata": {"name": "p"}, "spec": spec})).unwrap()
    };
    let names = |pod: Pod| -> Vec<String> {
        let added = pod.spec.unwrap().ephemeral_containers.unwrap_or_default();
        added.into_iter().map(|container| container.name).collect()
    };
    pods.create(&PostParams::default(), &pod(&[])).await.unwrap();
    assert!(names(pods.get_ephemeral_containers("p").await.unwrap()).is_empty());
    let replaced = pods.replace_ephemeral_containers("p", &PostParams::default(), &pod(&["one"])).await.unwrap();
    assert_eq!(names(replaced), ["one"]);
    let patch = serde_json::json!({"spec": {"ephemeralContainers": [{"name": "two", "image": "i"}]}});
    let patched =
        pods.patch_ephemeral_containers("p", &PatchParams::default(), &Patch::Strategic(patch)).await.unwrap();
    assert_eq!(names(patched).len(), 2);
}
