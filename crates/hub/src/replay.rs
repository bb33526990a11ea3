//! Histories on their way into replay workers, and what became of each.
//!
//! A core replay worker replays one history after the other and keys runs by the run id that the history names. The
//! run id also seeds the run's random numbers, so it is kept as it is:
//!
//! Y1  Two histories with the same run id are never in the core at the same time: the second waits until the first
//!     has been evicted.
//! Y2  Every history that was taken in ends in exactly one ReplayResult.
//! Y3  The end of the feed is told to the core only when it has let go of the last history: it would stop at once,
//!     with a history half way in.

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
                let Some(fed) = receiver.recv().await else {
                    drop(receiver);
                    replay.empty(shard).await;
                    return None;
                };
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
            failure: readable(&failure),
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

    /// Y3
    async fn empty(&self, shard: usize) {
        loop {
            let left = self.left.notified();
            if self.running().values().all(|run| run.shard != shard) {
                return;
            }
            left.await;
        }
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

/// The core puts the debug form of a whole failure around its text; the text alone names event and command.
fn readable(message: &str) -> String {
    let Some((_, rest)) = message.split_once("Failure { message: \"") else {
        return message.to_owned();
    };
    let mut text = String::new();
    let mut letters = rest.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => return text,
            '\\' => match letters.next() {
                Some('n') => text.push('\n'),
                Some('t') => text.push('\t'),
                Some(other) => text.push(other),
                None => break,
            },
            other => text.push(other),
        }
    }
    message.to_owned()
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

#[cfg(test)]
mod tests {
    use super::*;
    use prost::Message;
    use temporalio_common::protos::temporal::api::common::v1::WorkflowType;
    use temporalio_common::protos::temporal::api::history::v1::{
        HistoryEvent, WorkflowExecutionStartedEventAttributes,
    };

    fn history(types: &[EventType]) -> Vec<u8> {
        let events = (1..)
            .zip(types)
            .map(|(event_id, event_type)| HistoryEvent {
                event_id,
                event_type: *event_type as i32,
                attributes: (*event_type == EventType::WorkflowExecutionStarted).then(|| {
                    Attributes::WorkflowExecutionStartedEventAttributes(
                        WorkflowExecutionStartedEventAttributes {
                            workflow_type: Some(WorkflowType { name: "w".into() }),
                            ..Default::default()
                        },
                    )
                }),
                ..Default::default()
            })
            .collect();
        ReplayHistory {
            workflow_id: "id".into(),
            history: History { events }.encode_to_vec(),
        }
        .encode_to_vec()
    }

    fn refusal(types: &[EventType]) -> String {
        match Replay::new().check(&history(types)) {
            Err(error) => format!("{}: {error}", error.code()),
            Ok(_) => "taken".to_owned(),
        }
    }

    #[test]
    fn histories_that_the_core_would_panic_on_are_refused() {
        use EventType::{WorkflowExecutionStarted, WorkflowTaskScheduled, WorkflowTaskStarted};
        let start = "CORE_HISTORY_INVALID: the history of workflow \"id\" cannot be replayed: ";
        for (types, cause) in [
            (&[][..], "it has no workflow task that was started"),
            (
                &[WorkflowExecutionStarted],
                "it has no workflow task that was started",
            ),
            (
                &[WorkflowTaskStarted],
                "its first event does not start a workflow",
            ),
            (
                &[
                    WorkflowExecutionStarted,
                    WorkflowTaskStarted,
                    WorkflowTaskScheduled,
                ],
                "event 3 (EVENT_TYPE_WORKFLOW_TASK_SCHEDULED) comes where the workflow task started by event 2 \
                 should end",
            ),
        ] {
            assert_eq!(refusal(types), format!("{start}{cause}"));
        }
        assert_eq!(
            refusal(&[WorkflowExecutionStarted, WorkflowTaskStarted]),
            "taken"
        );
    }

    #[test]
    fn a_history_without_a_run_id_gets_one_of_its_own() {
        use EventType::{WorkflowExecutionStarted, WorkflowTaskStarted};
        let replay = Replay::new();
        let bytes = history(&[WorkflowExecutionStarted, WorkflowTaskStarted]);
        let ids: Vec<_> = (0..2)
            .map(|_| replay.check(&bytes).unwrap().run_id)
            .collect();
        assert_ne!(ids[0], ids[1]);
    }

    #[test]
    fn the_text_of_a_failure_is_found_in_its_debug_form() {
        let text = "[TMPRL1100] it says \"no\"\nand \\ more";
        let failure = temporalio_common::protos::temporal::api::failure::v1::Failure {
            message: text.into(),
            ..Default::default()
        };
        assert_eq!(
            readable(&format!("Workflow activation failed: {failure:?}")),
            text
        );
        assert_eq!(readable("plain"), "plain");
    }
}
