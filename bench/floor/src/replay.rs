//! Replays one recorded history many times.

use std::time::Instant;

use futures_util::stream;
use prost::Message;
use temporalio_common::protos::temporal::api::history::v1::{History, history_event::Attributes};
use temporalio_common::worker::WorkerTaskTypes;
use temporalio_sdk_core::replay::{HistoryForReplay, ReplayWorkerInput};
use temporalio_sdk_core::{PollError, WorkerConfig, WorkerVersioningStrategy, init_replay_worker};

use crate::usage::cpu_ms;
use crate::workflow::Plan;
use crate::{Arguments, Result};

/// `replay --history FILE --activities N --count N --warmup N`: prints one line of JSON.
pub async fn replay(arguments: &Arguments) -> Result<()> {
    let history = History::decode(&std::fs::read(arguments.text("history")?)?[..])?;
    let plan = Plan {
        activities: arguments.number("activities")?,
        task_queue: "floor".into(),
    };
    run(&history, &plan, arguments.number("warmup")?).await?;
    let count = arguments.number("count")?;
    let (begin, cpu_before) = (Instant::now(), cpu_ms());
    run(&history, &plan, count).await?;
    println!(
        r#"{{"count":{count},"events":{},"wallMs":{:.3},"cpuMs":{:.3}}}"#,
        history.events.len(),
        begin.elapsed().as_secs_f64() * 1e3,
        cpu_ms() - cpu_before,
    );
    Ok(())
}

async fn run(history: &History, plan: &Plan, count: u32) -> Result<()> {
    let template = history.clone();
    let copies = stream::iter((0..count).map(move |index| copy(&template, index)));
    let config = WorkerConfig::builder()
        .namespace("default")
        .task_queue(plan.task_queue.clone())
        .task_types(WorkerTaskTypes::workflow_only())
        .max_outstanding_workflow_tasks(2usize)
        .versioning_strategy(WorkerVersioningStrategy::None {
            build_id: "floor".into(),
        })
        .build()?;
    let worker = init_replay_worker(ReplayWorkerInput::new(config, copies))?;
    loop {
        match worker.poll_workflow_activation().await {
            Ok(activation) => {
                worker
                    .complete_workflow_activation(plan.answer(activation))
                    .await?
            }
            Err(PollError::ShutDown) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

/// The core knows runs by their run id and would merge histories that share one.
fn copy(history: &History, index: u32) -> HistoryForReplay {
    let mut history = history.clone();
    if let Some(Attributes::WorkflowExecutionStartedEventAttributes(started)) = history
        .events
        .first_mut()
        .and_then(|event| event.attributes.as_mut())
    {
        started.original_execution_run_id = format!("floor-{index}");
    }
    HistoryForReplay::new(history, format!("floor-{index}"))
}
