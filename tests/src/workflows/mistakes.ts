/** Workflows that call what they may not, where they may not. */
import {
  condition,
  defineQuery,
  defineSignal,
  defineUpdate,
  executeChild,
  patched,
  proxyActivities,
  proxyLocalActivities,
  setHandler,
  sleep,
  startChild,
  upsertMemo,
  upsertSearchAttributes,
  uuid4,
  workflowInfo,
} from '@perdure/workflow';

interface Activities {
  absent(): Promise<void>;
}

const commands: Record<string, () => unknown> = {
  sleep: () => sleep(1),
  setTimeout: () => setTimeout(() => undefined, 1),
  condition: () => void condition(() => false),
  activity: () => proxyActivities<Activities>({ startToCloseTimeout: 1 }).absent(),
  localActivity: () => void proxyLocalActivities<Activities>({ startToCloseTimeout: 1 }).absent(),
  startChild: () => void startChild('child'),
  executeChild: () => void executeChild('child'),
  hidden: () => void (async () => sleep(1))(),
  setHandler: () => setHandler(defineSignal('s'), () => undefined),
  patched: () => patched('p'),
  upsertMemo: () => upsertMemo({ a: 1 }),
  upsertSearchAttributes: () => upsertSearchAttributes({ TestKeyword: ['a'] }),
};

const ask = defineQuery<unknown, [string]>('ask');
const change = defineUpdate<string, [string]>('change');

/** Its query handler and its validator do what they are told. */
export async function asked(): Promise<unknown> {
  let state = 0;
  let ended = false;
  setHandler(ask, (what) => {
    if (what === 'async') return Promise.resolve('an answer, later');
    if (what === 'state') return ++state;
    if (what === 'draw') return [Math.random(), uuid4()];
    if (what === 'memo') return workflowInfo().memo;
    return commands[what]?.();
  });
  setHandler(change, async (what) => `${what} ${state}`, {
    validator: (what) => {
      if (what === 'async') return Promise.resolve() as unknown as undefined;
      if (what === 'state') state += 10;
      return commands[what]?.() as undefined;
    },
  });
  setHandler(defineSignal('end'), () => {
    ended = true;
  });
  const before = [Math.random(), uuid4()];
  await condition(() => ended);
  return { before, after: [Math.random(), uuid4()] };
}

/** Not async, and its handlers are not either. */
export function returnsNoPromise(): string {
  return `a value of ${workflowInfo().workflowType}`;
}

export async function local(): Promise<void> {
  await proxyLocalActivities<Activities>({ startToCloseTimeout: '30s' }).absent();
}

export async function throwsInSignal(): Promise<void> {
  setHandler(defineSignal<[string]>('do'), (what) => {
    if (what === 'throw') throw 'not an error at all';
  });
  await condition(() => false);
}
