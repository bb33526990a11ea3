import {
  defineQuery,
  defineSignal,
  defineUpdate,
  patched,
  proxyActivities,
  setCurrentDetails,
  setDefaultQueryHandler,
  setHandler,
  sleep,
  uuid4,
  workflowInfo,
} from './index';
import { job, plain, scenario } from './testing/scenario';

const get = defineQuery<unknown, any[]>('get');
const answered = (name: string, response: unknown) => ({
  respondToQuery: { queryId: `query-${name}`, succeeded: { response } },
});

async function ask(handler: (...args: any[]) => unknown, ...args: unknown[]) {
  const s = scenario(async () => {
    setHandler(get, handler);
    await sleep(1);
    return uuid4();
  });
  await s.commands([job.start()]);
  const [answer] = await s.commands([job.query('get', ...args)]);
  const [end] = await s.commands([job.fireTimer(1)]);
  return { answer, end };
}

describe('a query', () => {
  it('is answered by its handler', async () => {
    expect((await ask((a, b) => a + b, 1, 2)).answer).toEqual(answered('get', 3));
  });

  it('can be answered with undefined', async () => {
    const { answer } = await ask(() => undefined);
    expect(answer.respondToQuery.succeeded).toEqual({});
  });

  it('without a handler fails and names those there are', async () => {
    const s = scenario(async () => {
      setHandler(get, () => 1);
      await sleep(1);
    });
    await s.commands([job.start()]);
    const [command] = await s.commands([job.query('unknown')]);
    expect(command.respondToQuery.failed.message).toBe(
      'Workflow did not register a handler for unknown. Registered queries: ' +
        '[__stack_trace __enhanced_stack_trace __temporal_workflow_metadata get]; ' +
        'call setHandler() with a definition of that name before the workflow first awaits',
    );
  });

  it('goes to the default handler when it has none of its own', async () => {
    const s = scenario(async () => {
      setDefaultQueryHandler((name, ...args) => [name, ...args]);
      await sleep(1);
    });
    await s.commands([job.start()]);
    expect(await s.commands([job.query('constructor', 1)])).toEqual([
      answered('constructor', ['constructor', 1]),
    ]);
  });

  it('whose handler throws fails, whatever it throws', async () => {
    for (const [thrown, message] of [
      [new Error('no'), 'no'],
      [null, /null/],
      ['text', /text/],
    ] as const) {
      const { answer } = await ask(() => {
        throw thrown;
      });
      expect(answer.respondToQuery.failed.message).toMatch(message);
    }
  });

  it('whose handler is asynchronous fails and emits nothing, then or later', async () => {
    const { answer, end } = await ask(async () => {
      await Promise.resolve();
      await sleep(5);
    });
    expect(answer.respondToQuery.failed.message).toMatch(/should not return a Promise/);
    expect(end).toHaveProperty('completeWorkflowExecution');
  });

  it('whose handler uses what changes the workflow fails', async () => {
    const { greet } = proxyActivities<any>({ startToCloseTimeout: 1 });
    for (const forbidden of [
      () => greet(),
      () => sleep(1),
      () => patched('p'),
      () => setHandler(get, () => 1),
    ]) {
      const { answer } = await ask(() => {
        forbidden();
        return 1;
      });
      expect(answer.respondToQuery.failed.message).toMatch(/query handler/);
    }
  });

  it('that draws random numbers leaves the stream of the workflow as it was', async () => {
    const undisturbed = (await ask(() => 1)).end;
    const { answer, end } = await ask(() => [uuid4(), Math.random()].length);
    expect(answer).toEqual(answered('get', 2));
    expect(end).toEqual(undisturbed);
  });

  it('whose answer cannot be serialised fails', async () => {
    const { answer } = await ask(() => 10n);
    expect(answer.respondToQuery.failed.message).toMatch(
      /answer to the query cannot be turned into a payload/,
    );
  });

  it('does not make conditions be asked, nor replay be reported', async () => {
    const s = scenario(async () => {
      setHandler(get, () => [
        workflowInfo().unsafe.isReplaying,
        workflowInfo().unsafe.isReplayingHistoryEvents,
      ]);
      await sleep(1);
    });
    await s.commands([job.start()], { isReplaying: true });
    expect(await s.commands([job.query('get')], { isReplaying: true })).toEqual([
      answered('get', [true, false]),
    ]);
  });

  it('comes with others, each answered', async () => {
    const s = scenario(async () => {
      setHandler(get, (n) => n);
      await sleep(1);
    });
    await s.commands([job.start()]);
    const jobs = [1, 2, 3].map((n) => ({
      queryWorkflow: { ...job.query('get', n).queryWorkflow, queryId: `q${n}` },
    }));
    expect(
      (await s.commands(jobs)).map((c) => [c.respondToQuery.queryId, c.respondToQuery.succeeded.response]),
    ).toEqual([
      ['q1', 1],
      ['q2', 2],
      ['q3', 3],
    ]);
  });

  it('is answered after the workflow has completed', async () => {
    const s = scenario(async () => {
      setHandler(get, () => 'still here');
    });
    await s.commands([job.start()]);
    expect(await s.commands([job.query('get')])).toEqual([answered('get', 'still here')]);
  });
});

describe('the metadata query', () => {
  it('lists type, handlers sorted by name with descriptions, and details', async () => {
    const s = scenario(async () => {
      setHandler(defineQuery('b'), () => 1, { description: 'second' });
      setHandler(defineQuery('a'), () => 1);
      setHandler(defineSignal('s'), () => undefined, { description: 'sig' });
      setHandler(defineUpdate('u'), () => undefined);
      setCurrentDetails('**fine**');
      await sleep(1);
    });
    await s.commands([job.start()]);
    const [command] = await s.commands([job.query('__temporal_workflow_metadata')]);
    const { definition, currentDetails } = plain(command.respondToQuery.succeeded.response);
    expect(currentDetails).toBe('**fine**');
    expect(definition.type).toBe('wf');
    expect(definition.queryDefinitions.slice(3)).toEqual([
      { name: 'a' },
      { name: 'b', description: 'second' },
    ]);
    expect(definition.signalDefinitions).toEqual([{ name: 's', description: 'sig' }]);
    expect(definition.updateDefinitions).toEqual([{ name: 'u' }]);
  });
});
