use std::{
    io,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::json;
use support::{
    api::{Authority, Page, Publisher},
    wait,
};
use tokio::net::UdpSocket;

use super::{CLIENT, PUBLIC, REBOUND, STRANGER, World, description, is_none, redeem, refused};

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

/// The start of a request that a person is asked about.
async fn is_good(world: &World, client_id: &str) {
    let begun = world.authorize(&world.service, client_id, &[]).await;
    let place = begun.location().unwrap_or_default();
    assert!(place.starts_with("/consent?request="), "{client_id}: {:?}", begun.body);
}

#[tokio::test]
async fn nothing_is_asked_where_not_everybody_asks() {
    let world = World::new().await;
    for host in [
        "loopback.example",
        "loopback-6.example",
        "private.example",
        "private-6.example",
        "shared.example",
        "mapped.example",
        "metadata.example",
        "mixed.example",
        "mixed-6.example",
        "nowhere.example",
        "localhost",
        "127.0.0.1",
        PUBLIC,
        "[::1]",
        "[::ffff:10.0.0.1]",
        "[2606:4700::6810:1]",
    ] {
        let client_id = format!("https://{host}/client.json");
        world.describe(&client_id, json!({}));
        is_none(&world, &client_id).await;
    }
    assert_eq!(world.publisher.connections(), [] as [IpAddr; 0]);
    // Of the same server at an address of the internet.
    world.describe(CLIENT, json!({}));
    is_good(&world, CLIENT).await;
    world.describe("https://other.example/client.json", json!({}));
    is_good(&world, "https://other.example/client.json").await;
    let connections = [address(PUBLIC), address(super::PUBLIC_6)];
    assert_eq!(world.publisher.connections(), connections);
}

/// What is at an address, as it is described there.
fn page(client_id: &str, head: &str) -> Page {
    Page::Whole(
        head.to_owned(),
        description(client_id, json!({})).to_string().into_bytes(),
    )
}

#[tokio::test]
async fn a_description_is_some_plain_json_of_whom_the_certificate_is() {
    let proxy = format!("http://{PUBLIC}:3128");
    let proxies = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "HTTP_PROXY"].map(|name| (name, proxy.as_str()));
    let world = World::with(&proxies).await;
    let proxy = world.network.listen(&format!("{PUBLIC}:3128"));
    proxy.set_nonblocking(true).expect("a socket");
    let place = |path: &str| format!("https://app.example/{path}");
    let long = |path: &str, length: usize| {
        let mut text = description(&place(path), json!({})).to_string();
        text.push_str(&" ".repeat(length - text.len()));
        Page::bytes(text)
    };
    let found = "302 Found\r\nlocation: https://app.example/target\r\ncontent-type: application/json";
    let gzip = "200 OK\r\ncontent-type: application/json\r\ncontent-encoding: gzip";
    let pages = [
        ("moved", page(&place("moved"), found)),
        (
            "away",
            page(
                &place("away"),
                "503 Service Unavailable\r\ncontent-type: application/json",
            ),
        ),
        ("html", page(&place("html"), "200 OK\r\ncontent-type: text/html")),
        ("kindless", page(&place("kindless"), "200 OK\r\nx: y")),
        ("gzip", page(&place("gzip"), gzip)),
        ("long", long("long", 5 * 1024 + 1)),
        ("endless", Page::Endless),
        ("drip", Page::Drip),
        ("nonsense", Page::bytes("{")),
        ("others", Page::json(&description(&place("target"), json!({})))),
    ];
    world.describe(&place("target"), json!({}));
    for (path, page) in pages.clone() {
        world.publisher.publish(&format!("app.example/{path}"), page);
        let begun = Instant::now();
        is_none(&world, &place(path)).await;
        let took = begun.elapsed();
        let limit = Duration::from_millis(2500);
        assert_eq!(took >= limit, path == "drip", "{path}: {took:?}");
        assert!(took < 2 * limit, "{path}: {took:?}");
    }
    is_none(&world, &place("missing")).await;
    // Each once, and nothing besides.
    let paths = pages.iter().map(|(path, _)| *path).chain(["missing"]);
    let mut asked: Vec<String> = paths.map(|path| format!("app.example/{path}")).collect();
    assert_eq!(world.publisher.requests(), asked);

    // Whom nobody vouches for is connected to, and asked nothing.
    let known = world.publisher.connections().len();
    world.describe(&format!("https://{STRANGER}/client.json"), json!({}));
    is_none(&world, &format!("https://{STRANGER}/client.json")).await;
    assert_eq!(world.publisher.connections().len(), known + 1);
    let forger = Publisher::start(&world.network, "[::]:8443", &Authority::default(), &["app.example"]);
    let client_id = "https://app.example:8443/client.json";
    forger.publish(
        "app.example:8443/client.json",
        Page::json(&description(client_id, json!({}))),
    );
    is_none(&world, client_id).await;
    assert_eq!((forger.connections().len(), forger.requests().len()), (1, 0));
    is_none(&world, "https://app.example:1/client.json").await;

    // As long as it may be.
    world.publisher.publish("app.example/fits", long("fits", 5 * 1024));
    is_good(&world, &place("fits")).await;
    asked.push("app.example/fits".to_owned());
    assert_eq!(world.publisher.requests(), asked);
    assert_eq!(
        proxy.accept().map_err(|error| error.kind()).err(),
        Some(io::ErrorKind::WouldBlock)
    );
}

/// Answers questions for names: with a public address once, and then with another.
async fn answer(socket: &UdpSocket, questions: &AtomicUsize) -> io::Result<()> {
    let mut bytes = [0; 512];
    loop {
        let (length, from) = socket.recv_from(&mut bytes).await?;
        // After twelve bytes comes the name, in labels of some letters each, the type and the class (RFC 1035, section 4.1).
        let mut end = 12;
        while bytes[end] != 0 && end < length {
            end += 1 + usize::from(bytes[end]);
        }
        let is_address = bytes[end + 1..end + 3] == [0, 1];
        let mut answer = vec![
            bytes[0],
            bytes[1],
            0x81,
            0x80,
            0,
            1,
            0,
            u8::from(is_address),
            0,
            0,
            0,
            0,
        ];
        answer.extend(&bytes[12..end + 5]);
        if is_address {
            let number = questions.fetch_add(1, Ordering::Relaxed);
            answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]);
            answer.extend(if number == 0 { [93, 184, 215, 14] } else { [10, 0, 0, 1] });
        }
        socket.send_to(&answer, from).await?;
    }
}

/// The address that was looked at is the one that is connected to: nobody asks a second time what the name stands for.
#[tokio::test]
async fn a_name_that_changes_leads_nowhere_else() {
    let world = World::new().await;
    let names = world.network.take_datagrams("127.0.0.1:53");
    names.set_nonblocking(true).expect("a socket");
    let names = UdpSocket::from_std(names).expect("a socket");
    let questions = Arc::new(AtomicUsize::new(0));
    let counted = questions.clone();
    let answering = tokio::spawn(async move { answer(&names, &counted).await });
    for path in ["one", "two"] {
        world.describe(&format!("https://{REBOUND}/{path}"), json!({}));
    }
    is_good(&world, &format!("https://{REBOUND}/one")).await;
    assert_eq!(questions.load(Ordering::Relaxed), 1);
    is_none(&world, &format!("https://{REBOUND}/two")).await;
    assert_eq!(questions.load(Ordering::Relaxed), 2);
    assert_eq!(world.publisher.connections(), [address(PUBLIC)]);
    answering.abort();
}

#[tokio::test]
async fn a_host_that_keeps_us_waiting_holds_up_nobody_elses() {
    let world = World::new().await;
    let place = |path: &str| format!("https://app.example/{path}");
    for path in ["one", "two"] {
        world.publisher.publish(&format!("app.example/{path}"), Page::Silent);
    }
    world.describe(&place("three"), json!({}));
    world.describe("https://other.example/client.json", json!({}));
    let others = async {
        wait::until_true("both are asked", async || world.publisher.requests().len() == 2).await;
        let third = redeem(&world.service, &place("three"), "of-nobody").await;
        let told = json!({
            "error": "temporarily_unavailable", "error_description": "the service cannot answer at the moment; come again",
        });
        assert_eq!(third.told(), (503, &told));
        assert!(third.headers.get("retry-after").is_some_and(|seconds| seconds == "1"));
        let page = world.authorize(&world.service, &place("three"), &[]).await;
        assert_eq!(
            refused(&page),
            (
                503,
                None,
                "The service cannot answer at the moment; come again.".to_owned()
            )
        );
        is_good(&world, "https://other.example/client.json").await;
    };
    let (one, two) = (place("one"), place("two"));
    tokio::join!(is_none(&world, &one), is_none(&world, &two), others);
    is_good(&world, &place("three")).await;
}
