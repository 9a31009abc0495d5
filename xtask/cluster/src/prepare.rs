//! Preflight of the cluster: which provider is used, and all problems. Nothing is created.

use std::path::PathBuf;
use std::sync::Arc;

use super::lease::Lease;
use super::node_access::NodeAccess;
use super::{Choice, Cluster, Embedded, Existing, Kind, Problems, embedded, existing, kind, reuse};
use console::exit;
use images::{self, Reference};
use process::Launcher;
use tools::{self, Docker, Name, NoDocker, pins};

/// The disk space for a node image, its cluster and a few images.
const DISK_FREE_BYTES: u64 = 4_000_000_000;
/// Kernel limits: the minimum at which a single node boots, and the recommended value.
const INOTIFY_LIMITS: [(&str, u64, u64); 2] =
    [("fs.inotify.max_user_instances", 128, 512), ("fs.inotify.max_user_watches", 8_192, 524_288)];
/// The folder of Docker's data, if Docker runs on this machine.
const DOCKER_ROOT: &str = "/var/lib/docker";

/// The requested cluster, and the run that requests it.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The requested cluster.
    pub choice: Choice,
    /// Contexts that may be used.
    pub allowed_contexts: Vec<String>,
    /// The kubeconfig with the context, if not kubectl's default.
    pub kubeconfig: Option<PathBuf>,
    /// A configuration for kind.
    pub kind_config: Option<PathBuf>,
    /// The node image, if not the pinned one.
    pub node_image: Option<String>,
    /// The run's ID.
    pub run_id: String,
    /// The run's directory.
    pub run_dir: PathBuf,
    /// The folder of leases; see [`super::lease::folder`].
    pub leases: PathBuf,
    /// Whether to use a cluster that an earlier run kept.
    pub reuse: bool,
    /// Whether no case creates it: then nothing is pulled for it.
    pub unused: bool,
    /// Whether this is a CI machine, where a fallback would hide a broken environment.
    pub ci: bool,
}

impl Request {
    /// Returns whether the embedded cluster may replace kind: kind was not requested, and this is not a CI machine.
    fn may_fall_back(&self) -> bool {
        let names_kind = self.kind_config.is_some() || self.node_image.is_some();
        self.choice == Choice::Auto && !self.ci && !self.reuse && !names_kind && cfg!(target_os = "linux")
    }

    /// Returns how often a pull is retried after a temporary error: not at all if there is a fallback.
    pub fn pull_retries(&self) -> usize {
        if self.may_fall_back() { 1 } else { images::RETRIES }
    }
}

/// Returns the cluster for a request, not created yet; none if there are `problems`.
///
/// # Errors
/// Usage errors: a missing context or one that was not opted in to, a missing file, a malformed image reference.
pub async fn prepare(
    launcher: &Launcher,
    request: &Request,
    problems: &mut Problems,
) -> anyhow::Result<Option<Cluster>> {
    check_flags(request)?;
    let lease = Arc::new(Lease::new(&request.leases, &request.run_id, &request.run_dir));
    let noted = launcher.clone();
    lease.keep_renewed(move |error| noted.note(format!("renewing the run's lease: {error:#}")));
    if request.reuse {
        return reuse::kept(launcher, request, lease).await.map(Some);
    }
    let wants_docker = matches!(request.choice, Choice::Auto | Choice::Kind);
    let docker = if wants_docker { Some(Docker::find(launcher).await) } else { None };
    match (&request.choice, docker) {
        (Choice::Auto, Some(Ok(docker))) if request.may_fall_back() => {
            let mut in_the_way = Problems::default();
            let kind = with_kind(launcher, request, docker, lease.clone(), &mut in_the_way).await?;
            if in_the_way.is_empty() {
                return Ok(kind);
            }
            in_process(
                launcher,
                request,
                format!(", because kind can't be used: {}", in_the_way.line()),
                lease,
                problems,
            )
        }
        (Choice::Auto | Choice::Kind, Some(Ok(docker))) => with_kind(launcher, request, docker, lease, problems).await,
        (Choice::Auto, Some(Err(reason))) if !request.ci => instead(launcher, request, &reason, lease, problems),
        (Choice::Auto | Choice::Kind, Some(Err(NoDocker { reason, fix }))) => {
            problems.add(format!("docker is unavailable: {reason}"), fix);
            drop(kind_tool(launcher, problems).await);
            Ok(None)
        }
        (Choice::Context(name), _) => existing_of(launcher, request, name, lease).await.map(Some),
        (Choice::Embedded | Choice::Auto | Choice::Kind, _) => {
            in_process(launcher, request, String::new(), lease, problems)
        }
    }
}

/// Rejects flags that don't apply to the chosen cluster, or that name missing files or contexts.
fn check_flags(request: &Request) -> anyhow::Result<()> {
    let Request { choice, kind_config, node_image, .. } = request;
    let kinds = matches!(choice, Choice::Auto | Choice::Kind);
    if !kinds && (kind_config.is_some() || node_image.is_some()) {
        return Err(exit::usage(format!(
            "--kind-config, --kubernetes and --node-image apply to kind only, not to --cluster {choice}"
        )));
    }
    if request.reuse && matches!(choice, Choice::Context(_)) {
        return Err(exit::usage(format!("--reuse: {choice} is an existing cluster; omit --reuse")));
    }
    if request.reuse && (kind_config.is_some() || node_image.is_some()) {
        let why = "a kept cluster can't be changed; omit --kind-config, --kubernetes and --node-image";
        return Err(exit::usage(format!("--reuse: {why}")));
    }
    if let Some(config) = kind_config.as_ref().filter(|path| !path.is_file()) {
        return Err(exit::usage(format!("--kind-config {}: no such file", config.display())));
    }
    if let Some(image) = node_image {
        image.parse::<Reference>().map_err(|error| exit::usage(format!("--node-image {image}: {error}")))?;
    }
    if let Choice::Context(name) = choice
        && !request.allowed_contexts.contains(name)
    {
        let why = format!("refusing to use an existing cluster; pass --allow-context {name}");
        return Err(exit::usage(format!("--cluster {choice}: {why}")));
    }
    Ok(())
}

async fn with_kind(
    launcher: &Launcher,
    request: &Request,
    docker: Docker,
    lease: Arc<Lease>,
    problems: &mut Problems,
) -> anyhow::Result<Option<Cluster>> {
    check_machine(problems);
    note_cgroups(launcher, &docker).await;
    let Some(kind) = kind_tool(launcher, problems).await else { return Ok(None) };
    let node_image = request.node_image.clone().unwrap_or_else(|| pins::node_image().to_owned());
    if problems.is_empty() && !request.unused {
        provide_node_image(launcher, request, &docker, &node_image, problems).await?;
    }
    let Request { kind_config: config, run_id, run_dir, .. } = request.clone();
    let options = kind::Options { kind, docker, node_image, config, run_id, run_dir };
    Ok(Some(Cluster::Kind(Kind::new(launcher.clone(), options, lease))))
}

/// Ensures that Docker has the node image; kind would only notice when it creates the cluster.
async fn provide_node_image(
    launcher: &Launcher,
    request: &Request,
    docker: &Docker,
    image: &str,
    problems: &mut Problems,
) -> anyhow::Result<()> {
    let reference: Reference = image.parse().map_err(|error| anyhow::anyhow!("the node image {image}: {error}"))?;
    if let Err(error) = images::provide(launcher, docker, &reference, request.pull_retries()).await {
        let what = format!("docker does not have the node image {image} and can't pull it: {}", error.words());
        problems
            .add(what, "check the network, pass one that Docker has with `--node-image`, or use `--cluster embedded`");
    }
    Ok(())
}

/// Returns the cluster to use instead of kind if Docker can't provide these images, each with the reason; none if there
/// are `problems`.
///
/// # Errors
/// If the embedded cluster can't be planned.
pub fn without_images(
    launcher: &Launcher,
    request: &Request,
    missing: &[(Reference, String)],
    problems: &mut Problems,
) -> anyhow::Result<Option<Cluster>> {
    let serves = |reference: &Reference| embedded::has(reference);
    let describe =
        |(image, why): &(Reference, String)| format!("docker does not have {image} and can't pull it: {why}");
    if request.may_fall_back() && missing.iter().all(|(reference, _)| serves(reference)) {
        let because = missing.iter().map(describe).collect::<Vec<_>>().join("; ");
        let lease = Arc::new(Lease::new(&request.leases, &request.run_id, &request.run_dir));
        return in_process(launcher, request, format!(", because {because}"), lease, problems);
    }
    for image in missing {
        let fix = if serves(&image.0) {
            "check the network, `docker load` an archive of it, or use `--cluster embedded`, which has it"
        } else {
            "check its name and the network, or `docker load` an archive of it; `--cluster embedded` needs it, too"
        };
        problems.add(describe(image), fix);
    }
    Ok(None)
}

async fn kind_tool(launcher: &Launcher, problems: &mut Problems) -> Option<tools::Tool> {
    problems.take(tools::resolve(launcher, Name::Kind).await, "install it, or use `--cluster embedded`")
}

/// Checks disk space and kernel limits, if Docker runs on this machine.
fn check_machine(problems: &mut Problems) {
    if let Ok(root) = rustix::fs::statvfs(DOCKER_ROOT) {
        let free = root.f_bavail.saturating_mul(root.f_frsize);
        if free < DISK_FREE_BYTES {
            let what =
                format!("{DOCKER_ROOT} has {} MB free, but a cluster needs up to {} MB", mb(free), mb(DISK_FREE_BYTES));
            problems.add(what, "`docker system df` shows what uses it, `docker system prune` frees it");
        }
    }
    for (name, least, better) in INOTIFY_LIMITS {
        let path = format!("/proc/sys/{}", name.replace('.', "/"));
        let limit = std::fs::read_to_string(path).ok().and_then(|text| text.trim().parse::<u64>().ok());
        if let Some(limit) = limit.filter(|limit| *limit < least) {
            problems.add(format!("{name} is {limit}, but nodes need {least}"), format!("sudo sysctl {name}={better}"));
        }
    }
}

fn mb(bytes: u64) -> u64 {
    bytes / 1_000_000
}

/// Adds a note if Docker uses cgroup v1, which is deprecated but still works.
async fn note_cgroups(launcher: &Launcher, docker: &Docker) {
    let format = "{{json .ServerVersion}} {{json .CgroupVersion}} {{json .NCPU}} {{json .MemTotal}}";
    let info = launcher.cmd(&docker.tool.path).args(["info", "--format", format]).run().await.unwrap_or_default();
    if info.split(' ').nth(1) == Some("\"1\"") {
        launcher.note("docker uses cgroup v1, which newer versions of Kubernetes do not support");
    }
}

/// Returns the embedded cluster as a replacement for kind.
fn instead(
    launcher: &Launcher,
    request: &Request,
    reason: &NoDocker,
    lease: Arc<Lease>,
    problems: &mut Problems,
) -> anyhow::Result<Option<Cluster>> {
    if request.kind_config.is_some() || request.node_image.is_some() {
        problems.add(format!("docker is unavailable: {}", reason.reason), reason.fix.clone());
        return Ok(None);
    }
    in_process(launcher, request, format!(", because docker is unavailable: {}", reason.reason), lease, problems)
}

fn in_process(
    launcher: &Launcher,
    request: &Request,
    because: String,
    lease: Arc<Lease>,
    problems: &mut Problems,
) -> anyhow::Result<Option<Cluster>> {
    if let Some((why, fix)) = embedded::unavailable() {
        problems.add(why, fix);
        return Ok(None);
    }
    Ok(Some(Cluster::Embedded(Embedded::new(launcher.clone(), &request.run_dir, because, lease)?)))
}

async fn existing_of(launcher: &Launcher, request: &Request, name: &str, lease: Arc<Lease>) -> anyhow::Result<Cluster> {
    let mut node_access = NodeAccess::None;
    if existing::is_kinds(name)
        && let Ok(tool) = tools::resolve(launcher, Name::Kind).await
        && let Ok(docker) = Docker::find(launcher).await
    {
        node_access = NodeAccess::Kind(tool, docker);
    }
    let Request { kubeconfig, run_id, run_dir, .. } = request.clone();
    let options = existing::Options { name: name.to_owned(), kubeconfig, run_id, run_dir, node_access, kept_by: None };
    let existing = Existing::new(launcher.clone(), options, lease);
    existing.map(Cluster::Existing).map_err(|error| exit::usage(format!("--cluster context:{name}: {error:#}")))
}
