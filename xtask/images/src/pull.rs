//! Saves images that Docker has or can pull into one archive.

use std::fmt;
use std::path::Path;
use std::time::{Duration, Instant};

use futures::future::try_join_all;

use super::{Archive, Reference};
use process::{CommandError, Launcher};
use tools::Docker;

/// Enough for a large image on a slow connection.
const PULL_TIMEOUT: Duration = Duration::from_secs(600);
const SAVE_TIMEOUT: Duration = Duration::from_secs(300);
/// The waits between attempts of a pull after a temporary error.
const RETRY_AFTER: [Duration; RETRIES] = [Duration::from_secs(1), Duration::from_secs(3), Duration::from_secs(9)];
/// How often a pull is retried at most after a temporary error.
pub const RETRIES: usize = 3;
/// How often a running pull is reported.
const STILL_EVERY: Duration = Duration::from_secs(15);

/// Why an image is not available.
#[derive(Debug)]
pub struct ImageError {
    /// The image; all of them if saving failed.
    pub image: String,
    /// The kind of failure.
    pub kind: Failure,
    /// The command that failed.
    pub error: CommandError,
}

/// Why a pull or a save failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The registry has no such image, or hides it from us.
    NotFound,
    /// The registry requires authentication.
    Denied,
    /// The registry's rate limit is exceeded.
    RateLimited,
    /// The image does not exist for the node's platform.
    Platform,
    /// The disk is full.
    NoSpace,
    /// DNS, the connection or the registry failed; possibly temporary.
    Passing,
    /// Anything else.
    Other,
}

impl Failure {
    /// Classifies an error message from Docker.
    pub fn of(message: &str) -> Self {
        const TABLE: [(Failure, &[&str]); 6] = [
            (Failure::NoSpace, &["no space left on device"]),
            (Failure::RateLimited, &["toomanyrequests", "rate limit"]),
            (
                Failure::Platform,
                &[
                    "no matching manifest",
                    "does not match the specified platform",
                    "does not provide the specified platform",
                ],
            ),
            (Failure::Denied, &["unauthorized", "authentication required", "denied: requested access"]),
            (
                Failure::NotFound,
                &["manifest unknown", "not found", "does not exist", "pull access denied", "no such image"],
            ),
            (
                Failure::Passing,
                &[
                    "no such host",
                    "timeout",
                    "timed out",
                    "deadline exceeded",
                    "connection re",
                    "unexpected eof",
                    "temporary failure",
                    "server misbehaving",
                    "500 internal",
                    "502 bad",
                    "503 service",
                    "504 gateway",
                    "network is unreachable",
                    "no route to host",
                    "broken pipe",
                ],
            ),
        ];
        let message = message.to_ascii_lowercase();
        let found = TABLE.iter().find(|(_, words)| words.iter().any(|word| message.contains(word)));
        found.map_or(Self::Other, |(failure, _)| *failure)
    }

    fn advice(self) -> &'static str {
        match self {
            Self::NotFound => "no such image; check its name, or run `docker login` if it is private",
            Self::Denied => "the registry requires authentication; run `docker login` first",
            Self::RateLimited => "the registry's rate limit is exceeded; run `docker login`, or pass an archive",
            Self::Platform => "the image does not exist for this machine's architecture",
            Self::NoSpace => "the disk is full; `docker system df` shows what uses it",
            Self::Passing => "the registry can't be reached; check the network, or pass `--image FILE.tar`",
            Self::Other => "docker failed",
        }
    }
}

impl ImageError {
    /// Returns the last line of Docker's output, for use in a message.
    pub fn words(&self) -> &str {
        let message = self.error.tail.lines().last().unwrap_or(self.kind.advice());
        message.trim_start_matches("Error response from daemon: ").trim_end_matches('.')
    }
}

impl fmt::Display for ImageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}\n{}", self.image, self.kind.advice(), self.error)
    }
}

impl std::error::Error for ImageError {}

/// Pulls the images that Docker does not have yet, and saves all of them into one archive.
///
/// # Errors
/// With the image, the kind of failure and what to do.
pub async fn save(
    launcher: &Launcher,
    docker: &Docker,
    references: &[Reference],
    into: &Path,
) -> Result<Archive, ImageError> {
    try_join_all(references.iter().map(|reference| provide(launcher, docker, reference, RETRIES))).await?;
    let saved = launcher.cmd(&docker.tool.path).args(save_args(docker, references, into)).timeout(SAVE_TIMEOUT);
    saved.run().await.map_err(|error| ImageError {
        image: references.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        kind: Failure::of(&error.tail),
        error,
    })?;
    Ok(Archive { path: into.to_owned(), references: references.to_vec() })
}

/// Returns the arguments of `docker save`. In Docker's containerd store an image may lack the layers of other platforms,
/// and saving all platforms fails.
fn save_args(docker: &Docker, references: &[Reference], into: &Path) -> Vec<String> {
    let mut args = vec!["save".to_owned()];
    if docker.saves_one_platform() {
        args.extend(["--platform".to_owned(), format!("linux/{}", docker.arch)]);
    }
    args.extend(["-o".to_owned(), into.display().to_string()]);
    args.extend(references.iter().map(ToString::to_string));
    args
}

/// Ensures that Docker has an image for its platform. A pull is retried up to `retries` times after a temporary error.
///
/// # Errors
/// With the image, the kind of failure and what to do.
pub async fn provide(
    launcher: &Launcher,
    docker: &Docker,
    reference: &Reference,
    retries: usize,
) -> Result<(), ImageError> {
    if is_local(launcher, docker, reference).await? {
        return Ok(());
    }
    launcher.note(format!("{reference}: not in docker yet, pulling"));
    let mut waits = RETRY_AFTER.iter().take(retries);
    loop {
        let Err(error) = pull(launcher, docker, reference).await else { return Ok(()) };
        let kind = if error.is_cancelled() { Failure::Other } else { Failure::of(&error.tail) };
        match waits.next() {
            Some(wait) if kind == Failure::Passing => {
                launcher.note(format!(
                    "{reference}: the pull failed, next attempt in {} s: {}",
                    wait.as_secs(),
                    error.tail
                ));
                tokio::time::sleep(*wait).await;
            }
            _ => return Err(ImageError { image: reference.to_string(), kind, error }),
        }
    }
}

/// Returns the registry digests of an image that Docker pulled: `docker.io/library/busybox@sha256:…`; empty for an image
/// that it built.
///
/// # Errors
/// If Docker does not have it.
pub async fn repo_digests(launcher: &Launcher, docker: &Docker, reference: &Reference) -> anyhow::Result<Vec<String>> {
    let args = ["image", "inspect", &reference.to_string(), "--format", "{{json .RepoDigests}}"];
    let listed = launcher.cmd(&docker.tool.path).args(args).run().await?;
    Ok(serde_json::from_str::<Option<Vec<String>>>(&listed)?.unwrap_or_default())
}

/// Pulls an image, and regularly reports that the pull is still running.
async fn pull(launcher: &Launcher, docker: &Docker, reference: &Reference) -> Result<(), CommandError> {
    let cmd = launcher.cmd(&docker.tool.path).args(["pull", &reference.to_string()]).timeout(PULL_TIMEOUT);
    let (mut pulled, began) = (std::pin::pin!(cmd.run()), Instant::now());
    loop {
        tokio::select! {
            pulled = &mut pulled => return pulled.map(drop),
            () = tokio::time::sleep(STILL_EVERY) => {
                launcher.note(format!("{reference}: still pulling after {} s", began.elapsed().as_secs()));
            }
        }
    }
}

/// Returns whether Docker has the image for the platform of its containers.
async fn is_local(launcher: &Launcher, docker: &Docker, reference: &Reference) -> Result<bool, ImageError> {
    let format = "{{.Id}} {{.Os}}/{{.Architecture}} {{.Size}}";
    let inspect =
        launcher.cmd(&docker.tool.path).args(["image", "inspect", &reference.to_string(), "--format", format]);
    let output = inspect.output().await.map_err(|error| ImageError {
        image: reference.to_string(),
        kind: Failure::Other,
        error,
    })?;
    Ok(output.success() && output.stdout.contains(&format!(" linux/{} ", docker.arch)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tools::{Name, Source, Tool};

    #[test]
    fn docker_errors_are_classified() {
        let cases = [
            ("dial tcp: lookup registry-1.docker.io: no such host", Failure::Passing),
            ("net/http: TLS handshake timeout", Failure::Passing),
            ("received unexpected HTTP status: 503 Service Unavailable", Failure::Passing),
            ("read: connection reset by peer", Failure::Passing),
            ("manifest for busybox:0.0.0 not found: manifest unknown: manifest unknown", Failure::NotFound),
            (
                "pull access denied for nosuch, repository does not exist or may require 'docker login'",
                Failure::NotFound,
            ),
            ("unauthorized: authentication required", Failure::Denied),
            ("toomanyrequests: You have reached your unauthenticated pull rate limit", Failure::RateLimited),
            ("no matching manifest for linux/arm64/v8 in the manifest list entries", Failure::Platform),
            ("write /var/lib/docker/tmp/x: no space left on device", Failure::NoSpace),
            ("Error response from daemon: reference does not exist", Failure::NotFound),
            ("something new", Failure::Other),
        ];
        for (message, failure) in cases {
            assert_eq!(Failure::of(message), failure, "{message}");
        }
    }

    #[test]
    fn one_platform_is_saved_where_docker_can() {
        let tool = Tool {
            name: Name::Docker,
            path: "docker".into(),
            version: "28.2.2".parse().unwrap(),
            source: Source::Path,
        };
        let mut docker = Docker { tool, server: "28.2.2".to_owned(), api: (1, 41), arch: "amd64".to_owned() };
        let references = ["busybox:1.36.1".parse().unwrap(), "a/b:c".parse().unwrap()];
        let line = |docker: &Docker| save_args(docker, &references, Path::new("/x.tar")).join(" ");
        assert_eq!(line(&docker), "save -o /x.tar busybox:1.36.1 a/b:c");
        docker.api = (1, 48);
        assert_eq!(line(&docker), "save --platform linux/amd64 -o /x.tar busybox:1.36.1 a/b:c");
    }
}
