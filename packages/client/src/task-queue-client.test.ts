/** Build ids on a real server with the older worker versioning switched on, and its successor by the raw service. */
import { randomUUID } from 'node:crypto';
import { BuildIdNotFoundError, Client, Connection, ServiceError, UnversionedBuildId } from '@perdure/client';
import { type DevServer, startDevServer } from '@perdure/dev-server';
import { reachabilityResponseFromProto } from './task-queue-client';
import { eventually } from './testing/eventually';

let server: DevServer;
let connection: Connection;
let client: Client;

beforeAll(async () => {
  server = await startDevServer({
    useExisting: false,
    dynamicConfigValues: {
      'frontend.workerVersioningDataAPIs': true,
      'frontend.workerVersioningWorkflowAPIs': true,
      'frontend.workerVersioningRuleAPIs': true,
      'system.enableDeploymentVersions': true,
      // How long a set that was the default counts as reachable.
      'frontend.reachabilityQuerySetDurationSinceDefault': '0s',
    },
  });
  connection = await Connection.connect({ address: server.address });
  client = new Client({ connection });
});
afterAll(async () => {
  await connection?.close();
  await server?.stop();
});

describe('build ids of a task queue', () => {
  it('are added in sets, promoted and merged, and come back as they relate', async () => {
    const queue = randomUUID();
    const { taskQueue } = client;
    expect(await taskQueue.getBuildIdCompatability(queue)).toBeUndefined();
    await taskQueue.updateBuildIdCompatibility(queue, {
      operation: 'addNewIdInNewDefaultSet',
      buildId: '1.0',
    });
    expect(await taskQueue.getBuildIdCompatability(queue)).toEqual({
      versionSets: [{ buildIds: ['1.0'], default: '1.0' }],
      defaultSet: { buildIds: ['1.0'], default: '1.0' },
      defaultBuildId: '1.0',
    });
    await taskQueue.updateBuildIdCompatibility(queue, {
      operation: 'addNewCompatibleVersion',
      buildId: '1.1',
      existingCompatibleBuildId: '1.0',
    });
    await taskQueue.updateBuildIdCompatibility(queue, {
      operation: 'addNewIdInNewDefaultSet',
      buildId: '2.0',
    });
    expect(await taskQueue.getBuildIdCompatability(queue)).toMatchObject({
      versionSets: [
        { buildIds: ['1.0', '1.1'], default: '1.1' },
        { buildIds: ['2.0'], default: '2.0' },
      ],
      defaultBuildId: '2.0',
    });
    await taskQueue.updateBuildIdCompatibility(queue, {
      operation: 'promoteBuildIdWithinSet',
      buildId: '1.0',
    });
    await taskQueue.updateBuildIdCompatibility(queue, { operation: 'promoteSetByBuildId', buildId: '1.1' });
    expect(await taskQueue.getBuildIdCompatability(queue)).toMatchObject({
      versionSets: [{ default: '2.0' }, { buildIds: ['1.1', '1.0'], default: '1.0' }],
      defaultBuildId: '1.0',
    });
    await taskQueue.updateBuildIdCompatibility(queue, {
      operation: 'addNewCompatibleVersion',
      buildId: '2.1',
      existingCompatibleBuildId: '2.0',
      promoteSet: true,
    });
    expect(await taskQueue.getBuildIdCompatability(queue)).toMatchObject({ defaultBuildId: '2.1' });
    await taskQueue.updateBuildIdCompatibility(queue, {
      operation: 'mergeSets',
      primaryBuildId: '2.1',
      secondaryBuildId: '1.0',
    });
    const merged = await taskQueue.getBuildIdCompatability(queue);
    expect(merged!.versionSets).toHaveLength(1);
    expect(merged!.defaultBuildId).toBe('2.1');
    expect([...merged!.defaultSet.buildIds].sort()).toEqual(['1.0', '1.1', '2.0', '2.1']);
  });

  it('that nobody added are a typed error with the server answer as its cause', async () => {
    const failure = await client.taskQueue
      .updateBuildIdCompatibility(randomUUID(), { operation: 'promoteSetByBuildId', buildId: 'unknown' })
      .catch((error) => error);
    expect(failure).toBeInstanceOf(BuildIdNotFoundError);
    expect(failure).toMatchObject({ code: 'BUILD_ID_NOT_FOUND', cause: { code: 5 } });
    await expect(
      client.taskQueue.updateBuildIdCompatibility('q', { operation: 'what' } as never),
    ).rejects.toMatchObject({ code: 'VALUE_INVALID' });
    const elsewhere = new Client({ connection, namespace: 'nowhere' });
    await expect(elsewhere.taskQueue.getBuildIdCompatability('q')).rejects.toMatchObject({
      code: 'NAMESPACE_NOT_FOUND',
    });
  });

  it('say who still needs them, also workers without one', async () => {
    const queue = randomUUID();
    for (const buildId of ['old', 'new']) {
      await client.taskQueue.updateBuildIdCompatibility(queue, {
        operation: 'addNewIdInNewDefaultSet',
        buildId,
      });
    }
    const { buildIdReachability } = await client.taskQueue.getReachability({
      buildIds: ['old', 'new', UnversionedBuildId],
      taskQueues: [queue],
      reachability: 'OPEN_WORKFLOWS',
    });
    expect(buildIdReachability.new!.taskQueueReachability).toEqual({ [queue]: ['NEW_WORKFLOWS'] });
    expect(buildIdReachability.old!.taskQueueReachability).toEqual({ [queue]: [] });
    expect(buildIdReachability[UnversionedBuildId]!.taskQueueReachability).toHaveProperty([queue]);
    await expect(client.taskQueue.getReachability({ buildIds: [] })).rejects.toBeInstanceOf(ServiceError);
  });

  it('mark what the server had no time for', () => {
    expect(
      reachabilityResponseFromProto({
        buildIdReachability: [
          {
            buildId: 'a',
            taskQueueReachability: [{ taskQueue: 'q', reachability: [0] }, { taskQueue: 'r' }],
          },
          { buildId: '', taskQueueReachability: [{ taskQueue: 'q', reachability: [1, 4] }] },
        ],
      }).buildIdReachability,
    ).toEqual({
      a: { taskQueueReachability: { q: ['NOT_FETCHED'], r: [] } },
      [UnversionedBuildId]: { taskQueueReachability: { q: ['NEW_WORKFLOWS', 'CLOSED_WORKFLOWS'] } },
    });
  });
});

describe('worker deployments', () => {
  it('are found, described and made current by the raw service', async () => {
    const { workflowService } = connection;
    const deploymentName = `orders-${randomUUID()}`;
    const version = { deploymentName, buildId: '1' };
    const stop = new AbortController();
    // A poll makes the version known, as a worker's does.
    const polling = connection
      .withAbortSignal(stop.signal, () =>
        connection.withDeadline(Date.now() + 300_000, () =>
          workflowService.pollWorkflowTaskQueue({
            namespace: 'default',
            taskQueue: { name: randomUUID() },
            identity: 'poller',
            deploymentOptions: { deploymentName, buildId: '1', workerVersioningMode: 2 },
          }),
        ),
      )
      .catch(() => undefined);
    /** The answer, once the server has one. */
    const answered = async <T>(call: () => Promise<T>): Promise<T> => {
      const first = await eventually(
        () =>
          call().then(
            (answer) => ({ answer, error: undefined }),
            (error: unknown) => ({ answer: undefined, error }),
          ),
        ({ error }) => error === undefined,
      );
      return first.answer!;
    };
    const described = await answered(() =>
      workflowService.describeWorkerDeploymentVersion({ namespace: 'default', deploymentVersion: version }),
    );
    expect(described.workerDeploymentVersionInfo!.deploymentVersion).toEqual(version);
    await answered(() =>
      workflowService.setWorkerDeploymentCurrentVersion({
        namespace: 'default',
        deploymentName,
        buildId: '1',
        identity: 'operator',
        ignoreMissingTaskQueues: true,
      }),
    );
    const { workerDeploymentInfo } = await workflowService.describeWorkerDeployment({
      namespace: 'default',
      deploymentName,
    });
    expect(workerDeploymentInfo!.routingConfig!.currentDeploymentVersion).toEqual(version);
    await eventually(
      () => workflowService.listWorkerDeployments({ namespace: 'default' }),
      ({ workerDeployments }) => workerDeployments?.some(({ name }) => name === deploymentName),
    );
    stop.abort();
    await polling;
  });
});
