//! Logs and metrics of the core: where they go.
//!
//! Owns    the translation of RuntimeOptions into the core's telemetry, and the batching of log records.
//! T1  Logging never blocks and never fails: past `MAX_PENDING` bytes that nobody has fetched, records are counted
//!     and dropped.
//! T2  A forwarded record does not wake the main thread by itself: records gather for `GATHER`.

use crate::error::HubError;
use crate::metrics::MetricsBuffer;
use crate::outbox::{Outbox, element};
use crate::proto::{self, LogRecord, TelemetryBatch, metrics_options::Exporter};
use prost::Message;
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, UNIX_EPOCH};
use temporalio_common::telemetry::{
    CoreLog, CoreLogConsumer, HistogramBucketOverrides, Logger, MetricTemporality,
    OtelCollectorOptions, OtlpProtocol, PrometheusExporterOptions, TelemetryOptions,
    build_otlp_metric_exporter, metrics::CoreMeter, start_prometheus_metric_exporter,
};
use temporalio_sdk_core::Url;
use tokio::runtime::Handle;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::layer::SubscriberExt;

const MAX_PENDING: usize = 4 << 20;
/// Metric events; the core makes room for all of them at once, some 100 bytes each.
const MAX_BUFFERED: u32 = 10_000_000;
const GATHER: Duration = Duration::from_millis(20);

/// Gathers log records for the main thread.
pub(crate) struct LogForwarder {
    outbox: Arc<Outbox>,
    tokio: OnceLock<Handle>,
    pending_bytes: AtomicUsize,
    dropped: AtomicU64,
    scheduled: Arc<AtomicBool>,
}

impl LogForwarder {
    pub(crate) fn new(outbox: Arc<Outbox>) -> Arc<Self> {
        Arc::new(Self {
            outbox,
            tokio: OnceLock::new(),
            pending_bytes: AtomicUsize::new(0),
            dropped: AtomicU64::new(0),
            scheduled: Arc::new(AtomicBool::new(false)),
        })
    }

    /// The runtime exists only after telemetry; until it is attached, records wait.
    pub(crate) fn attach(&self, tokio: Handle) {
        let _ = self.tokio.set(tokio);
        self.schedule();
    }

    /// An encoded TelemetryBatch with everything that has gathered.
    pub(crate) fn take(&self) -> Vec<u8> {
        self.pending_bytes.store(0, Ordering::Relaxed);
        let mut batch = self.outbox.take();
        let dropped = self.dropped.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            let count = TelemetryBatch {
                logs: Vec::new(),
                dropped_logs: dropped,
            };
            batch.extend_from_slice(&count.encode_to_vec());
        }
        batch
    }

    fn schedule(&self) {
        let Some(tokio) = self.tokio.get() else {
            return;
        };
        if self.scheduled.swap(true, Ordering::AcqRel) {
            return;
        }
        let (outbox, scheduled) = (self.outbox.clone(), self.scheduled.clone());
        tokio.spawn(async move {
            tokio::time::sleep(GATHER).await; // T2
            scheduled.store(false, Ordering::Release);
            outbox.wake_if_pending();
        });
    }
}

impl fmt::Debug for LogForwarder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LogForwarder")
    }
}

impl CoreLogConsumer for LogForwarder {
    fn on_log(&self, log: CoreLog) {
        if self.pending_bytes.load(Ordering::Relaxed) > MAX_PENDING {
            self.dropped.fetch_add(1, Ordering::Relaxed); // T1
            return;
        }
        let record = element(&LogRecord {
            level: log.level.to_string(),
            target: log.target,
            message: log.message,
            time_unix_ns: log
                .timestamp
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| since.as_nanos() as u64),
            fields: log
                .fields
                .into_iter()
                .map(|(key, value)| (key, value.to_string()))
                .collect(),
            spans: log.span_contexts,
        });
        self.pending_bytes
            .fetch_add(record.len(), Ordering::Relaxed);
        // Not urgent by itself (T2).
        let _ = self.outbox.append(&record, false);
        self.schedule();
    }
}

/// Everything but the metrics exporter, which needs a running tokio: see [`metrics_sink`].
pub(crate) fn options(
    options: &proto::RuntimeOptions,
    forwarder: &Arc<LogForwarder>,
) -> Result<TelemetryOptions, HubError> {
    let builder = TelemetryOptions::builder();
    let logging = options.logging.clone().unwrap_or_default();
    EnvFilter::try_new(&logging.filter).map_err(|cause| HubError::OptionsInvalid {
        what: format!(
            "logging.filter \"{}\" is not a filter: {cause}",
            logging.filter
        ),
    })?;
    let metrics = options.metrics.as_ref();
    let prefix = metrics.map_or_else(String::new, |metrics| metrics.prefix.clone());
    let attach = metrics.is_none_or(|metrics| metrics.attach_service_name);
    let forward = logging.forward.then(|| Logger::Push {
        filter: logging.filter.clone(),
        consumer: forwarder.clone(),
    });
    let console = (!logging.forward).then(|| console(&logging)).transpose()?;
    Ok(builder
        .maybe_logging(forward)
        .maybe_subscriber_override(console)
        .attach_service_name(attach)
        .metric_prefix(prefix)
        .build())
}

/// The core would write to stdout, which belongs to the user's program.
fn console(
    logging: &proto::LogOptions,
) -> Result<Arc<dyn tracing::Subscriber + Send + Sync>, HubError> {
    let filter = EnvFilter::new(&logging.filter);
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(false);
    let layer = match logging.console_format.as_str() {
        "pretty" => layer.pretty().with_filter(filter).boxed(),
        "json" => layer.json().with_filter(filter).boxed(),
        "compact" | "" => layer.compact().with_filter(filter).boxed(),
        other => {
            return Err(HubError::OptionsInvalid {
                what: format!(
                    "logging.consoleFormat is \"{other}\", and takes \"compact\", \"pretty\" or \"json\""
                ),
            });
        }
    };
    Ok(Arc::new(tracing_subscriber::registry().with(layer)))
}

/// Where metrics go.
pub(crate) enum MetricsSink {
    Off,
    Exporter(Arc<dyn CoreMeter>),
    Buffer(MetricsBuffer),
}

/// Starts the metrics exporter. Has to run inside the runtime.
pub(crate) fn metrics_sink(
    metrics: Option<&proto::MetricsOptions>,
) -> Result<MetricsSink, HubError> {
    let failed = |cause: String| HubError::TelemetryFailed { cause };
    let Some(metrics) = metrics else {
        return Ok(MetricsSink::Off);
    };
    match &metrics.exporter {
        None => Ok(MetricsSink::Off),
        Some(Exporter::Prometheus(prometheus)) => {
            let address = prometheus.bind_address.parse().map_err(|_| HubError::OptionsInvalid {
                what: format!(
                    "metrics.prometheus.bindAddress is \"{}\", and takes \"host:port\" with a numeric host",
                    prometheus.bind_address
                ),
            })?;
            let started = start_prometheus_metric_exporter(
                PrometheusExporterOptions::builder()
                    .socket_addr(address)
                    .global_tags(metrics.global_tags.clone())
                    .counters_total_suffix(prometheus.counters_total_suffix)
                    .unit_suffix(prometheus.unit_suffix)
                    .use_seconds_for_durations(prometheus.seconds_for_durations)
                    .histogram_bucket_overrides(buckets(&prometheus.histogram_buckets))
                    .build(),
            )
            .map_err(|cause| failed(format!("{}: {cause:#}", prometheus.bind_address)))?;
            Ok(MetricsSink::Exporter(started.meter))
        }
        Some(Exporter::Otlp(otlp)) => {
            let options = OtelCollectorOptions::builder()
                .url(otlp_url(otlp)?)
                .headers(otlp.headers.clone())
                .maybe_metric_periodicity(
                    Some(otlp.export_interval_ms)
                        .filter(|ms| *ms > 0)
                        .map(Duration::from_millis),
                )
                .metric_temporality(if otlp.delta_temporality {
                    MetricTemporality::Delta
                } else {
                    MetricTemporality::Cumulative
                })
                .global_tags(metrics.global_tags.clone())
                .use_seconds_for_durations(otlp.seconds_for_durations)
                .histogram_bucket_overrides(buckets(&otlp.histogram_buckets))
                .protocol(if otlp.http {
                    OtlpProtocol::Http
                } else {
                    OtlpProtocol::Grpc
                })
                .build();
            let meter = build_otlp_metric_exporter(options)
                .map_err(|cause| failed(format!("{}: {cause:#}", otlp.url)))?;
            Ok(MetricsSink::Exporter(Arc::new(meter)))
        }
        Some(Exporter::Buffer(buffer)) if buffer.max_size > MAX_BUFFERED => {
            Err(HubError::OptionsInvalid {
                what: format!(
                    "metrics.buffer.maxBufferSize is {}, and takes at most {MAX_BUFFERED}",
                    buffer.max_size
                ),
            })
        }
        Some(Exporter::Buffer(buffer)) => Ok(MetricsSink::Buffer(MetricsBuffer::new(
            buffer.max_size as usize,
            buffer.seconds_for_durations,
        ))),
    }
}

/// "grpc" and "grpcs" are other names of "http" and "https".
fn otlp_url(otlp: &proto::OtlpOptions) -> Result<Url, HubError> {
    let refused = || HubError::OptionsInvalid {
        what: format!(
            "metrics.otel.url is \"{}\", and takes a URL that begins with http, https, grpc or grpcs",
            otlp.url
        ),
    };
    let text = match otlp.url.split_once("://") {
        Some(("grpc", rest)) => format!("http://{rest}"),
        Some(("grpcs", rest)) => format!("https://{rest}"),
        _ => otlp.url.clone(),
    };
    let url = Url::parse(&text).map_err(|_| refused())?;
    let usable = matches!(url.scheme(), "http" | "https") && url.has_host();
    usable.then_some(url).ok_or_else(refused)
}

fn buckets(given: &HashMap<String, proto::HistogramBuckets>) -> HistogramBucketOverrides {
    HistogramBucketOverrides {
        overrides: given
            .iter()
            .map(|(name, buckets)| (name.clone(), buckets.bounds.clone()))
            .collect(),
    }
}
