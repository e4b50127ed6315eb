//! How soon an object that admission lets pass, and that cannot become what it asks for, says so.

use std::{
    fmt::Debug,
    time::{Duration, Instant},
};

use anyhow::Result;
use crds::{Agent, SandboxRun, Tenant, agent, condition::Condition, sandbox_run, tenant};
use kube::{Api, Resource};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{
    place::{Bench, DEADLINE, create},
    report::{Row, milliseconds, quantile},
    sightings::Sightings,
};

const OBJECTS: usize = 20;

/// What bad input gets as a condition, it gets within this time.
const LIMIT: Duration = Duration::from_secs(2);

/// One object at a time, of each kind.
pub(crate) async fn measure(bench: &Bench, rows: &mut Vec<Row>) -> Result<()> {
    let place = bench.tenant(json!({})).await?;
    let run = json!({"template": "none-of-this-name", "command": ["true"], "startTimeoutSeconds": 3600});
    refused("run of no template", &place.api::<SandboxRun>(), &run, |run| {
        says(
            run.status.as_ref().map(|s| &s.conditions),
            sandbox_run::reason::TEMPLATE_NOT_FOUND,
        )
    })
    .await
    .map(|row| rows.push(row))?;
    let agent = json!({
        "image": "pinfold.dev/sandbox-base:dev", "replicas": 0, "identity": {"secretName": "none-of-this-name"},
    });
    refused(
        "agent whose Secret is missing",
        &place.api::<Agent>(),
        &agent,
        |agent| {
            says(
                agent.status.as_ref().map(|s| &s.conditions),
                agent::reason::SECRET_NOT_FOUND,
            )
        },
    )
    .await
    .map(|row| rows.push(row))?;
    for i in 0..OBJECTS {
        bench.will_make(&name(i));
    }
    let tenants: Api<Tenant> = Api::all(bench.client.clone());
    refused(
        "tenant of no plan",
        &tenants,
        &json!({"plan": "none-of-this-name"}),
        |tenant| {
            says(
                tenant.status.as_ref().map(|s| &s.conditions),
                tenant::reason::PLAN_NOT_FOUND,
            )
        },
    )
    .await
    .map(|row| rows.push(row))
}

async fn refused<K>(what: &str, api: &Api<K>, spec: &Value, says_so: fn(&K) -> bool) -> Result<Row>
where
    K: Resource<DynamicType = ()> + Clone + Debug + Serialize + DeserializeOwned + Send + Sync + 'static,
{
    let watch = Sightings::start(api.clone(), says_so);
    let mut times = Vec::new();
    for i in 0..OBJECTS {
        let started = Instant::now();
        create(api, &name(i), spec.clone()).await?;
        let (at, _) = watch.of(&name(i), DEADLINE).await?;
        times.push(milliseconds(at.duration_since(started)));
    }
    let note = format!("{OBJECTS} one at a time; median {:.0} ms", quantile(&times, 50));
    Ok(Row::new(
        format!("{what}, to its condition, longest"),
        quantile(&times, 100),
        "ms",
    )
    .at_most(milliseconds(LIMIT))
    .note(note))
}

fn name(i: usize) -> String {
    format!("bench-refused-{i}")
}

fn says(conditions: Option<&Vec<Condition>>, reason: &str) -> bool {
    conditions.is_some_and(|all| all.iter().any(|c| c.reason == reason))
}
