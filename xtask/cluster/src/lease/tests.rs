//! Tests of which run may clean up after which.

use super::*;

fn record(owner: Owner, kept: bool) -> LeaseRecord {
    LeaseRecord {
        run_id: "ab12".to_owned(),
        run_dir: "/runs/ab12".into(),
        owner,
        expires: Utc::now() + TimeDelta::hours(1),
        kept,
        resources: vec![Resource::KindCluster("chartproof-ab12".to_owned())],
        changes: vec![],
        changes_on: None,
    }
}

fn here() -> Owner {
    let [host, boot_id, pid_namespace] = ["here", "boot", "pid:[1]"].map(str::to_owned);
    Owner { host, boot_id, pid_namespace, pid: 42, started_ticks: 7 }
}

#[test]
fn a_lease_of_this_host_is_held_as_long_as_its_process_runs() {
    let lease = record(here(), false);
    assert_eq!(lease.state(&here(), Utc::now(), |_| true), State::Held);
    assert_eq!(lease.state(&here(), Utc::now(), |_| false), State::Abandoned);
}

/// CI containers with the same host name and no machine ID, on one kernel or on two; and systems without `/proc`.
#[test]
fn a_lease_whose_process_can_not_be_seen_from_here_is_held_until_it_expires() {
    let container = Owner { pid_namespace: "pid:[2]".to_owned(), ..here() };
    let machine = Owner { boot_id: "other".to_owned(), ..here() };
    let unknown = Owner { pid_namespace: String::new(), ..here() };
    for (owner, seen_from) in [(container, here()), (machine, here()), (unknown.clone(), unknown)] {
        let lease = record(owner, false);
        assert_eq!(lease.state(&seen_from, Utc::now(), |_| false), State::Held);
        assert_eq!(lease.state(&seen_from, Utc::now() + TimeDelta::hours(2), |_| true), State::Abandoned);
    }
}

#[tokio::test]
async fn a_lease_is_renewed_as_long_as_it_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let lease = Arc::new(Lease::new(dir.path(), "ab12", Path::new("/runs/ab12")));
    lease.hold(Resource::KindCluster("one".to_owned())).unwrap();
    // As if it had not been renewed for a while.
    let old = LeaseRecord { expires: Utc::now(), ..lease.record().clone() };
    write(&lease.path, &old).unwrap();
    lease.keep_renewed(|error| panic!("{error:#}"));
    let renewed = async {
        while all(dir.path()).unwrap()[0].1.expires == old.expires {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(RENEWED_EVERY, renewed).await.unwrap();
    assert!(2 * RENEWED_EVERY < LIFETIME.to_std().unwrap(), "a single failure is harmless");
}

#[test]
fn a_change_is_recorded_until_it_is_undone_or_its_cluster_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let lease = Lease::new(dir.path(), "ab12", Path::new("/runs/ab12"));
    let (cluster, stopped) = (Resource::KindCluster("one".to_owned()), Change::NodeStopped("one-worker".to_owned()));
    lease.note_change(&stopped, None).unwrap();
    assert_eq!(all(dir.path()).unwrap()[0].1.changes, std::slice::from_ref(&stopped));
    lease.undone(&stopped).unwrap();
    assert_eq!(all(dir.path()).unwrap(), []);
    lease.hold(cluster.clone()).unwrap();
    lease.note_change(&stopped, None).unwrap();
    lease.release(&cluster).unwrap();
    assert_eq!(all(dir.path()).unwrap(), []);
}

#[test]
fn a_lease_of_another_host_ends_only_when_it_expires() {
    let lease = record(Owner { host: "there".to_owned(), ..here() }, false);
    assert_eq!(lease.state(&here(), Utc::now(), |_| false), State::Held);
    assert_eq!(lease.state(&here(), Utc::now() + TimeDelta::hours(2), |_| true), State::Abandoned);
}

#[test]
fn kept_resources_are_not_abandoned() {
    let lease = record(here(), true);
    assert_eq!(lease.state(&here(), Utc::now(), |_| true), State::Held);
    assert_eq!(lease.state(&here(), Utc::now(), |_| false), State::Kept);
}

#[test]
fn an_embedded_cluster_is_kept_only_as_long_as_its_process_runs() {
    let lease = LeaseRecord { resources: vec![Resource::EmbeddedCluster("/cluster".into())], ..record(here(), true) };
    assert_eq!(lease.state(&here(), Utc::now(), |_| true), State::Held);
    assert_eq!(lease.state(&here(), Utc::now(), |_| false), State::Abandoned);
}

#[test]
fn a_process_is_distinguished_from_another_with_the_same_id() {
    let me = Owner::this_process();
    assert!(is_running(&me));
    if cfg!(target_os = "linux") {
        assert!(!is_running(&Owner { started_ticks: me.started_ticks + 1, ..me }));
    }
    assert!(!is_running(&Owner { pid: i32::MAX, ..Owner::this_process() }));
}

#[test]
fn the_file_exists_as_long_as_there_are_resources() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("leases");
    assert_eq!(all(&folder).unwrap(), []);
    let lease = Lease::new(&folder, "ab12", Path::new("/runs/ab12"));
    let (one, two) = (Resource::KindCluster("one".to_owned()), Resource::EmbeddedCluster("/two".into()));
    lease.hold(one.clone()).unwrap();
    lease.hold(two.clone()).unwrap();
    let found = all(&folder).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].1.resources, [one.clone(), two.clone()]);
    assert_eq!(found[0].1.owner, Owner::this_process());
    lease.release(&one).unwrap();
    lease.release(&two).unwrap();
    assert_eq!(all(&folder).unwrap(), []);
}

#[test]
fn a_file_that_is_not_a_lease_is_skipped() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("x.json"), "{").unwrap();
    fs::write(dir.path().join("readme.txt"), "hello").unwrap();
    assert_eq!(all(dir.path()).unwrap(), []);
}
