//! The client: one deadline for each call, no hidden retries, every call counted, and no write by a process that
//! may have lost its lease.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::{Method, Request, Response};
use kube::{
    Client, Config,
    client::{Body, ClientBuilder},
};
use tower::{BoxError, Layer, Service};

use crate::{cluster::lease::Leadership, metrics::Metrics, runtime::watch::WATCH_SECONDS};

/// The deadline of every call that is not a watch.
const CALL: Duration = Duration::from_secs(15);

/// Why a call was not made or not ended.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// No answer within the deadline. Whether the call took effect is not known.
    #[error("no answer from the API server within {} s", CALL.as_secs())]
    Deadline,
    /// The lease may be lost: another replica may be at work.
    #[error("the lease is not held, so nothing is written")]
    NotLeader,
}

/// Builds the client of the whole process.
pub fn build(mut config: Config, leadership: Leadership, metrics: Arc<Metrics>) -> Result<Client, kube::Error> {
    // The library would retry 429, 503 and 504 on any verb, a POST that took effect included. Here the queue
    // retries whole passes, which begin by looking at what is there.
    config.default_retry = false;
    config.connect_timeout = Some(Duration::from_secs(5));
    config.read_timeout = Some(Duration::from_secs(u64::from(WATCH_SECONDS) + 10));
    config.write_timeout = Some(CALL);
    let layer = CallLayer { leadership, metrics };
    Ok(ClientBuilder::try_from(config)?.with_layer(&layer).build())
}

#[derive(Debug, Clone)]
struct CallLayer {
    leadership: Leadership,
    metrics: Arc<Metrics>,
}

impl<S> Layer<S> for CallLayer {
    type Service = CallService<S>;

    fn layer(&self, inner: S) -> CallService<S> {
        CallService {
            inner,
            layer: self.clone(),
        }
    }
}

#[derive(Debug)]
struct CallService<S> {
    inner: S,
    layer: CallLayer,
}

impl<S, B> Service<Request<Body>> for CallService<S>
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
    B: Send + 'static,
{
    type Response = Response<B>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<B>, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let call = Call::of(&request);
        let metrics = self.layer.metrics.clone();
        if call.writes && !call.lease && !self.layer.leadership.is_held() {
            return Box::pin(async { Err(CallError::NotLeader.into()) });
        }
        let answer = self.inner.call(request);
        Box::pin(async move {
            let result = match tokio::time::timeout(CALL, answer).await {
                Ok(result) => result.map_err(Into::into),
                Err(_) => Err(CallError::Deadline.into()),
            };
            let code = result.as_ref().ok().map(|r: &Response<B>| r.status().as_u16());
            metrics.call(call.verb, code);
            if call.verb == "watch" && code == Some(200) {
                metrics.watch_works(&call.resource);
            }
            result
        })
    }
}

/// What a request is, read off its method and path.
#[derive(Debug, PartialEq, Eq)]
struct Call {
    verb: &'static str,
    resource: String,
    writes: bool,
    lease: bool,
}

impl Call {
    fn of(request: &Request<Body>) -> Self {
        let path = request.uri().path();
        let watch = request
            .uri()
            .query()
            .is_some_and(|q| q.split('&').any(|p| p == "watch=true" || p == "watch=1"));
        let (verb, writes) = match *request.method() {
            Method::GET if watch => ("watch", false),
            Method::GET => ("get", false),
            Method::POST => ("create", true),
            Method::PATCH => ("patch", true),
            Method::PUT => ("update", true),
            Method::DELETE => ("delete", true),
            _ => ("other", true),
        };
        Self {
            verb,
            resource: path.rsplit('/').next().unwrap_or_default().to_owned(),
            writes,
            lease: path.starts_with("/apis/coordination.k8s.io/"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(method: Method, uri: &str) -> Call {
        Call::of(&Request::builder().method(method).uri(uri).body(Body::empty()).unwrap())
    }

    #[test]
    fn reads_the_verb_off_the_request() {
        assert_eq!(
            call(
                Method::GET,
                "https://x/apis/pinfold.dev/v1alpha1/tenants?limit=5&watch=true"
            ),
            Call {
                verb: "watch",
                resource: "tenants".into(),
                writes: false,
                lease: false
            }
        );
        assert_eq!(
            call(Method::POST, "https://x/api/v1/namespaces/a/pods?"),
            Call {
                verb: "create",
                resource: "pods".into(),
                writes: true,
                lease: false
            }
        );
        assert!(
            call(
                Method::PUT,
                "https://x/apis/coordination.k8s.io/v1/namespaces/a/leases/b"
            )
            .lease
        );
    }
}
