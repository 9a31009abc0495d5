//! Watches: changes as lines of JSON, after a resource version or after a streamed list.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::Response;
use futures::stream;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::request::Request;
use super::selector::Selection;
use super::shape::Representation;
use super::{State, answer, body};
use crate::kinds::Kind;
use crate::status::Status;
use crate::store::{Change, ChangeType, Store};

/// How long a watch without `timeoutSeconds` lasts, in seconds.
const TIMEOUT_S: u64 = 1800;
/// How often a bookmark is sent, in seconds.
const BOOKMARK_S: u64 = 60;

/// Handles a watch request.
pub fn answer(state: &State, request: &Request) -> Result<Response, Status> {
    let watcher = Watcher::new(state, request)?;
    let lines = stream::unfold(watcher, |mut watcher| async move {
        let line = watcher.next().await?;
        Some((Ok::<_, std::io::Error>(line), watcher))
    });
    Ok(answer::body(200, "application/json", Body::from_stream(lines)))
}

struct Watcher {
    store: Arc<Store>,
    latest: watch::Receiver<u64>,
    kind: &'static Kind,
    namespace: Option<String>,
    selection: Selection,
    shape: Representation,
    /// Lines that are ready to be sent.
    due: VecDeque<Value>,
    /// The version up to which changes have been processed.
    seen: u64,
    ends_at: Instant,
    bookmark_at: Option<Instant>,
    /// Whether the watch ends once all ready lines are sent.
    is_over: bool,
    /// Whether a planted fault ends it in the middle: after the first event.
    is_to_break: bool,
}

impl Watcher {
    fn new(state: &State, request: &Request) -> Result<Self, Status> {
        let kind = request.target.kind;
        let mut fields = request.parameter("fieldSelector").unwrap_or_default().to_owned();
        if let Some(name) = &request.target.name {
            fields = format!("metadata.name={name}");
        }
        let store = Arc::clone(&state.registry.store);
        let timeout_s = request.parameter("timeoutSeconds").and_then(|text| text.parse().ok()).unwrap_or(TIMEOUT_S);
        let mut watcher = Self {
            latest: store.latest(),
            store,
            kind,
            namespace: request.target.namespace.clone(),
            selection: Selection::requested(request, Some(&fields))?,
            shape: Representation::requested(request),
            due: VecDeque::new(),
            seen: 0,
            ends_at: Instant::now() + Duration::from_secs(timeout_s),
            bookmark_at: request.flag("allowWatchBookmarks").then(next_bookmark),
            is_over: false,
            is_to_break: state.faults.breaks_watch(kind.plural),
        };
        watcher.begin(request)?;
        if state.faults.expires_watch(kind.plural) {
            watcher.expire(&Status::new(410, "Expired", "the resourceVersion for the provided watch is too old"));
        }
        Ok(watcher)
    }

    /// Sends what comes before the first change.
    fn begin(&mut self, request: &Request) -> Result<(), Status> {
        let version = request.parameter("resourceVersion").unwrap_or_default();
        let parsed: u64 = match version {
            "" => 0,
            text => text.parse().map_err(|_| {
                body::bad(format!(
                    "resourceVersion: Invalid value: \"{text}\": strconv.ParseUint: parsing \"{text}\": invalid syntax"
                ))
            })?,
        };
        let is_streaming = request.flag("sendInitialEvents");
        let declined = request.parameter("sendInitialEvents") == Some("false");
        if !is_streaming && (parsed > 0 || declined) {
            self.seen = if parsed > 0 { parsed } else { *self.latest.borrow() };
            return Ok(());
        }
        let (objects, listed_at) = self.store.list(self.kind.stored(), self.namespace.as_deref());
        self.seen = listed_at;
        for object in objects.iter().filter(|object| self.selection.matches(object)) {
            self.due.push_back(self.event("ADDED", object));
        }
        if is_streaming && self.bookmark_at.is_some() {
            let annotations = json!({"k8s.io/initial-events-end": "true"});
            let bookmark = self.bookmark(Some(annotations));
            self.due.push_back(bookmark);
        }
        Ok(())
    }

    /// Returns the next line, or `None` at the end.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(event) = self.due.pop_front() {
                self.is_over |= self.is_to_break;
                if self.is_to_break {
                    self.due.clear();
                }
                return Some(Bytes::from(format!("{event}\n")));
            }
            if self.is_over {
                return None;
            }
            self.latest.borrow_and_update();
            match self.store.changes_since(self.seen) {
                Ok(changes) if changes.is_empty() => self.wait().await,
                Ok(changes) => changes.iter().for_each(|change| self.look_at(change)),
                Err(status) => self.expire(&status),
            }
        }
    }

    /// Waits for a change, for the next bookmark, or for the end of the watch.
    async fn wait(&mut self) {
        let wake_at = self.bookmark_at.map_or(self.ends_at, |at| at.min(self.ends_at));
        tokio::select! {
            changed = self.latest.changed() => self.is_over |= changed.is_err(),
            () = sleep_until(wake_at) => {
                if self.bookmark_at.is_some() {
                    let bookmark = self.bookmark(None);
                    self.due.push_back(bookmark);
                    self.bookmark_at = Some(next_bookmark());
                }
                self.is_over |= Instant::now() >= self.ends_at;
            }
        }
    }

    fn look_at(&mut self, change: &Change) {
        self.seen = change.resource_version;
        let in_namespace =
            self.namespace.as_deref().is_none_or(|wanted| change.object["metadata"]["namespace"] == *wanted);
        if change.change == ChangeType::Deleted && self.defines(change) {
            self.is_over = true;
        }
        if change.kind.resource() != self.kind.resource() || !in_namespace {
            return;
        }
        let is_selected = self.selection.matches(&change.object);
        let was_selected = change.previous.as_ref().is_some_and(|previous| self.selection.matches(previous));
        let event = match (change.change, was_selected, is_selected) {
            (ChangeType::Added, _, true) | (ChangeType::Modified, false, true) => "ADDED",
            (ChangeType::Modified, true, true) => "MODIFIED",
            (ChangeType::Modified, true, false) | (ChangeType::Deleted, _, true) => "DELETED",
            _ => return,
        };
        self.due.push_back(self.event(event, &change.object));
    }

    /// Returns whether a change is about the definition of the watched resource.
    fn defines(&self, change: &Change) -> bool {
        self.kind.custom.is_some()
            && change.kind.built_in() == "CustomResourceDefinition"
            && change.object["metadata"]["name"] == self.kind.qualified_plural()
    }

    fn event(&self, event: &str, object: &Value) -> Value {
        json!({"type": event, "object": self.shape.one(self.kind, object)})
    }

    fn bookmark(&self, annotations: Option<Value>) -> Value {
        let mut metadata = json!({"resourceVersion": self.seen.to_string(), "creationTimestamp": null});
        if let Some(annotations) = annotations {
            metadata["annotations"] = annotations;
        }
        let object = json!({"kind": self.kind.kind, "apiVersion": self.kind.api_version(), "metadata": metadata});
        json!({"type": "BOOKMARK", "object": self.shape.bookmark(self.kind, object)})
    }

    fn expire(&mut self, status: &Status) {
        self.due.push_back(json!({"type": "ERROR", "object": status.to_json()}));
        self.is_over = true;
    }
}

fn next_bookmark() -> Instant {
    Instant::now() + Duration::from_secs(BOOKMARK_S)
}
