//! The core's runtime: tokio threads and telemetry, shared by connections and workers.
//!
//! V1  Dropping a runtime on a JavaScript thread never blocks it: the core's part is ended on a thread of its own,
//!     or left alone while the process exits.

use crate::error::{HubError, decode};
use crate::metrics::{CustomMetrics, MetricsBuffer};
use crate::outbox::Outbox;
use crate::proto;
use crate::telemetry::{self, LogForwarder, MetricsSink};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use temporalio_common::telemetry::metrics::TemporalMeter;
use temporalio_common::telemetry::remove_trace_subscriber_for_current_thread;
use temporalio_sdk_core::{CoreRuntime, RuntimeOptions, TokioRuntimeBuilder};
use tokio::runtime::{EnterGuard, Handle};
use tracing::Dispatch;
use tracing::dispatcher::set_default;
use tracing::subscriber::DefaultGuard;

/// More than any machine has use for; far more would end the process.
const MAX_IO_THREADS: u32 = 1024;

pub struct Runtime {
    core: Mutex<Option<CoreRuntime>>,
    tokio: Handle,
    logs: Arc<LogForwarder>,
    subscriber: Option<Dispatch>,
    custom_metrics: CustomMetrics,
    metrics_buffer: Option<MetricsBuffer>,
}

/// While it lives, this thread belongs to the runtime: the core may spawn, and what it logs is taken up.
pub(crate) struct Inside<'a> {
    _tokio: EnterGuard<'a>,
    _subscriber: Option<DefaultGuard>,
}

impl Runtime {
    /// `telemetry` is woken when log records are pending; its thread then calls [`Runtime::take_telemetry`].
    /// `bytes`: an encoded perdure.core.v1.RuntimeOptions.
    pub fn open(bytes: &[u8], telemetry: Arc<Outbox>) -> Result<Self, HubError> {
        let options: &proto::RuntimeOptions = &decode(bytes, "RuntimeOptions")?;
        let failed = |cause: String| HubError::TelemetryFailed { cause };
        if options.io_threads > MAX_IO_THREADS {
            return Err(HubError::OptionsInvalid {
                what: format!(
                    "ioThreads is {}, and takes at most {MAX_IO_THREADS}",
                    options.io_threads
                ),
            });
        }
        let logs = LogForwarder::new(telemetry);
        let heartbeat = Some(options.worker_heartbeat_interval_ms)
            .filter(|ms| *ms > 0)
            .map(Duration::from_millis);
        let core_options = RuntimeOptions::builder()
            .telemetry_options(telemetry::options(options, &logs)?)
            .heartbeat_interval(heartbeat)
            .build()
            .map_err(|cause| HubError::OptionsInvalid { what: cause })?;
        let mut builder = TokioRuntimeBuilder::<fn()> {
            inner: tokio::runtime::Builder::new_multi_thread(),
            lang_on_thread_start: None,
        };
        builder.inner.thread_name("perdure-io");
        if options.io_threads > 0 {
            builder.inner.worker_threads(options.io_threads as usize);
        }
        let mut core = CoreRuntime::new(core_options, builder)
            .map_err(|cause| failed(format!("{cause:#}")))?;
        // The core has made itself this thread's log subscriber: this is JavaScript's thread, which logs otherwise.
        remove_trace_subscriber_for_current_thread();
        let tokio = core.tokio_handle();
        let subscriber = core.telemetry().trace_subscriber().map(Dispatch::new);
        logs.attach(tokio.clone());
        let sink = {
            let _inside = tokio.enter();
            let _subscriber = subscriber.as_ref().map(set_default); // exporters tell of their failures
            telemetry::metrics_sink(options.metrics.as_ref())?
        };
        let mut metrics_buffer = None;
        match sink {
            MetricsSink::Off => {}
            MetricsSink::Exporter(meter) => core.telemetry_mut().attach_late_init_metrics(meter),
            MetricsSink::Buffer(buffer) => {
                core.telemetry_mut()
                    .attach_late_init_metrics(buffer.meter());
                metrics_buffer = Some(buffer);
            }
        }
        let custom_metrics = CustomMetrics::new(core.telemetry().get_metric_meter());
        Ok(Self {
            core: Mutex::new(Some(core)),
            tokio,
            logs,
            subscriber,
            custom_metrics,
            metrics_buffer,
        })
    }

    /// The number of a metric, by which updates name it; the same for equal definitions.
    /// `bytes`: an encoded perdure.core.v1.MetricDefinition.
    pub fn define_metric(&self, bytes: &[u8]) -> Result<u32, HubError> {
        let _inside = self.enter();
        self.custom_metrics.define(bytes)
    }

    /// Records into the exporter; nowhere if metrics are off. `bytes`: an encoded perdure.core.v1.MetricUpdates.
    pub fn record_metrics(&self, bytes: &[u8]) -> Result<(), HubError> {
        let _inside = self.enter();
        self.custom_metrics.record(bytes)
    }

    /// An encoded BufferedMetrics with everything since the last call; empty unless metrics are buffered.
    pub fn fetch_metrics(&self) -> Vec<u8> {
        self.metrics_buffer
            .as_ref()
            .map(MetricsBuffer::fetch)
            .unwrap_or_default()
    }

    /// An encoded TelemetryBatch with everything pending.
    pub fn take_telemetry(&self) -> Vec<u8> {
        self.logs.take()
    }

    pub fn tokio(&self) -> &Handle {
        &self.tokio
    }

    /// Where the core's log lines go, for futures that run on threads of others.
    pub(crate) fn log(&self) -> Dispatch {
        self.subscriber.clone().unwrap_or_else(Dispatch::none)
    }

    pub(crate) fn enter(&self) -> Inside<'_> {
        Inside {
            _tokio: self.tokio.enter(),
            _subscriber: self.subscriber.as_ref().map(set_default),
        }
    }

    /// Ends the runtime's threads. Idempotent.
    pub fn close(&self) {
        let core = self.lock().take();
        let meter = self.custom_metrics.close();
        if let Some(core) = core {
            // V1: waits for tokio's threads, so not here.
            let _ = std::thread::Builder::new()
                .name("perdure-runtime-close".into())
                .spawn(move || drop((meter, core)));
        }
    }

    pub(crate) fn meter(&self) -> Option<TemporalMeter> {
        self.lock()
            .as_ref()
            .and_then(|core| core.telemetry().get_temporal_metric_meter())
    }

    pub(crate) fn with_core<T>(
        &self,
        use_it: impl FnOnce(&CoreRuntime) -> Result<T, HubError>,
    ) -> Result<T, HubError> {
        use_it(self.lock().as_ref().ok_or(HubError::RuntimeClosed)?)
    }

    fn lock(&self) -> MutexGuard<'_, Option<CoreRuntime>> {
        self.core.lock().expect("no panic holds this lock")
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        // V1: the last handle went away without a close, most likely because the process exits.
        std::mem::forget(self.lock().take());
    }
}
