/** Workflows on which options of workers have a visible effect. */
import {
  condition,
  defineQuery,
  defineSignal,
  patched,
  proxyActivities,
  setHandler,
  sleep,
  workflowInfo,
} from '@perdure/workflow';

interface Activities {
  greet(name: string): Promise<string>;
  beat(): Promise<string>;
}

const { greet } = proxyActivities<Activities>({ startToCloseTimeout: '30s', allowEagerDispatch: false });
const { greet: eagerly } = proxyActivities<Activities>({ startToCloseTimeout: '30s' });
const { beat } = proxyActivities<Activities>({ startToCloseTimeout: '30s' });

export const goSignal = defineSignal('go');
export const readyQuery = defineQuery<boolean>('ready');

export async function patches(): Promise<boolean[]> {
  const found = [patched('first'), patched('second')];
  await sleep(1);
  return [...found, patched('first'), patched('second')];
}

export async function waits(): Promise<string> {
  let go = false;
  setHandler(goSignal, () => {
    go = true;
  });
  setHandler(readyQuery, () => true);
  await condition(() => go);
  return workflowInfo().currentBuildId ?? 'none';
}

export async function many(count: number): Promise<number> {
  return (await Promise.all(Array.from({ length: count }, (_, i) => greet(`${i}`)))).length;
}

export async function manyEagerly(count: number): Promise<number> {
  return (await Promise.all(Array.from({ length: count }, (_, i) => eagerly(`${i}`)))).length;
}

export async function beats(): Promise<string> {
  return beat();
}

export async function patchesPrimordials(): Promise<string> {
  (Array.prototype as any).last = function (this: unknown[]) {
    return this[this.length - 1];
  };
  return ['first', 'last'].at(-1) === ([] as any).concat('first', 'last').last() ? 'patched' : 'not';
}

export async function blocks(ms: number): Promise<number> {
  let spins = 0;
  const { now } = workflowInfo().unsafe;
  for (const end = now() + ms; now() < end; ) spins++;
  return spins > 0 ? ms : 0;
}
