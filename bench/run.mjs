/**
 * `npm run bench`: Perdure, the official packages and the Rust floor side by side.
 *
 * Owns    what is measured, in which order, and the table.
 * M1  Contenders are interleaved: each round measures all of them, so that a slower minute of the machine hits all.
 * M2  Every figure is the median of its rounds (of all samples for latencies); all samples are in the JSON.
 * M3  A measurement that fails fails the run; no figure is left from an earlier run.
 *
 * Options: --only NAME[,NAME] (see SUITES), --rounds N, --quick (small counts, to see that it works),
 *          --save (writes bench/results/<date>.json and the tables of bench/README.md), --built (takes what is built
 *          already)
 */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { cpus, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { must, npmCommand } from '../scripts/tools/exec.mjs';
import { installPacked, installSize, packAll } from '../scripts/tools/pack.mjs';
import { root } from '../scripts/tools/paths.mjs';
import { installDependencies, setUp } from '../scripts/tools/setup.mjs';
import {
  buildFloor,
  floorBinary,
  historyFile,
  preparePrograms,
  program,
  runProgram,
  startWorker,
} from './harness/contenders.mjs';
import { Load, untilIdle } from './harness/load.mjs';
import { median, percentile, short } from './harness/statistics.mjs';

const MB = 1_000_000;
const { values: options } = parseArgs({
  options: {
    only: { type: 'string' },
    rounds: { type: 'string', default: '3' },
    quick: { type: 'boolean', default: false },
    save: { type: 'boolean', default: false },
    built: { type: 'boolean', default: false },
  },
});
const rounds = options.quick ? 1 : Number(options.rounds);
/** Counts are cut to a tenth with --quick. */
const n = (count) => (options.quick ? Math.max(1, Math.round(count / 10)) : count);

const SUITES = { replay, live, startup, bundling, memory, workers, cache, size, client, testing };
const wanted = options.only?.split(',') ?? Object.keys(SUITES);
for (const name of wanted)
  if (!SUITES[name]) throw new Error(`--only ${name}: takes ${Object.keys(SUITES).join(', ')}`);

/** figure → { unit, lowerIsBetter, samples: { perdure, official, floor } } */
const figures = new Map();

if (!options.built) {
  await setUp();
  await installDependencies(console.log, join(root, 'bench'));
  await buildFloor();
}
await preparePrograms();
const { startDevServer } = await import('@perdure/dev-server');
const scratch = await mkdtemp(join(tmpdir(), 'perdure-bench-'));
try {
  for (const name of wanted) {
    console.log(`\n${name}`);
    await SUITES[name]();
  }
} finally {
  await rm(scratch, { recursive: true, force: true });
}

const table = render();
console.log(`\n${table}`);
if (options.save) await save(table);
process.exit(0);

function record(figure, unit, contender, value, { higherIsBetter = false } = {}) {
  if (!Number.isFinite(value)) throw new Error(`${figure}, ${contender}: ${value}`); // M3
  if (!figures.has(figure)) figures.set(figure, { unit, higherIsBetter, samples: {} });
  const { samples } = figures.get(figure);
  samples[contender] ??= [];
  samples[contender].push(value);
  console.log(`  ${figure}, ${contender}: ${short(value)} ${unit}`);
}

async function replay() {
  const suites = [
    {
      name: 'hello-11-events',
      activities: 1,
      counts: { floor: [n(4000), n(500)], perdure: [n(4000), n(1000)], official: [n(600), n(300)] },
      report: (who, { cpuMs, wallMs, count }) => {
        record('replay of an 11-event history, CPU', 'ms', who, cpuMs / count);
        record('replay of an 11-event history, wall', 'ms', who, wallMs / count);
      },
    },
    {
      name: 'chain-6005-events',
      activities: 1000,
      counts: { floor: [n(10), 1], perdure: [n(10), 1], official: [n(10), 1] },
      report: (who, { events, wallMs, cpuMs, count }) => {
        record('replay of 1,000 activities', 'events/s', who, (events * count * 1000) / wallMs, {
          higherIsBetter: true,
        });
        record('replay of 1,000 activities, CPU', 'ms', who, cpuMs / count);
      },
    },
  ];
  for (let round = 0; round < rounds; round += 1) {
    for (const { name, activities, counts, report } of suites) {
      for (const [who, [count, warmup]] of Object.entries(counts)) {
        const file = historyFile(name);
        const command =
          who === 'floor'
            ? [floorBinary, 'replay', '--history', file, '--activities', String(activities)].concat([
                '--count',
                String(count),
                '--warmup',
                String(warmup),
              ])
            : [process.execPath, program(who, 'replay.cjs'), file, String(count), String(warmup)];
        report(who, await runProgram(command));
      }
    }
  }
}

async function live() {
  const server = await startDevServer({ useExisting: false });
  const load = await Load.connect(server.address);
  const kinds = [
    { type: 'hello', args: ['Perdure'], activities: 1, label: 'live hello' },
    { type: 'noop', args: [], activities: 0, label: 'live noop' },
  ];
  const workers = [];
  const worker = (who, activities) => {
    const taskQueue = `${who}-${activities}`;
    const started = startWorker(who, { address: server.address, taskQueue, activities });
    workers.push(started);
    return { started, taskQueue };
  };
  try {
    // The JavaScript workers serve both kinds, the floor needs one process for each.
    const perdure = worker('perdure', 1);
    const official = worker('official', 1);
    const by = {
      hello: { floor: worker('floor', 1), perdure, official },
      noop: { floor: worker('floor', 0), perdure, official },
    };
    await Promise.all(workers.map((each) => each.ready));
    for (const { type, args } of kinds) {
      for (const { taskQueue } of Object.values(by[type]))
        await load.execute(type, taskQueue, args, n(300), 20);
    }
    for (let round = 0; round < rounds; round += 1) {
      for (const { type, args, label } of kinds) {
        for (const [who, { started, taskQueue }] of Object.entries(by[type])) {
          const count = n(500);
          const before = await started.usage();
          const { wallMs } = await load.execute(type, taskQueue, args, count, 20);
          const after = await started.usage();
          record(`${label}, worker CPU per workflow`, 'ms', who, (after.cpuMs - before.cpuMs) / count);
          record(`${label}, throughput at 20 at a time`, 'workflows/s', who, (count * 1000) / wallMs, {
            higherIsBetter: true,
          });
          const single = await load.execute(type, taskQueue, args, n(100), 1);
          record(`${label}, latency p50`, 'ms', who, percentile(single.latenciesMs, 0.5));
          record(`${label}, latency p99`, 'ms', who, percentile(single.latenciesMs, 0.99));
        }
      }
    }
  } finally {
    await Promise.all(workers.map((each) => each.stop()));
    await load.close();
    await server.stop();
  }
}

/** From the start of the process until the worker runs, and until its first workflow has its result. */
async function startup() {
  const server = await startDevServer({ useExisting: false });
  const load = await Load.connect(server.address);
  const warm = { XDG_CACHE_HOME: join(scratch, 'warm-cache') };
  const measure = async (who, figure, env) => {
    const taskQueue = `startup-${Math.random()}`;
    const handle = await load.start('noop', taskQueue, []);
    const worker = startWorker(who, { address: server.address, taskQueue, activities: 0, env });
    try {
      await worker.ready;
      await handle.result();
      const firstMs = performance.now() - worker.spawnedAt;
      if (figure !== undefined) {
        record(`process start to running${figure}`, 'ms', who, worker.readyMs);
        record(`process start to the first workflow's result${figure}`, 'ms', who, firstMs);
      }
    } finally {
      await worker.stop();
    }
  };
  try {
    await measure('perdure', undefined, warm); // fills the cache
    for (let round = 0; round < rounds; round += 1) {
      for (const who of ['floor', 'perdure', 'official']) {
        await measure(who, '', { XDG_CACHE_HOME: join(scratch, `cold-${round}-${who}`) });
        await measure(who, ', warm bundle cache', warm);
      }
      for (const who of ['floor', 'perdure', 'official']) {
        const worker = startWorker(who, { address: server.address, taskQueue: 'idle', env: warm });
        try {
          await worker.ready;
          await new Promise((resolve) => setTimeout(resolve, options.quick ? 1_000 : 5_000));
          record('idle worker, RSS', 'MB', who, (await worker.usage()).rssBytes / MB);
        } finally {
          await worker.stop();
        }
      }
    }
  } finally {
    await load.close();
    await server.stop();
  }
}

async function bundling() {
  for (let round = 0; round < rounds; round += 1) {
    for (const who of ['perdure', 'official']) {
      const env = { XDG_CACHE_HOME: join(scratch, `bundle-${round}-${who}`) };
      const command = [process.execPath, program(who, 'bundle.cjs')];
      const cold = await runProgram(command, { env });
      record('bundling, cold', 'ms', who, cold.ms);
      record('bundling, same sources again', 'ms', who, (await runProgram(command, { env })).ms);
      record('bundle size', 'kB', who, cold.bytes / 1000);
    }
  }
}

/** From `npm test` to the first assertion that holds, and to the end of `npm test`; everything cached is warm. */
async function testing() {
  const { findServerBinary } = await import('@perdure/dev-server');
  const { path } = await findServerBinary('temporal');
  const contenders = ['perdure', 'official'];
  for (const who of contenders) {
    const manifest = { name: 'first', private: true, scripts: { test: 'node --test first-test.cjs' } };
    await writeFile(program(who, 'package.json'), JSON.stringify(manifest));
  }
  for (let round = -1; round < rounds; round += 1) {
    for (const who of contenders) {
      const green = join(scratch, `green-${who}-${round}`);
      const begun = Date.now();
      await must([...npmCommand(), 'test'], {
        cwd: program(who, '.'),
        env: { BENCH_SERVER: path, BENCH_GREEN: green, XDG_CACHE_HOME: join(scratch, `cache-${who}`) },
        quiet: true,
        timeoutMs: 120_000,
      });
      const ended = Date.now();
      if (round === -1) continue; // warms the caches
      const at = Number(await readFile(green, 'utf8'));
      record('npm test to the first green assertion', 'ms', who, at - begun);
      record('npm test to its end', 'ms', who, ended - begun);
    }
  }
}

async function memory() {
  const server = await startDevServer({ useExisting: false });
  const load = await Load.connect(server.address);
  const [first, more] = [n(1000), n(5000)];
  try {
    for (const who of ['perdure', 'official']) {
      const worker = startWorker(who, {
        address: server.address,
        taskQueue: `open-${who}`,
        maxCachedWorkflows: 7000,
      });
      try {
        await worker.ready;
        await load.open('waits', `open-${who}`, first, 20);
        const before = await untilIdle(worker);
        await load.open('waits', `open-${who}`, more, 20);
        const after = await untilIdle(worker);
        record(
          'memory of one more cached open workflow',
          'kB',
          who,
          (after.rssBytes - before.rssBytes) / 1000 / more,
        );
        record(
          `RSS with ${(first + more).toLocaleString('en-US')} open workflows`,
          'MB',
          who,
          after.rssBytes / MB,
        );
      } finally {
        await worker.stop();
      }
    }
  } finally {
    await load.close();
    await server.stop();
  }
}

/** 2,000 open workflows over a cache of 50: nearly every signal finds its workflow evicted. */
async function cache() {
  const server = await startDevServer({ useExisting: false });
  const load = await Load.connect(server.address);
  const [open, signals] = [n(2000), n(10_000)];
  try {
    for (const who of ['perdure', 'official']) {
      const taskQueue = `cache-${who}`;
      const worker = startWorker(who, { address: server.address, taskQueue, maxCachedWorkflows: 50 });
      try {
        await worker.ready;
        const handles = [];
        let left = open;
        await Promise.all(
          Array.from({ length: 20 }, async () => {
            while (left-- > 0) handles.push(await load.start('tally', taskQueue, []));
          }),
        );
        const expected = new Map(handles.map((handle) => [handle, { count: 0, sum: 0 }]));
        const add = async (handle, number) => {
          const total = expected.get(handle);
          total.count += 1;
          total.sum += number;
          await handle.signal('add', number);
        };
        // The first fifth warms up: what grows afterwards grows with the number of signals.
        await load.signalAll(handles, signals / 5, 20, add);
        const before = await untilIdle(worker);
        const { wallMs } = await load.signalAll(handles, signals, 20, add);
        const after = await untilIdle(worker);
        await load.signalAll(handles, open, 20, (handle) => handle.signal('proceed'));
        await Promise.all(
          handles.map(async (handle) => {
            const got = JSON.stringify(await handle.result());
            const want = JSON.stringify(expected.get(handle));
            if (got !== want) throw new Error(`${who}: ${handle.workflowId} has ${got} instead of ${want}`);
          }),
        );
        const label = `${open.toLocaleString('en-US')} open workflows over a cache of 50`;
        record(`${label}, CPU per signal`, 'ms', who, (after.cpuMs - before.cpuMs) / signals);
        record(`${label}, throughput`, 'signals/s', who, (signals * 1000) / wallMs, { higherIsBetter: true });
        record(`${label}, RSS at the end`, 'MB', who, after.rssBytes / MB);
        const grown = (after.rssBytes - before.rssBytes) / MB;
        record(`${label}, growth over ${signals.toLocaleString('en-US')} signals`, 'MB', who, grown);
      } finally {
        await worker.stop();
      }
    }
  } finally {
    await load.close();
    await server.stop();
  }
}

/** Loading the client, and starting workflows with it, one after the other and many at a time. */
async function client() {
  const server = await startDevServer({ useExisting: false });
  const [one, many, concurrency] = [n(300), n(2000), 50];
  try {
    for (let round = 0; round < rounds; round += 1) {
      for (const who of ['perdure', 'official']) {
        const queue = `client-${who}-${round}`;
        const command = [process.execPath, program(who, 'client.cjs'), server.address, queue].concat(
          [one, many, concurrency].map(String),
        );
        const { load, firstCallMs, sequential, concurrent, signals, rssBytes } = await runProgram(command);
        record('client: loading, wall', 'ms', who, load.wallMs);
        record('client: loading, CPU', 'ms', who, load.cpuMs);
        record('client: loading and connecting', 'ms', who, firstCallMs);
        record('client: start, latency p50', 'ms', who, percentile(sequential.latenciesMs, 0.5));
        record('client: start, latency p99', 'ms', who, percentile(sequential.latenciesMs, 0.99));
        record('client: start, CPU one at a time', 'ms', who, sequential.cpuMs / one);
        record(`client: start, CPU ${concurrency} at a time`, 'ms', who, concurrent.cpuMs / many);
        record(
          `client: starts ${concurrency} at a time`,
          'starts/s',
          who,
          (many * 1000) / concurrent.wallMs,
          {
            higherIsBetter: true,
          },
        );
        record(`client: signal, CPU ${concurrency} at a time`, 'ms', who, signals.cpuMs / many);
        record('client: RSS at the end', 'MB', who, rssBytes / MB);
      }
    }
  } finally {
    await server.stop();
  }
}

/** One worker and 30 of them, each on a queue of its own, all with the same workflows, doing the same work. */
async function workers() {
  const server = await startDevServer({ useExisting: false });
  try {
    for (const who of ['perdure', 'official']) {
      for (const count of [1, 30]) {
        const queues = `workers-${who}-${count}-${Date.now()}`;
        const { rssBytes } = await runProgram([
          process.execPath,
          program(who, 'workers.cjs'),
          server.address,
          queues,
          String(count),
        ]);
        record(`RSS of a process with ${count} worker${count === 1 ? '' : 's'}`, 'MB', who, rssBytes / MB);
      }
    }
  } finally {
    await server.stop();
  }
}

async function size() {
  const packed = await packAll(join(scratch, 'tarballs'));
  const has = (name) => packed.has(name);
  const full = join(scratch, 'full');
  await installPacked(full, packed, {
    packages: ['worker', 'client', 'workflow', 'activity'].map((p) => `@perdure/${p}`).filter(has),
  });
  record(
    'install size: worker, client, workflow, activity',
    'MB',
    'perdure',
    installSize(full).totalBytes / MB,
  );
  const official = installSize(join(root, 'bench'));
  record('install size: worker, client, workflow, activity', 'MB', 'official', official.totalBytes / MB);
}

function machine() {
  const [cpu] = cpus();
  return `${cpus().length} × ${cpu.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, ${process.platform} ${process.arch}, Node.js ${process.versions.node}`;
}

function render() {
  const lines = [
    '| figure | unit | Perdure | official 1.24.0 | floor | Perdure / official | Perdure / floor |',
    '| --- | --- | ---: | ---: | ---: | ---: | ---: |',
  ];
  for (const [figure, { unit, samples }] of figures) {
    const of = (who) => (samples[who] ? median(samples[who]) : Number.NaN);
    const [perdure, official, floor] = ['perdure', 'official', 'floor'].map(of);
    const cells = [
      short(perdure),
      short(official),
      short(floor),
      ratio(perdure, official),
      ratio(perdure, floor),
    ];
    lines.push(`| ${figure} | ${unit} | ${cells.join(' | ')} |`);
  }
  return lines.join('\n');
}

function ratio(a, b) {
  return Number.isFinite(a / b) ? `${(a / b).toFixed(a / b < 0.1 ? 3 : 2)}` : '-';
}

async function save(text) {
  const date = new Date().toISOString().slice(0, 10);
  const result = {
    date,
    machine: machine(),
    rounds,
    command: `npm run bench -- ${process.argv.slice(2).join(' ')}`.trim(),
    figures: Object.fromEntries(figures),
  };
  await mkdir(join(root, 'bench', 'results'), { recursive: true });
  await writeFile(join(root, 'bench', 'results', `${date}.json`), `${JSON.stringify(result, null, 2)}\n`);
  const readme = join(root, 'bench', 'README.md');
  const before = await readFile(readme, 'utf8');
  const block = `<!-- results -->\n${date}, ${result.machine}. Medians of ${rounds} rounds; \`${result.command}\`.\n\n${text}\n<!-- /results -->`;
  const after = before.replace(/<!-- results -->[\s\S]*<!-- \/results -->/, () => block);
  if (after === before && !before.includes(block))
    throw new Error('bench/README.md has no place for the results');
  await writeFile(readme, after);
}
