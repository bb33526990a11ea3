//! The codec stage: payloads leave a message for the main thread and come back changed.
//!
//! K1  All payloads of one message travel in one request, grouped as they stood in their fields.
//! K2  Search attributes stay as they are: the server has to read them.
//! K3  Taking out and putting back visit the fields in the same order.

use crate::outbox::{Outbox, element};
use crate::proto::{self, CodecRequest, PayloadGroup, TaskItem, task_item};
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
use temporalio_common::protos::temporal::api::common::v1::Payload;
use tokio::sync::oneshot;

/// Whose payloads these are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Owner {
    pub run_id: String,
    pub workflow_id: String,
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

    /// Sends the payloads of `message` through the codecs. `Err` is the text of what went wrong.
    pub(crate) async fn pass<M: PayloadVisitable>(
        &self,
        message: &mut M,
        direction: Direction,
        owner: Owner,
    ) -> Result<(), String> {
        let groups = take_out(message)?;
        if groups.is_empty() {
            return Ok(());
        }
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let (sender, receiver) = oneshot::channel();
        self.lock().insert(id, sender);
        self.tasks.push(&element(&TaskItem {
            kind: Some(task_item::Kind::Codec(CodecRequest {
                id,
                encode: direction == Direction::Encode,
                run_id: owner.run_id,
                workflow_id: owner.workflow_id,
                groups,
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

fn take_out<M: PayloadVisitable>(message: &mut M) -> Result<Vec<PayloadGroup>, String> {
    let mut groups = Vec::new();
    visit(message, |data| {
        let payloads = match data {
            PayloadFieldData::Single(payload) => vec![payload.encode_to_vec()],
            PayloadFieldData::Repeated(payloads) => encode(payloads),
            PayloadFieldData::Payloads(payloads) => encode(&payloads.payloads),
        };
        if !payloads.is_empty() {
            groups.push(PayloadGroup { payloads });
        }
        Ok(())
    })?;
    Ok(groups)
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
