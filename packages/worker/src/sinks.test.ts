import type { SinkCallRecord } from '@perdure/workflow/runtime';
import { DefaultLogger, type LogEntry } from './logger';
import { defaultSinks, replayingSinks, SinkDispatcher } from './sinks';

function dispatcher(sinks: object) {
  const lines: LogEntry[] = [];
  const logger = new DefaultLogger('TRACE', (entry) => lines.push(entry));
  return { lines, dispatcher: new SinkDispatcher(sinks as any, logger, 'queue') };
}

const record = (sink: string, fn: string, args: unknown[], isReplaying = false): SinkCallRecord => ({
  worker: 1,
  runId: 'run',
  sink,
  fn,
  args,
  info: JSON.stringify({
    workflowId: 'wf',
    runId: 'run',
    workflowType: 'flow',
    namespace: 'ns',
    taskQueue: 'queue',
    startTime: 1000,
    unsafe: { isReplaying },
  }),
});

it('calls the function with the info of the run, whose dates are dates', () => {
  const calls: any[] = [];
  const { dispatcher: d } = dispatcher({ s: { f: { fn: (...args: unknown[]) => void calls.push(args) } } });
  d.call(record('s', 'f', [1, { two: 2 }]));
  expect(calls).toHaveLength(1);
  const [info, ...args] = calls[0];
  expect(info).toMatchObject({ workflowId: 'wf', startTime: new Date(1000) });
  expect(args).toEqual([1, { two: 2 }]);
});

it('leaves out functions that do not want calls of a replay', () => {
  const calls: string[] = [];
  const sinks = {
    s: {
      once: { fn: () => void calls.push('once') },
      always: { fn: () => void calls.push('always'), callDuringReplay: true },
    },
  };
  const { dispatcher: d } = dispatcher(sinks);
  d.call(record('s', 'once', [], true));
  d.call(record('s', 'always', [], true));
  expect(calls).toEqual(['always']);
  expect(replayingSinks(sinks)).toEqual(['s.always']);
});

it.each([
  [
    'throws',
    () => {
      throw new Error('broken sink');
    },
  ],
  [
    'rejects',
    async () => {
      throw new Error('broken sink');
    },
  ],
])('logs a function that %s, and goes on', async (_, fn) => {
  const { dispatcher: d, lines } = dispatcher({ s: { f: { fn } } });
  d.call(record('s', 'f', []));
  await new Promise((resolve) => setImmediate(resolve));
  expect(lines).toMatchObject([{ level: 'ERROR', meta: { sink: 's', fn: 'f', runId: 'run' } }]);
});

it.each([
  ['s', 'nothing'],
  ['nobody', 'f'],
  ['__proto__', 'toString'],
  ['constructor', 'name'],
])('logs a call of %s.%s, which is not there', (sink, fn) => {
  const { dispatcher: d, lines } = dispatcher({ s: { f: { fn: () => undefined } } });
  d.call(record(sink, fn, []));
  expect(lines).toHaveLength(1);
  expect(lines[0]!.level).toBe('ERROR');
});

it('writes log lines of workflows with the attributes of the run', () => {
  const { dispatcher: d, lines } = dispatcher({});
  d.call(record('__temporal_logger', 'warn', ['hello', { own: 1 }]));
  d.call(record('__temporal_logger', 'info', ['on replay'], true));
  expect(lines).toMatchObject([
    {
      level: 'WARN',
      message: 'hello',
      meta: {
        sdkComponent: 'workflow',
        workflowId: 'wf',
        runId: 'run',
        workflowType: 'flow',
        namespace: 'ns',
        own: 1,
      },
    },
  ]);
});

it('lets an own sink take the lines of workflows', () => {
  const taken: unknown[] = [];
  const { dispatcher: d, lines } = dispatcher({
    __temporal_logger: { info: { fn: (_: unknown, message: string) => void taken.push(message) } },
  });
  d.call(record('__temporal_logger', 'info', ['mine']));
  expect(taken).toEqual(['mine']);
  expect(lines).toEqual([]);
});

it('writes to another logger through the default sinks', () => {
  const elsewhere: LogEntry[] = [];
  const { dispatcher: d, lines } = dispatcher(
    defaultSinks(new DefaultLogger('TRACE', (line) => elsewhere.push(line))),
  );
  d.call(record('__temporal_logger', 'error', ['hello', { own: 1 }]));
  expect(lines).toEqual([]);
  expect(elsewhere).toMatchObject([{ level: 'ERROR', message: 'hello', meta: { workflowId: 'wf', own: 1 } }]);
});

it('logs what workflows send to the older name of the sink', () => {
  const { dispatcher: d, lines } = dispatcher({});
  d.call(record('defaultWorkerLogger', 'warn', ['from an old workflow']));
  expect(lines).toMatchObject([{ level: 'WARN', message: 'from an old workflow' }]);
});
