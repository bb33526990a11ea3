/**
 * `npm run check:languages`: this SDK and one of another language on the same server, each calling what the other
 * offers by name: workflows, signals, queries, updates, activities with and without a workflow, children, Nexus
 * operations, failures and their causes, across namespaces.
 *
 * L1  The other side is a real SDK from the ordinary Python package index, installed once into the cache.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { must, run } from '../../scripts/tools/exec.mjs';
import { packageBin } from '../../scripts/tools/paths.mjs';
import { setUp } from '../../scripts/tools/setup.mjs';
import { Tally } from '../../scripts/tools/tally.mjs';

const VERSION = '1.35.0';
const here = fileURLToPath(new URL('.', import.meta.url));
const cache = process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache');
const packages = join(cache, 'perdure', 'python', `temporalio-${VERSION}`);
const python = process.env.PYTHON ?? 'python3';

await setUp();
await must([process.execPath, packageBin('typescript', 'tsc'), '-b', 'tests/tsconfig.json']);
if (!existsSync(join(packages, 'temporalio'))) {
  await must([
    python,
    '-m',
    'pip',
    'install',
    '-q',
    '--no-warn-script-location',
    '--target',
    packages,
    `temporalio==${VERSION}`,
  ]); // L1
}

const require = createRequire(import.meta.url);
const { startDevServer } = require('@perdure/dev-server');
const { Client, Connection } = require('@perdure/client');
const { ApplicationFailure } = require('@perdure/common');
const { NativeConnection, Runtime, Worker } = require('@perdure/worker');
const nexus = require('nexus-rpc');
const { pyDesk } = require('../lib/workflows/by-name.js');

const tally = new Tally('languages');
const env = { PYTHONPATH: packages };
const quiet = () => {};
Runtime.install({
  logger: { log: quiet, trace: quiet, debug: quiet, info: quiet, warn: quiet, error: quiet },
});
const server = await startDevServer({
  useExisting: false,
  namespace: 'there',
  dynamicConfigValues: { 'nexusoperation.enableStandalone': true },
});
const { address } = server;
const connection = await Connection.connect({ address });
const native = await NativeConnection.connect({ address });
const client = new Client({ connection });
const there = new Client({ connection, namespace: 'there' });

const service = nexus.service('desk', { ask: nexus.operation({ name: 'ask-op' }) });
const worker = await Worker.create({
  connection: native,
  taskQueue: 'typescript',
  workflowsPath: fileURLToPath(new URL('../src/workflows/by-name.ts', import.meta.url)),
  activities: {
    'charge-card': async (account, cents) => ({ account, cents }),
    refuse: async (why) => {
      throw ApplicationFailure.create({
        message: why,
        type: 'Refused',
        nonRetryable: true,
        details: [{ why }],
        cause: new TypeError('the root'),
      });
    },
  },
  nexusServices: [nexus.serviceHandler(service, { ask: async (_ctx, question) => `${question}? ts` })],
});
const working = worker.run();
const other = spawn(python, [join(here, 'worker.py'), address, 'python', 'typescript', 'default', 'there'], {
  env: { ...process.env, ...env },
  stdio: 'pipe',
});
let complaints = ''; // also of failures that are wanted: shown only if a check has failed
other.stderr.on('data', (chunk) => {
  complaints += chunk;
});
const ended = new Promise((resolve) => other.on('close', resolve));

async function endpointTo(namespace, taskQueue) {
  const name = `endpoint-${randomUUID()}`;
  await connection.operatorService.createNexusEndpoint({
    spec: { name, target: { worker: { namespace, taskQueue } } },
  });
  return name;
}

/** A side that hangs fails its check, not the whole. */
function check(name, body) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error('no end after 30 s')), 30_000);
  });
  return tally.check(name, () => Promise.race([body(), late]).finally(() => clearTimeout(timer)));
}

async function failureOf(wait) {
  try {
    await wait;
  } catch (error) {
    return error;
  }
  throw new Error('it did not fail');
}

const causes = (error) => (error === undefined ? [] : [error, ...causes(error.cause)]);
const toPython = () => ({ workflowId: `py-${randomUUID()}`, taskQueue: 'python' });
const toTypeScript = () => ({ workflowId: `ts-${randomUUID()}`, taskQueue: 'typescript' });
const item = (sku, count) => ({ sku, count });

try {
  await Promise.race([
    new Promise((resolve) => other.stdout.once('data', resolve)),
    ended.then((code) => Promise.reject(new Error(`the Python worker ended with status ${code}`))),
  ]);

  for (const [name, mine] of Object.entries({ default: client, there })) {
    await check(`a Python workflow in namespace ${name}: signals, queries, updates, result`, async () => {
      const handle = await mine.workflow.start('PyOrder', { ...toPython(), args: ['Ada', [item('a', 1)]] });
      await handle.signal('add-item', item('b', 2));
      assert.equal(await handle.query('Order.count'), 3);
      assert.equal(await handle.query('Order.count', 'b'), 2);
      assert.equal(await handle.executeUpdate('set_note', { args: ['first'] }), undefined); // None
      assert.equal(await handle.executeUpdate('set_note', { args: ['second'] }), 'first');
      const rejected = await failureOf(handle.executeUpdate('set_note', { args: [''] }));
      assert.deepEqual([rejected.cause.message, rejected.cause.type], ['an empty note', 'Empty']);
      const unknown = await failureOf(handle.query('nobody'));
      assert.match(unknown.message, /nobody/);
      await handle.signal('close');
      const items = [item('a', 1), item('b', 2)];
      assert.deepEqual(await handle.result(), { customer: 'Ada', items, note: 'second' });
    });
  }

  await check('a Python workflow: signalWithStart, cancel, terminate, list', async () => {
    const handle = await client.workflow.signalWithStart('PyOrder', {
      ...toPython(),
      args: ['Bob', []],
      signal: 'close',
    });
    assert.deepEqual(await handle.result(), { customer: 'Bob', items: [], note: null });
    const cancelled = await client.workflow.start('PyCancelled', toPython());
    await cancelled.cancel();
    assert.equal((await failureOf(cancelled.result())).cause.name, 'CancelledFailure');
    assert.equal((await cancelled.describe()).status.name, 'CANCELLED');
  });

  await check('values: numbers, text, null, nothing, bytes', async () => {
    const deep = { deep: [1, 2.5, '☃', null, true] };
    for (const value of [deep, undefined, 'text', 42, [], false]) {
      assert.deepEqual(await client.workflow.execute('PyEcho', { ...toPython(), args: [value] }), value);
    }
    const bytes = new Uint8Array([0, 1, 255]);
    const echoed = await client.workflow.execute('PyEcho', { ...toPython(), args: [bytes] });
    assert.deepEqual(new Uint8Array(echoed), bytes);
  });

  await check('a Python failure: type, details, cause', async () => {
    const [error, failure, root] = causes(await failureOf(client.workflow.execute('PyFails', toPython())));
    assert.equal(error.code, 'WORKFLOW_EXECUTION_FAILED');
    assert.ok(failure instanceof ApplicationFailure);
    assert.deepEqual(
      [failure.message, failure.type, failure.details],
      ['it failed', 'PyKind', [{ detail: 1 }, 2]],
    );
    assert.deepEqual([root.message, root.type], ['the root', 'ValueError']);
  });

  await check('Python activities without a workflow', async () => {
    const options = () => ({ id: randomUUID(), taskQueue: 'python', startToCloseTimeout: '10s' });
    assert.deepEqual(await client.activity.execute('py.charge card', { ...options(), args: ['ts', 3] }), {
      account: 'ts',
      cents: 3,
      in_workflow: false,
    });
    const [, refused, root] = causes(await failureOf(client.activity.execute('py_fail', options())));
    assert.deepEqual([refused.type, refused.details], ['PyRefused', [{ why: 'python' }]]);
    assert.equal(root.type, 'KeyError');
    const waiting = await client.activity.start('py_wait', { ...options(), heartbeatTimeout: '5s' });
    while ((await waiting.describe()).totalHeartbeatCount === undefined)
      await new Promise((r) => setTimeout(r, 50));
    const beaten = await waiting.describe({ includeHeartbeatDetails: true });
    assert.equal(await beaten.getHeartbeatDetails(), 'waiting');
    await waiting.cancel('enough');
    assert.equal((await failureOf(waiting.result())).cause.name, 'CancelledFailure');
  });

  await check('a Python Nexus service, in another namespace', async () => {
    const desk = client.nexus.createServiceClient({
      endpoint: await endpointTo('there', 'python'),
      service: pyDesk,
    });
    const options = () => ({ id: randomUUID(), scheduleToCloseTimeout: '10s' });
    const headers = { 'x-trace': 'traced' };
    assert.equal(await desk.executeOperation('ask', 'who', { ...options(), headers }), 'who? traced');
    const error = await failureOf(desk.executeOperation('refuse', 'not today', options()));
    assert.equal(error.code, 'NEXUS_OPERATION_EXECUTION_FAILED');
    assert.ok(causes(error).some(({ message }) => message.includes('not today')));
  });

  await check('a workflow of this SDK that reaches over to Python', async () => {
    const endpoint = await endpointTo('there', 'python');
    const seen = await client.workflow.execute('reachesOver', {
      ...toTypeScript(),
      args: ['python', endpoint],
    });
    const {
      failedActivity: [, failed, root],
      failedChild,
      failedNexus,
      ...rest
    } = seen;
    assert.deepEqual(rest, {
      activity: { account: 'ts', cents: 5, in_workflow: true },
      bytes: [255, 2, 1],
      cancelledActivity: true,
      child: { customer: 'ts', items: [item('a', 3)], note: null },
      nexus: 'ts? python',
    });
    assert.deepEqual(failed, ['ApplicationFailure', 'refused', 'PyRefused', [{ why: 'python' }]]);
    assert.equal(root[2], 'KeyError');
    assert.deepEqual(failedChild.map(([, message]) => message).slice(1), ['it failed', 'the root']);
    assert.ok(failedNexus.some(([, message]) => message.includes('not today')));
  });

  await check('a Python workflow that reaches over to this SDK', async () => {
    const waits = await client.workflow.start('order_flow', { ...toTypeScript(), args: ['Cy'] });
    const seen = await client.workflow.execute('PyCalls', { ...toPython(), args: [waits.workflowId] });
    assert.deepEqual(seen, [
      { account: 'python', cents: 7 },
      [
        ['no', 'Refused', [{ why: 'no' }]],
        ['the root', 'TypeError', []],
      ],
      [{ from: 'python' }, null],
      [
        ['it failed', 'Kind', [{ detail: 1 }]],
        ['the root', 'RangeError', []],
      ],
    ]);
    assert.equal((await waits.result()).customer, 'Cy');
  });

  await check('a Python client of this SDK', async () => {
    const endpoint = await endpointTo('default', 'typescript');
    const { code, output, stdout } = await run(
      [python, join(here, 'calls.py'), address, 'typescript', endpoint],
      {
        quiet: true,
        env,
        timeoutMs: 60_000,
      },
    );
    assert.equal(code, 0, output);
    const { 'unknown update': unknown, ...seen } = JSON.parse(stdout);
    assert.deepEqual(seen, {
      count: [3, 2],
      note: '',
      order: { customer: 'Py', items: [item('a', 1), item('b', 2)], note: 'first', namespace: 'default' },
      status: 'COMPLETED',
      echo: [{ deep: [1, 2.5, '☃', null, true] }, null],
      bytes: [0, 1, 255],
      nothing: null,
      failure: [
        ['it failed', 'Kind'],
        ['the root', 'RangeError'],
      ],
      details: [{ detail: 1 }],
      activity: { account: 'py', cents: 3 },
      nexus: 'py? ts',
    });
    assert.match(unknown[0][0], /nobody/);
  });
} finally {
  other.stdin.end();
  await ended;
  worker.shutdown();
  await working;
  await connection.close();
  await native.close();
  await server.stop();
}
if (tally.failed > 0) console.log(complaints);
tally.end();
