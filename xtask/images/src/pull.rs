//! Images that Docker has or can pull, saved into one archive.

use std::fmt;
use std::path::Path;
use std::time::{Duration, Instant};

use futures::future::try_join_all;

use super::{Archive, Reference};
use process::{CommandError, Launcher};
use tools::Docker;

/// A pull of a large image on a slow line.
const PULL_TIMEOUT: Duration = Duration::from_secs(600);
const SAVE_TIMEOUT: Duration = Duration::from_secs(300);
/// Waits between the attempts of a pull whose error passes.
const RETRY_AFTER: [Duration; RETRIES] = [Duration::from_secs(1), Duration::from_secs(3), Duration::from_secs(9)];
/// How often a pull whose error passes is tried again, at most.
pub const RETRIES: usize = 3;
/// How often a pull that goes on says so.
const STILL_EVERY: Duration = Duration::from_secs(15);

/// Why an image can't be had.
#[derive(Debug)]
pub struct ImageError {
    /// Which; all of them where saving failed.
    pub image: String,
    /// What kind of failure.
    pub kind: Failure,
    /// The command that failed.
    pub error: CommandError,
}

/// What kind of failure a pull or a save met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The registry has no such image, or does not show it to us.
    NotFound,
    /// The registry asks who we are.
    Denied,
    /// The registry has served us enough.
    RateLimited,
    /// Not for the node's platform.
    Platform,
    /// The disk is full.
    NoSpace,
    /// Name service, connection, a server in trouble: it may pass.
    Passing,
    /// Anything else.
    Other,
}

impl Failure {
    /// What Docker's words mean.
    pub fn of(said: &str) -> Self {
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
        let said = said.to_ascii_lowercase();
        let found = TABLE.iter().find(|(_, words)| words.iter().any(|word| said.contains(word)));
        found.map_or(Self::Other, |(failure, _)| *failure)
    }

    fn advice(self) -> &'static str {
        match self {
            Self::NotFound => "no such image; check its name, or `docker login` if it is private",
            Self::Denied => "the registry asks who we are; `docker login` there first",
            Self::RateLimited => "the registry has served this address enough; `docker login`, or give an archive",
            Self::Platform => "it is not made for this machine's architecture",
            Self::NoSpace => "the disk is full; `docker system df` shows what takes it",
            Self::Passing => "the registry can't be reached; check the network, or give `--image FILE.tar`",
            Self::Other => "docker could not do it",
        }
    }
}

impl ImageError {
    /// Docker's last line, for a sentence.
    pub fn words(&self) -> &str {
        let said = self.error.tail.lines().last().unwrap_or(self.kind.advice());
        said.trim_start_matches("Error response from daemon: ").trim_end_matches('.')
    }
}

impl fmt::Display for ImageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}\n{}", self.image, self.kind.advice(), self.error)
    }
}

impl std::error::Error for ImageError {}

/// Pulls what Docker does not have yet, and saves all into one archive.
///
/// # Errors
/// With the image, what kind of failure it was and what to do.
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

/// With Docker's containerd store an image may lack the layers of other platforms, and saving all of them fails.
fn save_args(docker: &Docker, references: &[Reference], into: &Path) -> Vec<String> {
    let mut args = vec!["save".to_owned()];
    if docker.saves_one_platform() {
        args.extend(["--platform".to_owned(), format!("linux/{}", docker.arch)]);
    }
    args.extend(["-o".to_owned(), into.display().to_string()]);
    args.extend(references.iter().map(ToString::to_string));
    args
}

/// Sees to it that Docker has an image for its own platform; a pull whose error passes is tried so many times again.
///
/// # Errors
/// With the image, what kind of failure it was and what to do.
pub async fn provide(
    launcher: &Launcher,
    docker: &Docker,
    reference: &Reference,
    retries: usize,
) -> Result<(), ImageError> {
    if is_local(launcher, docker, reference).await? {
        return Ok(());
    }
    launcher.note(format!("{reference}: docker does not have it yet, and pulls it"));
    let mut waits = RETRY_AFTER.iter().take(retries);
    loop {
        let Err(error) = pull(launcher, docker, reference).await else { return Ok(()) };
        let kind = if error.is_cancelled() { Failure::Other } else { Failure::of(&error.tail) };
        match waits.next() {
            Some(wait) if kind == Failure::Passing => {
                launcher.note(format!("{reference}: the pull failed, again in {} s: {}", wait.as_secs(), error.tail));
                tokio::time::sleep(*wait).await;
            }
            _ => return Err(ImageError { image: reference.to_string(), kind, error }),
        }
    }
}

/// What registries call an image that Docker pulled: `docker.io/library/busybox@sha256:…`; empty for one that it built.
///
/// # Errors
/// Where Docker does not have it.
pub async fn repo_digests(launcher: &Launcher, docker: &Docker, reference: &Reference) -> anyhow::Result<Vec<String>> {
    let args = ["image", "inspect", &reference.to_string(), "--format", "{{json .RepoDigests}}"];
    let listed = launcher.cmd(&docker.tool.path).args(args).run().await?;
    Ok(serde_json::from_str::<Option<Vec<String>>>(&listed)?.unwrap_or_default())
}

/// Pulls an image, and says now and then that this goes on.
async fn pull(launcher: &Launcher, docker: &Docker, reference: &Reference) -> Result<(), CommandError> {
    let cmd = launcher.cmd(&docker.tool.path).args(["pull", &reference.to_string()]).timeout(PULL_TIMEOUT);
    let (mut pulled, began) = (std::pin::pin!(cmd.run()), Instant::now());
    loop {
        tokio::select! {
            pulled = &mut pulled => return pulled.map(drop),
            () = tokio::time::sleep(STILL_EVERY) => {
                launcher.note(format!("{reference}: still being pulled after {} s", began.elapsed().as_secs()));
            }
        }
    }
}

/// Whether Docker has the image, for the platform that its containers run on.
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
    fn dockers_words_are_told_apart() {
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
        for (said, failure) in cases {
            assert_eq!(Failure::of(said), failure, "{said}");
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
