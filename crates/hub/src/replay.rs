//! Histories on their way into replay workers, and what became of each.
//!
//! A core replay worker replays one history after the other and keys runs by the run id that the history names. The
//! run id also seeds the run's random numbers, so it is kept as it is:
//!
//! Y1  Two histories with the same run id are never in the core at the same time: the second waits until the first
//!     has been evicted.
//! Y2  Every history that was taken in ends in exactly one ReplayResult.

use crate::error::{HubError, decode};
use crate::proto::{ReplayHistory, ReplayResult};
use futures_util::stream::{self, Stream};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use temporalio_common::protos::temporal::api::enums::v1::EventType;
use temporalio_common::protos::temporal::api::history::v1::{History, history_event::Attributes};
use temporalio_sdk_core::replay::HistoryForReplay;
use tokio::sync::{Mutex as AsyncMutex, Notify, mpsc};

/// Histories that may wait in the hub; then feeding waits.
const WAITING: usize = 16;

pub(crate) struct Replay {
    sender: Mutex<Option<mpsc::Sender<Fed>>>,
    receiver: AsyncMutex<mpsc::Receiver<Fed>>,
    running: Mutex<HashMap<String, Running>>,
    left: Notify,
    next: AtomicU64,
}

struct Fed {
    number: u64,
    run_id: String,
    workflow_id: String,
    history: History,
}

/// A history in the core.
struct Running {
    number: u64,
    workflow_id: String,
    shard: usize,
    /// Text of the failure that the lane answered with.
    failure: Option<String>,
}

impl Replay {
    pub(crate) fn new() -> Arc<Self> {
        let (sender, receiver) = mpsc::channel(WAITING);
        Arc::new(Self {
            sender: Mutex::new(Some(sender)),
            receiver: AsyncMutex::new(receiver),
            running: Mutex::default(),
            left: Notify::new(),
            next: AtomicU64::new(0),
        })
    }

    /// Resolves when the hub can take the next one. `bytes`: an encoded perdure.core.v1.ReplayHistory.
    pub(crate) async fn feed(&self, bytes: &[u8]) -> Result<(), HubError> {
        let fed = self.check(bytes)?;
        let sender = self.sender().clone().ok_or(HubError::ReplayEnded)?;
        sender.send(fed).await.map_err(|_| HubError::ReplayEnded)
    }

    pub(crate) fn end(&self) {
        self.sender().take();
    }

    /// The histories of one core worker.
    pub(crate) fn stream(
        self: &Arc<Self>,
        shard: usize,
    ) -> impl Stream<Item = HistoryForReplay> + Send + 'static {
        stream::unfold(self.clone(), move |replay| async move {
            let fed = {
                let mut receiver = replay.receiver.lock().await;
                let fed = receiver.recv().await?;
                loop {
                    // Y1
                    let left = replay.left.notified();
                    if replay.enter(&fed, shard) {
                        break;
                    }
                    left.await;
                }
                fed
            };
            Some((HistoryForReplay::new(fed.history, fed.workflow_id), replay))
        })
    }

    pub(crate) fn shard_of(&self, run_id: &str) -> usize {
        self.running().get(run_id).map_or(0, |run| run.shard)
    }

    pub(crate) fn failed(&self, run_id: &str, text: &str) {
        if let Some(run) = self.running().get_mut(run_id) {
            run.failure.get_or_insert_with(|| text.to_owned());
        }
    }

    /// What became of a run that the core evicts (Y2).
    pub(crate) fn result(&self, run_id: &str, reason: &str, message: &str) -> Option<ReplayResult> {
        let running = self.running();
        let run = running.get(run_id)?;
        let nondeterminism = reason == "NONDETERMINISM";
        let failure = match reason {
            // What the core says after each replay, and what a finished workflow ends with.
            "LANG_REQUESTED" | "WORKFLOW_EXECUTION_ENDING" | "CACHE_FULL" => {
                run.failure.clone().unwrap_or_default()
            }
            "LANG_FAIL" => run.failure.clone().unwrap_or_else(|| message.to_owned()),
            _ => message.to_owned(),
        };
        Some(ReplayResult {
            number: run.number,
            workflow_id: run.workflow_id.clone(),
            run_id: run_id.to_owned(),
            failure,
            nondeterminism,
        })
    }

    /// The core has let go of the run.
    pub(crate) fn leave(&self, run_id: &str) {
        self.running().remove(run_id);
        self.left.notify_waiters();
    }

    /// Histories that the core has not ended, for a worker that closes early.
    pub(crate) fn abandoned(&self) -> Vec<ReplayResult> {
        self.running()
            .drain()
            .map(|(run_id, run)| ReplayResult {
                number: run.number,
                workflow_id: run.workflow_id,
                run_id,
                failure: "the worker was shut down before the history had been replayed".into(),
                nondeterminism: false,
            })
            .collect()
    }

    fn enter(&self, fed: &Fed, shard: usize) -> bool {
        let mut running = self.running();
        if running.contains_key(&fed.run_id) {
            return false;
        }
        running.insert(
            fed.run_id.clone(),
            Running {
                number: fed.number,
                workflow_id: fed.workflow_id.clone(),
                shard,
                failure: None,
            },
        );
        true
    }

    /// The core takes a good history for granted: what it would panic on ends here.
    fn check(&self, bytes: &[u8]) -> Result<Fed, HubError> {
        let given: ReplayHistory = decode(bytes, "ReplayHistory")?;
        let invalid = |cause: &str| HubError::HistoryInvalid {
            workflow_id: given.workflow_id.clone(),
            cause: cause.to_owned(),
        };
        let mut history: History = decode(&given.history[..], "History")?;
        check_tasks(&history).map_err(|cause| invalid(&cause))?;
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let first = history
            .events
            .first_mut()
            .and_then(|event| event.attributes.as_mut());
        let Some(Attributes::WorkflowExecutionStartedEventAttributes(started)) = first else {
            return Err(invalid("its first event does not start a workflow"));
        };
        if started.workflow_type.is_none() {
            return Err(invalid("its first event names no workflow type"));
        }
        if started.original_execution_run_id.is_empty() {
            started.original_execution_run_id = format!("history-{number}");
        }
        Ok(Fed {
            number,
            run_id: started.original_execution_run_id.clone(),
            workflow_id: given.workflow_id,
            history,
        })
    }

    fn sender(&self) -> MutexGuard<'_, Option<mpsc::Sender<Fed>>> {
        self.sender.lock().expect("no panic holds this lock")
    }

    fn running(&self) -> MutexGuard<'_, HashMap<String, Running>> {
        self.running.lock().expect("no panic holds this lock")
    }
}

/// A started workflow task is followed by its end, or by nothing.
fn check_tasks(history: &History) -> Result<(), String> {
    let mut tasks = 0;
    for (index, event) in history.events.iter().enumerate() {
        if event.event_type() != EventType::WorkflowTaskStarted {
            continue;
        }
        tasks += 1;
        let Some(next) = history.events.get(index + 1) else {
            continue;
        };
        let ends = matches!(
            next.event_type(),
            EventType::WorkflowTaskCompleted
                | EventType::WorkflowTaskFailed
                | EventType::WorkflowTaskTimedOut
                | EventType::WorkflowExecutionTerminated
                | EventType::WorkflowExecutionTimedOut
        );
        if !ends {
            return Err(format!(
                "event {} ({}) comes where the workflow task started by event {} should end",
                next.event_id,
                next.event_type().as_str_name(),
                event.event_id
            ));
        }
    }
    if tasks == 0 {
        return Err("it has no workflow task that was started".to_owned());
    }
    Ok(())
}
