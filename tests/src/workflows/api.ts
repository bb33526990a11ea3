/** Workflows for what features.ts leaves: local activities, dynamic names, details, context, versioning. */
import {
  ApplicationFailure,
  AsyncLocalStorage,
  allHandlersFinished,
  condition,
  defineQuery,
  defineSignal,
  defineUpdate,
  deprecatePatch,
  inWorkflowContext,
  patched,
  proxyActivities,
  proxyLocalActivities,
  setCurrentDetails,
  setDefaultQueryHandler,
  setDefaultSignalHandler,
  setDefaultUpdateHandler,
  setHandler,
  setWorkflowOptions,
  sleep,
  uuid4,
  workflowInfo,
} from '@perdure/workflow';

interface Activities {
  echo<T>(value: T): Promise<T>;
  failsOnce(): Promise<string>;
}
const { echo } = proxyActivities<Activities>({ startToCloseTimeout: '20s' });

export async function localActivities(): Promise<string[]> {
  const { echo: local } = proxyLocalActivities<Activities>({ startToCloseTimeout: '30s' });
  const { failsOnce } = proxyLocalActivities<Activities>({
    startToCloseTimeout: '30s',
    localRetryThreshold: 10,
    retry: { initialInterval: 200, backoffCoefficient: 1 },
  });
  return [await local('one'), ...(await Promise.all([local('two'), local('three')])), await failsOnce()];
}

export async function missing(): Promise<void> {
  await proxyLocalActivities<{ absent(): Promise<void> }>({ startToCloseTimeout: '30s' }).absent();
}

export async function everyName(): Promise<string[]> {
  const seen: string[] = [];
  setDefaultSignalHandler((name, ...args) => {
    seen.push(`signal ${name} ${args.join()}`);
  });
  setDefaultQueryHandler((name, ...args) => `query ${name} ${args.join()}`);
  setDefaultUpdateHandler(async (name, ...args) => {
    seen.push(`update ${name} ${await echo(args.join())}`);
    return seen.length;
  });
  await condition(() => seen.length >= 2 && allHandlersFinished());
  return seen;
}

export const greeting = defineUpdate<string, [string]>('greeting');
export const close = defineSignal('close');
export const state = defineQuery<string>('state');

export async function greeter(first: string): Promise<string> {
  let closed = false;
  const greeted: string[] = [];
  setHandler(greeting, (name) => `${first} ${greeted.push(name)} ${name}`, {
    description: 'greets',
    validator: (name) => {
      if (name === '') throw ApplicationFailure.nonRetryable('no name', 'NoName');
    },
  });
  setHandler(
    close,
    () => {
      closed = true;
    },
    { description: 'ends it' },
  );
  setHandler(state, () => greeted.join(), { description: 'names' });
  setCurrentDetails('waits for names');
  await condition(() => closed);
  return greeted.join();
}

export async function contexts(): Promise<unknown> {
  const storage = new AsyncLocalStorage<string>();
  const each = ['a', 'b'].map((name) =>
    storage.run(name, async () => {
      await sleep(name === 'a' ? 20 : 5);
      const early = storage.getStore();
      await Promise.all([echo(1), sleep(1)]);
      return `${early}${storage.getStore()}`;
    }),
  );
  return [...(await Promise.all(each)), storage.getStore() === undefined, inWorkflowContext()];
}

export async function versions(): Promise<unknown> {
  deprecatePatch('old');
  const first = patched('new');
  await sleep(1);
  return [first, patched('new')];
}

class Refused extends Error {}
setWorkflowOptions({ failureExceptionTypes: [Refused] }, refuses);
export async function refuses(): Promise<void> {
  await sleep(1);
  throw new Refused('by its own options');
}

export async function intercepted(): Promise<unknown> {
  await sleep(1);
  return [await echo('through'), uuid4().length];
}

export default async function anyType(...args: unknown[]): Promise<string> {
  return `${workflowInfo().workflowType} got ${args.length}`;
}
