//! What runs.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::{
        apps::v1::{Deployment, DeploymentSpec},
        core::v1::{
            Container, ContainerPort, EnvVar, PodSecurityContext, PodSpec, PodTemplateSpec, ResourceRequirements,
            SeccompProfile, SecretVolumeSource, Volume, VolumeMount,
        },
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::ResourceExt;
use sandbox_protocol::env::escape_expansion;

use crate::{
    agent::{
        build::{label_selector, object_meta, pod_labels, probe, service_account},
        identity::{Identity, PRIVATE},
        validate::ValidatedAgent,
    },
    sandbox_run::build::{
        injection::security_context,
        pod::{amounts, pod_env},
    },
    workload_identity::{self, Grant},
};

/// Where the agent finds its private key.
pub const IDENTITY_MOUNT: &str = "/var/run/pinfold/identity";

const IDENTITY: &str = "pinfold-identity";

/// The Deployment.
pub fn build(agent: &ValidatedAgent, identity: &Identity) -> Deployment {
    let spec = &agent.agent.spec;
    Deployment {
        metadata: object_meta(agent, &agent.name),
        spec: Some(DeploymentSpec {
            progress_deadline_seconds: Some(300),
            replicas: Some(agent.replicas),
            revision_history_limit: Some(2),
            selector: label_selector(agent),
            template: PodTemplateSpec {
                metadata: Some(ObjectMeta {
                    labels: Some(labels(agent)),
                    ..ObjectMeta::default()
                }),
                spec: Some(PodSpec {
                    automount_service_account_token: Some(false),
                    containers: vec![container(agent, identity)],
                    enable_service_links: Some(false),
                    security_context: Some(PodSecurityContext {
                        fs_group: Some(spec.run_as_user),
                        run_as_non_root: Some(true),
                        run_as_user: Some(spec.run_as_user),
                        seccomp_profile: Some(SeccompProfile {
                            type_: "RuntimeDefault".to_owned(),
                            ..SeccompProfile::default()
                        }),
                        ..PodSecurityContext::default()
                    }),
                    service_account_name: Some(service_account::name(&agent.name)),
                    volumes: Some(volumes(agent, identity)),
                    ..PodSpec::default()
                }),
            },
            ..DeploymentSpec::default()
        }),
        status: None,
    }
}

fn labels(agent: &ValidatedAgent) -> BTreeMap<String, String> {
    let mut all = pod_labels(agent);
    all.extend(agent.workload.is_some().then(workload_identity::label));
    all
}

fn volumes(agent: &ValidatedAgent, identity: &Identity) -> Vec<Volume> {
    let workload = agent.workload.as_ref().map(Grant::volume);
    [identity_volume(identity)].into_iter().chain(workload).collect()
}

/// What the agent's program is told: who it is to the control-plane API, and what its spec says.
fn environment(agent: &ValidatedAgent, identity: &Identity) -> Vec<EnvVar> {
    let mut told = agent.workload.as_ref().map(Grant::environment).unwrap_or_default();
    if agent.workload.is_some() {
        told.extend(
            [
                ("PINFOLD_AGENT_ID", agent.agent.uid()),
                ("PINFOLD_AGENT_KEY_ID", identity.key_id().map(|id| id.to_string())),
            ]
            .map(|(name, value)| EnvVar {
                name: name.to_owned(),
                value,
                value_from: None,
            }),
        );
    }
    told.extend(agent.agent.spec.env.iter().map(pod_env));
    told
}

fn mounts(agent: &ValidatedAgent) -> Vec<VolumeMount> {
    let identity = VolumeMount {
        name: IDENTITY.to_owned(),
        mount_path: IDENTITY_MOUNT.to_owned(),
        read_only: Some(true),
        ..VolumeMount::default()
    };
    let workload = agent.workload.is_some().then(workload_identity::mount);
    [identity].into_iter().chain(workload).collect()
}

fn container(agent: &ValidatedAgent, identity: &Identity) -> Container {
    let spec = &agent.agent.spec;
    let words = |list: &[String]| -> Option<Vec<String>> {
        (!list.is_empty()).then(|| list.iter().map(|word| escape_expansion(word)).collect())
    };
    let ports = spec.ports.iter().map(|p| ContainerPort {
        name: Some(p.name.clone()),
        container_port: p.port,
        protocol: Some(p.protocol.as_str().to_owned()),
        ..ContainerPort::default()
    });
    Container {
        name: "agent".to_owned(),
        image: Some(spec.image.clone()),
        command: words(&spec.command),
        args: words(&spec.args),
        env: Some(environment(agent, identity)).filter(|told| !told.is_empty()),
        ports: (!spec.ports.is_empty()).then(|| ports.collect()),
        liveness_probe: spec.liveness_probe.as_ref().map(probe::build),
        readiness_probe: spec.readiness_probe.as_ref().map(probe::build),
        startup_probe: spec.startup_probe.as_ref().map(probe::build),
        resources: Some(ResourceRequirements {
            limits: Some(amounts(&agent.limits)),
            requests: Some(amounts(&agent.requests)),
            ..ResourceRequirements::default()
        }),
        security_context: Some(security_context(spec.run_as_user)),
        volume_mounts: Some(mounts(agent)),
        ..Container::default()
    }
}

/// The private key, and nothing else that the Secret may hold; readable by the agent's group alone.
fn identity_volume(identity: &Identity) -> Volume {
    Volume {
        name: IDENTITY.to_owned(),
        secret: Some(SecretVolumeSource {
            default_mode: Some(0o440),
            items: Some(vec![k8s_openapi::api::core::v1::KeyToPath {
                key: PRIVATE.to_owned(),
                path: PRIVATE.to_owned(),
                mode: None,
            }]),
            secret_name: Some(identity.status.secret_name.clone()),
            ..SecretVolumeSource::default()
        }),
        ..Volume::default()
    }
}
