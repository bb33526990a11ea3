//! The Neon addon of Perdure: packages/core/src/native.ts, bound to the hub. Conversions, nothing else.
//!
//! A1  The names exported here and the functions of native.ts are the same set; a test compares them.
//! A2  Nothing here blocks a JavaScript thread.

mod convert;
mod listener;
mod metrics;

use convert::{
    Fail, Given, bytes, export, function, handle, nothing, number, numbers, promise, settled,
    undefined,
};
use listener::Hold;
use neon::prelude::*;
use perdure_hub::{Connection, Hub, Runtime, Worker, complete_lane};
use std::sync::{Arc, OnceLock, Weak};

struct RuntimeBox(Arc<Runtime>);
struct ConnectionBox(Arc<Connection>);
struct WorkerBox {
    worker: Arc<Worker>,
    hold: Arc<Hold>,
}

impl Finalize for RuntimeBox {}
impl Finalize for ConnectionBox {}
impl Finalize for WorkerBox {}

#[neon::main]
fn main(mut cx: ModuleContext) -> NeonResult<()> {
    let cx = &mut cx;
    export(cx, "version", version)?;
    export(cx, "runtimeOpen", runtime_open)?;
    export(cx, "runtimeClose", runtime_close)?;
    export(cx, "runtimeTakeTelemetry", runtime_take_telemetry)?;
    export(cx, "connectionOpen", connection_open)?;
    export(cx, "connectionUpdate", connection_update)?;
    export(cx, "connectionCall", connection_call)?;
    export(cx, "workerOpen", worker_open)?;
    export(cx, "replayWorkerOpen", replay_worker_open)?;
    export(cx, "workerNumber", worker_number)?;
    export(cx, "workerValidate", worker_validate)?;
    export(cx, "workerStart", worker_start)?;
    export(cx, "workerSetLanes", worker_set_lanes)?;
    export(cx, "workerSetConnection", worker_set_connection)?;
    export(cx, "workerShutdown", worker_shutdown)?;
    export(cx, "workerFinalize", worker_finalize)?;
    export(cx, "workerCachedRuns", worker_cached_runs)?;
    export(cx, "replayFeed", replay_feed)?;
    export(cx, "replayEnd", replay_end)?;
    export(cx, "activityComplete", activity_complete)?;
    export(cx, "activityHeartbeat", activity_heartbeat)?;
    export(cx, "nexusComplete", nexus_complete)?;
    export(cx, "codecComplete", codec_complete)?;
    export(cx, "slotAnswer", slot_answer)?;
    export(cx, "laneOpen", lane_open)?;
    export(cx, "laneComplete", lane_complete)?;
    export(cx, "laneClose", lane_close)?;
    export(cx, "laneLost", lane_lost)?;
    export(cx, "laneEvict", lane_evict)?;
    metrics::export_all(cx)?;
    Ok(())
}

/// Content hash of the sources, in the file for the build script to find.
#[used]
static SOURCE: &str = concat!("perdure-source:", env!("PERDURE_SOURCE_HASH"));

fn version<'cx>(cx: &mut FunctionContext<'cx>) -> Given<'cx> {
    Ok(cx.string(env!("CARGO_PKG_VERSION")).upcast())
}

// Runtime

fn runtime_open<'cx>(cx: &mut FunctionContext<'cx>) -> Given<'cx> {
    let options = bytes(cx, 0)?;
    let listener = function(cx, 1)?;
    let opened: Arc<OnceLock<Weak<Runtime>>> = Arc::default();
    let taker = opened.clone();
    let (outbox, _) = listener::outbox(cx, listener, move |_| {
        let runtime = taker.get().and_then(Weak::upgrade);
        runtime
            .map(|runtime| runtime.take_telemetry())
            .unwrap_or_default()
    });
    let runtime = Arc::new(Runtime::open(&options, outbox)?);
    let _ = opened.set(Arc::downgrade(&runtime));
    Ok(cx.boxed(RuntimeBox(runtime)).upcast())
}

fn runtime_close<'cx>(cx: &mut FunctionContext<'cx>) -> Given<'cx> {
    runtime(cx, 0)?.close();
    undefined(cx)
}

fn runtime_take_telemetry<'cx>(cx: &mut FunctionContext<'cx>) -> Given<'cx> {
    let batch = runtime(cx, 0)?.take_telemetry();
    Ok(JsUint8Array::from_slice(cx, &batch)?.upcast())
}

// Connection

fn connection_open<'cx>(cx: &mut FunctionContext<'cx>) -> Given<'cx> {
    let runtime = runtime(cx, 0)?;
    let options = bytes(cx, 1)?;
    let owner = runtime.clone();
    let opening = async move { Connection::open(owner, &options).await };
    promise(cx, &runtime, opening, |cx, connection| {
        Ok(cx.boxed(ConnectionBox(Arc::new(connection))).upcast())
    })
}

fn connection_update<'cx>(cx: &mut FunctionContext<'cx>) -> Given<'cx> {
    let update = bytes(cx, 1)?;
    connection(cx, 0)?.update(&update)?;
    undefined(cx)
}

fn connection_call<'cx>(cx: &mut FunctionContext<'cx>) -> Given<'cx> {
    let connection = connection(cx, 0)?;
    let call = bytes(cx, 1)?;
    let runtime = connection.runtime().clone();
    let calling = async move { perdure_hub::call(&connection, &call).await };
    promise(cx, &runtime, calling, |cx, response| {
        Ok(JsUint8Array::from_slice(cx, &response)?.upcast())
    })
}

// Worker

fn worker_open<'cx>(cx: &mut FunctionContext<'cx>) -> Given<'cx> {
    let runtime = runtime(cx, 0)?;
    let connection = connection(cx, 1)?;
    let options = bytes(cx, 2)?;
    let listener = function(cx, 3)?;
    let (tasks, hold) = listener::outbox(cx, listener, perdure_hub::Outbox::take);
    let worker = Worker::open(Hub::global(), runtime, connection, &options, tasks)?;
    Ok(boxed(cx, worker, hold))
}

fn replay_worker_open<'cx>(cx: &mut FunctionContext<'cx>) -> Given<'cx> {
    let runtime = runtime(cx, 0)?;
    let options = bytes(cx, 1)?;
    let listener = function(cx, 2)?;
    let (tasks, hold) = listener::outbox(cx, listener, perdure_hub::Outbox::take);
    let worker = Worker::open_replay(Hub::global(), runtime, &options, tasks)?;
    Ok(boxed(cx, worker, hold))
}

fn boxed<'cx>(
    cx: &mut FunctionContext<'cx>,
    worker: Arc<Worker>,
    hold: Hold,
) -> Handle<'cx, JsValue> {
    let hold = Arc::new(hold);
    cx.boxed(WorkerBox { worker, hold }).upcast()
}

fn worker_number<'cx>(cx: &mut FunctionContext<'cx>) -> Given<'cx> {
    let number = worker(cx, 0)?.number();
    Ok(cx.number(number).upcast())
}

fn worker_validate<'cx>(cx: &mut FunctionContext<'cx>) -> Given<'cx> {
    let worker = worker(cx, 0)?;
    let runtime = worker.runtime().clone();
    promise(
        cx,
        &runtime,
        async move { worker.validate().await },
        nothing,
    )
}

fn worker_start<'cx>(cx: &mut FunctionContext<'cx>) -> Given<'cx> {
    let this = worker_box(cx, 0)?;
    let lanes = numbers(cx, 1)?;
    this.worker.start(&lanes)?;
    this.hold.hold(cx);
    undefined(cx)
}

fn worker_set_lanes<'cx>(cx: &mut FunctionContext<'cx>) -> Given<'cx> {
    let lanes = numbers(cx, 1)?;
    worker(cx, 0)?.set_lanes(&lanes);
    undefined(cx)
}

fn worker_set_connection<'cx>(cx: &mut FunctionContext<'cx>) -> Given<'cx> {
    let connection = connection(cx, 1)?;
    worker(cx, 0)?.set_connection(connection)?;
    undefined(cx)
}

fn worker_shutdown<'cx>(cx: &mut FunctionContext<'cx>) -> Given<'cx> {
    worker(cx, 0)?.shutdown();
    undefined(cx)
}

fn worker_finalize<'cx>(cx: &mut FunctionContext<'cx>) -> Given<'cx> {
    let this = worker_box(cx, 0)?;
    let (worker, hold) = (this.worker.clone(), this.hold.clone());
    let runtime = worker.runtime().clone();
    let finalizing = async move { worker.finalize().await };
    promise(cx, &runtime, finalizing, move |cx, ()| {
        hold.release(cx);
        Ok(cx.undefined().upcast())
    })
}

fn worker_cached_runs<'cx>(cx: &mut FunctionContext<'cx>) -> Given<'cx> {
    let runs = worker(cx, 0)?.cached_runs();
    Ok(cx.number(runs as f64).upcast())
}

/// Longer histories are decoded on another thread (A2).
const DECODED_HERE: usize = 64 << 10;

fn replay_feed<'cx>(cx: &mut FunctionContext<'cx>) -> Given<'cx> {
    let worker = worker(cx, 0)?;
    let history = bytes(cx, 1)?;
    let runtime = worker.runtime().clone();
    if history.len() > DECODED_HERE {
        let feeding = async move {
            if !worker.feed(&history)? {
                worker.feed_room().await;
            }
            Ok(())
        };
        return promise(cx, &runtime, feeding, nothing);
    }
    match worker.feed(&history) {
        Ok(false) => {
            let waiting = async move {
                worker.feed_room().await;
                Ok(())
            };
            promise(cx, &runtime, waiting, nothing)
        }
        outcome => settled(cx, outcome.map(drop)),
    }
}

fn replay_end<'cx>(cx: &mut FunctionContext<'cx>) -> Given<'cx> {
    worker(cx, 0)?.end_feed();
    undefined(cx)
}

// Tasks

fn activity_complete<'cx>(cx: &mut FunctionContext<'cx>) -> Given<'cx> {
    let worker = worker(cx, 0)?;
    let completion = bytes(cx, 1)?;
    let runtime = worker.runtime().clone();
    let completing = async move { worker.complete_activity(&completion).await };
    promise(cx, &runtime, completing, nothing)
}

fn activity_heartbeat<'cx>(cx: &mut FunctionContext<'cx>) -> Given<'cx> {
    let heartbeat = bytes(cx, 1)?;
    worker(cx, 0)?.heartbeat(&heartbeat)?;
    undefined(cx)
}

fn nexus_complete<'cx>(cx: &mut FunctionContext<'cx>) -> Given<'cx> {
    let worker = worker(cx, 0)?;
    let completion = bytes(cx, 1)?;
    let runtime = worker.runtime().clone();
    let completing = async move { worker.complete_nexus(&completion).await };
    promise(cx, &runtime, completing, nothing)
}

fn codec_complete<'cx>(cx: &mut FunctionContext<'cx>) -> Given<'cx> {
    let response = bytes(cx, 1)?;
    worker(cx, 0)?.answer_codec(&response)?;
    undefined(cx)
}

fn slot_answer<'cx>(cx: &mut FunctionContext<'cx>) -> Given<'cx> {
    let answer = bytes(cx, 1)?;
    worker(cx, 0)?.answer_slot(&answer)?;
    undefined(cx)
}

// Lanes

fn lane_open<'cx>(cx: &mut FunctionContext<'cx>) -> Given<'cx> {
    let lane = number(cx, 0)?;
    let listener = function(cx, 1)?;
    let (outbox, _) = listener::outbox(cx, listener, perdure_hub::Outbox::take);
    Hub::global().open_lane(lane, outbox)?;
    undefined(cx)
}

fn lane_complete<'cx>(cx: &mut FunctionContext<'cx>) -> Given<'cx> {
    let lane = number(cx, 0)?;
    let completions = bytes(cx, 1)?;
    complete_lane(Hub::global(), lane, completions)?;
    undefined(cx)
}

fn lane_close<'cx>(cx: &mut FunctionContext<'cx>) -> Given<'cx> {
    let lane = number(cx, 0)?;
    Hub::global().close_lane(lane);
    undefined(cx)
}

fn lane_lost<'cx>(cx: &mut FunctionContext<'cx>) -> Given<'cx> {
    let report = bytes(cx, 0)?;
    Hub::global().lose_lane(&report)?;
    undefined(cx)
}

fn lane_evict<'cx>(cx: &mut FunctionContext<'cx>) -> Given<'cx> {
    let lane = number(cx, 0)?;
    let count = number(cx, 1)?;
    let asked = Hub::global().evict(lane, count as usize);
    Ok(cx.number(asked as f64).upcast())
}

// Handles

fn runtime(cx: &mut FunctionContext<'_>, index: usize) -> Result<Arc<Runtime>, Fail> {
    Ok(handle::<RuntimeBox>(cx, index, "a runtime")?.0.clone())
}

fn connection(cx: &mut FunctionContext<'_>, index: usize) -> Result<Arc<Connection>, Fail> {
    Ok(handle::<ConnectionBox>(cx, index, "a connection")?
        .0
        .clone())
}

fn worker(cx: &mut FunctionContext<'_>, index: usize) -> Result<Arc<Worker>, Fail> {
    Ok(worker_box(cx, index)?.worker.clone())
}

fn worker_box<'cx>(
    cx: &mut FunctionContext<'cx>,
    index: usize,
) -> Result<Handle<'cx, JsBox<WorkerBox>>, Fail> {
    handle(cx, index, "a worker")
}
