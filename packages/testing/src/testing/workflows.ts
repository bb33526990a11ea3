/** Workflows under test; bundled from this source. */
import assert from 'node:assert';
import {
  condition,
  continueAsNew,
  defineQuery,
  defineSignal,
  defineUpdate,
  executeChild,
  getExternalWorkflowHandle,
  proxyActivities,
  proxyLocalActivities,
  setHandler,
  sleep,
  workflowInfo,
} from '@perdure/workflow';
import type * as activities from './activities';

const { reserve, charge } = proxyActivities<typeof activities>({
  startToCloseTimeout: '1 minute',
  retry: { maximumAttempts: 1 },
});
const { price } = proxyLocalActivities<typeof activities>({ startToCloseTimeout: '1 minute' });

export const approve = defineSignal<[by: string]>('approve');
export const check = defineUpdate<string, [value: number]>('check');
export const approvedBy = defineQuery<string | undefined>('approvedBy');

export async function hello(name: string): Promise<string> {
  return `Hello, ${name}!`;
}

export async function sleeper(ms: number): Promise<number> {
  const before = Date.now();
  await sleep(ms);
  return Date.now() - before;
}

export async function waitsForApproval(): Promise<string> {
  let by: string | undefined;
  setHandler(approve, (name) => {
    assert.notStrictEqual(name, '', 'a name is needed');
    by = name;
  });
  setHandler(approvedBy, () => by);
  setHandler(check, (value) => {
    assert.ok(value > 0, 'must be positive');
    return `${value} is fine`;
  });
  await condition(() => by !== undefined);
  return by!;
}

export async function order(item: string): Promise<string> {
  const amount = await price(item);
  const reservation = await reserve(item, 2);
  await sleep('1 hour');
  try {
    await charge(reservation, amount);
  } catch {
    const said = await executeChild(hello, {
      args: [item],
      workflowId: `${workflowInfo().workflowId}-child`,
    });
    return said;
  }
  return 'charged';
}

export async function signaller(target: string): Promise<void> {
  await getExternalWorkflowHandle(target).signal(approve, 'another');
}

export async function again(rounds: number): Promise<string> {
  if (rounds > 0) await continueAsNew<typeof again>(rounds - 1);
  return 'done';
}

export async function failsAssertion(): Promise<void> {
  assert.strictEqual<number>(1, 2);
}

export async function failsOtherwise(): Promise<void> {
  throw new TypeError('not an assertion');
}
