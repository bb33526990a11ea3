//! Every state that the router can get into with two lanes and two workers of one run each, or one worker of two runs,
//! under every order of events, held against a model of what core and lanes must be seeing.
//!
//! The model keeps, for each run, what the core waits for and what the hub keeps, and for each lane, what it has been
//! given. It is told every decision and panics on one that breaks a rule of the module head. The search is exhaustive:
//! states are compared up to the order of last uses, and it goes on until no new state appears. A run completes only so
//! many activations that count, or the search would have no end.

use super::*;
use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};

const LANES: [LaneId; 2] = [1, 2];

/// What the core thinks of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Core {
    /// Not in the cache.
    Absent,
    /// In the cache, nothing outstanding.
    Cached,
    /// Waits for a completion.
    Asked { first: bool, counts: bool },
}

#[derive(Clone, Debug, Default, Hash)]
struct LaneModel {
    /// Runs with an instance on the lane.
    runs: BTreeMap<RunKey, Instance>,
}

/// What a lane has of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Instance {
    /// A completion is owed to the core.
    owed: bool,
    /// So many answers come before it.
    repeats: usize,
    /// One of those that have come was another than the first time.
    differs: bool,
}

#[derive(Clone, Copy, Debug, Hash)]
struct RunState {
    core: Core,
    /// The hub has all activations of the run: they may be delivered (again).
    kept: bool,
    /// Completed ones that count.
    done: usize,
}

#[derive(Clone, Debug)]
struct World {
    router: Router,
    runs: BTreeMap<RunKey, RunState>,
    open: BTreeMap<LaneId, LaneModel>,
    /// Lanes named for each open worker.
    named: BTreeMap<WorkerId, BTreeSet<LaneId>>,
    stopping: BTreeSet<WorkerId>,
    most_done: usize,
    /// Lanes that a worker may be told to use.
    choices: &'static [&'static [LaneId]],
}

#[derive(Clone, Debug)]
enum Event {
    First(RunKey),
    Later(RunKey, bool),
    EvictedByCore(RunKey),
    /// `differs`: means something only where a repeated answer is due.
    Completed {
        lane: LaneId,
        run: RunKey,
        differs: bool,
    },
    Unkeep(RunKey),
    OpenLane(LaneId),
    CloseLane(LaneId, Option<RunKey>),
    Name(WorkerId, Vec<LaneId>),
    Stop(WorkerId),
    CloseWorker(WorkerId),
    LeastRecent(LaneId),
}

impl World {
    fn new(runs: &[(WorkerId, &str)], most_done: usize) -> Self {
        let mut world = Self {
            router: Router::default(),
            runs: BTreeMap::new(),
            open: BTreeMap::new(),
            named: BTreeMap::new(),
            stopping: BTreeSet::new(),
            most_done,
            choices: &[&[], &[1], &[2], &[1, 2]],
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
                done: 0,
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
                    if !state.kept || state.done < self.most_done {
                        events.push(Event::Later(run.clone(), true));
                    }
                    events.push(Event::Later(run.clone(), false));
                    events.push(Event::EvictedByCore(run.clone()));
                }
                Core::Asked { .. } => {}
            }
            if state.kept && state.core == Core::Cached && !self.holders(run).is_empty() {
                events.push(Event::Unkeep(run.clone()));
            }
        }
        for lane in LANES {
            for run in self.runs.keys() {
                // Also from lanes that owe nothing, or are gone: duplicates and latecomers.
                let repeated = self.open.get(&lane).and_then(|model| model.runs.get(run));
                for differs in [false, true] {
                    if !differs || repeated.is_some_and(|instance| instance.repeats > 0) {
                        let run = run.clone();
                        events.push(Event::Completed { lane, run, differs });
                    }
                }
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
            for lanes in self.choices {
                events.push(Event::Name(*worker, lanes.to_vec()));
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
            Event::First(run) => self.activation(run, true, true),
            Event::Later(run, counts) => self.activation(run, false, *counts),
            Event::Unkeep(run) => {
                self.router.unkeep(run.worker, &run.run_id);
                self.set_kept(run, false);
            }
            Event::EvictedByCore(run) => {
                let lane = self.router.eviction(run.worker, &run.run_id);
                match lane {
                    Some(lane) => self.lane_evicts(lane, run),
                    // R3: a lane with an instance must hear of it.
                    None => assert!(self.holders(run).is_empty(), "{run:?} is left on a lane"),
                }
                self.set_core(run, Core::Absent);
                self.set_kept(run, false);
            }
            Event::Completed { lane, run, differs } => self.completed(*lane, run, *differs),
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
                        state.kept = false;
                        state.done = 0;
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

    fn activation(&mut self, run: &RunKey, first: bool, counts: bool) {
        let best = self.least_loaded(run.worker);
        let holders = self.holders(run);
        self.set_core(run, Core::Asked { first, counts });
        if first {
            self.set_kept(run, true);
        }
        let kept = self.runs[run].kept;
        let placement = self
            .router
            .activation(run.worker, &run.run_id, first, counts);
        match placement {
            Placement::Lane(lane) => {
                if first {
                    assert_eq!(Some(lane), best, "R5"); // R5
                } else {
                    assert_eq!(holders, [lane], "R2");
                }
                self.lane_gets(lane, run, first);
            }
            Placement::Rebuild(lane) => {
                assert!(!first && kept && holders.is_empty(), "R6");
                assert_eq!(Some(lane), best, "R5");
                self.lane_rebuilds(lane, run);
            }
            Placement::Wait => {
                assert!(kept && holders.is_empty(), "R6");
                assert!(best.is_none() && !self.stopping.contains(&run.worker), "R5");
            }
            Placement::Refuse(Reason::LaneLost) => {
                assert!(!first && !kept && holders.is_empty(), "R2");
                self.answered(run);
            }
            Placement::Refuse(Reason::NoLane) => {
                assert!(kept && holders.is_empty(), "R6");
                assert!(best.is_none() && self.stopping.contains(&run.worker), "R5");
                self.answered(run);
                self.set_kept(run, false);
            }
            Placement::Refuse(Reason::Guilty | Reason::Differs) => {
                panic!("nobody is guilty before running")
            }
        }
    }

    fn completed(&mut self, lane: LaneId, run: &RunKey, differs: bool) {
        let instance = self.open.get(&lane).and_then(|model| model.runs.get(run));
        let instance = instance.copied().unwrap_or_default();
        let state = self.runs[run];
        let expected = match (instance, state.core) {
            (Instance { repeats: 1.., .. }, _) => Answer::Repeated(state.done - instance.repeats),
            (Instance { owed: false, .. }, _) => Answer::Unasked,
            (Instance { differs: true, .. }, _) => Answer::Spoiled,
            (_, Core::Asked { counts, .. }) => Answer::Accepted { counts },
            (_, core) => panic!("{run:?} is owed, and {core:?}"),
        };
        let answer = self.router.completion(lane, run.worker, &run.run_id);
        assert_eq!(answer, expected, "completion of {run:?} by lane {lane}");
        match answer {
            Answer::Unasked => {}
            Answer::Repeated(_) => {
                if differs {
                    self.router.differs(run.worker, &run.run_id);
                }
                let instance = self.lane(lane).runs.get_mut(run).expect("it has answered");
                instance.repeats -= 1;
                instance.differs |= differs;
            }
            Answer::Accepted { counts } => {
                self.lane(lane)
                    .runs
                    .insert(run.clone(), Instance::default());
                if counts && state.kept {
                    let state = self.runs.get_mut(run).expect("all runs are known");
                    state.done += 1;
                }
                self.answered(run);
            }
            Answer::Spoiled => {
                let instance = self.lane(lane).runs.get_mut(run).expect("it has answered");
                instance.owed = false;
                self.router.unkeep(run.worker, &run.run_id); // as the hub does
                self.answered(run);
                self.set_kept(run, false);
            }
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
                    assert!(matches!(self.runs[&run].core, Core::Asked { .. }));
                    assert!(
                        self.named[&run.worker].contains(&lane),
                        "not a lane of the worker"
                    );
                    self.lane_rebuilds(lane, &run);
                }
                Decision::Evict { run, lane } => self.lane_evicts(lane, &run),
                Decision::Fail { run, .. } => {
                    self.answered(&run);
                    self.set_kept(&run, false);
                }
                Decision::RequestEviction { run } => {
                    assert_eq!(self.runs[&run].core, Core::Cached);
                }
            }
        }
    }

    /// The table in the module head.
    fn check_loss(&self, lost: &LaneModel, guilty: Option<&RunKey>, decisions: &[Decision]) {
        for (run, instance) in &lost.runs {
            let about: Vec<_> = decisions
                .iter()
                .filter(|about| about.run() == run)
                .collect();
            let kept = self.runs[run].kept && !(instance.owed && instance.differs);
            let lanes = self.least_loaded(run.worker).is_some();
            let expected = match (instance.owed, guilty == Some(run), kept) {
                (true, true, _) => "guilty",
                (true, false, true) if lanes => "deliver",
                (true, false, true) if self.stopping.contains(&run.worker) => "no lane",
                (true, false, true) | (false, _, true) => "nothing",
                (true, false, false) => "lost",
                (false, _, false) => "evict",
            };
            let found = match about[..] {
                [] => "nothing",
                [Decision::Deliver { .. }] => "deliver",
                [Decision::RequestEviction { .. }] => "evict",
                [Decision::Fail { reason, .. }] => match reason {
                    Reason::Guilty => "guilty",
                    Reason::LaneLost => "lost",
                    Reason::NoLane => "no lane",
                    Reason::Differs => "differs",
                },
                _ => "several",
            };
            assert_eq!(found, expected, "{run:?}: {about:?}");
        }
    }

    fn lane_gets(&mut self, lane: LaneId, run: &RunKey, first: bool) {
        let instance = Instance {
            owed: true,
            ..Instance::default()
        };
        let before = self.lane(lane).runs.insert(run.clone(), instance);
        match before {
            None => assert!(
                first,
                "a later activation for an instance that is not there"
            ),
            Some(before) => {
                assert!(!before.owed, "two activations outstanding");
                assert!(!first, "R3: the old instance was not evicted");
            }
        }
    }

    /// R6
    fn lane_rebuilds(&mut self, lane: LaneId, run: &RunKey) {
        let instance = Instance {
            owed: true,
            repeats: self.runs[run].done,
            differs: false,
        };
        let before = self.lane(lane).runs.insert(run.clone(), instance);
        assert_eq!(before, None, "R3: the old instance was not evicted");
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
        self.set_core(run, Core::Cached);
    }

    fn set_core(&mut self, run: &RunKey, core: Core) {
        self.runs.get_mut(run).expect("all runs are known").core = core;
    }

    fn set_kept(&mut self, run: &RunKey, kept: bool) {
        let state = self.runs.get_mut(run).expect("all runs are known");
        state.kept = kept;
        state.done = 0;
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
                let owed = model.runs.values().filter(|one| one.owed).count();
                (owed, model.runs.len(), *lane)
            })
            .min()
            .map(|(.., lane)| lane)
    }

    fn check(&self) {
        for (run, state) in &self.runs {
            let holders = self.holders(run);
            assert!(holders.len() <= 1, "R2: {run:?} is on two lanes");
            let owed = holders.iter().any(|lane| self.open[lane].runs[run].owed);
            let waits = self
                .router
                .workers
                .get(&run.worker)
                .and_then(|worker| worker.runs.get(&run.run_id))
                .is_some_and(|known| known.place == Place::Waiting);
            match state.core {
                Core::Asked { .. } => {
                    assert!(
                        owed != waits,
                        "R1: {run:?} is owed by lane: {owed}, waits: {waits}"
                    );
                    assert!(state.kept || !waits, "R6: waits, and is not kept");
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
            let owed = model.runs.values().filter(|one| one.owed).count();
            assert_eq!(
                (load.outstanding, load.runs),
                (owed, model.runs.len()),
                "lane {lane}"
            );
        }
        assert_eq!(self.router.lanes.len(), self.open.len());
    }

    /// Equal for states that behave alike: of last uses only their order counts.
    fn canonical(&self) -> u64 {
        let mut used: Vec<u64> = Vec::new();
        let mut known = Vec::new();
        for (worker, entry) in &self.router.workers {
            for (run_id, run) in &entry.runs {
                used.push(run.used);
                known.push((*worker, run_id, run));
            }
        }
        used.sort_unstable();
        known.sort_unstable_by_key(|(worker, run_id, _)| (*worker, *run_id));
        let mut hasher = DefaultHasher::new();
        for (worker, run_id, run) in known {
            let rank = used.partition_point(|other| *other < run.used);
            (worker, run_id, rank).hash(&mut hasher);
            (run.place, run.kept, run.done, run.counts).hash(&mut hasher);
            (run.repeats, run.differs, run.leaving).hash(&mut hasher);
        }
        (&self.runs, &self.open, &self.named, &self.stopping).hash(&mut hasher);
        hasher.finish()
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
    let states = explore(World::new(&[(1, "a"), (1, "b")], 1));
    assert!(states > 500, "only {states} states were reached");
}

#[test]
fn no_order_of_events_breaks_a_rule_for_two_workers_that_share_a_run_id() {
    let mut world = World::new(&[(1, "a"), (2, "a")], 0);
    world.choices = &[&[], &[1, 2]];
    let states = explore(world);
    assert!(states > 5_000, "only {states} states were reached");
}

#[test]
fn no_order_of_events_breaks_a_rule_for_a_run_that_has_done_much() {
    let states = explore(World::new(&[(1, "a")], 4));
    assert!(states > 500, "only {states} states were reached");
}

#[test]
fn least_recent_prefers_idle_runs_used_longest_ago() {
    let mut router = Router::default();
    router.open_worker(1);
    assert!(router.open_lane(1).1.is_empty());
    assert!(router.set_lanes(1, &[1]).is_empty());
    let accepted = Answer::Accepted { counts: true };
    for run in ["a", "b", "c", "d"] {
        assert_eq!(router.activation(1, run, true, true), Placement::Lane(1));
    }
    for run in ["b", "c", "d"] {
        assert_eq!(router.completion(1, 1, run), accepted);
    }
    router.activation(1, "b", false, true);
    assert_eq!(router.completion(1, 1, "b"), accepted);
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
        match router.activation(1, &index.to_string(), true, true) {
            Placement::Lane(lane) => *given.entry(lane).or_default() += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(given, HashMap::from([(1, 50), (2, 50)]));
}
