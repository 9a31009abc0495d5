//! Tests of suites with several workloads, and of workloads of each kind.

use std::path::Path;
use std::sync::Arc;

use super::loading::{blocks, line_at, parse};
use crate::plan::{Plan, Selection};
use suite::Suite;

fn documented() -> String {
    blocks("```toml workloads\n")
}

fn suite(text: &str) -> Suite {
    parse(Path::new("e2e.toml"), text).unwrap()
}

/// Returns the error that a change to the documented suite causes, without the file's name.
fn error(from: &str, to: &str) -> String {
    let text = documented();
    assert!(text.contains(from), "{from:?} is in the example");
    let error = parse(Path::new("e2e.toml"), &text.replacen(from, to, 1)).unwrap_err().to_string();
    error.strip_prefix("e2e.toml:").unwrap().to_owned()
}

fn line_of(part: &str) -> usize {
    let text = documented();
    line_at(&text, text.find(part).unwrap())
}

#[test]
fn several_workloads_are_documented() {
    let suite = suite(&documented());
    let objects: Vec<_> = suite.workloads.iter().map(suite::Workload::object).collect();
    assert_eq!(objects, [("StatefulSet", "queue"), ("Deployment", "gateway"), ("DaemonSet", "agent")]);
    let replicas: Vec<_> = suite.workloads.iter().map(|one| one.replicas(&suite.topologies[0])).collect();
    assert_eq!(replicas, [Some(3), Some(2), None]);
    let of_case = |name: &str| {
        let case = suite.topologies[0].cases.iter().find(|case| case.name == name).unwrap();
        suite.workload_of(case).unwrap().name()
    };
    assert_eq!([of_case("write_read"), of_case("gateway_kill"), of_case("agent_kill")], ["queue", "gateway", "agent"]);
}

#[test]
fn a_case_needs_others_about_the_same_workload() {
    let plan = Plan::of(&[Arc::new(suite(&documented()))], &Selection::default()).unwrap();
    let needs = |name: &str| -> Vec<&str> {
        let case = plan.cases.iter().find(|case| case.spec.name == name).unwrap();
        case.needs.iter().map(|need| plan.cases[*need].spec.name.as_str()).collect()
    };
    assert_eq!(needs("agent_kill"), ["ready"], "it has no records, so nothing can be written and read");
    let kill = "\"pod_kill_leader\",\n    { case = \"pod_kill_leader\"";
    let text = documented().replace(kill, "\"pod_kill\",\n    { case = \"pod_kill_leader\"");
    let plan = Plan::of(&[Arc::new(suite(&text))], &Selection::default()).unwrap();
    let kill = plan.cases.iter().find(|case| case.spec.name == "pod_kill").unwrap();
    assert_eq!(plan.cases[kill.needs[0]].spec.name, "write_read");
    let records = "[workload.http]\nport = 1\n[workload.records]\npromise = \"set\"\nwrite = { request = { path = \"/\" } }\nread = { request = { path = \"/\" }, value = \"\" }\n\n[upgrade]";
    let text = documented().replacen("[upgrade]", records, 1);
    let line = line_at(&text, text.find("{ case = \"pod_kill\", name").unwrap());
    let words = "case `agent_kill` needs `write_read` with `workload = \"agent\"` before it";
    assert_eq!(error("[upgrade]", records), format!("{line}: {words}"));
}

#[test]
fn wrong_workloads_are_refused() {
    let expected = |part: &str, message: &str| format!("{}: {message}", line_of(part));
    assert_eq!(
        error("workload = \"agent\"", "workload = \"agnet\""),
        expected(
            "{ case = \"pod_kill\"",
            "case `agent_kill`: unknown workload `agnet`: expected one of queue, gateway, agent"
        )
    );
    assert_eq!(
        error("\"ready\"", "{ case = \"ready\", workload = \"agent\" }"),
        expected(
            "\"ready\"",
            "case `ready`: it takes no `workload`, because it checks more than `agent`: remove `workload`"
        )
    );
    assert_eq!(
        error("deployment = \"gateway\"", "deployment = \"queue\""),
        expected("[[workload]]\ndeployment", "duplicate workload `queue`: list it once")
    );
    assert_eq!(
        error("deployment = \"gateway\"", ""),
        expected(
            "[[workload]]\ndeployment",
            "the workload that runs the replicas is unknown: set one of `stateful_set`, `deployment` and `daemon_set`"
        )
    );
    assert_eq!(
        error("[upgrade]", "[leader]\nrequest = { path = \"/\" }\nleader = \"/l\"\n[upgrade]"),
        expected(
            "[upgrade]",
            "each [[workload]] has its own: write [workload.leader] below the one that it belongs to"
        )
    );
    let second = "container = \"gateway\"\nservice = \"gateway\"\n";
    assert!(
        error(second, &format!("{second}colour = 1\n"))
            .contains("unknown field `colour`, expected one of `stateful_set`")
    );
}

#[test]
fn a_daemon_set_has_no_number_of_replicas() {
    let own = error("container = \"agent\"\n", "container = \"agent\"\nreplicas = 2\n");
    assert!(own.ends_with("a DaemonSet has a replica on each node that it selects: remove `replicas`"), "{own}");
    let fixed = error("{ case = \"pod_kill\", name", "{ case = \"pod_kill_leader\", name");
    let words =
        "case `agent_kill`: it needs 2 replicas, and a DaemonSet has as many as there are nodes: remove the case";
    assert!(fixed.ends_with(words), "{fixed}");
    let only =
        documented().replace("[upgrade]", "[scale]\nto = 4\n[upgrade]").replace("\"uninstall\",", "\"scale_up\",");
    let parts: Vec<_> = only.split("[[workload]]\n").collect();
    let text = [parts[0], "[[workload]]\n", parts[3]].concat();
    let text = text
        .replace("\"write_read\", \"voters\", \"pod_kill_leader\",", "")
        .replace("    { case = \"pod_kill_leader\", name = \"gateway_kill\", workload = \"gateway\" },\n", "");
    let scaled = parse(Path::new("e2e.toml"), &text).unwrap_err().to_string();
    assert!(scaled.ends_with("case `scale_up`: a DaemonSet can't be scaled: remove the case"), "{scaled}");
}

#[test]
fn wrong_images_are_refused() {
    assert_eq!(
        error("image = \"gateway\"", "image = \"gatewya\""),
        format!("{}: unknown image `gatewya`: expected one of queue, gateway", line_of("image = \"gateway\""))
    );
    let second = line_of("[[image]]\nname = \"gateway\"");
    assert_eq!(
        error("name = \"gateway\"", "name = \"queue\""),
        format!("{second}: duplicate image `queue`: give each its own name")
    );
    assert_eq!(error("name = \"gateway\"\n", ""), format!("{second}: there are several images: give each a `name`"));
    let own = error("own_image = true ", "own_image = true\nimage = \"queue\" ");
    assert!(own.ends_with("with `own_image = true` it runs no image under test: remove `image`"), "{own}");
}

#[test]
fn a_suite_without_a_workload_and_an_image_is_documented() {
    let text = blocks("```toml no workload\n");
    let suite = suite(&text);
    assert!(suite.workloads.is_empty() && suite.images.is_empty() && suite.topologies[0].cases.len() == 4);
    let text = text.replace("\"uninstall\"", "\"drain\"");
    let error = parse(Path::new("e2e.toml"), &text).unwrap_err().to_string();
    assert!(error.ends_with("case `drain` needs to know what runs the replicas: add a [workload] table"), "{error}");
}
