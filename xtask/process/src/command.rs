//! A command line being built up, and its verbs.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::child::{self, Bounds, Finished};
use super::log::CommandRecord;
use redact::{secrets, values};

use super::{CommandError, Ended, Launcher, quote_line};

/// The default time limit of a command.
const TIMEOUT: Duration = Duration::from_secs(60);
/// The default grace period between SIGTERM and SIGKILL.
const GRACE: Duration = Duration::from_secs(5);
/// How many lines of output an error shows.
const TAIL_LINES: usize = 12;

/// A command to run; see [`Launcher::cmd`].
#[derive(Debug, Clone)]
#[must_use = "a command does nothing until it is run"]
pub struct Cmd {
    launcher: Launcher,
    pub(super) program: OsString,
    pub(super) args: Vec<OsString>,
    pub(super) env: Vec<(OsString, Option<OsString>)>,
    pub(super) dir: Option<PathBuf>,
    pub(super) stdin: Option<Vec<u8>>,
    secrets: Vec<String>,
    bounds: Bounds,
}

/// The result of a command that exited.
#[derive(Debug, Clone)]
pub struct Output {
    /// Its exit code.
    pub code: i32,
    /// Its standard output; invalid UTF-8 is replaced.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
    /// How long it took.
    pub took: Duration,
    error: CommandError,
}

impl Output {
    /// Returns whether the exit code is 0.
    pub fn success(&self) -> bool {
        self.code == 0
    }

    /// Returns this output as an error, for an exit code that is not expected.
    pub fn into_error(self) -> CommandError {
        self.error
    }
}

impl Cmd {
    pub(super) fn new(launcher: Launcher, program: OsString) -> Self {
        let bounds = Bounds { timeout: TIMEOUT, grace: GRACE };
        Self { launcher, program, args: vec![], env: vec![], dir: None, stdin: None, secrets: vec![], bounds }
    }

    /// Adds an argument.
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    pub fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Sets an environment variable; all others are inherited from the harness.
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.env.push((name.as_ref().to_owned(), Some(value.as_ref().to_owned())));
        self
    }

    /// Removes an environment variable.
    pub fn env_remove(mut self, name: impl AsRef<OsStr>) -> Self {
        self.env.push((name.as_ref().to_owned(), None));
        self
    }

    /// Sets the folder to run in.
    pub fn current_dir(mut self, dir: impl AsRef<Path>) -> Self {
        self.dir = Some(dir.as_ref().to_owned());
        self
    }

    /// Sets its standard input; empty by default.
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = Some(bytes.into());
        self
    }

    /// Sets its time limit (default: 60 s).
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.bounds.timeout = timeout;
        self
    }

    /// Sets the grace period between SIGTERM and SIGKILL (default: 5 s).
    pub fn grace(mut self, grace: Duration) -> Self {
        self.bounds.grace = grace;
        self
    }

    /// Hides a value everywhere.
    pub fn secret(mut self, secret: impl Into<String>) -> Self {
        self.secrets.push(secret.into());
        self
    }

    /// Returns the command line, quoted for a shell, secrets redacted.
    pub fn line(&self) -> String {
        self.hide(&quote_line(redact::words(&self.words())))
    }

    fn words(&self) -> Vec<String> {
        std::iter::once(&self.program).chain(&self.args).map(|word| word.to_string_lossy().into_owned()).collect()
    }

    /// Runs the command and returns its standard output. Any exit code but 0 is an error.
    ///
    /// # Errors
    /// With the whole command line, how it ended, its duration and the tail of its output.
    pub async fn run(self) -> Result<String, CommandError> {
        let output = self.output().await?;
        if output.success() { Ok(output.stdout) } else { Err(output.error) }
    }

    /// Runs the command, whatever its exit code.
    ///
    /// # Errors
    /// If it could not be started, was ended by a signal, or was stopped.
    pub async fn output(self) -> Result<Output, CommandError> {
        self.launcher.started(&self.line());
        let started = Instant::now();
        let finished = child::run(&self, &self.bounds, self.launcher.cancelled()).await;
        let took = started.elapsed();
        if self.name().starts_with("helm-template") && finished.ended == Ended::Code(0) {
            values::settle(&self.words(), &finished.stdout);
        }
        // The rendered manifests may show that more values are not secret.
        let line = self.line();
        let stderr = self.hide(&secrets::hidden(&finished.stderr));
        let error = self.error(line, took, &finished, &stderr);
        match finished.ended {
            Ended::Code(code) => Ok(Output { code, stdout: finished.stdout, stderr, took, error }),
            _ => Err(error),
        }
    }

    /// Records how the command ended and returns that as an error.
    fn error(&self, line: String, took: Duration, finished: &Finished, stderr: &str) -> CommandError {
        let stdout = self.hide(&secrets::hidden(&finished.stdout));
        let code = if let Ended::Code(code) = finished.ended { Some(code) } else { None };
        let ended = finished.ended.to_string();
        let record = CommandRecord { line: &line, ended: &ended, code, took, stdout: &stdout, stderr };
        let output = self.launcher.ended(&self.name(), &record);
        // Some tools print the cause on stdout, and only a summary on stderr: helm lint, helm test.
        let tail = tail(&format!("{stdout}\n{stderr}"));
        CommandError { line, ended: finished.ended.clone(), took, tail, output }
    }

    /// Returns the program and its first plain words: `kind-create-cluster`.
    fn name(&self) -> String {
        let program = Path::new(&self.program).file_name().unwrap_or_default().to_string_lossy();
        let words = self.args.iter().map(|arg| arg.to_string_lossy());
        let plain = words.take_while(|word| word.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'));
        let plain = plain.filter(|word| !word.starts_with('-')).take(2);
        std::iter::once(program).chain(plain).collect::<Vec<_>>().join("-")
    }

    fn hide(&self, text: &str) -> String {
        self.secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret, redact::HIDDEN))
    }
}

/// Returns the last non-empty lines.
fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}
