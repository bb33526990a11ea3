//! Histories through the real core, the real router and lanes that are plain Rust threads. No server, no Node.js.

use perdure_hub::proto::{
    LaneBatch, LaneCompletion, LaneCompletions, LaneLost, LogOptions, ReplayHistory, ReplayResult,
    RuntimeOptions, SlotSupplier, SlotSuppliers, TaskBatch, WorkerOptions, lane_item, lane_lost,
    slot_supplier, task_item, worker_event,
};
use perdure_hub::{Hub, Outbox, Runtime, Worker, complete_lane};
use prost::Message;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, Weak};
use temporalio_common::protos::coresdk::workflow_activation::{
    WorkflowActivation, workflow_activation_job::Variant,
};
use temporalio_common::protos::coresdk::workflow_commands::{
    CompleteWorkflowExecution, StartTimer, workflow_command,
};
use temporalio_common::protos::coresdk::workflow_completion::WorkflowActivationCompletion;
use temporalio_common::protos::temporal::api::common::v1::{Payload, WorkflowType};
use temporalio_common::protos::temporal::api::enums::v1::EventType;
use temporalio_common::protos::temporal::api::history::v1::{
    History, HistoryEvent, TimerFiredEventAttributes, TimerStartedEventAttributes,
    WorkflowExecutionCompletedEventAttributes, WorkflowExecutionStartedEventAttributes,
    WorkflowTaskCompletedEventAttributes, WorkflowTaskScheduledEventAttributes,
    WorkflowTaskStartedEventAttributes, history_event::Attributes,
};

/// A flag that one thread raises and another waits for.
#[derive(Default)]
struct Bell(Mutex<bool>, Condvar);

impl Bell {
    fn ring(&self) {
        *self.0.lock().unwrap() = true;
        self.1.notify_one();
    }

    fn wait(&self) {
        let mut rung = self.0.lock().unwrap();
        while !*rung {
            rung = self.1.wait(rung).unwrap();
        }
        *rung = false;
    }
}

fn belled() -> (Arc<Outbox>, Arc<Bell>) {
    let bell = Arc::new(Bell::default());
    let ring = bell.clone();
    (Arc::new(Outbox::new(move || ring.ring())), bell)
}

/// What a lane does with the workflow: one timer, or an end at once, or nothing, or nothing after the timer's start.
#[derive(Clone, Copy, PartialEq)]
enum Code {
    Timer,
    NoTimer,
    Silent,
    Half,
}

/// Answers activations until the hub is dropped. Counts them.
fn lane(hub: &Arc<Hub>, number: u32, code: Code) -> Arc<AtomicUsize> {
    let (outbox, bell) = belled();
    hub.open_lane(number, outbox.clone()).unwrap();
    let hub: Weak<Hub> = Arc::downgrade(hub);
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    std::thread::spawn(move || {
        loop {
            bell.wait();
            let mut items = Vec::new();
            for item in LaneBatch::decode(&outbox.take()[..]).unwrap().items {
                let Some(lane_item::Kind::Activation(bytes)) = item.kind else {
                    continue;
                };
                counted.fetch_add(1, Ordering::SeqCst);
                let activation = WorkflowActivation::decode(&bytes[..]).unwrap();
                let starts = activation
                    .jobs
                    .iter()
                    .any(|job| matches!(job.variant, Some(Variant::InitializeWorkflow(_))));
                if code != Code::Silent && (starts || code != Code::Half) {
                    items.push(LaneCompletion {
                        worker: item.worker,
                        completion: answer(activation, code).encode_to_vec().into(),
                    });
                }
            }
            let Some(hub) = hub.upgrade() else { return };
            complete_lane(&hub, number, LaneCompletions { items }.encode_to_vec()).unwrap();
        }
    });
    count
}

fn answer(activation: WorkflowActivation, code: Code) -> WorkflowActivationCompletion {
    let mut commands: Vec<workflow_command::Variant> = Vec::new();
    for job in activation.jobs {
        match job.variant {
            Some(Variant::InitializeWorkflow(_)) if code != Code::NoTimer => commands.push(
                StartTimer {
                    seq: 1,
                    start_to_fire_timeout: Some(prost_wkt_types::Duration {
                        seconds: 1,
                        nanos: 0,
                    }),
                }
                .into(),
            ),
            Some(Variant::InitializeWorkflow(_) | Variant::FireTimer(_)) => commands.push(
                CompleteWorkflowExecution {
                    result: Some(Payload::default()),
                }
                .into(),
            ),
            _ => {}
        }
    }
    WorkflowActivationCompletion::from_cmds(activation.run_id, commands)
}

/// A workflow with one timer, recorded to its end.
fn history(run_id: &str) -> History {
    let mut events = Vec::new();
    let mut add = |event_type: EventType, attributes: Attributes| {
        events.push(HistoryEvent {
            event_id: events.len() as i64 + 1,
            event_time: Some(prost_wkt_types::Timestamp::default()),
            event_type: event_type as i32,
            attributes: Some(attributes),
            ..Default::default()
        });
    };
    let task = |add: &mut dyn FnMut(EventType, Attributes), scheduled: i64| {
        add(
            EventType::WorkflowTaskScheduled,
            Attributes::WorkflowTaskScheduledEventAttributes(
                WorkflowTaskScheduledEventAttributes::default(),
            ),
        );
        add(
            EventType::WorkflowTaskStarted,
            Attributes::WorkflowTaskStartedEventAttributes(WorkflowTaskStartedEventAttributes {
                scheduled_event_id: scheduled,
                ..Default::default()
            }),
        );
        add(
            EventType::WorkflowTaskCompleted,
            Attributes::WorkflowTaskCompletedEventAttributes(
                WorkflowTaskCompletedEventAttributes {
                    scheduled_event_id: scheduled,
                    started_event_id: scheduled + 1,
                    ..Default::default()
                },
            ),
        );
    };
    add(
        EventType::WorkflowExecutionStarted,
        Attributes::WorkflowExecutionStartedEventAttributes(
            WorkflowExecutionStartedEventAttributes {
                original_execution_run_id: run_id.into(),
                workflow_type: Some(WorkflowType {
                    name: "timed".into(),
                }),
                ..Default::default()
            },
        ),
    );
    task(&mut add, 2);
    add(
        EventType::TimerStarted,
        Attributes::TimerStartedEventAttributes(TimerStartedEventAttributes {
            timer_id: "1".into(),
            workflow_task_completed_event_id: 4,
            ..Default::default()
        }),
    );
    add(
        EventType::TimerFired,
        Attributes::TimerFiredEventAttributes(TimerFiredEventAttributes {
            timer_id: "1".into(),
            started_event_id: 5,
        }),
    );
    task(&mut add, 7);
    add(
        EventType::WorkflowExecutionCompleted,
        Attributes::WorkflowExecutionCompletedEventAttributes(
            WorkflowExecutionCompletedEventAttributes {
                workflow_task_completed_event_id: 9,
                ..Default::default()
            },
        ),
    );
    History { events }
}

fn worker_options(replay_concurrency: u32) -> Vec<u8> {
    let fixed = |slots| {
        Some(SlotSupplier {
            kind: Some(slot_supplier::Kind::Fixed(slots)),
        })
    };
    WorkerOptions {
        namespace: "default".into(),
        task_queue: "replay".into(),
        workflows: true,
        slots: Some(SlotSuppliers {
            workflow: fixed(2),
            activity: fixed(1),
            local_activity: fixed(1),
            nexus: fixed(1),
            ..Default::default()
        }),
        replay_concurrency,
        ..Default::default()
    }
    .encode_to_vec()
}

struct Replayed {
    results: Vec<ReplayResult>,
}

struct Setting {
    hub: Arc<Hub>,
    runtime: Arc<Runtime>,
    worker: Arc<Worker>,
    tasks: Arc<Outbox>,
}

impl Setting {
    fn new(concurrency: u32) -> Self {
        Self::on(&Arc::new(Hub::default()), concurrency)
    }

    fn on(hub: &Arc<Hub>, concurrency: u32) -> Self {
        let options = RuntimeOptions {
            logging: Some(LogOptions {
                filter: "off".into(),
                ..Default::default()
            }),
            ..Default::default()
        };
        let (telemetry, _) = belled();
        let runtime = Arc::new(Runtime::open(&options.encode_to_vec(), telemetry).unwrap());
        let (tasks, _) = belled();
        let options = worker_options(concurrency);
        let worker = Worker::open_replay(hub, runtime.clone(), &options, tasks.clone()).unwrap();
        Self {
            hub: hub.clone(),
            runtime,
            worker,
            tasks,
        }
    }

    fn feed(&self, run_ids: &[&str]) {
        for run_id in run_ids {
            let fed = ReplayHistory {
                workflow_id: format!("workflow-{run_id}"),
                history: history(run_id).encode_to_vec(),
            };
            if !self.worker.feed(&fed.encode_to_vec()).unwrap() {
                self.worker.feed_room().await_on(&self.runtime);
            }
        }
        self.worker.end_feed();
    }

    fn finish(self) -> Replayed {
        self.worker.finalize().await_on(&self.runtime).unwrap();
        let mut results: Vec<_> = TaskBatch::decode(&self.tasks.take()[..])
            .unwrap()
            .items
            .into_iter()
            .filter_map(|item| match item.kind {
                Some(task_item::Kind::Event(event)) => match event.kind {
                    Some(worker_event::Kind::ReplayResult(result)) => Some(result),
                    _ => None,
                },
                _ => None,
            })
            .collect();
        results.sort_by_key(|result| result.number);
        self.runtime.close();
        Replayed { results }
    }
}

trait AwaitOn: Future + Sized {
    fn await_on(self, runtime: &Runtime) -> Self::Output {
        runtime.tokio().block_on(self)
    }
}

impl<F: Future> AwaitOn for F {}

#[test]
fn every_history_is_replayed_once_over_all_lanes() {
    for (concurrency, lanes) in [(1, 1), (3, 2)] {
        let setting = Setting::new(concurrency);
        let numbers: Vec<u32> = (1..=lanes).collect();
        let counts: Vec<_> = numbers
            .iter()
            .map(|number| lane(&setting.hub, *number, Code::Timer))
            .collect();
        setting.worker.start(&numbers).unwrap();
        let run_ids: Vec<_> = (0..50).map(|index| index.to_string()).collect();
        setting.feed(&run_ids.iter().map(String::as_str).collect::<Vec<_>>());
        let Replayed { results } = setting.finish();
        let replayed: Vec<_> = results.iter().map(|result| &result.run_id).collect();
        assert_eq!(replayed, run_ids.iter().collect::<Vec<_>>());
        assert!(
            results.iter().all(|result| result.failure.is_empty()),
            "{results:?}"
        );
        let given: Vec<_> = counts
            .iter()
            .map(|count| count.load(Ordering::SeqCst))
            .collect();
        assert_eq!(given.iter().sum::<usize>(), 100); // two activations a history
        assert!(given.iter().all(|count| *count > 0), "{given:?}");
    }
}

#[test]
fn histories_with_one_run_id_do_not_merge() {
    let setting = Setting::new(3);
    lane(&setting.hub, 1, Code::Timer);
    setting.worker.start(&[1]).unwrap();
    setting.feed(&["same"; 20]);
    let Replayed { results } = setting.finish();
    assert_eq!(results.len(), 20);
    assert!(
        results.iter().all(|result| result.failure.is_empty()),
        "{results:?}"
    );
}

#[test]
fn code_that_does_not_fit_fails_with_the_event_and_the_command() {
    let setting = Setting::new(1);
    lane(&setting.hub, 1, Code::NoTimer);
    setting.worker.start(&[1]).unwrap();
    setting.feed(&["a", "b"]);
    let Replayed { results } = setting.finish();
    assert_eq!(results.len(), 2);
    for result in results {
        assert!(result.nondeterminism);
        assert!(
            result.failure.contains("Complete workflow machine")
                && result.failure.contains("id: 5, TimerStarted"),
            "{}",
            result.failure
        );
    }
}

#[test]
fn the_guilty_run_of_a_lost_lane_fails_with_its_text_and_the_next_history_goes_on() {
    let setting = Setting::new(1);
    let silent = lane(&setting.hub, 1, Code::Silent);
    setting.worker.start(&[1, 2]).unwrap();
    setting.feed(&["stuck", "fine"]);
    while silent.load(Ordering::SeqCst) == 0 {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    lane(&setting.hub, 2, Code::Timer);
    let report = LaneLost {
        lane: 1,
        guilty: Some(lane_lost::GuiltyRun {
            worker: setting.worker.number(),
            run_id: "stuck".into(),
            message: "it never yielded".into(),
        }),
        message: "gone".into(),
    };
    setting.hub.lose_lane(&report.encode_to_vec()).unwrap();
    let Replayed { results } = setting.finish();
    let told: Vec<_> = results
        .iter()
        .map(|result| (result.run_id.as_str(), result.failure.as_str()))
        .collect();
    assert_eq!(told, [("stuck", "it never yielded"), ("fine", "")]);
}

/// Runs of two workers on lane 1 wait for the answer to their second activation; then one costs the lane its life.
/// Returns what becomes of the other one, and how many activations the lane's successor got.
fn lose_a_lane_between_two_activations(successor: Code) -> (String, usize) {
    let hub = Arc::new(Hub::default());
    let half = lane(&hub, 1, Code::Half);
    let [guilty, other] = ["stuck", "other"].map(|run_id| {
        let setting = Setting::on(&hub, 1);
        setting.worker.start(&[1, 2]).unwrap();
        setting.feed(&[run_id]);
        setting
    });
    while half.load(Ordering::SeqCst) < 4 {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let counted = lane(&hub, 2, successor);
    let report = LaneLost {
        lane: 1,
        guilty: Some(lane_lost::GuiltyRun {
            worker: guilty.worker.number(),
            run_id: "stuck".into(),
            message: "it never yielded".into(),
        }),
        message: "gone".into(),
    };
    hub.lose_lane(&report.encode_to_vec()).unwrap();
    assert_eq!(guilty.finish().results[0].failure, "it never yielded");
    let mut results = other.finish().results;
    assert_eq!(results.len(), 1);
    (results.remove(0).failure, counted.load(Ordering::SeqCst))
}

#[test]
fn the_other_runs_of_a_lost_lane_are_rebuilt_and_none_of_their_tasks_fails() {
    let told = lose_a_lane_between_two_activations(Code::Timer);
    // The activation of before the loss, and the one that was outstanding.
    assert_eq!(told, (String::new(), 2));
}

#[test]
fn a_run_that_does_something_else_when_it_is_rebuilt_fails_its_task() {
    let (failure, activations) = lose_a_lane_between_two_activations(Code::NoTimer);
    assert!(
        failure.contains("gave something else than the first time"),
        "{failure}"
    );
    assert_eq!(activations, 2);
}

#[test]
fn a_worker_that_is_shut_down_gives_a_result_for_what_it_had_begun() {
    let setting = Setting::new(1);
    let silent = lane(&setting.hub, 1, Code::Silent);
    setting.worker.start(&[1]).unwrap();
    setting.feed(&["stuck"]);
    while silent.load(Ordering::SeqCst) == 0 {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    setting.worker.shutdown();
    setting.hub.close_lane(1);
    let Replayed { results } = setting.finish();
    assert_eq!(results.len(), 1);
    assert!(!results[0].failure.is_empty());
}
