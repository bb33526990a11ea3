import {
  ApplicationFailure,
  continueAsNew,
  defineUpdate,
  log,
  setHandler,
  sleep,
  type WorkflowInterceptors,
} from './index';
import { type AnyWorkflow, job, type Outcome, type ScenarioOptions, scenario } from './testing/scenario';

const lines = ({ sinkCalls }: Outcome) =>
  sinkCalls.map(({ fn, args }) => [fn, args[0], (args[1] as any).sdkComponent]);

const verbose = { registration: { logLevel: undefined } } as ScenarioOptions;

const fail = () => {
  throw new Error('looked at');
};

const run = async (workflow: AnyWorkflow, jobs = [job.start()], options = verbose) =>
  lines(await scenario(workflow, options).activate(jobs));

describe('the life of a run is told in the log', () => {
  it('when it starts and completes', async () => {
    expect(await run(async () => log.info('within'))).toEqual([
      ['debug', 'Workflow started', 'worker'],
      ['info', 'within', 'workflow'],
      ['debug', 'Workflow completed', 'worker'],
    ]);
  });

  it('when it fails, with the error that says why', async () => {
    const cause = new Error('the cause');
    const fails = async () => {
      throw ApplicationFailure.create({ message: 'on purpose', details: [() => 1], cause });
    };
    const { sinkCalls } = await scenario(fails, verbose).activate([job.start()]);
    const [, failed] = sinkCalls;
    expect([failed?.fn, failed?.args[0]]).toEqual(['warn', 'Workflow failed']);
    const { error } = structuredClone(failed?.args[1]) as { error: Error };
    expect(error).toMatchObject({ message: 'on purpose', cause: { message: 'the cause' } });
    expect(error.stack).toContain('log.test');
  });

  it.each<[string, unknown]>([
    ['undefined', undefined],
    ['null', null],
    ['an object', { a: 1 }],
    ['a hostile error', Object.defineProperty(new Error('m'), 'message', { get: fail })],
  ])('when it throws %s', async (_, thrown) => {
    const told = await run(async () => {
      throw thrown;
    });
    expect(told.at(-1)).toEqual(['warn', 'Workflow failed', 'worker']);
  });

  it('when it continues as new', async () => {
    expect((await run(() => continueAsNew())).at(-1)).toEqual([
      'debug',
      'Workflow continued as new',
      'worker',
    ]);
  });

  it('when it is cancelled', async () => {
    const s = scenario(() => sleep(1000), verbose);
    await s.commands([job.start()]);
    expect(lines(await s.activate([job.cancel()]))).toEqual([
      ['debug', 'Workflow completed as cancelled', 'worker'],
    ]);
  });

  it('in no line on replay', async () => {
    const s = scenario(() => sleep(1), verbose);
    expect((await s.activate([job.start()], { isReplaying: true })).sinkCalls).toEqual([]);
    expect(lines(await s.activate([job.fireTimer(1)]))).toEqual([['debug', 'Workflow completed', 'worker']]);
  });

  it('even when an interceptor of log attributes throws, which costs the line', async () => {
    const interceptors = (): WorkflowInterceptors => ({
      outbound: [
        {
          getLogAttributes() {
            throw new Error('no attributes');
          },
        },
      ],
    });
    const outcome = await scenario(async () => 1, { ...verbose, interceptors }).activate([job.start()]);
    expect(outcome.commands).toEqual([{ completeWorkflowExecution: { result: 1 } }]);
    expect(outcome.sinkCalls).toEqual([]);
  });
});

describe('a line below the level of the logger', () => {
  it.each([
    ['TRACE', 7],
    ['DEBUG', 6],
    ['INFO', 3],
    ['WARN', 2],
    ['ERROR', 1],
  ] as const)('is not even made: from %s on there are %i', async (logLevel, count) => {
    const getLogAttributes = jest.fn((input, next) => next(input));
    const outcome = await scenario(
      async () => {
        log.trace('t');
        log.debug('d');
        log.info('i');
        log.warn('w');
        log.error('e');
      },
      { registration: { logLevel }, interceptors: () => ({ outbound: [{ getLogAttributes }] }) },
    ).activate([job.start()]);
    expect(outcome.sinkCalls).toHaveLength(count);
    expect(getLogAttributes).toHaveBeenCalledTimes(count);
  });
});

it('lines of update handlers name the update, those beside it do not', async () => {
  const s = scenario(async () => {
    setHandler(defineUpdate('change'), async () => {
      log.info('in the handler');
      await sleep(1);
      log.info('still in the handler');
    });
    await sleep(1);
    log.info('outside');
  });
  await s.commands([job.start()]);
  const first = await s.activate([job.update('change')]);
  const second = await s.activate([job.fireTimer(2), job.fireTimer(1)]);
  const updates = [...first.sinkCalls, ...second.sinkCalls].map(({ args }) => {
    const { updateId, updateName } = args[1] as Record<string, unknown>;
    return [args[0], updateId, updateName];
  });
  expect(updates).toEqual(
    expect.arrayContaining([
      ['in the handler', 'id-change', 'change'],
      ['still in the handler', 'id-change', 'change'],
      ['outside', undefined, undefined],
    ]),
  );
});
