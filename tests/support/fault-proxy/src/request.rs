//! What a request asks for, read off its method, path and body.

use http::Method;
use serde_json::Value;

/// The verb, as Kubernetes' authorization names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verb {
    /// One object is read.
    Get,
    /// All objects of a kind are read.
    List,
    /// Changes are followed.
    Watch,
    /// An object is made.
    Create,
    /// An object is replaced.
    Update,
    /// An object is changed, or made by server-side apply.
    Patch,
    /// An object is deleted.
    Delete,
    /// Many objects are deleted.
    DeleteCollection,
}

impl Verb {
    /// Whether the verb changes something.
    pub fn writes(self) -> bool {
        !matches!(self, Self::Get | Self::List | Self::Watch)
    }
}

/// What a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestInfo {
    /// The verb.
    pub verb: Verb,
    /// API group; empty for the core group.
    pub group: String,
    /// API version.
    pub version: String,
    /// Resource, in the plural.
    pub resource: String,
    /// Namespace; `None` for cluster-scoped objects and requests over all namespaces.
    pub namespace: Option<String>,
    /// The object's name, from the path or, when it is made, from the body.
    pub name: Option<String>,
    /// Subresource.
    pub subresource: Option<String>,
    /// Field manager, if the request names one.
    pub field_manager: Option<String>,
    /// Path and query, as they came.
    pub uri: String,
}

impl RequestInfo {
    /// Reads a request; `None` if it does not concern resources.
    pub fn parse(method: &Method, path: &str, query: &str, body: &[u8]) -> Option<Self> {
        let segments: Vec<&str> = path.split('/').filter(|s| !s.is_empty()).collect();
        let (group, version, rest) = match segments.as_slice() {
            ["api", version, rest @ ..] => ("", *version, rest),
            ["apis", group, version, rest @ ..] => (*group, *version, rest),
            _ => return None,
        };
        let (namespace, rest) = match rest {
            // `namespaces/<name>` and its own subresources are about the namespace itself.
            ["namespaces", _] | ["namespaces", _, "status" | "finalize"] => (None, rest),
            ["namespaces", namespace, rest @ ..] => (Some((*namespace).to_owned()), rest),
            _ => (None, rest),
        };
        let resource = (*rest.first()?).to_owned();
        let mut name = rest.get(1).map(|s| (*s).to_owned());
        let subresource = rest.get(2..).filter(|s| !s.is_empty()).map(|s| s.join("/"));
        let watches = parameter(query, "watch").is_some_and(|v| v == "true" || v == "1");
        let verb = match *method {
            Method::GET if watches => Verb::Watch,
            Method::GET if name.is_none() => Verb::List,
            Method::GET => Verb::Get,
            Method::POST => Verb::Create,
            Method::PUT => Verb::Update,
            Method::PATCH => Verb::Patch,
            Method::DELETE if name.is_none() => Verb::DeleteCollection,
            Method::DELETE => Verb::Delete,
            _ => return None,
        };
        if verb == Verb::Create && name.is_none() {
            let object: Value = serde_json::from_slice(body).unwrap_or_default();
            name = object["metadata"]["name"].as_str().map(str::to_owned);
        }
        Some(Self {
            verb,
            group: group.to_owned(),
            version: version.to_owned(),
            resource,
            namespace,
            name,
            subresource,
            field_manager: parameter(query, "fieldManager").map(str::to_owned),
            uri: if query.is_empty() {
                path.to_owned()
            } else {
                format!("{path}?{query}")
            },
        })
    }

    /// Whether the request changes something that outlives the client: leases and events apart.
    pub fn is_write(&self) -> bool {
        self.verb.writes() && self.resource != "leases" && self.resource != "events"
    }
}

fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query
        .split('&')
        .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}
