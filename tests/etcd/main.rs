//! A chart of a program that is not from this repository: etcd, in an image made from Debian's package, forms a quorum,
//! survives the kill of any member and keeps its data. Once with only helm and kubectl, three times with only a suite file: asked
//! over HTTP, over HTTPS, and by its command line.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that can't continue fails")]

#[path = "../clients/client.rs"]
#[expect(dead_code, reason = "belongs to another test; this one needs a part of it")]
mod client;
#[path = "../command.rs"]
mod command;
mod members;
#[path = "../node_program.rs"]
mod node_program;
#[path = "../package.rs"]
mod package;

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::command::command;
use client::Clients;
use embedded::cluster::{Cluster, Faults, Options};
use images::Archive;
use libtest_mimic::{Arguments, Trial};
use tokio::runtime::Runtime;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    // In CI, a missing prerequisite is a failure.
    let etcd = package::application("etcd").unwrap();
    let missing = etcd.missing().filter(|_| std::env::var_os("CI").is_none());
    if let Some(why) = &missing {
        drop(writeln!(std::io::stderr(), "etcd can't be tested here: {why}"));
    }
    let trial = move |name: &str, run: fn(&Runtime, &Archive, &Path)| {
        let run = move || {
            let folder = tempfile::tempdir().unwrap();
            let tokio = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
            let archive = tokio.block_on(etcd.image(folder.path()));
            run(&tokio, &archive, folder.path());
            Ok(())
        };
        Trial::test(name, run).with_ignored_flag(missing.is_some())
    };
    let trials = vec![
        trial("by_helm_alone", by_helm),
        trial("by_a_suite_file_alone", |_, archive, folder| by_suite(("", 27), archive, folder)),
        trial("by_its_command_line", |_, archive, folder| by_suite(("exec", 20), archive, folder)),
        trial("over_https", |_, archive, folder| by_suite(("https", 14), archive, folder)),
    ];
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// The folder of suite and chart.
fn suite() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/etcd").canonicalize().unwrap()
}

fn by_helm(tokio: &Runtime, archive: &Archive, folder: &Path) {
    let program = tokio.block_on(node_program::node_program());
    let options = Options { dir: folder.join("cluster"), program, faults: Faults::default() };
    let cluster = tokio.block_on(Cluster::start(options)).unwrap();
    tokio.block_on(cluster.load_images(&archive.path)).unwrap();
    let clients = tokio.block_on(Clients::of(cluster.kubeconfig(), folder));
    for (helm, namespace) in [(&clients.helm_4, "four"), (&clients.helm_3, "three")] {
        let (helm, kubectl) = (helm.within(namespace), clients.kubectl.within(namespace));
        let chart = suite().join("chart").display().to_string();
        helm.run(&format!("install etcd {chart} --create-namespace --wait --timeout 180s"));
        members::survive_any_kill(&kubectl);
        helm.run(&format!("upgrade etcd {chart} --set logLevel=warn --wait --timeout 180s"));
        members::agree(&kubectl);
        helm.run("uninstall etcd --wait --timeout 180s");
    }
    tokio.block_on(cluster.stop()).unwrap();
}

/// Runs the suite in a folder below, of which this many cases have to pass.
fn by_suite((below, cases): (&str, usize), archive: &Archive, folder: &Path) {
    let suite = suite().join(below);
    let lines = std::fs::read_to_string(suite.join("e2e.toml")).unwrap().lines().count();
    assert!(lines < 60, "a suite file is short: this one has {lines} lines");
    let xtask = env!("CARGO_BIN_EXE_chartproof");
    let [suite, image, report] = [suite, archive.path.clone(), folder.join("report")].map(PathBuf::into_os_string);
    let flags = ["e2e", "--cluster", "embedded"].map(OsString::from).into_iter();
    let run =
        command(xtask, flags.chain(["--suite".into(), suite, "--image".into(), image, "--report-dir".into(), report]));
    let run = run.env("XDG_STATE_HOME", folder.join("state")).env_remove("CHARTPROOF_REPORT_DIR");
    let output = run.dir(folder).stdout_capture().stderr_capture().unchecked().run().unwrap();
    let told = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert_eq!(output.status.code(), Some(0), "{}\n{}", told[0], told[1]);
    assert!(told[0].contains(&format!("test result: ok. {cases} passed; 0 failed; 0 ignored")), "{}", told[0]);
}
