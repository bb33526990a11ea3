/** Metrics that activities and workflows record themselves, as Prometheus scrapes them. */
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { Context } from '@perdure/activity';
import { Client } from '@perdure/client';
import { NativeConnection, Runtime, Worker } from '@perdure/worker';
import { LineKeeper, serverAddress, until, workflowsDir } from './support/harness';

const activities = {
  /** Two orders of a book for 10 and 20, one of a pen for 1.5. */
  async takeOrders(): Promise<void> {
    const { metricMeter } = Context.current();
    const taken = metricMeter.createCounter('orders_taken', '1', 'orders that were taken');
    const sizes = metricMeter.createHistogram('order_pages', 'int', '1', 'pages of an order');
    const prices = metricMeter.withTags({ currency: 'EUR' }).createHistogram('order_price', 'float');
    taken.add(2, { kind: 'book', signed: true });
    taken.add(1, { kind: 'pen', signed: false });
    sizes.record(100, { kind: 'book' });
    sizes.record(300, { kind: 'book' });
    prices.record(1.5, { kind: 'pen' });
    metricMeter.createGauge('orders_open', 'int').set(4);
    metricMeter.createGauge('orders_open', 'int').set(7);
    metricMeter.createGauge('shelf_load', 'float').set(0.25, { shelf: 3 });
  },
  async packOrder(): Promise<void> {
    Context.current().metricMeter.createCounter('orders_packed').add(1, { kind: 'book' });
  },
};

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

interface Sample {
  readonly labels: Record<string, string>;
  readonly value: number;
}

/** What a scrape says of one metric. */
function samplesOf(scraped: string, name: string): Sample[] {
  const samples: Sample[] = [];
  for (const line of scraped.split('\n')) {
    const parts = /^([A-Za-z0-9_:]+)\{(.*)\} (\S+)$/.exec(line);
    if (parts?.[1] !== name) continue;
    const labels = [...parts[2]!.matchAll(/([A-Za-z0-9_]+)="([^"]*)"/g)].map(([, key, value]) => [
      key,
      value,
    ]);
    samples.push({ labels: Object.fromEntries(labels), value: Number(parts[3]) });
  }
  return samples;
}

it('custom metrics of activities and workflows are scraped with their values and labels', async () => {
  const port = await freePort();
  Runtime.install({
    logger: new LineKeeper(),
    telemetryOptions: { metrics: { prometheus: { bindAddress: `127.0.0.1:${port}` } } },
  });
  const connection = await NativeConnection.connect({ address: serverAddress() });
  const taskQueue = `queue-${randomUUID()}`;
  try {
    const worker = await Worker.create({
      connection,
      taskQueue,
      activities,
      workflowsPath: join(workflowsDir, 'activity-metrics.ts'),
      interceptors: {
        activity: [() => ({ outbound: { getMetricTags: (tags) => ({ ...tags, region: 'south' }) } })],
      },
    });
    await worker.runUntil(async () => {
      await new Client({ connection }).workflow.execute('shop', { taskQueue, workflowId: randomUUID() });
      let scraped = '';
      await until(
        async () => {
          scraped = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
          return (
            samplesOf(scraped, 'shop_guests')[0]?.value === 1 &&
            samplesOf(scraped, 'orders_packed').length > 0
          );
        },
        'the last metric is there',
        20_000,
      );

      const ofActivity = { namespace: 'default', taskQueue, activityType: 'takeOrders', region: 'south' };
      const sample = (labels: object, value: number) => ({ labels: expect.objectContaining(labels), value });
      const only = (name: string, ...samples: object[]) => {
        const found = samplesOf(scraped, name);
        expect({ name, found }).toEqual({ name, found: expect.arrayContaining(samples) });
        expect({ name, count: found.length }).toEqual({ name, count: samples.length });
      };
      only(
        'orders_taken',
        sample({ ...ofActivity, kind: 'book', signed: 'true' }, 4),
        sample({ ...ofActivity, kind: 'pen', signed: 'false' }, 2),
      );
      only('order_pages_count', sample({ ...ofActivity, kind: 'book' }, 4));
      only('order_pages_sum', sample({ ...ofActivity, kind: 'book' }, 800));
      only('order_price_count', sample({ ...ofActivity, kind: 'pen', currency: 'EUR' }, 2));
      only('order_price_sum', sample({ ...ofActivity, kind: 'pen', currency: 'EUR' }, 3));
      only('orders_open', sample(ofActivity, 7));
      only('shelf_load', sample({ ...ofActivity, shelf: '3' }, 0.25));
      only('orders_packed', sample({ ...ofActivity, activityType: 'packOrder', kind: 'book' }, 1));
      expect(scraped).toMatch(/# HELP orders_taken orders that were taken\n# TYPE orders_taken counter\n/);
      expect(scraped).toMatch(/# TYPE order_pages histogram\n/);
      expect(scraped).toMatch(/# TYPE orders_open gauge\n/);

      const ofWorkflow = { namespace: 'default', taskQueue, workflowType: 'shop', city: 'Rome' };
      only('shop_turnover_count', sample({ ...ofWorkflow, kind: 'book' }, 1));
      only('shop_turnover_sum', sample({ ...ofWorkflow, kind: 'book' }, 12.5));
      only('shop_stock', sample(ofWorkflow, 3));
      only('shop_guests', sample(ofWorkflow, 1));
    });
  } finally {
    await connection.close();
  }
}, 60_000);
