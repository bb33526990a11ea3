/**
 * A small language of workflow programs, on any implementation of the workflow API.
 *
 * G1  Imports types only: bundled with a workflow, or run by a test, it works on the API it is given.
 */
import type * as workflow from '../index';

/** A small language of workflow programs. */
export type Step =
  | { do: 'sleep'; ms: number }
  | { do: 'activity' }
  | { do: 'child' }
  | { do: 'random' }
  | {
      do:
        | 'local'
        | 'flaky'
        | 'failing'
        | 'cancellable'
        | 'callback'
        | 'cleared'
        | 'trigger'
        | 'signal'
        | 'handle'
        | 'cancelOther';
    }
  | { do: 'patch'; id: string }
  | { do: 'wait'; until: number; timeout: number | undefined }
  | { do: 'all' | 'race' | 'scope' | 'shield' | 'timeout' | 'attempt'; steps: Step[] };

interface Activities {
  act(n: number): Promise<number>;
  fail(): Promise<void>;
  /** Fails the first time. */
  flaky(): Promise<void>;
}
/** What programs are made of; two implementations of the same API can be compared by it. */
export type ProgramApi = typeof workflow & {
  random(): number;
  setTimeout(callback: (...args: any[]) => unknown, ms: number, ...args: unknown[]): any;
  clearTimeout(handle: any): void;
};

export interface ProgramSettings {
  /** Id of the workflow that programs signal and cancel. */
  other?: string;
  /** Limit of an attempt of an activity. */
  limitMs?: number;
}

/** Makes workflow functions of programs. */
export function programOf(api: ProgramApi, { other = 'other', limitMs = 1000 }: ProgramSettings = {}) {
  const {
    CancellationScope,
    condition,
    defineQuery,
    defineSignal,
    defineUpdate,
    executeChild,
    getExternalWorkflowHandle,
    patched,
    proxyActivities,
    proxyLocalActivities,
    setHandler,
    sleep,
    startChild,
    Trigger,
    uuid4,
    random,
    setTimeout,
    clearTimeout,
  } = api;
  const { act, fail } = proxyActivities<Activities>({ startToCloseTimeout: limitMs });
  const { act: local } = proxyLocalActivities<Activities>({ startToCloseTimeout: limitMs });
  const { flaky } = proxyLocalActivities<Activities>({
    startToCloseTimeout: limitMs,
    localRetryThreshold: 1,
    retry: { initialInterval: 5, backoffCoefficient: 1 },
  });

  return function program(steps: readonly Step[]) {
    return async () => {
      let signals = 0;
      setHandler(defineQuery<number>('total'), () => signals);
      setHandler(defineSignal<[number]>('s'), async (n) => {
        signals += n;
        if (n > 1) await act(n);
      });
      setHandler(defineUpdate<number, [number]>('u'), async (n) => {
        signals += n;
        await sleep(n);
        return signals;
      });
      const sequence = async (list: readonly Step[]): Promise<void> => {
        for (const each of list) await runStep(each);
      };
      const runStep = async (s: Step): Promise<unknown> => {
        switch (s.do) {
          case 'sleep':
            return sleep(s.ms);
          case 'activity':
            return act(1);
          case 'child':
            return executeChild('child');
          case 'local':
            return local(1);
          case 'flaky':
            return flaky();
          case 'failing':
            return fail().catch(() => sleep(1));
          case 'cancellable':
            return CancellationScope.cancellable(() => act(3));
          case 'callback':
            return new Promise((resolve) => setTimeout(resolve, 4, 1));
          case 'cleared': {
            const handle = setTimeout(() => undefined, 5);
            await sleep(1);
            clearTimeout(handle);
            return sleep(1);
          }
          case 'trigger': {
            const trigger = new Trigger<number>();
            sleep(2).then(() => trigger.resolve(1), ignore);
            return trigger;
          }
          case 'signal':
            return getExternalWorkflowHandle(other).signal('hi');
          case 'handle': {
            const handle = await startChild('child');
            await handle.signal('hi');
            return handle.result();
          }
          case 'cancelOther':
            return getExternalWorkflowHandle(other).cancel();
          case 'random':
            return [random(), uuid4()];
          case 'patch':
            if (patched(s.id)) await sleep(3);
            return;
          case 'wait':
            return s.timeout === undefined
              ? condition(() => signals >= s.until)
              : condition(() => signals >= s.until, s.timeout);
          case 'all':
            return Promise.all(s.steps.map(runStep));
          case 'race':
            return Promise.race(s.steps.map(runStep));
          case 'scope': {
            const scope = new CancellationScope();
            const inside = scope.run(() => sequence(s.steps));
            await Promise.race([inside.catch(() => undefined), sleep(7)]);
            scope.cancel();
            return inside.catch(() => undefined);
          }
          case 'shield':
            return CancellationScope.nonCancellable(() => sequence(s.steps));
          case 'timeout':
            return CancellationScope.withTimeout(9, () => sequence(s.steps)).catch(() => undefined);
          case 'attempt':
            return sequence(s.steps).catch(() => undefined);
        }
      };
      await sequence(steps);
      return [signals, uuid4()];
    };
  };
}

function ignore(): void {}
