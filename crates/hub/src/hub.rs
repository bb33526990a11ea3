//! The meeting place of workers and lanes in a process.
//!
//! Owns    the router's only instance, the lanes' outboxes, kept activations.
//! Leaves  every choice to [`crate::routing`], and talking to the core to [`crate::worker`].
//! H1  Bytes are appended to a lane's outbox under the lock that guards the router, so lanes see what the router
//!     decided in the order it decided. Waking and calling the core come after the lock.
//! H2  An eviction alone wakes no lane; it goes with the next activation, or after `LINGER`.

use crate::error::{HubError, decode};
use crate::keep::{Keep, fingerprint};
use crate::outbox::{Outbox, element};
use crate::proto::{LaneItem, LaneLost, lane_item};
use crate::routing::{Answer, Decision, LaneId, Placement, Reason, Router, RunKey, WorkerId};
use crate::worker::Worker;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, Weak};
use std::time::Duration;
use tokio::runtime::Handle;

const LINGER: Duration = Duration::from_millis(50);
const DIFFERS: &str = "the lane that held this run is gone, and running its past activations again on another lane \
    gave something else than the first time; the run is replayed from its history. Look for what is not \
    deterministic in the workflow, or in what decides its patches";

#[derive(Default)]
pub struct Hub {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    router: Router,
    lanes: HashMap<LaneId, Arc<Lane>>,
    workers: HashMap<WorkerId, Weak<Worker>>,
    keep: Keep,
    last_worker: WorkerId,
}

/// An activation on its way to a lane.
pub(crate) struct Routed {
    /// It initializes the run.
    pub first: bool,
    /// It changes the run's state.
    pub counts: bool,
    /// It, as an element of a LaneBatch.
    pub item: Vec<u8>,
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
        state.keep.drop_worker(worker);
    }

    pub(crate) fn cached_runs(&self, worker: WorkerId) -> usize {
        self.lock().router.runs(worker)
    }

    pub(crate) fn place(&self, worker: &Arc<Worker>, run_id: &str, activation: Routed) {
        let Routed {
            first,
            counts,
            item,
        } = activation;
        let mut state = self.lock();
        let number = worker.number();
        let placement = state.router.activation(number, run_id, first, counts);
        let mut after = After::default();
        match placement {
            Placement::Lane(lane) => state.append(lane, &item, true, &mut after),
            Placement::Rebuild(lane) => {
                state.append_past(lane, number, run_id, &mut after);
                state.append(lane, &item, true, &mut after);
            }
            Placement::Wait => {}
            Placement::Refuse(reason) => {
                let text = Texts::default().of(reason);
                after.fail.push((worker.clone(), run_id.to_owned(), text));
            }
        }
        if matches!(placement, Placement::Refuse(_)) {
            state.keep.drop_run(number, run_id);
        } else if first {
            state.keep.begin(number, run_id, item);
        } else {
            state.keep.asked(number, run_id, item);
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
        state.keep.drop_run(worker, run_id);
        drop(state);
        for lane in after.linger.drain(..) {
            linger(lane, tokio);
        }
        after.run();
    }

    /// The worker whose completion this is, if it is waited for. `completion`: its bytes; `failed`: the task fails.
    pub(crate) fn accept(
        &self,
        lane: LaneId,
        worker: WorkerId,
        run_id: &str,
        completion: &[u8],
        failed: bool,
    ) -> Option<Arc<Worker>> {
        let mut state = self.lock();
        match state.router.completion(lane, worker, run_id) {
            Answer::Unasked => None,
            Answer::Repeated(index) => {
                if state.keep.answer(worker, run_id, index) != Some(fingerprint(completion)) {
                    state.router.differs(worker, run_id);
                }
                None
            }
            Answer::Accepted { counts } => {
                let kept = if counts && !failed {
                    state.keep.answered(worker, run_id, completion)
                } else {
                    state.keep.answered_for_nothing(worker, run_id)
                };
                if !kept {
                    state.router.unkeep(worker, run_id);
                }
                state.worker(worker)
            }
            Answer::Spoiled => {
                state.keep.drop_run(worker, run_id);
                state.router.unkeep(worker, run_id);
                let worker = state.worker(worker);
                drop(state);
                if let Some(worker) = worker {
                    let text = Texts::default().of(Reason::Differs);
                    worker.fail_activation(run_id.to_owned(), text);
                }
                None
            }
        }
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
                    self.append_past(lane, run.worker, &run.run_id, &mut after);
                    if let Some(item) = self.keep.outstanding(run.worker, &run.run_id) {
                        self.append(lane, item, true, &mut after);
                    }
                }
                Decision::Evict { run, lane } => {
                    self.append(lane, &eviction(run.worker, &run.run_id), true, &mut after);
                }
                Decision::Fail { run, reason } => {
                    self.keep.drop_run(run.worker, &run.run_id);
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

    /// What a lane has to carry out before it can go on with a run of a lane that is gone.
    fn append_past(&self, lane: LaneId, worker: WorkerId, run_id: &str, after: &mut After) {
        let past = self.keep.past(worker, run_id);
        if past.is_empty() {
            return;
        }
        let repeats = element(&LaneItem {
            worker,
            run_id: run_id.to_owned(),
            kind: Some(lane_item::Kind::Repeats(past.len() as u32)),
        });
        self.append(lane, &repeats, true, after);
        for item in past {
            self.append(lane, item.activation(), true, after);
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
            Reason::Differs => (&self.lost, DIFFERS),
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
