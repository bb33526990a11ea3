/**
 * Records histories with the official SDK, to be replayed here for ever (tests/src/histories.test.ts):
 *
 *   node tests/histories/record.mjs [--sdk FOLDER] [--into FOLDER] [--only NAME] [--programs 60] [--pack]
 *
 * Workflows are tests/src/workflows/recorded.ts and random programs of the fuzz campaign, with nothing changed but the
 * import scope. The official packages come from bench/, where they are installed for measuring; `--sdk` names another
 * folder with `node_modules`, for another version of them. Histories are kept as the tools write them: the CLI
 * (`NAME.cli.json`), the Web UI's download (`NAME.ui.json`), the official SDK (`NAME.sdk.json`).
 *
 * `--pack` writes one file for all, `sdk-VERSION.json.gz`, and leaves out what the version cannot do: for earlier
 * versions of the SDK, whose workflows may still be open when an application moves.
 */
import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { root } from '../../scripts/tools/paths.mjs';
import { copyWorkflows, officialPackages, officialVersion } from './official.mjs';

const { values: given } = parseArgs({
  options: {
    sdk: { type: 'string', default: join(root, 'bench') },
    into: { type: 'string', default: join(root, 'tests', 'histories') },
    only: { type: 'string' },
    programs: { type: 'string', default: '60' },
    pack: { type: 'boolean', default: false },
  },
});
const require = createRequire(import.meta.url);
const official = officialPackages(given.sdk);

const { Client, Connection } = official('@temporalio/client');
const { NativeConnection, Runtime, Worker } = official('@temporalio/worker');
const { ApplicationFailure, Context } = official('@temporalio/activity');
const { historyToJSON } = official('@temporalio/common/lib/proto-utils');
const { startDevServer, findServerBinary } = require('@perdure/dev-server');
const perdure = require('@perdure/client');
const { historyToJSON: perdureHistoryToJSON } = require('@perdure/common/lib/proto-utils');
const { makeActivities, makeCases, runCases } = require('../lib/fuzz/campaign.js');

const pause = (ms) => new Promise((done) => setTimeout(done, ms));
const taskQueue = 'recorded';

/** What is recorded: the workflow, its arguments, and what happens to it while it runs. */
const RECORDINGS = [
  { name: 'manyActivities' },
  { name: 'failures' },
  { name: 'localActivities' },
  { name: 'timers' },
  { name: 'messages', meanwhile: messages, intercepted: true },
  { name: 'signalWithStart', type: 'messages', start: signalWithStart, meanwhile: messages },
  { name: 'batches', meanwhile: signalSoon },
  { name: 'conditions', intercepted: true },
  { name: 'cancels' },
  { name: 'cancelled', meanwhile: cancelSoon },
  { name: 'children', intercepted: true },
  { name: 'externals', start: withTarget },
  { name: 'continues', args: [1] },
  { name: 'patches' },
  { name: 'attributes', options: { memo: { given: 1 } }, intercepted: true },
  { name: 'chance' },
  { name: 'asyncIteration' },
  { name: 'dynamic', type: 'noSuchWorkflow', args: [1, 2] },
];
/** These are kept in every form. */
const ALL_FORMS = new Set(['messages', 'attributes']);

async function messages(handle) {
  await handle.signal('add', 2);
  await pause(100);
  await Promise.all([handle.signal('add', 3), handle.signal('add', 5), handle.signal('unheard of')]);
  for (let handled = false; !handled; await pause(20)) {
    handled = await handle.query('total').then(
      () => true,
      () => false, // the handlers are not there yet
    );
  }
  await Promise.all([
    handle.executeUpdate('increase', { args: [4] }),
    handle.executeUpdate('work', { args: ['first'] }),
    handle.executeUpdate('increase', { args: [-1] }).catch(() => {}),
    handle.executeUpdate('work', { args: ['second'] }),
  ]);
  await handle.signal('add', 7);
  await handle.signal('stop');
}

async function signalSoon(handle) {
  await pause(900);
  await handle.signal('add', 1);
}

async function cancelSoon(handle) {
  await pause(300);
  await handle.cancel();
}

function signalWithStart(client, options) {
  return client.workflow.signalWithStart('messages', { ...options, signal: 'add', signalArgs: [1] });
}

async function withTarget(client, options) {
  const workflowId = `${options.workflowId}-target`;
  await client.workflow.start('waitingChild', { taskQueue: options.taskQueue, workflowId, args: ['wait'] });
  return client.workflow.start('externals', { ...options, args: [workflowId] });
}

const activities = {
  ...makeActivities(() => Context.current().info.attempt),
  // Errors of the official classes: of others it would keep less.
  fail: async () => {
    throw ApplicationFailure.nonRetryable('fails by design', 'ByDesign');
  },
  flaky: async () => {
    if (Context.current().info.attempt === 1)
      throw ApplicationFailure.retryable('fails the first time', 'Flaky');
  },
  echo: async (value) => value,
  slow: async (ms) => {
    await pause(ms);
    return `slept ${ms}`;
  },
  fails: async (times) => {
    const { attempt } = Context.current().info;
    if (attempt <= times) throw new Error(`attempt ${attempt}`);
    return `attempt ${attempt}`;
  },
  fatal: async () => {
    throw ApplicationFailure.nonRetryable('fatal', 'Fatal', 'detail');
  },
  stays: async () => {
    const context = Context.current();
    const beats = setInterval(() => context.heartbeat(), 50);
    try {
      await Promise.race([context.cancelled, pause(15_000)]);
    } finally {
      clearInterval(beats);
    }
  },
};

const save = (file, value) =>
  writeFile(join(given.into, file), gzipSync(anonymous(JSON.stringify(value)), { level: 9 }));

/** Stacks of failures show where this checkout is. */
const anonymous = (text) => text.replaceAll(resolve(given.sdk), '/app').replaceAll(root, '/app');

/** @returns {Promise<Record<string, string>>} texts by extension */
async function formsOf(handle, name) {
  const forms = {};
  // Earlier versions have no such function, and need none: they are kept as the CLI writes them.
  if (ALL_FORMS.has(name) && !given.pack)
    forms['sdk.json'] = `${historyToJSON(await handle.fetchHistory())}\n`;
  const { path: cli } = await findServerBinary('temporal');
  const execution = ['--workflow-id', handle.workflowId, '--run-id', handle.firstExecutionRunId];
  const shown = await promisify(execFile)(
    cli,
    ['workflow', 'show', ...execution, '--address', server.address, '--output', 'json'],
    { maxBuffer: 2 ** 26 },
  );
  forms['cli.json'] = shown.stdout;
  if (ALL_FORMS.has(name) && !given.pack) {
    const path = `api/v1/namespaces/default/workflows/${encodeURIComponent(handle.workflowId)}/history`;
    const answer = await fetch(`${server.uiUrl}/${path}?execution.runId=${handle.firstExecutionRunId}`);
    if (!answer.ok) throw new Error(`the Web UI answered ${answer.status}: ${await answer.text()}`);
    const { history } = await answer.json();
    forms['ui.json'] = `${JSON.stringify(history, null, 2)}\n`; // as the download button saves it
  }
  return forms;
}

/** In a version that lacks something that the program uses. */
const hasFailedTask = ({ events }) =>
  events.some((event) => event.workflowTaskFailedEventAttributes?.failure);

/** With --pack: histories by name, as the CLI writes them. */
const packed = {};
/** What an earlier version cannot do fails its task again and again. */
const LIMIT_MS = 20_000;

async function recordWhatIsThere(client, recording, suffix) {
  if (!given.pack) return record(client, recording, suffix);
  const late = pause(LIMIT_MS).then(() => {
    throw new Error('does not end: this version lacks something');
  });
  await Promise.race([record(client, recording, suffix), late]).catch(async (error) => {
    console.log(`${recording.name}${suffix}: left out, ${error.message.split('\n')[0]}`);
    await client.workflow
      .getHandle(`recorded-${recording.name}${suffix}`)
      .terminate()
      .catch(() => {});
  });
}

async function record(client, { name, type = name, args = [], options, start, meanwhile }, suffix) {
  const startOptions = { taskQueue, workflowId: `recorded-${name}${suffix}`, args, ...options };
  const started = start ? await start(client, startOptions) : await client.workflow.start(type, startOptions);
  const runId = started.firstExecutionRunId ?? started.signaledRunId;
  const [result] = await Promise.all([
    started.result().catch((error) => error.cause ?? error),
    meanwhile?.(started),
  ]);
  const handle = client.workflow.getHandle(started.workflowId, runId, { followRuns: false });
  const forms = await formsOf(Object.assign(handle, { firstExecutionRunId: runId }), name);
  if (given.pack) {
    if (!/WORKFLOW_TASK_FAILED|TERMINATED/.test(forms['cli.json'])) {
      packed[`${name}${suffix}`] = JSON.parse(forms['cli.json']);
    } else throw new Error('a task failed: this version lacks something');
  }
  for (const [extension, text] of given.pack ? [] : Object.entries(forms)) {
    await writeFile(join(given.into, `${name}${suffix}.${extension}`), anonymous(text));
  }
  console.log(`${name}${suffix}: ${JSON.stringify(result?.message ?? result)}`);
}

const copies = await copyWorkflows(given.sdk, 'histories', [
  'recorded.ts',
  'recorded-interceptors.ts',
  'fuzz.ts',
]);
await mkdir(given.into, { recursive: true });
Runtime.install({ logger: { log() {}, trace() {}, debug() {}, info() {}, warn() {}, error: console.error } });
const server = await startDevServer({
  useExisting: false,
  ui: true,
  searchAttributes: { TestKeyword: 'Keyword' },
  dynamicConfigValues: { 'frontend.enableUpdateWorkflowExecution': true },
});
const connection = await NativeConnection.connect({ address: server.address });
const client = new Client({
  identity: 'recorder',
  connection: await Connection.connect({ address: server.address }),
});
const sinks = { collector: { collect: { fn() {} } } };
const makeWorker = (options) =>
  Worker.create({ connection, taskQueue, activities, sinks, identity: 'recorder', ...options });
const recorded = { workflowsPath: copies.path('recorded.ts') };
try {
  const wanted = RECORDINGS.filter(({ name }) => given.only === undefined || given.only === name);
  const plain = await makeWorker(recorded);
  await plain.runUntil(async () => {
    for (const recording of wanted) await recordWhatIsThere(client, recording, '');
  });
  const intercepted = await makeWorker({
    ...recorded,
    interceptors: { workflowModules: [copies.path('recorded-interceptors.ts')] },
  });
  await intercepted.runUntil(async () => {
    for (const recording of wanted)
      if (recording.intercepted) await recordWhatIsThere(client, recording, '.intercepted');
  });
  if (given.only === undefined || given.only === 'programs') {
    const programs = await makeWorker({ workflowsPath: copies.path('fuzz.ts'), taskQueue: 'programs' });
    const driver = new perdure.Client({
      identity: 'recorder',
      connection: await perdure.Connection.connect({ address: server.address }),
    });
    const histories = await programs.runUntil(() =>
      runCases(driver, 'programs', makeCases(11, Number(given.programs)), 8),
    );
    const rows = histories
      .filter(({ history }) => !given.pack || !hasFailedTask(history))
      .map(({ name, steps, history }) => ({
        name,
        steps,
        history: JSON.parse(perdureHistoryToJSON(history)),
      }));
    if (given.pack) packed.programs = rows;
    else await save('programs.json.gz', rows);
    await driver.connection.close();
    console.log(`programs: ${rows.length}`);
  }
  if (given.pack) await save(`sdk-${await officialVersion(official)}.json.gz`, packed);
} finally {
  await client.connection.close();
  await connection.close();
  await server.stop();
  await copies.remove();
}
