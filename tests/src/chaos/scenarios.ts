/**
 * What is done to workers, server and network while the load of a chaos campaign runs.
 *
 * S1  Every scenario ends with a world in which work can get done: a worker that runs, a server that serves.
 * S2  What happens, and how long it waits before, comes from the seed; which task is under way at that moment does not.
 */
import type { Random } from '../support/random';
import type { World } from './world';

/** Harms the world until `load` says that the work is done, or until it has done enough. */
export type Scenario = (world: World, random: Random, load: { readonly done: boolean }) => Promise<void>;

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function endWorkers(
  signal: 'SIGKILL' | 'SIGTERM',
  times: number,
  ...[world, random, load]: Parameters<Scenario>
): Promise<void> {
  for (let i = 0; i < times && !load.done; i++) {
    await pause(random.between(400, 1400));
    const victim = random.pick(world.workers);
    // Now and then the work waits for a worker, and now and then another one has it already.
    if (random.next() < 0.5) await world.startWorker();
    await world.endWorker(victim, signal);
    if (world.workers.length < 2) await world.startWorker();
  }
}

async function restartServer(times: number, ...[world, random, load]: Parameters<Scenario>): Promise<void> {
  for (let i = 0; i < times && !load.done; i++) {
    await pause(random.between(800, 2000));
    await world.restartServer(random.between(0, 1200));
  }
}

async function killLanes(times: number, ...[world, random, load]: Parameters<Scenario>): Promise<void> {
  for (let i = 0; i < times && !load.done; i++) {
    await pause(random.between(200, 700));
    await world.killLane(random.pick(world.workers), random);
  }
}

/** The faults themselves are the proxy's, which goes on after this. */
async function cutSeveralTimes(...[world, , load]: Parameters<Scenario>): Promise<void> {
  while (!load.done && (world.proxy?.faults.cut ?? 0) < 3) await pause(50);
}

export const SCENARIOS = {
  kill: (...args) => endWorkers('SIGKILL', 4, ...args),
  sigterm: (...args) => endWorkers('SIGTERM', 4, ...args),
  restart: (...args) => restartServer(2, ...args),
  proxy: cutSeveralTimes,
  lanes: (...args) => killLanes(10, ...args),
  everything: async (...args) => {
    await Promise.all([
      endWorkers('SIGKILL', 3, ...args),
      endWorkers('SIGTERM', 3, ...args),
      restartServer(2, ...args),
    ]);
  },
} satisfies Record<string, Scenario>;

export type ScenarioName = keyof typeof SCENARIOS;
/** Scenarios in which all traffic, the client's too, goes through the proxy. */
export const THROUGH_PROXY: ReadonlySet<ScenarioName> = new Set(['proxy', 'everything']);
/** Scenarios whose workers have their workflows in processes, which can be killed alone. */
export const LANES_IN_PROCESSES: ReadonlySet<ScenarioName> = new Set(['lanes']);
/** Scenarios that restart the server. */
export const RESTARTS: ReadonlySet<ScenarioName> = new Set(['restart', 'everything']);
