//! The volume with `sandboxd` in it, and what fills it.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::core::v1::{
        Capabilities, Container, EmptyDirVolumeSource, ImageVolumeSource, ResourceRequirements, SeccompProfile,
        SecurityContext, Volume, VolumeMount,
    },
    apimachinery::pkg::api::resource::Quantity,
};

use crate::{config::Platform, sandbox_run::build::Injected};

/// Where the volume is mounted.
pub const MOUNT: &str = "/pinfold";

/// `sandboxd` as the sandbox sees it.
pub const SANDBOXD: &str = "/pinfold/sandboxd";

const VOLUME: &str = "pinfold";

/// How `sandboxd` comes into a sandbox of this kind: the runtimes of today cannot map an image volume into another user
/// namespace.
pub fn within(host_users: bool, injected: Injected) -> Injected {
    if host_users { injected } else { Injected::InitContainer }
}

/// The volume that holds `sandboxd`.
pub fn volume(injected: Injected, platform: &Platform) -> Volume {
    let mut volume = Volume {
        name: VOLUME.to_owned(),
        ..Volume::default()
    };
    match injected {
        Injected::ImageVolume => {
            volume.image = Some(ImageVolumeSource {
                reference: Some(platform.sandboxd_image.clone()),
                pull_policy: platform.sandboxd_pull_policy.clone(),
            });
        }
        Injected::InitContainer => {
            volume.empty_dir = Some(EmptyDirVolumeSource {
                size_limit: Some(Quantity("16Mi".to_owned())),
                ..EmptyDirVolumeSource::default()
            });
        }
    }
    volume
}

/// The mount of that volume in the sandbox: read-only, so that no program can put another in its place.
pub fn mount() -> VolumeMount {
    VolumeMount {
        name: VOLUME.to_owned(),
        mount_path: MOUNT.to_owned(),
        read_only: Some(true),
        ..VolumeMount::default()
    }
}

/// The containers that fill the volume.
pub fn init_containers(injected: Injected, platform: &Platform, run_as_user: i64) -> Option<Vec<Container>> {
    if injected == Injected::ImageVolume {
        return None;
    }
    let amounts: BTreeMap<String, Quantity> = [("cpu", "100m"), ("memory", "32Mi"), ("ephemeral-storage", "32Mi")]
        .into_iter()
        .map(|(name, amount)| (name.to_owned(), Quantity(amount.to_owned())))
        .collect();
    Some(vec![Container {
        name: "pinfold-init".to_owned(),
        image: Some(platform.sandboxd_image.clone()),
        image_pull_policy: platform.sandboxd_pull_policy.clone(),
        command: Some(vec!["/sandboxd".to_owned(), "install".to_owned(), SANDBOXD.to_owned()]),
        resources: Some(ResourceRequirements {
            limits: Some(amounts.clone()),
            requests: Some(amounts),
            ..ResourceRequirements::default()
        }),
        security_context: Some(security_context(run_as_user)),
        volume_mounts: Some(vec![VolumeMount {
            read_only: None,
            ..mount()
        }]),
        ..Container::default()
    }])
}

/// What every container of ours may do: what Pod Security `restricted` demands, and a fixed user.
pub fn security_context(run_as_user: i64) -> SecurityContext {
    SecurityContext {
        allow_privilege_escalation: Some(false),
        capabilities: Some(Capabilities {
            drop: Some(vec!["ALL".to_owned()]),
            ..Capabilities::default()
        }),
        privileged: Some(false),
        run_as_non_root: Some(true),
        run_as_user: Some(run_as_user),
        seccomp_profile: Some(SeccompProfile {
            type_: "RuntimeDefault".to_owned(),
            ..SeccompProfile::default()
        }),
        ..SecurityContext::default()
    }
}
