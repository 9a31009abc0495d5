//! get, list, create, update and delete of objects.

use axum::http::Method;
use axum::response::Response;
use serde_json::{Value, json};

use super::request::Request;
use super::{State, answer};
use crate::registry::DeleteOptions;
use crate::status::Status;

/// Answers a request for objects.
pub fn answer(state: &State, request: &Request) -> Result<Response, Status> {
    let target = &request.target;
    match (&request.method, &target.name) {
        (&Method::GET, Some(name)) => get(state, request, name),
        (&Method::GET, None) => Ok(list(state, request)),
        (&Method::POST, None) => create(state, request),
        (&Method::PUT, Some(_)) => update(state, request),
        (&Method::DELETE, Some(name)) => delete(state, request, name),
        _ => {
            Err(Status::new(405, "MethodNotAllowed", "the server does not allow this method on the requested resource"))
        }
    }
}

fn get(state: &State, request: &Request, name: &str) -> Result<Response, Status> {
    let target = &request.target;
    let stored = state.registry.store.get(target.kind, target.namespace(), name);
    let stored = stored.ok_or_else(|| Status::not_found(target.kind, name))?;
    Ok(answer::json(200, &stored))
}

fn list(state: &State, request: &Request) -> Response {
    let kind = request.target.kind;
    let (objects, resource_version) = state.registry.store.list(kind, request.target.namespace.as_deref());
    let items: Vec<Value> = objects.iter().map(|object| (**object).clone()).collect();
    let list = json!({
        "kind": format!("{}List", kind.kind), "apiVersion": kind.api_version(),
        "metadata": {"resourceVersion": resource_version.to_string()}, "items": items,
    });
    answer::json(200, &list)
}

fn create(state: &State, request: &Request) -> Result<Response, Status> {
    let created = state.registry.create(request.target.kind, body(request)?)?;
    Ok(answer::json(201, &created))
}

fn update(state: &State, request: &Request) -> Result<Response, Status> {
    let updated = state.registry.update(request.target.kind, body(request)?)?;
    Ok(answer::json(200, &updated))
}

fn delete(state: &State, request: &Request, name: &str) -> Result<Response, Status> {
    let target = &request.target;
    let deleted = state.registry.delete(target.kind, target.namespace(), name, &DeleteOptions::default())?;
    Ok(answer::json(200, &deleted))
}

fn body(request: &Request) -> Result<Value, Status> {
    let mut object: Value =
        serde_json::from_slice(&request.body).map_err(|e| Status::new(400, "BadRequest", e.to_string()))?;
    if let Some(namespace) = &request.target.namespace {
        object["metadata"]["namespace"] = namespace.as_str().into();
    }
    Ok(object)
}
