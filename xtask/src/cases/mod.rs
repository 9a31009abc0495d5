//! Every case, one file each.

use self::support::case::Case;
use suite::CaseKind;

mod answers;
mod autoscaler;
mod bad_release_rolls_back;
mod chart_api_versions;
mod chart_dry_run;
mod chart_lint;
mod chart_template;
mod chart_upgradable;
mod claims_removed;
pub mod cluster_create;
mod cluster_delete;
mod connection_budget;
mod container_kill;
mod cron_job_runs;
mod disk;
mod disruption_budget;
mod dns_outage;
mod drain;
mod drift;
mod each_alone;
mod environments_differ;
mod failed_upgrade;
mod fits;
pub mod health;
pub mod helm_test;
mod hooks_first;
pub mod images_load;
pub mod install;
mod job_completes;
mod job_expires;
mod job_fails;
mod kill_many;
mod leader_write_follower_read;
mod liveness_restarts;
mod names_answer;
mod nemesis;
mod node_cut_off;
mod node_stop;
mod output;
mod partition;
mod pause;
pub mod pod_kill;
mod pod_kill_follower;
pub mod pod_kill_leader;
mod pod_kill_zero;
pub mod ready;
mod replace_all;
mod replicas_are;
mod restart;
mod rollback;
mod rollback_alone;
mod scale_up;
mod several_releases;
mod slow_network;
mod spread;
mod stays_out;
pub mod support;
mod takeover;
mod template_refused;
mod uninstall;
mod unready_gets_no_traffic;
mod upgrade;
mod upgrade_from;
mod voters;
mod write_read;
mod zero_downtime;

/// All cases, in the order of `--list`. Those that belong to no topology run in this order.
pub static ALL: &[&Case] = &[
    &chart_lint::CASE,
    &chart_template::CASE,
    &chart_api_versions::CASE,
    &chart_upgradable::CASE,
    &cluster_create::CASE,
    &chart_dry_run::CASE,
    &images_load::CASE,
    &install::CASE,
    &ready::CASE,
    &helm_test::CASE,
    &health::CASE,
    &write_read::CASE,
    &voters::CASE,
    &leader_write_follower_read::CASE,
    &pod_kill::CASE,
    &pod_kill_leader::CASE,
    &pod_kill_follower::CASE,
    &pod_kill_zero::CASE,
    &container_kill::CASE,
    &pause::CASE,
    &kill_many::CASE,
    &disk::CASE,
    &replace_all::CASE,
    &drain::CASE,
    &node_stop::CASE,
    &node_cut_off::CASE,
    &partition::CASE,
    &slow_network::CASE,
    &dns_outage::CASE,
    &nemesis::CASE,
    &disruption_budget::CASE,
    &upgrade::CASE,
    &rollback::CASE,
    &upgrade_from::CASE,
    &takeover::CASE,
    &drift::CASE,
    &scale_up::CASE,
    &job_completes::CASE,
    &job_fails::CASE,
    &output::CASE,
    &job_expires::CASE,
    &cron_job_runs::CASE,
    &several_releases::CASE,
    &stays_out::CASE,
    &template_refused::CASE,
    &liveness_restarts::CASE,
    &autoscaler::CASE,
    &bad_release_rolls_back::CASE,
    &failed_upgrade::CASE,
    &answers::CASE,
    &hooks_first::CASE,
    &connection_budget::CASE,
    &environments_differ::CASE,
    &rollback_alone::CASE,
    &fits::CASE,
    &each_alone::CASE,
    &replicas_are::CASE,
    &restart::CASE,
    &zero_downtime::CASE,
    &names_answer::CASE,
    &spread::CASE,
    &unready_gets_no_traffic::CASE,
    &uninstall::CASE,
    &claims_removed::CASE,
    &cluster_delete::CASE,
];

/// Returns the kinds of all cases.
pub fn kinds() -> Vec<&'static CaseKind> {
    ALL.iter().map(|case| &case.kind).collect()
}

/// Returns the case of a kind.
pub fn find(kind: &CaseKind) -> Option<&'static Case> {
    ALL.iter().find(|case| case.kind == *kind).copied()
}

#[cfg(test)]
mod tests;
