//! What runs.

use k8s_openapi::{
    api::{
        apps::v1::{Deployment, DeploymentSpec},
        core::v1::{
            Container, ContainerPort, PodSecurityContext, PodSpec, PodTemplateSpec, ResourceRequirements,
            SeccompProfile, SecretVolumeSource, Volume, VolumeMount,
        },
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
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
                    labels: Some(pod_labels(agent)),
                    ..ObjectMeta::default()
                }),
                spec: Some(PodSpec {
                    automount_service_account_token: Some(false),
                    containers: vec![container(agent)],
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
                    volumes: Some(vec![identity_volume(identity)]),
                    ..PodSpec::default()
                }),
            },
            ..DeploymentSpec::default()
        }),
        status: None,
    }
}

fn container(agent: &ValidatedAgent) -> Container {
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
        env: (!spec.env.is_empty()).then(|| spec.env.iter().map(pod_env).collect()),
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
        volume_mounts: Some(vec![VolumeMount {
            name: IDENTITY.to_owned(),
            mount_path: IDENTITY_MOUNT.to_owned(),
            read_only: Some(true),
            ..VolumeMount::default()
        }]),
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
