//! Retries of requests that the API server throttles or can't serve at the moment.

use std::time::Duration;

use anyhow::Context;
use http::{Request, Response};
use hyper_util::client::legacy::Error;
use kube::client::Body;
use kube::client::retry::RetryPolicy;
use tower::BoxError;
use tower::retry::Policy;

/// How often a request is retried after a 429, 503 or 504.
const RETRIES: u32 = 3;
/// The first and the longest pause before such a retry.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_millis(500));

/// How often a request is retried that could not be sent because the connection was refused: an API server that restarts
/// is back within seconds.
const REFUSALS_MAX: u32 = 20;
/// The pause before such a retry.
const AFTER_REFUSAL: Duration = Duration::from_millis(500);

/// kube's policy, except for evictions, where 429 is the decision of the disruption budget and another attempt is a new
/// request, and for commands, which may have run. Requests that were never sent are always retried.
#[derive(Clone)]
pub struct Retry {
    policy: RetryPolicy,
    refusals: u32,
}

impl Retry {
    /// Returns the policy with the harness's pauses and number of retries.
    ///
    /// # Errors
    /// If kube rejects them.
    pub fn new() -> anyhow::Result<Self> {
        let (first, longest) = PAUSES;
        let policy = RetryPolicy::new(first, longest, RETRIES, false).context("the pauses between retries")?;
        Ok(Self { policy, refusals: 0 })
    }
}

impl<Answer> Policy<Request<Body>, Response<Answer>, BoxError> for Retry {
    type Future = tokio::time::Sleep;

    fn retry(
        &mut self,
        request: &mut Request<Body>,
        response: &mut Result<Response<Answer>, BoxError>,
    ) -> Option<Self::Future> {
        if let Err(error) = response
            && was_refused(error)
            && self.refusals < REFUSALS_MAX
        {
            self.refusals += 1;
            return Some(tokio::time::sleep(AFTER_REFUSAL));
        }
        let once = ["/eviction", "/exec"].iter().any(|end| request.uri().path().ends_with(end));
        if once { None } else { self.policy.retry(request, response) }
    }

    fn clone_request(&mut self, request: &Request<Body>) -> Option<Request<Body>> {
        Policy::<_, Response<Answer>, BoxError>::clone_request(&mut self.policy, request)
    }
}

/// Returns whether the connection was refused.
fn was_refused(error: &BoxError) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error.as_ref());
    while let Some(error) = cause {
        if error.downcast_ref::<Error>().is_some_and(Error::is_connect) {
            return true;
        }
        cause = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    fn again(path: &str, status: StatusCode) -> bool {
        let mut request = Request::post(path).body(Body::empty()).unwrap();
        let mut response: Result<_, BoxError> = Ok(Response::builder().status(status).body(()).unwrap());
        Retry::new().unwrap().retry(&mut request, &mut response).is_some()
    }

    #[tokio::test]
    async fn a_refused_eviction_is_final_and_throttling_is_not() {
        let pod = "/api/v1/namespaces/demo/pods/demo-0";
        assert!(!again(&format!("{pod}/eviction"), StatusCode::TOO_MANY_REQUESTS));
        assert!(again(pod, StatusCode::TOO_MANY_REQUESTS));
        assert!(again(pod, StatusCode::SERVICE_UNAVAILABLE));
        assert!(!again(pod, StatusCode::CONFLICT));
    }
}
