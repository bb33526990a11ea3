import {
  ApplicationFailure,
  CancelledFailure,
  ChildWorkflowFailure,
  defineSearchAttributeKey,
} from '@perdure/common';
import {
  CancellationScope,
  executeChild,
  getExternalWorkflowHandle,
  isCancellation,
  sleep,
  startChild,
} from './index';
import { job, scenario } from './testing/scenario';

const started = (seq: number, more: object = {}) => ({
  startChildWorkflowExecution: {
    seq,
    namespace: 'test-namespace',
    workflowId: 'child',
    workflowType: 'childType',
    taskQueue: 'test-queue',
    cancellationType: 2,
    ...more,
  },
});
const childFailure = (cause?: Error) =>
  new ChildWorkflowFailure(
    'test-namespace',
    { workflowId: 'child', runId: 'r' },
    'childType',
    'TIMEOUT',
    cause,
  );

describe('a child workflow', () => {
  it('is started and gives its result', async () => {
    const s = scenario(() => executeChild('childType', { workflowId: 'child', args: [1] }));
    expect(await s.commands([job.start()])).toEqual([started(1, { input: [1] })]);
    expect(await s.commands([job.childStarted(1)])).toEqual([]);
    expect(await s.commands([job.childDone(1, 'result')])).toEqual([
      { completeWorkflowExecution: { result: 'result' } },
    ]);
  });

  it('that completes in the activation in which it starts gives its result', async () => {
    const s = scenario(() => executeChild('childType', { workflowId: 'child' }));
    await s.commands([job.start()]);
    expect(await s.commands([job.childStarted(1), job.childDone(1, 2)])).toEqual([
      { completeWorkflowExecution: { result: 2 } },
    ]);
  });

  it('takes every option', async () => {
    const key = defineSearchAttributeKey('Colour', 'KEYWORD');
    const s = scenario(() =>
      startChild('childType', {
        workflowId: 'child',
        taskQueue: 'elsewhere',
        workflowExecutionTimeout: '3s',
        workflowRunTimeout: '2s',
        workflowTaskTimeout: '1s',
        parentClosePolicy: 'REQUEST_CANCEL',
        workflowIdReusePolicy: 'REJECT_DUPLICATE',
        cancellationType: 'TRY_CANCEL',
        cronSchedule: '0 * * * *',
        retry: { maximumAttempts: 2 },
        memo: { note: 'n' },
        typedSearchAttributes: [{ key, value: 'red' }],
        staticSummary: 'sum',
        staticDetails: 'det',
        priority: { priorityKey: 1 },
      }),
    );
    expect(await s.commands([job.start()])).toEqual([
      {
        ...started(1, {
          taskQueue: 'elsewhere',
          workflowExecutionTimeout: 3000,
          workflowRunTimeout: 2000,
          workflowTaskTimeout: 1000,
          parentClosePolicy: 3,
          workflowIdReusePolicy: 3,
          cancellationType: 1,
          cronSchedule: '0 * * * *',
          retryPolicy: { maximumAttempts: 2, initialInterval: 1000 },
          memo: { note: 'n' },
          searchAttributes: { indexedFields: { Colour: 'red' } },
          priority: { priorityKey: 1 },
        }),
        userMetadata: { summary: 'sum', details: 'det' },
      },
    ]);
  });

  it('has an id from the random stream unless one is given', async () => {
    const s = scenario(async () => {
      await Promise.all([executeChild('childType'), executeChild('childType')]);
    });
    const ids = (await s.commands([job.start()])).map((c) => c.startChildWorkflowExecution.workflowId);
    expect(ids[0]).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(ids[0]).not.toBe(ids[1]);
  });

  it('whose id is in use rejects with an error of its own', async () => {
    const s = scenario(() =>
      executeChild('childType', { workflowId: 'child' }).catch((e: Error) => [e.name, (e as any).workflowId]),
    );
    await s.commands([job.start()]);
    expect(await s.commands([job.childNotStarted(1, 1)])).toEqual([
      { completeWorkflowExecution: { result: ['WorkflowExecutionAlreadyStartedError', 'child'] } },
    ]);
  });

  it('that cannot be started for another reason rejects with the reason', async () => {
    const s = scenario(() =>
      startChild('childType', { workflowId: 'child' }).then(
        () => 1,
        (e: Error) => e.message,
      ),
    );
    await s.commands([job.start()]);
    expect(await s.commands([job.childNotStarted(1, 2)])).toEqual([
      {
        completeWorkflowExecution: {
          result:
            "Child workflow 'child' of type 'childType' could not be started: the namespace does not exist",
        },
      },
    ]);
  });

  it('that fails rejects with a ChildWorkflowFailure and its cause', async () => {
    const s = scenario(() =>
      executeChild('childType', { workflowId: 'child' }).catch((e: any) => [
        e instanceof ChildWorkflowFailure,
        e.cause.message,
      ]),
    );
    await s.commands([job.start()]);
    await s.commands([job.childStarted(1)]);
    expect(
      await s.commands([job.childFailed(1, childFailure(ApplicationFailure.nonRetryable('why')))]),
    ).toEqual([{ completeWorkflowExecution: { result: [true, 'why'] } }]);
  });

  it('gives a handle once started, by which it can be signalled and awaited', async () => {
    const s = scenario(async () => {
      const handle = await startChild('childType', { workflowId: 'child' });
      await handle.signal('hello', 1);
      return [handle.workflowId, handle.firstExecutionRunId, await handle.result()];
    });
    await s.commands([job.start()]);
    expect(await s.commands([job.childStarted(1, 'first-run')])).toEqual([
      {
        signalExternalWorkflowExecution: { seq: 1, childWorkflowId: 'child', signalName: 'hello', args: [1] },
      },
    ]);
    await s.commands([job.signalSent(1)]);
    expect(await s.commands([job.childDone(1, 'r')])).toEqual([
      { completeWorkflowExecution: { result: ['child', 'first-run', 'r'] } },
    ]);
  });

  it('that nobody waits for may fail without disturbing', async () => {
    const s = scenario(async () => {
      await startChild('childType', { workflowId: 'child' });
      await sleep(1);
    });
    await s.commands([job.start()]);
    await s.commands([job.childStarted(1)]);
    expect(await s.commands([job.childFailed(1, childFailure())])).toEqual([]);
  });

  it('is asked to cancel with its scope and rejects when the core reports it', async () => {
    const s = scenario(() => executeChild('childType', { workflowId: 'child' }));
    await s.commands([job.start()]);
    await s.commands([job.childStarted(1)]);
    expect(await s.commands([job.cancel()])).toEqual([
      { cancelChildWorkflowExecution: { childWorkflowSeq: 1, reason: 'Workflow cancelled' } },
    ]);
    expect(await s.commands([job.childCancelled(1, childFailure(new CancelledFailure('c')))])).toEqual([
      { cancelWorkflowExecution: {} },
    ]);
  });

  it('cancelled before it has started rejects both its start and its result', async () => {
    const s = scenario(async () => {
      const scope = new CancellationScope();
      const child = scope.run(() => startChild('childType', { workflowId: 'child' }));
      await sleep(1);
      scope.cancel();
      return child.catch((error) => isCancellation(error));
    });
    await s.commands([job.start()]);
    expect(await s.commands([job.fireTimer(1)])).toEqual([
      { cancelChildWorkflowExecution: { childWorkflowSeq: 1, reason: 'Cancellation scope cancelled' } },
    ]);
    expect(await s.commands([job.childStartCancelled(1, childFailure(new CancelledFailure('c')))])).toEqual([
      { completeWorkflowExecution: { result: true } },
    ]);
  });

  it('whose result comes before its start, as that of one which is abandoned while it starts, rejects both', async () => {
    const cancelled = new ChildWorkflowFailure(
      'ns',
      {},
      'childType',
      'NON_RETRYABLE_FAILURE',
      new CancelledFailure('c'),
    );
    const s = scenario(async () => {
      const options = { cancellationType: 'ABANDON' } as const;
      const outcomes = await Promise.all([
        startChild('childType', options).catch((error) => isCancellation(error)),
        executeChild('childType', options).catch((error) => isCancellation(error)),
      ]);
      await CancellationScope.nonCancellable(() => sleep(1));
      return outcomes;
    });
    await s.commands([job.start()]);
    await s.commands([job.cancel()]);
    expect(await s.commands([job.childCancelled(1, cancelled), job.childCancelled(2, cancelled)])).toEqual([
      { startTimer: { seq: 1, startToFireTimeout: 1 } },
    ]);
    expect(await s.commands([job.fireTimer(1)])).toEqual([
      { completeWorkflowExecution: { result: [true, true] } },
    ]);
  });

  it('is not asked to cancel once it has completed', async () => {
    const s = scenario(async () => {
      await executeChild('childType', { workflowId: 'child' });
      await sleep(1);
    });
    await s.commands([job.start()]);
    await s.commands([job.childStarted(1)]);
    await s.commands([job.childDone(1)]);
    expect(await s.commands([job.cancel()])).toEqual([
      { cancelTimer: { seq: 1 } },
      { cancelWorkflowExecution: {} },
    ]);
  });
});

describe('an external workflow', () => {
  const execution = { namespace: 'test-namespace', workflowId: 'other' };

  it('is signalled', async () => {
    const s = scenario(async () => {
      await getExternalWorkflowHandle('other').signal('hi', 'a');
      return 'sent';
    });
    expect(await s.commands([job.start()])).toEqual([
      {
        signalExternalWorkflowExecution: {
          seq: 1,
          workflowExecution: execution,
          signalName: 'hi',
          args: ['a'],
        },
      },
    ]);
    expect(await s.commands([job.signalSent(1)])).toEqual([
      { completeWorkflowExecution: { result: 'sent' } },
    ]);
  });

  it('of another namespace is signalled and cancelled there, once the code says that the server allows it', async () => {
    const s = scenario(async () => {
      const handle = getExternalWorkflowHandle('other', 'run', {
        namespace: 'elsewhere',
        crossNamespaceCommands: true,
      });
      await Promise.all([handle.signal('hi'), handle.cancel()]);
      return handle.namespace;
    });
    const workflowExecution = { namespace: 'elsewhere', workflowId: 'other', runId: 'run' };
    expect(await s.commands([job.start()])).toEqual([
      { signalExternalWorkflowExecution: { seq: 1, workflowExecution, signalName: 'hi' } },
      { requestCancelExternalWorkflowExecution: { seq: 1, workflowExecution } },
    ]);
    expect(await s.commands([job.signalSent(1), job.cancelSent(1)])).toEqual([
      { completeWorkflowExecution: { result: 'elsewhere' } },
    ]);
  });

  it('of another namespace is refused with a code and a hint, one of the own is not', async () => {
    const s = scenario(async () => {
      const own = getExternalWorkflowHandle('other', undefined, { namespace: 'test-namespace' });
      try {
        getExternalWorkflowHandle('other', undefined, { namespace: 'elsewhere' });
      } catch (error) {
        const { name, code, hint } = error as any;
        return [own.namespace, name, code, hint];
      }
    });
    expect(await s.commands([job.start()])).toEqual([
      {
        completeWorkflowExecution: {
          result: [
            'test-namespace',
            'CrossNamespaceError',
            'WORKFLOW_CROSS_NAMESPACE',
            expect.stringMatching(/externalWorkflowActivities.*crossNamespaceCommands/),
          ],
        },
      },
    ]);
  });

  it('that cannot be signalled rejects', async () => {
    const s = scenario(() =>
      getExternalWorkflowHandle('other', 'run')
        .signal('hi')
        .catch((e: Error) => e.message),
    );
    await s.commands([job.start()]);
    expect(
      await s.commands([job.signalSent(1, ApplicationFailure.create({ message: 'not found' }))]),
    ).toEqual([{ completeWorkflowExecution: { result: 'not found' } }]);
  });

  it('takes its signal back when the scope is cancelled', async () => {
    const s = scenario(() => getExternalWorkflowHandle('other').signal('hi'));
    await s.commands([job.start()]);
    expect(await s.commands([job.cancel()])).toEqual([{ cancelSignalWorkflow: { seq: 1 } }]);
    expect(await s.commands([job.signalSent(1, new CancelledFailure('taken back'))])).toEqual([
      { cancelWorkflowExecution: {} },
    ]);
  });

  it('is asked to cancel', async () => {
    const s = scenario(async () => {
      await getExternalWorkflowHandle('other').cancel();
      return 'asked';
    });
    expect(await s.commands([job.start()])).toEqual([
      { requestCancelExternalWorkflowExecution: { seq: 1, workflowExecution: execution } },
    ]);
    expect(await s.commands([job.cancelSent(1)])).toEqual([
      { completeWorkflowExecution: { result: 'asked' } },
    ]);
  });

  it('that cannot be cancelled rejects', async () => {
    const s = scenario(() =>
      getExternalWorkflowHandle('other')
        .cancel()
        .catch((e: Error) => e.message),
    );
    await s.commands([job.start()]);
    expect(await s.commands([job.cancelSent(1, ApplicationFailure.create({ message: 'unknown' }))])).toEqual([
      { completeWorkflowExecution: { result: 'unknown' } },
    ]);
  });

  it('request to cancel stops to wait when its own scope is cancelled, as histories since the patch have it', async () => {
    const s = scenario(() => getExternalWorkflowHandle('other').cancel());
    await s.commands([job.start()]);
    expect(await s.commands([job.cancel()])).toEqual([
      { setPatchMarker: { patchId: '__temporal_internal_connect_external_handle_cancel_to_scope' } },
      { cancelWorkflowExecution: {} },
    ]);
  });
});
