//! Compiles programs for the nodes of a cluster in Docker, on machines that do not run Linux. The programs are static, since
//! the image's Rust links against musl.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};

use process::{Cmd, Launcher};
use tools::Docker;

/// Has Rust, and installs static programs.
const IMAGE: &str = "rust:1.97.1-alpine";
/// Volumes for what cargo downloads, and for what it builds.
const VOLUMES: [(&str, &str); 2] =
    [("chartproof-cargo", "/usr/local/cargo/registry"), ("chartproof-target", "/target")];
/// Long, because the first build pulls the image and compiles all dependencies.
const BUILD_TIMEOUT: Duration = Duration::from_secs(2400);

/// Compiles a program of this workspace, and returns its path below the workspace's target folder. `busybox` is taken from
/// the image's packages instead.
///
/// # Errors
/// If Docker is unavailable or for another architecture, or the program does not compile.
pub(super) async fn compile(launcher: &Launcher, workspace: &Path, program: &str) -> anyhow::Result<PathBuf> {
    let docker = Docker::find(launcher).await?;
    let here = oci::architecture();
    ensure!(
        docker.arch == here,
        "docker runs linux/{}, but images are made for linux/{here} on this machine; use a Docker for linux/{here}, or \
         pass --image",
        docker.arch
    );
    let into = workspace.join("target/docker");
    std::fs::create_dir_all(&into).with_context(|| format!("creating {}", into.display()))?;
    command(launcher, &docker, (workspace, &into), program).run().await?;
    Ok(into.join(program))
}

fn command(launcher: &Launcher, docker: &Docker, (workspace, into): (&Path, &Path), program: &str) -> Cmd {
    let platform = format!("linux/{}", docker.arch);
    let mount = |source: &Path, target: &str| format!("type=bind,source={},target={target}", source.display());
    let cmd = launcher.cmd(&docker.tool.path).args(["run", "--rm", "--platform", &platform]);
    let cmd = cmd.args(["--mount", &format!("{},readonly", mount(workspace, "/workspace"))]);
    let cmd = cmd.args(["--mount", &mount(into, "/out")]);
    let cmd = VOLUMES
        .iter()
        .fold(cmd, |cmd, (name, target)| cmd.args(["--mount", &format!("type=volume,source={name},target={target}")]));
    let cmd = cmd.args(["--workdir", "/workspace", IMAGE, "sh", "-c", &script(program)]);
    cmd.timeout(BUILD_TIMEOUT)
}

fn script(program: &str) -> String {
    match program {
        "busybox" => "apk add --no-cache busybox-static && cp /bin/busybox.static /out/busybox".to_owned(),
        _ => format!("cargo build --locked --target-dir /target --bin {program} && cp /target/debug/{program} /out/"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tools::{Name, Source, Tool};

    #[test]
    fn the_workspace_is_read_only_and_the_platform_is_that_of_the_nodes() {
        let version = "28.2.2".parse().unwrap();
        let tool = Tool { name: Name::Docker, path: "docker".into(), version, source: Source::Path };
        let docker = Docker { tool, server: "28.2.2".to_owned(), api: (1, 48), arch: "arm64".to_owned() };
        let folders = (Path::new("/w"), Path::new("/w/target/docker"));
        let line = command(&Launcher::light(false), &docker, folders, "chartproof-client").line();
        let expected = "docker run --rm --platform linux/arm64 --mount type=bind,source=/w,target=/workspace,readonly \
                        --mount type=bind,source=/w/target/docker,target=/out \
                        --mount type=volume,source=chartproof-cargo,target=/usr/local/cargo/registry \
                        --mount type=volume,source=chartproof-target,target=/target --workdir /workspace \
                        rust:1.97.1-alpine sh -c \
                        'cargo build --locked --target-dir /target --bin chartproof-client && cp \
                        /target/debug/chartproof-client /out/'";
        assert_eq!(line, expected);
    }
}
