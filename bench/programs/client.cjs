// Starts workflows that nobody works on, signals them, and measures what that costs the client's process; prints one line
// of JSON.
const [address, taskQueue, one, many, concurrency] = process.argv.slice(2);
const cpuMs = (before) => {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
};

const loadedAt = { time: performance.now(), cpu: process.cpuUsage() };
const { Client, Connection } = require('@temporalio/client');
const load = { wallMs: performance.now() - loadedAt.time, cpuMs: cpuMs(loadedAt.cpu) };

async function main() {
  const connection = await Connection.connect({ address });
  const firstCallMs = performance.now() - loadedAt.time;
  const client = new Client({ connection });
  let id = 0;
  const start = () =>
    client.workflow.start('nobody', {
      taskQueue,
      workflowId: `${taskQueue}-${id++}`,
      args: ['an argument', { with: [1, 2, 3] }],
      memo: { of: 'the bench' },
      workflowExecutionTimeout: '1 hour',
    });
  const batch = async (count, width, act) => {
    const latenciesMs = [];
    let left = count;
    const begin = { time: performance.now(), cpu: process.cpuUsage() };
    const lane = async () => {
      while (left-- > 0) {
        const begun = performance.now();
        await act();
        latenciesMs.push(performance.now() - begun);
      }
    };
    await Promise.all(Array.from({ length: width }, lane));
    return { latenciesMs, wallMs: performance.now() - begin.time, cpuMs: cpuMs(begin.cpu) };
  };
  await batch(Number(one), 1, start); // warms up
  const sequential = await batch(Number(one), 1, start);
  const concurrent = await batch(Number(many), Number(concurrency), start);
  const rssBytes = process.memoryUsage.rss();
  const signal = () => client.workflow.getHandle(`${taskQueue}-${--id}`).signal('seen', { by: 'nobody' });
  const signals = await batch(Number(many), Number(concurrency), signal);
  await connection.close();
  console.log(JSON.stringify({ load, firstCallMs, sequential, concurrent, signals, rssBytes }));
  process.exit(0);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
