// Replays a recorded history many times; prints one line of JSON.
const { readFileSync } = require('node:fs');
const { Worker } = require('@temporalio/worker');
const { decodeHistory } = require('./decode-history.cjs');

async function main() {
  const [file, count, warmup] = process.argv.slice(2);
  const history = decodeHistory(readFileSync(file));
  await replay(history, Number(warmup));
  const begin = process.hrtime.bigint();
  const before = process.cpuUsage();
  await replay(history, Number(count));
  const { user, system } = process.cpuUsage(before);
  const wallMs = Number(process.hrtime.bigint() - begin) / 1e6;
  console.log(
    JSON.stringify({
      count: Number(count),
      events: history.events.length,
      wallMs,
      cpuMs: (user + system) / 1000,
    }),
  );
  process.exit(0);
}

let replayed = 0;

async function replay(history, count) {
  function* copies() {
    for (let index = 0; index < count; index += 1) yield copyOf(history, `bench-${replayed++}`);
  }
  let results = 0;
  const options = { workflowsPath: require.resolve('./workflows.ts'), maxCachedWorkflows: 2000 };
  for await (const { error } of Worker.runReplayHistories(options, copies())) {
    if (error) throw error;
    results += 1;
  }
  if (results !== count) throw new Error(`${results} results for ${count} histories`);
}

/** The core knows runs by their run id and would merge histories that share one. */
function copyOf(history, id) {
  const [first, ...rest] = history.events;
  const attributes = { ...first.workflowExecutionStartedEventAttributes, originalExecutionRunId: id };
  const started = Object.assign(Object.create(Object.getPrototypeOf(first)), first, {
    workflowExecutionStartedEventAttributes: attributes,
  });
  return { workflowId: id, history: { ...history, events: [started, ...rest] } };
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
