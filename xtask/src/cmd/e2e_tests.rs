//! The flags of `cargo xtask e2e`.

use clap::{CommandFactory as _, FromArgMatches as _, Parser};

use super::*;

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    args: Args,
}

fn parse(words: &[&str]) -> Result<Args, String> {
    let matches = Cli::command().try_get_matches_from([&["e2e"], words].concat());
    let matches = matches.map_err(|error| error.to_string())?;
    Cli::from_arg_matches(&matches).map(|cli| cli.args).map_err(|error| error.to_string())
}

#[test]
fn each_release_of_kubernetes_has_a_node_image_a_folder_and_a_report() {
    let args = parse(&["--kubernetes", "1.34,1.37", "--report-dir", "out", "--junit", "out/e2e.xml"]).unwrap();
    assert_eq!(args.kubernetes, ["1.34", "1.37"]);
    let on = args.on("1.34");
    assert_eq!(on.junit.as_deref(), Some(Path::new("out/e2e.1.34.xml")));
    assert_eq!(on.report_dir.as_deref(), Some(Path::new("out/1.34")));
    let request = on.request("id", Path::new("run"), Path::new("leases"));
    assert!(request.node_image.unwrap().starts_with("kindest/node:v1.34."));
    assert_eq!(on.rerun_command(), "cargo xtask e2e --kubernetes 1.34");
    let plain = args.on("1.37");
    assert_eq!(plain.settings().kubernetes.map(NodeImage::minor), Some(37));
}

#[test]
fn a_release_without_a_node_image_is_refused_with_those_that_have_one() {
    let error = parse(&["--kubernetes", "1.12"]).err().unwrap();
    assert!(error.contains("1.34") && error.contains("1.37"), "{error}");
    let both = parse(&["--kubernetes", "1.34", "--node-image", "kindest/node:v1.34.0"]);
    assert!(both.is_err_and(|error| error.contains("cannot be used with")));
}
