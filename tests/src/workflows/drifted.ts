/**
 * Workflows whose code leaves their history: what they do when they first run is not what they do on replay.
 * `tests/src/nondeterminism.test.ts` looks for the comments that mark lines.
 */
import {
  CancellationScope,
  continueAsNew,
  deprecatePatch,
  executeChild,
  getExternalWorkflowHandle,
  patched,
  proxyActivities,
  proxyLocalActivities,
  sleep,
  startChild,
  upsertMemo,
  workflowInfo,
} from '@perdure/workflow';

interface Activities {
  one(): Promise<void>;
  two(): Promise<void>;
}
const { one, two } = proxyActivities<Activities>({ startToCloseTimeout: '1m' });
const local = proxyLocalActivities<Activities>({ startToCloseTimeout: '1m' });

export async function little(): Promise<void> {}

type Code = () => Promise<unknown>;
const child = (suffix: string) => `${workflowInfo().workflowId}/${suffix}`;

/** What was recorded, and what the code does now. */
export const DRIFTS: Record<string, readonly [Code, Code]> = {
  'another activity': [
    () => one(),
    () => two(), // another activity
  ],
  'a timer that was removed': [
    async () => {
      await one();
      await sleep(5);
      await two();
    },
    async () => {
      await one();
      await two(); // a timer that was removed
    },
  ],
  'a child that was added': [
    () => one(),
    async () => {
      await executeChild(little); // a child that was added
      await one();
    },
  ],
  'a child of another id': [
    () => executeChild(little, { workflowId: child('first') }),
    () => executeChild(little, { workflowId: child('second') }), // a child of another id
  ],
  'a signal that became a request to cancel': [
    () => getExternalWorkflowHandle('nobody').signal('hi').catch(ignore),
    () => getExternalWorkflowHandle('nobody').cancel().catch(ignore), // a signal that became a request to cancel
  ],
  'another order': [
    () => Promise.all([one(), sleep(1)]),
    () =>
      Promise.all([
        sleep(1), // another order
        one(),
      ]),
  ],
  'an end that comes too early': [
    async () => {
      await one();
      await sleep(5);
    },
    async () => {
      await one(); // an end that comes too early
    },
  ],
  'an end that comes too late': [
    () => one(),
    async () => {
      await one();
      await sleep(5); // an end that comes too late
    },
  ],
  'an end of another kind': [
    async () => {
      await one();
    },
    async () => {
      await one();
      await continueAsNew(); // an end of another kind
    },
  ],
  'a command that is missing': [
    async () => {
      await one();
      await Promise.all([sleep(1), sleep(2), sleep(3)]);
    },
    async () => {
      await one();
      await sleep(1); // a command that is missing
      await sleep(2);
    },
  ],
  'a patch that was removed': [
    async () => {
      if (patched('p')) await one();
    },
    () => one(), // a patch that was removed
  ],
  'another patch': [
    async () => {
      if (patched('p')) await one();
      await two();
    },
    async () => {
      deprecatePatch('q');
      await two(); // another patch
    },
  ],
  'another local activity': [
    async () => {
      await local.one();
      await sleep(1);
    },
    async () => {
      await local.two(); // another local activity
      await sleep(1);
    },
  ],
  'a local activity that became a remote one': [
    async () => {
      await local.one();
      await sleep(1);
    },
    async () => {
      await one(); // a local activity that became a remote one
      await sleep(1);
    },
  ],
  'a timer that is not cancelled any more': [
    async () => {
      const scope = new CancellationScope();
      const timer = scope.run(() => sleep(60_000)).catch(ignore);
      await one();
      scope.cancel();
      await timer;
      await two();
    },
    async () => {
      const timer = sleep(60_000).catch(ignore);
      await one();
      await two(); // a timer that is not cancelled any more
      await timer;
    },
  ],
  'a memo that was added': [
    () => one(),
    async () => {
      upsertMemo({ added: 1 }); // a memo that was added
      await one();
    },
  ],
  'a child that is signalled no more': [
    async () => {
      const handle = await startChild(little);
      await handle.signal('hi').catch(ignore);
      await one();
    },
    async () => {
      await startChild(little);
      await one(); // a child that is signalled no more
    },
  ],
};

function ignore(): void {}

export async function drifted(kind: string): Promise<void> {
  const [recorded, now] = DRIFTS[kind]!;
  await (workflowInfo().unsafe.isReplaying ? now : recorded)();
}
