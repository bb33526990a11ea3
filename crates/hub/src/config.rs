//! WorkerOptions as the core takes them.

use crate::connection::millis;
use crate::error::HubError;
use crate::proto::{self, poller_behavior, slot_supplier, versioning};
use crate::slots::{CustomSlots, SlotDesk};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;
use temporalio_common::protos::temporal::api::worker::v1::PluginInfo;
use temporalio_common::worker::{
    VersioningBehavior, WorkerDeploymentOptions, WorkerDeploymentVersion, WorkerTaskTypes,
};
use temporalio_sdk_core::{
    PollerBehavior, ResourceBasedSlotsOptions, ResourceBasedTunerConfig, ResourceController,
    ResourceSlotOptions, SlotKind, SlotSupplierOptions, TunerHolder, TunerHolderOptions,
    WorkerConfig, WorkerVersioningStrategy, WorkflowErrorType,
};

const EVERY_TYPE: &str = "*";
/// Room for all of them is made at once: far more would end the process.
const MAX_CACHED_WORKFLOWS: u32 = 10_000_000;
/// Each takes a thread.
const MAX_REPLAY_CONCURRENCY: u32 = 1024;

/// `desk`: where custom slot suppliers ask.
pub(crate) fn worker_config(
    options: &proto::WorkerOptions,
    desk: &Arc<SlotDesk>,
) -> Result<WorkerConfig, HubError> {
    at_most(
        "maxCachedWorkflows",
        options.max_cached_workflows,
        MAX_CACHED_WORKFLOWS,
    )?;
    at_most(
        "replayConcurrency",
        options.replay_concurrency,
        MAX_REPLAY_CONCURRENCY,
    )?;
    let (every, by_type) = failure_errors(&options.workflow_failure_errors)?;
    WorkerConfig::builder()
        .namespace(options.namespace.clone())
        .task_queue(options.task_queue.clone())
        .maybe_client_identity_override(
            Some(options.identity.clone()).filter(|identity| !identity.is_empty()),
        )
        .max_cached_workflows(options.max_cached_workflows as usize)
        .tuner(Arc::new(tuner(options.slots.as_ref(), desk)?))
        .maybe_workflow_task_poller_behavior(pollers(options.workflow_pollers.as_ref()))
        .maybe_activity_task_poller_behavior(pollers(options.activity_pollers.as_ref()))
        .maybe_nexus_task_poller_behavior(pollers(options.nexus_pollers.as_ref()))
        .nonsticky_to_sticky_poll_ratio(options.nonsticky_to_sticky_poll_ratio)
        .task_types(WorkerTaskTypes {
            enable_workflows: options.workflows,
            enable_local_activities: options.local_activities,
            enable_remote_activities: options.remote_activities,
            enable_nexus: options.nexus,
        })
        .sticky_queue_schedule_to_start_timeout(Duration::from_millis(
            options.sticky_queue_schedule_to_start_timeout_ms,
        ))
        .max_heartbeat_throttle_interval(Duration::from_millis(
            options.max_heartbeat_throttle_interval_ms,
        ))
        .default_heartbeat_throttle_interval(Duration::from_millis(
            options.default_heartbeat_throttle_interval_ms,
        ))
        .maybe_max_task_queue_activities_per_second(positive(
            options.max_task_queue_activities_per_second,
        ))
        .maybe_max_worker_activities_per_second(positive(options.max_worker_activities_per_second))
        .max_eager_activity_reservations_per_workflow_task(
            options.max_eager_activity_reservations_per_workflow_task as usize,
        )
        .maybe_graceful_shutdown_period(options.graceful_shutdown_ms.map(Duration::from_millis))
        .versioning_strategy(versioning_strategy(options.versioning.as_ref())?)
        .workflow_failure_errors(every)
        .workflow_types_to_failure_errors(by_type)
        .disable_payload_error_limit(options.disable_payload_error_limit)
        .plugins(plugins(&options.plugins))
        .build()
        .map_err(|what| HubError::OptionsInvalid { what })
}

fn at_most(name: &str, value: u32, limit: u32) -> Result<(), HubError> {
    if value <= limit {
        return Ok(());
    }
    Err(HubError::OptionsInvalid {
        what: format!("{name} is {value}, and takes at most {limit}"),
    })
}

fn positive(value: f64) -> Option<f64> {
    Some(value).filter(|value| *value > 0.0)
}

fn plugins(names: &[String]) -> HashSet<PluginInfo> {
    names
        .iter()
        .map(|name| PluginInfo {
            name: name.clone(),
            version: String::new(),
        })
        .collect()
}

fn pollers(behavior: Option<&proto::PollerBehavior>) -> Option<PollerBehavior> {
    match behavior?.kind.as_ref()? {
        poller_behavior::Kind::Fixed(count) => Some(PollerBehavior::SimpleMaximum(*count as usize)),
        poller_behavior::Kind::Autoscaling(scale) => Some(PollerBehavior::Autoscaling {
            minimum: scale.minimum as usize,
            maximum: scale.maximum as usize,
            initial: scale.initial as usize,
        }),
    }
}

type FailureErrors = (
    HashSet<WorkflowErrorType>,
    HashMap<String, HashSet<WorkflowErrorType>>,
);

fn failure_errors(
    given: &HashMap<String, proto::FailureErrorTypes>,
) -> Result<FailureErrors, HubError> {
    let mut every = HashSet::new();
    let mut by_type = HashMap::new();
    for (workflow_type, names) in given {
        let mut types = HashSet::new();
        for name in &names.types {
            match name.as_str() {
                "NondeterminismError" => types.insert(WorkflowErrorType::Nondeterminism),
                other => {
                    return Err(HubError::OptionsInvalid {
                        what: format!(
                            "workflowFailureErrors takes \"NondeterminismError\", not \"{other}\""
                        ),
                    });
                }
            };
        }
        if workflow_type == EVERY_TYPE {
            every = types;
        } else {
            by_type.insert(workflow_type.clone(), types);
        }
    }
    Ok((every, by_type))
}

fn versioning_strategy(
    given: Option<&proto::Versioning>,
) -> Result<WorkerVersioningStrategy, HubError> {
    match given.and_then(|versioning| versioning.strategy.as_ref()) {
        None => Ok(WorkerVersioningStrategy::default()),
        Some(versioning::Strategy::BuildId(build_id)) => Ok(WorkerVersioningStrategy::None {
            build_id: build_id.clone(),
        }),
        Some(versioning::Strategy::LegacyBuildId(build_id)) => {
            Ok(WorkerVersioningStrategy::LegacyBuildIdBased {
                build_id: build_id.clone(),
            })
        }
        Some(versioning::Strategy::Deployment(deployment)) => {
            let behavior = match deployment.default_behavior.as_str() {
                "" => None,
                "PINNED" => Some(VersioningBehavior::Pinned),
                "AUTO_UPGRADE" => Some(VersioningBehavior::AutoUpgrade),
                other => {
                    return Err(HubError::OptionsInvalid {
                        what: format!(
                            "the default versioning behavior is \"PINNED\" or \"AUTO_UPGRADE\", not \"{other}\""
                        ),
                    });
                }
            };
            Ok(WorkerVersioningStrategy::WorkerDeploymentBased(
                WorkerDeploymentOptions::new(
                    WorkerDeploymentVersion::builder()
                        .deployment_name(deployment.deployment_name.clone())
                        .build_id(deployment.build_id.clone())
                        .build(),
                )
                .use_worker_versioning(deployment.use_versioning)
                .maybe_default_versioning_behavior(behavior)
                .build(),
            ))
        }
    }
}

fn tuner(
    slots: Option<&proto::SlotSuppliers>,
    desk: &Arc<SlotDesk>,
) -> Result<TunerHolder, HubError> {
    let Some(slots) = slots else {
        return Err(HubError::OptionsInvalid {
            what: "slots are missing".into(),
        });
    };
    TunerHolderOptions::builder()
        .maybe_workflow_slot_options(supplier(slots.workflow.as_ref(), desk))
        .maybe_activity_slot_options(supplier(slots.activity.as_ref(), desk))
        .maybe_local_activity_slot_options(supplier(slots.local_activity.as_ref(), desk))
        .maybe_nexus_slot_options(supplier(slots.nexus.as_ref(), desk))
        .maybe_resource_based_config(uses_resources(slots).then(|| resources(slots)))
        .build_tuner_holder()
        .map_err(|cause| HubError::OptionsInvalid {
            what: format!("{cause:#}"),
        })
}

/// Controllers that workers share, for as long as one of them lives.
static CONTROLLERS: Mutex<Vec<(u32, Weak<ResourceController>)>> = Mutex::new(Vec::new());

fn resources(slots: &proto::SlotSuppliers) -> ResourceBasedTunerConfig {
    let targets = || {
        ResourceBasedSlotsOptions::builder()
            .target_mem_usage(slots.target_memory)
            .target_cpu_usage(slots.target_cpu)
            .build()
    };
    if slots.controller == 0 {
        return ResourceBasedTunerConfig::Options(targets());
    }
    let mut shared = CONTROLLERS.lock().expect("no panic holds this lock");
    shared.retain(|(_, controller)| controller.strong_count() > 0);
    let known = shared
        .iter()
        .find(|(number, _)| *number == slots.controller)
        .and_then(|(_, controller)| controller.upgrade());
    ResourceBasedTunerConfig::Controller(known.unwrap_or_else(|| {
        let controller = Arc::new(ResourceController::new(targets()));
        shared.push((slots.controller, Arc::downgrade(&controller)));
        controller
    }))
}

fn uses_resources(slots: &proto::SlotSuppliers) -> bool {
    [
        &slots.workflow,
        &slots.activity,
        &slots.local_activity,
        &slots.nexus,
    ]
    .into_iter()
    .flatten()
    .any(|slots| matches!(slots.kind, Some(slot_supplier::Kind::ResourceBased(_))))
}

fn supplier<K: SlotKind + 'static>(
    given: Option<&proto::SlotSupplier>,
    desk: &Arc<SlotDesk>,
) -> Option<SlotSupplierOptions<K>> {
    match given?.kind.as_ref()? {
        slot_supplier::Kind::Custom(_) => Some(SlotSupplierOptions::Custom(Arc::new(
            CustomSlots::new(desk),
        ))),
        slot_supplier::Kind::Fixed(slots) => Some(SlotSupplierOptions::FixedSize {
            slots: *slots as usize,
        }),
        slot_supplier::Kind::ResourceBased(based) => Some(SlotSupplierOptions::ResourceBased(
            ResourceSlotOptions::new(
                based.minimum as usize,
                based.maximum as usize,
                millis(based.ramp_throttle_ms).unwrap_or(Duration::ZERO),
            ),
        )),
    }
}
