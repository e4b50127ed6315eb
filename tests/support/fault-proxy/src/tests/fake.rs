//! A small API server that keeps pods, and a client that goes through the proxy.

use std::{
    fs,
    sync::{Arc, Mutex},
};

use anyhow::{Context, Result};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures::stream;
use http::{Method, Request, Response, Uri};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::{
    body::{Bytes, Frame, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::{
    client::legacy::Client,
    rt::{TokioExecutor, TokioIo},
};
use rcgen::{CertificateParams, KeyPair};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{net::TcpListener, sync::broadcast, task::JoinHandle};
use tokio_rustls::TlsAcceptor;

use crate::{
    Builder, FaultProxy,
    authority::Authority,
    status::full,
    upstream::{UpstreamClient, certificates},
    watch::{Aborted, ProxyBody},
};

/// A pod, as far as anybody here looks at it.
pub fn pod(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}})
}

/// The API server's state.
#[derive(Debug)]
pub struct Api {
    pods: Mutex<Vec<Value>>,
    seen: Mutex<Vec<String>>,
    events: broadcast::Sender<String>,
}

impl Api {
    /// Requests that arrived here, watches apart.
    pub fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    async fn answer(&self, request: Request<Incoming>) -> Result<Response<ProxyBody>, Aborted> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.map_err(|_| Aborted)?.to_bytes();
        if parts.uri.query().is_some_and(|q| q.contains("watch=true")) {
            let frames = stream::unfold(self.events.subscribe(), async |mut events| {
                let line: String = events.recv().await.ok()?;
                Some((Ok(Frame::data(Bytes::from(line))), events))
            });
            return Ok(Response::new(StreamBody::new(frames).boxed_unsync()));
        }
        self.seen
            .lock()
            .unwrap()
            .push(format!("{} {}", parts.method, parts.uri));
        let mut pods = self.pods.lock().unwrap();
        let (code, answer) = match parts.method {
            Method::POST => {
                let object: Value = serde_json::from_slice(&body).unwrap();
                pods.push(object.clone());
                // Nobody may be watching.
                let _ = self
                    .events
                    .send(format!("{}\n", json!({"type": "ADDED", "object": object})));
                (201, object)
            }
            Method::DELETE => (200, pods.pop().unwrap_or_default()),
            _ => (200, json!({"kind": "PodList", "items": *pods})),
        };
        let mut response = Response::new(full(answer.to_string().into()));
        *response.status_mut() = http::StatusCode::from_u16(code).unwrap();
        Ok(response)
    }
}

/// API server, proxy and client.
pub struct Bench {
    pub api: Arc<Api>,
    pub proxy: FaultProxy,
    client: UpstreamClient,
    server: String,
    token: String,
    serving: JoinHandle<()>,
    _folder: TempDir,
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// The events of a watch.
pub struct Events {
    body: Incoming,
    rest: Vec<u8>,
}

impl Events {
    /// Type and name of the next event; `None` if the stream has ended, whole or not.
    pub async fn next(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.rest.iter().position(|b| *b == b'\n') {
                let line: Vec<u8> = self.rest.drain(..=end).collect();
                let event: Value = serde_json::from_slice(&line).ok()?;
                return Some(format!(
                    "{} {}",
                    event["type"].as_str()?,
                    event["object"]["metadata"]["name"].as_str()?
                ));
            }
            self.rest
                .extend_from_slice(&self.body.frame().await?.ok()?.into_data().ok()?);
        }
    }
}

impl Bench {
    pub async fn start(shape: impl FnOnce(Builder) -> Builder) -> Self {
        let authority = Authority::new().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let api = Arc::new(Api {
            pods: Mutex::default(),
            seen: Mutex::default(),
            events: broadcast::Sender::new(64),
        });
        let (shared, tls) = (api.clone(), TlsAcceptor::from(authority.tls.clone()));
        let serving = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (api, tls) = (shared.clone(), tls.clone());
                tokio::spawn(async move {
                    let Ok(stream) = tls.accept(stream).await else { return };
                    let service = service_fn(move |request| {
                        let api = api.clone();
                        async move { api.answer(request).await }
                    });
                    let _ = http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("upstream");
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec!["client".to_owned()])
            .unwrap()
            .self_signed(&key)
            .unwrap();
        let upstream = json!({
            "current-context": "x",
            "clusters": [{"name": "x", "cluster": {
                "server": format!("https://{address}"),
                "certificate-authority-data": STANDARD.encode(&authority.root_pem),
            }}],
            "users": [{"name": "x", "user": {
                "client-certificate-data": STANDARD.encode(certificate.pem()),
                "client-key-data": STANDARD.encode(key.serialize_pem()),
            }}],
            "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
        });
        fs::write(&path, upstream.to_string()).unwrap();
        let proxy = shape(FaultProxy::builder(&path)).start().await.unwrap();

        let config: Value = serde_json::from_str(&fs::read_to_string(proxy.kubeconfig()).unwrap()).unwrap();
        let cluster = &config["clusters"][0]["cluster"];
        let root = STANDARD
            .decode(cluster["certificate-authority-data"].as_str().unwrap())
            .unwrap();
        let mut roots = RootCertStore::empty();
        for certificate in certificates(&root).unwrap() {
            roots.add(certificate).unwrap();
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_only()
            .enable_http1()
            .build();
        Self {
            api,
            client: Client::builder(TokioExecutor::new()).build(connector),
            server: cluster["server"].as_str().unwrap().to_owned(),
            token: config["users"][0]["user"]["token"].as_str().unwrap().to_owned(),
            proxy,
            serving,
            _folder: folder,
        }
    }

    pub async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<(u16, Value)> {
        self.send_as(&self.token, method, path, body).await
    }

    pub async fn send_as(&self, token: &str, method: Method, path: &str, body: Option<&Value>) -> Result<(u16, Value)> {
        let response = self.ask(token, method, path, body).await?;
        let code = response.status().as_u16();
        let body = response.into_body().collect().await?.to_bytes();
        Ok((code, serde_json::from_slice(&body).context("parse the answer")?))
    }

    pub async fn watch(&self, path: &str) -> Events {
        let response = self
            .ask(&self.token, Method::GET, &format!("{path}?watch=true"), None)
            .await
            .unwrap();
        Events {
            body: response.into_body(),
            rest: Vec::new(),
        }
    }

    async fn ask(&self, token: &str, method: Method, path: &str, body: Option<&Value>) -> Result<Response<Incoming>> {
        let uri: Uri = format!("{}{path}", self.server).parse()?;
        let body = body.map(ToString::to_string).unwrap_or_default();
        let request = Request::builder()
            .method(method)
            .uri(uri)
            .header("authorization", format!("Bearer {token}"))
            .body(Full::new(Bytes::from(body)))?;
        Ok(self.client.request(request).await?)
    }
}
