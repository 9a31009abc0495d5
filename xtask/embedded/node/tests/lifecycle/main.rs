//! Replays object lifecycles recorded on a real cluster: creates the same objects and sends the same requests, and all
//! watched objects have to go through the same states with the same reasons in the same order. Known differences are in
//! `known.rs`, each with its reason.

#![expect(clippy::print_stderr, reason = "a test's own programs are read to the end")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod client;
mod compare;
mod known;
mod normal;
mod recording;
mod replay;

use std::path::Path;
use std::sync::Arc;

use client::Client;
use embedded::cluster::{Cluster, Faults, Options};
use libtest_mimic::{Arguments, Completion, Conclusion, Failed, Trial};
use recording::SCENARIOS;
use serde_json::Value;

fn main() -> std::process::ExitCode {
    let mut arguments = Arguments::from_args();
    // They mostly wait, each in a namespace of its own.
    arguments.test_threads.get_or_insert(SCENARIOS.len());
    let tokio = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    if arguments.list {
        return libtest_mimic::run(&arguments, trials(None)).exit_code();
    }
    let directory = tempfile::tempdir().unwrap();
    let cluster = tokio.block_on(start(directory.path()));
    let client = Client::new(cluster.kubeconfig());
    let conclusion = libtest_mimic::run(&arguments, trials(Some((tokio.handle(), &client))));
    finish(&tokio, cluster, &conclusion)
}

async fn start(directory: &Path) -> Cluster {
    let program = env!("CARGO_BIN_EXE_embedded-node").into();
    // The host serves busybox under any tag; the recordings need one that does not exist.
    let faults: Faults =
        serde_json::from_value(serde_json::json!([{"fault": "imageMissing", "of": "busybox:0.0.0"}])).unwrap();
    Cluster::start(Options { dir: directory.join("cluster"), program, faults }).await.unwrap()
}

fn trials(with: Option<(&tokio::runtime::Handle, &Arc<Client>)>) -> Vec<Trial> {
    let trial = |scenario: &'static str| {
        let with = with.map(|(tokio, client)| (tokio.clone(), Arc::clone(client)));
        Trial::ignorable_test(scenario, move || {
            let (tokio, client) = with.expect("only listing tests needs no cluster");
            tokio.block_on(replay_if_possible(client, scenario)).map_err(Failed::from)
        })
    };
    SCENARIOS.iter().map(|scenario| trial(scenario)).collect()
}

/// Without memory limits no container is killed because memory ran out.
async fn replay_if_possible(client: Arc<Client>, scenario: &'static str) -> Result<Completion, String> {
    let (_, report) = client.send("GET", "/chartproof/report", &Value::Null).await;
    let mut limits = report["notEnforced"].as_array().into_iter().flatten().filter_map(Value::as_str);
    match limits.find(|limit| limit.contains("memory limits")) {
        Some(why) if scenario == "oom" => Ok(Completion::ignored_with(format!("not run: {why}"))),
        _ => replay::replay(client, scenario).await.map(|()| Completion::Completed),
    }
}

fn finish(tokio: &tokio::runtime::Runtime, cluster: Cluster, conclusion: &Conclusion) -> std::process::ExitCode {
    let stopped = tokio.block_on(cluster.stop());
    if let Err(error) = stopped {
        eprintln!("{error:#}");
        return std::process::ExitCode::FAILURE;
    }
    conclusion.exit_code()
}
