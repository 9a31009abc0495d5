//! Tests that errors in suite files name file, line and fix.

use std::path::Path;

use crate::cases::{self, helm_test, ready};
use suite::{CaseSpec, ChartSource, Release, Suite, load};

pub const GOOD: &str = include_str!("../../../../helm/caesium/e2e.toml");

pub fn parse(path: &Path, text: &str) -> anyhow::Result<Suite> {
    load::parse(path, text, &cases::kinds())
}

fn read(path: &Path) -> anyhow::Result<Suite> {
    load::read(path, &cases::kinds())
}

pub fn line_at(text: &str, offset: usize) -> usize {
    text[..offset].lines().count().max(1) + usize::from(text[..offset].ends_with('\n'))
}

/// Returns the error that a change to the valid suite causes.
fn error(from: &str, to: &str) -> String {
    let text = GOOD.replacen(from, to, 1);
    assert_ne!(text, GOOD, "{from:?} is in the suite");
    parse(Path::new("e2e.toml"), &text).unwrap_err().to_string()
}

fn line_of(part: &str) -> usize {
    line_at(GOOD, GOOD.find(part).expect("the part is in the suite"))
}

#[test]
fn the_suite_of_the_repository_is_valid() {
    let suite = read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../helm/caesium")).unwrap();
    assert_eq!(suite.under_test().name, "caesium");
    assert_eq!(suite.topologies.len(), 5);
    assert_eq!(suite.timeout(&(&ready::CASE.kind).into()), std::time::Duration::from_secs(300));
    assert_eq!(suite.timeout(&(&helm_test::CASE.kind).into()), std::time::Duration::from_secs(120));
}

#[test]
fn a_missing_suite_is_an_error_with_a_fix() {
    let error = read(Path::new("no/such.toml")).unwrap_err().to_string();
    assert_eq!(
        error,
        "suite no/such.toml: No such file or directory (os error 2); name a suite file, or a chart's folder that has an e2e.toml"
    );
}

#[test]
fn an_unknown_key_names_the_known_ones() {
    let error = error("stand_in", "standin");
    let line = line_of("stand_in");
    assert_eq!(
        error,
        format!(
            "e2e.toml:{line}: unknown field `standin`, expected one of `name`, `repository`, `tag`, `registry`, \
             `digest`, `stand_in`"
        )
    );
}

#[test]
fn an_unknown_case_names_the_known_ones() {
    let error = error("\"pod_kill\", \"container_kill\"", "\"podkill\", \"container_kill\"");
    let line = line_of("\"pod_kill\", \"container_kill\"");
    assert!(
        error.starts_with(&format!(
            "e2e.toml:{line}: unknown case `podkill`: did you mean `pod_kill`? Expected one of `install`, "
        )),
        "{error}"
    );
}

#[test]
fn a_case_before_what_it_needs_names_it() {
    let error = error("\"install\", \"ready\", \"helm_test\"", "\"ready\", \"install\", \"helm_test\"");
    let line = line_of("\"install\", \"ready\", \"helm_test\"");
    assert_eq!(error, format!("e2e.toml:{line}: case `ready` needs `install` before it"));
}

#[test]
fn a_case_that_belongs_to_no_topology_is_refused() {
    let error = error("\"scale_up\", \"uninstall\"", "\"scale_up\", \"uninstall\", \"uninstall\"");
    assert!(error.ends_with("duplicate case `uninstall`: give each its own `name`"), "{error}");
    let error = self::error("\"scale_up\", \"uninstall\"", "\"delete\"");
    assert!(error.ends_with("case `delete` belongs to no topology and always runs: remove it"), "{error}");
}

#[test]
fn a_case_whose_table_is_missing_names_the_table() {
    let budget = error("disruption_budget = \"caesium\"\n", "");
    assert!(
        budget.ends_with(
            "case `disruption_budget` needs the name of the budget: add `disruption_budget = \"NAME\"` to [workload]"
        ),
        "{budget}"
    );
    let members = GOOD.find("[members]").unwrap()..GOOD.find("# Only later").unwrap();
    let text = format!("{}{}", &GOOD[..members.start], &GOOD[members.end..]);
    let error = parse(Path::new("e2e.toml"), &text).unwrap_err().to_string();
    assert!(error.ends_with("case `voters` needs to know the members: add a [members] table"), "{error}");
}

#[test]
fn an_id_that_is_never_learnt_is_refused() {
    let error = error("id = \"/id\"\n\n[records.read]", "\n[records.read]");
    assert!(error.contains("`${id}` is used but never set: add `id = \"/pointer\"` to [records.write]"), "{error}");
}

#[test]
fn a_wrong_pointer_is_corrected() {
    let error = error("role = \"/role\"", "role = \"role\"");
    assert_eq!(
        error,
        format!(
            "e2e.toml:{}: a JSON pointer is empty or begins with a slash: write \"/role\"",
            line_of("role = \"/role\"")
        )
    );
}

#[test]
fn topologies_need_unique_names() {
    let error = error("name = \"r3-ephemeral\"", "name = \"r3\"");
    assert_eq!(
        error,
        format!("e2e.toml:{}: duplicate topology `r3`: give each its own name", line_of("name = \"r3-ephemeral\""))
    );
    let error = self::error("name = \"r3-ephemeral\"", "name = \"R3_e\"");
    let line = line_of("name = \"r3-ephemeral\"");
    assert!(
        error.starts_with(&format!("e2e.toml:{line}: `name` is \"R3_e\": write lower-case letters, digits")),
        "{error}"
    );
}

#[test]
fn a_timeout_for_an_unknown_case_is_refused() {
    let error = error("ready = 300", "raedy = 300");
    assert!(
        error.starts_with(&format!(
            "e2e.toml:{}: unknown case `raedy`: expected `default` or one of lint",
            line_of("ready = 300")
        )),
        "{error}"
    );
}

const DOCUMENT: &str = include_str!("../../../../docs/suite.md");

/// Returns the example in the documentation, put together.
pub fn documented() -> String {
    blocks("```toml\n")
}

pub fn blocks(fence: &str) -> String {
    let blocks = DOCUMENT.split(fence).skip(1).filter_map(|rest| rest.split("```").next());
    blocks.collect::<Vec<_>>().join("\n")
}

#[test]
fn several_releases_are_documented() {
    let text = blocks("```toml several\n");
    let suite = parse(Path::new("docs/suite.md"), &text).unwrap();
    assert_eq!(suite.releases.iter().map(Release::key).collect::<Vec<_>>(), ["infra/db", "infra/cache", "server"]);
    assert_eq!(suite.topologies[0].cases[3].name, "gone");
    for (table, message) in
        [("needs = [\"infra/db\"]", "needs = [\"db\"]"), ("${namespace:infra}", "${namespace:inrfa}")]
    {
        let wrong = text.replacen(table, message, 1);
        let error = parse(Path::new("x"), &wrong).unwrap_err().to_string();
        let line = line_at(&wrong, wrong.rfind("[[release]]").unwrap());
        assert!(error.starts_with(&format!("x:{line}: ")), "{error}");
    }
}

#[test]
fn every_parameter_of_a_case_has_a_valid_example() {
    let kinds = cases::kinds();
    for line in blocks("```toml cases\n").lines() {
        let table: toml::Table = toml::from_str(&format!("case = {line}")).unwrap();
        let mut with = table["case"].as_table().unwrap().clone();
        let name = with.remove("case").unwrap();
        let kind = kinds.iter().find(|kind| Some(kind.name) == name.as_str()).unwrap();
        let release = with.remove("release").map(|key| key.as_str().unwrap().to_owned());
        with.remove("name");
        let case = CaseSpec { release, with, ..CaseSpec::from(*kind) };
        (kind.parameters.check)(&case).unwrap_or_else(|error| panic!("{line}: {error}"));
    }
}

#[test]
fn an_unknown_parameter_of_a_case_is_refused() {
    let error = error("\"scale_up\", \"uninstall\"]", "\"scale_up\", { case = \"uninstall\", fast = true }]");
    assert!(error.ends_with("case `uninstall`: it has no parameter `fast`"), "{error}");
    let error = self::error("\"scale_up\", \"uninstall\"]", "\"scale_up\", { name = \"uninstall\" }]");
    assert!(error.ends_with("missing field `case`"), "{error}");
}

#[test]
fn numbers_and_lists_that_test_nothing_are_refused() {
    let text = documented().replace("to = 3 ", "to = 1 ");
    let error = parse(Path::new("e2e.toml"), &text).unwrap_err().to_string();
    assert!(error.contains("`to` is 1: write a number from 2 to 100"), "{error}");
    let text = format!("{}\n[[topology]]\nname = \"none\"\nreplicas = 1\ncases = []\n", documented());
    let error = parse(Path::new("e2e.toml"), &text).unwrap_err().to_string();
    assert!(error.contains("`cases` has 0 entries: list at least 1"), "{error}");
}

#[test]
fn the_example_of_the_documentation_is_a_suite() {
    let suite = parse(Path::new("docs/suite.md"), &documented()).unwrap();
    assert_eq!(suite.topologies.len(), 5);
}

#[test]
fn every_key_and_every_case_is_in_the_documentation() {
    let tables = [
        "",
        "[image]",
        "[workload]",
        "[http]",
        "[tcp]",
        "[exec]",
        "[health]",
        "[records]",
        "[records.write]",
        "[records.read]",
        "[records.find]",
        "[members]",
        "[leader]",
        "[upgrade]",
        "[upgrade.from]",
        "[scale]",
        "[load]",
        "[[verify]]",
    ];
    for table in tables {
        // serde's error for an unknown key lists the known ones.
        let requests = blocks("```toml requests\n");
        let example = if documented().contains(table) { documented() } else { requests.clone() };
        let at = if table.is_empty() { 0 } else { example.find(table).unwrap() + table.len() };
        let text = format!("{}\nunknown_key = 1\n#{}", &example[..at], &example[at..]);
        let error = parse(Path::new("x"), &text).unwrap_err().to_string();
        let more = ["several", "workloads", "pulled"].map(|kind| blocks(&format!("```toml {kind}\n"))).concat();
        let example = format!("{example}{more}{requests}");
        let expected = error.split("expected").nth(1).unwrap_or_else(|| panic!("{table}: {error}"));
        for key in expected.split('`').skip(1).step_by(2) {
            let documented = [format!("{key} ="), format!("[{key}]"), format!("[[{key}]]"), format!(".{key}]")];
            assert!(documented.iter().any(|written| example.contains(written)), "{table}: {key} is not documented");
        }
    }
    for kind in cases::kinds() {
        let name = kind.name;
        assert!(DOCUMENT.contains(&format!("`{name}`")) || DOCUMENT.contains(&format!("::{name}`")), "{name}");
    }
}

#[test]
fn a_release_is_refused_if_the_case_would_ignore_it() {
    let text = blocks("```toml several\n");
    for case in ["ready", "helm_test", "health", "uninstall", "fits"] {
        let with = "{ case = \"uninstall\", name = \"gone\", release = \"infra/db\" }";
        let text = text.replace("{ case = \"uninstall\", name = \"gone\" }", &with.replace("uninstall", case));
        let error = parse(Path::new("x"), &text).unwrap_err().to_string();
        let needs = error.contains("parameters") || error.contains("needs") || error.contains("missing field");
        assert!(
            needs || error.ends_with("because it checks more than `infra/db`: remove `release`"),
            "{case}: {error}"
        );
    }
    let text = text.replace("name = \"gone\" }", "name = \"gone\", release = \"infra/db\" }");
    let error = parse(Path::new("x"), &text).unwrap_err().to_string();
    let line = line_at(&text, text.find("name = \"gone\"").unwrap());
    let message = "case `gone`: it takes no `release`, because it checks more than `infra/db`: remove `release`";
    assert_eq!(error, format!("x:{line}: {message}"));
}

#[test]
fn cases_that_test_nothing_are_refused() {
    let end = "\"scale_up\", \"uninstall\"]";
    for (from, to, message) in [
        ("replicas = 1", "replicas = 0", "`replicas` is 0: write a number from 1 to 100"),
        (
            end,
            "\"voters\", \"leader_write_follower_read\", \"uninstall\"]",
            "case `leader_write_follower_read`: with `replicas = 1` it proves nothing: use a topology of 2 or more",
        ),
        (
            "replicas = 1",
            "replicas = 3",
            "case `scale_up`: `to = 3` in [scale] adds no replica to `replicas = 3`: write 4 or more",
        ),
        (
            "replicas = 1",
            "never_below = 2\nreplicas = 1",
            "`never_below = 2` is more than `replicas = 1`: write 1 or fewer",
        ),
        (
            end,
            "{ case = \"disruption_budget\", keeps = 2 }, \"uninstall\"]",
            "case `disruption_budget`: `keeps = 2` is greater than `replicas = 1`: write 1 or less",
        ),
        (
            end,
            "{ case = \"several_releases\", count = 500 }, \"uninstall\"]",
            "`count` is 500: write a number from 1 to 20",
        ),
        (end, "{ case = \"names_answer\", names = [] }, \"uninstall\"]", "`names` has 0 entries: list at least 1"),
        (
            end,
            "{ case = \"stays_out\", set = [\"a=b\"], says = \" \" }, \"uninstall\"]",
            "`says` is \" \": write text, at most 1000 characters, without control characters",
        ),
        (
            end,
            "{ case = \"rollback_alone\", set = [\"a=b\"] }, \"uninstall\"]",
            "case `rollback_alone`: there is no other release: add one, or remove this case",
        ),
        (end, "{ case = \"stays_out\", set = [\"a=${namespace:b}\"], says = \"x\" }]", "`${namespace:b}` is unknown"),
        ("absent = 404", "absent = 200", "`absent` is the status of an existing record"),
        ("before = 5", "before = 0", "`before` is 0: write a number from 1 to 10000"),
        ("port = 8080", "port = 0", "`port` is 0: write a number from 1 to 65535"),
    ] {
        let error = error(from, to);
        assert!(error.contains(message), "{to}: {error}");
    }
}

#[test]
fn a_name_can_not_leave_its_folder() {
    let text = blocks("```toml several\n").replacen("name = \"shop\"", "name = \"../../x\"", 1);
    let error = parse(Path::new("x"), &text).unwrap_err().to_string();
    assert!(
        error.starts_with("x:1: `name` is \"../../x\": write lower-case letters, digits and dashes, at most 30"),
        "{error}"
    );
}

#[test]
fn a_namespace_has_at_most_63_characters() {
    let name = |length: usize| {
        let name = format!("name = \"{}\"", "x".repeat(length));
        let text = blocks("```toml several\n").replacen("name = \"shop\"", &name, 1);
        let text = text.replace("name = \"all\"", "name = \"topology10\"").replace("\"infra\"", "\"part-of-twelve\"");
        text.replace("infra/db", "part-of-twelve/db").replace("namespace:infra", "namespace:part-of-twelve")
    };
    // `chartproof-`, then 17, 10 and 14 characters, 8 for the run, and three dashes.
    parse(Path::new("x"), &name(17)).unwrap();
    let text = name(18);
    let error = parse(Path::new("x"), &text).unwrap_err().to_string();
    let line = line_at(&text, text.find("name = \"topology10\"").unwrap());
    assert!(error.starts_with(&format!("x:{line}: Namespace/chartproof-xxx")), "{error}");
    assert!(
        error.ends_with(
            "would have 64 characters, but 63 are allowed: shorten the names of suite, topology or namespace by 1"
        ),
        "{error}"
    );
}

#[test]
fn a_limit_without_a_state_or_a_time_is_refused() {
    let with = |limit: &str| {
        let text = GOOD.replacen("[timeouts_s]", &format!("[limits_s]\n{limit}\n\n[timeouts_s]"), 1);
        let line = text.lines().position(|line| line == limit).unwrap() + 1;
        (parse(Path::new("e2e.toml"), &text), line)
    };
    let (read, _) = with("unschedulable = 600");
    assert_eq!(read.unwrap().limits_s["unschedulable"], 600);
    let (read, line) = with("unscheduled = 600");
    let error = read.unwrap_err().to_string();
    // The error names the line of the table.
    let line = line - 1;
    let start = format!("e2e.toml:{line}: `limits_s` has the key \"unscheduled\": write one of ");
    let keys = kubernetes::unrecoverable::keys().collect::<Vec<_>>();
    assert_eq!(error.strip_prefix(&start), Some(keys.join(", ").as_str()), "{error}");
    for key in keys {
        assert!(with(&format!("{key} = 600")).0.is_ok(), "{key}");
    }
    for seconds in ["0", "3601", "18446744073709551615"] {
        let (read, line) = with(&format!("unschedulable = {seconds}"));
        let error = read.unwrap_err().to_string();
        assert!(error.starts_with(&format!("e2e.toml:{line}: ")), "{error}");
    }
}

#[test]
fn the_values_files_of_every_release_that_a_case_deploys_are_known() {
    let fits = "{ case = \"fits\", nodes = 4, cpu = \"4\", memory = \"906Mi\", releases = [{ release = \"infra/db\", values = [\"prod.yaml\"] }] }";
    let text = blocks("```toml several\n").replace("{ case = \"uninstall\", name = \"gone\" }", fits);
    let suite = parse(Path::new("shop/e2e.toml"), &text).unwrap();
    let database = ChartSource::Folder("shop/../database".into());
    assert!(suite.values_files().contains(&(&database, "prod.yaml".into())), "{:?}", suite.values_files());
}
