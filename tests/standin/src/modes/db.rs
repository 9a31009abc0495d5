//! `caesium db`: a stand-in for a database or a broker, over HTTP.
//!
//! A connection of a client's pool is a request for `/v1/sessions` with an endless response.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Json, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};

use super::MaybeText;
use super::late::Late;
use super::lines::Lines;
use super::records::Records;
use super::sessions::Sessions;
use crate::config::faults_from_env;
use crate::serve::{self, HealthFaults, message};
use crate::shutdown::Signals;
use crate::{crash, faults::Fault, log};

/// Stores records, migrations, connections: PUT, GET, DELETE /v1/records/KEY, GET /v1/migrations, /v1/connections
#[derive(Debug, clap::Args)]
pub struct Db {
    /// The port on which HTTP listens, on all addresses
    #[arg(long, env = "STANDIN_PORT", default_value_t = 5432)]
    port: u16,
    /// The port for lines (AUTH, PING, SET KEY VALUE, GET KEY), on all addresses; 0: none
    #[arg(long, env = "STANDIN_LINES_PORT", default_value_t = 0)]
    lines_port: u16,
    /// Directory for the data; without it, the data lasts as long as the process
    #[arg(long, env = "STANDIN_PATH")]
    path: Option<PathBuf>,
    /// Password that every request to /v1 has to send as its bearer token
    #[arg(
        long, env = "STANDIN_DB_PASSWORD", hide_env_values = true,
        default_value = "", hide_default_value = true, value_parser = super::maybe_text
    )]
    password: MaybeText,
    /// How many connections clients may keep open at the same time; further ones are refused
    #[arg(long, env = "STANDIN_MAX_CONNECTIONS", default_value_t = 100)]
    max_connections: usize,
}

#[derive(Clone)]
struct Server {
    records: Arc<Records>,
    late: Option<Late>,
    sessions: Arc<Sessions>,
    password: Option<Arc<str>>,
    health: HealthFaults,
}

impl Db {
    /// Serves until SIGTERM.
    pub async fn run(self) -> Result<()> {
        let faults = faults_from_env()?;
        let mut signals = Signals::new(faults.has(Fault::SigtermIgnored))?;
        crash::plant(&faults, &self.path.clone().unwrap_or_else(std::env::temp_dir))?;
        let records = Arc::new(Records::open(self.path.as_deref())?);
        let (password, sessions) = (self.password.map(Arc::from), Arc::new(Sessions::new(self.max_connections)));
        // They never end by themselves, and would delay the end of this process.
        signals.linger(Duration::ZERO, {
            let sessions = sessions.clone();
            move || sessions.end()
        });
        let (late, health) = (Late::plant(&faults, &records), HealthFaults::new(&faults));
        if self.lines_port > 0 {
            let (records, late, password) = (records.clone(), late.clone(), password.clone());
            let lines = Lines { records, late, password, health: health.clone(), faults: faults.clone() };
            tokio::spawn(async move {
                if let Err(error) = lines.serve(self.lines_port).await {
                    log::error(format_args!("{error:#}"));
                }
            });
        }
        let server = || router(Server { records, late, sessions, password, health });
        serve::serve(self.port, &faults, signals, server).await
    }
}

fn router(server: Server) -> Router {
    let data = Router::new()
        .route("/records", get(list))
        .route("/records/{key}", get(read).put(write).delete(remove))
        .route("/migrations", get(migrations))
        .route("/migrations/{name}", post(migrate))
        .route("/sessions/{user}", get(session))
        .route("/connections", get(connections))
        .layer(from_fn_with_state(server.clone(), authorize));
    Router::new()
        .nest("/v1", data)
        .route("/health", get(health))
        .route("/health/live", get(health))
        .route("/health/ready", get(health))
        .with_state(server)
}

async fn authorize(State(server): State<Server>, request: Request, next: Next) -> Response {
    let given = request.headers().get("authorization").and_then(|value| value.to_str().ok());
    match &server.password {
        Some(password) if given != Some(&format!("Bearer {password}")) => {
            log::warn(format_args!("{} {}: wrong password", request.method(), request.uri().path()));
            message(StatusCode::UNAUTHORIZED, "wrong password")
        }
        _ => next.run(request).await,
    }
}

async fn health(State(server): State<Server>) -> StatusCode {
    if server.health.act().await { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK }
}

async fn list(State(server): State<Server>) -> Json<Value> {
    Json(server.records.read(|content| json!(content.records)))
}

async fn read(State(server): State<Server>, Path(key): Path<String>) -> Response {
    match server.records.read(|content| content.records.get(&key).cloned()) {
        Some(value) => value.into_response(),
        None => message(StatusCode::NOT_FOUND, format!("no record {key:?}")),
    }
}

async fn write(State(server): State<Server>, Path(key): Path<String>, value: String) -> Response {
    if let Some(late) = &server.late {
        late.write(key, value);
        return StatusCode::CREATED.into_response();
    }
    answer(server.records.change(|content| match content.records.insert(key, value) {
        None => StatusCode::CREATED,
        Some(_) => StatusCode::OK,
    }))
}

async fn remove(State(server): State<Server>, Path(key): Path<String>) -> Response {
    answer(server.records.change(|content| match content.records.remove(&key) {
        None => StatusCode::NOT_FOUND,
        Some(_) => StatusCode::NO_CONTENT,
    }))
}

async fn migrations(State(server): State<Server>) -> Json<Value> {
    Json(server.records.read(|content| json!(content.migrations)))
}

/// Returns 201 if the migration ran now, 200 if it ran before.
async fn migrate(State(server): State<Server>, Path(name): Path<String>) -> Response {
    log::info(format_args!("migration {name} requested"));
    answer(server.records.change(|content| {
        let asked = content.migrations.entry(name).or_default();
        *asked += 1;
        if *asked == 1 { StatusCode::CREATED } else { StatusCode::OK }
    }))
}

/// Stays open as long as the client keeps it; 503 if there are too many.
async fn session(State(server): State<Server>, Path(user): Path<String>) -> Response {
    match server.sessions.open(&user) {
        Ok(body) => body.into_response(),
        Err(refused) => {
            log::warn(format_args!("{user}: {refused}"));
            message(StatusCode::SERVICE_UNAVAILABLE, refused)
        }
    }
}

async fn connections(State(server): State<Server>) -> Json<Value> {
    Json(server.sessions.count())
}

fn answer(result: Result<StatusCode>) -> Response {
    match result {
        Ok(status) => status.into_response(),
        Err(error) => {
            log::error(format_args!("{error:#}"));
            message(StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}"))
        }
    }
}
