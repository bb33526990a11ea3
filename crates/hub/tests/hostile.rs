//! Bytes of any kind into everything that decodes: an error with a code or a result, never a panic, never a hang.
//! Random with fixed seeds: a failure names the seed, which gives the same bytes again.

use perdure_hub::proto::{
    LaneCompletion, LaneCompletions, LaneLost, LogOptions, MetricDefinition, MetricTag,
    MetricUpdate, MetricUpdates, MetricsBufferOptions, MetricsOptions, ReplayHistory,
    RuntimeOptions, SlotSupplier, SlotSuppliers, WorkerOptions, lane_lost, metric_tag,
    metrics_options, slot_supplier,
};
use perdure_hub::{Hub, HubError, Outbox, Runtime, Worker, complete_lane};
use prost::Message;
use std::sync::Arc;
use temporalio_common::protos::coresdk::workflow_completion::WorkflowActivationCompletion;

/// xorshift64*
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % below.max(1)
    }

    /// The message with a few bytes changed, cut off, doubled or put in; or noise alone.
    fn spoil(&mut self, message: &[u8]) -> Vec<u8> {
        let mut bytes = message.to_vec();
        if self.roll(8) == 0 {
            return (0..self.roll(80)).map(|_| self.roll(256) as u8).collect();
        }
        for _ in 0..=self.roll(4) {
            let at = self.roll(bytes.len());
            match self.roll(4) {
                0 if !bytes.is_empty() => bytes[at] = self.roll(256) as u8,
                1 => bytes.truncate(at),
                2 => bytes.insert(at, self.roll(256) as u8),
                _ => bytes.extend_from_slice(&bytes.clone()[at..]),
            }
        }
        bytes
    }
}

/// Calls `take` with many spoiled versions of `message`; returns how many were taken.
fn spoiled(
    rounds: u64,
    message: &[u8],
    mut take: impl FnMut(&[u8]) -> Result<(), HubError>,
) -> u64 {
    let mut taken = 0;
    for seed in 1..=rounds {
        let bytes = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)).spoil(message);
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| take(&bytes)));
        match outcome.unwrap_or_else(|_| panic!("seed {seed}: {bytes:?}")) {
            Ok(()) => taken += 1,
            Err(error) => assert!(error.code().starts_with("CORE_"), "seed {seed}"),
        }
    }
    taken
}

fn runtime_options() -> Vec<u8> {
    RuntimeOptions {
        logging: Some(LogOptions {
            filter: "off".into(),
            forward: true,
            ..Default::default()
        }),
        metrics: Some(MetricsOptions {
            exporter: Some(metrics_options::Exporter::Buffer(MetricsBufferOptions {
                max_size: 100,
                seconds_for_durations: false,
            })),
            ..Default::default()
        }),
        io_threads: 1,
        ..Default::default()
    }
    .encode_to_vec()
}

fn runtime() -> Arc<Runtime> {
    let telemetry = Arc::new(Outbox::new(|| {}));
    Arc::new(Runtime::open(&runtime_options(), telemetry).unwrap())
}

fn worker_options() -> Vec<u8> {
    let fixed = |slots| {
        Some(SlotSupplier {
            kind: Some(slot_supplier::Kind::Fixed(slots)),
        })
    };
    WorkerOptions {
        namespace: "default".into(),
        task_queue: "hostile".into(),
        workflows: true,
        slots: Some(SlotSuppliers {
            workflow: fixed(2),
            activity: fixed(1),
            local_activity: fixed(1),
            nexus: fixed(1),
            ..Default::default()
        }),
        ..Default::default()
    }
    .encode_to_vec()
}

#[test]
fn lanes_may_answer_anything() {
    let hub = Arc::new(Hub::default());
    let runtime = runtime();
    let tasks = Arc::new(Outbox::new(|| {}));
    let worker = Worker::open_replay(&hub, runtime.clone(), &worker_options(), tasks).unwrap();
    let completion = WorkflowActivationCompletion::empty("a run".to_string()).encode_to_vec();
    let items = [worker.number(), worker.number() + 1]
        .map(|worker| LaneCompletion {
            worker,
            completion: completion.clone().into(),
        })
        .to_vec();
    let message = LaneCompletions { items }.encode_to_vec();
    let taken = spoiled(20_000, &message, |bytes| {
        complete_lane(&hub, 1, bytes.to_vec())
    });
    assert!(taken > 100, "{taken}");
    runtime.tokio().block_on(worker.finalize()).unwrap();
    runtime.close();
}

#[test]
fn reports_of_lost_lanes_may_say_anything() {
    let hub = Arc::new(Hub::default());
    let message = LaneLost {
        lane: 3,
        guilty: Some(lane_lost::GuiltyRun {
            worker: 1,
            run_id: "a run".into(),
            message: "it never yielded".into(),
        }),
        message: "gone".into(),
    }
    .encode_to_vec();
    let taken = spoiled(20_000, &message, |bytes| hub.lose_lane(bytes));
    assert!(taken > 100, "{taken}");
}

#[test]
fn options_of_a_worker_may_be_anything() {
    let hub = Arc::new(Hub::default());
    let runtime = runtime();
    let message = worker_options();
    let taken = spoiled(1_000, &message, |bytes| {
        // How many replays run side by side is the caller's to choose, up to as many threads.
        if WorkerOptions::decode(bytes).is_ok_and(|options| options.replay_concurrency > 4) {
            return Ok(());
        }
        let tasks = Arc::new(Outbox::new(|| {}));
        let worker = Worker::open_replay(&hub, runtime.clone(), bytes, tasks)?;
        runtime.tokio().block_on(worker.finalize())
    });
    assert!(taken > 10, "{taken}");
    runtime.close();
}

#[test]
fn histories_and_tasks_of_a_worker_may_be_anything() {
    let hub = Arc::new(Hub::default());
    let runtime = runtime();
    let tasks = Arc::new(Outbox::new(|| {}));
    let worker = Worker::open_replay(&hub, runtime.clone(), &worker_options(), tasks).unwrap();
    let message = ReplayHistory {
        workflow_id: "a workflow".into(),
        history: vec![10, 4, 8, 1, 24, 1],
    }
    .encode_to_vec();
    spoiled(5_000, &message, |bytes| {
        worker.answer_codec(bytes)?;
        worker.heartbeat(bytes)
    });
    spoiled(500, &message, |bytes| {
        runtime.tokio().block_on(worker.complete_activity(bytes))
    });
    spoiled(500, &message, |bytes| {
        runtime.tokio().block_on(worker.complete_nexus(bytes))
    });
    spoiled(500, &message, |bytes| worker.feed(bytes).map(drop));
    runtime.tokio().block_on(worker.finalize()).unwrap();
    runtime.close();
}

#[test]
fn metrics_may_be_anything() {
    let runtime = runtime();
    let definition = MetricDefinition {
        name: "sold".into(),
        unit: "pieces".into(),
        kind: "counter".into(),
        ..Default::default()
    }
    .encode_to_vec();
    let metric = runtime.define_metric(&definition).unwrap();
    let taken = spoiled(5_000, &definition, |bytes| {
        runtime.define_metric(bytes).map(drop)
    });
    assert!(taken > 100, "{taken}");
    let tags = vec![MetricTag {
        key: "colour".into(),
        value: Some(metric_tag::Value::Text("red".into())),
    }];
    let items = vec![MetricUpdate {
        metric,
        value: 2.0,
        tags,
    }];
    let updates = MetricUpdates { items }.encode_to_vec();
    let taken = spoiled(20_000, &updates, |bytes| {
        runtime.fetch_metrics();
        runtime.record_metrics(bytes)
    });
    assert!(taken > 100, "{taken}");
    runtime.close();
}

#[test]
fn options_of_a_runtime_may_be_anything() {
    let message = runtime_options();
    spoiled(150, &message, |bytes| {
        // Threads, memory and addresses are the caller's to choose.
        let chosen = RuntimeOptions::decode(bytes).is_ok_and(|options| {
            let metrics = options.metrics.and_then(|metrics| metrics.exporter);
            options.io_threads > 4
                || matches!(metrics, Some(metrics_options::Exporter::Buffer(buffer)) if buffer.max_size > 10_000)
        });
        if chosen {
            return Ok(());
        }
        let opened = Runtime::open(bytes, Arc::new(Outbox::new(|| {})))?;
        opened.close();
        Ok(())
    });
}
