//! Runs a future on the thread that wakes it, where that is safe, and on tokio where it is not.
//!
//! The core hands an activation over by waking whoever polls for it. If that were a tokio task, a tokio thread would
//! be woken only to wake the lane thread in turn: one wake-up of a thread costs more than all the work between. So the
//! hub's futures run in place: first on the thread that made them (a lane, for completions), then on the core's
//! processing thread whenever that wakes them. Wake-ups from other threads (sockets, timers) go to tokio: code below
//! those may hold locks while it wakes.
//!
//! P1  A future is polled by one thread at a time; a wake-up during a poll is not lost.
//! P2  Woken futures are polled in place only on threads named `CORE_THREAD`, which wake the hub's futures with no
//!     locks held, and never inside another poll of this module.
//! P3  A future that keeps waking itself is handed to tokio after `LAPS` polls.
//! P4  A panic ends the future and is reported; it never unwinds into the thread that woke it.

use futures_util::FutureExt;
use std::cell::Cell;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use tokio::runtime::Handle;

/// The name that temporalio-sdk-core gives the thread which turns histories into activations, one a worker.
const CORE_THREAD: &str = "workflow-processing";
const LAPS: usize = 16;

const IDLE: u8 = 0;
const QUEUED: u8 = 1;
const RUNNING: u8 = 2;
const RUNNING_WOKEN: u8 = 3;
const DONE: u8 = 4;

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

struct Task {
    state: AtomicU8,
    work: Mutex<Option<Work>>,
    tokio: Handle,
}

thread_local! {
    static CORE: Cell<Option<bool>> = const { Cell::new(None) };
    static POLLING: Cell<bool> = const { Cell::new(false) };
}

fn may_run_here() -> bool {
    let core = CORE.get().unwrap_or_else(|| {
        let core = std::thread::current().name() == Some(CORE_THREAD);
        CORE.set(Some(core));
        core
    });
    core && !POLLING.get() // P2
}

/// Polls `work` on this thread at once, and later wherever it is woken.
/// `panicked` gets the text of a panic (P4).
pub(crate) fn run<P>(tokio: &Handle, work: impl Future<Output = ()> + Send + 'static, panicked: P)
where
    P: FnOnce(String) + Send + 'static,
{
    let guarded = async move {
        if let Err(panic) = AssertUnwindSafe(work).catch_unwind().await {
            panicked(panic_text(panic.as_ref()));
        }
    };
    let task = Arc::new(Task {
        state: AtomicU8::new(RUNNING),
        // Cooperative budgets belong to tokio's own tasks; in place they would end in a busy loop.
        work: Mutex::new(Some(Box::pin(tokio::task::unconstrained(guarded)))),
        tokio: tokio.clone(),
    });
    task.poll();
}

pub(crate) fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "unknown panic".to_owned())
}

impl Task {
    /// The state is `RUNNING` and this thread has set it.
    fn poll(self: &Arc<Self>) {
        let waker = Waker::from(self.clone());
        let mut context = Context::from_waker(&waker);
        let _runtime = self.tokio.enter();
        let outer = POLLING.replace(true);
        for _ in 0..LAPS {
            let mut slot = self.work.lock().expect("P4: no panic gets here");
            let Some(work) = slot.as_mut() else { break };
            if let Poll::Ready(()) = work.as_mut().poll(&mut context) {
                *slot = None;
                self.state.store(DONE, Ordering::Release);
                POLLING.set(outer);
                return;
            }
            drop(slot);
            if self.swap(RUNNING, IDLE) {
                POLLING.set(outer);
                return;
            }
            // P1: woken during the poll.
            self.state.store(RUNNING, Ordering::Release);
        }
        POLLING.set(outer);
        self.state.store(QUEUED, Ordering::Release); // P3
        self.hand_to_tokio();
    }

    fn hand_to_tokio(self: &Arc<Self>) {
        let task = self.clone();
        self.tokio.spawn(async move {
            task.state.store(RUNNING, Ordering::Release);
            task.poll();
        });
    }

    fn swap(&self, from: u8, to: u8) -> bool {
        self.state
            .compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        loop {
            match self.state.load(Ordering::Acquire) {
                IDLE if may_run_here() => {
                    if self.swap(IDLE, RUNNING) {
                        return self.poll();
                    }
                }
                IDLE => {
                    if self.swap(IDLE, QUEUED) {
                        return self.hand_to_tokio();
                    }
                }
                RUNNING => {
                    if self.swap(RUNNING, RUNNING_WOKEN) {
                        return;
                    }
                }
                _ => return,
            }
        }
    }
}
