import { DefaultLogger } from './logger';
import { workerOptionsMessage } from './native-options';
import { InvalidOptionsError } from './options-check';
import { ResourceBasedController } from './tuner';
import type { ReplayWorkerOptions, WorkerOptions } from './worker-options';
import { compileReplayWorkerOptions, compileWorkerOptions } from './worker-options';

const logger = new DefaultLogger('ERROR', () => undefined);
const activities = { async a() {} };

/** Problems by field. */
function problemsOf(options: unknown, compile = compileWorkerOptions as (o: any, l: any) => unknown) {
  try {
    compile(options, logger);
    return {};
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidOptionsError);
    const { problems, code, message } = error as InvalidOptionsError;
    expect(code).toBe('WORKER_OPTIONS_INVALID');
    for (const { field } of problems) expect(message).toContain(field);
    return Object.fromEntries(problems.map(({ field, problem }) => [field, problem]));
  }
}

describe('worker options', () => {
  it('have the documented defaults', () => {
    const options = compileWorkerOptions({ taskQueue: 'q', activities }, logger);
    expect(options).toMatchObject({
      namespace: 'default',
      identity: `${process.pid}@${require('node:os').hostname()}`,
      shutdownGraceTimeMs: 0,
      shutdownForceTimeMs: undefined,
      enableNonLocalActivities: true,
      maxEagerActivityReservationsPerWorkflowTask: 3,
      nonStickyToStickyPollRatio: 0.2,
      stickyQueueScheduleToStartTimeoutMs: 10_000,
      maxHeartbeatThrottleIntervalMs: 60_000,
      defaultHeartbeatThrottleIntervalMs: 30_000,
      workflowPollers: { kind: 'fixed', count: 10 },
      activityPollers: { kind: 'fixed', count: 10 },
      showStackTraceSources: false,
      debugMode: false,
      reuseV8Context: true,
    });
    expect(Object.isFrozen(options)).toBe(true);
  });

  it('reach the native side with every field set', () => {
    const options = compileWorkerOptions(
      {
        taskQueue: 'q',
        activities,
        shutdownGraceTime: '2s',
        maxConcurrentActivityTaskExecutions: 7,
        maxActivitiesPerSecond: 1.5,
        activityTaskPollerBehavior: { type: 'autoscaling', maximum: 9 },
        workflowFailureErrorTypes: { '*': ['NondeterminismError', 'Error'], other: ['TypeError'] },
      },
      logger,
    );
    const message = workerOptionsMessage(options, {
      workflows: true,
      activities: true,
      nexus: false,
      codec: false,
      buildId: 'b',
    });
    expect(message).toMatchObject({
      namespace: 'default',
      taskQueue: 'q',
      workflows: true,
      remoteActivities: true,
      localActivities: true,
      nexus: false,
      slots: {
        workflow: { fixed: 40 },
        activity: { fixed: 7 },
        localActivity: { fixed: 100 },
        nexus: { fixed: 100 },
      },
      workflowPollers: { fixed: 10 },
      activityPollers: { autoscaling: { minimum: 1, initial: 5, maximum: 9 } },
      maxWorkerActivitiesPerSecond: 1.5,
      versioning: { buildId: 'b' },
      workflowFailureErrors: { '*': { types: ['NondeterminismError'] } },
    });
    expect(message.gracefulShutdownMs?.toNumber()).toBe(2000);
    expect(Object.values(message).includes(undefined)).toBe(false);
  });

  it('limit the default of polls to the executions', () => {
    const options = compileWorkerOptions(
      { taskQueue: 'q', activities, maxConcurrentActivityTaskExecutions: 3 },
      logger,
    );
    expect(options.activityPollers).toEqual({ kind: 'fixed', count: 3 });
  });

  it('report all problems at once, each with what was given and what is accepted', () => {
    const problems = problemsOf({
      taskQueue: '',
      activities,
      namespace: 5,
      shutdownGraceTime: 'soon',
      maxConcurrentActivityTaskExecutions: 0,
      nonStickyToStickyPollRatio: 2,
      reuseV8Context: 'yes',
      workflowTaskPollerBehavior: { type: 'simple-maximum', minimum: 1 },
      interceptors: { workflowModule: ['x'] },
      dataConverter: { payloadCodecs: 'none' },
    });
    expect(problems).toMatchObject({
      taskQueue: 'got "", takes a non-empty text',
      namespace: 'got 5, takes a non-empty text',
      shutdownGraceTime: expect.stringContaining('takes a duration'),
      maxConcurrentActivityTaskExecutions: 'got 0, takes a whole number from 1 to 1000000',
      nonStickyToStickyPollRatio: 'got 2, takes a number from 0 to 1',
      reuseV8Context: 'got "yes", takes true or false',
      workflowTaskPollerBehavior: expect.stringContaining('autoscaling'),
      'interceptors.workflowModule': 'unknown option, did you mean "workflowModules"?',
      'dataConverter.payloadCodecs': 'got "none", takes an array of codecs',
    });
  });

  it.each([
    ['maxConcurentActivityTaskExecutions', 'maxConcurrentActivityTaskExecutions'],
    ['workflowPath', 'workflowsPath'],
    ['taskqueue', 'taskQueue'],
    ['maxCachedWorkflow', 'maxCachedWorkflows'],
  ])('suggest for %s the name %s', (wrong, right) => {
    expect(problemsOf({ taskQueue: 'q', activities, [wrong]: 1 })[wrong]).toBe(
      `unknown option, did you mean "${right}"?`,
    );
  });

  it('suggest nothing for a name that is like no other', () => {
    expect(problemsOf({ taskQueue: 'q', activities, zzzzzz: 1 })).toEqual({ zzzzzz: 'unknown option' });
  });

  it.each([undefined, null, 5, 'text', []])('refuse %p as a whole', (given) => {
    expect(Object.keys(problemsOf(given)).length).toBeGreaterThan(0);
  });

  it('ask for something to do', () => {
    expect(problemsOf({ taskQueue: 'q' })).toEqual({ activities: expect.stringContaining('none is given') });
  });

  it('refuse reserved task queues', () => {
    expect(problemsOf({ taskQueue: '__temporal_x', activities })).toEqual({
      taskQueue: expect.stringContaining('reserved'),
    });
  });

  it('want two polls for workflows that are cached', () => {
    expect(problemsOf({ taskQueue: 'q', activities, maxConcurrentWorkflowTaskPolls: 1 })).toEqual({
      maxConcurrentWorkflowTaskPolls: expect.stringContaining('at least 2'),
    });
    expect(
      problemsOf({ taskQueue: 'q', activities, maxConcurrentWorkflowTaskPolls: 1, maxCachedWorkflows: 0 }),
    ).toEqual({});
    expect(
      Object.keys(problemsOf({ taskQueue: 'q', activities, maxConcurrentWorkflowTaskExecutions: 1 })),
    ).toEqual(['maxConcurrentWorkflowTaskExecutions']);
  });

  it('take a tuner in place of numbers of executions', () => {
    const options = compileWorkerOptions(
      {
        taskQueue: 'q',
        activities,
        tuner: {
          tunerOptions: { targetCpuUsage: 0.5, targetMemoryUsage: 0.6 },
          activityTaskSlotOptions: { maximumSlots: 5 },
        },
      },
      logger,
    );
    const { slots } = workerOptionsMessage(options, {
      workflows: true,
      activities: true,
      nexus: false,
      codec: false,
      buildId: '',
    });
    expect(slots).toMatchObject({
      workflow: { resourceBased: { minimum: 2, maximum: 1000 } },
      activity: { resourceBased: { minimum: 1, maximum: 5 } },
      targetCpu: 0.5,
      targetMemory: 0.6,
    });
    expect(slots!.activity!.resourceBased!.rampThrottleMs!.toNumber()).toBe(50);
  });

  it('check tuners', () => {
    const problems = problemsOf({
      taskQueue: 'q',
      activities,
      maxConcurrentActivityTaskExecutions: 5,
      tuner: {
        workflowTaskSlotSupplier: { type: 'fixed-size' },
        activityTaskSlotSupplier: { type: 'custom', reserveSlot: 1, tryReserveSlot() {}, markSlotUsed() {} },
        localActivityTaskSlotSupplier: { type: 'resource-based', tunerOptions: { targetCpuUsage: 3 } },
      },
    });
    expect(Object.keys(problems).sort()).toEqual([
      'maxConcurrentActivityTaskExecutions',
      'tuner.activityTaskSlotSupplier.releaseSlot',
      'tuner.activityTaskSlotSupplier.reserveSlot',
      'tuner.localActivityTaskSlotSupplier.tunerOptions.targetCpuUsage',
      'tuner.localActivityTaskSlotSupplier.tunerOptions.targetMemoryUsage',
      'tuner.nexusTaskSlotSupplier',
      'tuner.workflowTaskSlotSupplier.numSlots',
    ]);
  });

  it('keep resource based suppliers of one worker to the same targets, and limits in order', () => {
    const target = { targetCpuUsage: 0.5, targetMemoryUsage: 0.5 };
    const controller = ResourceBasedController.create(target);
    const based = (more: object) => ({ type: 'resource-based', ...more });
    const problems = problemsOf({
      taskQueue: 'q',
      activities,
      tuner: {
        workflowTaskSlotSupplier: { type: 'fixed-size', numSlots: 1 },
        activityTaskSlotSupplier: based({ tunerOptions: target }),
        localActivityTaskSlotSupplier: based({ controller, minimumSlots: 5, maximumSlots: 4 }),
        nexusTaskSlotSupplier: based({ controller: { ...target } }),
      },
    });
    expect(problems).toMatchObject({
      tuner: expect.stringContaining('the same tunerOptions or controller'),
      'tuner.workflowTaskSlotSupplier.numSlots': expect.stringContaining('at least 2'),
      'tuner.localActivityTaskSlotSupplier.minimumSlots': expect.stringContaining('at most maximumSlots'),
      'tuner.nexusTaskSlotSupplier.controller': expect.stringContaining('ResourceBasedController.create'),
    });
    expect(() => ResourceBasedController.create({ targetCpuUsage: 2 } as any)).toThrow(/targetCpuUsage/);
    const misspelt = { tunerOptions: target, activitySlotOptions: {} };
    expect(problemsOf({ taskQueue: 'q', activities, tuner: misspelt })).toEqual({
      'tuner.activitySlotOptions': 'unknown option, did you mean "activityTaskSlotOptions"?',
    });
  });

  it('take a controller that several workers share', () => {
    const controller = ResourceBasedController.create({ targetCpuUsage: 0.1, targetMemoryUsage: 0.2 });
    const options = compileWorkerOptions({ taskQueue: 'q', activities, tuner: { controller } }, logger);
    const { slots } = workerOptionsMessage(options, {
      workflows: true,
      activities: true,
      nexus: false,
      codec: false,
      buildId: '',
    });
    expect(slots).toMatchObject({ targetCpu: 0.1, targetMemory: 0.2, controller: controller.number });
  });

  it('check deployments', () => {
    expect(
      problemsOf({ taskQueue: 'q', activities, workerDeploymentOptions: { useWorkerVersioning: true } }),
    ).toEqual({
      'workerDeploymentOptions.version': 'is required',
      'workerDeploymentOptions.defaultVersioningBehavior': expect.stringContaining('is required'),
    });
    const options = compileWorkerOptions(
      {
        taskQueue: 'q',
        activities,
        workerDeploymentOptions: {
          version: { buildId: 'b1', deploymentName: 'd' },
          useWorkerVersioning: true,
          defaultVersioningBehavior: 'PINNED',
        },
      },
      logger,
    );
    const { versioning } = workerOptionsMessage(options, {
      workflows: true,
      activities: true,
      nexus: false,
      codec: false,
      buildId: '',
    });
    expect(versioning).toEqual({
      deployment: { deploymentName: 'd', buildId: 'b1', useVersioning: true, defaultBehavior: 'PINNED' },
    });
  });

  it('check sinks', () => {
    const sinks = {
      good: { f: { fn: () => undefined } },
      bad: { f: { callDuringReplay: 1 } },
      __temporal_x: {},
    };
    expect(problemsOf({ taskQueue: 'q', activities, sinks })).toEqual({
      'sinks.bad.f.callDuringReplay': 'got 1, takes true or false',
      'sinks.bad.f.fn': 'is required',
      'sinks.__temporal_x': expect.stringContaining('reserved'),
    });
  });

  it('check Nexus services', () => {
    const service = { definition: { name: 'a' }, getOperationHandler: () => undefined };
    expect(problemsOf({ taskQueue: 'q', nexusServices: [service] })).toEqual({});
    expect(problemsOf({ taskQueue: 'q', nexusServices: [service, {}, service] })).toEqual({
      'nexusServices[1]': 'got an object, takes what serviceHandler of nexus-rpc made',
      'nexusServices[2]': 'the service "a" is there already',
    });
  });

  it('say plainly what this version does not have', () => {
    const problems = problemsOf({
      taskQueue: 'q',
      activities,
      bundlerOptions: { webpackConfigHook: () => ({}) },
    });
    expect(Object.keys(problems)).toEqual(['bundlerOptions.webpackConfigHook']);
  });

  it('follow TEMPORAL_DEBUG', () => {
    process.env.TEMPORAL_DEBUG = '1';
    try {
      expect(
        compileWorkerOptions({ taskQueue: 'q', activities } satisfies WorkerOptions, logger).debugMode,
      ).toBe(true);
    } finally {
      delete process.env.TEMPORAL_DEBUG;
    }
  });
});

describe('replay options', () => {
  const compile = compileReplayWorkerOptions as (options: any, logger: any) => unknown;

  it('have a task queue of their own', () => {
    const options: ReplayWorkerOptions = { workflowsPath: 'a' };
    expect(compileReplayWorkerOptions(options, logger)).toMatchObject({ taskQueue: 'fake_replay_queue' });
    expect(compileReplayWorkerOptions({ ...options, replayName: 'mine' }, logger).taskQueue).toBe('mine');
  });

  it('know nothing of connections and activities', () => {
    expect(problemsOf({ workflowsPath: 'a', taskQueue: 'q', activities }, compile)).toEqual({
      taskQueue: 'unknown option',
      activities: 'unknown option',
    });
  });

  it('need workflows', () => {
    expect(Object.keys(problemsOf({}, compile))).toEqual(['workflowsPath']);
  });
});
