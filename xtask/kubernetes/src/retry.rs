//! Which requests are made again when the API server throttles them or can't serve them now.

use std::time::Duration;

use anyhow::Context;
use http::{Request, Response};
use hyper_util::client::legacy::Error;
use kube::client::Body;
use kube::client::retry::RetryPolicy;
use tower::BoxError;
use tower::retry::Policy;

/// How often a request is made again that is answered with 429, 503 or 504.
const RETRIES: u32 = 3;
/// The first pause before that, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_millis(500));

/// How often a request is made again that could not even be sent, since nothing took the connection: an API server that
/// restarts is back within seconds.
const REFUSALS_MAX: u32 = 20;
/// The pause before that.
const AFTER_REFUSAL: Duration = Duration::from_millis(500);

/// kube's policy, but for evictions: there 429 is the disruption budget's answer, and the next try a question of its own.
/// What was never sent is sent again, whatever it is.
#[derive(Clone)]
pub struct Retry {
    policy: RetryPolicy,
    refusals: u32,
}

impl Retry {
    /// With the pauses and the number of tries of the harness.
    ///
    /// # Errors
    /// Where kube does not take them.
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
        answer: &mut Result<Response<Answer>, BoxError>,
    ) -> Option<Self::Future> {
        if let Err(error) = answer
            && was_refused(error)
            && self.refusals < REFUSALS_MAX
        {
            self.refusals += 1;
            return Some(tokio::time::sleep(AFTER_REFUSAL));
        }
        if request.uri().path().ends_with("/eviction") { None } else { self.policy.retry(request, answer) }
    }

    fn clone_request(&mut self, request: &Request<Body>) -> Option<Request<Body>> {
        Policy::<_, Response<Answer>, BoxError>::clone_request(&mut self.policy, request)
    }
}

/// Whether there was no connection to send a request on.
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
        let mut answer: Result<_, BoxError> = Ok(Response::builder().status(status).body(()).unwrap());
        Retry::new().unwrap().retry(&mut request, &mut answer).is_some()
    }

    #[tokio::test]
    async fn a_refused_eviction_is_an_answer_and_throttling_is_not() {
        let pod = "/api/v1/namespaces/demo/pods/demo-0";
        assert!(!again(&format!("{pod}/eviction"), StatusCode::TOO_MANY_REQUESTS));
        assert!(again(pod, StatusCode::TOO_MANY_REQUESTS));
        assert!(again(pod, StatusCode::SERVICE_UNAVAILABLE));
        assert!(!again(pod, StatusCode::CONFLICT));
    }
}
