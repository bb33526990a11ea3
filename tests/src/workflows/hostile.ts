/** Workflows that do what they should not, and one that only wants to get on. */
import * as wf from '@perdure/workflow';

const { note } = wf.proxyActivities<{ note(n: number): Promise<number> }>({ startToCloseTimeout: '20s' });

/** The neighbour of them all. */
export async function healthy(n: number): Promise<number> {
  const first = await note(n);
  await wf.sleep(5);
  return first + (await note(n));
}

// Never gives the thread back

export async function endlessLoop(): Promise<number> {
  await wf.sleep(5);
  let spins = 0;
  while (spins >= 0) spins = (spins + 1) % 1000;
  return spins; // read, so that no optimiser takes the loop away
}

export async function endlessMicrotasks(): Promise<void> {
  await wf.sleep(5);
  for (;;) await null;
}

export async function catastrophicRegExp(): Promise<boolean> {
  await wf.sleep(5);
  return /^(a+)+$/.test(`${'a'.repeat(60)}b`);
}

// Takes all memory

export async function memoryBomb(): Promise<unknown> {
  await wf.sleep(5);
  let all: unknown;
  let length = 0;
  while (length >= 0) all = { all, length: length++, some: [1, 2, 3] };
  return all; // read, so that no optimiser takes the loop away
}

export async function hugeAllocation(): Promise<number> {
  await wf.sleep(5);
  return Array.from({ length: 1e8 }, (_, i) => ({ i })).length;
}

// Takes all of the stack

export async function deepRecursion(): Promise<number> {
  const deeper = (n: number): number => deeper(n + 1) + 1;
  return deeper(0);
}

export async function deepResult(): Promise<unknown> {
  let nested: unknown = 1;
  for (let i = 0; i < 100_000; i++) nested = [nested];
  return nested;
}

// More than the server takes

export async function hugeResult(megabytes: number): Promise<string> {
  await wf.sleep(5);
  return 'x'.repeat(megabytes * 2 ** 20);
}

export async function hugeArgument(megabytes: number): Promise<number> {
  await wf.sleep(5);
  return note('x'.repeat(megabytes * 2 ** 20) as any);
}

export async function hugeFailure(megabytes: number): Promise<void> {
  await wf.sleep(5);
  throw wf.ApplicationFailure.nonRetryable('x'.repeat(megabytes * 2 ** 20));
}

export async function manySmallArguments(count: number): Promise<unknown> {
  await wf.sleep(5);
  // No one of them is too large, but all of them are one answer.
  return Promise.all(Array.from({ length: count }, (_, n) => note(('x'.repeat(2 ** 20) + n) as any)));
}

export async function hugeQuery(): Promise<void> {
  wf.setHandler(wf.defineQuery('big'), () => 'x'.repeat(5 * 2 ** 20));
  await wf.condition(() => false);
}

// Throws and returns what nobody expects

export async function throwsNull(): Promise<void> {
  throw null;
}

export async function throwsUndefined(): Promise<void> {
  throw undefined;
}

export async function throwsSymbol(): Promise<void> {
  throw Symbol('odd');
}

export async function throwsHostileError(): Promise<void> {
  const error = new Error('odd');
  for (const name of ['message', 'stack', 'name', 'cause', 'constructor']) {
    Object.defineProperty(error, name, {
      get() {
        throw new Error(`the getter of ${name}`);
      },
    });
  }
  throw error;
}

export async function throwsProxy(): Promise<void> {
  throw new Proxy(
    {},
    {
      get() {
        throw null;
      },
      getPrototypeOf() {
        throw null;
      },
      ownKeys() {
        throw null;
      },
      has() {
        throw null;
      },
    },
  );
}

export async function loopingCause(): Promise<void> {
  const first = wf.ApplicationFailure.nonRetryable('first');
  const second = wf.ApplicationFailure.nonRetryable('second');
  (first as any).cause = second;
  (second as any).cause = first;
  throw first;
}

export async function longCause(): Promise<void> {
  let error: Error | undefined;
  for (let i = 0; i < 5000; i++) {
    const next: any = wf.ApplicationFailure.nonRetryable(`number ${i}`);
    if (error !== undefined) next.cause = error;
    error = next;
  }
  throw error;
}

export async function returnsFunction(): Promise<unknown> {
  return () => 1;
}

export async function returnsBigInt(): Promise<unknown> {
  return { amount: 12n };
}

export async function returnsCycle(): Promise<unknown> {
  const cycle: Record<string, unknown> = {};
  cycle.self = cycle;
  return cycle;
}

export async function returnsGetter(): Promise<unknown> {
  return {
    get trap() {
      throw new Error('the getter has been called');
    },
  };
}

export async function returnsToJson(): Promise<unknown> {
  return {
    toJSON() {
      throw null;
    },
  };
}

export function returnsThenable(): any {
  return {
    get then() {
      throw new Error('the getter of then');
    },
  };
}

export function returnsEagerThenable(): any {
  return {
    then(resolve: (value: unknown) => void, reject: (error: unknown) => void) {
      resolve('first');
      reject(new Error('second'));
      resolve('third');
      throw new Error('fourth');
    },
  };
}

export function returnsSilentThenable(): any {
  return {
    then() {},
  };
}

export function returnsTrickyPromise(): any {
  const promise = Promise.resolve('fine');
  (promise as any).constructor = {
    [Symbol.species]: function Broken() {
      throw new Error('the species of a promise');
    },
  };
  return promise;
}

export async function changesPromise(): Promise<string> {
  const seen: string[] = [];
  try {
    (Promise.prototype as any).then = () => {
      throw new Error('then of all promises');
    };
    seen.push('patched');
  } catch {
    seen.push('refused');
  }
  (globalThis as any).Promise = class Mine {};
  await wf.sleep(5);
  return seen.join();
}

export class NotAFunction {
  readonly name = 'a class has to be called with new';
}

// Named as members of Object.prototype are

async function named(): Promise<string> {
  return wf.workflowInfo().workflowType;
}

export { named as constructor, named as hasOwnProperty, named as toString };

// Handlers that do what they may not

export async function forbiddenCalls(): Promise<string> {
  wf.setHandler(wf.defineQuery('schedules'), () => void note(1));
  wf.setHandler(wf.defineQuery('sleeps'), () => wf.sleep(5) as any);
  wf.setHandler(wf.defineQuery('throwsNull'), () => {
    throw null;
  });
  wf.setHandler(wf.defineQuery('cycle'), () => {
    const cycle: Record<string, unknown> = {};
    cycle.self = cycle;
    return cycle;
  });
  wf.setHandler(wf.defineQuery('continues'), () => void wf.continueAsNew());
  wf.setHandler(wf.defineQuery('fine'), () => 'fine');
  const nothing = () => undefined;
  wf.setHandler(wf.defineUpdate('schedules'), nothing, { validator: () => void note(1) });
  wf.setHandler(wf.defineUpdate('throwsNull'), nothing, {
    validator: () => {
      throw null;
    },
  });
  wf.setHandler(wf.defineUpdate('startsChild'), nothing, {
    validator: () => void wf.startChild('healthy', { args: [1] }),
  });
  wf.setHandler(wf.defineUpdate('handlerThrowsNull'), () => {
    throw null;
  });
  wf.setHandler(wf.defineUpdate('fine'), () => 'fine');
  let done = false;
  wf.setHandler(wf.defineSignal('finish'), () => {
    done = true;
  });
  wf.setHandler(wf.defineSignal('throwsNull'), () => {
    throw null;
  });
  await wf.condition(() => done);
  return 'finished';
}
