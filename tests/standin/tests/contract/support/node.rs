//! One process of the stand-in, and its fleet.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;

use super::http::{self, Answer};
use super::until;

/// How long a response may take before it counts as hanging.
const ANSWER: Duration = Duration::from_secs(5);

/// Nodes that may form a cluster: each test has its own loopback network and directory.
pub struct Fleet {
    network: String,
    dir: Arc<TempDir>,
    variables: Vec<(String, String)>,
    starts: AtomicUsize,
}

impl Fleet {
    /// Returns a fleet with times that are as short as a busy machine allows.
    pub fn new() -> Self {
        static FLEETS: AtomicU64 = AtomicU64::new(1);
        let number = FLEETS.fetch_add(1, Ordering::Relaxed);
        let network = format!("127.{}.{number}", std::process::id() % 250 + 2);
        let dir = Arc::new(tempfile::tempdir().unwrap());
        let fleet = Self { network, dir, variables: Vec::new(), starts: AtomicUsize::new(0) };
        let fleet = fleet.with("STANDIN_ELECTION_TIMEOUT_MS", "1200").with("STANDIN_HEARTBEAT_MS", "150");
        fleet.with("STANDIN_ROLES_CYCLE_S", "1.5").with("CAESIUM_PORT", "0")
    }

    /// Sets a variable for all nodes that are started from now on.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn address(&self, host: u32) -> String {
        format!("{}.{}:9001", self.network, host + 10)
    }

    /// Returns addresses, sorted as the API shows them.
    pub fn addresses<const N: usize>(&self, hosts: [u32; N]) -> [String; N] {
        let mut addresses = hosts.map(|host| self.address(host));
        addresses.sort();
        addresses
    }

    pub fn data(&self, ordinal: u32) -> PathBuf {
        self.dir.path().join(format!("data-{ordinal}"))
    }

    pub fn clear(&self, ordinal: u32) {
        fs::remove_dir_all(self.data(ordinal)).unwrap();
    }

    /// Starts an ordinal on its first address, with the lower ordinals as its peers.
    pub fn start(&self, ordinal: u32) -> Node {
        let peers: Vec<_> = (0..ordinal).map(|peer| self.address(peer)).collect();
        self.start_as(ordinal, ordinal, &peers)
    }

    /// Starts an ordinal on the address of a host, with these peers.
    pub fn start_as(&self, ordinal: u32, host: u32, peers: &[String]) -> Node {
        let start = self.starts.fetch_add(1, Ordering::Relaxed);
        let log = self.dir.path().join(format!("log-{ordinal}-{start}"));
        let own = [
            ("HOSTNAME", format!("caesium-{ordinal}")),
            ("CAESIUM_NODE_ADDRESS", self.address(host)),
            ("CAESIUM_DATABASE_NODES", peers.join(",")),
            ("CAESIUM_DATABASE_PATH", self.data(ordinal).display().to_string()),
        ];
        let own = own.map(|(name, value)| (name.to_owned(), value));
        let child = spawn(&["start"], own.iter().chain(&self.variables), &log);
        Node { address: self.address(host), child, log, _dir: self.dir.clone() }
    }

    /// Starts another of the program's commands, with only these variables.
    pub fn run(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Node {
        let start = self.starts.fetch_add(1, Ordering::Relaxed);
        let log = self.dir.path().join(format!("log-{}-{start}", arguments[0]));
        let variables: Vec<_> =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let child = spawn(arguments, variables.iter(), &log);
        Node { address: arguments[0].to_owned(), child, log, _dir: self.dir.clone() }
    }

    /// Returns three nodes, all of them voters.
    pub async fn three(&self) -> [Node; 3] {
        let nodes = [self.start(0), self.start(1), self.start(2)];
        super::voters(&nodes.each_ref(), &self.addresses([0, 1, 2])).await;
        nodes
    }
}

#[expect(clippy::disallowed_methods, reason = "this starts the program under test")]
fn spawn<'a>(arguments: &[&str], variables: impl Iterator<Item = &'a (String, String)>, log: &Path) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_caesium"));
    command.args(arguments).env_clear().envs(variables.map(|(name, value)| (name, value)));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(log).unwrap());
    command.spawn().unwrap()
}

/// A process, killed when this is dropped.
pub struct Node {
    /// Its Raft address.
    pub address: String,
    child: Child,
    log: PathBuf,
    _dir: Arc<TempDir>,
}

impl Node {
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Waits for a line with these words.
    pub async fn says(&self, words: &str) -> String {
        until(&format!("{words:?} in the log of {}", self.address), async || {
            let log = self.log();
            log.lines().find(|line| line.contains(words)).map(str::to_owned).ok_or(log)
        })
        .await
    }

    /// Returns the port on which HTTP listens, once it does.
    pub fn http_port(&self) -> Result<u16, String> {
        let log = self.log();
        let line = log.lines().find_map(|line| line.split_once("http listening on 0.0.0.0:"));
        line.and_then(|(_, port)| port.parse().ok()).ok_or(format!("http closed, log:\n{log}"))
    }

    pub async fn request(&self, method: &str, path: &str, body: &str, within: Duration) -> Result<Answer, String> {
        http::request(self.http_port()?, method, path, body, within).await
    }

    pub async fn get(&self, path: &str) -> Result<Answer, String> {
        self.request("GET", path, "", ANSWER).await
    }

    pub async fn post(&self, alias: &str) -> Result<Answer, String> {
        let trigger = json!({ "type": "http", "configuration": { "path": alias } });
        let body = json!({ "alias": alias, "trigger": trigger, "tasks": [] }).to_string();
        self.request("POST", "/v1/jobs", &body, ANSWER).await
    }

    /// Writes jobs with new aliases until one is acknowledged, and returns its id.
    pub async fn write(&self) -> String {
        until(&format!("a write through {}", self.address), async || {
            let alias = uuid::Uuid::new_v4().to_string();
            Ok(self.post(&alias).await?.expect(201)?.id())
        })
        .await
    }

    /// Returns the addresses of the members with a role, sorted.
    pub async fn with_role(&self, role: &str) -> Result<Vec<String>, String> {
        let nodes = self.get("/v1/system/nodes").await?.expect(200)?.json();
        let rows = nodes.as_array().unwrap().iter().filter(|row| row["role"] == role);
        let mut addresses: Vec<_> = rows.map(|row| row["address"].as_str().unwrap().to_owned()).collect();
        addresses.sort();
        Ok(addresses)
    }

    /// Waits until `/health` returns 200.
    pub async fn healthy(&self) -> Answer {
        until(&format!("health of {}", self.address), async || self.get("/health").await?.expect(200)).await
    }

    /// Returns the resident memory in MiB.
    pub fn resident_mib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
    }

    /// Sends SIGKILL and waits for the end.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) {
        let id = rustix::process::Pid::from_raw(self.child.id().try_into().unwrap()).unwrap();
        rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
    }

    /// Returns whether it still runs.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for the process to end by itself.
    pub async fn ended(&mut self) -> ExitStatus {
        let (child, log) = (&mut self.child, &self.log);
        until("the end of the process", async || {
            child.try_wait().unwrap().ok_or_else(|| fs::read_to_string(log).unwrap())
        })
        .await
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
