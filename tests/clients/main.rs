//! Real clients on a whole embedded cluster: helm 3 and helm 4 with the chart and the stand-in, kubectl with running
//! pods. All of them share one cluster, with a namespace each; if root runs them, there is also a cluster of an
//! ordinary user, for everything that depends on who runs the node.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that can't continue fails")]
#![expect(dead_code, reason = "who.rs is shared with tests/no_trace, which uses all of it")]

mod apply;
mod client;
mod clusters;
#[path = "../command.rs"]
mod command;
mod containers;
mod daemon_sets;
mod debug;
mod deployments;
mod helm;
mod hooks;
mod isolation;
mod jobs;
#[path = "../node_program.rs"]
mod node_program;
mod planted;
mod pods;
mod services;
mod volumes;
#[path = "../no_trace/who.rs"]
mod who;
mod workloads;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use client::{Client, Clients};
use clusters::Clusters;
use libtest_mimic::{Arguments, Completion, Trial};

/// A test: its name, and what it does in the namespace of that name.
type Case = (&'static str, fn(&Clients, &str));

/// The cases that also run on the cluster of an ordinary user if root runs the tests.
const ORDINARY: &[&[Case]] =
    &[services::CASES, containers::CASES, volumes::CASES, isolation::CASES, pods::CASES, debug::CASES];

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    let cases: &[&[Case]] = &[
        helm::CASES,
        hooks::CASES,
        deployments::CASES,
        daemon_sets::CASES,
        debug::CASES,
        services::CASES,
        jobs::CASES,
        containers::CASES,
        volumes::CASES,
        isolation::CASES,
        pods::CASES,
        planted::CASES,
        workloads::CASES,
        apply::CASES,
    ];
    let clusters = Arc::new(Clusters::new());
    let mut trials: Vec<Trial> = cases.concat().into_iter().map(|case| trial(&clusters, case)).collect();
    if rustix::process::geteuid().is_root() {
        trials.extend(ORDINARY.concat().into_iter().map(|case| ordinary_trial(&clusters, case)));
    }
    // Apart from their clients, they mostly wait.
    arguments.test_threads.get_or_insert(16);
    let conclusion = libtest_mimic::run(&arguments, trials);
    clusters.stop();
    conclusion.exit_code()
}

fn trial(clusters: &Arc<Clusters>, (name, run): Case) -> Trial {
    let clusters = Arc::clone(clusters);
    Trial::test(name, move || {
        run(clusters.own(), &namespace(name));
        Ok(())
    })
}

fn ordinary_trial(clusters: &Arc<Clusters>, (name, run): Case) -> Trial {
    let clusters = Arc::clone(clusters);
    Trial::ignorable_test(format!("ordinary::{name}"), move || match clusters.ordinary() {
        Ok(clients) => {
            run(clients, &namespace(name));
            Ok(Completion::Completed)
        }
        Err(why) => Ok(Completion::ignored_with(why)),
    })
}

fn namespace(name: &str) -> String {
    name.replace("::", "-").replace('_', "-")
}

/// Returns a path in the repository.
fn repository(path: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path).canonicalize().unwrap().display().to_string()
}

/// Returns a kubectl that works in a namespace of its own, which it creates.
fn kubectl(clients: &Clients, namespace: &str) -> Client {
    clients.kubectl.run(&format!("create namespace {namespace}"));
    let kubectl = clients.kubectl.within(namespace);
    // It is created shortly after the namespace, and pods are rejected without it.
    kubectl.run("wait --for=create serviceaccount/default --timeout=30s");
    kubectl
}
