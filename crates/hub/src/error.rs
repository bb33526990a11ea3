//! Everything that can go wrong at the native boundary, each with a code that never changes.
//!
//! E1  A code is never renamed and never used for something else; `docs/errors/` has a page per code.

use std::fmt;

/// An error of the hub. `Display` is the text users read.
#[derive(Debug)]
pub enum HubError {
    /// Bytes from TypeScript that are not the message they should be.
    Malformed {
        message: &'static str,
        cause: String,
    },
    /// An option that the core or the hub cannot accept.
    OptionsInvalid { what: String },
    /// No connection to the server, or none of its answers.
    ConnectFailed { target: String, cause: String },
    /// A gRPC call that the server refused or that did not reach it.
    RpcFailed(Box<RpcFailure>),
    /// A service or method that the native connection does not have.
    RpcUnknown { service: String, method: String },
    /// The core refused to make the worker.
    WorkerInvalid { cause: String },
    /// The server does not know the namespace, or does not let this client use it.
    NamespaceUnusable { namespace: String, cause: String },
    /// The worker has been finalized, or its kind of task is not enabled.
    WorkerClosed { what: &'static str },
    /// The worker was started twice.
    WorkerStarted,
    /// A completion that the core does not accept.
    CompletionRejected { cause: String },
    /// A history that cannot be replayed.
    HistoryInvalid { workflow_id: String, cause: String },
    /// The worker is not a replay worker, or its feed has ended.
    ReplayEnded,
    /// Logging or metrics could not be set up.
    TelemetryFailed { cause: String },
    /// The runtime has been closed.
    RuntimeClosed,
    /// A lane of this number is open already.
    LaneTaken { lane: u32 },
    /// A bug in the addon: Rust code panicked.
    Panicked { message: String },
}

/// What a failed gRPC call brought back.
#[derive(Debug)]
pub struct RpcFailure {
    /// Numeric gRPC status code.
    pub grpc_code: i32,
    pub message: String,
    /// An encoded google.rpc.Status, may be empty.
    pub details: Vec<u8>,
    pub metadata: Vec<(String, MetadataValue)>,
}

/// A value of gRPC metadata.
#[derive(Debug)]
pub enum MetadataValue {
    Text(String),
    Binary(Vec<u8>),
}

impl HubError {
    /// The stable code (E1).
    pub fn code(&self) -> &'static str {
        match self {
            Self::Malformed { .. } => "CORE_MESSAGE_MALFORMED",
            Self::OptionsInvalid { .. } => "CORE_OPTIONS_INVALID",
            Self::ConnectFailed { .. } => "CORE_CONNECT_FAILED",
            Self::RpcFailed(_) => "CORE_RPC_FAILED",
            Self::RpcUnknown { .. } => "CORE_RPC_UNKNOWN",
            Self::WorkerInvalid { .. } => "CORE_WORKER_INVALID",
            Self::NamespaceUnusable { .. } => "CORE_NAMESPACE_UNUSABLE",
            Self::WorkerClosed { .. } => "CORE_WORKER_CLOSED",
            Self::WorkerStarted => "CORE_WORKER_STARTED",
            Self::CompletionRejected { .. } => "CORE_COMPLETION_REJECTED",
            Self::HistoryInvalid { .. } => "CORE_HISTORY_INVALID",
            Self::ReplayEnded => "CORE_REPLAY_ENDED",
            Self::TelemetryFailed { .. } => "CORE_TELEMETRY_FAILED",
            Self::RuntimeClosed => "CORE_RUNTIME_CLOSED",
            Self::LaneTaken { .. } => "CORE_LANE_TAKEN",
            Self::Panicked { .. } => "CORE_PANICKED",
        }
    }
}

impl fmt::Display for HubError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed { message, cause } => {
                write!(f, "bytes given as {message} cannot be decoded: {cause}")
            }
            Self::OptionsInvalid { what } => f.write_str(what),
            Self::ConnectFailed { target, cause } => {
                write!(f, "no connection to {target}: {cause}")
            }
            Self::RpcFailed(failure) => f.write_str(&failure.message),
            Self::RpcUnknown { service, method } => {
                write!(f, "the native connection has no method {service}/{method}")
            }
            Self::WorkerInvalid { cause } => write!(f, "the worker cannot be made: {cause}"),
            Self::NamespaceUnusable { namespace, cause } => {
                write!(f, "namespace \"{namespace}\" cannot be used: {cause}")
            }
            Self::WorkerClosed { what } => write!(f, "{what}: the worker is closed"),
            Self::WorkerStarted => f.write_str("the worker has been started already"),
            Self::CompletionRejected { cause } => {
                write!(f, "the completion was not accepted: {cause}")
            }
            Self::HistoryInvalid { workflow_id, cause } => {
                write!(
                    f,
                    "the history of workflow \"{workflow_id}\" cannot be replayed: {cause}"
                )
            }
            Self::ReplayEnded => f.write_str("no more histories can be fed to this worker"),
            Self::TelemetryFailed { cause } => write!(f, "telemetry cannot be set up: {cause}"),
            Self::RuntimeClosed => f.write_str("the runtime has been closed"),
            Self::LaneTaken { lane } => write!(f, "lane {lane} is open already"),
            Self::Panicked { message } => write!(f, "the addon panicked: {message}"),
        }
    }
}

impl std::error::Error for HubError {}

/// Decodes a message that TypeScript sent.
pub(crate) fn decode<M: prost::Message + Default>(
    bytes: impl prost::bytes::Buf,
    message: &'static str,
) -> Result<M, HubError> {
    M::decode(bytes).map_err(|cause| HubError::Malformed {
        message,
        cause: cause.to_string(),
    })
}

/// The whole chain of causes in one line, without what repeats.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let part = cause.to_string();
        if !text.contains(&part) {
            text.push_str(": ");
            text.push_str(&part);
        }
        next = cause.source();
    }
    text
}
