//! `caesium web`: a web server with separate liveness and readiness, dependencies, and a store behind it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::header::CONNECTION;
use axum::http::{HeaderValue, Method, StatusCode};
use axum::middleware::map_response_with_state;
use axum::response::{IntoResponse as _, Json, Response};
use axum::routing::{any, get, post};
use serde_json::{Value, json};

use super::client::Url;
use super::pool::Pool;
use super::{MaybeUrl, Migrate, Names, Urls, job};
use crate::config::{faults_from_env, hostname};
use crate::faults::{Fault, Faults};
use crate::serve::{self, HealthFaults, message};
use crate::shutdown::Signals;
use crate::{crash, log};

const CHECK_EVERY: Duration = Duration::from_secs(1);

/// Serves /version, /health/live, /health/ready, /dependencies, POST /switch/(un)healthy, /switch/(un)ready
#[derive(Clone, Debug, clap::Args)]
pub struct Web {
    /// The port on which HTTP listens, on all addresses
    #[arg(long, env = "STANDIN_PORT", default_value_t = 8080)]
    port: u16,
    /// The service's name in /version
    #[arg(long, env = "STANDIN_NAME", default_value = "web")]
    name: String,
    /// The release in /version
    #[arg(long, env = "STANDIN_VERSION", default_value = "0")]
    version: String,
    /// Dependencies that must respond before this is ready: http://host:port/path or tcp://host:port, comma-separated
    #[arg(long, env = "STANDIN_NEEDS", default_value = "", hide_default_value = true, value_parser = super::urls)]
    needs: Urls,
    /// The db behind /v1/records, as http://host:port
    #[arg(long, env = "STANDIN_STORE", default_value = "", hide_default_value = true, value_parser = super::maybe_url)]
    store: MaybeUrl,
    /// How many connections to keep open to that db; not ready before all of them are open
    #[arg(long, env = "STANDIN_POOL", default_value_t = 0)]
    pool: usize,
    /// The user of these connections
    #[arg(long, env = "STANDIN_DB_USER", default_value = "web")]
    db_user: String,
    /// Environment variables that must be set and not empty, comma-separated
    #[arg(long, env = "STANDIN_REQUIRE_ENV", default_value = "", hide_default_value = true, value_parser = super::names)]
    require_env: Names,
    /// How many seconds to keep serving after SIGTERM, while not ready and closing each connection with its response
    #[arg(long, env = "STANDIN_LINGER_S", default_value_t = 0.0)]
    linger: f64,
    /// Directory for counts of planted faults
    #[arg(long, env = "STANDIN_PATH", default_value = "/tmp")]
    path: PathBuf,
    #[command(flatten)]
    migrate: Migrate,
}

/// A running server.
pub struct Server {
    options: Web,
    healthy: AtomicBool,
    ready: AtomicBool,
    ending: AtomicBool,
    pool: Arc<Pool>,
    missing: Mutex<BTreeMap<String, String>>,
    health: HealthFaults,
}

impl Web {
    /// Migrates if requested, then serves until SIGTERM.
    pub async fn run(self) -> Result<()> {
        self.serve(|_| {}).await
    }

    /// Serves, with this running beside it.
    pub async fn serve(self, beside: impl FnOnce(Arc<Server>)) -> Result<()> {
        let faults = faults_from_env()?;
        let mut signals = Signals::new(faults.has(Fault::SigtermIgnored))?;
        job::require(&self.require_env)?;
        crash::plant(&faults, &self.path)?;
        tokio::select! {
            migrated = self.migrate.run_if_named() => migrated?,
            () = signals.terminate() => return Ok(()),
        }
        let (port, linger) = (self.port, Duration::try_from_secs_f64(self.linger)?);
        let server = Arc::new(Server::new(self, &faults)?);
        tokio::spawn(server.clone().check_dependencies());
        beside(server.clone());
        signals.linger(linger, {
            let server = server.clone();
            move || server.ending.store(true, Ordering::Relaxed)
        });
        serve::serve(port, &faults, signals, || router(server)).await
    }
}

impl Server {
    fn new(options: Web, faults: &Faults) -> Result<Self> {
        let unknown = options.needs.iter().map(|url| (url.to_string(), "not checked yet".to_owned())).collect();
        let pool = match (options.pool, &options.store) {
            (0, _) => Arc::default(),
            (_, None) => anyhow::bail!("--pool is given, but --store or STANDIN_STORE is missing"),
            (size, Some(store)) => {
                let sessions = store.join(&format!("/v1/sessions/{}", options.db_user));
                Pool::open(size, &sessions, options.migrate.password())
            }
        };
        Ok(Self {
            options,
            healthy: AtomicBool::new(true),
            ready: AtomicBool::new(true),
            ending: AtomicBool::new(false),
            pool,
            missing: Mutex::new(unknown),
            health: HealthFaults::new(faults),
        })
    }

    /// Returns the db behind this server.
    pub fn store(&self) -> Option<&Url> {
        self.options.store.as_ref()
    }

    /// Sends a request to the db behind this server.
    pub async fn ask_store(&self, method: &str, path: &str, body: &str) -> Result<super::client::Answer> {
        let Some(store) = self.store() else { anyhow::bail!("--store or STANDIN_STORE is missing") };
        store.join(path).request(method, body, self.options.migrate.password()).await
    }

    fn missing(&self) -> BTreeMap<String, String> {
        let mut missing = self.missing.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.pool.note(&mut missing);
        missing
    }

    async fn check_dependencies(self: Arc<Self>) {
        loop {
            for url in &self.options.needs {
                self.note(url, url.answers().await.map_err(|error| format!("{error:#}")));
            }
            tokio::time::sleep(CHECK_EVERY).await;
        }
    }

    fn note(&self, url: &Url, answers: Result<(), String>) {
        let mut missing = self.missing.lock().unwrap_or_else(PoisonError::into_inner);
        let key = url.to_string();
        match (answers, missing.get(&key)) {
            (Ok(()), Some(_)) => {
                log::info(format_args!("dependency {url} responds"));
                missing.remove(&key);
            }
            (Err(error), before) if before != Some(&error) => {
                log::warn(format_args!("dependency {url} is missing: {error}"));
                missing.insert(key, error);
            }
            _ => {}
        }
    }
}

fn router(server: Arc<Server>) -> Router {
    Router::new()
        .route("/", get(version))
        .route("/version", get(version))
        .route("/health", get(health))
        .route("/health/live", get(live))
        .route("/health/ready", get(ready))
        .route("/dependencies", get(dependencies))
        .route("/switch/{to}", post(switch))
        .route("/v1/records", any(records))
        .route("/v1/records/{key}", any(records))
        .layer(map_response_with_state(server.clone(), last_answer))
        .with_state(server)
}

/// Announces the end of a kept connection in its last response, so that the client does not find it closed.
async fn last_answer(State(server): State<Arc<Server>>, mut response: Response) -> Response {
    if server.ending.load(Ordering::Relaxed) {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

async fn version(State(server): State<Arc<Server>>) -> Json<Value> {
    let options = &server.options;
    Json(json!({ "name": options.name, "version": options.version, "pod": hostname() }))
}

async fn live(State(server): State<Arc<Server>>) -> Response {
    let refused = server.health.act().await;
    if server.healthy.load(Ordering::Relaxed) && !refused {
        return Json(json!({ "status": "healthy" })).into_response();
    }
    message(StatusCode::SERVICE_UNAVAILABLE, "unhealthy")
}

async fn ready(State(server): State<Arc<Server>>) -> Response {
    let refused = server.health.act().await;
    let missing = server.missing();
    if !server.ready.load(Ordering::Relaxed) || server.ending.load(Ordering::Relaxed) || refused {
        return message(StatusCode::SERVICE_UNAVAILABLE, "not ready");
    }
    if missing.is_empty() {
        return Json(json!({ "status": "ready" })).into_response();
    }
    let body = json!({ "message": "dependencies are missing", "missing": missing });
    (StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response()
}

/// Combines both states, for charts that have one endpoint for both.
async fn health(state: State<Arc<Server>>) -> Response {
    if state.healthy.load(Ordering::Relaxed) { ready(state).await } else { live(state).await }
}

async fn dependencies(State(server): State<Arc<Server>>) -> Json<Value> {
    let missing = server.missing();
    let pool = (server.options.pool > 0).then(|| "pool".to_owned());
    let names = server.options.needs.iter().map(ToString::to_string).chain(pool);
    let state = |name: String| (name.clone(), missing.get(&name).map_or("answers".to_owned(), String::clone));
    Json(json!(names.map(state).collect::<BTreeMap<_, _>>()))
}

async fn switch(State(server): State<Arc<Server>>, Path(to): Path<String>) -> Response {
    match to.as_str() {
        "healthy" => server.healthy.store(true, Ordering::Relaxed),
        "unhealthy" => server.healthy.store(false, Ordering::Relaxed),
        "ready" => server.ready.store(true, Ordering::Relaxed),
        "unready" => server.ready.store(false, Ordering::Relaxed),
        _ => return message(StatusCode::NOT_FOUND, "switches are healthy, unhealthy, ready, unready"),
    }
    log::info(format_args!("switched to {to}"));
    StatusCode::NO_CONTENT.into_response()
}

async fn records(State(server): State<Arc<Server>>, method: Method, uri: axum::http::Uri, body: String) -> Response {
    match server.ask_store(method.as_str(), uri.path(), &body).await {
        Ok(answer) => {
            let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::BAD_GATEWAY);
            (status, answer.body).into_response()
        }
        Err(error) => message(StatusCode::BAD_GATEWAY, format!("{error:#}")),
    }
}
