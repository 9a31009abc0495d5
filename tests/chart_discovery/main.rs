//! The chart's peer-discovery script, run by real shells and real HTTP clients against peers on loopback.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that can't continue fails")]

#[path = "../command.rs"]
mod command;
mod peers;
mod script;

use peers::{Answer, Peer};
use script::{Outcome, Script, Toolset};

/// Runs the script as replica 0 of three, with these responses of the Service, replica 1 and replica 2.
fn asked_by_zero(tools: Toolset, service: Peer, one: Peer, two: Peer) -> Outcome {
    Script::new(tools, 0, 3).service(service).peer(1, one).peer(2, two).run()
}

/// Checks every toolset of this machine, in parallel: the script spends its time waiting.
fn on_each(check: impl Fn(Toolset) + Sync) {
    std::thread::scope(|scope| {
        for tools in Toolset::here() {
            scope.spawn(|| check(tools));
        }
    });
}

const JOINS_FROM_ZERO: &str = "caesium-1.peers:9001,caesium-2.peers:9001\n";

#[test]
fn at_least_two_toolsets_are_installed() {
    let here: Vec<_> = Toolset::here().iter().map(Toolset::to_string).collect();
    assert!(here.len() >= 2, "need dash and curl or wget, or busybox; found {here:?}");
}

#[test]
fn ordinals_above_zero_join_running_peers() {
    on_each(|tools| {
        for (ordinal, want) in [
            (1, "caesium-0.peers:9001,caesium-2.peers:9001,caesium-3.peers:9001,caesium-4.peers:9001\n"),
            (2, "caesium-0.peers:9001,caesium-1.peers:9001,caesium-3.peers:9001,caesium-4.peers:9001\n"),
            (3, "caesium-0.peers:9001,caesium-1.peers:9001,caesium-2.peers:9001,caesium-4.peers:9001\n"),
            (4, "caesium-0.peers:9001,caesium-1.peers:9001,caesium-2.peers:9001,caesium-3.peers:9001\n"),
        ] {
            let outcome = Script::new(tools.clone(), ordinal, 5).service(Peer::Unresolved).run();
            assert_eq!(outcome.wrote.as_deref(), Some(want), "{tools}: ordinal {ordinal}: {}", outcome.said);
            assert_eq!(
                outcome.questions, 0,
                "{tools}: ordinal {ordinal} sent requests, though it may not found a cluster"
            );
        }
    });
}

#[test]
fn an_ordinal_beyond_the_replicas_knows_the_lower_ones() {
    on_each(|tools| {
        let outcome = Script::new(tools.clone(), 3, 1).run();
        let want = "caesium-0.peers:9001,caesium-1.peers:9001,caesium-2.peers:9001\n";
        assert_eq!(outcome.wrote.as_deref(), Some(want), "{tools}: {}", outcome.said);
    });
}

#[test]
fn a_replica_with_a_members_disk_sends_no_requests() {
    on_each(|tools| {
        for ordinal in 0..5 {
            let script = Script::new(tools.clone(), ordinal, 5).member().service(Peer::up([Answer::Healthy]));
            let outcome = script.run();
            assert_eq!(outcome.code, 0, "{tools}: ordinal {ordinal}: {}", outcome.said);
            assert_eq!(outcome.questions, 0, "{tools}: ordinal {ordinal} sent requests: {}", outcome.said);
            assert_eq!(outcome.wrote.unwrap().split(',').count(), 4, "{tools}: ordinal {ordinal}");
        }
    });
}

#[test]
fn zero_founds_a_cluster_if_no_peer_exists() {
    on_each(|tools| {
        let outcome = asked_by_zero(tools.clone(), Peer::Refusing, Peer::Unresolved, Peer::Unresolved);
        outcome.founded(&tools);
        assert!(outcome.seconds >= 1.0, "{tools}: waited {}s of 1 s", outcome.seconds);
    });
}

#[test]
fn zero_founds_a_cluster_if_no_peer_has_joined_one() {
    on_each(|tools| {
        asked_by_zero(tools.clone(), Peer::Refusing, Peer::Refusing, Peer::Unresolved).founded(&tools);
    });
}

#[test]
fn zero_joins_a_single_healthy_survivor() {
    on_each(|tools| {
        let outcome = asked_by_zero(tools.clone(), Peer::Refusing, Peer::Unresolved, Peer::up([Answer::Healthy]));
        assert_eq!(outcome.wrote.as_deref(), Some(JOINS_FROM_ZERO), "{tools}: {}", outcome.said);
    });
}

#[test]
fn zero_joins_a_cluster_that_only_the_service_knows() {
    on_each(|tools| {
        let outcome = asked_by_zero(tools.clone(), Peer::up([Answer::Healthy]), Peer::Unresolved, Peer::Unresolved);
        assert_eq!(outcome.wrote.as_deref(), Some(JOINS_FROM_ZERO), "{tools}: {}", outcome.said);
    });
}

#[test]
fn zero_never_founds_a_cluster_beside_an_unhealthy_peer() {
    on_each(|tools| {
        asked_by_zero(tools.clone(), Peer::Refusing, Peer::up([Answer::Unhealthy]), Peer::Unresolved).failed(&tools);
    });
}

#[test]
fn zero_never_founds_a_cluster_beside_a_hanging_peer() {
    on_each(|tools| {
        asked_by_zero(tools.clone(), Peer::Refusing, Peer::Unresolved, Peer::up([Answer::Hang])).failed(&tools);
    });
}

#[test]
fn zero_never_founds_a_cluster_beside_a_peer_that_hangs_up() {
    on_each(|tools| {
        asked_by_zero(tools.clone(), Peer::Refusing, Peer::up([Answer::HangUp]), Peer::Unresolved).failed(&tools);
    });
}

#[test]
fn zero_never_founds_a_cluster_without_dns() {
    on_each(|tools| {
        let outcome = asked_by_zero(tools.clone(), Peer::Unresolved, Peer::Unresolved, Peer::Unresolved);
        outcome.failed(&tools);
        assert!(outcome.said.contains("no DNS"), "{tools}: {}", outcome.said);
    });
}

#[test]
fn zero_joins_a_peer_that_was_briefly_unhealthy() {
    on_each(|tools| {
        let busy = Peer::up([Answer::Unhealthy, Answer::Hang, Answer::Healthy]);
        let outcome = Script::new(tools.clone(), 0, 3).service(Peer::Refusing).peer(1, busy).give_up_seconds(20).run();
        assert_eq!(outcome.wrote.as_deref(), Some(JOINS_FROM_ZERO), "{tools}: {}", outcome.said);
    });
}

#[test]
fn zero_founds_a_cluster_once_an_unhealthy_peer_is_gone() {
    on_each(|tools| {
        let dying = Peer::up([Answer::Unhealthy, Answer::Gone]);
        let script = Script::new(tools.clone(), 0, 3).service(Peer::Refusing).peer(1, dying).give_up_seconds(20);
        script.run().founded(&tools);
    });
}

#[test]
fn zero_requires_uninterrupted_absence() {
    on_each(|tools| {
        let said = [(1, "Connection refused"), (1, "Connection reset"), (1, "Connection refused")];
        let script = Script::new(tools.clone(), 0, 2).client_says(&said).absent_seconds(2).give_up_seconds(20);
        let outcome = script.run();
        outcome.founded(&tools);
        // One absence, one sign of life, and then the three checks that two seconds of absence take.
        assert_eq!(outcome.questions, 5, "{tools}: {}", outcome.said);
    });
}

#[test]
fn a_single_replica_founds_a_cluster_at_once() {
    on_each(|tools| {
        for service in [Peer::Refusing, Peer::Unresolved] {
            let outcome = Script::new(tools.clone(), 0, 1).service(service).absent_seconds(600).run();
            outcome.founded(&tools);
        }
    });
}

#[test]
fn a_single_replica_founds_no_cluster_beside_replicas_unknown_to_the_chart() {
    on_each(|tools| {
        let outcome = Script::new(tools.clone(), 0, 1).service(Peer::up([Answer::Healthy])).run();
        outcome.failed(&tools);
        assert!(outcome.said.contains("set replicaCount"), "{tools}: {}", outcome.said);
    });
}

/// What clients print about a peer that is cut off, or that refuses on only one of its two addresses. This can't be
/// produced on loopback, so these are recorded texts.
#[test]
fn a_peer_that_is_cut_off_does_not_count_as_absent() {
    let said = [
        (1, "wget: can't connect to remote host (10.244.0.9): No route to host"),
        (
            4,
            "Connecting to caesium-1|::1|:8080... failed: Connection refused.\n\
             Connecting to caesium-1|10.244.0.9|:8080... failed: Network is unreachable.",
        ),
        (
            4,
            "Connecting to caesium-1|::1|:8080... failed: Connection refused.\n\
             Connecting to caesium-1|10.244.0.9|:8080... failed: No route to host.",
        ),
        (
            8,
            "Connecting to caesium-1|::1|:8080... failed: Connection refused.\n\
             Connecting to caesium-1|10.0.0.1|:8080... connected.\n\
             HTTP request sent, awaiting response... 503 Service Unavailable",
        ),
        (
            22,
            "* connect to ::1 port 8080 failed: Connection refused\n* Connected to caesium-1\n\
              > GET /health HTTP/1.1\n< HTTP/1.1 503 Service Unavailable",
        ),
        (7, "* connect to 10.244.0.9 port 8080 failed: No route to host\n* Couldn't connect to server"),
        (124, "Connecting to ::1 failed: Connection refused."),
    ];
    on_each(|tools| {
        for (status, text) in said {
            let outcome = Script::new(tools.clone(), 0, 3).client_says(&[(status, text)]).give_up_seconds(0).run();
            outcome.failed(&tools);
        }
    });
}
