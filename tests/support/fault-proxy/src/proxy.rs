//! The proxy as its owner holds it.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_rustls::TlsAcceptor;

use crate::{
    Moment, Narrow, Record, RequestInfo, Rule, RuleId, Stop, View, authority::Authority, server, state::State,
    upstream::Upstream,
};

/// Makes a proxy.
#[derive(Clone, Default)]
pub struct Builder {
    upstream: PathBuf,
    view: Option<View>,
    narrow: Option<Narrow>,
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("upstream", &self.upstream)
            .finish_non_exhaustive()
    }
}

impl Builder {
    /// Only objects that satisfy this appear in the client's lists and watches.
    pub fn view(mut self, sees: impl Fn(&RequestInfo, &Value) -> bool + Send + Sync + 'static) -> Self {
        self.view = Some(Arc::new(sees));
        self
    }

    /// The API server is asked with the field selectors that this names, which spares both of them the rest of the world.
    pub fn narrow(mut self, selects: impl Fn(&RequestInfo) -> Option<String> + Send + Sync + 'static) -> Self {
        self.narrow = Some(Arc::new(selects));
        self
    }

    /// Starts the proxy on a free port of 127.0.0.1.
    pub async fn start(self) -> Result<FaultProxy> {
        let upstream = Upstream::of_kubeconfig(&self.upstream)?;
        let authority = Authority::new()?;
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .context("open a port on 127.0.0.1")?;
        let folder = tempfile::Builder::new()
            .prefix("fault-proxy-")
            .tempdir()
            .context("make a folder")?;
        let mut secret = [0; 16];
        aws_lc_rs::rand::fill(&mut secret).context("make a token")?;
        let token = server::hex(&secret);
        let kubeconfig = folder.path().join("kubeconfig");
        authority.write_kubeconfig(&kubeconfig, listener.local_addr()?, &token)?;
        let state = Arc::new(State::new(upstream, token, self.view, self.narrow));
        let tls = TlsAcceptor::from(authority.tls);
        let shared = state.clone();
        let serving = tokio::spawn(async move {
            server::serve(listener, tls, shared).await;
        });
        Ok(FaultProxy {
            state,
            kubeconfig,
            serving,
            _folder: folder,
        })
    }
}

/// A running proxy; it ends when this is dropped.
#[derive(Debug)]
pub struct FaultProxy {
    state: Arc<State>,
    kubeconfig: PathBuf,
    serving: JoinHandle<()>,
    _folder: TempDir,
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl FaultProxy {
    /// A proxy before the API server of this kubeconfig, with the identity that it holds.
    pub fn builder(upstream_kubeconfig: &Path) -> Builder {
        Builder {
            upstream: upstream_kubeconfig.to_owned(),
            view: None,
            narrow: None,
        }
    }

    /// The kubeconfig that leads to the proxy.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Adds a rule; it holds until it is taken back or used up, for open watches as well.
    pub fn add(&self, rule: Rule) -> RuleId {
        self.state.add(rule)
    }

    /// Takes a rule back.
    pub fn remove(&self, rule: RuleId) {
        self.state.remove(rule);
    }

    /// Takes all rules back.
    pub fn clear_rules(&self) {
        self.state.clear();
    }

    /// Holds the client at its `nth` write from now (from 1; leases and events do not count). From then on nothing
    /// is let through until [`FaultProxy::resume`].
    pub fn stop_at(&self, nth: usize, moment: Moment) -> Stop {
        self.state.plan_stop(nth, moment)
    }

    /// Lets nothing through any more.
    pub fn block(&self) {
        self.state.block();
    }

    /// Lets everything through again.
    pub fn resume(&self) {
        self.state.resume();
    }

    /// Everything that was asked so far.
    pub fn records(&self) -> Vec<Record> {
        self.state.subscribe().borrow().clone()
    }

    /// The writes among it, leases and events apart.
    pub fn writes(&self) -> Vec<Record> {
        self.records().into_iter().filter(|r| r.request.is_write()).collect()
    }

    /// Waits until the records satisfy this; gives them.
    pub async fn wait_for(&self, satisfied: impl Fn(&[Record]) -> bool) -> Vec<Record> {
        let mut records = self.state.subscribe();
        match records.wait_for(|all| satisfied(all)).await.map(|all| all.clone()) {
            Ok(all) => all,
            // The sender lives in self.
            Err(_) => std::future::pending().await,
        }
    }

    /// Waits until no write has come for this long; gives all writes.
    pub async fn quiet(&self, window: Duration) -> Vec<Record> {
        loop {
            let last = self.writes().last().map_or(Duration::ZERO, |r| r.at);
            let since = self.state.age().saturating_sub(last);
            let Some(left) = window.checked_sub(since).filter(|left| !left.is_zero()) else {
                return self.writes();
            };
            let count = self.writes().len();
            let more = self.wait_for(|all| all.iter().filter(|r| r.request.is_write()).count() > count);
            let _ = tokio::time::timeout(left, more).await;
        }
    }
}
