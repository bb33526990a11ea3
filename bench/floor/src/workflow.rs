//! The benchmark's workflows, written directly as answers to activations. Pure: no clock, no I/O, no state.
//!
//! noop   InitializeWorkflow → complete
//! hello  InitializeWorkflow → activity 1; activity n resolved → activity n + 1, or complete after the last

use prost_wkt_types::Duration;
use temporalio_common::protos::coresdk::workflow_activation::{
    WorkflowActivation, workflow_activation_job::Variant as Job,
};
use temporalio_common::protos::coresdk::workflow_commands::{
    CompleteWorkflowExecution, ScheduleActivity, workflow_command::Variant as Command,
};
use temporalio_common::protos::coresdk::workflow_completion::WorkflowActivationCompletion;
use temporalio_common::protos::temporal::api::common::v1::Payload;

/// `undefined`, as the default payload converters write it.
pub fn nothing() -> Payload {
    Payload {
        metadata: [("encoding".to_owned(), b"binary/null".to_vec())].into(),
        ..Default::default()
    }
}

/// What a workflow does: `activities` one after another, then it completes.
#[derive(Clone, Debug)]
pub struct Plan {
    pub activities: u32,
    pub task_queue: String,
}

impl Plan {
    /// The completion of one activation. An eviction gets an empty one.
    pub fn answer(&self, activation: WorkflowActivation) -> WorkflowActivationCompletion {
        let commands = activation
            .jobs
            .into_iter()
            .filter_map(|job| match job.variant {
                Some(Job::InitializeWorkflow(_)) => Some(self.after(0)),
                Some(Job::ResolveActivity(resolved)) => Some(self.after(resolved.seq)),
                _ => None,
            })
            .collect();
        WorkflowActivationCompletion::from_cmds(activation.run_id, commands)
    }

    fn after(&self, done: u32) -> Command {
        if done == self.activities {
            return Command::CompleteWorkflowExecution(CompleteWorkflowExecution {
                result: Some(nothing()),
            });
        }
        let seq = done + 1;
        Command::ScheduleActivity(ScheduleActivity {
            seq,
            activity_id: seq.to_string(),
            activity_type: "greet".into(),
            task_queue: self.task_queue.clone(),
            start_to_close_timeout: Some(Duration {
                seconds: 60,
                nanos: 0,
            }),
            ..Default::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use temporalio_common::protos::coresdk::workflow_activation::{
        InitializeWorkflow, ResolveActivity, WorkflowActivationJob,
    };
    use temporalio_common::protos::coresdk::workflow_completion::workflow_activation_completion::Status;

    fn commands(activities: u32, job: Job) -> Vec<Command> {
        let plan = Plan {
            activities,
            task_queue: "q".into(),
        };
        let activation = WorkflowActivation {
            run_id: "r".into(),
            jobs: vec![WorkflowActivationJob { variant: Some(job) }],
            ..Default::default()
        };
        match plan.answer(activation).status {
            Some(Status::Successful(success)) => success
                .commands
                .into_iter()
                .filter_map(|c| c.variant)
                .collect(),
            other => panic!("not a success: {other:?}"),
        }
    }

    #[test]
    fn noop_completes_at_once() {
        let sent = commands(0, Job::InitializeWorkflow(InitializeWorkflow::default()));
        assert!(matches!(sent[..], [Command::CompleteWorkflowExecution(_)]));
    }

    #[test]
    fn a_chain_schedules_the_next_activity_until_the_last_has_resolved() {
        let resolved = |seq| {
            Job::ResolveActivity(ResolveActivity {
                seq,
                ..Default::default()
            })
        };
        let sent = commands(2, resolved(1));
        assert!(matches!(&sent[..], [Command::ScheduleActivity(a)] if a.seq == 2));
        let sent = commands(2, resolved(2));
        assert!(matches!(sent[..], [Command::CompleteWorkflowExecution(_)]));
    }

    #[test]
    fn an_eviction_gets_an_empty_completion() {
        assert!(commands(1, Job::RemoveFromCache(Default::default())).is_empty());
    }
}
