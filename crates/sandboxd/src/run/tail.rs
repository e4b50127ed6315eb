//! The end of a stream, in constant memory.

use sandbox_protocol::{StreamTail, TAIL_CAPACITY};

#[derive(Debug)]
pub(crate) struct Tail {
    ring: Vec<u8>,
    /// Where the next byte goes once the ring is full, which is where the oldest one is.
    next: usize,
    total_bytes: u64,
}

impl Tail {
    pub(crate) fn new() -> Self {
        Self {
            ring: Vec::with_capacity(TAIL_CAPACITY),
            next: 0,
            total_bytes: 0,
        }
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.total_bytes = self.total_bytes.saturating_add(bytes.len() as u64);
        let last = &bytes[bytes.len().saturating_sub(TAIL_CAPACITY)..];
        let (fills, overwrites) = last.split_at(last.len().min(TAIL_CAPACITY - self.ring.len()));
        self.ring.extend_from_slice(fills);
        for part in overwrites.chunks(TAIL_CAPACITY) {
            let (to_end, from_start) = part.split_at(part.len().min(TAIL_CAPACITY - self.next));
            self.ring[self.next..self.next + to_end.len()].copy_from_slice(to_end);
            self.ring[..from_start.len()].copy_from_slice(from_start);
            self.next = (self.next + part.len()) % TAIL_CAPACITY;
        }
    }

    pub(crate) fn total_bytes(&self) -> u64 {
        self.total_bytes
    }

    pub(crate) fn to_stream(&self) -> StreamTail {
        let (newer, older) = self.ring.split_at(self.next);
        StreamTail {
            tail: [older, newer].concat(),
            total_bytes: self.total_bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_last_bytes_whatever_the_pieces() {
        let whole: Vec<u8> = (0..20_000_u32)
            .map(|i| u8::try_from(i % 253).expect("below 253"))
            .collect();
        for size in [1, 7, 1_000, TAIL_CAPACITY - 1, TAIL_CAPACITY, TAIL_CAPACITY + 1, 20_000] {
            let mut tail = Tail::new();
            let mut seen = 0;
            for piece in whole.chunks(size) {
                tail.push(piece);
                seen += piece.len();
                let stream = tail.to_stream();
                assert_eq!(stream.total_bytes, seen as u64);
                assert_eq!(stream.tail, whole[seen.saturating_sub(TAIL_CAPACITY)..seen], "{size}");
            }
        }
    }
}
