//! Real packets: what a tenant's pod reaches and what it does not. Each refusal is of a listener that an unrestricted
//! pod reaches.

use std::{
    env,
    io::{Read, Write},
    net::{IpAddr, TcpListener},
    process::Command,
    sync::OnceLock,
    thread,
};

use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::{
    Api,
    api::{DeleteParams, PostParams},
};
use serde_json::{Value, json};
use support::{scene::unique, wait};

use crate::world::{World, end, small};

/// Addresses of a world outside the cluster, on the machine's end of the cluster's link: documentation addresses
/// (RFC 5737) and the one of cloud metadata services.
const ALLOWED: &str = "198.51.100.10";
const OTHER: &str = "198.51.100.11";
const METADATA: &str = "169.254.169.254";
const PORT: u16 = 18080;

/// Starts listeners that answer every connection with one line.
fn outside() {
    static STARTED: OnceLock<()> = OnceLock::new();
    STARTED.get_or_init(|| {
        let host = env::var("PINFOLD_TEST_HOST_ADDRESS").expect("PINFOLD_TEST_HOST_ADDRESS: run cargo xtask test e2e");
        let link = link_of(&host);
        for address in [ALLOWED, OTHER, METADATA] {
            let prefixed = format!("{address}/32");
            let done = Command::new("ip")
                .args(["addr", "replace", &prefixed, "dev", &link])
                .status()
                .unwrap();
            assert!(done.success(), "ip addr replace {prefixed} dev {link}");
            serve(address);
        }
        serve(&host);
    });
}

fn link_of(address: &str) -> String {
    let out = Command::new("ip").args(["-json", "addr"]).output().unwrap();
    let links: Value = serde_json::from_slice(&out.stdout).unwrap();
    let has = |link: &&Value| {
        link["addr_info"]
            .as_array()
            .unwrap()
            .iter()
            .any(|a| a["local"] == address)
    };
    links.as_array().unwrap().iter().find(has).unwrap()["ifname"]
        .as_str()
        .unwrap()
        .to_owned()
}

fn serve(address: &str) {
    let listener = TcpListener::bind((address.parse::<IpAddr>().unwrap(), PORT)).unwrap();
    thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            let mut connection = connection;
            let mut request = [0; 1024];
            let _ = connection.read(&mut request);
            let _ = connection.write_all(b"HTTP/1.0 200 OK\r\nContent-Length: 8\r\n\r\nreached\n");
        }
    });
}

/// Tries all targets at once and prints a line for each in turn: reached or not.
fn probe(targets: &[String]) -> String {
    let tries = targets.iter().enumerate().map(|(n, t)| {
        format!("(curl -sk -o /dev/null --connect-timeout 3 --max-time 4 {t} && echo '{t} reached' || echo '{t} not reached') > /tmp/{n} &")
    });
    let told = (0..targets.len()).map(|n| format!("cat /tmp/{n}"));
    let lines: Vec<String> = tries.chain(["wait".to_owned()]).chain(told).collect();
    lines.join("\n")
}

/// The same, but waits for each target to be there: what a Service stands for is programmed into the node a moment
/// after the agent is ready.
fn probe_until_reached(targets: &[String]) -> String {
    let attempt = |t: &String| {
        format!("until curl -sk -o /dev/null --connect-timeout 3 --max-time 4 {t}; do :; done; echo '{t} reached'")
    };
    targets.iter().map(attempt).collect::<Vec<_>>().join("\n")
}

/// What a pod without any policy reaches, from a namespace that belongs to no tenant.
async fn unrestricted(world: &World, targets: &[String]) -> String {
    let namespaces: Api<Namespace> = Api::all(world.client.clone());
    let name = format!("free-{}", unique());
    let namespace: Namespace = serde_json::from_value(json!({"metadata": {"name": name}})).unwrap();
    namespaces.create(&PostParams::default(), &namespace).await.unwrap();
    let pods: Api<Pod> = Api::namespaced(world.client.clone(), &name);
    let pod: Pod = serde_json::from_value(json!({
        "metadata": {"name": "free"},
        "spec": {
            "restartPolicy": "Never", "automountServiceAccountToken": false,
            "containers": [{"name": "c", "image": "pinfold.dev/sandbox-base:dev", "command": ["bash", "-c", probe_until_reached(targets)]}],
        },
    }))
    .unwrap();
    support::wait::until_true("the pod is admitted", async || {
        pods.create(&PostParams::default(), &pod).await.is_ok()
    })
    .await;
    let over = |p: &Pod| p.status.as_ref().and_then(|s| s.phase.as_deref()) == Some("Succeeded");
    wait::until(&pods, "free", "the probe is over", |p| p.is_some_and(over)).await;
    let log = pods.logs("free", &kube::api::LogParams::default()).await.unwrap();
    namespaces.delete(&name, &DeleteParams::background()).await.unwrap();
    log
}

fn lines(targets: &[String], end: &str) -> String {
    targets.iter().map(|t| [t, end, "\n"].concat()).collect()
}

#[tokio::test]
async fn a_tenants_pod_reaches_what_it_is_allowed_and_nothing_else() {
    outside();
    let var = |name: &str| env::var(name).unwrap();
    let egress =
        json!({"allowedEgress": [{"cidrs": [format!("{ALLOWED}/32"), "10.0.0.0/8"], "ports": [{"port": PORT}]}]});
    let (world, other) = tokio::join!(World::with(json!({"networkPolicy": egress})), World::new());
    let server = json!({
        "image": "pinfold.dev/sandbox-python:dev",
        "command": ["python3", "-m", "http.server", PORT.to_string()],
        "ports": [{"name": "http", "port": PORT}],
        "readinessProbe": {"tcpSocket": {"port": PORT}, "periodSeconds": 1},
        "resources": small(),
    });
    let (mine, theirs) = tokio::join!(world.agent("server", server.clone()), other.agent("server", server));
    let pod_address = async |of: &World| {
        let list = of
            .api::<Pod>()
            .list(&kube::api::ListParams::default().labels("pinfold.dev/agent=server"))
            .await
            .unwrap();
        list.items.into_iter().find_map(|p| p.status?.pod_ip).unwrap()
    };
    let own = [
        format!("http://{}/", mine.status.unwrap().address.unwrap()),
        format!("http://{}:{PORT}/", pod_address(&world).await),
        format!("http://{ALLOWED}:{PORT}/"),
    ];
    let neighbours = [
        format!("http://{}/", theirs.status.unwrap().address.unwrap()),
        format!("http://{}:{PORT}/", pod_address(&other).await),
    ];
    let outside = [
        format!("http://{OTHER}:{PORT}/"),
        format!("http://{METADATA}:{PORT}/"),
        format!("http://{}:{PORT}/", var("PINFOLD_TEST_HOST_ADDRESS")),
        format!("https://{}:6443/healthz", var("PINFOLD_TEST_API_ADDRESS")),
        "https://kubernetes.default.svc/healthz".to_owned(),
        format!("https://{}:10250/healthz", var("PINFOLD_TEST_NODE_ADDRESS")),
    ];
    let forbidden: Vec<String> = neighbours.iter().chain(&outside).cloned().collect();

    // What is refused below is there to be reached: by a pod without policy, or by a neighbour in its own namespace.
    assert_eq!(unrestricted(&world, &outside).await, lines(&outside, " reached"));
    let run_in = async |of: &World, code: String| {
        let spec = json!({"template": "base", "language": "bash", "code": code, "timeoutSeconds": 50});
        end(&of.run(spec).await).stdout
    };
    assert_eq!(
        run_in(&other, probe_until_reached(&neighbours)).await,
        lines(&neighbours, " reached")
    );
    // What is allowed is waited for, so that what is refused is refused by policies that are in force for this pod.
    // Traffic between a pod and its own node is allowed by the definition of the API, unless the plug-in refuses it
    // for the node's other addresses, as this one does.
    let code = format!("{}\n{}", probe_until_reached(&own), probe(&forbidden));
    let wanted = lines(&own, " reached") + &lines(&forbidden, " not reached");
    assert_eq!(run_in(&world, code).await, wanted);
}
