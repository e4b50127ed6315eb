//! A stream that is closed in peace: whoever is answered before all was read that they send gets the answer, and no reset instead of it
//! (RFC 9112, section 9.6).

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

/// See the module's documentation.
#[derive(Debug)]
pub struct Lingering<S> {
    stream: S,
    /// Since the own side was closed: when that is enough, and how much was thrown away.
    closing: Option<(Pin<Box<Sleep>>, usize)>,
}

impl<S> Lingering<S> {
    /// A stream that is open.
    pub fn new(stream: S) -> Self {
        Self { stream, closing: None }
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
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
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
