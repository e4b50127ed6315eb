use domain::SystemClock;
use prometheus_client::metrics::counter::Counter;
use secrecy::SecretString;

use super::*;
use crate::testing::TestRedis;

const COUNT: u32 = 640;
const KEY: [u8; 32] = [7; 32];

fn replica(server: &TestRedis) -> Limiter {
    let redis = Redis::open(&SecretString::from(server.url()), Counter::default())
        .unwrap()
        .unhurried();
    let counting = Counting {
        clock: Arc::new(SystemClock),
        redis: Some(Arc::new(redis)),
    };
    // Nothing fills again while the test runs.
    let window = Duration::from_hours(24);
    Limiter::new("tests", NonZeroU32::new(COUNT).unwrap(), window, &counting)
}

#[tokio::test]
async fn shares_come_out_of_one_bucket() {
    let server = TestRedis::start().await;
    let replicas = [replica(&server), replica(&server)];
    let mut given = 0;
    for n in 0..2 * COUNT as usize {
        given += u32::from(replicas[n % 2].take(&KEY).await.left.is_ok());
    }
    assert_eq!(given, COUNT);
}

/// Shares that are taken at the same time are one share.
#[tokio::test]
async fn racers_lose_nothing() {
    let server = TestRedis::start().await;
    let limiter = replica(&server);
    let racers = futures::future::join_all((0..COUNT).map(|_| limiter.take(&KEY))).await;
    let given = racers.iter().filter(|standing| standing.left.is_ok()).count();
    let mut later = 0;
    while limiter.take(&KEY).await.left.is_ok() {
        later += 1;
    }
    assert_eq!(given + later, COUNT as usize);
}

#[tokio::test]
async fn what_was_taken_is_given_without_asking() {
    let mut server = TestRedis::start().await;
    let limiter = replica(&server);
    assert_eq!(limiter.take(&KEY).await.left, Ok(COUNT - 1));
    server.kill();
    for n in 2..=COUNT / SHARE {
        assert_eq!(limiter.take(&KEY).await.left, Ok(COUNT - n));
    }
    assert_eq!(
        limiter.take(&KEY).await.left,
        Ok(COUNT - 1),
        "from now on it counts for itself"
    );
    limiter.forget();
    assert_eq!(limiter.shares().len(), 0);
}
