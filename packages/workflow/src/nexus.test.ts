import { CancelledFailure, NexusOperationFailure } from '@perdure/common';
import { CancellationScope, createNexusServiceClient, isCancellation, sleep } from './index';
import { job, scenario } from './testing/scenario';

const service = { name: 'greetings', operations: { hello: { name: 'hello-op' }, bye: { name: 'bye' } } };
const client = () => createNexusServiceClient({ endpoint: 'endpoint', service });
const failure = (cause?: Error) =>
  new NexusOperationFailure('operation failed', 1, 'endpoint', 'greetings', 'hello-op', undefined, cause);
const scheduled = (more: object = {}) => ({
  scheduleNexusOperation: {
    seq: 1,
    endpoint: 'endpoint',
    service: 'greetings',
    operation: 'hello-op',
    input: 'Ada',
    ...more,
  },
});

describe('a Nexus operation', () => {
  it('called by key or by definition gives its result', async () => {
    for (const op of ['hello', service.operations.hello] as const) {
      const s = scenario(() => client().executeOperation(op as any, 'Ada'));
      expect(await s.commands([job.start()])).toEqual([scheduled()]);
      await s.commands([job.nexusStarted(1, 'token')]);
      expect(await s.commands([job.nexusDone(1, 'hi')])).toEqual([
        { completeWorkflowExecution: { result: 'hi' } },
      ]);
    }
  });

  it('takes every option', async () => {
    const s = scenario(() =>
      client().startOperation('hello', 'Ada', {
        scheduleToCloseTimeout: '3s',
        scheduleToStartTimeout: '2s',
        startToCloseTimeout: '1s',
        cancellationType: 'TRY_CANCEL',
        summary: 'greets',
      }),
    );
    expect(await s.commands([job.start()])).toEqual([
      {
        userMetadata: { summary: 'greets' },
        ...scheduled({
          scheduleToCloseTimeout: 3000,
          scheduleToStartTimeout: 2000,
          startToCloseTimeout: 1000,
          cancellationType: 2,
        }),
      },
    ]);
  });

  it('that ends as it starts has no token', async () => {
    const s = scenario(async () => {
      const handle = await client().startOperation('hello', 'Ada');
      return [handle.token ?? 'none', await handle.result()];
    });
    await s.commands([job.start()]);
    expect(await s.commands([job.nexusStarted(1), job.nexusDone(1, 'hi')])).toEqual([
      { completeWorkflowExecution: { result: ['none', 'hi'] } },
    ]);
  });

  it('that cannot start, or fails later, rejects with its failure', async () => {
    const catching = () =>
      client()
        .executeOperation('hello', 'Ada')
        .catch((e: Error) => e.constructor.name);
    const first = scenario(catching);
    await first.commands([job.start()]);
    expect(await first.commands([job.nexusNotStarted(1, failure())])).toEqual([
      { completeWorkflowExecution: { result: 'NexusOperationFailure' } },
    ]);
    const second = scenario(catching);
    await second.commands([job.start()]);
    await second.commands([job.nexusStarted(1, 't')]);
    expect(await second.commands([job.nexusFailed(1, failure())])).toEqual([
      { completeWorkflowExecution: { result: 'NexusOperationFailure' } },
    ]);
  });

  it('is asked to cancel with its scope', async () => {
    const s = scenario(() =>
      client()
        .executeOperation('hello', 'Ada')
        .catch((e) => isCancellation(e)),
    );
    await s.commands([job.start()]);
    expect(await s.commands([job.cancel()])).toEqual([{ requestCancelNexusOperation: { seq: 1 } }]);
    expect(await s.commands([job.nexusNotStarted(1, failure(new CancelledFailure('c')))])).toEqual([
      { completeWorkflowExecution: { result: true } },
    ]);
  });

  it('ends before it has started where it is cancelled while it waits for a handler', async () => {
    const s = scenario(async () => {
      const ended = await client()
        .executeOperation('hello', 'Ada')
        .catch((e) => isCancellation(e));
      await CancellationScope.nonCancellable(() => sleep(1));
      return ended;
    });
    await s.commands([job.start()]);
    expect(await s.commands([job.cancel()])).toEqual([{ requestCancelNexusOperation: { seq: 1 } }]);
    expect(await s.commands([job.nexusFailed(1, failure(new CancelledFailure('c')))])).toEqual([
      { startTimer: { seq: 1, startToFireTimeout: 1 } },
    ]);
    expect(await s.commands([job.nexusStarted(1, 'after all'), job.fireTimer(1)])).toEqual([
      { completeWorkflowExecution: { result: true } },
    ]);
  });

  it('may give its result without a word about its start', async () => {
    const s = scenario(() => client().executeOperation('hello', 'Ada'));
    await s.commands([job.start()]);
    expect(await s.commands([job.nexusDone(1, 'hi')])).toEqual([
      { completeWorkflowExecution: { result: 'hi' } },
    ]);
  });
});
