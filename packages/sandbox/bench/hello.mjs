/**
 * What a workflow run costs the sandbox, protobuf included: CPU of one run (start, one activity, end, eviction)
 * and heap of one open run. Everything but the thread: the lane's code runs here, so that nothing else counts.
 *
 * node --expose-gc packages/sandbox/bench/hello.mjs [isolation] (after a build)
 */
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const { Lane } = require('@perdure/sandbox');
const { LaneBatch } = require('@perdure/proto/perdure/core/v1/exchange');
const {
  WorkflowActivation,
} = require('@perdure/proto/temporal/sdk/core/workflow_activation/workflow_activation');
const { Long } = require('long').default ? { Long: require('long').default } : { Long: require('long') };

const isolation = process.argv[2] ?? 'realm';
const bytes = (text) => new TextEncoder().encode(text);
const payload = (value) => ({
  metadata: { encoding: bytes('json/plain') },
  data: bytes(JSON.stringify(value)),
});
const code = `'use strict';({ format: 1, workflows: [['hello', 'c', 'hello']], interceptors: [], shared: [], chunks: [['c', (globalThis, require, exports) => {
  const { proxyActivities } = require('@perdure/workflow');
  const { greet } = proxyActivities({ startToCloseTimeout: '1 minute' });
  exports.hello = async function hello(name) { return greet(name); };
}]] })`;

let completed = 0;
const lane = new Lane(1, {
  onSinkCalls() {},
  onWarning(warning) {
    console.error(warning);
  },
});
lane.attach({
  complete(batch) {
    completed += batch.length;
  },
  evict: (count) => count,
  close() {},
});
const registered = process.cpuUsage();
lane.register(
  {
    worker: 1,
    namespace: 'default',
    taskQueue: 'q',
    identity: 'bench',
    buildId: '',
    replayingSinks: [],
    showStackTraceSources: false,
    workflowFailureErrorTypes: {},
  },
  { code, hash: 'bench' },
  isolation,
);
const setUp = cpuSince(registered);

const at = (seconds) => ({ seconds: Long.fromNumber(1_600_000_000 + seconds), nanos: 0 });
const activation = (message) => WorkflowActivation.encode(message).finish();
function batches(runId) {
  const start = activation({
    runId,
    timestamp: at(0),
    historyLength: 3,
    jobs: [
      {
        initializeWorkflow: {
          workflowType: 'hello',
          workflowId: 'w',
          arguments: [payload('World')],
          randomnessSeed: Long.fromNumber(7),
          attempt: 1,
          firstExecutionRunId: runId,
          startTime: at(0),
          identity: 'me',
        },
      },
    ],
  });
  const resolve = activation({
    runId,
    timestamp: at(1),
    historyLength: 9,
    jobs: [{ resolveActivity: { seq: 1, result: { completed: { result: payload('Hello, World!') } } } }],
  });
  const batch = (item) => LaneBatch.encode({ items: [{ worker: 1, runId, ...item }] }).finish();
  return [batch({ activation: start }), batch({ activation: resolve }), batch({ evict: true })];
}
function cpuSince(before) {
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

const runs = isolation === 'realm' ? 2000 : 100;
let best = Number.POSITIVE_INFINITY;
const work = Array.from({ length: runs }, (_, index) => batches(`run-${String(index).padStart(32, '0')}`));
// No forced collection in between: it throws away optimized code, which a lane keeps.
for (let round = 0; round < 8; round++) {
  const before = process.cpuUsage();
  for (const [start, resolve, evict] of work) {
    lane.handleBatch(start);
    lane.handleBatch(resolve);
    lane.handleBatch(evict);
  }
  best = Math.min(best, cpuSince(before) / runs);
}

/** Everything that can go is gone: a second collection takes what the first one made unreachable. */
async function collect() {
  for (let i = 0; i < 4; i++) {
    await new Promise((resolve) => setImmediate(resolve));
    globalThis.gc?.();
  }
  return process.memoryUsage().heapUsed;
}
const heapBefore = await collect();
const open = isolation === 'realm' ? 5000 : 200;
for (let index = 0; index < open; index++)
  lane.handleBatch(batches(`open-${String(index).padStart(31, '0')}`)[0]);
const heapPerRun = ((await collect()) - heapBefore) / open;

console.log(
  `${process.version} isolation ${isolation}: ${best.toFixed(1)} us CPU a hello run, ` +
    `${(heapPerRun / 1024).toFixed(1)} KB heap an open run${globalThis.gc ? '' : ' (run with --expose-gc)'}, ` +
    `${(setUp / 1000).toFixed(1)} ms CPU to set up`,
);
if (completed === 0) throw new Error('nothing ran');
