/**
 * Configurations that cannot work: each is refused at once, with an error that names the field or the address. What
 * waits for something gives up after the connect timeout at the earliest, so less than that is "at once" on any machine.
 */
import { createServer } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Server } from 'node:net';
import { join } from 'node:path';
import {
  bundleWorkflowCode,
  Core,
  MetricsBuffer,
  NativeConnection,
  type NativeConnectionOptions,
  ResourceBasedController,
  Runtime,
  type RuntimeOptions,
  Worker,
  type WorkerOptions,
} from '@perdure/worker';
import { harness, rejection, workflowsDir } from './support/harness';

const h = harness();
/** Of a connection; no option. */
const CONNECT_TIMEOUT_MS = 10_000;
const AT_ONCE_MS = CONNECT_TIMEOUT_MS - 500;
/** For what gives up after the connect timeout; how much later depends on the machine, and on what else runs. */
const GIVEN_UP_MS = 100_000;

const workflowsPath = join(workflowsDir, 'activities.ts');
const activities = { greet: async (name: string) => name };

const silent = createTcpServer(() => undefined);
/** Address of the silent server, and how a connection to it ends: begun first, for it takes as long as it takes. */
let notAnswered: Promise<{ address: string; message: string }>;

beforeAll(async () => {
  notAnswered = listening(silent).then(async (address) => ({
    address,
    message: await refusal(() => NativeConnection.connect({ address }), GIVEN_UP_MS),
  }));
  notAnswered.catch(() => undefined);
  // Loads what is loaded when it is first needed, so that the figures are those of a refusal.
  await bundleWorkflowCode({ workflowsPath });
});

afterAll(() => void silent.close());

function listening(server: Server): Promise<string> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve(`127.0.0.1:${(server.address() as AddressInfo).port}`));
  });
}

async function refusal(attempt: () => unknown, limitMs = AT_ONCE_MS): Promise<string> {
  const begun = performance.now();
  const error = await rejection((async () => attempt())());
  expect(performance.now() - begun).toBeLessThan(limitMs);
  expect(error).toBeInstanceOf(Error);
  expect(typeof error.code).toBe('string');
  return error.message;
}

describe('options of a worker', () => {
  const fixed = { type: 'fixed-size', numSlots: 4 };
  const tuner = {
    workflowTaskSlotSupplier: fixed,
    activityTaskSlotSupplier: fixed,
    localActivityTaskSlotSupplier: fixed,
    nexusTaskSlotSupplier: fixed,
  };
  it.each<[string, any]>([
    ['taskQueue', { taskQueue: undefined }],
    ['taskQueue', { taskQueue: '__temporal_mine' }],
    ['activities', { activities: undefined }],
    ['activities', { activities: 'greet' }],
    ['activites', { activites: {} }],
    ['namespace', { namespace: 7 }],
    ['identity', { identity: '' }],
    ['nosuchnamespace', { namespace: 'nosuchnamespace' }],
    ['nothing-here', { workflowsPath: join(workflowsDir, 'nothing-here') }],
    ['workflowBundle.codePath', { workflowBundle: { codePath: '/nothing/here.js' } }],
    ['workflowBundle', { workflowBundle: { script: '' } }],
    ['connection', { connection: 'localhost:7233' }],
    ['maxConcurrentActivityTaskExecutions', { maxConcurrentActivityTaskExecutions: 0 }],
    ['maxConcurrentWorkflowTaskPolls', { maxConcurrentWorkflowTaskPolls: 1 }],
    ['maxConcurrentNexusTaskPolls', { maxConcurrentNexusTaskPolls: 1.5 }],
    ['activityTaskPollerBehavior', { activityTaskPollerBehavior: { type: 'many' } }],
    [
      'workflowTaskPollerBehavior.minimum',
      { workflowTaskPollerBehavior: { type: 'autoscaling', minimum: 9, maximum: 3 } },
    ],
    [
      'nexusTaskPollerBehavior.initial',
      { nexusTaskPollerBehavior: { type: 'autoscaling', initial: 9, maximum: 3 } },
    ],
    ['nonStickyToStickyPollRatio', { nonStickyToStickyPollRatio: 2 }],
    ['maxActivitiesPerSecond', { maxActivitiesPerSecond: -1 }],
    ['maxTaskQueueActivitiesPerSecond', { maxTaskQueueActivitiesPerSecond: 'many' }],
    ['maxCachedWorkflows', { maxCachedWorkflows: -1 }],
    ['stickyQueueScheduleToStartTimeout', { stickyQueueScheduleToStartTimeout: 'soon' }],
    ['maxHeartbeatThrottleInterval', { maxHeartbeatThrottleInterval: -5 }],
    ['shutdownGraceTime', { shutdownGraceTime: {} }],
    ['workflowThreadPoolSize', { workflowThreadPoolSize: 0 }],
    ['reuseV8Context', { reuseV8Context: 'yes' }],
    ['debugMode', { debugMode: 1 }],
    ['interceptors.activities', { interceptors: { activities: [] } }],
    ['interceptors.workflowModules', { workflowsPath, interceptors: { workflowModules: [5] } }],
    ['no-such-interceptors', { workflowsPath, interceptors: { workflowModules: ['/no-such-interceptors'] } }],
    ['sinks.mine.call.fn', { sinks: { mine: { call: {} } } }],
    ['sinks.__temporal_x', { sinks: { __temporal_x: {} } }],
    ['bundlerOptions.webpackConfigHook', { bundlerOptions: { webpackConfigHook: () => ({}) } }],
    ['dataConverter.payloadConverterPath', { dataConverter: { payloadConverterPath: 5 } }],
    ['no-such-converter', { dataConverter: { payloadConverterPath: '/no-such-converter' } }],
    ['nexusServices[0]', { nexusServices: [{}] }],
    ['patchActivationCallback', { patchActivationCallback: true }],
    ['workflowFailureErrorTypes.greet', { workflowFailureErrorTypes: { greet: 'Error' } }],
    ['workDir', { activities: undefined, workDir: '/nothing/here' }],
    ['useVersioning', { useVersioning: 'yes' }],
    ['buildId', { useVersioning: true }],
    [
      'workerDeploymentOptions.version.buildId',
      { workerDeploymentOptions: { useWorkerVersioning: false, version: { deploymentName: 'd' } } },
    ],
    [
      'workerDeploymentOptions.defaultVersioningBehavior',
      {
        workerDeploymentOptions: {
          useWorkerVersioning: true,
          version: { deploymentName: 'd', buildId: 'b' },
        },
      },
    ],
    ['maxConcurrentNexusTaskExecutions', { maxConcurrentNexusTaskExecutions: 3, tuner }],
    ['tuner.nexusTaskSlotSupplier', { tuner: { ...tuner, nexusTaskSlotSupplier: undefined } }],
    [
      'tuner.activityTaskSlotSupplier.reserveSlot',
      { tuner: { ...tuner, activityTaskSlotSupplier: { type: 'custom' } } },
    ],
    [
      'tuner.tunerOptions.targetCpuUsage',
      { tuner: { tunerOptions: { targetMemoryUsage: 1, targetCpuUsage: 80 } } },
    ],
    ['plugins', { plugins: 'mine' }],
  ])('are refused for %s', async (named, more) => {
    const options = { connection: h.connection, taskQueue: 'bad-configurations', activities, ...more };
    expect(await refusal(() => Worker.create(options as WorkerOptions))).toContain(named);
  });

  it('are refused all at once', async () => {
    const options = { taskQueue: 7, activities: 1, namespce: 'x', maxCachedWorkflows: 'all' } as any;
    const message = await refusal(() => Worker.create(options));
    for (const named of ['taskQueue', 'activities', 'namespce', '"namespace"', 'maxCachedWorkflows']) {
      expect(message).toContain(named);
    }
  });
});

describe('options of the rest', () => {
  const connect = (options: object) => () => NativeConnection.connect(options as NativeConnectionOptions);
  const install = (options: object) => () => Runtime.install(options as RuntimeOptions);
  it.each<[string, () => unknown]>([
    ['address', connect({ address: 'local host' })],
    ['address', connect({ address: 'localhost:99999' })],
    ['adress', connect({ adress: 'localhost' })],
    ['tls.clientCertPair.crt', connect({ tls: { clientCertPair: { crt: 'text', key: Buffer.of() } } })],
    ['apiKey', connect({ apiKey: () => 'key' })],
    ['metadata.name', connect({ metadata: { name: 5 } })],
    ['metadata.name-bin', connect({ metadata: { 'name-bin': 'text' } })],
    ['grpcCompression', connect({ grpcCompression: { codec: 'zip' } })],
    [
      'dnsLoadBalancingConfig',
      connect({
        proxy: { type: 'http-connect', targetHost: 'a:1' },
        dnsLoadBalancingConfig: { resolutionInterval: 5 },
      }),
    ],
    [
      'proxy.basicAuth.username',
      connect({
        proxy: { type: 'http-connect', targetHost: 'a:1', basicAuth: { username: 'a:b', password: '' } },
      }),
    ],
    ['lazy', connect({ lazy: 'yes' })],
    ['logger', install({ logger: console.log })],
    ['shutdownSignals', install({ shutdownSignals: ['INT'] })],
    ['workerHeartbeatInterval', install({ workerHeartbeatInterval: '2 minutes' })],
    ['telemetryOptions.metrics', install({ telemetryOptions: { metrics: {} } })],
    ['telemetryOptions.metrics.otel.url', install({ telemetryOptions: { metrics: { otel: {} } } })],
    [
      'telemetryOptions.logging.filter.core',
      install({ telemetryOptions: { logging: { forward: {}, filter: { core: 'LOUD' } } } }),
    ],
    ['maxBufferSize', () => new MetricsBuffer({ maxBufferSize: 0 })],
    ['targetMemoryUsage', () => ResourceBasedController.create({ targetCpuUsage: 1 } as any)],
    ['serverOptions.adress', () => Core.install({ serverOptions: { adress: 'x' } as any })],
    ['workflowsPath', () => bundleWorkflowCode({} as any)],
    ['workflowsPaht', () => bundleWorkflowCode({ workflowsPath, workflowsPaht: 'x' } as any)],
    ['taskQueue', () => Worker.runReplayHistory({ workflowsPath, taskQueue: 'q' } as any, {})],
    ['workflowsPath', () => Worker.runReplayHistory({} as any, {})],
  ])('are refused for %s (%#)', async (named, attempt) => {
    expect(await refusal(attempt)).toContain(named);
  });
});

describe('a server that is not there', () => {
  it('is named in the error: nobody listens, nobody knows the name, somebody else answers', async () => {
    const web = createServer((_request, response) => response.end('hello'));
    const address = await listening(web);
    try {
      for (const options of [
        { address: '127.0.0.1:1' },
        { address: 'no-such-host.invalid:7233' },
        { address },
        { address: h.address, tls: true },
      ]) {
        const message = await refusal(
          () => NativeConnection.connect(options),
          options.address.includes('invalid') ? GIVEN_UP_MS : AT_ONCE_MS,
        );
        expect(message).toContain(options.address);
      }
    } finally {
      web.closeAllConnections();
      web.close();
    }
  });

  it('is given up after the connect timeout when it says nothing', async () => {
    const { address, message } = await notAnswered;
    expect(message).toContain(address);
  });
});
