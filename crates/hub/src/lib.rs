//! Everything native of Perdure that is not Node.js.
//!
//! In: options, completions and histories as bytes of perdure.core.v1. Out: batches of bytes in outboxes, one per
//! JavaScript thread. Start at `worker.rs` for the way of a task, at `routing` for who runs what.

mod codec;
mod config;
mod connection;
mod error;
mod hub;
mod in_place;
mod keep;
mod metrics;
mod outbox;
mod payload_limits;
pub mod proto;
mod replay;
pub mod routing;
mod rpc;
mod runtime;
mod slots;
mod telemetry;
mod worker;

pub use connection::Connection;
pub use error::{HubError, MetadataValue, RpcFailure};
pub use hub::Hub;
pub use outbox::Outbox;
pub use rpc::call;
pub use runtime::Runtime;
pub use worker::{Worker, complete_lane};
