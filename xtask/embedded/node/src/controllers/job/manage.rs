//! Creates the pods that a job still needs and deletes those that it does not.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;

use super::{JobSync, TRACKING, backoff, owners};
use crate::controllers::reconcile::is_namespace_ending;
use crate::controllers::replica_set::from_template;
use crate::registry::DeleteOptions;
use crate::status::Status;

impl JobSync<'_> {
    /// Adjusts the number of active pods; returns when to check again.
    pub fn manage(&mut self) -> Result<Option<Duration>, Status> {
        let wanted = self.wanted();
        let active = self.active().count();
        let superfluous: Vec<Pod> = self.active().skip(wanted).cloned().collect();
        self.delete(&superfluous)?;
        if active >= wanted {
            return Ok(None);
        }
        if let Some(left) = backoff::left(&self.pods) {
            return Ok(Some(left));
        }
        for _ in active..wanted {
            self.create()?;
        }
        Ok(None)
    }

    fn wanted(&self) -> usize {
        let parallelism = self.spec.parallelism.unwrap_or(1);
        let (succeeded, _) = self.totals();
        let active = i32::try_from(self.active().count()).unwrap_or(i32::MAX);
        let wanted = match self.spec.completions {
            Some(completions) => parallelism.min(completions - succeeded),
            None if succeeded > 0 => parallelism.min(active),
            None => parallelism,
        };
        usize::try_from(wanted).unwrap_or(0)
    }

    fn create(&mut self) -> Result<(), Status> {
        let template = self.spec.template.clone();
        let mut pod = from_template(&self.job, template.metadata, template.spec);
        pod.metadata.finalizers.get_or_insert_default().push(TRACKING.to_owned());
        pod.metadata.labels.get_or_insert_default().extend(self.labels());
        match self.client.create(&pod) {
            Ok(pod) => {
                self.say("Normal", "SuccessfulCreate", &format!("Created pod: {}", owners::key(&pod).1));
                self.pods.push(pod);
                Ok(())
            }
            Err(refused) if is_namespace_ending(&refused) => Ok(()),
            Err(refused) => {
                self.say("Warning", "FailedCreate", &format!("Error creating: {refused}"));
                Err(refused)
            }
        }
    }

    /// Returns the labels of a job's pods, under their current and their former names.
    fn labels(&self) -> [(String, String); 4] {
        let (_, name) = owners::key(&self.job);
        let uid = self.job.metadata.uid.clone().unwrap_or_default();
        [
            ("batch.kubernetes.io/controller-uid".to_owned(), uid.clone()),
            ("batch.kubernetes.io/job-name".to_owned(), name.clone()),
            ("controller-uid".to_owned(), uid),
            ("job-name".to_owned(), name),
        ]
    }

    /// Deletes all active pods.
    pub fn delete_active(&mut self) -> Result<(), Status> {
        let active: Vec<Pod> = self.active().cloned().collect();
        self.delete(&active)
    }

    fn delete(&mut self, pods: &[Pod]) -> Result<(), Status> {
        for pod in pods {
            let (namespace, name) = owners::key(pod);
            match self.client.delete(pod, &DeleteOptions::default()) {
                Err(refused) if refused.reason != "NotFound" => {
                    self.say("Warning", "FailedDelete", &format!("Error deleting: {refused}"));
                    return Err(refused);
                }
                _ => self.say("Normal", "SuccessfulDelete", &format!("Deleted pod: {name}")),
            }
            // From now on only the remaining pods count.
            self.pods.retain(|known| known.metadata.uid != pod.metadata.uid);
            self.pods.extend(self.client.get::<Pod>(&namespace, &name));
        }
        Ok(())
    }
}
