//! One worker: the core's worker, its pollers, and the ways of its tasks.
//!
//! Owns    the life of the core's worker from open to finalize, and everything that is in flight.
//! Leaves  the choice of lanes to the hub, payload codecs to [`crate::codec`], histories to [`crate::replay`].
//! W1  Every activation that the core gives is completed exactly once, by a lane or by the hub.
//! W2  Evictions are answered here, without waiting for the lane.
//! W3  The core's worker is finalized only when no future of this worker holds it any more.
//! W4  A completion that the core does not accept fails the task instead of leaving it open for ever.

use crate::codec::{CodecStage, Owner, TakenOut};
use crate::config::worker_config;
use crate::connection::Connection;
use crate::error::{HubError, chain, decode};
use crate::hub::{Hub, Routed};
use crate::in_place;
use crate::outbox::{Outbox, activation_element, element};
use crate::payload_limits::PayloadLimit;
use crate::proto::{self, TaskItem, WorkerEvent, task_item, worker_event};
use crate::replay::{Replay, readable};
use crate::routing::{LaneId, WorkerId};
use crate::runtime::Runtime;
use crate::slots::SlotDesk;
use prost::Message;
use std::collections::HashMap;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, RwLock};
use std::time::Duration;
use temporalio_client::tonic::{self, Code};
use temporalio_common::protos::coresdk::NamespaceInfo;
use temporalio_common::protos::coresdk::nexus::NexusTaskCompletion;
use temporalio_common::protos::coresdk::workflow_activation::{
    WorkflowActivation, remove_from_cache::EvictionReason, workflow_activation_job::Variant,
};
use temporalio_common::protos::coresdk::workflow_completion::{
    self, WorkflowActivationCompletion, workflow_activation_completion::Status,
};
use temporalio_common::protos::coresdk::{ActivityHeartbeat, ActivityTaskCompletion};
use temporalio_common::protos::temporal::api::enums::v1::WorkflowTaskFailedCause;
use temporalio_common::protos::temporal::api::failure::v1::{
    ApplicationFailureInfo, Failure, failure::FailureInfo,
};
use temporalio_sdk_core::replay::ReplayWorkerInput;
use temporalio_sdk_core::{
    CompleteWfError, PollError, Worker as CoreWorker, WorkerConfig, WorkerValidationError,
    init_replay_worker, init_worker,
};
use tokio::sync::Notify;
use tracing::instrument::WithSubscriber;

const FAILURE_SOURCE: &str = "Perdure";
/// A poller that fails this often in a row has nothing more to give.
const FUTILE_POLLS: usize = 8;
/// Results of replays wait at most this long for others to be told with.
const RESULT_LINGER: Duration = Duration::from_millis(10);

pub struct Worker {
    number: WorkerId,
    hub: Arc<Hub>,
    runtime: Arc<Runtime>,
    options: proto::WorkerOptions,
    config: WorkerConfig,
    tasks: Arc<Outbox>,
    codec: Option<CodecStage>,
    slots: Arc<SlotDesk>,
    replay: Option<Arc<Replay>>,
    /// Whether a timer runs that tells of results (replay only).
    lingering: Arc<AtomicBool>,
    connection: Mutex<Option<Arc<Connection>>>,
    /// Empty until the connection stands; several only for replay.
    cores: RwLock<Vec<Arc<CoreWorker>>>,
    started: AtomicBool,
    stopping: AtomicBool,
    stop: Notify,
    busy: Arc<Busy>,
    /// Only with codecs: whose payloads the messages of a run carry.
    owners: Mutex<HashMap<String, Owner>>,
    /// By run id; histories are asked for by it when a run does not fit its own (live only).
    workflow_ids: Mutex<HashMap<String, String>>,
    /// Of the namespace; none until it has been asked for, and none where the worker is told to send everything.
    payload_limit: PayloadLimit,
}

/// Counts the futures that hold the core's worker (W3).
#[derive(Default)]
struct Busy {
    count: AtomicUsize,
    idle: Notify,
}

struct BusyGuard(Arc<Busy>);

impl Busy {
    fn enter(self: &Arc<Self>) -> BusyGuard {
        self.count.fetch_add(1, Ordering::AcqRel);
        BusyGuard(self.clone())
    }

    async fn wait_idle(&self) {
        loop {
            let idle = self.idle.notified();
            if self.count.load(Ordering::Acquire) == 0 {
                return;
            }
            idle.await;
        }
    }
}

impl Drop for BusyGuard {
    fn drop(&mut self) {
        if self.0.count.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.idle.notify_waiters();
        }
    }
}

impl Worker {
    /// A worker that does not poll yet. `bytes`: an encoded perdure.core.v1.WorkerOptions.
    /// `tasks` is woken when a TaskBatch is pending.
    pub fn open(
        hub: &Arc<Hub>,
        runtime: Arc<Runtime>,
        connection: Arc<Connection>,
        bytes: &[u8],
        tasks: Arc<Outbox>,
    ) -> Result<Arc<Self>, HubError> {
        let worker = Self::make(hub, runtime, bytes, tasks, None)?;
        if let Some(standing) = connection.now() {
            worker.make_core(standing)?;
        }
        *worker.connection() = Some(connection);
        hub.add_worker(&worker);
        Ok(worker)
    }

    /// A worker that is fed with histories. `bytes`: an encoded perdure.core.v1.WorkerOptions.
    pub fn open_replay(
        hub: &Arc<Hub>,
        runtime: Arc<Runtime>,
        bytes: &[u8],
        tasks: Arc<Outbox>,
    ) -> Result<Arc<Self>, HubError> {
        let replay = Replay::new();
        let worker = Self::make(hub, runtime, bytes, tasks, Some(replay.clone()))?;
        let _inside = worker.runtime.enter();
        let shards = worker.options.replay_concurrency.max(1) as usize;
        for shard in 0..shards {
            let input = ReplayWorkerInput::new(worker.config.clone(), replay.stream(shard));
            let core = init_replay_worker(input).map_err(worker_invalid)?;
            worker.write_cores().push(Arc::new(core));
        }
        hub.add_worker(&worker);
        drop(_inside);
        Ok(worker)
    }

    fn make(
        hub: &Arc<Hub>,
        runtime: Arc<Runtime>,
        bytes: &[u8],
        tasks: Arc<Outbox>,
        replay: Option<Arc<Replay>>,
    ) -> Result<Arc<Self>, HubError> {
        let options: proto::WorkerOptions = decode(bytes, "WorkerOptions")?;
        runtime.with_core(|_| Ok(()))?;
        let slots = SlotDesk::new(tasks.clone());
        Ok(Arc::new(Self {
            number: hub.next_worker(),
            hub: hub.clone(),
            runtime,
            config: worker_config(&options, &slots)?,
            slots,
            codec: options.codec.then(|| CodecStage::new(tasks.clone())),
            options,
            tasks,
            replay,
            lingering: Arc::default(),
            connection: Mutex::new(None),
            cores: RwLock::default(),
            started: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            stop: Notify::new(),
            busy: Arc::default(),
            owners: Mutex::default(),
            workflow_ids: Mutex::default(),
            payload_limit: PayloadLimit::default(),
        }))
    }

    /// The number by which lanes know the worker.
    pub fn number(&self) -> WorkerId {
        self.number
    }

    pub fn tasks(&self) -> &Arc<Outbox> {
        &self.tasks
    }

    pub fn runtime(&self) -> &Arc<Runtime> {
        &self.runtime
    }

    pub fn cached_runs(&self) -> usize {
        self.hub.cached_runs(self.number)
    }

    /// Asks the server whether namespace and credentials are right.
    pub async fn validate(&self) -> Result<(), HubError> {
        if self.is_stopping() {
            return Err(HubError::WorkerClosed { what: "validation" });
        }
        let _busy = self.busy.enter();
        let core = self.core_or_connect().await?;
        let info = core.validate().await.map_err(|cause| {
            let WorkerValidationError::NamespaceDescribeError { source, .. } = &cause;
            self.namespace_unusable(source)
        })?;
        self.learn_limits(&info);
        Ok(())
    }

    fn namespace_unusable(&self, status: &tonic::Status) -> HubError {
        HubError::NamespaceUnusable {
            namespace: self.options.namespace.clone(),
            cause: format!("{:?}: {}", status.code(), status.message()),
        }
    }

    fn learn_limits(&self, info: &NamespaceInfo) {
        if let Some(limits) = &info.limits
            && !self.options.disable_payload_error_limit
        {
            self.payload_limit.set(limits.blob_size_limit_error);
        }
    }

    /// Of a connection that was not there when the worker was made. What the server cannot say now, polling will tell.
    async fn validate_late(&self, core: &CoreWorker) -> Result<(), HubError> {
        match core.validate().await {
            Err(WorkerValidationError::NamespaceDescribeError { source, .. })
                if is_final(source.code()) =>
            {
                Err(self.namespace_unusable(&source))
            }
            Ok(info) => {
                self.learn_limits(&info);
                Ok(())
            }
            Err(_) => Ok(()),
        }
    }

    /// Begins to poll.
    pub fn start(self: &Arc<Self>, lanes: &[LaneId]) -> Result<(), HubError> {
        if self.started.swap(true, Ordering::AcqRel) {
            return Err(HubError::WorkerStarted);
        }
        self.hub.set_lanes(self.number, lanes);
        let cores = self.read_cores().clone();
        if !cores.is_empty() {
            for core in cores {
                self.poll(&core);
            }
            return Ok(());
        }
        let worker = self.clone();
        self.spawn(async move {
            let Some(connection) = worker.connection().clone() else {
                return;
            };
            let connecting = connection.get_patiently(|| worker.is_stopping());
            let connected = tokio::select! {
                connected = connecting => connected,
                () = worker.stopped() => Err(HubError::WorkerClosed { what: "connecting" }),
            };
            let made = match connected.and_then(|standing| worker.make_core(standing)) {
                Ok(core) => worker.validate_late(&core).await.map(|()| core),
                Err(error) => Err(error),
            };
            match made {
                Ok(core) => worker.poll(&core),
                Err(error) => worker.end_unpolled(&error),
            }
        });
        Ok(())
    }

    pub fn set_lanes(&self, lanes: &[LaneId]) {
        self.hub.set_lanes(self.number, lanes);
    }

    /// Later polls use the other connection.
    pub fn set_connection(self: &Arc<Self>, connection: Arc<Connection>) -> Result<(), HubError> {
        *self.connection() = Some(connection.clone());
        let Some(core) = self.any_core() else {
            return Ok(());
        };
        let _inside = self.runtime.enter();
        if let Some(standing) = connection.now() {
            return core.replace_client(standing).map_err(worker_invalid);
        }
        let worker = self.clone();
        self.spawn(async move {
            let replaced = connection
                .get_patiently(|| worker.is_stopping())
                .await
                .and_then(|standing| core.replace_client(standing).map_err(worker_invalid));
            if let Err(error) = replaced {
                tracing::warn!(target: "perdure_hub", "the connection was not replaced: {error}");
            }
        });
        Ok(())
    }

    /// Stops polling. Idempotent.
    pub fn shutdown(&self) {
        if self.stopping.swap(true, Ordering::AcqRel) {
            return;
        }
        let _inside = self.runtime.enter();
        self.stop.notify_waiters();
        if let Some(replay) = &self.replay {
            replay.end();
        }
        for core in self.read_cores().iter() {
            core.initiate_shutdown();
        }
        self.hub.stop_worker(self.number);
    }

    /// Resolves once all pollers have drained and every completion has been delivered.
    pub async fn finalize(self: &Arc<Self>) -> Result<(), HubError> {
        if !self.started.swap(true, Ordering::AcqRel) {
            self.shutdown();
            for core in self.read_cores().clone() {
                self.poll(&core); // the core waits for somebody to hear that its polls have ended
            }
        }
        self.busy.wait_idle().await;
        let cores = std::mem::take(&mut *self.write_cores());
        for core in cores {
            if let Some(core) = Arc::into_inner(core) {
                core.finalize_shutdown().await; // W3
            }
        }
        for result in self.replay.iter().flat_map(|replay| replay.abandoned()) {
            self.event(worker_event::Kind::ReplayResult(result));
        }
        self.hub.close_worker(self.number);
        Ok(())
    }

    /// Takes a history in; returns whether the next one may follow at once, or has to wait for [`Worker::feed_room`].
    /// `bytes`: an encoded perdure.core.v1.ReplayHistory.
    pub fn feed(&self, bytes: &[u8]) -> Result<bool, HubError> {
        let replay = self.replay.as_ref().ok_or(HubError::ReplayEnded)?;
        replay.feed(bytes)
    }

    /// Resolves when the next history may follow.
    pub async fn feed_room(&self) {
        if let Some(replay) = &self.replay {
            replay.room().await;
        }
    }

    /// No more histories.
    pub fn end_feed(&self) {
        if let Some(replay) = &self.replay {
            replay.end();
        }
    }

    /// `bytes`: an encoded coresdk.ActivityTaskCompletion.
    pub async fn complete_activity(&self, bytes: &[u8]) -> Result<(), HubError> {
        let completion: ActivityTaskCompletion = decode(bytes, "ActivityTaskCompletion")?;
        let _busy = self.busy.enter();
        let core = self.core("activity completion")?;
        core.complete_activity_task(completion)
            .await
            .map_err(rejected)
    }

    /// `bytes`: an encoded coresdk.ActivityHeartbeat. The core throttles.
    pub fn heartbeat(&self, bytes: &[u8]) -> Result<(), HubError> {
        let heartbeat: ActivityHeartbeat = decode(bytes, "ActivityHeartbeat")?;
        let core = self.core("activity heartbeat")?;
        let _inside = self.runtime.enter();
        core.record_activity_heartbeat(heartbeat);
        Ok(())
    }

    /// `bytes`: an encoded coresdk.nexus.NexusTaskCompletion.
    pub async fn complete_nexus(&self, bytes: &[u8]) -> Result<(), HubError> {
        let completion: NexusTaskCompletion = decode(bytes, "NexusTaskCompletion")?;
        let _busy = self.busy.enter();
        let core = self.core("Nexus completion")?;
        core.complete_nexus_task(completion).await.map_err(rejected)
    }

    /// `bytes`: an encoded perdure.core.v1.CodecResponse.
    pub fn answer_codec(&self, bytes: &[u8]) -> Result<(), HubError> {
        let response = decode(bytes, "CodecResponse")?;
        if let Some(codec) = &self.codec {
            codec.answer(response);
        }
        Ok(())
    }

    /// `bytes`: an encoded perdure.core.v1.SlotAnswer.
    pub fn answer_slot(&self, bytes: &[u8]) -> Result<(), HubError> {
        self.slots.answer(&decode(bytes, "SlotAnswer")?);
        Ok(())
    }

    /// Completes an activation that no lane will complete.
    pub(crate) fn fail_activation(self: &Arc<Self>, run_id: String, text: String) {
        self.complete(failed(run_id, text));
    }

    pub(crate) fn request_eviction(&self, run_id: &str) {
        if let Ok(core) = self.core_of_run(run_id) {
            let _inside = self.runtime.enter();
            core.request_workflow_eviction(run_id);
        }
    }

    /// Hands a completion to the core, on this thread.
    pub(crate) fn complete(self: &Arc<Self>, mut completion: WorkflowActivationCompletion) {
        let Ok(core) = self.core_of_run(&completion.run_id) else {
            return;
        };
        if let (Some(replay), Some(Status::Failed(failure))) = (&self.replay, &completion.status) {
            let text = failure
                .failure
                .as_ref()
                .map_or("", |failure| &failure.message);
            replay.failed(&completion.run_id, text);
        }
        let worker = self.clone();
        self.run_in_place(async move {
            let run_id = completion.run_id.clone();
            if let Some(codec) = &worker.codec {
                let taken = worker.with_owner(&run_id, |owner| {
                    TakenOut::of_completion(&mut completion, owner)
                });
                let passed = match taken {
                    Ok(taken) => codec.pass(&mut completion, taken).await,
                    Err(text) => Err(text),
                };
                if let Err(text) = passed {
                    completion = failed(run_id.clone(), text);
                }
            }
            if let Some(text) = worker.payload_limit.violation(&mut completion) {
                completion = failed_because(
                    run_id.clone(),
                    text,
                    WorkflowTaskFailedCause::PayloadsTooLarge,
                );
            }
            let done = core.complete_workflow_activation(completion).await;
            if let Err(CompleteWfError::MalformedWorkflowCompletion { reason, .. }) = done {
                // W4
                let text = format!("the workflow task's completion was not accepted: {reason}");
                let _ = core
                    .complete_workflow_activation(failed(run_id, text))
                    .await;
            }
        });
    }

    // Pollers

    fn poll(self: &Arc<Self>, core: &Arc<CoreWorker>) {
        let types = self.config.task_types;
        if types.enable_workflows {
            let (worker, core) = (self.clone(), core.clone());
            self.run_in_place(async move { worker.poll_workflows(core).await });
        }
        if types.enable_remote_activities || types.enable_local_activities {
            let (worker, core) = (self.clone(), core.clone());
            self.spawn(async move { worker.poll_activities(core).await });
        }
        if types.enable_nexus {
            let (worker, core) = (self.clone(), core.clone());
            self.spawn(async move { worker.poll_nexus(core).await });
        }
        if self.is_stopping() {
            core.initiate_shutdown();
        }
    }

    async fn poll_workflows(self: Arc<Self>, core: Arc<CoreWorker>) {
        let mut futile = 0;
        loop {
            match core.poll_workflow_activation().await {
                Ok(activation) => self.take_in(&core, activation),
                Err(error) => {
                    if self.poll_failed(error, &mut futile) {
                        break;
                    }
                }
            }
        }
        self.drained("workflow");
    }

    async fn poll_activities(self: Arc<Self>, core: Arc<CoreWorker>) {
        let mut futile = 0;
        loop {
            match core.poll_activity_task().await {
                Ok(task) => self.task(task_item::Kind::ActivityTask(task.encode_to_vec())),
                Err(error) => {
                    if self.poll_failed(error, &mut futile) {
                        break;
                    }
                }
            }
        }
        self.drained("activity");
    }

    async fn poll_nexus(self: Arc<Self>, core: Arc<CoreWorker>) {
        let mut futile = 0;
        loop {
            match core.poll_nexus_task().await {
                Ok(task) => self.task(task_item::Kind::NexusTask(task.encode_to_vec())),
                Err(error) => {
                    if self.poll_failed(error, &mut futile) {
                        break;
                    }
                }
            }
        }
        self.drained("nexus");
    }

    /// Returns whether the poller has ended.
    fn poll_failed(&self, error: PollError, futile: &mut usize) -> bool {
        match error {
            PollError::ShutDown => true,
            PollError::TonicError(status) => {
                if *futile == 0 {
                    self.fatal(
                        "CORE_POLL_FAILED",
                        &format!("{:?}: {}", status.code(), status.message()),
                    );
                }
                *futile += 1;
                *futile >= FUTILE_POLLS
            }
        }
    }

    /// An activation from the core.
    fn take_in(self: &Arc<Self>, core: &Arc<CoreWorker>, mut activation: WorkflowActivation) {
        let eviction = activation.jobs.iter().find_map(|job| match &job.variant {
            Some(Variant::RemoveFromCache(eviction)) => Some(eviction),
            _ => None,
        });
        if let Some(eviction) = eviction {
            let reason = eviction.reason().as_str_name();
            return self.evicted(core, &activation.run_id, reason, &eviction.message);
        }
        if self.codec.is_none() {
            return self.place(&activation);
        }
        let worker = self.clone();
        let taken = self.take_out(&mut activation);
        self.run_in_place(async move {
            let Some(codec) = &worker.codec else { return };
            let passed = match taken {
                Ok(taken) => codec.pass(&mut activation, taken).await,
                Err(text) => Err(text),
            };
            match passed {
                Ok(()) => worker.place(&activation),
                Err(text) => worker.fail_activation(activation.run_id, text),
            }
        });
    }

    fn place(self: &Arc<Self>, activation: &WorkflowActivation) {
        let start = activation.jobs.iter().find_map(|job| match &job.variant {
            Some(Variant::InitializeWorkflow(start)) => Some(start),
            _ => None,
        });
        if let (Some(start), None) = (start, &self.replay) {
            self.workflow_ids()
                .insert(activation.run_id.clone(), start.workflow_id.clone());
        }
        let routed = Routed {
            first: start.is_some(),
            counts: !is_query(activation),
            item: activation_element(self.number, &activation.run_id, activation),
        };
        self.hub.place(self, &activation.run_id, routed);
    }

    /// W2
    fn evicted(
        self: &Arc<Self>,
        core: &Arc<CoreWorker>,
        run_id: &str,
        reason: &str,
        message: &str,
    ) {
        self.hub
            .forget_run(self.number, run_id, self.runtime.tokio());
        if self.codec.is_some() {
            self.owners().remove(run_id);
        }
        match &self.replay {
            Some(replay) => {
                if let Some(result) = replay.result(run_id, reason, message) {
                    self.replayed(result, replay.tells_now());
                }
            }
            None => {
                let workflow_id = self.workflow_ids().remove(run_id).unwrap_or_default();
                if !is_everyday(reason) {
                    self.event(worker_event::Kind::Evicted(proto::Evicted {
                        run_id: run_id.to_owned(),
                        reason: reason.to_owned(),
                        message: readable(message),
                        workflow_id,
                    }));
                }
            }
        }
        let answer = WorkflowActivationCompletion {
            run_id: run_id.to_owned(),
            status: Some(Status::Successful(workflow_completion::Success::default())),
            ..WorkflowActivationCompletion::default()
        };
        let (worker, core) = (self.clone(), core.clone());
        self.run_in_place(async move {
            let run_id = answer.run_id.clone();
            let _ = core.complete_workflow_activation(answer).await;
            if let Some(replay) = &worker.replay {
                replay.leave(&run_id);
            }
        });
    }

    // To the main thread

    fn task(&self, item: task_item::Kind) {
        self.tasks.push(&element(&TaskItem { kind: Some(item) }));
    }

    fn event(&self, kind: worker_event::Kind) {
        self.task(task_item::Kind::Event(WorkerEvent { kind: Some(kind) }));
    }

    /// `now`: otherwise it goes with a later one, or after `RESULT_LINGER`.
    fn replayed(&self, result: proto::ReplayResult, now: bool) {
        let kind = Some(worker_event::Kind::ReplayResult(result));
        let kind = Some(task_item::Kind::Event(WorkerEvent { kind }));
        if self.tasks.append(&element(&TaskItem { kind }), now) {
            self.tasks.wake();
        }
        if now || self.lingering.swap(true, Ordering::AcqRel) {
            return;
        }
        let (tasks, lingering) = (self.tasks.clone(), self.lingering.clone());
        self.runtime.tokio().spawn(async move {
            tokio::time::sleep(RESULT_LINGER).await;
            lingering.store(false, Ordering::Release);
            tasks.wake_if_pending();
        });
    }

    fn drained(&self, poller: &str) {
        self.event(worker_event::Kind::PollerDrained(poller.to_owned()));
    }

    fn drained_all(&self) {
        let types = self.config.task_types;
        let activities = types.enable_remote_activities || types.enable_local_activities;
        for (enabled, poller) in [
            (types.enable_workflows, "workflow"),
            (activities, "activity"),
            (types.enable_nexus, "nexus"),
        ] {
            if enabled {
                self.drained(poller);
            }
        }
    }

    /// It cannot begin to poll, or need not any more.
    fn end_unpolled(self: &Arc<Self>, error: &HubError) {
        let asked = self.is_stopping();
        if !asked {
            self.fatal(error.code(), &error.to_string());
        }
        match self.any_core() {
            // The core's worker can be finalized only after its polls have said that they are shut down.
            Some(core) => {
                self.shutdown();
                self.poll(&core);
            }
            None if asked => self.drained_all(),
            None => {}
        }
    }

    fn fatal(&self, code: &str, message: &str) {
        self.event(worker_event::Kind::Fatal(proto::Fatal {
            code: code.to_owned(),
            message: message.to_owned(),
        }));
    }

    // Futures of this worker (W3)

    fn spawn(self: &Arc<Self>, work: impl Future<Output = ()> + Send + 'static) {
        let busy = self.busy.enter();
        self.runtime.tokio().spawn(async move {
            work.await;
            drop(busy);
        });
    }

    fn run_in_place(self: &Arc<Self>, work: impl Future<Output = ()> + Send + 'static) {
        let busy = self.busy.enter();
        let worker = Arc::downgrade(self);
        in_place::run(
            self.runtime.tokio(),
            async move {
                work.await;
                drop(busy);
            }
            .with_subscriber(self.runtime.log()), // a lane's thread has none
            move |panic| {
                if let Some(worker) = worker.upgrade() {
                    let error = HubError::Panicked { message: panic };
                    worker.fatal(error.code(), &error.to_string());
                }
            },
        );
    }

    // The core's worker

    fn make_core(
        &self,
        connection: temporalio_client::Connection,
    ) -> Result<Arc<CoreWorker>, HubError> {
        let mut cores = self.write_cores();
        if let Some(core) = cores.first() {
            return Ok(core.clone());
        }
        let _inside = self.runtime.enter();
        let core = self.runtime.with_core(|runtime| {
            init_worker(runtime, self.config.clone(), connection).map_err(worker_invalid)
        })?;
        let core = Arc::new(core);
        cores.push(core.clone());
        Ok(core)
    }

    async fn core_or_connect(&self) -> Result<Arc<CoreWorker>, HubError> {
        if let Some(core) = self.any_core() {
            return Ok(core);
        }
        let connection = self.connection().clone();
        let connection = connection.ok_or(HubError::WorkerClosed { what: "validate" })?;
        self.make_core(connection.get().await?)
    }

    fn any_core(&self) -> Option<Arc<CoreWorker>> {
        self.read_cores().first().cloned()
    }

    fn core(&self, what: &'static str) -> Result<Arc<CoreWorker>, HubError> {
        self.any_core().ok_or(HubError::WorkerClosed { what })
    }

    fn core_of_run(&self, run_id: &str) -> Result<Arc<CoreWorker>, HubError> {
        let cores = self.read_cores();
        let shard = match &self.replay {
            Some(replay) if cores.len() > 1 => replay.shard_of(run_id),
            _ => 0,
        };
        cores.get(shard).cloned().ok_or(HubError::WorkerClosed {
            what: "workflow completion",
        })
    }

    fn read_cores(&self) -> std::sync::RwLockReadGuard<'_, Vec<Arc<CoreWorker>>> {
        self.cores.read().expect("no panic holds this lock")
    }

    fn write_cores(&self) -> std::sync::RwLockWriteGuard<'_, Vec<Arc<CoreWorker>>> {
        self.cores.write().expect("no panic holds this lock")
    }

    fn connection(&self) -> MutexGuard<'_, Option<Arc<Connection>>> {
        self.connection.lock().expect("no panic holds this lock")
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    async fn stopped(&self) {
        loop {
            let stop = self.stop.notified();
            if self.is_stopping() {
                return;
            }
            stop.await;
        }
    }

    // Owners of payloads, kept only where codecs want to know

    fn owners(&self) -> MutexGuard<'_, HashMap<String, Owner>> {
        self.owners.lock().expect("no panic holds this lock")
    }

    fn workflow_ids(&self) -> MutexGuard<'_, HashMap<String, String>> {
        self.workflow_ids.lock().expect("no panic holds this lock")
    }

    fn with_owner<T>(&self, run_id: &str, use_it: impl FnOnce(&mut Owner) -> T) -> T {
        let mut owners = self.owners();
        match owners.get_mut(run_id) {
            Some(owner) => use_it(owner),
            None => use_it(&mut Owner::default()), // evicted meanwhile
        }
    }

    fn take_out(&self, activation: &mut WorkflowActivation) -> Result<TakenOut, String> {
        let mut owners = self.owners();
        let owner = owners.entry(activation.run_id.clone()).or_default();
        owner.run_id.clone_from(&activation.run_id);
        for job in &activation.jobs {
            if let Some(Variant::InitializeWorkflow(start)) = &job.variant {
                owner.workflow_id.clone_from(&start.workflow_id);
                owner.workflow_type.clone_from(&start.workflow_type);
            }
        }
        TakenOut::of_activation(activation, owner)
    }
}

/// Takes what a lane has completed. `bytes`: an encoded perdure.core.v1.LaneCompletions.
pub fn complete_lane(hub: &Hub, lane: LaneId, bytes: Vec<u8>) -> Result<(), HubError> {
    let completions: proto::LaneCompletions =
        decode(prost::bytes::Bytes::from(bytes), "LaneCompletions")?;
    for item in completions.items {
        let completion: WorkflowActivationCompletion =
            decode(item.completion.clone(), "WorkflowActivationCompletion")?;
        let failed = matches!(completion.status, Some(Status::Failed(_)));
        let run_id = &completion.run_id;
        if let Some(worker) = hub.accept(lane, item.worker, run_id, &item.completion, failed) {
            worker.complete(completion);
        }
    }
    Ok(())
}

/// Whether the activation asks only, and leaves the run as it was.
fn is_query(activation: &WorkflowActivation) -> bool {
    !activation.jobs.is_empty()
        && activation
            .jobs
            .iter()
            .all(|job| matches!(job.variant, Some(Variant::QueryWorkflow(_))))
}

/// Reasons that say nothing about the run.
fn is_everyday(reason: &str) -> bool {
    [
        EvictionReason::CacheFull,
        EvictionReason::WorkflowExecutionEnding,
        EvictionReason::LangRequested,
    ]
    .iter()
    .any(|everyday| everyday.as_str_name() == reason)
}

/// Whether asking again would bring the same answer.
fn is_final(code: Code) -> bool {
    matches!(
        code,
        Code::NotFound | Code::InvalidArgument | Code::PermissionDenied | Code::Unauthenticated
    )
}

fn failure(text: String) -> Failure {
    Failure {
        message: text,
        source: FAILURE_SOURCE.to_owned(),
        failure_info: Some(FailureInfo::ApplicationFailureInfo(
            ApplicationFailureInfo::default(),
        )),
        ..Failure::default()
    }
}

fn failed(run_id: String, text: String) -> WorkflowActivationCompletion {
    failed_because(run_id, text, WorkflowTaskFailedCause::Unspecified)
}

fn failed_because(
    run_id: String,
    text: String,
    cause: WorkflowTaskFailedCause,
) -> WorkflowActivationCompletion {
    WorkflowActivationCompletion {
        run_id,
        status: Some(Status::Failed(workflow_completion::Failure {
            failure: Some(failure(text)),
            force_cause: cause.into(),
        })),
        ..WorkflowActivationCompletion::default()
    }
}

fn rejected(cause: impl std::error::Error + 'static) -> HubError {
    HubError::CompletionRejected {
        cause: chain(&cause),
    }
}

fn worker_invalid(cause: impl std::fmt::Display) -> HubError {
    HubError::WorkerInvalid {
        cause: format!("{cause:#}"),
    }
}
