//! Waiting for what the API server tells. The deadline only stops a hang.

use std::{fmt::Debug, future::Future, time::Duration};

use kube::{Api, Resource, runtime::wait::await_condition};
use serde::{Serialize, de::DeserializeOwned};

/// The longest that anything here is waited for.
pub const DEADLINE: Duration = Duration::from_mins(1);

/// Between two looks at something that cannot be watched.
const LOOK: Duration = Duration::from_millis(50);

/// Waits until the object of this name is as `holds` wants it; gives it, or nothing if it is gone by then.
pub async fn until<K>(api: &Api<K>, name: &str, what: &str, holds: impl Fn(Option<&K>) -> bool) -> Option<K>
where
    K: Resource + Clone + Debug + Serialize + DeserializeOwned + Send + 'static,
{
    match tokio::time::timeout(
        DEADLINE,
        await_condition(api.clone(), name, |found: Option<&K>| holds(found)),
    )
    .await
    {
        Ok(Ok(found)) => found,
        Ok(Err(error)) => fail(&format!("waited for: {what}; the watch of {name} failed: {error:?}")),
        Err(_) => {
            let state = match api.get_opt(name).await {
                Ok(Some(object)) => serde_saphyr::to_string(&object).unwrap_or_default(),
                Ok(None) => "it does not exist".to_owned(),
                Err(error) => format!("it cannot be read: {error}"),
            };
            fail(&format!(
                "waited {} s for: {what}; {name} now:\n{state}",
                DEADLINE.as_secs()
            ))
        }
    }
}

/// Waits until something that nobody can watch holds.
pub async fn until_true<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let looks = async {
        while !holds().await {
            tokio::time::sleep(LOOK).await;
        }
    };
    if tokio::time::timeout(DEADLINE, looks).await.is_err() {
        fail(&format!("waited {} s for: {what}", DEADLINE.as_secs()));
    }
}

/// Waits for a future that should end soon.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(DEADLINE, future).await {
        Ok(value) => value,
        Err(_) => fail(&format!("waited {} s for: {what}", DEADLINE.as_secs())),
    }
}

#[expect(clippy::panic, reason = "a wait that ran out fails the test, and nothing else can")]
fn fail(message: &str) -> ! {
    panic!("{message}")
}
