/** docs/values.md: every row of its tables, and its converter, on a real server and in the sandbox. */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runInThisContext } from 'node:vm';
import { Client } from '@perdure/client';
import { defaultPayloadConverter, hasCode } from '@perdure/common';
import type { Worker } from '@perdure/worker';
import { harness, workflowsDir } from './support/harness';

const h = harness();
const root = join(__dirname, '..', '..');
const page = readFileSync(join(root, 'docs', 'values.md'), 'utf8');
const converters = ['rich-converter', 'superjson-converter'];
const activities = { same: async (value: unknown) => value };

/** The rows of one section's table, as code. */
function rows(section: string): string[][] {
  const text = page.split(`\n## ${section}\n`)[1]!.split('\n## ')[0]!;
  return text
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) => [...line.matchAll(/`([^`]+)`/g)].map(([, code]) => code!));
}
/** What Jest puts around a test has classes of its own; values are compared by what they print. */
const evaluate = (code: string): unknown => runInThisContext(`(${code})`);
const shown = (value: unknown): string =>
  require('node:util')
    .inspect(value, { depth: 9 })
    .replace(/^\[Object: null prototype\] /, '');

let worker: Worker;
const send = (client: Client, value: unknown, on = worker) =>
  client.workflow.execute('echoes', {
    taskQueue: on.options.taskQueue,
    workflowId: `value-${randomUUID()}`,
    args: [value],
  });

beforeAll(async () => {
  worker = await h.worker({ workflowsPath: join(workflowsDir, 'data.ts'), activities });
  h.background(worker);
});

it('values that are kept arrive as they were sent', async () => {
  const kept = rows('Kept as they are');
  expect(kept.length).toBeGreaterThanOrEqual(9);
  for (const [code] of kept) {
    const value = evaluate(code!);
    expect([code, shown(await send(h.client, value))]).toEqual([code, shown(value)]);
  }
});

it('values that are not kept arrive as the page says', async () => {
  const changed = rows('Arriving as something else');
  expect(changed.length).toBeGreaterThanOrEqual(16);
  for (const [code, arrives] of changed) {
    const back = await send(h.client, evaluate(code!));
    expect([code, shown(back)]).toEqual([code, shown(evaluate(arrives!))]);
  }
});

it('values that are refused are refused with the reason', async () => {
  const refused = rows('Refused');
  expect(refused.length).toBeGreaterThanOrEqual(6);
  for (const [code, reason] of refused) {
    const error = await send(h.client, evaluate(code!)).catch((caught) => caught);
    expect([code, hasCode(error, 'VALUE_INVALID')]).toEqual([code, true]);
    expect([code, `${error.message} ${error.cause?.message}`]).toEqual([
      code,
      expect.stringContaining(reason!),
    ]);
    expect(() => defaultPayloadConverter.toPayload(evaluate(code!))).toThrow();
  }
});

it.each(converters)('the page shows the %s that is tested here', (name) => {
  const source = readFileSync(join(root, 'tests', 'src', 'support', `${name}.ts`), 'utf8');
  expect(page).toContain(`\`\`\`ts\n${source}\`\`\``);
});

it.each(converters)('a %s of a few lines keeps more, in the sandbox too', async (name) => {
  const dataConverter = { payloadConverterPath: require.resolve(`./support/${name}`) };
  const rich = await h.worker({
    workflowsPath: join(workflowsDir, 'values.ts'),
    activities: { ...activities, kinds: async (value: any) => kindsOf(value) },
    dataConverter,
  });
  h.background(rich);
  const client = new Client({ connection: h.client.connection, dataConverter });
  const value = {
    big: 2n ** 70n,
    at: new Date(86_400_000),
    map: new Map<unknown, unknown>([[1n, new Set([Number.NaN])]]),
    infinite: Number.NEGATIVE_INFINITY,
    plain: [1, 'two', null],
  };
  const result: any = await client.workflow.execute('rich', {
    taskQueue: rich.options.taskQueue,
    workflowId: `rich-${randomUUID()}`,
    args: [value],
  });
  const kinds = ['bigint', 'Date', 'Map', 'number', 'Array'];
  expect(result.inWorkflow).toEqual(kinds);
  expect(result.inActivity).toEqual(kinds);
  expect(shown(result.value)).toBe(shown(value));
  expect(result.sum).toBe(2n ** 70n + 1n);
});

function kindsOf(value: Record<string, any>): string[] {
  return Object.values(value).map((it) => (typeof it === 'object' ? it.constructor.name : typeof it));
}
