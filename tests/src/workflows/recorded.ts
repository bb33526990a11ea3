/**
 * Workflows whose histories were recorded by the official SDK (tests/histories/record.mjs) and replay here. They use
 * the public API only: the recorder changes nothing but the import scope.
 */
import {
  ActivityCancellationType,
  ActivityFailure,
  ApplicationFailure,
  allHandlersFinished,
  CancellationScope,
  ChildWorkflowFailure,
  condition,
  continueAsNew,
  currentUpdateInfo,
  defineQuery,
  defineSignal,
  defineUpdate,
  deprecatePatch,
  executeChild,
  getExternalWorkflowHandle,
  isCancellation,
  log,
  ParentClosePolicy,
  patched,
  proxyActivities,
  proxyLocalActivities,
  proxySinks,
  type Sinks,
  setCurrentDetails,
  setDefaultSignalHandler,
  setHandler,
  sleep,
  startChild,
  Trigger,
  upsertMemo,
  upsertSearchAttributes,
  uuid4,
  workflowInfo,
} from '@perdure/workflow';

interface Activities {
  echo<T>(value: T): Promise<T>;
  slow(ms: number): Promise<string>;
  fails(times: number): Promise<string>;
  fatal(): Promise<never>;
  stays(): Promise<string>;
}
const { echo, slow, fails, fatal, stays } = proxyActivities<Activities>({
  startToCloseTimeout: '20s',
  heartbeatTimeout: '2s',
  retry: { initialInterval: 10, backoffCoefficient: 1 },
});
const local = proxyLocalActivities<Activities>({
  startToCloseTimeout: '20s',
  localRetryThreshold: 20,
  retry: { initialInterval: 50, backoffCoefficient: 1 },
});

export async function manyActivities(): Promise<string> {
  const inOrder: number[] = [];
  await Promise.all(
    Array.from({ length: 30 }, async (_, i) => {
      await slow((i * 7) % 20);
      inOrder.push(i);
      if (i % 3 === 0) await echo(i);
      if (i % 5 === 0) await sleep(1 + i);
    }),
  );
  return echo(inOrder.join(','));
}

export async function failures(): Promise<unknown[]> {
  const seen: unknown[] = [await fails(2)];
  try {
    await fatal();
  } catch (error) {
    if (!(error instanceof ActivityFailure)) throw error;
    seen.push(error.retryState, (error.cause as ApplicationFailure).type);
    await echo('after the failure');
  }
  throw ApplicationFailure.create({ message: 'fails in the end', type: 'End', details: seen });
}

export async function localActivities(): Promise<string> {
  const first = await local.echo('one');
  const both = await Promise.all([local.slow(5), local.slow(1), echo('remote')]);
  const retried = await local.fails(2);
  await sleep(5);
  return [first, ...both, retried, await local.echo('last')].join(' ');
}

export async function timers(): Promise<string> {
  const seen: string[] = [];
  const cleared = setTimeout(() => seen.push('never'), 10_000);
  setTimeout((word: string) => seen.push(word), 30, 'timeout');
  await Promise.race([sleep(40), sleep('1 hour')]);
  clearTimeout(cleared);
  await Promise.all([sleep(5), sleep(1), slow(3)]);
  await sleep(1, { summary: 'the last' });
  return seen.join(' ');
}

export const add = defineSignal<[number]>('add');
export const stop = defineSignal('stop');
export const total = defineQuery<number>('total');
export const increase = defineUpdate<number, [number]>('increase');
export const work = defineUpdate<string, [string]>('work');

export async function messages(): Promise<unknown> {
  let sum = 0;
  let stopped = false;
  const others: string[] = [];
  await echo('signals that come before their handlers wait');
  setHandler(add, async (n) => {
    sum += n;
    if (n % 2 === 1) sum += await echo(n);
  });
  setHandler(total, () => sum);
  setHandler(
    increase,
    (n) => {
      sum += n;
      return sum;
    },
    {
      validator: (n) => {
        if (n < 0) throw new Error('negative');
      },
    },
  );
  setHandler(work, async (what) => {
    const id = currentUpdateInfo()?.id.length ?? 0;
    await Promise.all([echo(what), sleep(5)]);
    return `${what} ${id > 0}`;
  });
  setHandler(stop, () => {
    stopped = true;
  });
  setDefaultSignalHandler((name) => {
    others.push(name);
  });
  const early = await condition(() => sum > 1000, 20);
  await condition(() => stopped && allHandlersFinished());
  return { sum, others: others.length, early };
}

/** A signal and the end of an activity come in one task: which of them goes on first depends on flag 2. */
export async function batches(): Promise<void> {
  setHandler(add, async () => {
    for (let i = 0; i < 50; i++) await undefined;
    await slow(1);
  });
  const first = slow(100).then(() => echo('after the activity'));
  await echo('begun');
  await local.slow(1500); // keeps the task open while the activity ends and the signal comes
  await first;
  await sleep(50);
}

export async function conditions(): Promise<unknown> {
  let state = 0;
  const waits = [1, 2, 3].map(async (n) => {
    await condition(() => state >= n);
    state++;
    return slow(n);
  });
  const timed = condition(() => state >= 4, '1 minute');
  await sleep(5);
  state = 1;
  const all = await Promise.all([...waits, timed]);
  return [all, await condition(() => false, 5), await condition(() => true, 5)];
}

export async function cancels(): Promise<unknown[]> {
  const seen: unknown[] = [];
  const note = (what: string) => (error: unknown) => seen.push(`${what} ${isCancellation(error)}`);
  const scope = new CancellationScope();
  const inside = scope.run(() =>
    Promise.all([
      stays().catch(note('activity')),
      sleep('1 hour').catch(note('timer')),
      CancellationScope.nonCancellable(() => slow(20)),
    ]),
  );
  await sleep(30);
  scope.cancel();
  await inside;
  const patient = proxyActivities<Activities>({
    startToCloseTimeout: '20s',
    heartbeatTimeout: '300ms',
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  });
  await CancellationScope.withTimeout(50, () => patient.stays()).catch(note('patient'));
  await CancellationScope.withTimeout(50, () => sleep('1 hour')).catch(note('timed out'));
  await CancellationScope.withTimeout('1 hour', () => slow(1));
  const shielded = new CancellationScope({ cancellable: false });
  const kept = shielded.run(() => CancellationScope.cancellable(() => sleep(20)));
  shielded.cancel();
  await kept;
  seen.push(await Promise.race([shielded.cancelRequested.catch(() => 'requested'), sleep(1)]));
  return seen;
}

export async function cancelled(): Promise<void> {
  try {
    await Promise.all([sleep('1 hour'), stays(), executeChild(waitingChild, { args: ['cancelled'] })]);
  } catch (error) {
    if (!isCancellation(error)) throw error;
    await CancellationScope.nonCancellable(async () => {
      await echo('cleans up');
      await sleep(5);
    });
    throw error;
  }
}

export async function waitingChild(how: string): Promise<string> {
  const released = new Trigger<string>();
  setHandler(defineSignal<[string]>('release'), (by) => released.resolve(by));
  if (how === 'fail') throw ApplicationFailure.nonRetryable('the child fails');
  if (how === 'at once') return how;
  return `released by ${await released}`;
}

export async function children(): Promise<unknown> {
  const results = await Promise.all([
    executeChild(waitingChild, { args: ['at once'] }),
    executeChild('waitingChild', { args: ['at once'], memo: { kept: 1 }, staticSummary: 'second' }),
  ]);
  const handle = await startChild(waitingChild, {
    args: ['wait'],
    workflowId: `${workflowInfo().workflowId}/c`,
  });
  await handle.signal('release', 'its parent');
  const released = await handle.result();
  const failed = await executeChild(waitingChild, { args: ['fail'] }).catch(
    (error: unknown) => error instanceof ChildWorkflowFailure,
  );
  const taken = await startChild(waitingChild, {
    args: ['wait'],
    workflowId: workflowInfo().workflowId,
  }).catch((error: Error) => error.name);
  const scope = new CancellationScope();
  const ended = scope
    .run(() => executeChild(waitingChild, { args: ['wait'], parentClosePolicy: ParentClosePolicy.ABANDON }))
    .catch((error: unknown) => isCancellation(error));
  await sleep(50);
  scope.cancel();
  return { results, released, failed, taken, ended: await ended };
}

export async function externals(target: string): Promise<unknown> {
  const handle = getExternalWorkflowHandle(target);
  await handle.signal('release', 'a stranger');
  const missing = await getExternalWorkflowHandle('nobody')
    .signal('release', 'x')
    .catch((error: unknown) => error instanceof Error);
  await handle.cancel().catch(() => undefined);
  return missing;
}

export async function continues(n: number): Promise<string> {
  await sleep(1);
  if (n > 0) await continueAsNew<typeof continues>(n - 1);
  return `${workflowInfo().continuedFromExecutionRunId !== undefined}`;
}

export async function patches(): Promise<string> {
  let taken = '';
  for (let i = 0; i < 2; i++) {
    if (patched('a')) taken += await echo('a');
    deprecatePatch('b');
    await sleep(1);
  }
  return patched('c') ? taken + (await echo('c')) : taken;
}

interface Collector extends Sinks {
  collector: { collect(value: unknown): void };
}
const { collector } = proxySinks<Collector>();

export async function attributes(): Promise<unknown> {
  log.info('begins', { n: 1 });
  collector.collect('begins');
  upsertSearchAttributes({ TestKeyword: ['one'] });
  upsertMemo({ added: { a: 1 }, given: null });
  setCurrentDetails('in the middle');
  await echo(workflowInfo().memo);
  upsertSearchAttributes({ TestKeyword: [] });
  console.log('goes on');
  await sleep(1);
  collector.collect('ends');
  return workflowInfo().memo;
}

/** Commands depend on chance and on time: both have to be those of the history. */
export async function chance(): Promise<string[]> {
  const ids: string[] = [];
  for (let i = 0; i < 8; i++) {
    const id = uuid4();
    ids.push(id);
    if (Math.random() < 0.5) await echo(id);
    else await sleep(1 + Math.floor(Math.random() * 20));
    if (Date.now() % 2 === 0) await echo(new Date().toISOString());
  }
  return ids;
}

export async function asyncIteration(): Promise<number> {
  async function* numbers() {
    for (let i = 0; i < 3; i++) yield await echo(i);
  }
  let sum = 0;
  for await (const n of numbers()) {
    sum += n;
    await Promise.allSettled([fatal(), Promise.any([sleep(1), slow(n)])]);
  }
  return sum;
}

/** For every type that has no workflow of its own. */
export default async function anything(...args: unknown[]): Promise<string> {
  return `${workflowInfo().workflowType} ${await echo(args.length)}`;
}
