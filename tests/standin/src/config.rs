//! The environment that Caesium reads, and the stand-in's own switches.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};

use crate::faults::Faults;
use crate::log::Level;

/// A node's whole configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// Port of the HTTP API, on all addresses; 0 picks one.
    pub port: u16,
    /// Raft's address: bound as given, and announced to the others.
    pub node_address: SocketAddr,
    /// Peers, as `host:port`; used only by a node that has no identity yet.
    pub peers: Vec<String>,
    /// The data directory.
    pub path: PathBuf,
    /// The lines that are logged.
    pub log_level: Level,
    /// Number of workers, as shown by `/v1/system/nodes`.
    pub workers: u32,
    /// The times of Raft and of the role cycle.
    pub timing: Timing,
    /// Log entries between two snapshots.
    pub snapshot_entries: u64,
    /// Whether `/health` has the later `checks.cluster.quorum` block.
    pub quorum_block: bool,
    /// Planted faults.
    pub faults: Faults,
    /// The number at the end of the host name.
    pub ordinal: Option<u32>,
}

/// Times that tests shorten.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// How long the leader may be silent before a voter stands for election.
    pub election: Duration,
    /// The interval of the leader's heartbeats.
    pub heartbeat: Duration,
    /// The interval of the leader's checks of the roles.
    pub roles_cycle: Duration,
}

impl Config {
    /// Reads the environment of this process.
    pub fn from_env() -> Result<Self> {
        Self::read(variable)
    }

    fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let text = |name: &str, default: &str| variable(name).unwrap_or_else(|| default.to_owned());
        let ordinal = ordinal(text("HOSTNAME", "").trim());
        database_type(&text("CAESIUM_DATABASE_TYPE", "internal"))?;
        Ok(Self {
            port: port(&text("CAESIUM_PORT", "8080"))?,
            node_address: node_address(&text("CAESIUM_NODE_ADDRESS", "127.0.0.1:9001"))?,
            peers: peers(&text("CAESIUM_DATABASE_NODES", ""))?,
            path: text("CAESIUM_DATABASE_PATH", "/var/lib/caesium/dqlite").into(),
            log_level: text("CAESIUM_LOG_LEVEL", "info").parse().map_err(|e| anyhow!("CAESIUM_LOG_LEVEL: {e}"))?,
            workers: number("CAESIUM_MAX_PARALLEL_TASKS", &text("CAESIUM_MAX_PARALLEL_TASKS", "1"))?,
            timing: Timing {
                election: milliseconds("STANDIN_ELECTION_TIMEOUT_MS", &text("STANDIN_ELECTION_TIMEOUT_MS", "3000"))?,
                heartbeat: milliseconds("STANDIN_HEARTBEAT_MS", &text("STANDIN_HEARTBEAT_MS", "500"))?,
                roles_cycle: seconds("STANDIN_ROLES_CYCLE_S", &text("STANDIN_ROLES_CYCLE_S", "30"))?,
            },
            snapshot_entries: number("STANDIN_SNAPSHOT_ENTRIES", &text("STANDIN_SNAPSHOT_ENTRIES", "1000"))?,
            quorum_block: switch("STANDIN_QUORUM", &text("STANDIN_QUORUM", "on"))?,
            faults: Faults::parse(&text("STANDIN_FAULT", ""), ordinal)?,
            ordinal,
        })
    }
}

/// Returns only the planted faults, for the modes other than Caesium.
pub fn faults_from_env() -> Result<Faults> {
    let text = |name: &str| variable(name).unwrap_or_default();
    Faults::parse(&text("STANDIN_FAULT"), ordinal(text("HOSTNAME").trim()))
}

/// Returns the name of the pod.
pub fn hostname() -> String {
    variable("HOSTNAME").unwrap_or_default().trim().to_owned()
}

fn variable(name: &str) -> Option<String> {
    match (name, std::env::var(name).ok()) {
        ("HOSTNAME", None) => std::fs::read_to_string("/proc/sys/kernel/hostname").ok(),
        (_, value) => value,
    }
}

fn ordinal(hostname: &str) -> Option<u32> {
    hostname.rsplit_once('-')?.1.parse().ok()
}

fn port(value: &str) -> Result<u16> {
    value.parse().map_err(|_| {
        let hint = if value.contains("://") {
            "; Kubernetes injects it for a Service named \"caesium\": set CAESIUM_PORT in the container's own environment"
        } else {
            ""
        };
        anyhow!("CAESIUM_PORT={value:?} is not a port number{hint}")
    })
}

/// dqlite parses the address with `AI_NUMERICHOST`: names are not looked up.
fn node_address(value: &str) -> Result<SocketAddr> {
    value.parse().map_err(|_| {
        anyhow!(
            "CAESIUM_NODE_ADDRESS: failed to set bind address {value:?}: invalid address: \
             it has to be a numeric ip:port, names are not looked up; use the pod's IP"
        )
    })
}

fn peers(value: &str) -> Result<Vec<String>> {
    let peers = value.split(',').map(str::trim).filter(|peer| !peer.is_empty());
    peers.map(|peer| peer_address(peer).with_context(|| format!("CAESIUM_DATABASE_NODES={value:?}"))).collect()
}

fn peer_address(peer: &str) -> Result<String> {
    match peer.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => Ok(peer.to_owned()),
        _ => bail!("{peer:?} is not host:port"),
    }
}

fn database_type(value: &str) -> Result<()> {
    match value {
        "" | "internal" => Ok(()),
        "postgres" => bail!("CAESIUM_DATABASE_TYPE=\"postgres\": the stand-in has no PostgreSQL client; use internal"),
        other => bail!("CAESIUM_DATABASE_TYPE={other:?} is neither internal nor postgres"),
    }
}

fn number<T: FromStr>(name: &str, value: &str) -> Result<T> {
    value.parse().map_err(|_| anyhow!("{name}={value:?} is not a whole number"))
}

fn milliseconds(name: &str, value: &str) -> Result<Duration> {
    number(name, value).map(Duration::from_millis)
}

fn seconds(name: &str, value: &str) -> Result<Duration> {
    let seconds = value.parse().ok().and_then(|s| Duration::try_from_secs_f64(s).ok()).filter(|d| !d.is_zero());
    seconds.ok_or_else(|| anyhow!("{name}={value:?} is not a time in seconds above 0"))
}

fn switch(name: &str, value: &str) -> Result<bool> {
    match value {
        "on" => Ok(true),
        "off" => Ok(false),
        other => bail!("{name}={other:?} is neither on nor off"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Config> {
        Config::read(|name| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned()))
    }

    fn refused(name: &str, value: &str) -> String {
        format!("{:#}", read(&[(name, value)]).unwrap_err())
    }

    #[test]
    fn the_defaults_are_those_of_caesium() {
        let config = read(&[]).unwrap();
        assert_eq!(config.port, 8080);
        assert_eq!(config.node_address.to_string(), "127.0.0.1:9001");
        assert_eq!(config.path.to_str(), Some("/var/lib/caesium/dqlite"));
        assert_eq!(config.timing.election, Duration::from_secs(3));
        assert!(config.peers.is_empty() && config.quorum_block && config.ordinal.is_none());
    }

    #[test]
    fn peers_may_be_names_and_blanks_are_skipped() {
        let config = read(&[("CAESIUM_DATABASE_NODES", " c-0.c.ns.svc:9001,10.0.0.2:9001,\n")]).unwrap();
        assert_eq!(config.peers, ["c-0.c.ns.svc:9001", "10.0.0.2:9001"]);
        assert!(refused("CAESIUM_DATABASE_NODES", "c-0").contains("\"c-0\" is not host:port"));
    }

    #[test]
    fn the_port_that_kubernetes_injects_is_rejected_with_the_remedy() {
        let message = refused("CAESIUM_PORT", "tcp://10.96.0.1:8080");
        assert!(message.contains("is not a port number") && message.contains("Service named \"caesium\""), "{message}");
        assert!(!refused("CAESIUM_PORT", "http").contains("Kubernetes"));
    }

    #[test]
    fn a_name_as_node_address_is_rejected() {
        let message = refused("CAESIUM_NODE_ADDRESS", "c-0.c.ns.svc.cluster.local:9001");
        assert!(message.contains("failed to set bind address") && message.contains("use the pod's IP"), "{message}");
    }

    #[test]
    fn the_ordinal_is_the_end_of_the_host_name() {
        assert_eq!(ordinal("r3-caesium-2"), Some(2));
        assert_eq!(ordinal("caesium-5d9c7b4f6d-x2x9k"), None);
        assert_eq!(ordinal("laptop"), None);
    }

    #[test]
    fn switches_and_levels_are_checked() {
        assert!(refused("STANDIN_QUORUM", "yes").contains("neither on nor off"));
        assert!(refused("CAESIUM_LOG_LEVEL", "loud").contains("\"loud\" is not a log level"));
        assert!(refused("CAESIUM_DATABASE_TYPE", "postgres").contains("no PostgreSQL client"));
        assert!(refused("STANDIN_ROLES_CYCLE_S", "0").contains("above 0"));
    }
}
