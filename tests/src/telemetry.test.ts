/** Log lines and metrics of the native side. */
import { createServer } from 'node:net';
import { NativeConnection, Runtime, Worker } from '@perdure/worker';
import { LineKeeper, serverAddress, until } from './support/harness';

const activities = { async nothing() {} };

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

it('gives native log lines to the logger and serves metrics to be scraped', async () => {
  const log = new LineKeeper();
  const port = await freePort();
  Runtime.install({
    logger: log,
    telemetryOptions: {
      logging: { forward: {}, filter: { core: 'DEBUG', other: 'ERROR' } },
      metrics: {
        prometheus: { bindAddress: `127.0.0.1:${port}`, countersTotalSuffix: true },
        metricPrefix: 'mine_',
        globalTags: { team: 'blue' },
      },
    },
  });
  const connection = await NativeConnection.connect({ address: serverAddress() });
  const worker = await Worker.create({ connection, taskQueue: 'telemetry', activities });
  await worker.runUntil(async () => {
    let scraped = '';
    await until(async () => {
      scraped = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
      return scraped.includes('mine_worker_start_total');
    }, 'the metric of the worker is there');
    expect(scraped).toMatch(/mine_worker_start_total\{[^}]*team="blue"/);
    expect(scraped).toMatch(/task_queue="telemetry"/);
  });
  await connection.close();
  const lines = log.lines.filter(({ meta }) => meta.sdkComponent === 'core');
  expect(lines.length).toBeGreaterThan(0);
  for (const { message, meta } of lines) {
    expect(typeof message).toBe('string');
    expect(typeof meta.target).toBe('string');
  }
});
