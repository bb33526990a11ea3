/**
 * Moving an application over while its workflows run, and back:
 *
 *   node tests/histories/move-over.mjs [--programs 50] [--seed 5] [--turn 250] [--sdk FOLDER] [--built]
 *     [--between official,perdure]   (one name: that SDK alone, its workers restarted as often, as a control)
 *     [--shared-context]             (official workers as they are by default, and fail now and then: README.md)
 *
 * Random programs run on one task queue of a real server. Workers of the official SDK and of this one take turns on
 * it: each is shut down after a few hundred milliseconds, in the middle of nearly everything, and the other goes on.
 * Workers of the official SDK give each run a V8 context of its own: in a shared one its runs clear each other's
 * timeouts. Not part of CI: it lasts a minute, with little load.
 *
 * M1  No task of any workflow fails, and each SDK replays every history afterwards, those that both have written
 *     included.
 * M2  Every program ends; in the end a worker of this SDK stays until it has.
 * M3  Many programs have tasks of both, or the turns were too long to prove anything.
 */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { must } from '../../scripts/tools/exec.mjs';
import { packageBin, root } from '../../scripts/tools/paths.mjs';
import { installDependencies, setUp } from '../../scripts/tools/setup.mjs';
import { Tally } from '../../scripts/tools/tally.mjs';
import { copyWorkflows, officialPackages, officialVersion, silentLogger } from './official.mjs';

const { values: given } = parseArgs({
  options: {
    programs: { type: 'string', default: '50' },
    seed: { type: 'string', default: '5' },
    turn: { type: 'string', default: '250' },
    sdk: { type: 'string', default: join(root, 'bench') },
    between: { type: 'string', default: 'official,perdure' },
    'shared-context': { type: 'boolean', default: false },
    built: { type: 'boolean', default: false },
  },
});
if (!given.built) {
  await setUp();
  if (given.sdk === join(root, 'bench')) await installDependencies(console.log, given.sdk);
  await must([process.execPath, packageBin('typescript', 'tsc'), '-b', 'tests/tsconfig.json']);
}

const require = createRequire(import.meta.url);
const official = officialPackages(given.sdk);
const { temporal } = official('@temporalio/proto');
const { Client, Connection } = require('@perdure/client');
const { startDevServer } = require('@perdure/dev-server');
const { EventType } = require('@perdure/proto/temporal/api/enums/v1/event_type');
const { History } = require('@perdure/proto/temporal/api/history/v1/message');
const { makeActivities, makeCases, runCases } = require('../lib/fuzz/campaign.js');

const tally = new Tally('moving over');
const taskQueue = 'moving';
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

/** An SDK: its worker package, the context of its activities, its copy of the workflows, more options of its workers. */
async function sdk(name, worker, { Context }, workflowsPath, options = {}) {
  worker.Runtime.install({ logger: silentLogger });
  const connection = await worker.NativeConnection.connect({ address: server.address });
  const { code } = await worker.bundleWorkflowCode({ workflowsPath, logger: silentLogger });
  const workflowBundle = { code };
  return {
    name,
    connection,
    makeWorker: () =>
      worker.Worker.create({
        connection,
        taskQueue,
        identity: name,
        workflowBundle,
        activities: makeActivities(() => Context.current().info.attempt),
        ...options,
      }),
    replay: (histories) => worker.Worker.runReplayHistories({ workflowBundle }, histories),
  };
}

const server = await startDevServer({ useExisting: false });
const client = new Client({ connection: await Connection.connect({ address: server.address }) });
const copies = await copyWorkflows(given.sdk, 'moving', ['fuzz.ts']);
const ours = await sdk(
  'perdure',
  require('@perdure/worker'),
  require('@perdure/activity'),
  join(root, 'tests', 'src', 'workflows', 'fuzz.ts'),
);
const theirs = await sdk(
  'official',
  official('@temporalio/worker'),
  official('@temporalio/activity'),
  copies.path('fuzz.ts'),
  { reuseV8Context: given['shared-context'] },
);
try {
  const sdks = given.between.split(',').map((name) => [ours, theirs].find((each) => each.name === name));
  const { recorded, turns } = await takeTurns(...sdks);
  const shared = recorded.filter((run) => workersOf(run).size === 2).length;
  const problems = recorded.flatMap(problemsOf);
  for (const { name, replay } of [ours, theirs]) {
    for await (const { runId, error } of replay(recorded.map(asHistory(name)))) {
      if (error !== undefined) problems.push({ by: name, replayed: true, runId, text: error.message });
    }
  }
  const failures = problems.map((problem) => describe(recorded, problem)); // M1, M2
  if (sdks.length > 1 && shared < recorded.length / 4) {
    failures.push(`only ${shared} of ${recorded.length} runs have tasks of both`); // M3
  }
  for (const failure of failures) console.log(`FAILED ${failure}`);
  console.log(
    `${recorded.length} runs, ${turns} turns of workers (official ${await officialVersion(official)} and this SDK), ` +
      `${shared} runs with tasks of both; ${failures.length} failures`,
  );
  tally.add(recorded.length, failures.length);
} finally {
  await client.connection.close();
  await ours.connection.close();
  await theirs.connection.close();
  await server.stop();
  await copies.remove();
}
tally.end();

/** The official worker begins. */
async function takeTurns(...sdks) {
  let ended = false;
  const cases = longCases(Number(given.seed), Number(given.programs));
  const running = runCases(client, taskQueue, cases, cases.length).finally(() => {
    ended = true;
  });
  let turns = 0;
  while (!ended) {
    const last = turns >= 40; // M2
    const worker = await (last ? sdks.at(-1) : sdks[turns % sdks.length]).makeWorker();
    turns++;
    const turn = last ? running : Promise.race([running, pause(Number(given.turn))]);
    await worker.runUntil(
      turn.then(
        () => {},
        () => {},
      ),
    );
  }
  return { recorded: await running, turns };
}

/** Programs that last for several turns: three in a row. */
function longCases(seed, programs) {
  const cases = makeCases(seed, programs * 3);
  return Array.from({ length: programs }, (_, i) => {
    const three = cases.slice(3 * i, 3 * i + 3);
    return {
      steps: three.flatMap(({ steps }) => steps),
      disturbances: three.flatMap(({ disturbances }) => disturbances),
    };
  });
}

/** @returns {{ by: string, runId: string, text: string }[]} */
function problemsOf({ runId, history }) {
  const problems = [];
  for (const { eventType, workflowTaskFailedEventAttributes: failed } of history.events) {
    if (eventType === EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED) {
      problems.push({ by: 'nobody', runId, text: 'does not end' }); // M2
    }
    if (failed?.failure === undefined || /UnhandledCommand/.test(failed.failure.message)) continue;
    problems.push({ by: failed.identity, runId, text: failed.failure.message });
  }
  return problems;
}

function describe(runs, { by, replayed, runId, text }) {
  const { name, steps } = runs.find((each) => each.runId === runId);
  return `${name} ${JSON.stringify(steps)}: ${by}${replayed ? ', replaying' : ''}: ${text.slice(0, 400)}`;
}

/** Who has completed tasks of the run. */
function workersOf({ history }) {
  const names = history.events.map((event) => event.workflowTaskCompletedEventAttributes?.identity);
  return new Set(names.filter((name) => name !== undefined));
}

function asHistory(name) {
  const message =
    name === 'official'
      ? (history) => temporal.api.history.v1.History.decode(History.encode(history).finish())
      : (history) => history;
  return ({ name: workflowId, history }) => ({ workflowId, history: message(history) });
}
