//! A worker on a real server.
//!
//! L1  Prints `ready` once it polls; afterwards answers every line on standard input with one line of JSON that
//!     says what the process has used so far.
//! L2  Ends when standard input ends.

use std::str::FromStr;
use std::sync::Arc;

use temporalio_client::{Connection, ConnectionOptions, GrpcCompression, Url};
use temporalio_common::protos::coresdk::ActivityTaskCompletion;
use temporalio_common::protos::coresdk::activity_result::ActivityExecutionResult;
use temporalio_common::worker::WorkerTaskTypes;
use temporalio_sdk_core::{
    CoreRuntime, PollError, RuntimeOptions, Worker, WorkerConfig, WorkerVersioningStrategy,
    init_worker,
};

use crate::usage::{cpu_ms, rss_bytes};
use crate::workflow::{Plan, nothing};
use crate::{Arguments, Result};

/// `live --address HOST:PORT --task-queue NAME --activities N`
pub async fn live(arguments: &Arguments) -> Result<()> {
    let plan = Plan {
        activities: arguments.number("activities")?,
        task_queue: arguments.text("task-queue")?.to_owned(),
    };
    let runtime = CoreRuntime::new_assume_tokio(RuntimeOptions::default())?;
    let url = Url::from_str(&format!("http://{}", arguments.text("address")?))?;
    let mut options = ConnectionOptions::new(url)
        .identity("floor".to_owned())
        .build();
    options.grpc_compression = GrpcCompression::None; // as Perdure does for loopback addresses
    let connection = Connection::connect(options).await?;
    let config = WorkerConfig::builder()
        .namespace("default")
        .task_queue(plan.task_queue.clone())
        .task_types(WorkerTaskTypes::all())
        .max_cached_workflows(2000usize)
        .max_outstanding_workflow_tasks(40usize)
        .max_outstanding_activities(100usize)
        .max_outstanding_local_activities(100usize)
        .max_outstanding_nexus_tasks(100usize)
        .versioning_strategy(WorkerVersioningStrategy::None {
            build_id: "floor".into(),
        })
        .build()?;
    let worker = Arc::new(init_worker(&runtime, config, connection)?);
    tokio::spawn(workflows(worker.clone(), plan));
    tokio::spawn(activities(worker));
    println!("ready"); // L1
    tokio::task::spawn_blocking(report).await??;
    std::process::exit(0) // L2: nothing waits for outstanding polls
}

async fn workflows(worker: Arc<Worker>, plan: Plan) {
    while let Some(activation) = unless_over(worker.poll_workflow_activation().await) {
        if let Err(error) = worker
            .complete_workflow_activation(plan.answer(activation))
            .await
        {
            eprintln!("floor: {error}");
            std::process::exit(1);
        }
    }
}

async fn activities(worker: Arc<Worker>) {
    while let Some(task) = unless_over(worker.poll_activity_task().await) {
        let completion = ActivityTaskCompletion {
            task_token: task.task_token,
            result: Some(ActivityExecutionResult::ok(nothing())),
        };
        if let Err(error) = worker.complete_activity_task(completion).await {
            eprintln!("floor: {error}");
            std::process::exit(1);
        }
    }
}

fn unless_over<T>(polled: std::result::Result<T, PollError>) -> Option<T> {
    match polled {
        Ok(task) => Some(task),
        Err(PollError::ShutDown) => None,
        Err(error) => {
            eprintln!("floor: {error}");
            std::process::exit(1);
        }
    }
}

fn report() -> std::io::Result<()> {
    for line in std::io::stdin().lines() {
        line?;
        println!(r#"{{"cpuMs":{:.3},"rssBytes":{}}}"#, cpu_ms(), rss_bytes());
    }
    Ok(())
}
