//! What a request passes is copied for it, layer by layer, and each layer copies what is below it: of twenty layers, the lowest is copied
//! twenty times, each copy an allocation. Below a [`Share`] nothing is copied but a count, until the request is there.

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

use axum::extract::Request;
use tower::{Layer, Service, ServiceExt as _, util::Oneshot};

/// Lets the copies of what is above share what is below.
#[derive(Debug, Clone, Copy)]
pub struct Share;

/// What is below.
#[derive(Debug)]
pub struct Shared<S>(Arc<S>);

impl<S> Layer<S> for Share {
    type Service = Shared<S>;

    fn layer(&self, inner: S) -> Shared<S> {
        Shared(Arc::new(inner))
    }
}

impl<S> Clone for Shared<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<S: Service<Request, Error = Infallible> + Clone> Service<Request> for Shared<S> {
    type Response = S::Response;
    type Error = Infallible;
    type Future = Oneshot<S, Request>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // The copy that the request goes to is asked.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        self.0.as_ref().clone().oneshot(request)
    }
}
