//! The API server: HTTPS on a given listener, with kube-apiserver's paths, messages and codes.

mod answer;
mod attach;
mod authorize;
mod body;
mod channels;
mod chartproof;
mod discovery;
mod eviction;
mod exec;
mod identity;
mod list;
mod log;
mod openapi;
mod path;
mod pod;
mod portforward;
mod protobuf;
mod request;
mod reviews;
mod scale;
mod selector;
mod server;
mod shape;
mod spdy;
mod table;
mod token;
mod verbs;
mod watch;

use std::path::PathBuf;
use std::sync::Arc;

use axum::http::Method;
use axum::response::Response;
use futures::future::BoxFuture;
use serde_json::Value;

pub use identity::Identity;
pub use server::serve;

use crate::faults::PlantedFaults;
use crate::kubelet;
use crate::node_changes::NodeChanges;
use crate::registry::Registry;
use crate::registry::user::User;
use crate::status::Status;

/// The state that the API server works on. Cheap to clone.
#[derive(Clone)]
pub struct State {
    /// The objects.
    pub registry: Arc<Registry>,
    /// Logs, exec and port-forwarding.
    pub kubelet: kubelet::Handle,
    /// Its certificate and the token that it accepts.
    pub identity: Arc<Identity>,
    /// Planted faults.
    pub faults: PlantedFaults,
    /// What faults have changed on the node.
    pub changes: NodeChanges,
    /// The node's functions behind the harness's own endpoints.
    pub node: NodeHooks,
}

/// Loads an image archive and returns the references in it, or an error message.
pub type LoadImages = Arc<dyn Fn(PathBuf) -> BoxFuture<'static, Result<Vec<String>, String>> + Send + Sync>;

/// The functions that the endpoints below `/chartproof/` call.
#[derive(Clone)]
pub struct NodeHooks {
    /// Loads an image archive.
    pub load_images: LoadImages,
    /// The node's part of the report: an object whose fields are added to the registry's own.
    pub report: Arc<dyn Fn() -> Value + Send + Sync>,
}

impl NodeHooks {
    /// Returns the hooks of an API server without a node: no image can be loaded, nothing is reported.
    pub fn none() -> Self {
        Self {
            load_images: Arc::new(|_| Box::pin(async { Err("there is no node".to_owned()) })),
            report: Arc::new(|| Value::Object(serde_json::Map::new())),
        }
    }
}

/// Handles any request.
async fn handle(state: State, request: axum::extract::Request) -> Response {
    let Some(caller) = state.identity.caller(&state.registry, request.headers()) else {
        return read_out(request, answer::status(&Status::new(401, "Unauthorized", "Unauthorized"))).await;
    };
    let path = request.uri().path().trim_end_matches('/').to_owned();
    match path.as_str() {
        "/readyz" | "/livez" | "/healthz" => answer::text(200, "ok"),
        "/version" => answer::json(200, &discovery::version()),
        "/api" => discovery::core(&state.registry, request.headers()),
        "/apis" => discovery::groups(&state.registry, request.headers()),
        path if path.starts_with("/chartproof/") && caller.is_admin() => {
            chartproof::answer(&state, path, request).await
        }
        path => {
            let described = openapi::answer(&state.registry, path, request.headers());
            let document = || Some(answer::json(200, &discovery::group_document(&state.registry, path)?));
            if let Some(answer) = described.or_else(document) {
                return answer;
            }
            match reviews::find(path) {
                Some(review) => reviews::answer(&state, review, &caller, request).await,
                None => resource(state, caller, request).await,
            }
        }
    }
}

/// Handles a request for objects.
async fn resource(state: State, caller: User, request: axum::extract::Request) -> Response {
    let target = match path::parse(&state.registry, request.uri().path()) {
        Ok(target) => target,
        Err(path::UnknownPath::Group) => {
            let refused = authorize::path(&state, &caller, request.method(), request.uri().path()).err();
            let absent = || answer::text(404, "404 page not found\n");
            return read_out(request, refused.map_or_else(absent, |refused| answer::status(&refused))).await;
        }
        Err(path::UnknownPath::Resource) => return read_out(request, answer::status(&path::unknown_resource())).await,
    };
    let parts = (request.method(), request.uri(), request.headers());
    if let Err(refused) = authorize::objects(&state, &caller, &target, parts) {
        return read_out(request, answer::status(&refused)).await;
    }
    if let Some(refused) = state.faults.api_call(request.method(), &target.resource(), target.name.as_deref()).await {
        return read_out(request, answer::refused(&refused)).await;
    }
    let answered = match target.subresource.as_deref() {
        Some("exec") => exec::answer(&state, &target, request).await,
        Some("attach") => attach::answer(&state, &target, request).await,
        Some("portforward") => portforward::answer(&state, &target, request).await,
        _ => match request::Request::read(&state.registry, caller, target, request).await {
            Ok(request) => objects(&state, &request).await.map(|answer| warned(&request, answer)),
            Err(status) => Err(status),
        },
    };
    answered.unwrap_or_else(|status| answer::status(&status))
}

/// Returns a response that does not depend on the request's body, after reading the body. kube-apiserver reads it as
/// well: otherwise a client that is still writing would see the connection break, and never the response.
async fn read_out(request: axum::extract::Request, answer: Response) -> Response {
    // A body that is too long or incomplete is read as far as possible.
    let _ = axum::body::to_bytes(request.into_body(), request::BODY_BYTES_MAX).await;
    answer
}

/// Adds the warning that a deprecated version of a custom resource has.
fn warned(request: &request::Request, mut answer: Response) -> Response {
    if let Some(warning) = request.custom.as_ref().and_then(|version| version.warning.as_deref()) {
        answer::warn(&mut answer, warning);
    }
    answer
}

/// Handles a request for objects or their subresources.
async fn objects(state: &State, request: &request::Request) -> Result<Response, Status> {
    let target = &request.target;
    let Some(subresource) = target.subresource.as_deref() else { return verbs::answer(state, request) };
    if !target.kind.subresources.contains(&subresource) {
        return Err(path::unknown_resource());
    }
    match (subresource, &request.method) {
        ("status" | "approval" | "ephemeralcontainers", &Method::GET | &Method::PUT | &Method::PATCH)
        | ("finalize", &Method::PUT) => verbs::answer(state, request),
        ("scale", _) => scale::answer(state, request),
        ("log", &Method::GET) => log::answer(state, request).await,
        ("eviction", &Method::POST) => eviction::evict(state, request),
        ("binding", &Method::POST) => eviction::bind(state, request),
        ("token", &Method::POST) => token::answer(state, request),
        _ => Err(verbs::method_not_allowed()),
    }
}
