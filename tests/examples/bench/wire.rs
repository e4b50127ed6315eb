//! Requests that were made beforehand, sent as they are: what loads a server is no part of what is measured, and costs little.

use anyhow::{Context as _, Result, bail, ensure};
use futures::future;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// Sends each of these over a connection of its own, one request after another; every answer must be 200.
pub(crate) async fn send(address: &str, each: &[Vec<Vec<u8>>]) -> Result<()> {
    let all = each.iter().map(async |requests| {
        let mut connection = Connection::open(address).await?;
        for request in requests {
            connection.ask(request).await?;
        }
        Ok(())
    });
    future::join_all(all).await.into_iter().collect()
}

struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Connection {
    async fn open(address: &str) -> Result<Self> {
        let stream = TcpStream::connect(address).await.context("connect")?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            read: Vec::with_capacity(8192),
        })
    }

    async fn ask(&mut self, request: &[u8]) -> Result<()> {
        self.stream.write_all(request).await?;
        self.read.clear();
        loop {
            if let Some(end) = find(&self.read, b"\r\n\r\n") {
                let head = std::str::from_utf8(&self.read[..end])?;
                ensure!(
                    head.starts_with("HTTP/1.1 200"),
                    "{}",
                    String::from_utf8_lossy(&self.read)
                );
                let length = head.lines().find_map(|line| {
                    let (name, value) = line.split_once(": ")?;
                    name.eq_ignore_ascii_case("content-length")
                        .then(|| value.parse::<usize>().ok())?
                });
                let length = length.context("an answer of no length")?;
                if self.read.len() >= end + 4 + length {
                    return Ok(());
                }
            }
            let read = self.stream.read_buf(&mut self.read).await?;
            if read == 0 {
                bail!("the connection ended: {}", String::from_utf8_lossy(&self.read));
            }
        }
    }
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}
