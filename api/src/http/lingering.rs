//! A stream that is closed in peace: whoever is answered before all was read that they send gets the answer, and no reset instead of it
//! (RFC 9112, section 9.6). And one that does not wait for ever for whoever reads nothing of what they are answered.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

/// How long what still comes is thrown away.
const PATIENCE: Duration = Duration::from_secs(2);

/// How much of it.
const MOST: usize = 8 * 1024 * 1024;

/// How long nothing may be taken of an answer.
const STALL: Duration = Duration::from_secs(30);

/// See the module's documentation.
#[derive(Debug)]
pub struct Lingering<S> {
    stream: S,
    /// Since the own side was closed: when that is enough, and how much was thrown away.
    closing: Option<(Pin<Box<Sleep>>, usize)>,
    /// When what waits to be taken has waited for too long.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl<S> Lingering<S> {
    /// A stream that is open.
    pub fn new(stream: S) -> Self {
        Self {
            stream,
            closing: None,
            stalled: None,
        }
    }

    /// What came of a write: one that makes no way for too long fails.
    fn written<T>(&mut self, context: &mut Context<'_>, made: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if made.is_ready() {
            self.stalled = None;
            return made;
        }
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(STALL)));
        ready!(stalled.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Lingering<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Lingering<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let made = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.written(context, made)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let made = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.written(context, made)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let made = Pin::new(&mut self.stream).poll_flush(context);
        self.written(context, made)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.closing.is_none() {
            ready!(Pin::new(&mut this.stream).poll_shutdown(context))?;
        }
        let (enough, thrown) = this.closing.get_or_insert_with(|| (Box::pin(sleep(PATIENCE)), 0));
        let mut scratch = [0; 4096];
        while *thrown < MOST && enough.as_mut().poll(context).is_pending() {
            let mut buffer = ReadBuf::new(&mut scratch);
            // An end, or an error: nothing comes any more.
            match ready!(Pin::new(&mut this.stream).poll_read(context, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => *thrown += buffer.filled().len(),
                _ => break,
            }
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_takes_nothing_is_not_waited_for() {
        let (own, mut other) = duplex(64);
        let mut stream = Lingering::new(own);
        let error = stream.write_all(&[7; 256]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        // Slowly is fast enough.
        let mut taken = [0; 64];
        other.read_exact(&mut taken).await.unwrap();
        let slowly = async {
            for _ in 0..3 {
                tokio::time::sleep(STALL * 9 / 10).await;
                other.read_exact(&mut taken).await.unwrap();
            }
        };
        let (written, ()) = tokio::join!(stream.write_all(&[7; 192]), slowly);
        written.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn what_still_comes_is_thrown_away_before_the_end() {
        let (own, mut other) = duplex(64);
        let mut stream = Lingering::new(own);
        let sender = tokio::spawn(async move {
            other.write_all(&[7; 4096]).await.unwrap();
            drop(other);
        });
        stream.shutdown().await.unwrap();
        sender.await.unwrap();
        // Whoever sends nothing and does not end is left.
        let (own, _other) = duplex(64);
        Lingering::new(own).shutdown().await.unwrap();
    }
}
