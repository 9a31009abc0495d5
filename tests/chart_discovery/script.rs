//! Runs the script with only a given shell and HTTP client in its PATH.

use std::fmt::Write as _;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Instant;

use crate::command::command;
use crate::peers::{self, Peer};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../helm/caesium/files/discover.sh");

/// A wrapper of the HTTP client that resolves the URL's host as the cluster's DNS would. A name that does not exist
/// becomes one with a label too long for DNS, which every resolver rejects without querying a server.
const RESOLVER: &str = r#"#!/bin/sh
for url; do :; done
host=${url#http://} host=${host%%[:/]*} rest=${url#http://*[:/]}
address=nosuchnamexxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx.peers
while read -r name ip; do [ "$name" != "$host" ] || address=$ip; done <"$HOSTS"
turn=0 last=$#
for argument; do
    turn=$((turn + 1))
    [ "$turn" -gt 1 ] || set --
    [ "$turn" -lt "$last" ] || argument=http://$address:$rest
    set -- "$@" "$argument"
done
exec $CLIENT "$@"
"#;

/// A shell and an HTTP client, as an image may have them.
#[derive(Clone)]
pub struct Toolset {
    shell: PathBuf,
    client: &'static str,
    /// The client's program, or its applet in a multi-call binary.
    program: String,
    /// busybox, if it provides everything.
    busybox: Option<PathBuf>,
}

impl Toolset {
    /// Returns every toolset of this machine.
    pub fn here() -> Vec<Toolset> {
        let busybox = which::which("busybox").ok();
        let dash = which::which("dash").or_else(|_| which::which("sh")).ok();
        let of_dash = ["wget", "curl"].into_iter().filter_map(|client| {
            let program = which::which(client).ok()?.display().to_string();
            Some(Toolset { shell: dash.clone()?, client, program, busybox: None })
        });
        let of_busybox = busybox.map(|path| Toolset {
            shell: path.clone(),
            client: "wget",
            program: format!("{} wget", path.display()),
            busybox: Some(path),
        });
        of_dash.chain(of_busybox).collect()
    }

    /// Returns the script for this shell. Some builds of busybox run their own `wget` regardless of PATH: then the
    /// script names the client by its path, which works in every shell.
    fn script(&self, dir: &Path) -> PathBuf {
        if self.busybox.is_none() {
            return SCRIPT.into();
        }
        let (copy, client) = (dir.join("discover.sh"), dir.join("bin").join(self.client).display().to_string());
        let text = std::fs::read_to_string(SCRIPT).unwrap();
        assert!(
            text.contains("command -v wget") && text.contains(" wget -t 1 "),
            "the script sends its requests in another way"
        );
        let named = text.replace("command -v wget", &format!("command -v {client}"));
        std::fs::write(&copy, named.replace(" wget -t 1 ", &format!(" {client} -t 1 "))).unwrap();
        copy
    }

    fn install(&self, bin: &Path, client: &str) {
        symlink(&self.shell, bin.join("sh")).unwrap();
        for tool in ["timeout", "date", "sleep", "cat", "tail"] {
            let program = self.busybox.clone().or_else(|| which::which(tool).ok());
            symlink(program.unwrap_or_else(|| panic!("no {tool} on this machine")), bin.join(tool)).unwrap();
        }
        let shim = bin.join(self.client);
        std::fs::write(&shim, client).unwrap();
        std::fs::set_permissions(&shim, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
}

impl std::fmt::Display for Toolset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} with {}", self.shell.display(), self.program)
    }
}

/// One run of the script: which replica, and its environment.
pub struct Script {
    tools: Toolset,
    ordinal: usize,
    replicas: usize,
    /// The Service, then the peers from ordinal 1.
    peers: Vec<Peer>,
    member: bool,
    absent_seconds: u32,
    give_up_seconds: u32,
    client: String,
}

/// The result of a run.
pub struct Outcome {
    pub code: i32,
    /// The whole file of nodes, if one was written.
    pub wrote: Option<String>,
    pub said: String,
    /// How many requests reached any peer.
    pub questions: usize,
    pub seconds: f64,
}

impl Script {
    pub fn new(tools: Toolset, ordinal: usize, replicas: usize) -> Script {
        let peers = vec![Peer::Unresolved; replicas.max(1)];
        let client = RESOLVER.to_owned();
        Script { tools, ordinal, replicas, peers, member: false, absent_seconds: 1, give_up_seconds: 1, client }
    }

    pub fn service(self, service: Peer) -> Script {
        self.peer(0, service)
    }

    pub fn peer(mut self, ordinal: usize, peer: Peer) -> Script {
        self.peers[ordinal] = peer;
        self
    }

    /// Puts a member's data on the disk.
    pub fn member(mut self) -> Script {
        self.member = true;
        self
    }

    pub fn absent_seconds(mut self, seconds: u32) -> Script {
        self.absent_seconds = seconds;
        self
    }

    pub fn give_up_seconds(mut self, seconds: u32) -> Script {
        self.give_up_seconds = seconds;
        self
    }

    /// Replaces the client: about a peer, it prints these texts and exits with these codes in turn, then repeats the
    /// last. The Service refuses.
    pub fn client_says(mut self, replies: &[(i32, &str)]) -> Script {
        let refuse = "for url; do :; done\ncase $url in *.service:*) echo 'Connection refused'; exit 1 ;; esac";
        let count = "echo turn >>\"$TURNS\"\nturn=0\nwhile read -r _; do turn=$((turn + 1)); done <\"$TURNS\"";
        let mut client = format!("#!/bin/sh\n{refuse}\n{count}\ncase $turn in\n");
        for (turn, (status, text)) in replies.iter().enumerate() {
            let pattern = if turn + 1 < replies.len() { (turn + 1).to_string() } else { "*".into() };
            writeln!(client, "{pattern}) echo '{}'; exit {status} ;;", text.replace('\'', "'\\''")).unwrap();
        }
        self.client = client + "esac\n";
        self
    }

    pub fn run(self) -> Outcome {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        for name in ["bin", "data"] {
            std::fs::create_dir(path(name)).unwrap();
        }
        self.tools.install(&path("bin"), &self.client);
        std::fs::write(path("replicas"), self.replicas.to_string()).unwrap();
        if self.member {
            std::fs::write(path("data/info.yaml"), "").unwrap();
        }
        let (port, questions) = peers::serve(&self.peers);
        std::fs::write(path("hosts"), self.hosts()).unwrap();
        let started = Instant::now();
        let output = self.command(dir.path(), port).run().unwrap();
        let turns = std::fs::read_to_string(path("turns")).map_or(0, |turns| turns.lines().count());
        Outcome {
            code: output.status.code().unwrap_or(-1),
            wrote: std::fs::read_to_string(path("nodes")).ok(),
            said: String::from_utf8_lossy(&output.stderr).into_owned(),
            questions: questions.load(Ordering::SeqCst) + turns,
            seconds: started.elapsed().as_secs_f64(),
        }
    }

    fn hosts(&self) -> String {
        let mut hosts = String::new();
        for (ordinal, peer) in self.peers.iter().enumerate() {
            let name = if ordinal == 0 { "caesium.service".into() } else { format!("caesium-{ordinal}.peers") };
            if !matches!(peer, Peer::Unresolved) {
                writeln!(hosts, "{name} {}", peers::address(ordinal)).unwrap();
            }
        }
        hosts
    }

    fn command(&self, dir: &Path, port: u16) -> duct::Expression {
        let path = |name: &str| dir.join(name).display().to_string();
        let environment = [
            ("PATH", path("bin")),
            ("HOSTS", path("hosts")),
            ("TURNS", path("turns")),
            ("CLIENT", self.tools.program.clone()),
            ("POD_NAME", format!("caesium-{}", self.ordinal)),
            ("POD_DOMAIN", "peers".into()),
            ("API_URL", format!("http://caesium.service:{port}")),
            ("HTTP_PORT", port.to_string()),
            ("DQLITE_PORT", "9001".into()),
            ("ABSENT_SECONDS", self.absent_seconds.to_string()),
            ("PROBE_TIMEOUT_SECONDS", "1".into()),
            ("GIVE_UP_SECONDS", self.give_up_seconds.to_string()),
            ("REPLICAS_FILE", path("replicas")),
            ("DATA_DIR", path("data")),
            ("NODES_FILE", path("nodes")),
        ];
        command(dir.join("bin/sh"), [self.tools.script(dir)])
            .full_env(environment)
            .stderr_capture()
            .stdout_capture()
            .unchecked()
    }
}

impl Outcome {
    /// Whether it founded a cluster.
    #[track_caller]
    pub fn founded(&self, tools: &Toolset) {
        assert_eq!((self.code, self.wrote.as_deref()), (0, Some("\n")), "{tools}: {}", self.said);
    }

    /// Whether it failed without leaving anything that the main container could start from.
    #[track_caller]
    pub fn failed(&self, tools: &Toolset) {
        assert_eq!((self.code, self.wrote.as_deref()), (1, None), "{tools}: {}", self.said);
    }
}
