//! Metrics of TypeScript, and metrics for TypeScript.
//!
//! Owns    the instruments that TypeScript has defined, and the numbers of what the core has buffered.
//! M1  Defining the same metric twice gives the same number, and equal tag sets have equal numbers: what both sides
//!     keep grows with the number of different metrics and tag sets, never with the number of records.
//! M2  The core drops what its full buffer cannot take. An update whose definition or tags were dropped is dropped,
//!     too; it never reaches TypeScript under another name.

use crate::error::{HubError, decode};
use crate::proto::{
    BufferedMetricUpdate, BufferedMetrics, MetricDefinition, MetricTag, MetricTagSet, MetricUpdate,
    MetricUpdates, metric_tag,
};
use prost::Message;
use std::any::Any;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use temporalio_common::telemetry::metrics::core::{
    BufferAttributes, BufferInstrumentRef, CustomMetricAttributes, MetricCallBufferer, MetricEvent,
    MetricKind, MetricUpdateVal,
};
use temporalio_common::telemetry::metrics::{
    CoreMeter, Counter, Gauge, GaugeF64, Histogram, HistogramF64, MetricAttributes, MetricKeyValue,
    MetricParameters, MetricValue, NewAttributes, TemporalMeter, UpDownCounter,
};
use temporalio_sdk_core::telemetry::MetricsCallBuffer;

/// The number of what was dropped (M2); no metric and no tag set has it.
const DROPPED: u32 = 0;

/// Metrics that TypeScript has defined on one runtime.
pub(crate) struct CustomMetrics {
    /// None: metrics are off or the runtime is closed, and records lead nowhere.
    meter: Mutex<Option<Arc<TemporalMeter>>>,
    defined: Mutex<Defined>,
}

#[derive(Default)]
struct Defined {
    /// By encoded definition (M1).
    numbers: HashMap<Vec<u8>, u32>,
    /// Number 1 is the first.
    instruments: Vec<Instrument>,
}

#[derive(Clone)]
enum Instrument {
    Nowhere,
    Counter(Counter),
    Histogram(Histogram),
    HistogramF64(HistogramF64),
    Gauge(Gauge),
    GaugeF64(GaugeF64),
    UpDownCounter(UpDownCounter),
}

impl CustomMetrics {
    pub(crate) fn new(meter: Option<TemporalMeter>) -> Self {
        Self {
            meter: Mutex::new(meter.map(Arc::new)),
            defined: Mutex::default(),
        }
    }

    /// Gives the meter away: an exporter sends what is left when nobody holds its meter any more.
    pub(crate) fn close(&self) -> Option<Arc<TemporalMeter>> {
        self.meter.lock().expect("no panic holds this lock").take()
    }

    fn meter(&self) -> Option<Arc<TemporalMeter>> {
        self.meter.lock().expect("no panic holds this lock").clone()
    }

    /// The number of a metric. `bytes`: an encoded perdure.core.v1.MetricDefinition.
    pub(crate) fn define(&self, bytes: &[u8]) -> Result<u32, HubError> {
        let mut definition: MetricDefinition = decode(bytes, "MetricDefinition")?;
        definition.metric = 0;
        let key = definition.encode_to_vec();
        if let Some(number) = self.defined().numbers.get(&key) {
            return Ok(*number);
        }
        let instrument = self.instrument(definition)?;
        let mut defined = self.defined();
        defined.instruments.push(instrument);
        let number = defined.instruments.len() as u32;
        defined.numbers.insert(key, number);
        Ok(number)
    }

    /// Records each update or, if one of them cannot be recorded, none. `bytes`: an encoded
    /// perdure.core.v1.MetricUpdates.
    pub(crate) fn record(&self, bytes: &[u8]) -> Result<(), HubError> {
        let updates: MetricUpdates = decode(bytes, "MetricUpdates")?;
        let known: Vec<_> = {
            let defined = self.defined();
            let look_up = |update: &MetricUpdate| {
                let index = (update.metric as usize).wrapping_sub(1);
                defined.instruments.get(index).cloned()
            };
            updates.items.iter().map(look_up).collect()
        };
        for (update, instrument) in updates.items.iter().zip(&known) {
            match instrument {
                None => return Err(invalid(format!("metric {} is not defined", update.metric))),
                Some(instrument) => check(instrument, update.value)?,
            }
        }
        let Some(meter) = self.meter() else {
            return Ok(());
        };
        for (update, instrument) in updates.items.into_iter().zip(known.into_iter().flatten()) {
            let tags = NewAttributes::from(update.tags.into_iter().filter_map(key_value));
            let base = meter.get_default_attributes().clone();
            apply(
                &instrument,
                update.value,
                &meter.extend_attributes(base, tags),
            );
        }
        Ok(())
    }

    fn instrument(&self, definition: MetricDefinition) -> Result<Instrument, HubError> {
        let MetricDefinition {
            name,
            unit,
            description,
            kind,
            float,
            ..
        } = definition;
        if name.is_empty() {
            return Err(invalid("the name of a metric is empty".into()));
        }
        let meter = self.meter();
        let meter = meter.as_deref();
        let parameters = MetricParameters::builder()
            .name(name)
            .unit(unit)
            .description(description)
            .build();
        let made = match (kind.as_str(), float) {
            ("counter", false) => meter.map(|m| Instrument::Counter(m.counter(parameters))),
            ("histogram", false) => meter.map(|m| Instrument::Histogram(m.histogram(parameters))),
            ("histogram", true) => {
                meter.map(|m| Instrument::HistogramF64(m.histogram_f64(parameters)))
            }
            ("gauge", false) => meter.map(|m| Instrument::Gauge(m.gauge(parameters))),
            ("gauge", true) => meter.map(|m| Instrument::GaugeF64(m.gauge_f64(parameters))),
            ("up-down-counter", false) => {
                meter.map(|m| Instrument::UpDownCounter(m.up_down_counter(parameters)))
            }
            ("counter" | "up-down-counter", true) => {
                return Err(invalid(format!("a {kind} takes whole numbers only")));
            }
            _ => {
                return Err(invalid(format!(
                    "a metric is a \"counter\", \"histogram\", \"gauge\" or \"up-down-counter\", not \"{kind}\""
                )));
            }
        };
        Ok(made.unwrap_or(Instrument::Nowhere))
    }

    fn defined(&self) -> MutexGuard<'_, Defined> {
        self.defined.lock().expect("no panic holds this lock")
    }
}

fn invalid(what: String) -> HubError {
    HubError::OptionsInvalid { what }
}

fn check(instrument: &Instrument, value: f64) -> Result<(), HubError> {
    if !value.is_finite() {
        return Err(invalid(format!("{value} is not a value of a metric")));
    }
    if value < 0.0
        && !matches!(
            instrument,
            Instrument::UpDownCounter(_) | Instrument::Nowhere
        )
    {
        return Err(invalid(format!(
            "{value} is negative: only an up-down-counter takes that"
        )));
    }
    Ok(())
}

fn apply(instrument: &Instrument, value: f64, attributes: &MetricAttributes) {
    let whole = value.round() as u64;
    match instrument {
        Instrument::Nowhere => {}
        Instrument::Counter(counter) => counter.add(whole, attributes),
        Instrument::Histogram(histogram) => histogram.record(whole, attributes),
        Instrument::HistogramF64(histogram) => histogram.record(value, attributes),
        Instrument::Gauge(gauge) => gauge.record(whole, attributes),
        Instrument::GaugeF64(gauge) => gauge.record(value, attributes),
        Instrument::UpDownCounter(counter) => counter.add(value.round() as i64, attributes),
    }
}

fn key_value(tag: MetricTag) -> Option<MetricKeyValue> {
    let value = match tag.value? {
        metric_tag::Value::Text(text) => MetricValue::String(text),
        metric_tag::Value::Integer(integer) => MetricValue::Int(integer),
        metric_tag::Value::Float(float) => MetricValue::Float(float),
        metric_tag::Value::Flag(flag) => MetricValue::Bool(flag),
    };
    Some(MetricKeyValue::new(tag.key, value))
}

fn tag(pair: MetricKeyValue) -> MetricTag {
    let value = match pair.value {
        MetricValue::String(text) => metric_tag::Value::Text(text),
        MetricValue::Int(integer) => metric_tag::Value::Integer(integer),
        MetricValue::Float(float) => metric_tag::Value::Float(float),
        MetricValue::Bool(flag) => metric_tag::Value::Flag(flag),
    };
    MetricTag {
        key: pair.key,
        value: Some(value),
    }
}

/// The number of an instrument of the buffer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Numbered {
    number: u32,
    seconds: bool,
}

impl BufferInstrumentRef for Numbered {}

/// Tags of the buffer, sorted by key.
#[derive(Debug)]
struct TagSet {
    number: u32,
    tags: Vec<MetricTag>,
}

impl CustomMetricAttributes for TagSet {
    fn as_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
}

/// What the core records, until TypeScript fetches it.
pub(crate) struct MetricsBuffer {
    core: Arc<MetricsCallBuffer<Numbered>>,
    seconds: bool,
    named: Mutex<Named>,
}

/// By encoded content (M1).
#[derive(Default)]
struct Named {
    metrics: HashMap<Vec<u8>, u32>,
    tag_sets: HashMap<Vec<u8>, u32>,
}

impl MetricsBuffer {
    /// `max_size`: how many events wait for a fetch before the core drops them.
    pub(crate) fn new(max_size: usize, seconds: bool) -> Self {
        Self {
            core: Arc::new(MetricsCallBuffer::new(max_size)),
            seconds,
            named: Mutex::default(),
        }
    }

    pub(crate) fn meter(&self) -> Arc<dyn CoreMeter> {
        self.core.clone()
    }

    /// An encoded BufferedMetrics with everything since the last fetch.
    pub(crate) fn fetch(&self) -> Vec<u8> {
        let mut named = self.named.lock().expect("no panic holds this lock");
        let mut out = BufferedMetrics::default();
        for event in self.core.retrieve() {
            match event {
                MetricEvent::Create {
                    params,
                    populate_into,
                    kind,
                } => {
                    let definition = self.definition(params, kind);
                    let number = named.metric(definition, &mut out.metrics);
                    let seconds = self.seconds;
                    let _ = populate_into.set(Arc::new(Numbered { number, seconds }));
                }
                MetricEvent::CreateAttributes {
                    populate_into,
                    append_from,
                    attributes,
                } => {
                    let base = append_from.as_ref().map(tag_set);
                    let dropped = base.as_ref().is_some_and(|base| base.number == DROPPED);
                    if dropped {
                        continue; // M2: so is what builds on it
                    }
                    let base = base.map_or_else(Vec::new, |base| base.tags.clone());
                    let set = named.tag_set(merged(base, attributes), &mut out.tag_sets);
                    let _ = populate_into.set(Arc::new(set));
                }
                MetricEvent::Update {
                    instrument,
                    attributes,
                    update,
                } => {
                    let number = DROPPED;
                    let seconds = self.seconds;
                    let _ = instrument.set(Arc::new(Numbered { number, seconds })); // unless it is set
                    let metric = **instrument.get();
                    let tag_set = tag_set(&attributes).number;
                    if metric.number != DROPPED && tag_set != DROPPED {
                        out.updates.push(BufferedMetricUpdate {
                            metric: metric.number,
                            tag_set,
                            value: value(update, metric.seconds),
                        });
                    }
                }
            }
        }
        out.encode_to_vec()
    }

    fn definition(&self, parameters: MetricParameters, kind: MetricKind) -> MetricDefinition {
        let (kind, float) = match kind {
            MetricKind::Counter => ("counter", false),
            MetricKind::UpDownCounter => ("up-down-counter", false),
            MetricKind::Gauge => ("gauge", false),
            MetricKind::GaugeF64 => ("gauge", true),
            MetricKind::Histogram => ("histogram", false),
            MetricKind::HistogramF64 => ("histogram", true),
            MetricKind::HistogramDuration => {
                let unit = if self.seconds { "s" } else { "ms" };
                return defined(parameters, unit.into(), "histogram", self.seconds);
            }
        };
        let unit = parameters.unit.clone().into_owned();
        defined(parameters, unit, kind, float)
    }
}

fn defined(
    parameters: MetricParameters,
    unit: String,
    kind: &str,
    float: bool,
) -> MetricDefinition {
    MetricDefinition {
        metric: 0,
        name: parameters.name.into_owned(),
        unit,
        description: parameters.description.into_owned(),
        kind: kind.into(),
        float,
    }
}

impl Named {
    fn metric(&mut self, definition: MetricDefinition, new: &mut Vec<MetricDefinition>) -> u32 {
        let next = self.metrics.len() as u32 + 1;
        *self
            .metrics
            .entry(definition.encode_to_vec())
            .or_insert_with(|| {
                new.push(MetricDefinition {
                    metric: next,
                    ..definition
                });
                next
            })
    }

    fn tag_set(&mut self, tags: Vec<MetricTag>, new: &mut Vec<MetricTagSet>) -> TagSet {
        let next = self.tag_sets.len() as u32 + 1;
        let unnumbered = MetricTagSet { tag_set: 0, tags };
        let number = *self
            .tag_sets
            .entry(unnumbered.encode_to_vec())
            .or_insert_with(|| {
                new.push(MetricTagSet {
                    tag_set: next,
                    ..unnumbered.clone()
                });
                next
            });
        TagSet {
            number,
            tags: unnumbered.tags,
        }
    }
}

/// What the core was given for these attributes; the dropped set if it was given nothing (M2).
fn tag_set(attributes: &BufferAttributes) -> Arc<TagSet> {
    let dropped = || {
        Arc::new(TagSet {
            number: DROPPED,
            tags: Vec::new(),
        })
    };
    let _ = attributes.set(dropped()); // unless they are set
    attributes
        .get()
        .clone()
        .as_any()
        .downcast()
        .unwrap_or_else(|_| dropped())
}

fn merged(mut tags: Vec<MetricTag>, more: Vec<MetricKeyValue>) -> Vec<MetricTag> {
    for pair in more {
        tags.retain(|tag| tag.key != pair.key);
        tags.push(tag(pair));
    }
    tags.sort_by(|a, b| a.key.cmp(&b.key));
    tags
}

fn value(update: MetricUpdateVal, seconds: bool) -> f64 {
    match update {
        MetricUpdateVal::Delta(value) | MetricUpdateVal::Value(value) => value as f64,
        MetricUpdateVal::DeltaF64(value) | MetricUpdateVal::ValueF64(value) => value,
        MetricUpdateVal::SignedDelta(value) => value as f64,
        MetricUpdateVal::Duration(duration) if seconds => duration.as_secs_f64(),
        MetricUpdateVal::Duration(duration) => duration.as_millis() as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn custom(buffer: &MetricsBuffer) -> CustomMetrics {
        let tags = NewAttributes::from([MetricKeyValue::new("service_name", "tests")]);
        CustomMetrics::new(Some(TemporalMeter::new(
            buffer.meter(),
            tags,
            temporalio_common::telemetry::TaskQueueLabelStrategy::UseNormal,
        )))
    }

    fn definition(name: &str, kind: &str, float: bool) -> Vec<u8> {
        MetricDefinition {
            name: name.into(),
            kind: kind.into(),
            float,
            ..Default::default()
        }
        .encode_to_vec()
    }

    fn update(metric: u32, value: f64, tags: &[(&str, &str)]) -> Vec<u8> {
        let tags = tags
            .iter()
            .map(|(key, text)| MetricTag {
                key: (*key).into(),
                value: Some(metric_tag::Value::Text((*text).into())),
            })
            .collect();
        let items = vec![MetricUpdate {
            metric,
            value,
            tags,
        }];
        MetricUpdates { items }.encode_to_vec()
    }

    fn fetched(buffer: &MetricsBuffer) -> BufferedMetrics {
        BufferedMetrics::decode(&buffer.fetch()[..]).unwrap()
    }

    #[test]
    fn a_record_comes_back_with_its_metric_and_its_tags() {
        let buffer = MetricsBuffer::new(100, false);
        let metrics = custom(&buffer);
        for (kind, float, value) in [
            ("counter", false, 2.0),
            ("histogram", false, 3.0),
            ("histogram", true, 0.25),
            ("gauge", false, 4.0),
            ("gauge", true, 0.5),
            ("up-down-counter", false, -6.0),
        ] {
            let number = metrics.define(&definition("m", kind, float)).unwrap();
            metrics
                .record(&update(
                    number,
                    value,
                    &[("b", &value.to_string()), ("a", kind)],
                ))
                .unwrap();
            let BufferedMetrics {
                metrics: new,
                tag_sets,
                updates,
            } = fetched(&buffer);
            assert_eq!((new[0].kind.as_str(), new[0].float), (kind, float));
            assert_eq!(updates.len(), 1);
            assert_eq!(updates[0].value, value);
            assert_eq!(updates[0].metric, new[0].metric);
            let tags = tag_sets.last().unwrap();
            assert_eq!(updates[0].tag_set, tags.tag_set);
            let keys: Vec<_> = tags.tags.iter().map(|tag| tag.key.as_str()).collect();
            assert_eq!(keys, ["a", "b", "service_name"]);
        }
    }

    #[test]
    fn what_is_known_is_not_named_again() {
        let buffer = MetricsBuffer::new(100, false);
        let metrics = custom(&buffer);
        let number = metrics.define(&definition("m", "counter", false)).unwrap();
        assert_eq!(
            metrics.define(&definition("m", "counter", false)).unwrap(),
            number
        );
        metrics.record(&update(number, 1.0, &[("a", "x")])).unwrap();
        let first = fetched(&buffer);
        metrics.record(&update(number, 1.0, &[("a", "x")])).unwrap();
        let second = fetched(&buffer);
        assert!(second.metrics.is_empty() && second.tag_sets.is_empty());
        assert_eq!(first.updates, second.updates);
    }

    #[test]
    fn durations_are_milliseconds_or_seconds() {
        for (seconds, unit, expected) in [(false, "ms", 1500.0), (true, "s", 1.5)] {
            let buffer = MetricsBuffer::new(100, seconds);
            let meter = buffer.meter();
            let latency = meter.histogram_duration("latency".into());
            let tags = meter.new_attributes(NewAttributes::default());
            latency.record(std::time::Duration::from_millis(1500), &tags);
            let fetched = fetched(&buffer);
            assert_eq!(fetched.metrics[0].unit, unit);
            assert_eq!(fetched.metrics[0].float, seconds);
            assert_eq!(fetched.updates[0].value, expected);
        }
    }

    #[test]
    fn a_full_buffer_drops_updates_and_never_confuses_them() {
        for size in 0..12 {
            let buffer = MetricsBuffer::new(size, false);
            let metrics = custom(&buffer);
            for round in 0..3 {
                for (name, kind) in [("one", "counter"), ("two", "gauge")] {
                    let number = metrics.define(&definition(name, kind, false)).unwrap();
                    let value = if name == "one" { 1.0 } else { 2.0 };
                    metrics
                        .record(&update(number, value, &[("name", name)]))
                        .unwrap();
                }
                let BufferedMetrics { updates, .. } = fetched(&buffer);
                assert!(updates.len() <= size.min(2), "{size} {round}");
                for update in updates {
                    assert!(update.metric != DROPPED && update.tag_set != DROPPED);
                }
            }
        }
    }

    #[test]
    fn what_no_metric_takes_is_refused() {
        let buffer = MetricsBuffer::new(100, false);
        let metrics = custom(&buffer);
        for bad in [
            definition("", "counter", false),
            definition("m", "meter", false),
            definition("m", "counter", true),
            definition("m", "up-down-counter", true),
            vec![0xff],
        ] {
            assert!(metrics.define(&bad).is_err());
        }
        let number = metrics.define(&definition("m", "counter", false)).unwrap();
        for bad in [
            update(number, -1.0, &[]),
            update(number, f64::NAN, &[]),
            update(number, f64::INFINITY, &[]),
            update(0, 1.0, &[]),
            update(number + 1, 1.0, &[]),
            update(u32::MAX, 1.0, &[]),
            vec![0xff],
        ] {
            assert!(metrics.record(&bad).is_err());
        }
        assert!(fetched(&buffer).updates.is_empty());
    }

    #[test]
    fn records_lead_nowhere_while_metrics_are_off() {
        let metrics = CustomMetrics::new(None);
        let number = metrics.define(&definition("m", "gauge", true)).unwrap();
        metrics.record(&update(number, 1.0, &[("a", "b")])).unwrap();
        assert!(metrics.record(&update(number + 1, 1.0, &[])).is_err());
    }
}
