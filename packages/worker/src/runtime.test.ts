import { DefaultLogger, type LogEntry } from './logger';
import type { InvalidOptionsError } from './options-check';
import { Runtime } from './runtime';
import { compileRuntimeOptions, makeTelemetryFilterString } from './runtime-options';

describe('options', () => {
  it('have the documented defaults', () => {
    const { shutdownSignals, message, logger } = compileRuntimeOptions({});
    expect(shutdownSignals).toEqual(['SIGINT', 'SIGTERM', 'SIGQUIT', 'SIGUSR2']);
    expect(logger).toBeInstanceOf(DefaultLogger);
    expect(message.logging).toMatchObject({ forward: false, consoleFormat: 'compact' });
    expect(message.logging?.filter).toBe(makeTelemetryFilterString({ core: 'WARN', other: 'ERROR' }));
    expect(message.metrics).toBeUndefined();
    expect(message.workerHeartbeatIntervalMs?.toNumber()).toBe(60_000);
  });

  it('take limits of lanes, and leave the others to the lanes', () => {
    expect(compileRuntimeOptions({}).lanes).toEqual({});
    expect(compileRuntimeOptions({ lanes: { heapMb: 64 } }).lanes).toEqual({ heapMb: 64 });
    expect(compileRuntimeOptions({ lanes: { activationDeadline: '10s' } }).lanes).toEqual({
      activationDeadlineMs: 10_000,
    });
    expect(compileRuntimeOptions({ lanes: { activationDeadline: 0 } }).lanes.activationDeadlineMs).toBe(0);
  });

  it('report all problems at once', () => {
    try {
      compileRuntimeOptions({
        logger: { info() {} },
        workerHeartbeatInterval: '2 minutes',
        shutdownSignals: ['INT'],
        lanes: { heapMb: 8, activationDeadline: -1, heap: 64 },
        telemetryOptions: {
          logging: { console: { format: 'xml' }, forward: {} },
          metrics: { prometheus: {}, otel: {} },
        },
        metrics: 1,
      } as any);
      throw new Error('took it');
    } catch (error) {
      expect((error as InvalidOptionsError).problems.map(({ field }) => field).sort()).toEqual([
        'lanes.activationDeadline',
        'lanes.heap',
        'lanes.heapMb',
        'logger',
        'metrics',
        'shutdownSignals',
        'telemetryOptions.logging.console.format',
        'telemetryOptions.logging.forward',
        'telemetryOptions.metrics',
        'telemetryOptions.metrics.otel.url',
        'telemetryOptions.metrics.prometheus.bindAddress',
        'workerHeartbeatInterval',
      ]);
    }
  });

  it('understand the older names', () => {
    const { message } = compileRuntimeOptions({
      telemetryOptions: {
        tracingFilter: 'temporalio_sdk_core=INFO',
        noTemporalPrefixForMetrics: true,
        tracing: {},
        metrics: { otel: { url: 'http://localhost' }, temporality: 'delta' },
      },
    });
    expect(message.logging?.filter).toBe('temporalio_sdk_core=INFO');
    expect(message.metrics).toMatchObject({ prefix: '', otlp: { deltaTemporality: true } });
  });

  it('make directives for the core and for the rest', () => {
    expect(makeTelemetryFilterString({ core: 'DEBUG' })).toMatch(/^ERROR,.*temporalio_sdk_core=DEBUG/);
  });
});

describe('instance', () => {
  it('is made once, and can be installed anew or shut down as long as nothing uses it', async () => {
    const logger = new DefaultLogger('ERROR');
    const first = Runtime.install({ logger });
    expect(Runtime.instance()).toBe(first);
    expect(first.logger).toBe(logger);
    const second = Runtime.install({ logger });
    expect(second).not.toBe(first);
    const user = {};
    second.acquire(user);
    expect(() => Runtime.install({})).toThrow(expect.objectContaining({ code: 'ILLEGAL_STATE' }));
    await expect(second.shutdown()).rejects.toMatchObject({ code: 'ILLEGAL_STATE' });
    second.release(user);
    await second.shutdown();
    expect(Runtime.instance()).not.toBe(second);
    await Runtime.instance().shutdown();
    Runtime.install({});
  });
});

describe('default logger', () => {
  it('drops what is below its level and keeps the fields of the rest', () => {
    const entries: LogEntry[] = [];
    const logger = new DefaultLogger('WARN', (entry) => entries.push(entry));
    logger.info('no');
    logger.warn('yes', { a: 1 });
    logger.error('also');
    expect(entries).toMatchObject([
      { level: 'WARN', message: 'yes', meta: { a: 1 } },
      { level: 'ERROR', message: 'also' },
    ]);
    expect(typeof entries[0]!.timestampNanos).toBe('bigint');
  });
});
