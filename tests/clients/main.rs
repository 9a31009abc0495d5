//! Real clients on a whole embedded cluster: helm 3 and helm 4 with the chart and the stand-in, kubectl with
//! pods that run. One cluster for all of them, a namespace for each.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that can't go on fails")]

mod apply;
mod client;
mod containers;
mod deployments;
mod helm;
mod hooks;
mod jobs;
mod pods;
mod services;
mod volumes;
mod workloads;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use client::{Client, Clients};
use embedded::cluster::{Cluster, Faults, Options};
use libtest_mimic::{Arguments, Trial};
use xtask::images::standin;
use xtask::process::Launcher;

/// A test: what it is called, and what it does in the namespace of that name.
type Case = (&'static str, fn(&Clients, &str));

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    let cases: Vec<Case> = [
        helm::CASES,
        hooks::CASES,
        deployments::CASES,
        services::CASES,
        jobs::CASES,
        containers::CASES,
        volumes::CASES,
        pods::CASES,
        workloads::CASES,
        apply::CASES,
    ]
    .concat();
    // They mostly wait.
    arguments.test_threads.get_or_insert(cases.len());
    if arguments.list {
        return libtest_mimic::run(&arguments, trials(&cases, None)).exit_code();
    }
    let tokio = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let cluster = tokio.block_on(start(folder.path()));
    let clients = Arc::new(tokio.block_on(Clients::of(cluster.kubeconfig(), folder.path())));
    let conclusion = libtest_mimic::run(&arguments, trials(&cases, Some(&clients)));
    tokio.block_on(cluster.stop()).unwrap();
    conclusion.exit_code()
}

/// A cluster that has the stand-in, under the name that the chart gives its image.
async fn start(folder: &Path) -> Cluster {
    let exe = PathBuf::from(env!("CARGO_BIN_EXE_xtask"));
    let options = Options { dir: folder.join("cluster"), exe, faults: Faults::default() };
    let image = "caesiumcloud/caesium:v0.1.0".parse().unwrap();
    let archive = standin::build(&Launcher::light(false), "/bin/caesium", &[image]).await.unwrap();
    let cluster = Cluster::start(options).await.unwrap();
    cluster.load_images(&archive.path).await.unwrap();
    cluster
}

fn trials(cases: &[Case], clients: Option<&Arc<Clients>>) -> Vec<Trial> {
    let trial = |(name, run): Case| {
        let clients = clients.cloned();
        Trial::test(name, move || {
            let namespace = name.replace("::", "-").replace('_', "-");
            run(&clients.expect("a listed test is not run"), &namespace);
            Ok(())
        })
    };
    cases.iter().copied().map(trial).collect()
}

/// The repository's folder of this name.
fn repository(path: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path).canonicalize().unwrap().display().to_string()
}

/// A kubectl that works in a namespace of its own, which it makes.
fn kubectl(clients: &Clients, namespace: &str) -> Client {
    clients.kubectl.run(&format!("create namespace {namespace}"));
    clients.kubectl.within(namespace)
}
