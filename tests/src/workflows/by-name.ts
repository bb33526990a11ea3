/** What is started, signalled and asked by name alone, as other languages name it. */
import {
  condition,
  defineQuery,
  defineSignal,
  defineUpdate,
  proxyActivities,
  setDefaultQueryHandler,
  setDefaultSignalHandler,
  setDefaultUpdateHandler,
  setHandler,
  workflowInfo,
} from '@perdure/workflow';

interface Item {
  sku: string;
  count: number;
}

/** Handlers with names that are no names of variables. */
export async function order_flow(customer: string, items: Item[] = []): Promise<object> {
  const all = [...items];
  let note = '';
  let open = true;
  setHandler(defineSignal<[Item]>('add-item'), (item) => {
    all.push(item);
  });
  setHandler(defineSignal('close'), () => {
    open = false;
  });
  setHandler(defineQuery<number, [string?]>('Order.count'), (sku) =>
    all.filter((item) => sku === undefined || item.sku === sku).reduce((sum, { count }) => sum + count, 0),
  );
  setHandler(defineUpdate<string, [string]>('set_note'), (text) => {
    const before = note;
    note = text;
    return before;
  });
  await condition(() => !open);
  return { customer, items: all, note, namespace: workflowInfo().namespace };
}

/** Calls an activity by name, with whatever arguments. */
export async function calls(activity: string, ...args: unknown[]): Promise<unknown> {
  const activities = proxyActivities<Record<string, (...args: unknown[]) => Promise<unknown>>>({
    startToCloseTimeout: '10s',
    retry: { maximumAttempts: 1 },
  });
  return await activities[activity]!(...args);
}

/** Every type that nobody else has: tells everything that it was called by. */
export default async function anything(...args: unknown[]): Promise<unknown[]> {
  const heard: unknown[][] = [];
  setDefaultSignalHandler((name, ...given) => {
    heard.push(['signal', name, ...given]);
  });
  setDefaultUpdateHandler((name, ...given) => {
    heard.push(['update', name, ...given]);
    return name;
  });
  setDefaultQueryHandler((name, ...given) => [name, ...given]);
  await condition(() => heard.some(([, name]) => name === 'end'));
  return [workflowInfo().workflowType, args, heard];
}
