//! Tests of agreement, disagreement, split brain and the names of leaders.

use serde_json::json;

use super::*;

fn members() -> Members {
    let suite: toml::Table = toml::from_str(include_str!("../../../helm/caesium/e2e.toml")).unwrap();
    suite["members"].clone().try_into().unwrap()
}

fn view_of(nodes: &[(&str, &str)]) -> View {
    let rows: Vec<_> = nodes.iter().map(|(address, role)| json!({ "address": address, "role": role })).collect();
    let answer =
        Response { status: Some(200), output: serde_json::to_vec(&rows).unwrap().into(), ..Response::default() };
    parse_view(&members(), &answer).unwrap()
}

fn views(views: &[View]) -> BTreeMap<String, View> {
    views.iter().enumerate().map(|(index, view)| (format!("caesium-{index}"), view.clone())).collect()
}

const THREE: [(&str, &str); 3] = [("10.0.0.1:9001", "voter"), ("10.0.0.2:9001", "voter"), ("10.0.0.3:9001", "voter")];

#[test]
fn seeds_are_not_members() {
    let view =
        view_of(&[("10.0.0.1:9001", "voter"), ("caesium-1.caesium:9001", "unknown"), ("10.0.0.9:9001", "spare")]);
    assert_eq!(view.members.len(), 2);
    assert_eq!(view.voters(), ["10.0.0.1:9001"].into());
}

#[test]
fn three_voters_reported_by_all_are_an_agreement() {
    let all = view_of(&THREE);
    assert_eq!(compare(&views(&[all.clone(), all.clone(), all]), 3), Agreement::Agreed);
}

#[test]
fn a_spare_is_not_a_voter_yet() {
    let all = view_of(&[THREE[0], THREE[1], ("10.0.0.3:9001", "spare")]);
    let open = compare(&views(&[all.clone(), all.clone(), all]), 3);
    assert_eq!(open, Agreement::Open("2/3 voters (10.0.0.1:9001, 10.0.0.2:9001)".to_owned()));
}

#[test]
fn different_views_are_a_disagreement() {
    let Agreement::Open(why) = compare(&views(&[view_of(&THREE), view_of(&THREE[..2]), view_of(&THREE)]), 3) else {
        panic!("it is open");
    };
    assert!(why.contains("caesium-1 sees 2 voters (10.0.0.1:9001, 10.0.0.2:9001)"), "{why}");
}

#[test]
fn a_replica_that_counts_only_itself_founded_a_second_cluster() {
    let Agreement::Split(why) = compare(&views(&[view_of(&[("10.0.0.9:9001", "voter")]), view_of(&THREE)]), 3) else {
        panic!("it is split");
    };
    assert!(why.starts_with("caesium-0 founded a second cluster: it counts only itself (10.0.0.9:9001)"), "{why}");
}

#[test]
fn a_single_replica_is_not_a_split() {
    let one = view_of(&[("10.0.0.1:9001", "voter")]);
    assert_eq!(compare(&views(std::slice::from_ref(&one)), 1), Agreement::Agreed);
    assert!(matches!(compare(&views(&[one]), 3), Agreement::Open(_)));
}

#[test]
fn a_leader_is_named_by_ip_or_by_name() {
    let pod: Pod =
        serde_json::from_value(json!({ "metadata": { "name": "caesium-1" }, "status": { "podIP": "10.0.0.2" } }))
            .unwrap();
    assert!(is_called(&pod, "10.0.0.2:9001"));
    assert!(is_called(&pod, "10.0.0.2"));
    assert!(is_called(&pod, "caesium-1.caesium-headless.ns.svc:9001"));
    assert!(!is_called(&pod, "10.0.0.20:9001"));
    assert!(!is_called(&pod, "caesium-10"));
}

fn pod(ordinal: u32, ip: &str) -> Pod {
    let name = format!("caesium-{ordinal}");
    serde_json::from_value(json!({ "metadata": { "name": name }, "status": { "podIP": ip } })).unwrap()
}

#[test]
fn a_dead_entry_that_votes_in_a_replicas_place_is_found() {
    let views = views(&[view_of(&THREE), view_of(&THREE), view_of(&THREE)]);
    let mut pods = vec![pod(0, "10.0.0.1"), pod(1, "10.0.0.2"), pod(2, "10.0.0.3")];
    assert_eq!(without_vote(&views, &pods), None);
    pods[1] = pod(1, "10.0.0.9");
    let why = "caesium-1 (10.0.0.9) does not vote; the voters are 10.0.0.1:9001, 10.0.0.2:9001, 10.0.0.3:9001";
    assert_eq!(without_vote(&views, &pods).unwrap(), why);
    let elsewhere = [pod(0, "10.9.9.1"), pod(1, "10.9.9.2")];
    assert_eq!(without_vote(&views, &elsewhere), None, "unknown if members are not named after pods");
}
