/**
 * A small language of workflow programs, on any implementation of the workflow API.
 *
 * G1  Imports types only: bundled with a workflow, or run by a test, it works on the API it is given.
 * G2  Every program ends, if what it waits for is answered: a step inside of a scope settles when that is cancelled.
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
        | 'retried'
        | 'failing'
        | 'failingLocal'
        | 'throw'
        | 'waiting'
        | 'abandoned'
        | 'abandonedChild'
        | 'askedChild'
        | 'detached'
        | 'gate'
        | 'iterate'
        | 'memo'
        | 'continue'
        | 'cancellable'
        | 'callback'
        | 'cleared'
        | 'trigger'
        | 'signal'
        | 'handle'
        | 'cancelOther'
        | 'operation'
        | 'operationHandle'
        | 'abandonedOperation'
        | 'late'
        | 'finished'
        | 'refusable'
        | 'cancelled';
    }
  | { do: 'patch' | 'deprecate'; id: string }
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

const NEXUS = { name: 'service', operations: { op: { name: 'op' } } };

/** Makes workflow functions of programs. */
export function programOf(api: ProgramApi, { other = 'other', limitMs = 1000 }: ProgramSettings = {}) {
  const {
    ActivityCancellationType,
    ApplicationFailure,
    allHandlersFinished,
    CancellationScope,
    ChildWorkflowCancellationType,
    condition,
    continueAsNew,
    createNexusServiceClient,
    defineQuery,
    defineSignal,
    defineUpdate,
    deprecatePatch,
    executeChild,
    getExternalWorkflowHandle,
    patched,
    proxyActivities,
    proxyLocalActivities,
    setHandler,
    sleep,
    startChild,
    Trigger,
    upsertMemo,
    uuid4,
    random,
    setTimeout,
    clearTimeout,
  } = api;
  const { act, fail } = proxyActivities<Activities>({ startToCloseTimeout: limitMs });
  const { act: waiting } = proxyActivities<Activities>({
    startToCloseTimeout: limitMs,
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  });
  const { act: abandoned } = proxyActivities<Activities>({
    startToCloseTimeout: limitMs,
    cancellationType: ActivityCancellationType.ABANDON,
  });
  const { flaky: retried } = proxyActivities<Activities>({
    startToCloseTimeout: limitMs,
    retry: { initialInterval: 5, backoffCoefficient: 1 },
  });
  const { act: local, fail: failLocally } = proxyLocalActivities<Activities>({
    startToCloseTimeout: limitMs,
  });
  const { flaky } = proxyLocalActivities<Activities>({
    startToCloseTimeout: limitMs,
    localRetryThreshold: 1,
    retry: { initialInterval: 5, backoffCoefficient: 1 },
  });

  const nexus = () => createNexusServiceClient({ endpoint: 'endpoint', service: NEXUS as any });

  /** G2: callbacks know nothing of scopes. */
  const settling = (promise: PromiseLike<unknown>) =>
    Promise.race([promise, CancellationScope.current().cancelRequested]);

  /** @param more arguments of the run that follows a step `continue`; without them the step does nothing */
  return function program(steps: readonly Step[], more?: readonly unknown[]) {
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
      setHandler(
        defineUpdate<number, [number]>('v'),
        async (n) => {
          signals += n;
          const [remote] = await Promise.all([act(n), local(n)]);
          if (n > 2) throw ApplicationFailure.nonRetryable('an update that fails');
          return remote;
        },
        {
          validator: (n) => {
            if (n === 0) throw new Error('an update that is refused');
          },
        },
      );
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
          case 'retried':
            return retried();
          case 'failing':
            return fail().catch(() => sleep(1));
          case 'failingLocal':
            return failLocally().catch(() => sleep(1));
          case 'throw':
            throw ApplicationFailure.nonRetryable('thrown by design');
          case 'waiting':
            return waiting(1);
          case 'abandoned':
            return abandoned(1);
          case 'abandonedChild':
            return executeChild('child', { cancellationType: ChildWorkflowCancellationType.ABANDON });
          case 'askedChild':
            return executeChild('child', {
              cancellationType: ChildWorkflowCancellationType.WAIT_CANCELLATION_REQUESTED,
            });
          case 'detached':
            act(1)
              .then(() => sleep(1))
              .catch(ignore);
            return;
          case 'gate': {
            let open = false;
            return Promise.all([
              condition(() => open).then(() => act(1)),
              sleep(1).then(() => {
                open = true;
              }),
            ]);
          }
          case 'iterate': {
            async function* results() {
              for (let i = 0; i < 2; i++) yield await local(i);
            }
            for await (const n of results()) await sleep(n);
            return;
          }
          case 'memo':
            return upsertMemo({ signals });
          case 'continue':
            if (more !== undefined) await continueAsNew(...more);
            return;
          case 'cancellable':
            return CancellationScope.cancellable(() => act(3));
          case 'callback':
            return settling(new Promise((resolve) => setTimeout(resolve, 4, 1)));
          case 'cleared': {
            const handle = setTimeout(() => undefined, 5);
            await sleep(1);
            clearTimeout(handle);
            return sleep(1);
          }
          case 'trigger': {
            const trigger = new Trigger<number>();
            sleep(2).then(() => trigger.resolve(1), ignore);
            return settling(trigger);
          }
          case 'signal':
            return getExternalWorkflowHandle(other).signal('hi');
          case 'handle': {
            const handle = await startChild('child');
            await handle.signal('hi');
            return handle.result();
          }
          case 'operation':
            return nexus().executeOperation('op' as never, 1 as never);
          case 'late':
            setHandler(defineSignal<[number]>('late'), async (n) => {
              await condition(() => signals > n, 2);
              await act(n);
            });
            return sleep(1);
          case 'finished':
            return settling(condition(allHandlersFinished));
          case 'refusable':
            return executeChild('child').then(
              () => local(2),
              () => CancellationScope.nonCancellable(() => act(2)),
            );
          case 'cancelled':
            return CancellationScope.cancellable(async () => {
              const asked = CancellationScope.current().cancelRequested.catch(() => act(4).catch(ignore));
              await Promise.race([asked, sleep(3)]);
              CancellationScope.current().cancel();
              return asked;
            });
          case 'abandonedOperation':
            return nexus().executeOperation('op' as never, 1 as never, { cancellationType: 'ABANDON' });
          case 'operationHandle': {
            const handle = await nexus().startOperation('op' as never, 1 as never);
            return handle.result();
          }
          case 'cancelOther':
            return getExternalWorkflowHandle(other).cancel();
          case 'random':
            return [random(), uuid4()];
          case 'patch':
            if (patched(s.id)) await sleep(3);
            return;
          case 'deprecate':
            return deprecatePatch(s.id);
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
