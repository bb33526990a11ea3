import { ApplicationFailure } from '@perdure/common';
import {
  allHandlersFinished,
  condition,
  defineSignal,
  setDefaultSignalHandler,
  setHandler,
  sleep,
  workflowInfo,
} from './index';
import { job, scenario } from './testing/scenario';

const add = defineSignal<[number]>('add');

describe('a signal', () => {
  it('reaches its handler before the workflow function goes on', async () => {
    const s = scenario(async () => {
      const seen: string[] = [];
      setHandler(add, (n) => {
        seen.push(`signal ${n}`);
      });
      await sleep(1);
      seen.push('awake');
      return seen;
    });
    await s.commands([job.start()]);
    expect(await s.commands([job.signal('add', 5), job.fireTimer(1)])).toEqual([
      { completeWorkflowExecution: { result: ['signal 5', 'awake'] } },
    ]);
  });

  it('that comes before its handler waits for it, in order of arrival', async () => {
    const s = scenario(async () => {
      const seen: number[] = [];
      await sleep(1);
      setHandler(add, (n) => {
        seen.push(n);
      });
      return seen;
    });
    await s.commands([job.start(), job.signal('add', 1), job.signal('add', 2)]);
    await s.commands([job.signal('add', 3)]);
    expect(await s.commands([job.fireTimer(1)])).toEqual([
      { completeWorkflowExecution: { result: [1, 2, 3] } },
    ]);
  });

  it('that comes with the start is delivered as soon as the handler is set', async () => {
    const s = scenario(async () => {
      let sum = 0;
      setHandler(add, (n) => {
        sum += n;
      });
      return sum;
    });
    expect(await s.commands([job.start(), job.signal('add', 2), job.signal('add', 3)])).toEqual([
      { completeWorkflowExecution: { result: 5 } },
    ]);
  });

  it('that no handler takes does not disturb', async () => {
    const s = scenario(async () => 1);
    expect(await s.commands([job.start(), job.signal('unknown')])).toEqual([
      { completeWorkflowExecution: { result: 1 } },
    ]);
  });

  it('goes to the default handler, with its name, when it has none of its own', async () => {
    const s = scenario(async () => {
      const seen: unknown[] = [];
      setHandler(add, (n) => {
        seen.push(n);
      });
      setDefaultSignalHandler((name, ...args) => {
        seen.push([name, ...args]);
      });
      await condition(() => seen.length === 3);
      return seen;
    });
    expect(
      await s.commands([job.start(), job.signal('x', 'y'), job.signal('add', 1), job.signal('__proto__')]),
    ).toEqual([{ completeWorkflowExecution: { result: [1, ['x', 'y'], ['__proto__']] } }]);
  });

  it('named like a member of Object.prototype is a name like any other', async () => {
    const s = scenario(async () => {
      const seen: string[] = [];
      for (const name of ['constructor', '__proto__', 'toString']) {
        setHandler(defineSignal(name), () => {
          seen.push(name);
        });
      }
      await condition(() => seen.length === 3);
      return seen;
    });
    await s.commands([job.start()]);
    expect(
      await s.commands([job.signal('toString'), job.signal('__proto__'), job.signal('constructor')]),
    ).toEqual([{ completeWorkflowExecution: { result: ['toString', '__proto__', 'constructor'] } }]);
  });

  it('whose handler throws a TemporalFailure fails the workflow', async () => {
    const s = scenario(async () => {
      setHandler(add, async () => {
        throw ApplicationFailure.nonRetryable('refused');
      });
      await sleep(1000);
    });
    await s.commands([job.start()]);
    const [command] = await s.commands([job.signal('add', 1)]);
    expect(command.failWorkflowExecution.failure.message).toBe('refused');
  });

  it('whose handler throws anything else fails the task', async () => {
    const s = scenario(async () => {
      setHandler(add, () => {
        throw new TypeError('a bug');
      });
      await sleep(1000);
    });
    await s.commands([job.start()]);
    expect((await s.activate([job.signal('add', 1)])).failed).toBe('a bug');
  });

  it('whose arguments cannot be decoded fails the task with the reason', async () => {
    const s = scenario(async () => {
      setHandler(add, () => undefined);
      await sleep(1000);
    });
    await s.commands([job.start()]);
    const outcome = await s.activate([
      { signalWorkflow: { signalName: 'add', input: [{ metadata: { encoding: new Uint8Array([120]) } }] } },
    ]);
    expect(outcome.failed).toMatch(/Unknown encoding: x/);
  });

  it('handler may be replaced and removed', async () => {
    const s = scenario(async () => {
      const seen: string[] = [];
      setHandler(add, () => {
        seen.push('first');
      });
      await sleep(1);
      setHandler(add, () => {
        seen.push('second');
      });
      await sleep(1);
      setHandler(add, undefined);
      await sleep(1);
      return seen;
    });
    await s.commands([job.start()]);
    await s.commands([job.signal('add', 0), job.fireTimer(1)]);
    await s.commands([job.signal('add', 0), job.fireTimer(2)]);
    expect(await s.commands([job.signal('add', 0), job.fireTimer(3)])).toEqual([
      { completeWorkflowExecution: { result: ['first', 'second'] } },
    ]);
  });

  it('name may not be one that the SDK keeps for itself', async () => {
    const s = scenario(async () => setHandler(defineSignal('__temporal_mine'), () => undefined));
    expect((await s.activate([job.start()])).failed).toMatch(/reserved prefix/);
  });
});

describe('handlers that still run', () => {
  it('are known to allHandlersFinished until they have settled', async () => {
    const s = scenario(async () => {
      setHandler(add, async () => {
        await sleep(10);
      });
      await sleep(1);
      const before = allHandlersFinished();
      await condition(allHandlersFinished);
      return [before, allHandlersFinished()];
    });
    await s.commands([job.start()]);
    await s.commands([job.signal('add', 1), job.fireTimer(1)]);
    expect(await s.commands([job.fireTimer(2)])).toEqual([
      { completeWorkflowExecution: { result: [false, true] } },
    ]);
  });

  it('count from their first line on', async () => {
    let inside: boolean | undefined;
    const s = scenario(async () => {
      setHandler(add, () => {
        inside = allHandlersFinished();
      });
      await sleep(1);
    });
    await s.commands([job.start()]);
    await s.commands([job.signal('add', 1)]);
    expect(inside).toBe(false);
  });

  it('when the workflow completes are warned of, but not if they may be abandoned', async () => {
    const s = scenario(async () => {
      setHandler(add, async () => sleep(10));
      setHandler(defineSignal('quiet'), async () => sleep(10), { unfinishedPolicy: 'ABANDON' });
      await sleep(1);
      return workflowInfo().workflowId;
    });
    await s.commands([job.start()]);
    const { sinkCalls } = await s.activate([job.signal('add', 1), job.signal('quiet'), job.fireTimer(1)]);
    expect(sinkCalls).toHaveLength(1);
    expect(sinkCalls[0]).toMatchObject({ sink: '__temporal_logger', fn: 'warn' });
    expect(sinkCalls[0]?.args[0]).toMatch(/TMPRL1102.*signal handlers/);
    expect(sinkCalls[0]?.args[1]).toMatchObject({
      signalHandlers: [{ name: 'add' }],
      workflowId: 'workflow-1',
    });
  });

  it('that end in the same activation, if after the workflow function, are not warned of', async () => {
    const s = scenario(async () => {
      let end: () => void = () => undefined;
      const ended = new Promise<void>((resolve) => {
        end = resolve;
      });
      setHandler(add, async () => {
        end();
        for (let i = 0; i < 20; i++) await undefined; // tidies up
      });
      await ended;
    });
    await s.commands([job.start()]);
    const { sinkCalls, commands } = await s.activate([job.signal('add', 1)]);
    expect(commands).toEqual([{ completeWorkflowExecution: {} }]);
    expect(sinkCalls.map(({ args }) => args[0])).not.toContainEqual(expect.stringContaining('TMPRL1102'));
  });

  it('when the workflow fails are not warned of', async () => {
    const s = scenario(async () => {
      setHandler(add, async () => sleep(10));
      await sleep(1);
      throw ApplicationFailure.nonRetryable('failed');
    });
    await s.commands([job.start()]);
    const { sinkCalls } = await s.activate([job.signal('add', 1), job.fireTimer(1)]);
    expect(sinkCalls.map(({ args }) => args[0])).toEqual(['Workflow failed']);
  });
});

describe('signals in histories without single batches', () => {
  const workflow = async () => {
    const seen: string[] = [];
    let got = 0;
    setHandler(add, () => {
      got++;
    });
    condition(() => got === 1).then(() => seen.push('condition'));
    sleep(1).then(() => seen.push('timer'));
    await condition(() => seen.length === 2);
    return seen;
  };

  it('are a batch of their own on replay', async () => {
    const s = scenario(workflow);
    await s.commands([job.start()], { isReplaying: true });
    expect(await s.commands([job.fireTimer(1), job.signal('add', 1)], { isReplaying: true })).toEqual([
      { completeWorkflowExecution: { result: ['condition', 'timer'] } },
    ]);
  });

  it('are applied with everything else otherwise, and the flag is recorded', async () => {
    const s = scenario(workflow);
    await s.commands([job.start()]);
    const outcome = await s.activate([job.fireTimer(1), job.signal('add', 1)]);
    expect(outcome.commands).toEqual([{ completeWorkflowExecution: { result: ['timer', 'condition'] } }]);
    expect(outcome.flags).toContain(2);
  });

  it('are applied with everything else on replay when the history has the flag', async () => {
    const s = scenario(workflow);
    const facts = { isReplaying: true, flags: [2] };
    await s.commands([job.start()], facts);
    expect(await s.commands([job.fireTimer(1), job.signal('add', 1)], facts)).toEqual([
      { completeWorkflowExecution: { result: ['timer', 'condition'] } },
    ]);
  });
});
