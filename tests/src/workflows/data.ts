/** Workflows that pass data on every way. */
import {
  ApplicationFailure,
  condition,
  defineQuery,
  defineSignal,
  defineUpdate,
  executeChild,
  makeContinueAsNewFunc,
  proxyActivities,
  proxyLocalActivities,
  setHandler,
  startChild,
  upsertMemo,
  workflowInfo,
} from '@perdure/workflow';

export interface DataActivities {
  same(value: unknown): Promise<unknown>;
  beatsThenSame(value: unknown): Promise<unknown>;
  fails(value: unknown): Promise<void>;
  large(bytes: number): Promise<string>;
}
const { same, beatsThenSame, fails, large } = proxyActivities<DataActivities>({
  startToCloseTimeout: '2m',
  retry: { maximumAttempts: 2, initialInterval: 1 },
});
const local = proxyLocalActivities<DataActivities>({ startToCloseTimeout: '2m' });

export const give = defineSignal<[unknown]>('give');
export const see = defineQuery<unknown, [unknown]>('see');
export const swap = defineUpdate<unknown, [unknown]>('swap');

/** Gives a value to everything that takes one; each has to give it back. */
export async function everyWay(value: string): Promise<unknown> {
  let given: unknown;
  setHandler(give, (it) => {
    given = it;
  });
  setHandler(see, (it) => [given, it]);
  setHandler(swap, (it) => it);
  await condition(() => given !== undefined);
  upsertMemo({ large: value });
  const results = {
    activity: await same(value),
    heartbeat: await beatsThenSame(value),
    local: await local.same(value),
    failure: await fails(value).catch((error) => error.cause.details[0]),
    child: await executeChild(waitsFor, { args: [value, false] }),
    signalled: '' as unknown,
    memo: workflowInfo().memo?.large,
  };
  const child = await startChild(waitsFor, { args: ['', true], memo: { large: value } });
  await child.signal(give, value);
  results.signalled = await child.result();
  return await makeContinueAsNewFunc<typeof ends>({ workflowType: 'ends' })(value, given, results);
}

export async function ends(...values: unknown[]): Promise<unknown> {
  return values;
}

export async function waitsFor(value: unknown, signal: boolean): Promise<unknown> {
  let given: unknown;
  setHandler(give, (it) => {
    given = it;
  });
  if (signal) await condition(() => given !== undefined);
  return signal ? given : value;
}

export async function echoes(value: unknown): Promise<unknown> {
  return await same(value);
}

export async function failsWith(value: unknown): Promise<void> {
  throw ApplicationFailure.nonRetryable('it fails', 'T', value);
}

/** Gives an activity an argument of so many bytes. */
export async function gives(bytes: number): Promise<string> {
  return String(await same('x'.repeat(bytes))).slice(0, 10);
}

/** Lets an activity give a result of so many bytes. */
export async function takes(bytes: number): Promise<number> {
  return (await large(bytes)).length;
}

/** Asks the kind of what arrives here and in an activity. */
export async function kinds(value: Uint8Array): Promise<unknown> {
  const back = (await same(value)) as Uint8Array;
  let equal = back.length === value.length;
  for (let i = 0; i < value.length; i += 997) equal &&= back[i] === value[i];
  return [value instanceof Uint8Array, back instanceof Uint8Array, value.length, equal];
}
