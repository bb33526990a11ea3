//! The meeting place of workers and lanes in a process.
//!
//! Owns    the router's only instance, the lanes' outboxes, kept first activations.
//! Leaves  every choice to [`crate::routing`], and talking to the core to [`crate::worker`].
//! H1  Bytes are appended to a lane's outbox under the lock that guards the router, so lanes see what the router
//!     decided in the order it decided. Waking and calling the core come after the lock.
//! H2  An eviction alone wakes no lane; it goes with the next activation, or after `LINGER`.

use crate::error::{HubError, decode};
use crate::outbox::{Outbox, element};
use crate::proto::{LaneItem, LaneLost, lane_item};
use crate::routing::{Decision, LaneId, Placement, Reason, Router, RunKey, WorkerId};
use crate::worker::Worker;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, Weak};
use std::time::Duration;
use tokio::runtime::Handle;

const LINGER: Duration = Duration::from_millis(50);

#[derive(Default)]
pub struct Hub {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    router: Router,
    lanes: HashMap<LaneId, Arc<Lane>>,
    workers: HashMap<WorkerId, Weak<Worker>>,
    /// First activations without an answer, as lane items: they can be delivered again.
    kept: HashMap<WorkerId, HashMap<String, Vec<u8>>>,
    last_worker: WorkerId,
}

struct Lane {
    outbox: Arc<Outbox>,
    lingering: AtomicBool,
}

/// What is left to do once the lock is released (H1).
#[derive(Default)]
struct After {
    wake: Vec<Arc<Lane>>,
    linger: Vec<Arc<Lane>>,
    fail: Vec<(Arc<Worker>, String, String)>,
    evict: Vec<(Arc<Worker>, String)>,
}

/// Texts of the failures that a lost lane causes.
#[derive(Default)]
struct Texts {
    guilty: String,
    lost: String,
}

impl Hub {
    /// The hub of this process. Lanes and workers of all runtimes meet here.
    pub fn global() -> &'static Arc<Self> {
        static HUB: LazyLock<Arc<Hub>> = LazyLock::new(Arc::default);
        &HUB
    }

    /// Makes a lane known. Its thread takes batches from `outbox` when that wakes it.
    pub fn open_lane(&self, lane: LaneId, outbox: Arc<Outbox>) -> Result<(), HubError> {
        let mut state = self.lock();
        let (new, decisions) = state.router.open_lane(lane);
        if !new {
            return Err(HubError::LaneTaken { lane });
        }
        let slot = Lane {
            outbox,
            lingering: AtomicBool::new(false),
        };
        state.lanes.insert(lane, Arc::new(slot));
        let after = state.carry_out(decisions, &Texts::default());
        drop(state);
        after.run();
        Ok(())
    }

    /// The lane ends by its own will. Idempotent.
    pub fn close_lane(&self, lane: LaneId) {
        self.forget_lane(lane, None, &Texts::default());
    }

    /// The lane is gone. `report`: an encoded perdure.core.v1.LaneLost.
    pub fn lose_lane(&self, report: &[u8]) -> Result<(), HubError> {
        let report: LaneLost = decode(report, "LaneLost")?;
        let guilty = report.guilty.unwrap_or_default();
        let run = RunKey {
            worker: guilty.worker,
            run_id: guilty.run_id,
        };
        let texts = Texts {
            guilty: guilty.message,
            lost: report.message,
        };
        self.forget_lane(report.lane, Some(&run), &texts);
        Ok(())
    }

    /// Asks the core to evict the lane's least recently used runs. Returns how many evictions will come.
    pub fn evict(&self, lane: LaneId, count: usize) -> usize {
        let mut state = self.lock();
        let decisions = state.router.least_recent(lane, count);
        let asked = decisions.len();
        let after = state.carry_out(decisions, &Texts::default());
        drop(state);
        after.run();
        asked
    }

    pub(crate) fn next_worker(&self) -> WorkerId {
        let mut state = self.lock();
        state.last_worker += 1;
        state.last_worker
    }

    pub(crate) fn add_worker(&self, worker: &Arc<Worker>) {
        let mut state = self.lock();
        state.router.open_worker(worker.number());
        state
            .workers
            .insert(worker.number(), Arc::downgrade(worker));
    }

    pub(crate) fn set_lanes(&self, worker: WorkerId, lanes: &[LaneId]) {
        self.decide(|router| router.set_lanes(worker, lanes));
    }

    pub(crate) fn stop_worker(&self, worker: WorkerId) {
        self.decide(|router| router.stop_worker(worker));
    }

    pub(crate) fn close_worker(&self, worker: WorkerId) {
        self.decide(|router| router.close_worker(worker));
        let mut state = self.lock();
        state.workers.remove(&worker);
        state.kept.remove(&worker);
    }

    pub(crate) fn cached_runs(&self, worker: WorkerId) -> usize {
        self.lock().router.runs(worker)
    }

    /// `item`: the activation as an element of a LaneBatch.
    pub(crate) fn place(&self, worker: &Arc<Worker>, run_id: &str, first: bool, item: Vec<u8>) {
        let mut state = self.lock();
        let number = worker.number();
        let placement = state.router.activation(number, run_id, first);
        let mut after = After::default();
        match placement {
            Placement::Lane(lane) => state.append(lane, &item, true, &mut after),
            Placement::Wait => {}
            Placement::Refuse(reason) => {
                let text = Texts::default().of(reason);
                after.fail.push((worker.clone(), run_id.to_owned(), text));
            }
        }
        if first && !matches!(placement, Placement::Refuse(_)) {
            let kept = state.kept.entry(number).or_default();
            kept.insert(run_id.to_owned(), item);
        }
        drop(state);
        after.run();
    }

    /// The core evicts a run and the hub answers: its lane has to hear of it.
    pub(crate) fn forget_run(&self, worker: WorkerId, run_id: &str, tokio: &Handle) {
        let mut state = self.lock();
        let mut after = After::default();
        if let Some(lane) = state.router.eviction(worker, run_id) {
            state.append(lane, &eviction(worker, run_id), false, &mut after);
        }
        state.unkeep(worker, run_id);
        drop(state);
        for lane in after.linger.drain(..) {
            linger(lane, tokio);
        }
        after.run();
    }

    /// The worker whose completion this is, if it is still waited for.
    pub(crate) fn accept(
        &self,
        lane: LaneId,
        worker: WorkerId,
        run_id: &str,
    ) -> Option<Arc<Worker>> {
        let mut state = self.lock();
        if !state.router.completion(lane, worker, run_id) {
            return None;
        }
        state.unkeep(worker, run_id);
        state.workers.get(&worker)?.upgrade()
    }

    fn forget_lane(&self, lane: LaneId, guilty: Option<&RunKey>, texts: &Texts) {
        let mut state = self.lock();
        if let Some(gone) = state.lanes.remove(&lane) {
            gone.outbox.close();
        }
        let decisions = state.router.close_lane(lane, guilty);
        let after = state.carry_out(decisions, texts);
        drop(state);
        after.run();
    }

    fn decide(&self, event: impl FnOnce(&mut Router) -> Vec<Decision>) {
        let mut state = self.lock();
        let decisions = event(&mut state.router);
        let after = state.carry_out(decisions, &Texts::default());
        drop(state);
        after.run();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic holds this lock")
    }
}

impl State {
    fn carry_out(&mut self, decisions: Vec<Decision>, texts: &Texts) -> After {
        let mut after = After::default();
        for decision in decisions {
            match decision {
                Decision::Deliver { run, lane } => {
                    let item = self
                        .kept
                        .get(&run.worker)
                        .and_then(|kept| kept.get(&run.run_id))
                        .cloned();
                    if let Some(item) = item {
                        self.append(lane, &item, true, &mut after);
                    }
                }
                Decision::Evict { run, lane } => {
                    self.append(lane, &eviction(run.worker, &run.run_id), true, &mut after);
                }
                Decision::Fail { run, reason } => {
                    self.unkeep(run.worker, &run.run_id);
                    if let Some(worker) = self.worker(run.worker) {
                        after.fail.push((worker, run.run_id, texts.of(reason)));
                    }
                }
                Decision::RequestEviction { run } => {
                    if let Some(worker) = self.worker(run.worker) {
                        after.evict.push((worker, run.run_id));
                    }
                }
            }
        }
        after
    }

    fn append(&self, lane: LaneId, item: &[u8], urgent: bool, after: &mut After) {
        let Some(lane) = self.lanes.get(&lane) else {
            return;
        };
        if lane.outbox.append(item, urgent) {
            after.wake.push(lane.clone());
        } else if !urgent {
            after.linger.push(lane.clone());
        }
    }

    fn unkeep(&mut self, worker: WorkerId, run_id: &str) {
        if let Some(kept) = self.kept.get_mut(&worker) {
            kept.remove(run_id);
        }
    }

    fn worker(&self, worker: WorkerId) -> Option<Arc<Worker>> {
        self.workers.get(&worker)?.upgrade()
    }
}

impl After {
    fn run(self) {
        for lane in self.wake {
            lane.outbox.wake();
        }
        for (worker, run_id, text) in self.fail {
            worker.fail_activation(run_id, text);
        }
        for (worker, run_id) in self.evict {
            worker.request_eviction(&run_id);
        }
    }
}

impl Texts {
    fn of(&self, reason: Reason) -> String {
        let (given, otherwise) = match reason {
            Reason::Guilty => (&self.guilty, "this run made its lane unusable"),
            Reason::LaneLost => (
                &self.lost,
                "the lane that held this run is gone; the run is replayed on another one",
            ),
            Reason::NoLane => (&self.lost, "the worker is stopping and has no lane left"),
        };
        if given.is_empty() {
            otherwise.to_owned()
        } else {
            given.clone()
        }
    }
}

fn eviction(worker: WorkerId, run_id: &str) -> Vec<u8> {
    element(&LaneItem {
        worker,
        run_id: run_id.to_owned(),
        kind: Some(lane_item::Kind::Evict(true)),
    })
}

/// H2: an idle lane frees evicted runs too, only later.
fn linger(lane: Arc<Lane>, tokio: &Handle) {
    if lane.lingering.swap(true, Ordering::AcqRel) {
        return;
    }
    tokio.spawn(async move {
        tokio::time::sleep(LINGER).await;
        lane.lingering.store(false, Ordering::Release);
        lane.outbox.wake_if_pending();
    });
}
