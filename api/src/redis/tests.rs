mod flood;

use std::{collections::BTreeSet, num::NonZeroU32, time::Duration};

use futures::StreamExt as _;
use prometheus_client::metrics::counter::Counter;
use secrecy::SecretString;

use super::{Redis, RedisError, Spending, name};
use crate::{auth::opaque::sha256, testing::TestRedis};

const MINUTE: Duration = Duration::from_mins(1);

fn client(server: &TestRedis) -> (Redis, Counter) {
    let unanswered = Counter::default();
    let redis = Redis::open(&SecretString::from(server.url()), unanswered.clone());
    (redis.expect("a client"), unanswered)
}

async fn take(redis: &Redis, key: u8, count: u32, window: Duration) -> Option<Result<u32, Duration>> {
    let count = NonZeroU32::new(count).unwrap();
    let taken = redis.take("tests", &[key; 32], count, window, NonZeroU32::MIN).await?;
    Some(taken.map(|taken| taken.left))
}

#[tokio::test]
async fn a_bucket_holds_so_many_and_fills_again() {
    let server = TestRedis::start().await;
    let (redis, unanswered) = client(&server);
    for left in [2, 1, 0] {
        assert_eq!(take(&redis, 1, 3, MINUTE).await, Some(Ok(left)));
    }
    let wait = take(&redis, 1, 3, MINUTE).await.unwrap().unwrap_err();
    assert!(wait <= MINUTE / 3 && wait > MINUTE / 4, "{wait:?}");
    assert_eq!(
        take(&redis, 2, 3, MINUTE).await,
        Some(Ok(2)),
        "another key's bucket is full"
    );
    let soon = Duration::from_millis(30);
    while take(&redis, 3, 3, soon).await.unwrap().is_ok() {}
    while take(&redis, 3, 3, soon).await.unwrap().is_err() {}
    assert_eq!(unanswered.get(), 0);
}

/// A bucket that is full is the same as none: it goes by itself.
#[tokio::test]
async fn full_buckets_leave_nothing_behind() {
    let server = TestRedis::start().await;
    let (redis, _) = client(&server);
    assert_eq!(take(&redis, 1, 2, MINUTE).await, Some(Ok(1)));
    let client = ::redis::Client::open(server.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let left: i64 = ::redis::cmd("PTTL")
        .arg(name("tests", &[1; 32]))
        .query_async(&mut connection)
        .await
        .unwrap();
    assert!((1..=30_000).contains(&left), "{left} ms");
}

#[tokio::test]
async fn racers_get_what_there_is_and_no_more() {
    let server = TestRedis::start().await;
    let (first, second) = (client(&server).0, client(&server).0);
    let tries = (0..100).map(|i| take(if i % 2 == 0 { &first } else { &second }, 1, 40, MINUTE));
    let taken = futures::future::join_all(tries).await;
    assert_eq!(taken.iter().filter(|t| matches!(t, Some(Ok(_)))).count(), 40);
    assert_eq!(taken.iter().filter(|t| matches!(t, Some(Err(_)))).count(), 60);
}

#[tokio::test]
async fn a_server_that_is_away_is_not_waited_for_and_asked_again() {
    let mut server = TestRedis::start().await;
    let (redis, unanswered) = client(&server);
    assert_eq!(take(&redis, 1, 3, MINUTE).await, Some(Ok(2)));
    server.kill();
    for _ in 0..5 {
        assert_eq!(take(&redis, 1, 3, MINUTE).await, None);
    }
    assert_eq!(unanswered.get(), 5);
    assert!(matches!(redis.check().await, Err(RedisError::Away(_))));
    server.come_back().await;
    let again = async {
        loop {
            if let Some(answer) = take(&redis, 1, 3, MINUTE).await {
                break answer;
            }
            // When it is asked again only the client knows.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let answer = tokio::time::timeout(MINUTE, again).await.expect("it is asked again");
    assert_eq!(answer, Ok(2), "what was lost is lost");
}

#[tokio::test]
async fn a_server_that_hangs_is_as_good_as_away() {
    let server = TestRedis::start().await;
    let (redis, unanswered) = client(&server);
    assert_eq!(take(&redis, 1, 3, MINUTE).await, Some(Ok(2)));
    server.hang();
    assert_eq!(take(&redis, 1, 3, MINUTE).await, None);
    assert_eq!(take(&redis, 1, 3, MINUTE).await, None);
    assert_eq!(unanswered.get(), 2);
}

#[tokio::test]
async fn what_counts_once_is_waited_for_longer_than_limits_are() {
    let server = TestRedis::start().await;
    let (redis, unanswered) = client(&server);
    let epoch = redis.epoch([1; 16]).await.expect("an epoch");
    server.hang();
    assert_eq!(take(&redis, 1, 3, MINUTE).await, None);
    let thing = Spending {
        digest: [7; 32],
        epoch,
        remember: MINUTE,
    };
    let things = [thing];
    let (spent, ()) = tokio::join!(redis.spend(&things), async { server.go_on() });
    assert_eq!(
        spent,
        Some(vec![true]),
        "what was late for a limit is not late for this"
    );
    assert_eq!(unanswered.get(), 1);
    server.hang();
    assert_eq!((redis.spend(&things).await, redis.spend(&things).await), (None, None));
    assert_eq!(unanswered.get(), 3);
}

#[tokio::test]
async fn a_server_that_forgets_is_told_from_one_that_keeps() {
    let server = TestRedis::start().await;
    client(&server).0.check().await.expect("as it should be");
    let server = TestRedis::with_policy("allkeys-lru").await;
    let refused = client(&server).0.check().await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "Redis runs with maxmemory-policy allkeys-lru; it must be noeviction"
    );
}

fn spending(digest: u8, epoch: [u8; 16]) -> Spending {
    Spending {
        digest: [digest; 32],
        epoch,
        remember: MINUTE,
    }
}

#[tokio::test]
async fn a_hundred_racers_use_something_up_once() {
    let server = TestRedis::start().await;
    let (first, second) = (client(&server).0, client(&server).0);
    let epoch = first.epoch([7; 16]).await.unwrap();
    assert_eq!(second.epoch([8; 16]).await, Some(epoch), "there is one epoch");
    let tries = (0..100).map(|i| {
        let redis = if i % 2 == 0 { &first } else { &second };
        async move { redis.spend(&[spending(1, epoch), spending(2, epoch)]).await.unwrap() }
    });
    let mut spent = futures::future::join_all(tries).await;
    spent.sort_unstable();
    assert_eq!(spent.pop(), Some(vec![true, true]));
    assert_eq!(spent, vec![vec![false, false]; 99]);
    let same = [spending(3, epoch), spending(3, epoch)];
    assert_eq!(
        first.spend(&same).await,
        Some(vec![true, false]),
        "of two alike the first"
    );
}

/// A server that may have forgotten something begins anew, and judges nothing from before.
#[tokio::test]
async fn what_was_minted_before_a_loss_is_refused() {
    let mut server = TestRedis::start().await;
    let (redis, _) = client(&server);
    let mut before = redis.epoch([1; 16]).await.unwrap();
    assert_eq!(redis.spend(&[spending(0, before)]).await, Some(vec![true]));
    // Emptied; promoted as after a failover, its data whole; both.
    let losses: [&[&[&str]]; 2] = [
        &[&["FLUSHALL"]],
        &[&["REPLICAOF", "127.0.0.1", "1"], &["REPLICAOF", "NO", "ONE"]],
    ];
    for (i, loss) in (1..).zip(losses) {
        for words in loss {
            server.command(words).await;
        }
        assert_eq!(
            redis.spend(&[spending(0, before), spending(i, before)]).await,
            Some(vec![false, false])
        );
        let epoch = redis.epoch([100 + i; 16]).await.unwrap();
        assert_ne!(epoch, before);
        assert_eq!(
            redis.spend(&[spending(i, before), spending(i, epoch)]).await,
            Some(vec![false, true])
        );
        before = epoch;
    }
    server.kill();
    assert_eq!(redis.epoch([9; 16]).await, None);
    assert_eq!(redis.spend(&[spending(9, before)]).await, None);
}

/// What docs/operations/api.md says that a user needs.
#[tokio::test]
async fn a_user_with_the_documented_rights_will_do() {
    const RIGHTS: &str = "~pinfold:* &pinfold:* +get +set +time +evalsha +script|load +info +publish +subscribe";
    let docs = include_str!("../../../docs/operations/api.md");
    assert!(docs.contains(&format!("`{RIGHTS}`")));
    let server = TestRedis::start().await;
    let mut command = ::redis::cmd("ACL");
    command.arg(&["SETUSER", "pinfold", "on", ">secret"]);
    for right in RIGHTS.split(' ') {
        command.arg(right);
    }
    let admin = ::redis::Client::open(server.url()).unwrap();
    let mut connection = admin.get_multiplexed_async_connection().await.unwrap();
    let (): () = command.query_async(&mut connection).await.unwrap();
    let url = format!("{}?user=pinfold&pass=secret", server.url());
    let redis = Redis::open(&SecretString::from(url), Counter::default()).unwrap();
    redis.check().await.expect("it may ask");
    assert_eq!(take(&redis, 1, 3, MINUTE).await, Some(Ok(2)));
    let epoch = redis.epoch([1; 16]).await.expect("it may begin an epoch");
    assert_eq!(redis.spend(&[spending(1, epoch)]).await, Some(vec![true]));
    let mut heard = redis.listen("pinfold:tests").await.expect("it may listen");
    redis.publish("pinfold:tests", b"hello").await.expect("it may tell");
    assert_eq!(heard.next().await.as_deref(), Some(b"hello".as_slice()));
}

/// The address has a password in it.
#[tokio::test]
async fn nothing_secret_is_shown() {
    let redis = Redis::open(
        &SecretString::from("redis://user:hunter2@127.0.0.1:1/0"),
        Counter::default(),
    )
    .unwrap();
    assert_eq!(format!("{redis:?}"), "Redis { .. }");
    let error = redis.check().await.unwrap_err();
    assert!(!telemetry::logging::chain(&error).contains("hunter2"), "{error:?}");
}

/// TI-15: what somebody calls themselves is no part of a name but as a hash, so nobody gets into another's bucket.
#[test]
fn no_id_leads_into_the_bucket_of_another() {
    let mut hostile: Vec<String> = [
        "",
        "*",
        ":",
        "a:b",
        "a\0b",
        "../..",
        "{a}",
        "pinfold:epoch",
        "pinfold:spent:",
        "\r\nFLUSHALL\r\n",
    ]
    .map(str::to_owned)
    .into();
    hostile.extend((0..50_000).map(|i| format!("calls:{i:x}")));
    hostile.extend((0..50_000).map(|i| format!("{i}:{}\u{0}", i * 7919)));
    let names: BTreeSet<String> = ["calls", "passwords"]
        .iter()
        .flat_map(|bucket| hostile.iter().map(|id| name(bucket, &sha256(id.as_bytes()))))
        .collect();
    assert_eq!(names.len(), 2 * hostile.len());
    for name in &names {
        let rest = name
            .strip_prefix("pinfold:bucket:")
            .and_then(|rest| rest.split_once(':'));
        let (bucket, digest) = rest.expect("a bucket and a digest");
        let is_digest = digest.len() == 64 && digest.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        assert!(["calls", "passwords"].contains(&bucket) && is_digest, "{name:?}");
    }
}
