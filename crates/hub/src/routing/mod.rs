//! Which lane runs which workflow run. Pure: events in, decisions out; no clock, no I/O, no async runtime.
//!
//! Owns    the map run -> lane, who is busy, who was used last.
//! Leaves  bytes, wake-ups and calls of the core to the hub, which carries decisions out in the order they come.
//!
//! R1  Each activation ends in exactly one answer: a completion of its lane, a refusal, or a failure decided here.
//! R2  All activations of a run between two evictions go to one lane, unless that lane goes away.
//! R3  A lane that held a run gets its eviction before any later activation of that run.
//! R4  A lane that is gone gets nothing, and what it says is dropped.
//! R5  A run without a lane goes to the open lane of its worker with the fewest outstanding activations, then fewest
//!     runs, then the lowest number; without an open lane it waits, unless its worker is stopping.
//! R6  A run whose lane is gone is rebuilt elsewhere: the new lane carries out everything that the old one has
//!     completed since the run's first activation. What it answers to that is held against what the core was told,
//!     and goes no further; if it differs, the outstanding activation is failed once the lane has answered it too.
//!
//! What becomes of the runs of a lane that goes away:
//!
//! outstanding, guilty              failed with the guilty message
//! outstanding, kept                rebuilt on another lane, which gets the outstanding activation too
//! outstanding, not kept            failed: its state is lost; the core evicts it and replays
//! not outstanding, kept            stays without a lane, and is rebuilt when its next activation comes
//! not outstanding, not kept        eviction requested from the core
//!
//! Kept means that the hub still has all activations of the run; it gives them up when they take too much memory.

#[cfg(test)]
mod model;

use std::collections::HashMap;

pub type WorkerId = u32;
pub type LaneId = u32;

/// A run of a worker. Two workers of one process may meet the same run id.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RunKey {
    pub worker: WorkerId,
    pub run_id: String,
}

/// Where an activation goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    Lane(LaneId),
    /// As Lane, after everything that the run's lost lane had carried out (R6).
    Rebuild(LaneId),
    /// Keep it: a later decision delivers or fails it.
    Wait,
    /// Complete it as failed.
    Refuse(Reason),
}

/// Why an activation is failed without having been run to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The run made its lane go away.
    Guilty,
    /// The run's lane went away for another reason, and the run's state with it.
    LaneLost,
    /// The worker is stopping and has no lane.
    NoLane,
    /// The run's lane went away, and rebuilding the run gave other answers than the first time (R6).
    Differs,
}

/// What a lane's completion is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Nobody waits for it (R4).
    Unasked,
    /// The answer to the activation of that number among those carried out again (R6).
    Repeated(usize),
    /// The answer to the outstanding activation. `counts`: as the activation was announced.
    Accepted { counts: bool },
    /// The same, of a run that was not rebuilt as it was: complete the activation as failed.
    Spoiled,
}

/// What the hub has to do, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Give all kept activations of the run to the lane, the outstanding one last.
    Deliver { run: RunKey, lane: LaneId },
    /// Tell the lane to drop the run's instance.
    Evict { run: RunKey, lane: LaneId },
    /// Complete the run's outstanding activation as failed.
    Fail { run: RunKey, reason: Reason },
    /// Ask the core to evict the run.
    RequestEviction { run: RunKey },
}

#[derive(Clone, Debug, Default)]
pub struct Router {
    workers: HashMap<WorkerId, Worker>,
    lanes: HashMap<LaneId, Lane>,
    /// Counts activations; a run's last one tells how long ago it was used.
    clock: u64,
}

#[derive(Clone, Debug, Default)]
struct Worker {
    lanes: Vec<LaneId>,
    runs: HashMap<String, Run>,
    stopping: bool,
}

#[derive(Clone, Debug)]
struct Run {
    place: Place,
    /// The hub can give the run to another lane (R6).
    kept: bool,
    /// Activations that were completed and count: to be carried out again before another lane can go on.
    done: usize,
    /// The outstanding activation, if any, counts.
    counts: bool,
    /// Answers of the current lane that are still to come before the one that is waited for.
    repeats: usize,
    /// One of them was not what the core had been told.
    differs: bool,
    used: u64,
    /// An eviction has been requested and has not come yet.
    leaving: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Place {
    /// No lane; an activation is outstanding and kept.
    Waiting,
    Busy(LaneId),
    Idle(LaneId),
    /// No lane, and nothing outstanding: rebuilt when it is needed.
    Homeless,
}

#[derive(Clone, Debug, Default)]
struct Lane {
    outstanding: usize,
    runs: usize,
}

impl Router {
    pub fn open_worker(&mut self, worker: WorkerId) {
        self.workers.entry(worker).or_default();
    }

    /// Names the lanes that get new runs of the worker. Runs stay where they are.
    pub fn set_lanes(&mut self, worker: WorkerId, lanes: &[LaneId]) -> Vec<Decision> {
        if let Some(entry) = self.workers.get_mut(&worker) {
            entry.lanes = lanes.to_vec();
        }
        self.place_waiting(worker)
    }

    /// The worker takes no new work; what waits for a lane that may never come is failed.
    pub fn stop_worker(&mut self, worker: WorkerId) -> Vec<Decision> {
        if let Some(entry) = self.workers.get_mut(&worker) {
            entry.stopping = true;
        }
        self.place_waiting(worker)
    }

    /// The worker is gone: its lanes drop its runs.
    pub fn close_worker(&mut self, worker: WorkerId) -> Vec<Decision> {
        let Some(entry) = self.workers.remove(&worker) else {
            return Vec::new();
        };
        let mut decisions = Vec::new();
        for (run_id, run) in entry.runs {
            if let Some(lane) = run.place.lane() {
                self.leave_lane(run.place);
                decisions.push(Decision::Evict {
                    run: RunKey { worker, run_id },
                    lane,
                });
            }
        }
        decisions
    }

    /// Returns whether the lane was new.
    pub fn open_lane(&mut self, lane: LaneId) -> (bool, Vec<Decision>) {
        if self.lanes.contains_key(&lane) {
            return (false, Vec::new());
        }
        self.lanes.insert(lane, Lane::default());
        let mut workers: Vec<_> = self.workers.keys().copied().collect();
        workers.sort_unstable();
        let decisions = workers
            .into_iter()
            .flat_map(|worker| self.place_waiting(worker))
            .collect();
        (true, decisions)
    }

    /// The lane is gone, by its own will or by force; see the table in the module head.
    pub fn close_lane(&mut self, lane: LaneId, guilty: Option<&RunKey>) -> Vec<Decision> {
        if self.lanes.remove(&lane).is_none() {
            return Vec::new(); // R4: told twice
        }
        let mut decisions = Vec::new();
        let mut homeless = Vec::new();
        for (&worker, entry) in &mut self.workers {
            entry.runs.retain(|run_id, run| {
                if run.place.lane() != Some(lane) {
                    return true;
                }
                let key = RunKey {
                    worker,
                    run_id: run_id.clone(),
                };
                match run.place {
                    Place::Busy(_) if guilty == Some(&key) => decisions.push(Decision::Fail {
                        run: key,
                        reason: Reason::Guilty,
                    }),
                    Place::Busy(_) if run.kept && !run.differs => {
                        run.place = Place::Waiting;
                        homeless.push(worker);
                        return true;
                    }
                    Place::Busy(_) => decisions.push(Decision::Fail {
                        run: key,
                        reason: Reason::LaneLost,
                    }),
                    _ if run.kept => {
                        run.place = Place::Homeless;
                        return true;
                    }
                    _ => decisions.push(Decision::RequestEviction { run: key }),
                }
                false
            });
        }
        decisions.sort_by(|a, b| a.run().cmp(b.run()));
        homeless.sort_unstable();
        homeless.dedup();
        for worker in homeless {
            decisions.extend(self.place_waiting(worker));
        }
        decisions
    }

    /// An activation that is not an eviction. `first`: it initializes the run. `counts`: it changes the run's state,
    /// so that a lane that takes the run over has to carry it out too.
    pub fn activation(
        &mut self,
        worker: WorkerId,
        run_id: &str,
        first: bool,
        counts: bool,
    ) -> Placement {
        self.clock += 1;
        let Some(entry) = self.workers.get_mut(&worker) else {
            return Placement::Refuse(Reason::NoLane);
        };
        let run = match entry.runs.get_mut(run_id) {
            Some(run) => run,
            // R2: the run's lane went away while the core was making this activation.
            None if !first => return Placement::Refuse(Reason::LaneLost),
            None => entry.runs.entry(run_id.to_owned()).or_insert(Run::new()),
        };
        run.used = self.clock;
        run.counts = counts;
        match run.place {
            Place::Waiting => return Placement::Wait,
            Place::Busy(lane) => return Placement::Lane(lane),
            Place::Idle(lane) => {
                run.place = Place::Busy(lane);
                if let Some(lane) = self.lanes.get_mut(&lane) {
                    lane.outstanding += 1;
                }
                return Placement::Lane(lane);
            }
            Place::Homeless => {}
        }
        let Some(chosen) = least_loaded(&self.lanes, &entry.lanes) else {
            if entry.stopping {
                entry.runs.remove(run_id);
                return Placement::Refuse(Reason::NoLane);
            }
            run.place = Place::Waiting;
            return Placement::Wait;
        };
        run.move_to(chosen);
        if let Some(lane) = self.lanes.get_mut(&chosen) {
            lane.outstanding += 1;
            lane.runs += 1;
        }
        if first {
            Placement::Lane(chosen)
        } else {
            Placement::Rebuild(chosen)
        }
    }

    /// The hub has given up a run's activations: it can be rebuilt from its history only. For runs that have a lane.
    pub fn unkeep(&mut self, worker: WorkerId, run_id: &str) {
        if let Some(run) = self.run(worker, run_id) {
            run.kept = false;
        }
    }

    /// A repeated answer was not what the core had been told (R6).
    pub fn differs(&mut self, worker: WorkerId, run_id: &str) {
        if let Some(run) = self.run(worker, run_id) {
            run.differs = true;
        }
    }

    /// The core evicts the run; the hub answers. Returns the lane that has to hear of it.
    pub fn eviction(&mut self, worker: WorkerId, run_id: &str) -> Option<LaneId> {
        let run = self.workers.get_mut(&worker)?.runs.remove(run_id)?;
        self.leave_lane(run.place);
        run.place.lane()
    }

    /// A lane has completed an activation of a run.
    pub fn completion(&mut self, lane: LaneId, worker: WorkerId, run_id: &str) -> Answer {
        let Some(run) = self.run(worker, run_id) else {
            return Answer::Unasked;
        };
        if run.place != Place::Busy(lane) {
            return Answer::Unasked;
        }
        if run.repeats > 0 {
            run.repeats -= 1;
            return Answer::Repeated(run.done - run.repeats - 1);
        }
        run.place = Place::Idle(lane);
        let answer = if std::mem::take(&mut run.differs) {
            Answer::Spoiled
        } else {
            Answer::Accepted { counts: run.counts }
        };
        if run.kept && run.counts {
            run.done += 1;
        }
        if let Some(lane) = self.lanes.get_mut(&lane) {
            lane.outstanding -= 1;
        }
        answer
    }

    /// The `count` runs of the lane that were used longest ago, idle ones first. They count as leaving from now on.
    pub fn least_recent(&mut self, lane: LaneId, count: usize) -> Vec<Decision> {
        let mut found = Vec::new();
        for (&worker, entry) in &mut self.workers {
            for (run_id, run) in &mut entry.runs {
                if run.place.lane() == Some(lane) && !run.leaving {
                    let busy = matches!(run.place, Place::Busy(_));
                    found.push(((busy, run.used), worker, run_id.clone(), run));
                }
            }
        }
        found.sort_unstable_by_key(|(rank, ..)| *rank);
        found
            .into_iter()
            .take(count)
            .map(|(_, worker, run_id, run)| {
                run.leaving = true;
                Decision::RequestEviction {
                    run: RunKey { worker, run_id },
                }
            })
            .collect()
    }

    /// Runs of the worker that are known, whatever their place.
    pub fn runs(&self, worker: WorkerId) -> usize {
        self.workers
            .get(&worker)
            .map_or(0, |entry| entry.runs.len())
    }

    fn run(&mut self, worker: WorkerId, run_id: &str) -> Option<&mut Run> {
        self.workers.get_mut(&worker)?.runs.get_mut(run_id)
    }

    fn leave_lane(&mut self, place: Place) {
        let Some(lane) = place.lane().and_then(|lane| self.lanes.get_mut(&lane)) else {
            return;
        };
        lane.runs -= 1;
        if matches!(place, Place::Busy(_)) {
            lane.outstanding -= 1;
        }
    }

    /// Gives waiting runs a lane, oldest first, or fails them if none will come.
    fn place_waiting(&mut self, worker: WorkerId) -> Vec<Decision> {
        let Some(entry) = self.workers.get_mut(&worker) else {
            return Vec::new();
        };
        let mut waiting: Vec<_> = entry
            .runs
            .iter()
            .filter(|(_, run)| run.place == Place::Waiting)
            .map(|(run_id, run)| (run.used, run_id.clone()))
            .collect();
        waiting.sort_unstable();
        let mut decisions = Vec::new();
        for (_, run_id) in waiting {
            let run = RunKey { worker, run_id };
            match least_loaded(&self.lanes, &entry.lanes) {
                Some(lane) => {
                    if let Some(waiting) = entry.runs.get_mut(&run.run_id) {
                        waiting.move_to(lane);
                    }
                    if let Some(load) = self.lanes.get_mut(&lane) {
                        load.outstanding += 1;
                        load.runs += 1;
                    }
                    decisions.push(Decision::Deliver { run, lane });
                }
                None if entry.stopping => {
                    entry.runs.remove(&run.run_id);
                    decisions.push(Decision::Fail {
                        run,
                        reason: Reason::NoLane,
                    });
                }
                None => {}
            }
        }
        decisions
    }
}

impl Run {
    /// One that the core has just made.
    fn new() -> Self {
        Self {
            place: Place::Homeless,
            kept: true,
            done: 0,
            counts: true,
            repeats: 0,
            differs: false,
            used: 0,
            leaving: false,
        }
    }

    /// Gives it a lane that knows nothing of it (R6).
    fn move_to(&mut self, lane: LaneId) {
        self.place = Place::Busy(lane);
        self.repeats = self.done;
    }
}

impl Place {
    fn lane(self) -> Option<LaneId> {
        match self {
            Self::Waiting | Self::Homeless => None,
            Self::Busy(lane) | Self::Idle(lane) => Some(lane),
        }
    }
}

impl Decision {
    pub fn run(&self) -> &RunKey {
        match self {
            Self::Deliver { run, .. }
            | Self::Evict { run, .. }
            | Self::Fail { run, .. }
            | Self::RequestEviction { run } => run,
        }
    }
}

fn least_loaded(lanes: &HashMap<LaneId, Lane>, candidates: &[LaneId]) -> Option<LaneId> {
    candidates
        .iter()
        .filter_map(|id| lanes.get(id).map(|lane| (lane.outstanding, lane.runs, *id)))
        .min()
        .map(|(_, _, id)| id)
}
