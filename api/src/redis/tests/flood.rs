//! Many proofs at once: what was used stays used, and a store that has no room refuses.

use std::time::Duration;

use super::client;
use crate::{auth::opaque::sha256, redis::Spending, testing::TestRedis};

const MINUTES: Duration = Duration::from_mins(10);

/// How many are judged together.
const TOGETHER: usize = 256;

/// Things that differ, from one number on.
fn things(epoch: [u8; 16], numbers: std::ops::Range<u32>) -> Vec<Spending> {
    numbers
        .map(|number| Spending {
            digest: sha256(&number.to_be_bytes()),
            epoch,
            remember: MINUTES,
        })
        .collect()
}

async fn ask(server: &TestRedis, command: &[&str]) -> String {
    let client = ::redis::Client::open(server.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let mut asked = ::redis::cmd(command[0]);
    asked.arg(&command[1..]);
    asked.query_async(&mut connection).await.unwrap()
}

/// How many bytes the server takes.
async fn used(server: &TestRedis) -> u64 {
    let told = ask(server, &["INFO", "memory"]).await;
    let line = told.lines().find_map(|line| line.strip_prefix("used_memory:"));
    line.unwrap().trim().parse().unwrap()
}

/// Case 15, and DA-12: 20,000 others (a million with `PINFOLD_TEST_FULL`) make nobody forget the first.
#[tokio::test]
async fn a_flood_makes_nothing_count_again() {
    let count: u32 = if std::env::var("PINFOLD_TEST_FULL").is_ok_and(|full| full == "1") {
        1_000_000
    } else {
        20_000
    };
    let server = TestRedis::start().await;
    let (redis, _) = client(&server);
    let epoch = redis.epoch([1; 16]).await.unwrap();
    let before = used(&server).await;
    for batch in things(epoch, 0..count).chunks(TOGETHER) {
        assert_eq!(redis.spend(batch).await, Some(vec![true; batch.len()]));
    }
    for batch in things(epoch, 0..count).chunks(TOGETHER) {
        assert_eq!(redis.spend(batch).await, Some(vec![false; batch.len()]));
    }
    let each = (used(&server).await - before) / u64::from(count);
    assert!(each < 256, "{each} bytes for each");
}

#[tokio::test]
async fn a_server_without_room_refuses() {
    let server = TestRedis::start().await;
    let (redis, _) = client(&server);
    let epoch = redis.epoch([1; 16]).await.unwrap();
    let room = used(&server).await + (4 << 20);
    ask(&server, &["CONFIG", "SET", "maxmemory", &room.to_string()]).await;
    let mut counted = 0;
    for batch in things(epoch, 0..1_000_000).chunks(TOGETHER) {
        match redis.spend(batch).await {
            Some(spent) => {
                assert_eq!(spent, vec![true; batch.len()]);
                counted += u32::try_from(batch.len()).unwrap();
            }
            None => break,
        }
    }
    assert!((1..1_000_000).contains(&counted), "{counted}");
    ask(&server, &["CONFIG", "SET", "maxmemory", "0"]).await;
    let (again, _) = client(&server);
    for batch in things(epoch, 0..counted).chunks(TOGETHER) {
        assert_eq!(again.spend(batch).await, Some(vec![false; batch.len()]));
    }
}
