/** What callers without a compiler give: each wrong thing is named before anything is sent. */
import { Client, Connection, ValueError, WithStartWorkflowOperation } from '@perdure/client';
import { ScriptedServer } from './testing/scripted-server';

let server: ScriptedServer;
let connection: Connection;
let client: any;
let handle: any;
const ok = { workflowId: 'w', taskQueue: 'q' };

beforeAll(async () => {
  server = new ScriptedServer();
  connection = Connection.lazy({ address: await server.listen() });
  client = new Client({ connection });
  handle = client.workflow.getHandle('w');
});
afterEach(() => {
  server.asked.length = 0;
});
afterAll(async () => {
  await connection.close();
  server.close();
});

const start = (options: object) => client.workflow.start('x', { ...ok, ...options });
const withStart = (options: object) =>
  client.workflow.executeUpdateWithStart('u', {
    startWorkflowOperation: new WithStartWorkflowOperation('x', { ...ok, workflowIdConflictPolicy: 'FAIL' }),
    ...options,
  });

describe('a wrong value is refused by name, and nothing is sent:', () => {
  it.each<[string, () => unknown, string]>([
    ['no options', () => client.workflow.start('x'), 'an object with workflowId'],
    ['null for options', () => client.workflow.start('x', null), 'an object with workflowId'],
    ['no workflow', () => client.workflow.start(undefined, ok), 'workflow type'],
    ['an empty workflow type', () => client.workflow.start('', ok), 'workflow type'],
    ['an empty workflow id', () => start({ workflowId: '' }), 'workflowId'],
    ['a number for a task queue', () => start({ taskQueue: 5 }), 'taskQueue'],
    ['null for arguments', () => start({ args: null }), 'args must be an array'],
    ['a text for arguments', () => start({ args: 'abc' }), 'args must be an array'],
    ['a text for a memo', () => start({ memo: 'abc' }), 'memo must be an object'],
    ['a list for a memo', () => start({ memo: [1] }), 'memo must be an object'],
    ['a text for a retry policy', () => start({ retry: 'often' }), 'retry must be an object'],
    ['a number for a priority', () => start({ priority: 1 }), 'priority must be an object'],
    [
      'a value for a search attribute',
      () => start({ searchAttributes: { A: 'x' } }),
      'searchAttributes.A must be an array',
    ],
    [
      'a record for typed ones',
      () => start({ typedSearchAttributes: { A: 1 } }),
      'typedSearchAttributes must be',
    ],
    ['a list of others', () => start({ typedSearchAttributes: [1] }), 'typedSearchAttributes must be'],
    ['a number for a cron string', () => start({ cronSchedule: 5 }), 'cronSchedule must be a string'],
    ['a number for a summary', () => start({ staticSummary: 5 }), 'staticSummary must be a string'],
    ['an unknown override', () => start({ versioningOverride: 'NOPE' }), 'versioningOverride must be'],
    [
      'half an override',
      () => start({ versioningOverride: { pinnedTo: { buildId: 'b' } } }),
      'versioningOverride must be',
    ],
    ['no signal', () => handle.signal(undefined), 'Invalid signal'],
    ['an empty signal', () => handle.signal(''), 'got an empty string'],
    ['a function for a signal', () => handle.signal(() => {}), 'got function'],
    ['a text for its arguments', () => handle.signalWithOptions('s', { args: 'abc' }), 'args'],
    ['no query', () => handle.query(), 'Invalid query'],
    ['an empty query with options', () => handle.queryWithOptions('', {}), 'Invalid query'],
    ['no update', () => handle.executeUpdate(null), 'Invalid update'],
    ['a text for arguments of it', () => handle.executeUpdate('u', { args: 'abc' }), 'args'],
    ['no options of an update', () => handle.startUpdate('u'), 'waitForStage'],
    ['signalWithStart alone', () => client.workflow.signalWithStart('x'), 'signal'],
    ['signalWithStart without it', () => client.workflow.signalWithStart('x', ok), 'Invalid signal'],
    [
      'its arguments as a text',
      () => client.workflow.signalWithStart('x', { ...ok, signal: 's', signalArgs: 'abc' }),
      'signalArgs',
    ],
    ['no operation', () => client.workflow.executeUpdateWithStart('u', {}), 'startWorkflowOperation'],
    ['no update with it', () => withStart({ args: 'abc' }), 'args'],
    ['no workflow id', () => client.workflow.getHandle(), 'workflow id'],
    ['an empty workflow id for a result', () => client.workflow.result(''), 'workflow id'],
    ['an empty namespace', () => new Client({ connection, namespace: '' }), 'namespace'],
    ['no activity', () => client.activity.complete(undefined, 1), 'activityId'],
    ['a text for a task token', () => client.activity.complete('abc', 1), 'task token'],
    [
      'no time for a deadline',
      () => connection.withDeadline(Number.NaN, () => handle.describe()),
      'deadline',
    ],
    ['a text for it', () => connection.withDeadline('soon' as any, () => handle.describe()), 'deadline'],
  ])('%s', async (_name, call, text) => {
    const failure = await (async () => await call())().catch((error) => error);
    expect(failure).toBeInstanceOf(ValueError);
    expect(failure).toMatchObject({ code: 'VALUE_INVALID', message: expect.stringContaining(text) });
    expect(server.asked).toEqual([]);
  });

  it('all of them in one error', async () => {
    await expect(start({ workflowId: 1, memo: 2, staticDetails: 3 })).rejects.toThrow(
      'workflowId must be a string that is not empty; memo must be an object; staticDetails must be a string',
    );
  });
});

describe('nothing', () => {
  it('may be said with null, and with an empty record or list', async () => {
    const none = {
      memo: null,
      searchAttributes: null,
      typedSearchAttributes: null,
      retry: null,
      priority: null,
    };
    await start({ ...none, cronSchedule: null, staticSummary: null, versioningOverride: null });
    await start({ args: undefined, memo: {}, searchAttributes: {}, typedSearchAttributes: [] });
    await handle.signalWithOptions('s');
    await handle.signalWithOptions('s', { args: null });
    const [nulls, empty, ...signals] = server.asked.map(({ request }) => request);
    expect([nulls.memo, nulls.searchAttributes, nulls.retryPolicy, nulls.userMetadata, nulls.input]).toEqual(
      Array(5).fill(undefined),
    );
    expect(nulls.cronSchedule).toBe('');
    expect([empty.memo.fields, empty.searchAttributes.indexedFields]).toEqual([{}, {}]);
    expect(signals.map(({ input }) => input)).toEqual([undefined, undefined]);
  });
});

describe('a handler', () => {
  it('is a name, or a definition of any copy of the packages', async () => {
    await handle.signal({ type: 'signal', name: 'defined' }, 1);
    await handle.signal('named', 1);
    expect(server.asked.map(({ request }) => request.signalName)).toEqual(['defined', 'named']);
  });
});

describe('a deadline that is farther away than gRPC can say', () => {
  it.each([Number.MAX_SAFE_INTEGER, new Date(8.64e15), Number.POSITIVE_INFINITY])(
    'is none: %s',
    async (far) => {
      await connection.withDeadline(far, () => handle.signal('s'));
      expect(server.asked[0]!.headers.get('grpc-timeout')).toEqual([]);
      await connection.withDeadline(far, async () => {
        for await (const _ of connection.healthService.watch({})) break;
      });
    },
  );
});
