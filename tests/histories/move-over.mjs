/**
 * Moving an application over while its workflows run, and back:
 *
 *   node tests/histories/move-over.mjs [--programs 50] [--seed 5] [--turn 250] [--sdk FOLDER] [--built]
 *     [--between official,perdure]   (one name: that SDK alone, its workers restarted as often, as a control)
 *
 * Random programs run on one task queue of a real server. Workers of the official SDK and of this one take turns on
 * it: each is shut down after a few hundred milliseconds, in the middle of nearly everything, and the other goes on.
 *
 * Not part of CI: with tasks that time out in between, about one run in a hundred fails a task with another number of
 * timers than was recorded, in workers of either SDK and with the official one alone (`--between official`), though
 * both replay its history when it has ended. Why is not known yet.
 *
 * M1  No task of any workflow fails, and each SDK replays every history afterwards, those that both have written
 *     included. Excused is what the official SDK has written and cannot follow itself: restarted by its own workers
 *     (`--between official`, the control) it now and then disagrees with what it has recorded. Such runs are counted.
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

/** An SDK: its worker package, the context of its activities, its copy of the workflows. */
async function sdk(name, worker, { Context }, workflowsPath) {
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
  const { failures, excused } = judge(recorded, problems);
  if (sdks.length > 1 && shared < recorded.length / 4) {
    failures.push(`only ${shared} of ${recorded.length} runs have tasks of both`); // M3
  }
  for (const text of excused) console.log(`excused ${text}`);
  for (const failure of failures) console.log(`FAILED ${failure}`);
  console.log(
    `${recorded.length} runs, ${turns} turns of workers (official ${await officialVersion(official)} and this SDK), ` +
      `${shared} runs with tasks of both; ${failures.length} failures, ${excused.length} of the official SDK alone`,
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

/** M1: what the official SDK has written is held against us only if it can follow it itself. */
function judge(runs, problems) {
  const failures = [];
  const excused = [];
  for (const { by, replayed, runId, text } of problems) {
    const run = runs.find((each) => each.runId === runId);
    const theirOwn = authorOf(run, text) === 'official';
    const official = problems.some((other) => other.runId === runId && other.by === 'official');
    const list = theirOwn && official ? excused : failures;
    list.push(
      `${run.name} ${JSON.stringify(run.steps)}: ${by}${replayed ? ', replaying' : ''}: ${text.slice(0, 400)}`,
    );
  }
  return { failures, excused };
}

/** Who has completed the task that wrote the event that the text names. */
function authorOf({ history }, text) {
  const id = /HistoryEvent(?:\(id: | \{ event_id: )(\d+)/.exec(text)?.[1];
  const event = history.events.find(({ eventId }) => String(eventId) === id);
  const attributes = Object.values(event ?? {}).find(
    (value) => value?.workflowTaskCompletedEventId !== undefined,
  );
  const task = history.events.find(({ eventId }) => attributes?.workflowTaskCompletedEventId.eq(eventId));
  return task?.workflowTaskCompletedEventAttributes?.identity;
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
