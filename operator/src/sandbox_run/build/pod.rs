//! The pod of a run.

use std::collections::BTreeMap;

use crds::{
    common::EnvVar,
    labels::{self, component},
};
use domain::Quantity as Amount;
use k8s_openapi::{
    api::core::v1::{
        Container, EmptyDirVolumeSource, EnvVar as PodEnvVar, EnvVarSource, ExecAction, Pod, PodSecurityContext,
        PodSpec, Probe, ResourceRequirements, SeccompProfile, SecretKeySelector, Volume, VolumeMount,
    },
    apimachinery::pkg::api::resource::Quantity,
};
use sandbox_protocol::{FINISH_SECONDS, env::escape_expansion};

use crate::{
    cluster::meta,
    config::Platform,
    sandbox_run::{
        GRACE_SECONDS,
        build::{Injected, injection},
        validate::{Program, ValidatedRun},
    },
    tenant::build::service_account::SANDBOX,
    workload_identity::{self, Grant},
};

/// Name of the sandbox's container.
pub const CONTAINER: &str = "sandbox";

const SCRATCH: &str = "tmp";

/// Builds the pod. It is made by POST, once; nothing here may depend on anything but the arguments.
pub fn build(run: &ValidatedRun, program: &Program, injected: Injected, platform: &Platform) -> Pod {
    let mut labels = meta::labels(component::SANDBOX, &run.tenant);
    labels.insert(labels::RUN.to_owned(), run.name.clone());
    // An API server that does not know the field drops it without a word; the admission policy then misses it.
    let host_users = (!run.host_users).then_some(false);
    if host_users.is_some() {
        labels.insert(labels::USER_NAMESPACE.to_owned(), labels::REQUIRED.to_owned());
    }
    labels.extend(run.workload.is_some().then(workload_identity::label));
    let injected = injection::within(run.host_users, injected);
    let mut metadata = meta::child(
        meta::run_pod_name(&run.uid),
        Some(&run.namespace),
        labels,
        run.owner.clone(),
    );
    // Holds the pod, however it is deleted, until its result is stored.
    metadata.finalizers = Some(vec![labels::RESULT_FINALIZER.to_owned()]);
    Pod {
        metadata,
        spec: Some(PodSpec {
            active_deadline_seconds: Some(run.active_deadline_seconds),
            automount_service_account_token: Some(false),
            containers: vec![container(run, program)],
            enable_service_links: Some(false),
            host_users,
            init_containers: injection::init_containers(injected, platform, run.run_as_user),
            restart_policy: Some("Never".to_owned()),
            runtime_class_name: run.runtime_class.clone(),
            security_context: Some(PodSecurityContext {
                fs_group: Some(run.run_as_user),
                run_as_non_root: Some(true),
                run_as_user: Some(run.run_as_user),
                seccomp_profile: Some(SeccompProfile {
                    type_: "RuntimeDefault".to_owned(),
                    ..SeccompProfile::default()
                }),
                ..PodSecurityContext::default()
            }),
            service_account_name: Some(SANDBOX.to_owned()),
            // sandboxd ends what is left and writes the result down after the program's own grace.
            termination_grace_period_seconds: Some(i64::from(GRACE_SECONDS + FINISH_SECONDS)),
            volumes: Some(volumes(run, injected, platform)),
            ..PodSpec::default()
        }),
        status: None,
    }
}

fn container(run: &ValidatedRun, program: &Program) -> Container {
    Container {
        name: CONTAINER.to_owned(),
        image: Some(run.image.clone()),
        command: Some(vec![injection::SANDBOXD.to_owned(), "run".to_owned()]),
        env: Some(environment(run, program)),
        resources: Some(ResourceRequirements {
            limits: Some(amounts(&run.limits)),
            requests: Some(amounts(&run.requests)),
            ..ResourceRequirements::default()
        }),
        security_context: Some(injection::security_context(run.run_as_user)),
        startup_probe: run.has_ready_probe.then(|| ready_probe(run.start_timeout_seconds)),
        termination_message_policy: Some("File".to_owned()),
        volume_mounts: Some(mounts(run)),
        ..Container::default()
    }
}

fn volumes(run: &ValidatedRun, injected: Injected, platform: &Platform) -> Vec<Volume> {
    let workload = run.workload.as_ref().map(Grant::volume);
    [injection::volume(injected, platform), scratch()]
        .into_iter()
        .chain(workload)
        .collect()
}

fn mounts(run: &ValidatedRun) -> Vec<VolumeMount> {
    let scratch = VolumeMount {
        name: SCRATCH.to_owned(),
        mount_path: "/tmp".to_owned(),
        ..VolumeMount::default()
    };
    let workload = run.workload.is_some().then(workload_identity::mount);
    [injection::mount(), scratch].into_iter().chain(workload).collect()
}

/// Who the program is to the control-plane API, the user's environment, escaped so that the kubelet's expansion gives it back
/// unchanged, then the input.
fn environment(run: &ValidatedRun, program: &Program) -> Vec<PodEnvVar> {
    let told = run.workload.as_ref().map(Grant::environment).unwrap_or_default();
    let user = program.env.iter().map(pod_env);
    let input = program.input.iter().map(|(name, value)| PodEnvVar {
        name: (*name).to_owned(),
        value: Some(value.clone()),
        value_from: None,
    });
    told.into_iter().chain(user).chain(input).collect()
}

/// An environment variable as the kubelet has to see it.
pub fn pod_env(variable: &EnvVar) -> PodEnvVar {
    PodEnvVar {
        name: variable.name.clone(),
        value: variable.value.as_deref().map(escape_expansion),
        value_from: variable.value_from.as_ref().map(|source| EnvVarSource {
            secret_key_ref: Some(SecretKeySelector {
                name: source.secret_key_ref.name.clone(),
                key: source.secret_key_ref.key.clone(),
                optional: Some(source.secret_key_ref.optional),
            }),
            ..EnvVarSource::default()
        }),
    }
}

/// Amounts in canonical form, as the API server writes them.
pub fn amounts(amounts: &BTreeMap<String, Amount>) -> BTreeMap<String, Quantity> {
    amounts
        .iter()
        .map(|(name, amount)| (name.clone(), Quantity(amount.to_string())))
        .collect()
}

/// A start-up probe: once it has succeeded it is asked no more, so a busy sandbox does not turn unready. `sandboxd` and the
/// operator hold the deadline; the kubelet must not end the container before them.
fn ready_probe(start_timeout_seconds: i32) -> Probe {
    Probe {
        exec: Some(ExecAction {
            command: Some(vec![injection::SANDBOXD.to_owned(), "ready".to_owned()]),
        }),
        period_seconds: Some(1),
        timeout_seconds: Some(5),
        failure_threshold: Some(start_timeout_seconds.saturating_mul(2).saturating_add(60)),
        ..Probe::default()
    }
}

/// A place to write that any user can write to, whatever the image holds.
fn scratch() -> Volume {
    Volume {
        name: SCRATCH.to_owned(),
        empty_dir: Some(EmptyDirVolumeSource::default()),
        ..Volume::default()
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_yaml_snapshot;

    use super::*;
    use crate::testing::{program, validated_run};

    const TEMPLATE: &str = r"
image: pinfold.dev/sandbox-python:1
runAsUser: 1000
workdir: /home/user
env:
  - {name: FROM_TEMPLATE, value: a}
  - {name: BOTH, value: template}
startCommand: [/bin/serve]
readyProbe: {command: [/bin/ready]}
resources: {limits: {cpu: '1', memory: 512Mi}}
";

    fn built(spec: &str, template: Option<&str>, injected: Injected) -> Pod {
        build(
            &validated_run(spec, template, "{runtimeClasses: {allowed: [gvisor]}}").unwrap(),
            &program(spec, template).unwrap(),
            injected,
            &Platform::for_tests(),
        )
    }

    #[test]
    fn the_pod_of_a_run_with_a_template() {
        let spec = r"
template: python
code: print(1)
language: python
stdin: hello
timeoutSeconds: 60
runtimeClassName: gvisor
env:
  - {name: BOTH, value: 'run $$ $(HOME)'}
  - {name: SECRET, valueFrom: {secretKeyRef: {name: mine, key: k, optional: true}}}
resources: {requests: {cpu: 100m}}
";
        assert_yaml_snapshot!("with-template", built(spec, Some(TEMPLATE), Injected::ImageVolume));
    }

    #[test]
    fn the_pod_of_a_run_with_an_image_and_an_init_container() {
        let spec = "{image: busybox, command: [/bin/true]}";
        assert_yaml_snapshot!("with-image", built(spec, None, Injected::InitContainer));
    }

    #[test]
    fn the_pod_of_a_run_that_demands_a_user_namespace() {
        let template = "{image: busybox, hostUsers: false}";
        let pod = built("{template: python}", Some(template), Injected::ImageVolume);
        assert_eq!(
            pod.metadata.labels.as_ref().unwrap()[labels::USER_NAMESPACE],
            "required"
        );
        let spec = pod.spec.unwrap();
        assert_eq!(spec.host_users, Some(false));
        assert!(
            spec.volumes.unwrap()[0].empty_dir.is_some(),
            "injected by an init container"
        );
    }

    #[test]
    fn the_pod_of_a_run_that_proves_itself() {
        let template = "{image: busybox, workloadIdentity: true}";
        let pod = built("{template: python}", Some(template), Injected::ImageVolume);
        assert_eq!(
            pod.metadata.labels.as_ref().unwrap()[labels::WORKLOAD_IDENTITY],
            "enabled"
        );
        let spec = pod.spec.unwrap();
        assert_eq!(spec.automount_service_account_token, Some(false));
        let container = &spec.containers[0];
        let told: Vec<(&str, Option<&str>)> = container.env.as_ref().unwrap()[..2]
            .iter()
            .map(|variable| (variable.name.as_str(), variable.value.as_deref()))
            .collect();
        let file = Some("/var/run/pinfold/workload/token");
        assert_eq!(
            told,
            [
                ("PINFOLD_WORKLOAD_TOKEN_FILE", file),
                ("PINFOLD_ISSUER", Some("https://pinfold.example"))
            ]
        );
        assert_yaml_snapshot!("workload-volume", spec.volumes.unwrap().last());
        assert_yaml_snapshot!("workload-mount", container.volume_mounts.as_ref().unwrap().last());
    }

    #[test]
    fn the_input_is_what_sandboxd_reads() {
        let pod = built(
            "{image: x, command: [a, b], stdin: '$(X)'}",
            None,
            Injected::ImageVolume,
        );
        let env = pod.spec.unwrap().containers.remove(0).env.unwrap();
        let input = sandbox_protocol::RunInput::decode(|name| {
            env.iter()
                .find(|e| e.name == name)
                .and_then(|e| e.value.clone())
                .map(String::into_bytes)
        })
        .unwrap();
        assert_eq!(input.command, Some(vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(input.stdin, Some(b"$(X)".to_vec()));
        assert_eq!(input.spec.run_uid, "uid-of-answer");
        assert_eq!(
            (input.spec.timeout_seconds, input.spec.grace_seconds),
            (300, GRACE_SECONDS)
        );
    }
}
