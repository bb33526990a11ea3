//! Sizes of the payloads in a completion, held against the limit of the namespace before the core sees them.
//!
//! The core would refuse them too, with a failure that says neither which field nor how large.
//!
//! P1  Nothing is measured field by field unless the completion as a whole is over the limit.
//! P2  Sizes are those of the encoded fields, as the server counts them.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use prost::Message;
use std::sync::atomic::{AtomicUsize, Ordering};
use temporalio_common::data_converters::PayloadConversionError;
use temporalio_common::payload_visitor::{
    AsyncPayloadVisitor, PayloadField, PayloadFieldData, PayloadVisitable,
};
use temporalio_common::protos::coresdk::workflow_commands::{
    WorkflowCommand, workflow_command::Variant,
};
use temporalio_common::protos::coresdk::workflow_completion::{
    WorkflowActivationCompletion, workflow_activation_completion::Status,
};

/// The limit of one field of payloads in bytes; 0 for none.
#[derive(Default)]
pub(crate) struct PayloadLimit(AtomicUsize);

impl PayloadLimit {
    pub(crate) fn set(&self, bytes: i64) {
        self.0
            .store(usize::try_from(bytes).unwrap_or(0), Ordering::Release);
    }

    /// What to tell the user when a field is too large.
    pub(crate) fn violation(
        &self,
        completion: &mut WorkflowActivationCompletion,
    ) -> Option<String> {
        let limit = self.0.load(Ordering::Acquire);
        if limit == 0 || completion.encoded_len() <= limit {
            return None; // P1
        }
        let Some(Status::Successful(success)) = &mut completion.status else {
            return None;
        };
        success.commands.iter_mut().find_map(|command| {
            let (field, size) = largest_field(command);
            (size > limit).then(|| {
                format!(
                    "[TMPRL1103] {field}{} has {size} bytes, the server takes {limit} at most: \
                     pass a reference, compress with a payload codec, or set dataConverter.externalStorage",
                    name_of(command)
                )
            })
        })
    }
}

/// Name and bytes of the command's largest field that the server holds against the limit for payloads.
fn largest_field(command: &mut WorkflowCommand) -> (&'static str, usize) {
    if let Some(Variant::FailWorkflowExecution(fail)) = &command.variant {
        let size = fail.failure.as_ref().map_or(0, Message::encoded_len);
        return ("FailWorkflowExecution.failure", size); // the server measures failures as a whole
    }
    let mut largest = Largest("", 0);
    let _ = command
        .visit_payloads_mut(&mut largest)
        .now_or_never()
        .expect("a visit that measures does not wait");
    (largest.0, largest.1)
}

struct Largest(&'static str, usize);

impl AsyncPayloadVisitor for Largest {
    fn visit<'a>(
        &'a mut self,
        field: PayloadField<'a>,
    ) -> BoxFuture<'a, Result<(), PayloadConversionError>> {
        let name = field
            .path
            .strip_prefix("coresdk.workflow_commands.")
            .unwrap_or(field.path);
        // Headers have no limit of their own, memos and search attributes another one, and answers to queries fail
        // the query alone: the core sees to these.
        let counts = !name.ends_with(".headers")
            && !name.ends_with(".memo")
            && !name.contains("Memo.")
            && !name.contains("SearchAttributes.")
            && !name.contains("UserMetadata.")
            && !name.starts_with("QuerySuccess.");
        if counts {
            let size = match field.data {
                PayloadFieldData::Single(payload) => payload.encoded_len(),
                PayloadFieldData::Payloads(payloads) => payloads.encoded_len(),
                PayloadFieldData::Repeated(payloads) => {
                    prost::encoding::message::encoded_len_repeated(1, payloads) // P2
                }
            };
            if size > self.1 {
                (self.0, self.1) = (name, size);
            }
        }
        futures_util::future::ready(Ok(())).boxed()
    }
}

/// Which activity or workflow, for those commands that have one.
fn name_of(command: &WorkflowCommand) -> String {
    match &command.variant {
        Some(Variant::ScheduleActivity(it)) => format!(" of activity {:?}", it.activity_type),
        Some(Variant::ScheduleLocalActivity(it)) => {
            format!(" of local activity {:?}", it.activity_type)
        }
        Some(Variant::StartChildWorkflowExecution(it)) => {
            format!(" of child workflow {:?}", it.workflow_type)
        }
        Some(Variant::SignalExternalWorkflowExecution(it)) => {
            format!(" of signal {:?}", it.signal_name)
        }
        Some(Variant::ScheduleNexusOperation(it)) => {
            format!(" of Nexus operation {:?}", it.operation)
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use temporalio_common::protos::coresdk::workflow_commands::{
        CompleteWorkflowExecution, ScheduleActivity,
    };
    use temporalio_common::protos::coresdk::workflow_completion::Success;
    use temporalio_common::protos::temporal::api::common::v1::{Payload, Payloads};

    fn payload(bytes: usize) -> Payload {
        Payload {
            data: vec![1; bytes],
            ..Payload::default()
        }
    }

    fn completion(variants: Vec<Variant>) -> WorkflowActivationCompletion {
        WorkflowActivationCompletion {
            status: Some(Status::Successful(Success {
                commands: variants
                    .into_iter()
                    .map(|variant| WorkflowCommand {
                        variant: Some(variant),
                        ..WorkflowCommand::default()
                    })
                    .collect(),
                ..Success::default()
            })),
            ..WorkflowActivationCompletion::default()
        }
    }

    fn activity(arguments: Vec<Payload>) -> Variant {
        Variant::ScheduleActivity(ScheduleActivity {
            activity_type: "charge".to_owned(),
            arguments,
            ..ScheduleActivity::default()
        })
    }

    #[test]
    fn a_field_over_the_limit_is_named_with_both_sizes() {
        let limit = PayloadLimit::default();
        limit.set(1000);
        let arguments = vec![payload(600), payload(600)];
        let size = Payloads {
            payloads: arguments.clone(),
        }
        .encoded_len();
        let text = limit
            .violation(&mut completion(vec![activity(arguments)]))
            .unwrap();
        assert!(
            text.contains("ScheduleActivity.arguments of activity \"charge\""),
            "{text}"
        );
        assert!(text.contains(&format!("{size} bytes")), "{text}");
        assert!(text.contains("1000"), "{text}");
    }

    #[test]
    fn several_fields_that_are_only_together_over_the_limit_pass() {
        let limit = PayloadLimit::default();
        limit.set(1000);
        let mut many = completion((0..4).map(|_| activity(vec![payload(600)])).collect());
        assert_eq!(limit.violation(&mut many), None);
    }

    #[test]
    fn no_limit_lets_everything_pass() {
        let mut large = completion(vec![Variant::CompleteWorkflowExecution(
            CompleteWorkflowExecution {
                result: Some(payload(4_000_000)),
            },
        )]);
        assert_eq!(PayloadLimit::default().violation(&mut large), None);
    }
}
