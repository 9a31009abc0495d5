//! The notes that an installation prints.

use super::{CHART, defaults};
use crate::helm::Render;

#[test]
fn the_default_notes_explain_how_to_reach_and_check_the_release() {
    let notes = defaults().notes();
    assert!(notes.contains("port-forward service/caesium 8080:8080"), "{notes}");
    assert!(notes.contains("helm test caesium"), "{notes}");
}

#[test]
fn the_notes_name_the_ingress() {
    let notes = defaults().file(&CHART.ci("full-values.yaml")).notes();
    assert!(notes.contains("https://caesium.example") && !notes.contains("port-forward"), "{notes}");
}

#[test]
fn the_notes_warn_of_an_even_number_of_replicas() {
    for (replicas, warned) in [(0, false), (1, false), (2, true), (3, false), (4, true)] {
        let notes = defaults().value("replicaCount", replicas).notes();
        assert_eq!(notes.contains("Use an odd number"), warned, "{replicas}: {notes}");
    }
}

#[test]
fn the_notes_warn_of_data_loss() {
    let ephemeral =
        |replicas: u32| defaults().value("persistence.enabled", false).value("replicaCount", replicas).notes();
    assert!(ephemeral(1).contains("Deleting the pod loses all data"));
    assert!(ephemeral(3).contains("Losing a majority"));
    assert!(!defaults().notes().contains("persistence is off"));
}

#[test]
fn the_notes_warn_of_the_known_crash_loop() {
    let warned = |render: Render| render.notes().contains("does not start again");
    assert!(warned(defaults()));
    assert!(!warned(defaults().value("image.tag", "\"v0.2.0\"")));
    assert!(!warned(defaults().value("persistence.enabled", false)));
}
