//! The application as the suite file describes it: how it is reached, its health, its members, its leader.

use client::reach::{Port, Reach, Tls};
use serde::Deserialize;

use super::template::Template;
use super::{CaseSpec, ListAt, Records, Request, Suite, ValueAt, Workload};

/// The application's HTTP interface.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// The containers' port.
    pub port: u16,
    /// Whether it is HTTP or HTTPS.
    #[serde(default)]
    pub scheme: Scheme,
    /// For HTTPS: the certificate that signed the server's, as PEM.
    #[serde(default)]
    pub ca: Option<Template>,
    /// For HTTPS: whether the server's certificate is verified.
    #[serde(default = "default_verify")]
    pub verify: bool,
    /// For HTTPS: the name in the server's certificate; by default the Service.
    #[serde(default)]
    pub server_name: Option<String>,
    /// The path that returns 200 if the replica is healthy; see also [`Health`].
    #[serde(default)]
    pub health: Option<Template>,
    /// The time limit of one request, in milliseconds.
    #[serde(default = "default_request_timeout_ms")]
    pub request_timeout_ms: u64,
}

/// The scheme of HTTP requests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scheme {
    /// Without TLS.
    #[default]
    Http,
    /// With TLS.
    Https,
}

/// The application's port for lines over TCP.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tcp {
    /// The containers' port.
    pub port: u16,
    /// The time limit of one request, in milliseconds.
    #[serde(default = "default_request_timeout_ms")]
    pub request_timeout_ms: u64,
}

/// How commands run.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exec {
    /// The image of the pod in which commands run that go through the Service; by default the replicas' image.
    #[serde(default)]
    pub image: Option<String>,
    /// The time limit of one command, in milliseconds.
    #[serde(default = "default_exec_timeout_ms")]
    pub request_timeout_ms: u64,
}

/// How a replica reports its health.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Health {
    /// The request, which succeeds if the replica is healthy.
    pub request: Request,
}

impl Workload {
    /// Returns the request that succeeds if a replica is healthy.
    pub fn health_request(&self) -> Option<Request> {
        let of_http = || self.http.as_ref()?.health.as_ref().map(Request::get);
        self.health.as_ref().map(|health| health.request.clone()).or_else(of_http)
    }

    /// Returns how the application is reached.
    pub fn reach(&self) -> Reach {
        let service = || self.service.clone();
        let tls = |http: &Http| Tls {
            ca: http.ca.clone(),
            server_name: http.server_name.clone().or_else(service).unwrap_or_default(),
        };
        let http = self.http.as_ref();
        Reach {
            http: http.map(|http| Port { number: http.port, timeout_ms: http.request_timeout_ms }),
            tcp: self.tcp.as_ref().map(|tcp| Port { number: tcp.port, timeout_ms: tcp.request_timeout_ms }),
            exec_timeout_ms: self.exec.as_ref().map_or_else(default_exec_timeout_ms, |exec| exec.request_timeout_ms),
            tls: http.filter(|http| http.scheme == Scheme::Https).map(tls),
        }
    }
}

impl Suite {
    /// Returns whether a command goes through a Service; the pod inside the cluster then needs an image with it.
    pub fn runs_commands_inside(&self) -> bool {
        let cases = self.topologies.iter().flat_map(|topology| &topology.cases);
        let of_cases = cases.flat_map(CaseSpec::requests);
        let records = self.workloads.iter().filter_map(|workload| workload.records.as_ref());
        let of_records = records.flat_map(Records::requests).cloned();
        let of_health = self.workloads.iter().filter_map(Workload::health_request);
        let all = of_records.chain(of_health).chain(of_cases);
        let mut commands = all.filter(|request| request.protocol().is_none());
        commands.any(|request| request.goes_to_any_host())
    }
}

/// How the application lists its members.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Members {
    /// The request, sent to every pod.
    pub request: Request,
    /// The list in the response.
    pub items: ListAt,
    /// A member's identity in an item.
    pub name: ValueAt,
    /// The role in an item; without it every item is a voter.
    #[serde(default)]
    pub role: Option<ValueAt>,
    /// The role of voters.
    #[serde(default = "default_voter")]
    pub voter: String,
    /// The roles of members; items with any other role are not members.
    #[serde(default)]
    pub roles: Vec<String>,
    /// How many members vote at most; the others have the data and stand by.
    #[serde(default)]
    pub voters_max: Option<usize>,
    /// How long a dead member may remain a voter, in seconds.
    #[serde(default)]
    pub demotion_s: u64,
}

/// How the application reports its leader.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leader {
    /// The request, sent to every pod.
    pub request: Request,
    /// The leader that the responding pod reports.
    pub leader: ValueAt,
    /// The responding pod's own name. Without it, the leader's name is its pod's IP, with or without a port, or its
    /// pod's name.
    #[serde(default)]
    pub own: Option<ValueAt>,
}

fn default_request_timeout_ms() -> u64 {
    2000
}

fn default_exec_timeout_ms() -> u64 {
    5000
}

fn default_verify() -> bool {
    true
}

fn default_voter() -> String {
    "voter".to_owned()
}
