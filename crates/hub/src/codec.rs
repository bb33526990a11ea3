//! The codec stage: payloads leave a message for the main thread and come back changed.
//!
//! K1  All payloads of one message travel in one request, grouped as they stood in their fields.
//! K2  Search attributes stay as they are: the server has to read them.
//! K3  Taking out and putting back visit the fields in the same order.
//! K4  Payloads name their owner as the other side knows it: what a run gives to an activity or to another workflow,
//!     and what it gets back from them, belongs to these.

use crate::outbox::{Outbox, element};
use crate::proto::{self, CodecRequest, PayloadGroup, PayloadOwner, TaskItem, task_item};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use prost::Message;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use temporalio_common::data_converters::PayloadConversionError;
use temporalio_common::payload_visitor::{
    AsyncPayloadVisitor, PayloadField, PayloadFieldData, PayloadVisitable,
};
use temporalio_common::protos::coresdk::workflow_activation::{
    WorkflowActivation, workflow_activation_job::Variant as Job,
};
use temporalio_common::protos::coresdk::workflow_commands::{
    WorkflowCommand, signal_external_workflow_execution::Target,
    workflow_command::Variant as Command,
};
use temporalio_common::protos::coresdk::workflow_completion::{
    WorkflowActivationCompletion, workflow_activation_completion::Status,
};
use temporalio_common::protos::temporal::api::common::v1::Payload;
use tokio::sync::oneshot;

/// A run, and whose payloads come back to it (K4).
#[derive(Clone, Debug, Default)]
pub(crate) struct Owner {
    pub run_id: String,
    pub workflow_id: String,
    pub workflow_type: String,
    /// By kind and sequence number of the command, until its answer.
    pending: HashMap<(Kind, u32), PayloadOwner>,
}

/// Sequence numbers count by kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Activity,
    Child,
    Signal,
    Cancel,
}

impl Owner {
    /// The owner of a command's payloads, remembered for its answer.
    fn of_command(&mut self, command: &WorkflowCommand) -> Option<PayloadOwner> {
        let (key, owner) = match command.variant.as_ref()? {
            Command::ScheduleActivity(it) => {
                ((Kind::Activity, it.seq), activity(&it.activity_id, false))
            }
            Command::ScheduleLocalActivity(it) => {
                ((Kind::Activity, it.seq), activity(&it.activity_id, true))
            }
            Command::StartChildWorkflowExecution(it) => (
                (Kind::Child, it.seq),
                PayloadOwner {
                    workflow_id: it.workflow_id.clone(),
                    workflow_type: it.workflow_type.clone(),
                    namespace: it.namespace.clone(),
                    ..PayloadOwner::default()
                },
            ),
            Command::SignalExternalWorkflowExecution(it) => {
                let owner = match it.target.as_ref()? {
                    Target::WorkflowExecution(to) => {
                        workflow(&to.workflow_id, &to.run_id, &to.namespace)
                    }
                    Target::ChildWorkflowId(id) => workflow(id, "", ""),
                };
                ((Kind::Signal, it.seq), owner)
            }
            Command::RequestCancelExternalWorkflowExecution(it) => {
                let to = it.workflow_execution.as_ref()?;
                let owner = workflow(&to.workflow_id, &to.run_id, &to.namespace);
                ((Kind::Cancel, it.seq), owner)
            }
            _ => return None,
        };
        self.pending.insert(key, owner.clone());
        Some(owner)
    }

    /// The owner of what a job brings.
    fn of_job(&mut self, job: &Job) -> Option<PayloadOwner> {
        match job {
            Job::ResolveActivity(it) => self.pending.remove(&(Kind::Activity, it.seq)),
            // Its result comes later, under the same number.
            Job::ResolveChildWorkflowExecutionStart(it) => {
                self.pending.get(&(Kind::Child, it.seq)).cloned()
            }
            Job::ResolveChildWorkflowExecution(it) => self.pending.remove(&(Kind::Child, it.seq)),
            Job::ResolveSignalExternalWorkflow(it) => self.pending.remove(&(Kind::Signal, it.seq)),
            Job::ResolveRequestCancelExternalWorkflow(it) => {
                self.pending.remove(&(Kind::Cancel, it.seq))
            }
            _ => None,
        }
    }
}

fn activity(activity_id: &str, local: bool) -> PayloadOwner {
    PayloadOwner {
        activity: true,
        activity_id: activity_id.to_owned(),
        local,
        ..PayloadOwner::default()
    }
}

fn workflow(workflow_id: &str, run_id: &str, namespace: &str) -> PayloadOwner {
    PayloadOwner {
        workflow_id: workflow_id.to_owned(),
        run_id: run_id.to_owned(),
        namespace: namespace.to_owned(),
        ..PayloadOwner::default()
    }
}

/// Payloads that have left their message.
pub(crate) struct TakenOut {
    run_id: String,
    workflow_id: String,
    workflow_type: String,
    direction: Direction,
    groups: Vec<PayloadGroup>,
}

impl TakenOut {
    fn new(owner: &Owner, direction: Direction, groups: Vec<PayloadGroup>) -> Self {
        Self {
            run_id: owner.run_id.clone(),
            workflow_id: owner.workflow_id.clone(),
            workflow_type: owner.workflow_type.clone(),
            direction,
            groups,
        }
    }

    pub(crate) fn of_activation(
        activation: &mut WorkflowActivation,
        owner: &mut Owner,
    ) -> Result<Self, String> {
        let mut groups = Vec::new();
        for job in &mut activation.jobs {
            let of = job.variant.as_ref().and_then(|job| owner.of_job(job));
            take_out(job, of.as_ref(), &mut groups)?;
        }
        Ok(Self::new(owner, Direction::Decode, groups))
    }

    pub(crate) fn of_completion(
        completion: &mut WorkflowActivationCompletion,
        owner: &mut Owner,
    ) -> Result<Self, String> {
        let mut groups = Vec::new();
        match &mut completion.status {
            Some(Status::Successful(success)) => {
                for command in &mut success.commands {
                    let of = owner.of_command(command);
                    take_out(command, of.as_ref(), &mut groups)?;
                }
            }
            Some(Status::Failed(failure)) => take_out(failure, None, &mut groups)?,
            None => {}
        }
        Ok(Self::new(owner, Direction::Encode, groups))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// Towards the server.
    Encode,
    /// From the server.
    Decode,
}

/// The codec stage of one worker.
pub(crate) struct CodecStage {
    tasks: Arc<Outbox>,
    next_id: AtomicU64,
    waiting: Mutex<HashMap<u64, oneshot::Sender<proto::CodecResponse>>>,
}

impl CodecStage {
    pub(crate) fn new(tasks: Arc<Outbox>) -> Self {
        Self {
            tasks,
            next_id: AtomicU64::new(1),
            waiting: Mutex::default(),
        }
    }

    /// Sends payloads of `message` through the codecs and puts them back. `Err` is the text of what went wrong.
    pub(crate) async fn pass<M: PayloadVisitable>(
        &self,
        message: &mut M,
        taken: TakenOut,
    ) -> Result<(), String> {
        if taken.groups.is_empty() {
            return Ok(());
        }
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let (sender, receiver) = oneshot::channel();
        self.lock().insert(id, sender);
        self.tasks.push(&element(&TaskItem {
            kind: Some(task_item::Kind::Codec(CodecRequest {
                id,
                encode: taken.direction == Direction::Encode,
                run_id: taken.run_id,
                workflow_id: taken.workflow_id,
                workflow_type: taken.workflow_type,
                groups: taken.groups,
            })),
        }));
        let response = receiver
            .await
            .map_err(|_| "the worker was closed while a codec ran".to_owned())?;
        if !response.error.is_empty() {
            return Err(response.error);
        }
        put_back(message, response.groups)
    }

    /// The main thread has answered. An unknown id is an answer given twice and is ignored.
    pub(crate) fn answer(&self, response: proto::CodecResponse) {
        let waiting = self.lock().remove(&response.id);
        if let Some(waiting) = waiting {
            let _ = waiting.send(response);
        }
    }

    fn lock(
        &self,
    ) -> std::sync::MutexGuard<'_, HashMap<u64, oneshot::Sender<proto::CodecResponse>>> {
        self.waiting.lock().expect("no panic holds this lock")
    }
}

/// Visits without ever waiting, so that the visit can be driven by a single poll.
struct Visit<F>(F);

impl<F> AsyncPayloadVisitor for Visit<F>
where
    F: FnMut(PayloadFieldData<'_>) -> Result<(), String> + Send,
{
    fn visit<'a>(
        &'a mut self,
        field: PayloadField<'a>,
    ) -> BoxFuture<'a, Result<(), PayloadConversionError>> {
        let result = if field.path.contains("SearchAttributes.indexed_fields") {
            Ok(()) // K2
        } else {
            (self.0)(field.data).map_err(|text| PayloadConversionError::EncodingError(text.into()))
        };
        futures_util::future::ready(result).boxed()
    }
}

fn visit<M: PayloadVisitable>(
    message: &mut M,
    action: impl FnMut(PayloadFieldData<'_>) -> Result<(), String> + Send,
) -> Result<(), String> {
    let mut visitor = Visit(action);
    match message.visit_payloads_mut(&mut visitor).now_or_never() {
        Some(Ok(())) => Ok(()),
        Some(Err(PayloadConversionError::EncodingError(cause))) => Err(cause.to_string()),
        Some(Err(other)) => Err(other.to_string()),
        None => Err("a visit of payloads waited".to_owned()),
    }
}

fn take_out<M: PayloadVisitable>(
    message: &mut M,
    owner: Option<&PayloadOwner>,
    groups: &mut Vec<PayloadGroup>,
) -> Result<(), String> {
    visit(message, |data| {
        let payloads = match data {
            PayloadFieldData::Single(payload) => vec![payload.encode_to_vec()],
            PayloadFieldData::Repeated(payloads) => encode(payloads),
            PayloadFieldData::Payloads(payloads) => encode(&payloads.payloads),
        };
        if !payloads.is_empty() {
            groups.push(PayloadGroup {
                payloads,
                owner: owner.cloned(),
            });
        }
        Ok(())
    })
}

fn put_back<M: PayloadVisitable>(message: &mut M, groups: Vec<PayloadGroup>) -> Result<(), String> {
    let mut groups = groups.into_iter();
    let mut next = |expected: &'static str| {
        let group = groups
            .next()
            .ok_or_else(|| format!("the codecs gave fewer groups than they got ({expected})"))?;
        group
            .payloads
            .iter()
            .map(|bytes| Payload::decode(&bytes[..]).map_err(|cause| cause.to_string()))
            .collect::<Result<Vec<_>, _>>()
    };
    visit(message, |data| {
        match data {
            PayloadFieldData::Single(payload) => {
                let mut decoded = next("one payload")?;
                if decoded.len() != 1 {
                    return Err(format!(
                        "the codecs gave {} payloads where one is needed",
                        decoded.len()
                    ));
                }
                *payload = decoded.remove(0);
            }
            PayloadFieldData::Repeated(payloads) if payloads.is_empty() => {}
            PayloadFieldData::Repeated(payloads) => *payloads = next("a list of payloads")?,
            PayloadFieldData::Payloads(payloads) if payloads.payloads.is_empty() => {}
            PayloadFieldData::Payloads(payloads) => {
                payloads.payloads = next("a list of payloads")?;
            }
        }
        Ok(())
    })
}

fn encode(payloads: &[Payload]) -> Vec<Vec<u8>> {
    payloads.iter().map(Message::encode_to_vec).collect()
}
