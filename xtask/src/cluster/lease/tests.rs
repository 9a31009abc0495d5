//! Who may clean up after whom.

use super::*;

fn record(owner: Owner, kept: bool) -> Record {
    Record {
        run_id: "ab12".to_owned(),
        run_dir: "/runs/ab12".into(),
        owner,
        expires: Utc::now() + TimeDelta::hours(1),
        kept,
        resources: vec![Resource::KindCluster("chartproof-ab12".to_owned())],
    }
}

fn here() -> Owner {
    Owner { host: "here".to_owned(), boot_id: "boot".to_owned(), pid: 42, started_ticks: 7 }
}

#[test]
fn a_lease_of_this_host_is_held_as_long_as_its_process_runs() {
    let lease = record(here(), false);
    assert_eq!(lease.state(&here(), Utc::now(), |_| true), State::Held);
    assert_eq!(lease.state(&here(), Utc::now(), |_| false), State::Abandoned);
    let before = record(Owner { boot_id: "before".to_owned(), ..here() }, false);
    assert_eq!(before.state(&here(), Utc::now(), |_| true), State::Abandoned);
}

#[test]
fn a_lease_of_another_host_ends_by_its_expiry_only() {
    let lease = record(Owner { host: "there".to_owned(), ..here() }, false);
    assert_eq!(lease.state(&here(), Utc::now(), |_| false), State::Held);
    assert_eq!(lease.state(&here(), Utc::now() + TimeDelta::hours(2), |_| true), State::Abandoned);
}

#[test]
fn what_was_kept_on_purpose_is_not_abandoned() {
    let lease = record(here(), true);
    assert_eq!(lease.state(&here(), Utc::now(), |_| true), State::Held);
    assert_eq!(lease.state(&here(), Utc::now(), |_| false), State::Kept);
}

#[test]
fn an_embedded_cluster_is_kept_only_as_long_as_its_process_runs() {
    let lease = Record { resources: vec![Resource::EmbeddedCluster("/cluster".into())], ..record(here(), true) };
    assert_eq!(lease.state(&here(), Utc::now(), |_| true), State::Held);
    assert_eq!(lease.state(&here(), Utc::now(), |_| false), State::Abandoned);
}

#[test]
fn this_process_runs_and_one_that_took_its_id_is_another() {
    let me = Owner::this_process();
    assert!(is_running(&me));
    if cfg!(target_os = "linux") {
        assert!(!is_running(&Owner { started_ticks: me.started_ticks + 1, ..me }));
    }
    assert!(!is_running(&Owner { pid: i32::MAX, ..Owner::this_process() }));
}

#[test]
fn the_file_is_there_as_long_as_something_is_held() {
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
fn a_file_that_is_no_lease_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("x.json"), "{").unwrap();
    fs::write(dir.path().join("readme.txt"), "hello").unwrap();
    assert_eq!(all(dir.path()).unwrap(), []);
}
