//! The whole suite with one replica, as an ordinary user, with the image in an archive: if root runs the tests, that
//! user has neither checkout nor toolchain.

use std::path::Path;

use images::standin;
use process::Launcher;

use crate::traces;
use crate::who::{Who, open_folder};

pub fn passes(who: &Who) {
    let folder = open_folder();
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let image = "chartproof/stand-in:dev".parse().unwrap();
    let built = tokio.block_on(standin::build(&Launcher::light(false), "/bin/caesium", &[image])).unwrap();
    let archive = folder.path().join("stand-in.tar");
    std::fs::copy(built.path, &archive).unwrap();
    let chart = folder.path().join("caesium");
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../helm/caesium"), &chart);
    let (archive, chart) = (archive.display().to_string(), chart.display().to_string());
    let flags = ["--suite", &chart, "--image", &archive, "--cluster", "embedded", "--report-dir", "report"];
    let run = who.xtask(folder.path(), &[&["e2e", "--replicas", "1"], &flags[..]].concat());
    let run = run.stdout_capture().stderr_capture().run().unwrap();
    let told = format!("{}{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert_eq!(run.status.code(), Some(0), "{told}");
    assert!(told.contains("passed; 0 failed; 0 ignored"), "{told}");
    let left = traces::files(&folder);
    assert!(!left.iter().any(|file| file.starts_with("report/cluster") || file.starts_with("state/")), "{left:?}");
}

/// Copies a folder, because a checkout may be inaccessible to others.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
