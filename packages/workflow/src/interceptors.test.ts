import {
  condition,
  continueAsNew,
  defineQuery,
  defineSignal,
  defineUpdate,
  executeChild,
  getExternalWorkflowHandle,
  log,
  metricMeter,
  proxyActivities,
  proxyLocalActivities,
  proxySinks,
  setHandler,
  sleep,
  type WorkflowInterceptors,
} from './index';
import { job, payload, scenario } from './testing/scenario';

const scenarioWith = (workflow: (...args: any[]) => unknown, ...interceptors: WorkflowInterceptors[]) =>
  scenario(workflow, {
    interceptors: () => ({
      inbound: interceptors.flatMap((i) => i.inbound ?? []),
      outbound: interceptors.flatMap((i) => i.outbound ?? []),
      internals: interceptors.flatMap((i) => i.internals ?? []),
    }),
  });

describe('inbound interceptors', () => {
  it('do not see messages of the SDKs among themselves', async () => {
    const seen: string[] = [];
    const note = <I, R>(name: string, input: I, next: (input: I) => R): R => {
      seen.push(name);
      return next(input);
    };
    const workflow = async () => {
      let done = 0;
      const handled = () => void done++;
      for (const name of ['__temporal_workflow_stream_publish', 'publish'])
        setHandler(defineSignal(name), handled);
      for (const name of ['__temporal_workflow_stream_poll', 'poll']) {
        setHandler(defineUpdate(name), handled, { validator: () => undefined });
      }
      for (const name of ['__temporal_workflow_stream_offset', 'offset'])
        setHandler(defineQuery(name), () => done);
      await condition(() => done > 4);
    };
    const s = scenarioWith(workflow, {
      inbound: [
        {
          handleSignal: (input, next) => note(input.signalName, input, next),
          validateUpdate: (input, next) => note(`valid ${input.name}`, input, next),
          handleUpdate: (input, next) => note(input.name, input, next),
          handleQuery: (input, next) => note(input.queryName, input, next),
        },
      ],
    });
    await s.commands([job.start()]);
    for (const prefix of ['__temporal_workflow_stream_', '']) {
      await s.commands([job.signal(`${prefix}publish`)]);
      await s.commands([job.update(`${prefix}poll`)]);
      const [{ respondToQuery }] = await s.commands([job.query(`${prefix}offset`)]);
      expect(respondToQuery.succeeded).toBeDefined();
    }
    expect(seen).toEqual(['publish', 'valid poll', 'poll', 'offset']);
  });

  it('surround the workflow function, the first outermost', async () => {
    const wrap = (mark: string): WorkflowInterceptors => ({
      inbound: [
        {
          async execute(input, next) {
            return `${mark}(${await next({ ...input, args: [...input.args, mark] })})`;
          },
        },
      ],
    });
    const s = scenarioWith(async (...args) => args.join(), wrap('a'), wrap('b'));
    expect(await s.commands([job.start(['x'])])).toEqual([
      { completeWorkflowExecution: { result: 'a(b(x,a,b))' } },
    ]);
  });

  it('surround signals, queries, updates and validators, and see headers', async () => {
    const seen: unknown[] = [];
    const s = scenarioWith(
      async () => {
        setHandler(defineSignal<[number]>('s'), (n) => void seen.push(['signal', n]));
        setHandler(defineQuery<number, [number]>('q'), (n) => n * 2);
        setHandler(defineUpdate<number, [number]>('u'), (n) => n * 3, {
          validator: (n) => void seen.push(['validate', n]),
        });
        await sleep(1);
      },
      {
        inbound: [
          {
            handleSignal: (input, next) => {
              seen.push(Object.keys(input.headers));
              return next({ ...input, args: [(input.args[0] as number) + 1] });
            },
            handleQuery: async (input, next) => ((await next(input)) as number) + 1,
            handleUpdate: async (input, next) => ((await next(input)) as number) + 1,
            validateUpdate: (input, next) => {
              seen.push(['validator', input.updateId]);
              next(input);
            },
          },
        ],
      },
    );
    await s.commands([job.start()]);
    const signal = job.signal('s', 1);
    signal.signalWorkflow!.headers = { h: payload(1) };
    await s.commands([signal]);
    const [answer] = await s.commands([job.query('q', 10)]);
    expect(answer.respondToQuery.succeeded.response).toBe(21);
    const [, update] = await s.commands([job.update('u', [10])]);
    expect(update.updateResponse.completed).toBe(31);
    expect(seen).toEqual([['h'], ['signal', 2], ['validator', 'id-u'], ['validate', 10]]);
  });

  it('that throw fail what they surround', async () => {
    const s = scenarioWith(async () => setHandler(defineQuery('q'), () => 1), {
      inbound: [
        {
          handleQuery: async () => {
            throw new Error('from the interceptor');
          },
        },
      ],
    });
    await s.commands([job.start()]);
    const [answer] = await s.commands([job.query('q')]);
    expect(answer.respondToQuery.failed.message).toBe('from the interceptor');
  });
});

describe('outbound interceptors', () => {
  it('surround timers, activities, children, signals and continue-as-new, and may change them', async () => {
    const header = { trace: payload('t') };
    const { act } = proxyActivities<any>({ startToCloseTimeout: 1000 });
    const local = proxyLocalActivities<any>({ startToCloseTimeout: 1000 });
    const s = scenarioWith(
      async () => {
        await Promise.race([
          sleep(5),
          act('x'),
          local.loc('x'),
          executeChild('child', { workflowId: 'c' }),
          getExternalWorkflowHandle('w').signal('s'),
          condition(() => true),
        ]);
        await continueAsNew();
      },
      {
        outbound: [
          {
            startTimer: (input, next) => next({ ...input, durationMs: input.durationMs * 2 }),
            scheduleActivity: (input, next) => next({ ...input, headers: header, activityType: 'changed' }),
            scheduleLocalActivity: (input, next) => next({ ...input, headers: header }),
            startChildWorkflowExecution: (input, next) => next({ ...input, headers: header }),
            signalWorkflow: (input, next) => next({ ...input, headers: header }),
            continueAsNew: (input, next) => next({ ...input, headers: header }),
          },
        ],
      },
    );
    const commands = await s.commands([job.start()]);
    expect(commands[0]).toEqual({ startTimer: { seq: 1, startToFireTimeout: 10 } });
    expect(commands[1].scheduleActivity).toMatchObject({ activityType: 'changed', headers: { trace: 't' } });
    for (const [i, kind] of [
      [2, 'scheduleLocalActivity'],
      [3, 'startChildWorkflowExecution'],
      [4, 'signalExternalWorkflowExecution'],
      [5, 'continueAsNewWorkflowExecution'],
    ] as const) {
      expect(commands[i][kind].headers).toEqual({ trace: 't' });
    }
  });

  it('add log attributes and metric tags', async () => {
    const s = scenarioWith(
      async () => {
        log.info('hello', { mine: 1 });
        metricMeter.createCounter('c').add(1);
      },
      {
        outbound: [
          {
            getLogAttributes: (input, next) => next({ ...input, extra: 'log' }),
            getMetricTags: (input, next) => next({ ...input, extra: 'tag' }),
          },
        ],
      },
    );
    const { sinkCalls } = await s.activate([job.start()]);
    expect(sinkCalls[0]?.args[1]).toMatchObject({ extra: 'log', mine: 1 });
    expect(sinkCalls[1]?.args[2]).toMatchObject({ extra: 'tag' });
  });
});

describe('internals interceptors', () => {
  it('see activations, may change commands, and hear of the end', async () => {
    const seen: unknown[] = [];
    const s = scenarioWith(() => sleep(1), {
      internals: [
        {
          activate(input, next) {
            seen.push([input.batchIndex, input.activation.jobs?.length]);
            next(input);
          },
          concludeActivation(input, next) {
            const { commands } = next(input);
            return { commands: [...commands, { setPatchMarker: { patchId: 'added' } }] };
          },
          dispose(input, next) {
            seen.push('disposed');
            next(input);
          },
        },
      ],
    });
    expect(await s.commands([job.start()])).toEqual([
      { startTimer: { seq: 1, startToFireTimeout: 1 } },
      { setPatchMarker: { patchId: 'added' } },
    ]);
    s.evict();
    expect(seen).toEqual([[0, 1], 'disposed']);
    expect(s.api.runCount).toBe(0);
  });

  it('can call sinks when the activation is concluded', async () => {
    const { audit } = proxySinks<{ audit: { note(commands: number): void } }>();
    const s = scenarioWith(() => sleep(1), {
      internals: [
        {
          concludeActivation(input, next) {
            audit.note(input.commands.length);
            return next(input);
          },
        },
      ],
    });
    const { sinkCalls } = await s.activate([job.start()]);
    expect(sinkCalls.map(({ fn, args }) => [fn, ...args])).toEqual([['note', 1]]);
  });

  it('that throw fail the task', async () => {
    const s = scenarioWith(() => sleep(1), {
      internals: [
        {
          concludeActivation() {
            throw new Error('not so');
          },
        },
      ],
    });
    expect((await s.activate([job.start()])).failed).toBe('not so');
  });
});
