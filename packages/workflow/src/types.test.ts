/** What the compiler must accept and refuse; the functions are never called. */
import {
  condition,
  continueAsNew,
  defineQuery,
  defineSignal,
  defineUpdate,
  executeChild,
  getExternalWorkflowHandle,
  proxyActivities,
  setHandler,
  sleep,
  startChild,
} from './index';

async function child(name: string, times: number): Promise<{ greeting: string }> {
  return { greeting: name.repeat(times) };
}
const noArgs = async (): Promise<number> => 1;
interface Activities {
  greet(name: string): Promise<string>;
  version: string;
}

export async function compiles(): Promise<void> {
  const activities = proxyActivities<Activities>({ startToCloseTimeout: '1 minute' });
  const greeting: string = await activities.greet('x');
  const again: string = await activities.greet.executeWithOptions({ summary: 's' }, ['x']);
  // @ts-expect-error: arguments are those of the activity
  await activities.greet(1);
  // @ts-expect-error: what is no function is no activity
  await activities.version();

  const result: { greeting: string } = await executeChild(child, { args: [greeting, 2] });
  const byName = await executeChild<typeof child>('child', { args: [again, 1] });
  const handle = await startChild(child, { args: ['a', 1], workflowId: 'x' });
  const fromHandle: { greeting: string } = await handle.result();
  const n: number = await executeChild(noArgs);
  // @ts-expect-error: arguments are required
  await executeChild(child);
  // @ts-expect-error: arguments are those of the workflow
  await executeChild(child, { args: ['a'] });

  const signal = defineSignal<[string, number]>('s');
  const query = defineQuery<number, [string]>('q');
  const update = defineUpdate<string, [number]>('u');
  setHandler(signal, (text, count) => void text.repeat(count));
  setHandler(query, (text) => text.length);
  setHandler(update, async (count) => String(count), { validator: (count) => void count.toFixed() });
  setHandler(update, (count) => String(count), { validator: () => undefined });
  setHandler(update, undefined);
  // @ts-expect-error: a query handler is synchronous
  setHandler(query, async (text) => text.length);
  await handle.signal(signal, 'a', 1);
  await getExternalWorkflowHandle('w').signal(signal, 'a', 1);
  await getExternalWorkflowHandle('w').signal('by name');
  // @ts-expect-error: arguments are those of the signal
  await handle.signal(signal, 'a');

  const inTime: boolean = await condition(() => true, '1 s');
  const nothing: undefined | unknown = await condition(() => true);
  await sleep('2 days');
  // @ts-expect-error: no such unit
  await sleep('2 fortnights');
  if (inTime) await continueAsNew<typeof child>('a', 1);
  void [result, byName, fromHandle, n, nothing];
}

it('compiles', () => {
  expect(typeof compiles).toBe('function');
});
