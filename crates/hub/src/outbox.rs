//! What waits for one JavaScript thread, as the bytes of one message.
//!
//! Owns    the pending bytes and the question whether the thread has been told about them.
//! Leaves  how a thread is woken to `wake` (crates/node gives a Neon channel, tests a condition variable).
//! O1  The thread is woken when something urgent is pending and it has not been woken since it last took;
//!     so one wake-up takes everything that has gathered.
//! O2  Order is kept: bytes are appended under one lock.
//!
//! A protobuf message with one repeated field is the concatenation of its elements, each with tag and length. So a
//! batch is built by appending and needs no second encoding.

use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint, key_len};
use std::sync::Mutex;

/// Bytes on their way to one JavaScript thread.
pub struct Outbox {
    state: Mutex<State>,
    wake: Box<dyn Fn() + Send + Sync>,
}

#[derive(Default)]
struct State {
    pending: Vec<u8>,
    woken: bool,
    closed: bool,
}

impl Outbox {
    pub fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        Self {
            state: Mutex::default(),
            wake: Box::new(wake),
        }
    }

    /// Appends encoded elements. Returns whether the caller has to call [`Outbox::wake`], after it has released its
    /// own locks.
    #[must_use]
    pub fn append(&self, element: &[u8], urgent: bool) -> bool {
        let mut state = self.state.lock().expect("no panic holds this lock");
        if state.closed {
            return false;
        }
        state.pending.extend_from_slice(element);
        let wake = urgent && !state.woken;
        state.woken |= urgent;
        wake
    }

    /// Appends and wakes at once, for callers without locks.
    pub fn push(&self, element: &[u8]) {
        if self.append(element, true) {
            self.wake();
        }
    }

    pub fn wake(&self) {
        (self.wake)();
    }

    /// Wakes the thread if something is pending that it has not been told of.
    pub fn wake_if_pending(&self) {
        let wake = {
            let mut state = self.state.lock().expect("no panic holds this lock");
            let wake = !state.closed && !state.woken && !state.pending.is_empty();
            state.woken |= wake;
            wake
        };
        if wake {
            self.wake();
        }
    }

    /// Takes everything pending; the thread is woken again for what comes later (O1).
    pub fn take(&self) -> Vec<u8> {
        let mut state = self.state.lock().expect("no panic holds this lock");
        state.woken = false;
        std::mem::take(&mut state.pending)
    }

    /// Nothing is taken in any more, and what was pending is dropped.
    pub fn close(&self) {
        let mut state = self.state.lock().expect("no panic holds this lock");
        state.closed = true;
        state.pending = Vec::new();
    }
}

/// One element of the repeated message field 1: what [`Outbox::append`] takes.
pub(crate) fn element(message: &impl Message) -> Vec<u8> {
    let length = message.encoded_len();
    let mut bytes = Vec::with_capacity(key_len(1) + encoded_len_varint(length as u64) + length);
    encode_key(1, WireType::LengthDelimited, &mut bytes);
    encode_varint(length as u64, &mut bytes);
    message.encode_raw(&mut bytes);
    bytes
}

/// A LaneItem with an activation, encoded without an intermediate copy of the activation.
pub(crate) fn activation_element(worker: u32, run_id: &str, activation: &impl Message) -> Vec<u8> {
    const WORKER: u32 = 1;
    const RUN_ID: u32 = 2;
    const ACTIVATION: u32 = 3;
    let inner = activation.encoded_len();
    let length = prost::encoding::uint32::encoded_len(WORKER, &worker)
        + key_len(RUN_ID)
        + encoded_len_varint(run_id.len() as u64)
        + run_id.len()
        + key_len(ACTIVATION)
        + encoded_len_varint(inner as u64)
        + inner;
    let mut bytes = Vec::with_capacity(key_len(1) + encoded_len_varint(length as u64) + length);
    encode_key(1, WireType::LengthDelimited, &mut bytes);
    encode_varint(length as u64, &mut bytes);
    prost::encoding::uint32::encode(WORKER, &worker, &mut bytes);
    encode_key(RUN_ID, WireType::LengthDelimited, &mut bytes);
    encode_varint(run_id.len() as u64, &mut bytes);
    bytes.extend_from_slice(run_id.as_bytes());
    encode_key(ACTIVATION, WireType::LengthDelimited, &mut bytes);
    encode_varint(inner as u64, &mut bytes);
    activation.encode_raw(&mut bytes);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::{LaneBatch, LaneItem, lane_item};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn counted() -> (Outbox, Arc<AtomicUsize>) {
        let wakes = Arc::new(AtomicUsize::new(0));
        let count = wakes.clone();
        let outbox = Outbox::new(move || {
            count.fetch_add(1, Ordering::SeqCst);
        });
        (outbox, wakes)
    }

    fn evict(run: &str) -> LaneItem {
        LaneItem {
            worker: 7,
            run_id: run.into(),
            kind: Some(lane_item::Kind::Evict(true)),
        }
    }

    #[test]
    fn one_wake_up_takes_everything_that_gathered() {
        let (outbox, wakes) = counted();
        for run in ["a", "b", "c"] {
            outbox.push(&element(&evict(run)));
        }
        assert_eq!(wakes.load(Ordering::SeqCst), 1);
        let batch = LaneBatch::decode(&outbox.take()[..]).unwrap();
        assert_eq!(batch.items, ["a", "b", "c"].map(evict));
        outbox.push(&element(&evict("d")));
        assert_eq!(wakes.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn what_is_not_urgent_waits_for_the_next_wake_up() {
        let (outbox, wakes) = counted();
        assert!(!outbox.append(&element(&evict("a")), false));
        assert!(outbox.append(&element(&evict("b")), true));
        outbox.wake();
        outbox.wake_if_pending();
        assert_eq!(wakes.load(Ordering::SeqCst), 1);
        assert_eq!(
            LaneBatch::decode(&outbox.take()[..]).unwrap().items.len(),
            2
        );
        assert!(!outbox.append(&element(&evict("c")), false));
        outbox.wake_if_pending();
        assert_eq!(wakes.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn a_closed_outbox_takes_nothing_in() {
        let (outbox, wakes) = counted();
        outbox.push(&element(&evict("a")));
        outbox.close();
        outbox.push(&element(&evict("b")));
        assert!(outbox.take().is_empty());
        assert_eq!(wakes.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn an_activation_is_framed_as_the_generated_code_would() {
        let inner = evict("not really an activation, but a message");
        let framed = activation_element(300, "run", &inner);
        let item = LaneItem {
            worker: 300,
            run_id: "run".into(),
            kind: Some(lane_item::Kind::Activation(inner.encode_to_vec())),
        };
        assert_eq!(framed, element(&item));
    }
}
