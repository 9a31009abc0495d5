//! Events about objects, counted as kube's recorders count them: the same thing said again of the
//! same object raises `count` and `lastTimestamp` instead of making a second event.

use k8s_openapi::api::core::v1::{Event, EventSource, ObjectReference};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::{clock, hash};
use crate::client::{Client, Object};

/// A reference to an object, as events carry it.
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
        let namespace = event.metadata.namespace.clone().unwrap_or_default();
        let name = event.metadata.name.clone().unwrap_or_default();
        let counted = self.modify(&namespace, &name, |seen: &mut Event| {
            seen.count = Some(seen.count.unwrap_or(1) + 1);
            seen.last_timestamp = Some(clock::now());
            true
        });
        if counted.is_ok() {
            return;
        }
        if let Err(refused) = self.create(&event) {
            tracing::debug!(%refused, reason, "an event was not recorded");
        }
    }
}

/// The event's name says what it is about: to find the one to count up takes no search.
fn new_event(about: &ObjectReference, kind: &str, reason: &str, message: &str, component: &str) -> Event {
    let object = about.name.as_deref().unwrap_or_default();
    let namespace = about.namespace.as_deref().filter(|n| !n.is_empty()).unwrap_or("default");
    let said = [
        about.kind.as_deref().unwrap_or_default(),
        about.uid.as_deref().unwrap_or_default(),
        about.field_path.as_deref().unwrap_or_default(),
        kind,
        reason,
        message,
        component,
    ];
    Event {
        metadata: ObjectMeta {
            name: Some(format!("{object}.{:016x}", hash::fnv64(said.join("\0").as_bytes()))),
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
            host: (component == "kubelet").then(|| super::NODE.to_owned()),
        }),
        reporting_component: Some(component.to_owned()),
        reporting_instance: Some(if component == "kubelet" { super::NODE.to_owned() } else { String::new() }),
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
    fn the_same_again_is_counted() {
        let client = testing::client();
        client.event(&pod(), "Warning", "BackOff", "again", "kubelet");
        client.event(&pod(), "Warning", "BackOff", "again", "kubelet");
        let events = client.list::<Event>(Some("a"));
        assert_eq!(events.len(), 1);
        assert_eq!(events[0].count, Some(2));
    }

    #[test]
    fn another_message_or_object_is_another_event() {
        let client = testing::client();
        client.event(&pod(), "Warning", "BackOff", "one", "kubelet");
        client.event(&pod(), "Warning", "BackOff", "two", "kubelet");
        let successor = ObjectReference { uid: Some("2".into()), ..pod() };
        client.event(&successor, "Warning", "BackOff", "one", "kubelet");
        assert_eq!(client.list::<Event>(Some("a")).len(), 3);
    }
}
