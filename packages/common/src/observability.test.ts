import {
  type Logger,
  LoggerWithComposedMetadata,
  type MetricMeter,
  MetricMeterWithComposedTags,
  noopMetricMeter,
} from '@perdure/common';

describe('composed loggers', () => {
  function recording(): { logger: Logger; calls: unknown[][] } {
    const calls: unknown[][] = [];
    const record =
      (method: string) =>
      (...args: unknown[]) =>
        void calls.push([method, ...args]);
    const logger: any = {};
    for (const method of ['log', 'trace', 'debug', 'info', 'warn', 'error']) logger[method] = record(method);
    return { logger, calls };
  }

  it('add their fields to every message; the later and the closer win', () => {
    const { logger, calls } = recording();
    const symbol = Symbol('field');
    let count = 0;
    const composed = LoggerWithComposedMetadata.compose(
      LoggerWithComposedMetadata.compose(logger, { a: 1, b: 1, [symbol]: 's' }),
      () => ({ b: 2, count: ++count }),
    );
    composed.info('hello', { c: 3 });
    composed.log('WARN', 'again', { b: 9 });
    for (const method of ['trace', 'debug', 'warn', 'error'] as const) composed[method]('m');
    expect(calls[0]).toEqual(['info', 'hello', { a: 1, b: 2, count: 1, c: 3, [symbol]: 's' }]);
    expect(calls[1]).toEqual(['log', 'WARN', 'again', { a: 1, b: 9, count: 2, [symbol]: 's' }]);
    expect(calls.slice(2).map(([method]) => method)).toEqual(['trace', 'debug', 'warn', 'error']);
  });

  it('are the logger itself when there is nothing to add', () => {
    const { logger } = recording();
    expect(LoggerWithComposedMetadata.compose(logger, {})).toBe(logger);
  });
});

describe('composed meters', () => {
  function recordingMeter(): { meter: MetricMeter; records: unknown[][] } {
    const records: unknown[][] = [];
    const metric = (kind: string, name: string) => {
      const self: any = { kind, name, withTags: () => self };
      for (const method of ['add', 'record', 'set']) {
        self[method] = (value: number, tags: unknown) => void records.push([kind, name, value, tags]);
      }
      return self;
    };
    const meter: MetricMeter = {
      createCounter: (name) => metric('counter', name),
      createHistogram: (name, valueType) => metric(`histogram ${valueType}`, name),
      createGauge: (name, valueType) => metric(`gauge ${valueType}`, name),
      createUpDownCounter: (name) => metric('up-down-counter', name),
      withTags: () => meter,
    };
    return { meter, records };
  }

  it('add their tags when a value is recorded; the later and the closer win', () => {
    const { meter, records } = recordingMeter();
    let attempt = 0;
    const composed = MetricMeterWithComposedTags.compose(meter, () => ({ attempt: ++attempt })).withTags({
      a: 1,
    });
    composed.createCounter('c').withTags({ b: true }).add(1, { a: 2 });
    composed.createHistogram('h').record(2);
    composed.createGauge('g', 'float').set(3);
    composed.createUpDownCounter!('u').add(-1);
    expect(records).toEqual([
      ['counter', 'c', 1, { attempt: 1, a: 2, b: true }],
      ['histogram int', 'h', 2, { attempt: 2, a: 1 }],
      ['gauge float', 'g', 3, { attempt: 3, a: 1 }],
      ['up-down-counter', 'u', -1, { attempt: 4, a: 1 }],
    ]);
  });

  it('work over meters without up-down counters', () => {
    const { meter } = recordingMeter();
    const { createUpDownCounter: _none, ...old } = meter;
    const composed = MetricMeterWithComposedTags.compose(old, { a: 1 });
    expect(() => composed.createUpDownCounter!('u').add(1)).not.toThrow();
  });

  it('are the meter itself when there is nothing to add, unless forced', () => {
    const { meter } = recordingMeter();
    expect(MetricMeterWithComposedTags.compose(meter, {})).toBe(meter);
    expect(MetricMeterWithComposedTags.compose(meter, {}, true)).toBeInstanceOf(MetricMeterWithComposedTags);
  });
});

describe('the meter that does nothing', () => {
  it('describes its metrics', () => {
    expect(noopMetricMeter.createHistogram('h', undefined, 's', 'text')).toMatchObject({
      name: 'h',
      kind: 'histogram',
      valueType: 'int',
      unit: 's',
      description: 'text',
    });
    const gauge = noopMetricMeter.createGauge('g', 'float');
    expect(gauge.withTags({ a: 1 }).valueType).toBe('float');
  });
});
