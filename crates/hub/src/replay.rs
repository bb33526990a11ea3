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
//! Y4  Waking a thread costs more than replaying a short history. So whoever feeds is asked to wait only when a lot
//!     is waiting, and told to go on when half of it has gone; results are told in batches while more is waiting.

use crate::error::{HubError, decode};
use crate::proto::{ReplayHistory, ReplayResult};
use futures_util::stream::{self, Stream};
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use temporalio_common::protos::temporal::api::enums::v1::EventType;
use temporalio_common::protos::temporal::api::history::v1::{History, history_event::Attributes};
use temporalio_sdk_core::replay::HistoryForReplay;
use tokio::sync::Notify;

/// Histories that may wait in the hub, and their bytes; then feeding waits until half of both has gone (Y4).
const WAITING: usize = 64;
const WAITING_BYTES: usize = 8 << 20;
/// Results that may wait for a wake-up of the main thread (Y4).
const UNTOLD: usize = 16;

pub(crate) struct Replay {
    waiting: Mutex<Waiting>,
    came: Notify,
    room: Notify,
    running: Mutex<HashMap<String, Running>>,
    left: Notify,
    next: AtomicU64,
    untold: AtomicUsize,
}

/// Histories that no core has taken yet.
#[derive(Default)]
struct Waiting {
    histories: VecDeque<Fed>,
    bytes: usize,
    ended: bool,
}

impl Waiting {
    fn is_full(&self) -> bool {
        self.histories.len() >= WAITING || self.bytes >= WAITING_BYTES
    }

    fn has_room(&self) -> bool {
        self.ended || (self.histories.len() <= WAITING / 2 && self.bytes <= WAITING_BYTES / 2)
    }
}

struct Fed {
    number: u64,
    bytes: usize,
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
        Arc::new(Self {
            waiting: Mutex::default(),
            came: Notify::new(),
            room: Notify::new(),
            running: Mutex::default(),
            left: Notify::new(),
            next: AtomicU64::new(0),
            untold: AtomicUsize::new(0),
        })
    }

    /// Takes a history in; returns whether the next one may follow at once, or has to wait for [`Replay::room`].
    /// `bytes`: an encoded perdure.core.v1.ReplayHistory.
    pub(crate) fn feed(&self, bytes: &[u8]) -> Result<bool, HubError> {
        let fed = self.check(bytes)?;
        let mut waiting = self.waiting();
        if waiting.ended {
            return Err(HubError::ReplayEnded);
        }
        waiting.bytes += fed.bytes;
        waiting.histories.push_back(fed);
        let more = !waiting.is_full();
        drop(waiting);
        self.came.notify_one();
        Ok(more)
    }

    /// Resolves when more can be taken in, or never will.
    pub(crate) async fn room(&self) {
        loop {
            let room = self.room.notified();
            if self.waiting().has_room() {
                return;
            }
            room.await;
        }
    }

    pub(crate) fn end(&self) {
        self.waiting().ended = true;
        self.came.notify_waiters();
        self.room.notify_waiters();
    }

    /// Whether a result has to be told now, or may wait for others (Y4).
    pub(crate) fn tells_now(&self) -> bool {
        let none_waits = self.waiting().histories.is_empty();
        let untold = self.untold.fetch_add(1, Ordering::Relaxed) + 1;
        let now = none_waits || untold >= UNTOLD;
        if now {
            self.untold.store(0, Ordering::Relaxed);
        }
        now
    }

    /// The next history; none once the feed has ended.
    async fn take(&self) -> Option<Fed> {
        loop {
            let came = self.came.notified();
            {
                let mut waiting = self.waiting();
                if let Some(fed) = waiting.histories.pop_front() {
                    waiting.bytes -= fed.bytes;
                    if waiting.has_room() {
                        self.room.notify_waiters();
                    }
                    return Some(fed);
                }
                if waiting.ended {
                    return None;
                }
            }
            came.await;
        }
    }

    /// The histories of one core worker.
    pub(crate) fn stream(
        self: &Arc<Self>,
        shard: usize,
    ) -> impl Stream<Item = HistoryForReplay> + Send + 'static {
        stream::unfold(self.clone(), move |replay| async move {
            let fed = {
                let Some(fed) = replay.take().await else {
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
        let number = self.next.fetch_add(1, Ordering::Relaxed); // refused ones count, too
        let given: ReplayHistory = decode(bytes, "ReplayHistory")?;
        let invalid = |cause: &str| HubError::HistoryInvalid {
            workflow_id: given.workflow_id.clone(),
            cause: cause.to_owned(),
        };
        let mut history: History = decode(&given.history[..], "History")?;
        check_tasks(&history).map_err(|cause| invalid(&cause))?;
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
        // The core would panic without one; its name plays no part in a replay.
        started.task_queue.get_or_insert_default();
        Ok(Fed {
            number,
            bytes: bytes.len(),
            run_id: started.original_execution_run_id.clone(),
            workflow_id: given.workflow_id,
            history,
        })
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().expect("no panic holds this lock")
    }

    fn running(&self) -> MutexGuard<'_, HashMap<String, Running>> {
        self.running.lock().expect("no panic holds this lock")
    }
}

/// The core puts the debug form of a whole failure around its text; the text alone names event and command.
pub(crate) fn readable(message: &str) -> String {
    let Some((_, rest)) = message.split_once("Failure { message: \"") else {
        return message.to_owned();
    };
    unquoted(rest).unwrap_or_else(|| message.to_owned())
}

/// A string from behind the opening quote of its debug form; none if the form has no end.
fn unquoted(form: &str) -> Option<String> {
    let mut text = String::new();
    let mut letters = form.chars();
    loop {
        match letters.next()? {
            '"' => return Some(text),
            '\\' => text.push(match letters.next()? {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                '0' => '\0',
                'u' => {
                    let digits: String = letters
                        .by_ref()
                        .skip(1)
                        .take_while(|letter| *letter != '}')
                        .collect();
                    char::from_u32(u32::from_str_radix(&digits, 16).ok()?)?
                }
                itself => itself,
            }),
            other => text.push(other),
        }
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
        let every_ascii: String = (0..128_u8).map(char::from).collect();
        for text in [
            "[TMPRL1100] it says \"no\"\nand \\ more",
            "r\u{e9}sum\u{e9} \u{202e} \u{1f600} \u{301}",
            &every_ascii,
            "",
        ] {
            let failure = temporalio_common::protos::temporal::api::failure::v1::Failure {
                message: text.into(),
                source: "another \"text\"".into(),
                ..Default::default()
            };
            assert_eq!(
                readable(&format!("Workflow activation failed: {failure:?}")),
                text
            );
        }
    }

    #[test]
    fn other_texts_are_left_alone() {
        for text in [
            "plain",
            "Failure { message: \"without an end",
            "Failure { message: \"\\u{zz}\"",
        ] {
            assert_eq!(readable(text), text);
        }
    }
}
