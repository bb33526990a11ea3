/** Workflows that must not disturb each other. */
import {
  condition,
  defineQuery,
  defineSignal,
  defineUpdate,
  log,
  proxyActivities,
  proxySinks,
  setHandler,
  sleep,
} from '@perdure/workflow';

const { note } = proxyActivities<{ note(n: number): Promise<number> }>({ startToCloseTimeout: '1m' });

let moduleState = 0;

export async function neverYields(): Promise<number> {
  await sleep(10);
  let spins = 0;
  while (spins >= 0) spins = (spins + 1) % 1000;
  return spins; // read, so that no optimiser takes the loop away
}

/** Its timeout has the same handle in every run. */
export async function clearsTimeout(): Promise<void> {
  const handle = setTimeout(() => undefined, 60_000);
  await sleep(400);
  clearTimeout(handle);
  await sleep(1);
}

export async function quiet(n: number): Promise<unknown> {
  moduleState += 1;
  const seen = moduleState;
  (globalThis as any).mark = ((globalThis as any).mark ?? 0) + 1;
  const first = await note(n);
  const second = await note(n + 1);
  return { sum: first + second, seen, after: moduleState, mark: (globalThis as any).mark };
}

export async function escapes(): Promise<unknown> {
  const reached: string[] = [];
  const probe = (name: string, find: () => unknown) => {
    try {
      if (find() !== undefined) reached.push(name);
    } catch {
      // out of reach
    }
  };
  probe('process', () => (globalThis as any).process);
  probe('require', () => (globalThis as any).require);
  probe('Function', () => Function('return process')());
  probe('constructor of a host function', () => (sleep as any).constructor('return process')());
  probe('constructor of an error', () => {
    try {
      (null as any).x;
    } catch (error) {
      return (error as any).constructor.constructor('return process')();
    }
  });
  return reached;
}

export async function allocates(): Promise<number> {
  const kept: unknown[] = [];
  for (;;) {
    kept.push(new Array(100_000).fill(kept.length));
    if (kept.length % 10 === 0) await null;
  }
}

/** Uses everything that has to leave the lane. */
export async function talks(text: string): Promise<string> {
  setHandler(defineQuery<string, [string]>('echo'), (query) => `${text} ${query}`);
  setHandler(defineUpdate<string, [string]>('change'), (change) => `${text} ${change}`);
  let done = false;
  setHandler(defineSignal('finish'), () => {
    done = true;
  });
  log.info('said', { text });
  proxySinks<{ mine: { heard(text: string, at: Date): void } }>().mine.heard(text, new Date(5));
  await condition(() => done);
  return `${text} ${await note(1)}`;
}
