//! The token by which a pod proves to the control-plane API what it is. The kubelet makes it for that API alone, renews it, and it
//! is worth nothing once the pod is gone; so no key need be stored in the pod.

use std::collections::BTreeMap;

use crds::labels;
use k8s_openapi::api::core::v1::{
    EnvVar, ProjectedVolumeSource, ServiceAccountTokenProjection, Volume, VolumeMount, VolumeProjection,
};
use sandbox_protocol::env;
use serde::Deserialize;

/// Where a pod finds its token; the file is called [`FILE`].
const MOUNT: &str = "/var/run/pinfold/workload";

/// The file in [`MOUNT`].
const FILE: &str = "token";

/// The name of the volume: the admission policy admits it by this name and by its whole content.
const VOLUME: &str = "pinfold-workload";

/// How long a token is valid, in seconds; the kubelet renews it after four fifths of that.
const LIFETIME: i64 = 3600;

/// The control-plane API, as pods prove themselves to it and reach it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WorkloadIdentity {
    /// What the API calls itself: the audience of the tokens.
    pub audience: String,
    /// The namespace of its pods.
    pub namespace: String,
    /// The labels of its pods.
    pub pod_labels: BTreeMap<String, String>,
    /// The port that its pods listen on.
    pub port: i32,
}

/// What a pod gets whose workload may prove what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Who the token is for.
    pub audience: String,
}

impl WorkloadIdentity {
    /// The grant for what asks for one; an error if this installation has no API.
    pub fn grant(wanted: bool, known: Option<&Self>) -> Result<Option<Grant>, String> {
        if !wanted {
            return Ok(None);
        }
        let known = known.ok_or_else(|| {
            "workloadIdentity: this installation runs no control-plane API (api.enabled of the chart), so nobody could be \
             shown the token; leave it out"
                .to_owned()
        })?;
        Ok(Some(Grant {
            audience: known.audience.clone(),
        }))
    }
}

impl Grant {
    /// The volume with the token.
    pub fn volume(&self) -> Volume {
        Volume {
            name: VOLUME.to_owned(),
            projected: Some(ProjectedVolumeSource {
                sources: Some(vec![VolumeProjection {
                    service_account_token: Some(ServiceAccountTokenProjection {
                        audience: Some(self.audience.clone()),
                        expiration_seconds: Some(LIFETIME),
                        path: FILE.to_owned(),
                    }),
                    ..VolumeProjection::default()
                }]),
                ..ProjectedVolumeSource::default()
            }),
            ..Volume::default()
        }
    }

    /// What the program is told: where its token is, and who it is for.
    pub fn environment(&self) -> Vec<EnvVar> {
        [
            (env::WORKLOAD_TOKEN_FILE, format!("{MOUNT}/{FILE}")),
            (env::ISSUER, self.audience.clone()),
        ]
        .map(|(name, value)| EnvVar {
            name: name.to_owned(),
            value: Some(value),
            value_from: None,
        })
        .into()
    }
}

/// The mount of the volume.
pub fn mount() -> VolumeMount {
    VolumeMount {
        name: VOLUME.to_owned(),
        mount_path: MOUNT.to_owned(),
        read_only: Some(true),
        ..VolumeMount::default()
    }
}

/// The label of a pod that has a grant: what opens the way to the API for it.
pub fn label() -> (String, String) {
    (labels::WORKLOAD_IDENTITY.to_owned(), labels::ENABLED.to_owned())
}
