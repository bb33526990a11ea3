/** What users do wrong, and what they are told: each has a code or a type, and says what to do. */
import { join } from 'node:path';
import { hasCode } from '@perdure/common';
import type { Worker } from '@perdure/worker';
import * as workflow from '@perdure/workflow';
import { eventNames, eventsOfType, harness, rejection, until, workflowsDir } from './support/harness';
import { attributesOf } from './support/plain';

const h = harness();
const workflowsPath = join(workflowsDir, 'mistakes.ts');
let worker: Worker;

beforeAll(async () => {
  worker = await h.worker({ workflowsPath });
  h.background(worker);
});

/** Message of the first task that failed. */
async function taskFailure(handle: Parameters<typeof eventsOfType>[0]): Promise<string> {
  await until(
    async () => (await eventsOfType(handle, 'WorkflowTaskFailed')).length > 0,
    'the task has failed',
  );
  const [{ failure }] = await attributesOf(handle, 'WorkflowTaskFailed');
  return failure.message;
}

describe('outside of workflows', () => {
  const { proxyActivities, proxyLocalActivities, proxySinks } = workflow;
  const calls: Record<string, () => unknown> = {
    activity: () => proxyActivities<any>({ startToCloseTimeout: 1 }).act(),
    'activity with options': () =>
      proxyActivities<any>({ startToCloseTimeout: 1 }).act.executeWithOptions({}, []),
    'local activity': () => proxyLocalActivities<any>({ startToCloseTimeout: 1 }).act(),
    scheduleActivity: () => workflow.scheduleActivity('a', [], { startToCloseTimeout: 1 }),
    scheduleLocalActivity: () => workflow.scheduleLocalActivity('a', [], { startToCloseTimeout: 1 }),
    sleep: () => workflow.sleep(1),
    condition: () => workflow.condition(() => true),
    Trigger: () => new workflow.Trigger(),
    'CancellationScope.current': () => workflow.CancellationScope.current(),
    'CancellationScope.cancellable': () => workflow.CancellationScope.cancellable(async () => 1),
    'CancellationScope.nonCancellable': () => workflow.CancellationScope.nonCancellable(async () => 1),
    'CancellationScope.withTimeout': () => workflow.CancellationScope.withTimeout(1, async () => 1),
    setHandler: () => workflow.setHandler(workflow.defineSignal('s'), () => undefined),
    setDefaultSignalHandler: () => workflow.setDefaultSignalHandler(() => undefined),
    setDefaultQueryHandler: () => workflow.setDefaultQueryHandler(() => undefined),
    setDefaultUpdateHandler: () => workflow.setDefaultUpdateHandler(() => undefined),
    allHandlersFinished: () => workflow.allHandlersFinished(),
    currentUpdateInfo: () => workflow.currentUpdateInfo(),
    startChild: () => workflow.startChild('child'),
    executeChild: () => workflow.executeChild('child'),
    getExternalWorkflowHandle: () => workflow.getExternalWorkflowHandle('id'),
    continueAsNew: () => workflow.continueAsNew(),
    makeContinueAsNewFunc: () => workflow.makeContinueAsNewFunc()(),
    patched: () => workflow.patched('p'),
    deprecatePatch: () => workflow.deprecatePatch('p'),
    workflowInfo: () => workflow.workflowInfo(),
    upsertMemo: () => workflow.upsertMemo({}),
    upsertSearchAttributes: () => workflow.upsertSearchAttributes({}),
    setCurrentDetails: () => workflow.setCurrentDetails(''),
    getCurrentDetails: () => workflow.getCurrentDetails(),
    workflowRandom: () => workflow.workflowRandom.random(),
    getRandomStream: () => workflow.getRandomStream('s').random(),
    createEventGroup: () => workflow.createEventGroup('g'),
    log: () => workflow.log.info('line'),
    metricMeter: () => workflow.metricMeter.createCounter('c').add(1),
    proxySinks: () => proxySinks<any>().a.b(),
    'Nexus operation': () =>
      workflow
        .createNexusServiceClient({
          endpoint: 'e',
          service: { name: 's', operations: { o: { name: 'o' } } } as never,
        })
        .executeOperation('o' as never, undefined as never),
  };

  it.each(Object.keys(calls))('%s is refused with a code and a hint', async (name) => {
    const error = await rejection(Promise.resolve().then(calls[name]));
    expect([error.message, hasCode(error, 'ILLEGAL_STATE'), error.hint]).toEqual([
      expect.stringMatching(/[Ww]orkflow/),
      true,
      expect.stringMatching(/workflow code/),
    ]);
  });

  it('definitions, options and types can be made and used', () => {
    expect(workflow.inWorkflowContext()).toBe(false);
    expect(workflow.uuid4()).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(workflow.uuid4()).not.toBe(workflow.uuid4());
    expect(workflow.defineSignal('s')).toEqual({ type: 'signal', name: 's' });
    expect(workflow.isCancellation(new Error('no'))).toBe(false);
    expect(() => proxyActivities<any>({} as never)).toThrow(/scheduleToCloseTimeout or startToCloseTimeout/);
    const options = { startToCloseTimeout: 1 };
    expect(typeof proxyActivities<any>(options).act).toBe('function');
    workflow.setWorkflowOptions({ versioningBehavior: 'PINNED' }, async () => 1);
  });
});

describe('query handlers and validators', () => {
  const commands = [
    'sleep',
    'setTimeout',
    'activity',
    'setHandler',
    'patched',
    'upsertMemo',
    'upsertSearchAttributes',
    // Async functions: nobody may wait for what they return, so that they have to refuse at the call.
    'condition',
    'localActivity',
    'startChild',
    'executeChild',
  ];

  it('may emit no command: the query or the update fails with a hint, the workflow goes on', async () => {
    const handle = await h.start(worker, 'asked');
    const failures = async (what: string) => {
      const query = await rejection(handle.query('ask', what));
      const update = await rejection(handle.executeUpdate('change', { args: [what] }));
      return [what, query.message, update.cause.message];
    };
    for (const what of commands) {
      expect(await failures(what)).toEqual([
        what,
        expect.stringMatching(/in a query handler.*a query handler only reads the state/s),
        expect.stringMatching(/in an update validator.*an update validator only reads the state/s),
      ]);
    }
    await handle.signal('end');
    const { before, after } = await handle.result();
    expect(new Set([...before, ...after]).size).toBe(4);
    expect(await eventNames(handle)).toEqual([
      'WorkflowExecutionStarted',
      'WorkflowExecutionSignaled',
      'WorkflowExecutionCompleted',
    ]);
  });

  it('may not hide a command in an async function: its rejection fails the task, and says where that came from', async () => {
    const handle = await h.start(worker, 'asked');
    void handle.executeUpdate('change', { args: ['hidden'] }).catch(() => undefined);
    expect(await taskFailure(handle)).toMatch(
      /Unhandled.*sleep\(\) may not be used in an update validator; an update validator only reads the state/,
    );
    await handle.terminate();
  });

  it('may not wait: a promise is no answer and no verdict', async () => {
    const handle = await h.start(worker, 'asked');
    expect((await rejection(handle.query('ask', 'async'))).message).toMatch(
      /Query handlers should not return a Promise.*make the handler synchronous/s,
    );
    const update = await rejection(handle.executeUpdate('change', { args: ['async'] }));
    expect(update.cause).toMatchObject({ type: 'AsyncValidator' });
    await handle.terminate();
  });

  it('can change variables, which nobody can prevent: the change is lost with the cache, as documented', async () => {
    const own = await h.worker({ workflowsPath, maxCachedWorkflows: 0 });
    await own.runUntil(async () => {
      const handle = await h.start(own, 'asked');
      expect(await handle.query('ask', 'state')).toBe(1);
      expect(await handle.query('ask', 'state')).toBe(1);
      await handle.terminate();
    });
  });

  it('draw random numbers without taking them from the workflow', async () => {
    const drawing = await h.start(worker, 'asked');
    const drawn: unknown[] = [];
    for (let i = 0; i < 3; i++) drawn.push(await drawing.query('ask', 'draw'));
    await drawing.signal('end');
    const { before, after } = await drawing.result();
    expect(new Set([...before, ...after]).size).toBe(4);
    expect(drawn).toEqual([after, after, after]); // what comes next, without taking it
  });
});

it('a workflow function that is not async may return its value', async () => {
  expect(await h.execute(worker, 'returnsNoPromise')).toBe('a value of returnsNoPromise');
});

it('a signal handler that throws what is no error fails the task, and says so', async () => {
  const handle = await h.start(worker, 'throwsInSignal');
  await handle.signal('do', 'throw');
  expect(await taskFailure(handle)).toMatch(
    /thrown not an error at all, which is no Error.*ApplicationFailure/,
  );
  await handle.terminate();
});

it('an unknown type says which types there are, and what to do', async () => {
  const handle = await h.start(worker, 'unheardOf');
  expect(await taskFailure(handle)).toMatch(
    /no workflow of type "unheardOf": it has "asked", "local", .*export the workflow function under that name/,
  );
  await handle.terminate();
});

describe('a local activity that is not there', () => {
  it('fails the task at once on a worker without activities', async () => {
    const handle = await h.start(worker, 'local');
    expect(await taskFailure(handle)).toMatch(
      /'absent' not registered on worker: it has no activities; add it to the activities of the worker/,
    );
    await handle.terminate();
  });

  it('fails the task at once on a worker with others, and names them', async () => {
    const own = await h.worker({ workflowsPath, activities: { present: async () => 1 } });
    await own.runUntil(async () => {
      const handle = await h.start(own, 'local');
      expect(await taskFailure(handle)).toMatch(/'absent' not registered on worker: it has "present"/);
      await handle.terminate();
    });
  });
});

it('the API of activities cannot be imported in workflow code: the bundle says where and what to do', async () => {
  const error = await rejection(h.worker({ workflowsPath: join(workflowsDir, 'mistakes-activity-api.ts') }));
  expect(hasCode(error, 'BUNDLE_MODULE_DISALLOWED')).toBe(true);
  expect(error.message).toMatch(
    /mistakes-activity-api\.ts:2:\d+: @perdure\/activity cannot be imported.*import type.*proxyActivities/,
  );
});
