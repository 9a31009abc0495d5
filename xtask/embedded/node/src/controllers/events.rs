//! Events about objects, counted as in Kubernetes: an event that repeats raises `count` and `lastTimestamp` instead of
//! creating a second one.

use k8s_openapi::api::core::v1::{Event, EventSource, ObjectReference};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Deserialize;

use super::clock;
use crate::client::{Client, Object};
use crate::kinds;

/// Returns a reference to an object, as events contain it.
pub fn reference<K: Object>(object: &K) -> ObjectReference {
    let metadata = object.metadata();
    ObjectReference {
        api_version: Some(K::API_VERSION.to_owned()),
        kind: Some(K::KIND.to_owned()),
        namespace: metadata.namespace.clone(),
        name: metadata.name.clone(),
        uid: metadata.uid.clone(),
        resource_version: metadata.resource_version.clone(),
        field_path: None,
    }
}

impl Client {
    /// Records an event of `component` about an object; `kind` is `Normal` or `Warning`.
    pub fn event(&self, about: &ObjectReference, kind: &str, reason: &str, message: &str, component: &str) {
        let event = new_event(about, kind, reason, message, component);
        let counted = repeated(self, &event).map(|earlier| {
            self.modify(&earlier, |seen: &mut Event| {
                seen.count = Some(seen.count.unwrap_or(1) + 1);
                seen.last_timestamp = Some(clock::now());
                true
            })
        });
        if matches!(counted, Some(Ok(_))) {
            return;
        }
        if let Err(refused) = self.create(&event) {
            tracing::debug!(%refused, reason, "an event was not recorded");
        }
    }
}

/// Returns the earlier event with the same content about the same object.
fn repeated(client: &Client, event: &Event) -> Option<Event> {
    let same = |stored: &serde_json::Value| {
        let source = event.source.as_ref().and_then(|source| source.component.as_deref());
        stored["message"].as_str() == event.message.as_deref()
            && stored["reason"].as_str() == event.reason.as_deref()
            && stored["type"].as_str() == event.type_.as_deref()
            && stored["source"]["component"].as_str() == source
            && stored["involvedObject"]["uid"].as_str() == event.involved_object.uid.as_deref()
            && stored["involvedObject"]["name"].as_str() == event.involved_object.name.as_deref()
            && stored["involvedObject"]["fieldPath"].as_str() == event.involved_object.field_path.as_deref()
    };
    let namespace = event.metadata.namespace.as_deref();
    let stored = client.list_stored(kinds::of::<Event>());
    let found = stored.iter().find(|stored| stored["metadata"]["namespace"].as_str() == namespace && same(stored))?;
    Event::deserialize(&**found).ok()
}

/// Creates an event. Its name begins with its object's and ends with the time, so sorting by name sorts by time.
fn new_event(about: &ObjectReference, kind: &str, reason: &str, message: &str, component: &str) -> Event {
    let object = about.name.as_deref().unwrap_or_default();
    let namespace = about.namespace.as_deref().filter(|n| !n.is_empty()).unwrap_or("default");
    let is_kubelet = component == "kubelet";
    Event {
        metadata: ObjectMeta {
            name: Some(format!("{object}.{:016x}", clock::nanos())),
            namespace: Some(namespace.to_owned()),
            ..ObjectMeta::default()
        },
        involved_object: about.clone(),
        type_: Some(kind.to_owned()),
        reason: Some(reason.to_owned()),
        message: Some(message.to_owned()),
        count: Some(1),
        first_timestamp: Some(clock::now()),
        last_timestamp: Some(clock::now()),
        source: Some(EventSource {
            component: Some(component.to_owned()),
            host: is_kubelet.then(|| super::NODE.to_owned()),
        }),
        reporting_component: Some(component.to_owned()),
        reporting_instance: Some(if is_kubelet { super::NODE } else { "" }.to_owned()),
        ..Event::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controllers::testing;

    fn pod() -> ObjectReference {
        ObjectReference {
            kind: Some("Pod".into()),
            namespace: Some("a".into()),
            name: Some("p".into()),
            uid: Some("1".into()),
            ..ObjectReference::default()
        }
    }

    #[test]
    fn a_repeated_event_is_counted() {
        let client = testing::client();
        client.event(&pod(), "Warning", "BackOff", "again", "kubelet");
        client.event(&pod(), "Warning", "BackOff", "again", "kubelet");
        let events = client.list::<Event>(Some("a"));
        assert_eq!(events.len(), 1);
        assert_eq!(events[0].count, Some(2));
    }

    #[test]
    fn a_different_message_or_object_is_a_new_event() {
        let client = testing::client();
        client.event(&pod(), "Warning", "BackOff", "one", "kubelet");
        client.event(&pod(), "Warning", "BackOff", "two", "kubelet");
        let successor = ObjectReference { uid: Some("2".into()), ..pod() };
        client.event(&successor, "Warning", "BackOff", "one", "kubelet");
        assert_eq!(client.list::<Event>(Some("a")).len(), 3);
    }
}
