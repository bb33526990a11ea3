/** What is started, signalled and asked by name alone, as other languages name it. */
import {
  ApplicationFailure,
  CancellationScope,
  condition,
  createNexusServiceClient,
  defineQuery,
  defineSignal,
  defineUpdate,
  executeChild,
  getExternalWorkflowHandle,
  proxyActivities,
  setDefaultQueryHandler,
  setDefaultSignalHandler,
  setDefaultUpdateHandler,
  setHandler,
  sleep,
  startChild,
  workflowInfo,
} from '@perdure/workflow';
import * as nexus from 'nexus-rpc';

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
    startToCloseTimeout: '2m',
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

export async function echoes(...args: unknown[]): Promise<unknown[]> {
  return args;
}

export async function echoes_one(value: unknown): Promise<unknown> {
  return value;
}

export async function nothing(): Promise<void> {}

export async function fails(): Promise<never> {
  throw ApplicationFailure.create({
    message: 'it failed',
    type: 'Kind',
    nonRetryable: true,
    details: [{ detail: 1 }],
    cause: new RangeError('the root'),
  });
}

/** Everything that a workflow can do with another language's side, by name. */
export async function reachesOver(taskQueue: string, endpoint: string): Promise<unknown> {
  const options = {
    taskQueue,
    startToCloseTimeout: '2m',
    heartbeatTimeout: '1m',
    retry: { maximumAttempts: 1 },
  } as const;
  const activities =
    proxyActivities<Record<'py.charge card' | 'py_fail' | 'py_reverse' | 'py_wait', AnyActivity>>(options);
  const id = workflowInfo().workflowId;
  const seen: Record<string, unknown> = {};
  seen.activity = await activities['py.charge card']('ts', 5);
  seen.bytes = Array.from((await activities.py_reverse(new Uint8Array([1, 2, 255]))) as Uint8Array);
  seen.failedActivity = await chainOf(activities.py_fail());
  const scope = new CancellationScope({ cancellable: true });
  const waiting = chainOf(scope.run(() => activities.py_wait()));
  await sleep(200);
  scope.cancel();
  seen.cancelledActivity = (await waiting).some(([name]) => name === 'CancelledFailure');
  const child = await startChild('PyOrder', { taskQueue, workflowId: `${id}-order`, args: ['ts', []] });
  await child.signal('add-item', { sku: 'a', count: 3 });
  await getExternalWorkflowHandle(`${id}-order`).signal('close');
  seen.child = await child.result();
  seen.failedChild = await chainOf(executeChild('PyFails', { taskQueue, workflowId: `${id}-fails` }));
  const desk = createNexusServiceClient({ endpoint, service: pyDesk });
  seen.nexus = await desk.executeOperation('ask', 'ts');
  seen.failedNexus = await chainOf(desk.executeOperation('refuse', 'not today'));
  return seen;
}

type AnyActivity = (...args: unknown[]) => Promise<unknown>;
export const pyDesk = nexus.service('PyDesk', {
  ask: nexus.operation<string, string>(),
  refuse: nexus.operation<string, string>(),
});

/** Class, message, type and details of a failure and of its causes. */
async function chainOf(wait: Promise<unknown>): Promise<unknown[][]> {
  const seen: unknown[][] = [];
  try {
    await wait;
  } catch (error) {
    for (let each = error as any; each !== undefined; each = each.cause) {
      seen.push([each.name, each.message, each.type ?? null, each.details ?? []]);
    }
  }
  return seen;
}
