//! A client's binary without the user's environment.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::command::command;
use process::Launcher;
use tools::{self, Name};

/// Much longer than anything here takes on an idle machine.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// The pause between polls: each call keeps a core busy for longer than that.
const CALL_EVERY: Duration = Duration::from_millis(200);

/// The clients of one cluster.
pub struct Clients {
    pub helm_3: Client,
    pub helm_4: Client,
    pub kubectl: Client,
    /// Whether root runs the node.
    pub is_root: bool,
}

impl Clients {
    /// Returns the pinned helms, and the kubectl on PATH or a pinned one.
    pub async fn of(kubeconfig: &Path, home: &Path) -> Self {
        let launcher = Launcher::light(false);
        let helm = async |version: &str| tools::resolve_version(&launcher, Name::Helm, version.parse().unwrap()).await;
        let tools = [helm("3.17.3").await, helm("4.1.4").await, tools::resolve(&launcher, Name::Kubectl).await];
        let [helm_3, helm_4, kubectl] = tools.map(|tool| Client {
            tool: tool.unwrap_or_else(|missing| panic!("{missing}")).path,
            kubeconfig: kubeconfig.to_owned(),
            home: home.to_owned(),
            namespace: "default".to_owned(),
        });
        Self { helm_3, helm_4, kubectl, is_root: rustix::process::geteuid().is_root() }
    }
}

/// One client, in one namespace.
#[derive(Clone)]
pub struct Client {
    tool: PathBuf,
    kubeconfig: PathBuf,
    home: PathBuf,
    namespace: String,
}

/// The output of one call.
pub struct Said {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Said {
    fn of(command: &duct::Expression) -> Self {
        let output = command.run().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let code = output.status.code().expect("it was not killed by a signal");
        Self { code, stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }
}

impl Client {
    /// Returns the same client in another namespace.
    pub fn within(&self, namespace: &str) -> Self {
        Self { namespace: namespace.to_owned(), ..self.clone() }
    }

    /// Returns a call to be made: the words of a line, then arguments that may contain spaces.
    pub fn command(&self, line: &str, rest: &[&str]) -> duct::Expression {
        let words = ["--namespace", &self.namespace].into_iter().chain(line.split_whitespace());
        let arguments: Vec<&str> = words.chain(rest.iter().copied()).collect();
        self.with_own_environment(&command(&self.tool, arguments))
    }

    fn with_own_environment(&self, command: &duct::Expression) -> duct::Expression {
        let path = std::env::var("PATH").unwrap_or_default();
        let environment = [("HOME", self.home.as_os_str()), ("KUBECONFIG", self.kubeconfig.as_os_str())];
        command.full_env(environment).env("PATH", path).unchecked()
    }

    /// Returns the output of a call.
    pub fn call(&self, line: &str, rest: &[&str], input: &str) -> Said {
        Said::of(&self.command(line, rest).stdin_bytes(input).stdout_capture().stderr_capture())
    }

    /// Returns the output of a call on a terminal of 33 rows and 99 columns.
    pub fn on_a_terminal(&self, line: &str) -> Said {
        let script = format!("stty rows 33 cols 99; {} --namespace {} {line}", self.tool.display(), self.namespace);
        let command = self.with_own_environment(&command("script", ["-qec", &script, "/dev/null"]));
        Said::of(&command.stdin_null().stdout_capture().stderr_capture())
    }

    /// Returns the standard output of a call that has to succeed.
    #[track_caller]
    pub fn run(&self, line: &str) -> String {
        self.feed(line, &[], "")
    }

    /// As [`Client::run`], with more arguments and an input.
    #[track_caller]
    pub fn feed(&self, line: &str, rest: &[&str], input: &str) -> String {
        let said = self.call(line, rest, input);
        assert_eq!(said.code, 0, "{line} {rest:?}: {}{}", said.stdout, said.stderr);
        said.stdout
    }

    /// Returns the output of a call that follows something: `act` runs after its first line, when it certainly follows.
    pub fn follow(&self, line: &str, act: impl FnOnce()) -> String {
        let mut lines = BufReader::new(self.command(line, &[]).reader().unwrap());
        let mut said = String::new();
        lines.read_line(&mut said).unwrap();
        act();
        lines.read_to_string(&mut said).unwrap();
        said
    }

    /// Returns the standard error of a call that has to fail.
    #[track_caller]
    pub fn fail(&self, line: &str, input: &str) -> String {
        let said = self.call(line, &[], input);
        assert_ne!(said.code, 0, "{line}: {}", said.stdout);
        said.stderr
    }

    /// Repeats a call until its output satisfies a predicate; for conditions that no client can wait for.
    #[track_caller]
    pub fn until(&self, line: &str, satisfies: impl Fn(&str) -> bool) -> String {
        let started = Instant::now();
        loop {
            let said = self.call(line, &[], "");
            if said.code == 0 && satisfies(&said.stdout) {
                return said.stdout;
            }
            assert!(started.elapsed() < PATIENCE, "{line}: last {}{}", said.stdout, said.stderr);
            std::thread::park_timeout(CALL_EVERY);
        }
    }
}
