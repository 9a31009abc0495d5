//! This node's identity, from its data directory: dqlite's `info.yaml`, `cluster.yaml` and `join`.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::config::Config;
use crate::faults::Fault;
use crate::{files, log};

/// A node's identity.
#[derive(Debug)]
pub struct Identity {
    /// Its id, which lasts as long as the directory.
    pub id: u64,
    /// Whether it still has to join; otherwise it founds a cluster or is already a member.
    pub joining: bool,
    /// Raft addresses of possible members: at first the configured ones, later those it learned.
    pub peers: Vec<String>,
    dir: PathBuf,
    /// Held as long as the node runs.
    _lock: File,
}

impl Identity {
    /// Reads the identity, or creates one in an empty directory.
    pub fn open(config: &Config) -> Result<Self> {
        let dir = &config.path;
        fs::create_dir_all(dir).with_context(|| format!("data directory {} can't be created", dir.display()))?;
        let lock = lock(dir)?;
        match files::read(&dir.join("info.yaml"))? {
            Some(info) => Self::existing(config, &String::from_utf8_lossy(&info), lock),
            None => Self::create(config, lock),
        }
    }

    fn existing(config: &Config, info: &str, lock: File) -> Result<Self> {
        let dir = config.path.clone();
        let id = field(info, "ID").and_then(|id| id.parse().ok());
        let (Some(id), Some(address)) = (id, field(info, "Address")) else {
            bail!("{} has no ID and Address", dir.join("info.yaml").display());
        };
        let own = config.node_address.to_string();
        if address != own {
            if config.faults.has(Fault::AddressMismatch) {
                bail!("address {address:?} in info.yaml does not match {own:?}");
            }
            log::info(format_args!("address {address} in info.yaml is replaced by {own}"));
            write_info(&dir, id, &own)?;
        }
        let peers = files::read(&dir.join("cluster.yaml"))?.unwrap_or_default();
        let peers = String::from_utf8_lossy(&peers).lines().filter_map(|line| field(line, "- Address")).collect();
        let joining = dir.join("join").exists();
        log::info(format_args!("node {id} found in {}, CAESIUM_DATABASE_NODES is ignored", dir.display()));
        Ok(Self { id, joining, peers, dir, _lock: lock })
    }

    fn create(config: &Config, lock: File) -> Result<Self> {
        let dir = config.path.clone();
        let alone = config.faults.has(Fault::SecondBootstrap) && config.ordinal == Some(0);
        let peers = if alone { Vec::new() } else { config.peers.clone() };
        let id = uuid::Uuid::new_v4().as_u64_pair().0 | 1;
        let identity = Self { id, joining: !peers.is_empty(), peers, dir, _lock: lock };
        identity.remember_peers(&identity.peers)?;
        if identity.joining {
            files::replace(&identity.dir.join("join"), b"")?;
        }
        write_info(&identity.dir, id, &config.node_address.to_string())?;
        log::info(format_args!("node {id} is new in {}", identity.dir.display()));
        Ok(identity)
    }

    /// Records that the node is a member now.
    pub fn joined(&self) -> Result<()> {
        files::remove(&self.dir.join("join")).context("data directory")
    }

    /// Records where members can be found.
    pub fn remember_peers(&self, addresses: &[String]) -> Result<()> {
        let mut text = String::new();
        for address in addresses {
            let _ = writeln!(text, "- Address: {address}");
        }
        files::replace(&self.dir.join("cluster.yaml"), text.as_bytes()).context("data directory")
    }
}

fn write_info(dir: &Path, id: u64, address: &str) -> Result<()> {
    let text = format!("Address: {address}\nID: {id}\n");
    let path = dir.join("info.yaml");
    files::replace(&path, text.as_bytes()).with_context(|| format!("{} can't be written", path.display()))
}

fn field(text: &str, name: &str) -> Option<String> {
    let value = |line: &str| line.strip_prefix(name)?.strip_prefix(": ").map(|value| value.trim().to_owned());
    text.lines().find_map(value)
}

/// Takes dqlite's lock on the directory: a pod that was deleted with grace 0 may still run when its successor starts on
/// the same volume, and two writers would destroy it.
fn lock(dir: &Path) -> Result<File> {
    let path = dir.join("dqlite-lock");
    let file = File::create(&path).with_context(|| format!("{} can't be created", path.display()))?;
    file.try_lock().with_context(|| format!("{} is held by another process", path.display()))?;
    Ok(file)
}
