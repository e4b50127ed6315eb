//! What happens to resources of ours, whoever does it: their metadata, as lists and watches show it. Unlike the mirror, who reads this goes
//! on where somebody else stopped, so that nothing is missed while no process runs.

use std::collections::BTreeMap;

use crds::{agent::Agent, labels, sandbox_run::SandboxRun, sandbox_template::SandboxTemplate, tenant::Tenant};
use domain::TenantId;
use futures::{Stream, StreamExt as _};
use jiff::Timestamp;
use kube::{
    Resource as _,
    api::{ApiResource, DynamicObject, ListParams, ObjectList, WatchParams},
    core::{Request, WatchEvent},
};
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use crate::{
    auth::opaque::sha256,
    cluster::{
        Cluster, ClusterError,
        mirror::{PAGE, WATCH},
        within,
    },
};

/// What is tried by a watch.
const ATTEMPT: &str = "watch what happens";

/// A kind that is observed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Observed {
    /// Agents.
    Agent,
    /// Runs.
    Run,
    /// Templates.
    Template,
    /// Tenants.
    Tenant,
}

impl Observed {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Agent, Self::Run, Self::Template, Self::Tenant];

    /// As it is stored, and as the audit log names it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Run => "run",
            Self::Template => "template",
            Self::Tenant => "tenant",
        }
    }

    fn resource(self) -> ApiResource {
        match self {
            Self::Agent => ApiResource::erase::<Agent>(&()),
            Self::Run => ApiResource::erase::<SandboxRun>(&()),
            Self::Template => ApiResource::erase::<SandboxTemplate>(&()),
            Self::Tenant => ApiResource::erase::<Tenant>(&()),
        }
    }
}

/// What a resource looks like from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looks {
    /// Where it is, unless it is the cluster's own.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// When it was made.
    pub made_at: Timestamp,
    /// The tenant whose row it says that it stands for.
    pub account: Option<TenantId>,
    /// The number of its specification.
    pub generation: i64,
    /// Over labels and annotations, the platform's own apart.
    pub metadata_hash: [u8; 32],
    /// The API's last change.
    pub change: Option<String>,
    /// Whether its end was asked for.
    pub is_ending: bool,
}

/// A resource, as it was at a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sight {
    /// Its UID.
    pub id: Uuid,
    /// Since when it looks so.
    pub version: u64,
    /// What it looks like.
    pub looks: Looks,
}

/// Something that a watch shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// A resource is so now.
    Now(Sight),
    /// A resource is gone; so it was.
    Gone(Sight),
    /// Nothing else happened up to this version.
    Nothing(u64),
}

impl Shown {
    /// The version at which it happened.
    pub const fn version(&self) -> u64 {
        match self {
            Self::Now(sight) | Self::Gone(sight) => sight.version,
            Self::Nothing(version) => *version,
        }
    }
}

/// A resource, as far as it is read. Of its metadata only what nobody but the API server forms: a user who writes what a stricter reader cannot
/// read would blind it for all.
#[derive(Debug, Clone, Deserialize)]
struct Metadata {
    #[serde(default)]
    metadata: Members,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Members {
    uid: Option<String>,
    resource_version: Option<String>,
    namespace: Option<String>,
    name: Option<String>,
    creation_timestamp: Option<String>,
    generation: Option<i64>,
    deletion_timestamp: Option<Value>,
    labels: Option<BTreeMap<String, String>>,
    annotations: Option<BTreeMap<String, String>>,
    finalizers: Option<Vec<String>>,
    owner_references: Option<Value>,
}

impl Cluster {
    /// Every resource of a kind, and the version of the list.
    pub async fn look(&self, kind: Observed) -> Result<(Vec<Sight>, u64), ClusterError> {
        let mut params = ListParams::default().limit(PAGE);
        let mut all = Vec::new();
        loop {
            let page = self.page(kind, &params).await?;
            all.extend(page.items.iter().filter_map(sight));
            let Some(token) = page.metadata.continue_.clone().filter(|token| !token.is_empty()) else {
                return Ok((all, version(&page)?));
            };
            params.continue_token = Some(token);
        }
    }

    /// The newest version of a kind.
    pub async fn newest(&self, kind: Observed) -> Result<u64, ClusterError> {
        version(&self.page(kind, &ListParams::default().limit(1)).await?)
    }

    async fn page(&self, kind: Observed, params: &ListParams) -> Result<ObjectList<Metadata>, ClusterError> {
        within("list what there is", async {
            let request = of(kind).list_metadata(params).map_err(kube::Error::BuildRequest)?;
            self.client.request(request).await
        })
        .await
    }

    /// What happens to resources of a kind from a version on, until the API server ends the watch.
    pub async fn observe(
        &self,
        kind: Observed,
        from: u64,
    ) -> Result<impl Stream<Item = Result<Shown, ClusterError>> + Send + use<>, ClusterError> {
        let params = WatchParams::default().timeout(WATCH);
        let events = within(ATTEMPT, async {
            let request = of(kind)
                .watch_metadata(&params, &from.to_string())
                .map_err(kube::Error::BuildRequest)?;
            self.watching.request_events::<Metadata>(request).await
        })
        .await?;
        Ok(events.filter_map(|event| {
            std::future::ready(match event {
                Ok(event) => shown(event).transpose(),
                Err(source) => Some(Err(ClusterError::new(ATTEMPT, source))),
            })
        }))
    }
}

fn of(kind: Observed) -> Request {
    Request::new(DynamicObject::url_path(&kind.resource(), None))
}

fn version(list: &ObjectList<Metadata>) -> Result<u64, ClusterError> {
    let version = list
        .metadata
        .resource_version
        .as_deref()
        .and_then(|text| text.parse().ok());
    version.ok_or(ClusterError::Version)
}

fn shown(event: WatchEvent<Metadata>) -> Result<Option<Shown>, ClusterError> {
    Ok(match event {
        WatchEvent::Added(resource) | WatchEvent::Modified(resource) => sight(&resource).map(Shown::Now),
        WatchEvent::Deleted(resource) => sight(&resource).map(Shown::Gone),
        WatchEvent::Bookmark(mark) => mark.metadata.resource_version.parse().ok().map(Shown::Nothing),
        WatchEvent::Error(status) => {
            return Err(ClusterError::Refused {
                attempt: ATTEMPT,
                status,
            });
        }
    })
}

/// Nothing of an object that the API server did not name as it names all: there is none.
fn sight(resource: &Metadata) -> Option<Sight> {
    let meta = &resource.metadata;
    let annotation = |key: &str| meta.annotations.as_ref()?.get(key);
    // What made it marks it as well: a replica of the release before knows of no changes.
    let change = annotation(labels::CHANGE).or_else(|| annotation(labels::REQUEST_ID));
    Some(Sight {
        id: Uuid::try_parse(meta.uid.as_deref()?).ok()?,
        version: meta.resource_version.as_deref()?.parse().ok()?,
        looks: Looks {
            namespace: meta.namespace.clone(),
            name: meta.name.clone()?,
            made_at: meta.creation_timestamp.as_deref()?.parse().ok()?,
            account: annotation(labels::OPERATION).and_then(|text| text.parse().ok()),
            generation: meta.generation.unwrap_or_default(),
            metadata_hash: hash(meta),
            change: change
                .filter(|text| text.bytes().all(|b| b.is_ascii_graphic()))
                .cloned(),
            is_ending: meta.deletion_timestamp.is_some(),
        },
    })
}

/// Over what its users write of its metadata. Whoever changes what counts sees to it that what is stored by another release is no change.
fn hash(meta: &Members) -> [u8; 32] {
    const STEERING: [&str; 2] = [labels::REPLACE_IDENTITY, labels::CONFIRM_DELETIONS];
    // Those of a deletion that waits for others: the garbage collector's.
    const COLLECTOR: [&str; 2] = ["foregroundDeletion", "orphan"];
    let is_theirs = |key: &str| !key.starts_with(labels::PREFIX) || STEERING.contains(&key);
    let pairs = |all: &Option<BTreeMap<String, String>>| {
        let all = all.iter().flatten().filter(|(key, _)| is_theirs(key));
        all.map(|(key, value)| (key.clone(), value.clone())).collect::<Vec<_>>()
    };
    let finalizers: Vec<&String> = meta
        .finalizers
        .iter()
        .flatten()
        .filter(|name| is_theirs(name) && !COLLECTOR.contains(&name.as_str()))
        .collect();
    let theirs = (
        pairs(&meta.labels),
        pairs(&meta.annotations),
        finalizers,
        &meta.owner_references,
    );
    // Texts are always JSON.
    sha256(&serde_json::to_vec(&theirs).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn metadata(more: &Value) -> Metadata {
        let mut meta = json!({
            "uid": "0198c5b4-5a0e-4000-8000-00000000000c", "resourceVersion": "17", "name": "answer", "namespace": "tenant-acme",
            "creationTimestamp": "2027-01-15T08:00:00Z", "generation": 2, "labels": {"team": "search"},
        });
        for (key, value) in more.as_object().unwrap() {
            meta[key] = value.clone();
        }
        serde_json::from_value(json!({"metadata": meta})).unwrap()
    }

    fn looks(more: &Value) -> Looks {
        sight(&metadata(more)).unwrap().looks
    }

    #[test]
    fn sees_what_users_write_and_what_the_api_did() {
        let plain = looks(&json!({}));
        let wanted = Looks {
            namespace: Some("tenant-acme".to_owned()),
            name: "answer".to_owned(),
            made_at: "2027-01-15T08:00:00Z".parse().unwrap(),
            account: None,
            generation: 2,
            metadata_hash: plain.metadata_hash,
            change: None,
            is_ending: false,
        };
        assert_eq!(plain, wanted);
        let ours = looks(&json!({"annotations": {"pinfold.dev/change": "c1", "pinfold.dev/audit-head": "{}"}}));
        assert_eq!(
            ours,
            Looks {
                change: Some("c1".to_owned()),
                ..wanted.clone()
            }
        );
        let made = looks(&json!({"annotations": {"pinfold.dev/request-id": "r1"}}));
        assert_eq!(
            made.change.as_deref(),
            Some("r1"),
            "made by a release that numbers no changes"
        );
        let nonsense = looks(&json!({"annotations": {"pinfold.dev/change": "c\u{0}"}}));
        assert_eq!(nonsense.change, None);
        let account = "00000000-0000-0000-0000-00000000000b";
        let linked = looks(&json!({"annotations": {"pinfold.dev/operation": account}}));
        assert_eq!(
            linked,
            Looks {
                account: account.parse().ok(),
                ..wanted.clone()
            }
        );
        let ending = looks(&json!({"deletionTimestamp": "2027-01-15T08:00:01Z"}));
        assert_eq!(
            ending,
            Looks {
                is_ending: true,
                ..wanted
            }
        );
    }

    #[test]
    fn labels_and_annotations_of_users_make_a_difference() {
        let of = |more| looks(&more).metadata_hash;
        let all = [
            of(json!({})),
            of(json!({"labels": {"team": "find"}})),
            of(json!({"labels": {}})),
            of(json!({"labels": {}, "annotations": {"team": "search"}})),
            of(json!({"annotations": {"pinfold.dev/replace-identity": "u"}})),
            of(json!({"finalizers": ["example.com/hold"]})),
            of(json!({"ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "u"}]})),
        ];
        assert_eq!(
            of(json!({"finalizers": ["pinfold.dev/result", "foregroundDeletion"]})),
            all[0]
        );
        for (place, one) in all.iter().enumerate() {
            assert!(!all[..place].contains(one), "{place}");
        }
    }

    /// Anybody may write what they like into the fields of others' managers.
    #[test]
    fn reads_what_a_strict_reader_cannot() {
        let odd = json!({"managedFields": [{"manager": "x", "time": "9999-12-31T23:59:59Z"}], "creationTimestamp": "2027-01-15T08:00:00Z"});
        assert_eq!(looks(&odd), looks(&json!({})));
        assert_eq!(sight(&serde_json::from_value(json!({"kind": "x"})).unwrap()), None);
    }

    #[test]
    fn a_watch_that_is_too_late_says_so() {
        let status = json!({"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"});
        let event = WatchEvent::Error(serde_json::from_value(status).unwrap());
        assert_eq!(shown(event).unwrap_err().code(), Some(410));
        let gone = shown(WatchEvent::Deleted(metadata(&json!({})))).unwrap().unwrap();
        assert!(matches!(&gone, Shown::Gone(sight) if sight.version == 17), "{gone:?}");
    }
}
