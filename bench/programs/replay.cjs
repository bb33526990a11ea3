// Replays a recorded history many times in one worker; prints one line of JSON. Bundling and starting are not measured,
// and neither are the first histories, which warm the worker up.
const { readFileSync } = require('node:fs');
const { bundleWorkflowCode, Worker } = require('@temporalio/worker');
const { decodeHistory } = require('./decode-history.cjs');

async function main() {
  const [file, count, warmup] = process.argv.slice(2);
  const history = decodeHistory(readFileSync(file));
  const workflowBundle = await bundleWorkflowCode({ workflowsPath: require.resolve('./workflows.ts') });
  const total = Number(warmup) + Number(count);
  let results = 0;
  let begin;
  for await (const { error } of Worker.runReplayHistories({ workflowBundle }, copies(history, total))) {
    if (error) throw error;
    results += 1;
    if (results === Number(warmup)) begin = { time: process.hrtime.bigint(), cpu: process.cpuUsage() };
    if (results === total) {
      const { user, system } = process.cpuUsage(begin.cpu);
      const wallMs = Number(process.hrtime.bigint() - begin.time) / 1e6;
      const cpuMs = (user + system) / 1000;
      console.log(JSON.stringify({ count: Number(count), events: history.events.length, wallMs, cpuMs }));
    }
  }
  if (results !== total) throw new Error(`${results} results for ${total} histories`);
  process.exit(0);
}

/** The core knows runs by their run id and would merge histories that share one. */
function* copies({ events, ...history }, count) {
  const [first, ...rest] = events;
  for (let index = 0; index < count; index += 1) {
    const id = `bench-${index}`;
    const attributes = { ...first.workflowExecutionStartedEventAttributes, originalExecutionRunId: id };
    const started = Object.assign(Object.create(Object.getPrototypeOf(first)), first, {
      workflowExecutionStartedEventAttributes: attributes,
    });
    yield { workflowId: id, history: { ...history, events: [started, ...rest] } };
  }
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
