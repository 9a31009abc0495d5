//! `cron_job_runs`: one run of a CronJob, made from its template as by `kubectl create job --from`, completes.

use anyhow::{bail, ensure};
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::api::{DeleteParams, PostParams};
use kube::{Api, ResourceExt};
use schemars::JsonSchema;
use serde::Deserialize;

use super::install;
use super::support::case::{Case, passing};
use super::support::context::CaseContext;
use super::support::jobs::has_condition;
use super::support::{running_image, signs};
use crate::deployed_release::DeployedRelease;
use kubernetes::{call, objects};
use suite::{CaseKind, Parameters, definitions};

/// The most characters of the CronJob's name in the Job's, whose pods have it in a label of up to 63 characters.
const NAME_MOST: usize = 40;

/// The case.
pub static CASE: Case = Case {
    kind: CaseKind {
        name: "cron_job_runs",
        summary: "one run of each CronJob (or of `cron_job`), created from its template without waiting for its \
                  schedule, completes, and its log contains `says`",
        needs: &[&install::CASE.kind],
        takes_release: true,
        parameters: Parameters::of::<With>(),
        ..CaseKind::DEFAULT
    },
    run: |cx| passing(run(cx)),
};

/// The parameters of the case.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct With {
    /// Name of the CronJob; every CronJob of the release by default.
    #[serde(default)]
    #[schemars(schema_with = "definitions::object")]
    cron_job: Option<String>,
    /// Text that the log of the run must contain.
    #[serde(default)]
    #[schemars(schema_with = "definitions::words")]
    says: Option<String>,
}

async fn run(cx: &CaseContext) -> anyhow::Result<String> {
    let (deployed, with) = (cx.deployed()?, cx.with::<With>()?);
    let deployed_release = cx.deployed_release(&deployed)?;
    let names = chosen(&deployed_release.cron_jobs(), with.cron_job.as_deref())?;
    for name in &names {
        run_once(cx, &deployed.client, deployed_release, name, with.says.as_deref()).await?;
    }
    Ok(format!("one run of {} completed", names.join(", ")))
}

/// Returns the CronJobs to run.
fn chosen(all: &[&str], wanted: Option<&str>) -> anyhow::Result<Vec<String>> {
    ensure!(!all.is_empty(), "the release has no CronJob");
    let chosen: Vec<_> = all.iter().filter(|name| wanted.is_none_or(|wanted| wanted == **name)).collect();
    match wanted {
        Some(wanted) if chosen.is_empty() => bail!("there is no CronJob/{wanted}: the release has {}", all.join(", ")),
        _ => Ok(chosen.into_iter().map(|name| (*name).to_owned()).collect()),
    }
}

async fn run_once(
    cx: &CaseContext,
    client: &kube::Client,
    deployed_release: &DeployedRelease,
    name: &str,
    says: Option<&str>,
) -> anyhow::Result<()> {
    let watch = &deployed_release.watch;
    let cron_jobs: Api<CronJob> = Api::namespaced(client.clone(), watch.namespace());
    let jobs: Api<Job> = Api::namespaced(client.clone(), watch.namespace());
    let cron_job = call(&format!("getting CronJob/{name}"), cron_jobs.get(name)).await?;
    let job = call(
        &format!("creating a Job of CronJob/{name}"),
        jobs.create(&PostParams::default(), &once(&cron_job, &cx.run.id)),
    )
    .await?;
    let job = job.name_any();
    let what = format!("Job/{job}, a run of CronJob/{name}, complete");
    let complete = |state: &kubernetes::watch::State| match state.jobs.get(&job) {
        Some(found) if has_condition(found, "Complete") => Ok(()),
        Some(found) => Err(objects::job_line(found)),
        None => Err("it does not exist".to_owned()),
    };
    cx.wait.until(watch, &what, complete).await?;
    let pods: Vec<_> = watch.state().pods_of_job(&job).into_iter().cloned().collect();
    running_image::of_pods(cx, &pods).await?;
    if let Some(says) = says {
        let mut found = Vec::new();
        for pod in &pods {
            found.extend(signs::of_pod(client, deployed_release, pod).await);
        }
        ensure!(
            signs::contain(&found, says),
            "the run of CronJob/{name} does not say {says:?}:\n{}",
            signs::list(&found)
        );
    }
    call(&format!("deleting Job/{job}"), jobs.delete(&job, &DeleteParams::background())).await?;
    Ok(())
}

/// Returns a Job from a CronJob's template, owned by the CronJob, as `kubectl create job --from` makes it.
fn once(cron_job: &CronJob, run_id: &str) -> Job {
    let template = cron_job.spec.job_template.clone();
    let (from, mut spec) = (template.metadata.unwrap_or_default(), template.spec);
    // It must exist until it has been judged.
    if let Some(spec) = &mut spec {
        spec.ttl_seconds_after_finished = None;
    }
    let mut annotations = from.annotations.unwrap_or_default();
    annotations.insert("cronjob.kubernetes.io/instantiate".to_owned(), "manual".to_owned());
    let owner = OwnerReference {
        api_version: "batch/v1".to_owned(),
        kind: "CronJob".to_owned(),
        name: cron_job.name_any(),
        uid: cron_job.uid().unwrap_or_default(),
        ..OwnerReference::default()
    };
    let short: String = cron_job.name_any().chars().take(NAME_MOST).collect();
    let metadata = ObjectMeta {
        name: Some(format!("{short}-{run_id}")),
        labels: from.labels,
        annotations: Some(annotations),
        owner_references: Some(vec![owner]),
        ..ObjectMeta::default()
    };
    Job { metadata, spec, status: None }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_run_is_made_from_the_template() {
        let cron_job: CronJob = serde_json::from_value(json!({
            "metadata": { "name": "n".repeat(52), "uid": "c" },
            "spec": { "schedule": "0 3 * * *", "suspend": true, "jobTemplate": {
                "metadata": { "labels": { "app": "report" }, "annotations": { "a": "b" } },
                "spec": { "ttlSecondsAfterFinished": 0, "backoffLimit": 2, "template": {} },
            } },
        }))
        .unwrap();
        let job = serde_json::to_value(once(&cron_job, "0a1b2c3d")).unwrap();
        let name = format!("{}-0a1b2c3d", "n".repeat(40));
        assert_eq!(job["metadata"]["name"], name);
        assert_eq!(job["metadata"]["labels"]["app"], "report");
        assert_eq!(job["metadata"]["annotations"], json!({ "a": "b", "cronjob.kubernetes.io/instantiate": "manual" }));
        assert_eq!(job["metadata"]["ownerReferences"][0]["uid"], "c");
        assert_eq!(job["spec"], json!({ "backoffLimit": 2, "template": {} }));
    }

    #[test]
    fn a_cron_job_that_the_release_does_not_have_is_reported() {
        assert_eq!(chosen(&["a", "b"], None).unwrap(), ["a", "b"]);
        assert_eq!(chosen(&["a", "b"], Some("b")).unwrap(), ["b"]);
        let error = |all: &[&str], wanted| chosen(all, wanted).unwrap_err().to_string();
        assert_eq!(error(&["a", "b"], Some("c")), "there is no CronJob/c: the release has a, b");
        assert_eq!(error(&[], None), "the release has no CronJob");
    }
}
