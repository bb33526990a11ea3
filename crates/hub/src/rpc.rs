//! Raw calls through a native connection: bytes in, bytes out.
//!
//! Calls go through the core's connection, which repeats what may be repeated, holds payloads against its limits, and
//! hands the first task of an eager start to a worker; its bare services do none of that.
//!
//! The cloud service is left out: workers have no use for it, and its messages make the addon a good deal larger.

use crate::connection::{Connection, millis};
use crate::error::{HubError, MetadataValue, RpcFailure, decode};
use crate::proto::RpcCall;
use futures_util::future::BoxFuture;
use prost::Message;
use std::time::Instant;
use temporalio_client::RetryOptions;
use temporalio_client::grpc::{HealthService, OperatorService, TestService, WorkflowService};
use temporalio_client::request_extensions::RetryConfigForCall;
use temporalio_client::tonic::metadata::{
    AsciiMetadataKey, BinaryMetadataKey, BinaryMetadataValue, KeyAndValueRef, MetadataMap,
};
use temporalio_client::tonic::{Code, Request, Response, Status};

/// Makes one call. `bytes`: an encoded perdure.core.v1.RpcCall. Returns the encoded response.
pub async fn call(connection: &Connection, bytes: &[u8]) -> Result<Vec<u8>, HubError> {
    let call: RpcCall = decode(bytes, "RpcCall")?;
    let core = connection.get().await?;
    let method = snake_case(&call.method);
    macro_rules! methods {
        ($client:expr; $($name:ident),* $(,)?) => {
            match method.as_str() {
                $(stringify!($name) => {
                    let mut client = $client;
                    typed(&call, |request| client.$name(request)).await
                })*
                _ => Err(HubError::RpcUnknown {
                    service: call.service.clone(),
                    method: call.method.clone(),
                }),
            }
        };
    }
    match call.service.as_str() {
        "workflow" => methods!(core.clone();
            register_namespace, describe_namespace, list_namespaces, update_namespace,
            deprecate_namespace, start_workflow_execution, get_workflow_execution_history,
            get_workflow_execution_history_reverse, poll_workflow_task_queue,
            respond_workflow_task_completed, respond_workflow_task_failed, poll_activity_task_queue,
            record_activity_task_heartbeat, record_activity_task_heartbeat_by_id,
            respond_activity_task_completed, respond_activity_task_completed_by_id,
            respond_activity_task_failed, respond_activity_task_failed_by_id,
            respond_activity_task_canceled, respond_activity_task_canceled_by_id,
            request_cancel_workflow_execution, signal_workflow_execution,
            signal_with_start_workflow_execution, reset_workflow_execution,
            terminate_workflow_execution, delete_workflow_execution, list_open_workflow_executions,
            list_closed_workflow_executions, list_workflow_executions,
            list_archived_workflow_executions, scan_workflow_executions, count_workflow_executions,
            create_workflow_rule, describe_workflow_rule, delete_workflow_rule, list_workflow_rules,
            trigger_workflow_rule, get_search_attributes, respond_query_task_completed,
            reset_sticky_task_queue, query_workflow, describe_workflow_execution, describe_task_queue,
            get_cluster_info, get_system_info, list_task_queue_partitions, create_schedule,
            describe_schedule, update_schedule, patch_schedule, list_schedule_matching_times,
            delete_schedule, list_schedules, count_schedules, update_worker_build_id_compatibility,
            get_worker_build_id_compatibility, get_worker_task_reachability, update_workflow_execution,
            poll_workflow_execution_update, start_batch_operation, stop_batch_operation,
            describe_batch_operation, describe_deployment, list_batch_operations, list_deployments,
            execute_multi_operation, get_current_deployment, get_deployment_reachability,
            get_worker_versioning_rules, update_worker_versioning_rules, poll_nexus_task_queue,
            respond_nexus_task_completed, respond_nexus_task_failed, set_current_deployment,
            shutdown_worker, update_activity_options, pause_activity, unpause_activity,
            update_workflow_execution_options, reset_activity, delete_worker_deployment,
            delete_worker_deployment_version, describe_worker_deployment,
            describe_worker_deployment_version, list_worker_deployments,
            set_worker_deployment_current_version, set_worker_deployment_ramping_version,
            update_worker_deployment_version_metadata, list_workers, count_workers,
            record_worker_heartbeat, update_task_queue_config, fetch_worker_config,
            update_worker_config, describe_worker, set_worker_deployment_manager,
            pause_workflow_execution, unpause_workflow_execution, start_activity_execution,
            describe_activity_execution, poll_activity_execution, list_activity_executions,
            count_activity_executions, request_cancel_activity_execution, terminate_activity_execution,
            delete_activity_execution, pause_activity_execution, unpause_activity_execution,
            reset_activity_execution, update_activity_execution_options,
            count_nexus_operation_executions, create_worker_deployment,
            create_worker_deployment_version, delete_nexus_operation_execution,
            describe_nexus_operation_execution, list_nexus_operation_executions,
            poll_nexus_operation_execution, poll_workflow_execution_time_skipping,
            request_cancel_nexus_operation_execution, start_nexus_operation_execution,
            terminate_nexus_operation_execution, update_worker_deployment_version_compute_config,
            validate_worker_deployment_version_compute_config,
        ),
        "operator" => methods!(core.clone();
            add_search_attributes, remove_search_attributes, list_search_attributes, delete_namespace,
            add_or_update_remote_cluster, remove_remote_cluster, list_clusters, get_nexus_endpoint,
            create_nexus_endpoint, update_nexus_endpoint, delete_nexus_endpoint, list_nexus_endpoints,
        ),
        "test" => methods!(core.clone();
            lock_time_skipping, unlock_time_skipping, sleep, sleep_until,
            unlock_time_skipping_with_sleep, get_current_time,
        ),
        "health" => methods!(core.clone(); check),
        _ => Err(HubError::RpcUnknown {
            service: call.service.clone(),
            method: call.method.clone(),
        }),
    }
}

async fn typed<'a, Req, Resp>(
    call: &RpcCall,
    send: impl FnOnce(Request<Req>) -> BoxFuture<'a, Result<Response<Resp>, Status>>,
) -> Result<Vec<u8>, HubError>
where
    Req: Message + Default,
    Resp: Message,
{
    let mut request = Request::new(decode::<Req>(&call.request[..], "the request")?);
    add_metadata(call, request.metadata_mut())?;
    if let Some(timeout) = millis(call.timeout_ms) {
        request.set_timeout(timeout);
    }
    if !call.retry {
        let never = RetryConfigForCall(RetryOptions::no_retries());
        request.extensions_mut().insert(never);
    }
    let begun = Instant::now();
    match send(request).await {
        // The client ends a call whose time is over by itself, and names that a cancellation.
        Err(status)
            if status.code() == Code::Cancelled
                && millis(call.timeout_ms).is_some_and(|limit| begun.elapsed() >= limit) =>
        {
            Err(failure(&Status::deadline_exceeded(status.message())))
        }
        Ok(response) => Ok(response.get_ref().encode_to_vec()),
        Err(status) => Err(failure(&status)),
    }
}

fn add_metadata(call: &RpcCall, metadata: &mut MetadataMap) -> Result<(), HubError> {
    let invalid = |key: &str| HubError::OptionsInvalid {
        what: format!("\"{key}\" is not gRPC metadata, or its value is not"),
    };
    for (key, value) in &call.headers {
        let name: AsciiMetadataKey = key.parse().map_err(|_| invalid(key))?;
        metadata.insert(name, value.parse().map_err(|_| invalid(key))?);
    }
    for (key, value) in &call.binary_headers {
        let name: BinaryMetadataKey = key.parse().map_err(|_| invalid(key))?;
        metadata.insert_bin(name, BinaryMetadataValue::from_bytes(value));
    }
    Ok(())
}

fn failure(status: &Status) -> HubError {
    let metadata = status
        .metadata()
        .iter()
        .filter_map(|entry| match entry {
            KeyAndValueRef::Ascii(key, value) => Some((
                key.to_string(),
                MetadataValue::Text(value.to_str().ok()?.to_owned()),
            )),
            KeyAndValueRef::Binary(key, value) => Some((
                key.to_string(),
                MetadataValue::Binary(value.to_bytes().ok()?.to_vec()),
            )),
        })
        .collect();
    HubError::RpcFailed(Box::new(RpcFailure {
        grpc_code: status.code() as i32,
        message: status.message().to_owned(),
        details: status.details().to_vec(),
        metadata,
    }))
}

fn snake_case(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 8);
    for (index, letter) in name.char_indices() {
        if letter.is_ascii_uppercase() && index > 0 {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}
