//! Every state that the router can get into with two lanes and two workers of one run each, or one worker of two runs,
//! under every order of events, held against a model of what core and lanes must be seeing.
//!
//! The model keeps, for each run, what the core waits for, and for each lane, what it has been given. It is told every
//! decision and panics on one that breaks a rule of the module head. The search is exhaustive: states are compared up
//! to the order of last uses, and it goes on until no new state appears.

use super::*;
use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};

const LANES: [LaneId; 2] = [1, 2];

/// What the core thinks of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Core {
    /// Not in the cache.
    Absent,
    /// In the cache, nothing outstanding.
    Cached,
    /// Waits for a completion.
    Asked { first: bool },
}

#[derive(Clone, Debug, Default)]
struct LaneModel {
    /// Runs with an instance on the lane, and whether a completion is owed.
    runs: BTreeMap<RunKey, bool>,
}

#[derive(Clone, Copy, Debug)]
struct RunState {
    core: Core,
    /// The first activation is kept by the hub: it may be delivered (again).
    kept: bool,
}

#[derive(Clone, Debug)]
struct World {
    router: Router,
    runs: BTreeMap<RunKey, RunState>,
    open: BTreeMap<LaneId, LaneModel>,
    /// Lanes named for each open worker.
    named: BTreeMap<WorkerId, BTreeSet<LaneId>>,
    stopping: BTreeSet<WorkerId>,
}

#[derive(Clone, Debug)]
enum Event {
    First(RunKey),
    Later(RunKey),
    EvictedByCore(RunKey),
    Completed(LaneId, RunKey),
    OpenLane(LaneId),
    CloseLane(LaneId, Option<RunKey>),
    Name(WorkerId, Vec<LaneId>),
    Stop(WorkerId),
    CloseWorker(WorkerId),
    LeastRecent(LaneId),
}

impl World {
    fn new(runs: &[(WorkerId, &str)]) -> Self {
        let mut world = Self {
            router: Router::default(),
            runs: BTreeMap::new(),
            open: BTreeMap::new(),
            named: BTreeMap::new(),
            stopping: BTreeSet::new(),
        };
        for (worker, run_id) in runs {
            world.router.open_worker(*worker);
            world.named.entry(*worker).or_default();
            let key = RunKey {
                worker: *worker,
                run_id: (*run_id).to_owned(),
            };
            let state = RunState {
                core: Core::Absent,
                kept: false,
            };
            world.runs.insert(key, state);
        }
        world
    }

    /// Everything that can happen now, sensible or late.
    fn events(&self) -> Vec<Event> {
        let mut events = Vec::new();
        for (run, state) in &self.runs {
            if !self.named.contains_key(&run.worker) {
                continue;
            }
            match state.core {
                Core::Absent => events.push(Event::First(run.clone())),
                Core::Cached => {
                    events.push(Event::Later(run.clone()));
                    events.push(Event::EvictedByCore(run.clone()));
                }
                Core::Asked { .. } => {}
            }
        }
        for lane in LANES {
            for run in self.runs.keys() {
                // Also from lanes that owe nothing, or are gone: duplicates and latecomers.
                events.push(Event::Completed(lane, run.clone()));
            }
            if self.open.contains_key(&lane) {
                events.push(Event::LeastRecent(lane));
                events.push(Event::CloseLane(lane, None));
                for run in self.runs.keys() {
                    events.push(Event::CloseLane(lane, Some(run.clone())));
                }
            } else {
                events.push(Event::OpenLane(lane));
                events.push(Event::CloseLane(lane, None)); // told twice
            }
        }
        for worker in self.named.keys() {
            for lanes in [vec![], vec![1], vec![2], vec![1, 2]] {
                events.push(Event::Name(*worker, lanes));
            }
            events.push(Event::Stop(*worker));
            // The core's worker is finalized when nothing is outstanding.
            let owed = self.runs.iter().any(|(run, state)| {
                run.worker == *worker && matches!(state.core, Core::Asked { .. })
            });
            if !owed {
                events.push(Event::CloseWorker(*worker));
            }
        }
        events
    }

    fn apply(&mut self, event: &Event) {
        match event {
            Event::First(run) => self.activation(run, true),
            Event::Later(run) => self.activation(run, false),
            Event::EvictedByCore(run) => {
                let lane = self.router.eviction(run.worker, &run.run_id);
                match lane {
                    Some(lane) => self.lane_evicts(lane, run),
                    // R3: a lane with an instance must hear of it.
                    None => assert!(self.holders(run).is_empty(), "{run:?} is left on a lane"),
                }
                self.set(run, Core::Absent, false);
            }
            Event::Completed(lane, run) => {
                let owed = self
                    .open
                    .get(lane)
                    .is_some_and(|model| model.runs.get(run) == Some(&true));
                let accepted = self.router.completion(*lane, run.worker, &run.run_id);
                assert_eq!(accepted, owed, "completion of {run:?} by lane {lane}");
                if accepted {
                    self.lane(*lane).runs.insert(run.clone(), false);
                    self.answered(run);
                }
            }
            Event::OpenLane(lane) => {
                self.open.insert(*lane, LaneModel::default());
                let (new, decisions) = self.router.open_lane(*lane);
                assert!(new);
                self.carry_out(decisions);
            }
            Event::CloseLane(lane, guilty) => {
                let lost = self.open.remove(lane);
                let decisions = self.router.close_lane(*lane, guilty.as_ref());
                let Some(lost) = lost else {
                    assert!(decisions.is_empty(), "a lane was lost twice");
                    return;
                };
                self.check_loss(&lost, guilty.as_ref(), &decisions);
                self.carry_out(decisions);
            }
            Event::Name(worker, lanes) => {
                self.named.insert(*worker, lanes.iter().copied().collect());
                let decisions = self.router.set_lanes(*worker, lanes);
                self.carry_out(decisions);
            }
            Event::Stop(worker) => {
                self.stopping.insert(*worker);
                let decisions = self.router.stop_worker(*worker);
                self.carry_out(decisions);
            }
            Event::CloseWorker(worker) => {
                let decisions = self.router.close_worker(*worker);
                self.named.remove(worker);
                self.stopping.remove(worker);
                self.carry_out(decisions);
                for (run, state) in &mut self.runs {
                    if run.worker == *worker {
                        state.core = Core::Absent;
                    }
                }
                for model in self.open.values() {
                    assert!(model.runs.keys().all(|run| run.worker != *worker));
                }
            }
            Event::LeastRecent(lane) => {
                let held = self.open[lane].runs.len();
                let asked = self.router.least_recent(*lane, usize::MAX);
                let again = self.router.least_recent(*lane, usize::MAX);
                assert!(asked.len() <= held);
                assert!(again.is_empty(), "evictions were asked for twice");
                for decision in asked {
                    assert!(matches!(decision, Decision::RequestEviction { .. }));
                    assert!(self.open[lane].runs.contains_key(decision.run()));
                }
            }
        }
        self.check();
    }

    fn activation(&mut self, run: &RunKey, first: bool) {
        let best = self.least_loaded(run.worker);
        let holders = self.holders(run);
        self.set(run, Core::Asked { first }, first);
        match self.router.activation(run.worker, &run.run_id, first) {
            Placement::Lane(lane) => {
                if first {
                    assert_eq!(Some(lane), best, "R5"); // R5
                } else {
                    assert_eq!(holders, [lane], "R2");
                }
                self.lane_gets(lane, run, first);
            }
            Placement::Wait => {
                assert!(
                    first && best.is_none() && !self.stopping.contains(&run.worker),
                    "R5"
                );
            }
            Placement::Refuse(Reason::LaneLost) => {
                assert!(!first && holders.is_empty(), "R2");
                self.answered(run);
            }
            Placement::Refuse(Reason::NoLane) => {
                assert!(
                    first && best.is_none() && self.stopping.contains(&run.worker),
                    "R5"
                );
                self.answered(run);
            }
            Placement::Refuse(Reason::Guilty) => panic!("nobody is guilty before running"),
        }
    }

    fn carry_out(&mut self, decisions: Vec<Decision>) {
        for decision in decisions {
            match decision {
                Decision::Deliver { run, lane } => {
                    assert!(
                        self.runs[&run].kept,
                        "nothing is kept to deliver for {run:?}"
                    );
                    assert_eq!(self.runs[&run].core, Core::Asked { first: true });
                    assert!(
                        self.named[&run.worker].contains(&lane),
                        "not a lane of the worker"
                    );
                    self.lane_gets(lane, &run, true);
                }
                Decision::Evict { run, lane } => self.lane_evicts(lane, &run),
                Decision::Fail { run, .. } => self.answered(&run),
                Decision::RequestEviction { run } => {
                    assert_eq!(self.runs[&run].core, Core::Cached);
                }
            }
        }
    }

    /// The table in the module head.
    fn check_loss(&self, lost: &LaneModel, guilty: Option<&RunKey>, decisions: &[Decision]) {
        for (run, owed) in &lost.runs {
            let about: Vec<_> = decisions
                .iter()
                .filter(|about| about.run() == run)
                .collect();
            let first = self.runs[run].core == Core::Asked { first: true };
            let lanes = self.least_loaded(run.worker).is_some();
            match (owed, guilty == Some(run), first) {
                (true, true, _) => assert!(
                    matches!(
                        about[..],
                        [Decision::Fail {
                            reason: Reason::Guilty,
                            ..
                        }]
                    ),
                    "{about:?}"
                ),
                (true, false, true) if lanes => {
                    assert!(matches!(about[..], [Decision::Deliver { .. }]), "{about:?}");
                }
                (true, false, true) if self.stopping.contains(&run.worker) => assert!(
                    matches!(
                        about[..],
                        [Decision::Fail {
                            reason: Reason::NoLane,
                            ..
                        }]
                    ),
                    "{about:?}"
                ),
                (true, false, true) => assert!(about.is_empty(), "{about:?}"),
                (true, false, false) => assert!(
                    matches!(
                        about[..],
                        [Decision::Fail {
                            reason: Reason::LaneLost,
                            ..
                        }]
                    ),
                    "{about:?}"
                ),
                (false, ..) => assert!(
                    matches!(about[..], [Decision::RequestEviction { .. }]),
                    "{about:?}"
                ),
            }
        }
    }

    fn lane_gets(&mut self, lane: LaneId, run: &RunKey, first: bool) {
        let model = self.lane(lane);
        let before = model.runs.insert(run.clone(), true);
        match before {
            None => assert!(
                first,
                "a later activation for an instance that is not there"
            ),
            Some(owed) => {
                assert!(!owed, "two activations outstanding");
                assert!(!first, "R3: the old instance was not evicted");
            }
        }
    }

    fn lane_evicts(&mut self, lane: LaneId, run: &RunKey) {
        let model = self.lane(lane);
        assert!(
            model.runs.remove(run).is_some(),
            "evicts what it does not hold"
        );
    }

    /// R1: the core gets one answer, to what it asked.
    fn answered(&mut self, run: &RunKey) {
        assert!(
            matches!(self.runs[run].core, Core::Asked { .. }),
            "{run:?} was answered without having been asked"
        );
        self.set(run, Core::Cached, false);
    }

    fn set(&mut self, run: &RunKey, core: Core, kept: bool) {
        self.runs.insert(run.clone(), RunState { core, kept });
    }

    /// R4: an open lane, or the test fails.
    fn lane(&mut self, lane: LaneId) -> &mut LaneModel {
        self.open.get_mut(&lane).expect("R4: the lane is gone")
    }

    fn holders(&self, run: &RunKey) -> Vec<LaneId> {
        self.open
            .iter()
            .filter(|(_, model)| model.runs.contains_key(run))
            .map(|(lane, _)| *lane)
            .collect()
    }

    fn least_loaded(&self, worker: WorkerId) -> Option<LaneId> {
        self.named[&worker]
            .iter()
            .filter_map(|lane| self.open.get(lane).map(|model| (lane, model)))
            .map(|(lane, model)| {
                let owed = model.runs.values().filter(|owed| **owed).count();
                (owed, model.runs.len(), *lane)
            })
            .min()
            .map(|(.., lane)| lane)
    }

    fn check(&self) {
        for (run, state) in &self.runs {
            let holders = self.holders(run);
            assert!(holders.len() <= 1, "R2: {run:?} is on two lanes");
            let owed = holders.iter().any(|lane| self.open[lane].runs[run]);
            let waits = self
                .router
                .workers
                .get(&run.worker)
                .and_then(|worker| worker.runs.get(&run.run_id))
                .is_some_and(|known| known.place == Place::Waiting);
            match state.core {
                Core::Asked { first } => {
                    assert!(
                        owed != waits,
                        "R1: {run:?} is owed by lane: {owed}, waits: {waits}"
                    );
                    assert!(first || !waits, "R1: a later activation waits");
                    if waits {
                        assert!(
                            self.least_loaded(run.worker).is_none(),
                            "R5: waits beside a lane"
                        );
                        assert!(!self.stopping.contains(&run.worker), "R5: waits for ever");
                    }
                }
                Core::Cached | Core::Absent => assert!(!owed && !waits, "{run:?} is not asked for"),
            }
        }
        for (lane, load) in &self.router.lanes {
            let model = &self.open[lane];
            let owed = model.runs.values().filter(|owed| **owed).count();
            assert_eq!(
                (load.outstanding, load.runs),
                (owed, model.runs.len()),
                "lane {lane}"
            );
        }
        assert_eq!(self.router.lanes.len(), self.open.len());
    }

    /// Equal for states that behave alike: of last uses only their order counts.
    fn canonical(&self) -> String {
        let mut used: Vec<u64> = Vec::new();
        let mut known = BTreeMap::new();
        for (worker, entry) in &self.router.workers {
            for (run_id, run) in &entry.runs {
                used.push(run.used);
                known.insert((*worker, run_id.clone()), run.clone());
            }
        }
        used.sort_unstable();
        for run in known.values_mut() {
            run.used = used.partition_point(|other| *other < run.used) as u64;
        }
        format!(
            "{known:?} {:?} {:?} {:?} {:?}",
            self.runs, self.open, self.named, self.stopping
        )
    }
}

/// Visits every reachable state; returns how many there are.
fn explore(start: World) -> usize {
    let mut seen = HashSet::from([start.canonical()]);
    let mut queue = VecDeque::from([start]);
    while let Some(world) = queue.pop_front() {
        for event in world.events() {
            let mut next = world.clone();
            next.apply(&event);
            if seen.insert(next.canonical()) {
                queue.push_back(next);
            }
        }
    }
    seen.len()
}

#[test]
fn no_order_of_events_breaks_a_rule_for_two_runs_of_one_worker() {
    let states = explore(World::new(&[(1, "a"), (1, "b")]));
    assert!(states > 500, "only {states} states were reached");
}

#[test]
fn no_order_of_events_breaks_a_rule_for_two_workers_that_share_a_run_id() {
    let states = explore(World::new(&[(1, "a"), (2, "a")]));
    assert!(states > 5_000, "only {states} states were reached");
}

#[test]
fn least_recent_prefers_idle_runs_used_longest_ago() {
    let mut router = Router::default();
    router.open_worker(1);
    assert!(router.open_lane(1).1.is_empty());
    assert!(router.set_lanes(1, &[1]).is_empty());
    for run in ["a", "b", "c", "d"] {
        assert_eq!(router.activation(1, run, true), Placement::Lane(1));
    }
    for run in ["b", "c", "d"] {
        assert!(router.completion(1, 1, run));
    }
    router.activation(1, "b", false);
    assert!(router.completion(1, 1, "b"));
    let order: Vec<_> = router
        .least_recent(1, 10)
        .into_iter()
        .map(|decision| decision.run().run_id.clone())
        .collect();
    assert_eq!(order, ["c", "d", "b", "a"]);
}

#[test]
fn new_runs_spread_over_lanes_by_load() {
    let mut router = Router::default();
    router.open_worker(1);
    for lane in [1, 2, 3] {
        router.open_lane(lane);
    }
    router.set_lanes(1, &[1, 2]);
    let mut given: HashMap<LaneId, usize> = HashMap::new();
    for index in 0..100 {
        match router.activation(1, &index.to_string(), true) {
            Placement::Lane(lane) => *given.entry(lane).or_default() += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(given, HashMap::from([(1, 50), (2, 50)]));
}
