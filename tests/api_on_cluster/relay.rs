//! AP-15: what was stored to be done in the cluster is done once and in order, whatever becomes of an answer or of the worker that
//! waits for it.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use crds::{labels, tenant::Tenant};
use fault_proxy::{FaultProxy, Rule, Verb};
use futures::{StreamExt as _, stream};
use kube::{Api, ResourceExt as _};
use serde_json::json;
use support::{
    api::{Client, Person},
    cluster, wait,
};

use crate::stage::Stage;

/// How many people make tenants at once; each owns twenty at most at a time.
const AT_ONCE: usize = 4;

/// What goes wrong with a request to the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Nothing,
    /// It is done, and nobody hears of it.
    AnswerLost,
    /// It is not done.
    Refused,
    /// It takes so long that another worker does it as well.
    Twice,
}

const FAULTS: [Fault; 4] = [Fault::Nothing, Fault::AnswerLost, Fault::Refused, Fault::Twice];

/// What is asked for, one after the other; the cluster may lag behind. A name is had once, so nothing follows an end.
const STEPS: [&[Verb]; 2] = [&[Verb::Create], &[Verb::Create, Verb::Delete]];

struct World {
    stage: Stage,
    proxy: FaultProxy,
    tenants: Api<Tenant>,
    /// How often a Tenant was asked for by two workers.
    twice: AtomicUsize,
}

impl World {
    async fn ask(&self, owner: &Person, client: &Client, name: &str, step: Verb, fault: Fault) {
        let rule = Rule::on(step, "tenants").named(name).times(1);
        match fault {
            Fault::Nothing => {}
            Fault::AnswerLost => drop(self.proxy.add(rule.lose_reply())),
            Fault::Refused => drop(self.proxy.add(rule.refuse(503, "away"))),
            // Workers look every two seconds.
            Fault::Twice => drop(self.proxy.add(rule.delay(Duration::from_secs(3)))),
        }
        let answer = match step {
            Verb::Create => owner.post(client, "/v1/tenants", &json!({"name": name})).await,
            _ => owner.send(client, "DELETE", &format!("/v1/tenants/{name}"), None).await,
        };
        assert!(answer.status.is_success(), "{step:?} {name}: {:?}", answer.body);
        if fault == Fault::Twice {
            wait::until_true("a worker is at it, or has nothing to do", async || {
                self.asked(step, name) > 0 || self.stage.is_done(name).await
            })
            .await;
            self.stage.let_go(name).await;
        }
    }

    /// Requests of a Tenant that have no answer yet.
    fn under_way(&self, name: &str) -> usize {
        let records = self.proxy.records();
        let open = records.iter().filter(|r| r.answered.is_none() && r.told.is_none());
        open.filter(|r| r.request.resource == "tenants" && r.request.name.as_deref() == Some(name))
            .count()
    }

    /// How often the cluster was asked to do this with a Tenant.
    fn asked(&self, verb: Verb, name: &str) -> usize {
        let records = self.proxy.records();
        let of = records.iter().map(|record| &record.request);
        of.filter(|asked| asked.verb == verb && asked.resource == "tenants" && asked.name.as_deref() == Some(name))
            .count()
    }

    /// One tenant, with what goes wrong by its number.
    async fn plan(&self, number: usize, owner: &Person) {
        let name = format!("relay-{number}-{:08x}", rand::random::<u32>());
        let steps = STEPS[number % 2];
        let clients = [&self.stage.one.client, &self.stage.two.client];
        for (i, step) in steps.iter().enumerate() {
            let fault = FAULTS[number / if i == 0 { 2 } else { 8 } % 4];
            self.ask(owner, clients[(number + i) % 2], &name, *step, fault).await;
        }
        wait::until_true("no request is under way", async || self.under_way(&name) == 0).await;
        let wanted = if steps.len() == 1 {
            let shown = owner.get(clients[0], &format!("/v1/tenants/{name}")).await;
            Some(shown.body["id"].as_str().unwrap_or_default().to_owned())
        } else {
            None
        };
        // A request that came late may have made one that is being taken away again.
        let what = format!("the cluster has what was asked for last of {name}, and nothing is left to do");
        wait::until_true(&what, async || {
            let there = self.tenants.get_opt(&name).await.expect("read the Tenant");
            let of = there.map(|tenant| tenant.annotations()[labels::OPERATION].clone());
            of == wanted && self.stage.is_done(&name).await
        })
        .await;
        let asked = self.asked(Verb::Create, &name);
        self.twice.fetch_add(usize::from(asked > 1), Ordering::Relaxed);
        let made = self
            .proxy
            .records()
            .iter()
            .filter(|r| r.created() && r.request.name.as_deref() == Some(&name))
            .count();
        // What was taken back before anybody came to it is not made; what a worker that was given up asked for may be, after the end.
        let (least, late) = (
            usize::from(wanted.is_some()),
            usize::from(wanted.is_none() && asked > 1),
        );
        assert!((least..=1 + late).contains(&made), "{name}: made {made} times");
        if wanted.is_some() {
            self.ask(owner, clients[0], &name, Verb::Delete, Fault::Nothing).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_for_is_done_once_and_in_order() {
    // 32: every sequence with every fault.
    let plans = if support::full() { 1_000 } else { 32 };
    let proxy = FaultProxy::builder(&cluster::kubeconfig("admin"))
        .start()
        .await
        .expect("start a proxy");
    let stage = Stage::with([("KUBECONFIG", proxy.kubeconfig().display().to_string())]).await;
    let tenants = Api::all(stage.admin.clone());
    let world = World {
        stage,
        proxy,
        tenants,
        twice: AtomicUsize::new(0),
    };
    let mut owners = Vec::new();
    for number in 0..AT_ONCE {
        owners.push(world.stage.person(&format!("owner-{number}@example.com")).await);
    }
    let (world, owners) = (&world, &owners);
    stream::iter(0..AT_ONCE)
        .for_each_concurrent(None, async |owner| {
            for number in (owner..plans).step_by(AT_ONCE) {
                world.plan(number, &owners[owner]).await;
            }
        })
        .await;
    wait::until_true("every job is done", async || world.stage.is_idle().await).await;
    assert!(
        world.twice.load(Ordering::Relaxed) > 0,
        "no two workers were at the same job"
    );
}
