//! Plays the kubelet: a control plane without nodes starts and ends no pod by itself.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::{
    api::{
        coordination::v1::{Lease, LeaseSpec},
        core::v1::{Node, Pod},
    },
    apimachinery::pkg::apis::meta::v1::MicroTime,
};
use kube::{
    Api, Client,
    api::{DeleteParams, Patch, PatchParams, PostParams},
};
use sandbox_protocol::{Outcome, Phase, RunResult, StreamTail};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

const NODE_LEASES: &str = "kube-node-lease";

/// A node that exists on paper, with its kubelet.
pub struct Kubelet {
    client: Client,
    node: String,
    heartbeat: JoinHandle<()>,
}

impl Drop for Kubelet {
    fn drop(&mut self) {
        self.heartbeat.abort();
    }
}

impl Kubelet {
    /// Registers the node and keeps it alive.
    pub async fn start(client: Client, id: &str) -> Self {
        let node = format!("node-{id}");
        let nodes: Api<Node> = Api::all(client.clone());
        let object = serde_json::from_value(json!({"metadata": {"name": node}})).expect("a node");
        nodes
            .create(&PostParams::default(), &object)
            .await
            .expect("register the node");
        let now = Timestamp::now();
        let status = json!({"status": {"conditions": [{
            "type": "Ready", "status": "True", "reason": "Played", "message": "played by a test",
            "lastHeartbeatTime": second(now), "lastTransitionTime": second(now),
        }]}});
        nodes
            .patch_status(&node, &PatchParams::default(), &Patch::Merge(status))
            .await
            .expect("the node is ready");
        let heartbeat = tokio::spawn(beat(client.clone(), node.clone()));
        Self {
            client,
            node,
            heartbeat,
        }
    }

    /// The scheduler's part: the pod belongs to this node.
    pub async fn place(&self, namespace: &str, pod: &str) {
        let binding = json!({
            "apiVersion": "v1", "kind": "Binding",
            "metadata": {"name": pod}, "target": {"apiVersion": "v1", "kind": "Node", "name": self.node},
        });
        let pods = self.pods(namespace);
        let _: Value = pods
            .create_subresource("binding", pod, &PostParams::default(), &binding)
            .await
            .expect("bind the pod");
    }

    /// The container runs and is ready.
    pub async fn run(&self, namespace: &str, pod: &str) {
        let now = second(Timestamp::now());
        self.status(
            namespace,
            pod,
            &json!({
                "phase": "Running",
                "podIP": "10.9.8.7", "podIPs": [{"ip": "10.9.8.7"}],
                "startTime": now,
                "conditions": [
                    {"type": "PodScheduled", "status": "True"},
                    {"type": "Ready", "status": "True", "lastTransitionTime": now},
                ],
                "containerStatuses": [container(&json!({"running": {"startedAt": now}}), true)],
            }),
        )
        .await;
    }

    /// The container waits for this reason.
    pub async fn hold(&self, namespace: &str, pod: &str, reason: &str, message: &str) {
        self.status(
            namespace,
            pod,
            &json!({
                "phase": "Pending",
                "containerStatuses": [container(&json!({"waiting": {"reason": reason, "message": message}}), false)],
            }),
        )
        .await;
    }

    /// The container has ended with what `sandboxd` wrote down.
    pub async fn end(&self, namespace: &str, pod: &str, result: &RunResult) {
        let code = result
            .outcome
            .as_ref()
            .map_or(137, |outcome| i32::from(outcome.exit_code()));
        let reason = if code == 0 { "Completed" } else { "Error" };
        self.end_as(namespace, pod, code, reason, &result.encode()).await;
    }

    /// The container has ended with this code, reason and message.
    pub async fn end_as(&self, namespace: &str, pod: &str, code: i32, reason: &str, message: &str) {
        let now = second(Timestamp::now());
        // Before what `result` claims for the program.
        let started = second(Timestamp::now() - jiff::SignedDuration::from_secs(2));
        let state = json!({"terminated": {
            "exitCode": code, "reason": reason, "message": message, "startedAt": started, "finishedAt": now,
        }});
        self.status(
            namespace,
            pod,
            &json!({
                "phase": if code == 0 { "Succeeded" } else { "Failed" },
                "conditions": [{"type": "Ready", "status": "False", "lastTransitionTime": now}],
                "containerStatuses": [container(&state, false)],
            }),
        )
        .await;
    }

    /// The pod is over for a reason of the node's; its container has left nothing.
    pub async fn fail(&self, namespace: &str, pod: &str, reason: &str, message: &str) {
        self.status(
            namespace,
            pod,
            &json!({"phase": "Failed", "reason": reason, "message": message}),
        )
        .await;
    }

    /// What a kubelet does when a deleted pod has ended: the object goes, as soon as nothing holds it.
    pub async fn remove(&self, namespace: &str, pod: &str) {
        let parameters = DeleteParams::default().grace_period(0);
        match self.pods(namespace).delete(pod, &parameters).await {
            Err(kube::Error::Api(answer)) if answer.code == 404 => {}
            other => drop(other.expect("remove the pod")),
        }
    }

    async fn status(&self, namespace: &str, pod: &str, status: &Value) {
        let patch = Patch::Strategic(json!({"status": status}));
        self.pods(namespace)
            .patch_status(pod, &PatchParams::default(), &patch)
            .await
            .expect("set the pod's status");
    }

    fn pods(&self, namespace: &str) -> Api<Pod> {
        Api::namespaced(self.client.clone(), namespace)
    }
}

fn container(state: &Value, ready: bool) -> Value {
    json!({
        "name": "sandbox", "image": "x", "imageID": "x", "restartCount": 0,
        "ready": ready, "started": ready, "state": state,
    })
}

/// What `sandboxd` writes when a program has ended like this.
pub fn result(outcome: Outcome, stdout: &str, stderr: &str) -> RunResult {
    let now = u64::try_from(Timestamp::now().as_millisecond()).unwrap_or_default();
    let stream = |text: &str| StreamTail {
        tail: text.as_bytes().to_vec(),
        total_bytes: text.len() as u64,
    };
    RunResult {
        phase: Phase::Done,
        outcome: Some(outcome),
        started_at_ms: Some(now - 1204),
        finished_at_ms: Some(now),
        stdout: stream(stdout),
        stderr: stream(stderr),
    }
}

/// The node controller takes a node for lost whose lease is not renewed.
async fn beat(client: Client, node: String) {
    let leases: Api<Lease> = Api::namespaced(client, NODE_LEASES);
    loop {
        let lease = Lease {
            metadata: kube::core::ObjectMeta {
                name: Some(node.clone()),
                ..Default::default()
            },
            spec: Some(LeaseSpec {
                holder_identity: Some(node.clone()),
                lease_duration_seconds: Some(40),
                renew_time: Some(MicroTime(Timestamp::now())),
                ..LeaseSpec::default()
            }),
        };
        // One that is missed is made up for by the next.
        let _ = leases
            .patch(&node, &PatchParams::apply("suite").force(), &Patch::Apply(&lease))
            .await;
        // As kubelets do: a quarter of the lease.
        tokio::time::sleep(Duration::from_secs(10)).await;
    }
}

fn second(at: Timestamp) -> String {
    Timestamp::from_second(at.as_second()).unwrap_or(at).to_string()
}
