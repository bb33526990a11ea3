/** Workflows for messages, scopes and interceptors. */
import {
  AsyncLocalStorage,
  allHandlersFinished,
  CancellationScope,
  condition,
  continueAsNew,
  currentUpdateInfo,
  defineQuery,
  defineSignal,
  defineUpdate,
  executeChild,
  getExternalWorkflowHandle,
  getRandomStream,
  isCancellation,
  log,
  metricMeter,
  proxyActivities,
  proxyLocalActivities,
  proxySinks,
  type Sinks,
  setHandler,
  setWorkflowOptions,
  sleep,
  Trigger,
  uuid4,
  workflowInfo,
} from '@perdure/workflow';

interface Activities {
  echo<T>(value: T): Promise<T>;
}
const { echo } = proxyActivities<Activities>({ startToCloseTimeout: '20s' });
const { echo: localEcho } = proxyLocalActivities<Activities>({ startToCloseTimeout: '20s' });

const add = defineSignal<[string]>('add');
const end = defineSignal('end');
const change = defineUpdate<string, [string]>('change');
const slow = defineUpdate<string, [string]>('slow');
const seenQuery = defineQuery<string[]>('seen');

/** Sets its handlers late: what came before waits for them, in order. */
export async function late(): Promise<string[]> {
  const seen: string[] = [];
  await sleep(1);
  seen.push('handlers');
  setHandler(add, (what) => {
    seen.push(what);
  });
  setHandler(end, () => {
    seen.push('end');
  });
  await condition(() => seen.includes('end'));
  return seen;
}

export async function updatable(): Promise<string[]> {
  const seen: string[] = [];
  let ended = false;
  const who = () => JSON.stringify(currentUpdateInfo() ?? null);
  setHandler(
    change,
    async (what) => {
      seen.push(`handler ${who()}`);
      await sleep(1);
      seen.push(`later ${who()}`);
      return `changed ${what}`;
    },
    {
      validator: (what) => {
        if (what === 'refused') throw new Error(`refused ${who()}`);
      },
    },
  );
  setHandler(seenQuery, () => seen);
  setHandler(end, () => {
    seen.push(`signal ${who()}`);
    ended = true;
  });
  seen.push(`main ${who()}`);
  await condition(() => ended && allHandlersFinished());
  return seen;
}

/** Replaces a handler, then removes it. */
export async function changesHandlers(): Promise<void> {
  const seen: string[] = [];
  setHandler(seenQuery, () => ['first']);
  setHandler(add, (what) => {
    seen.push(what);
    if (what === 'replace') setHandler(seenQuery, () => ['second', ...seen]);
    if (what === 'remove') setHandler(seenQuery, undefined);
  });
  await condition(() => seen.includes('end'));
}

/** Ends while its handlers run. */
export async function leaves(unfinishedPolicy: 1 | 2 | undefined): Promise<string> {
  let ended = false;
  const policy = unfinishedPolicy as undefined;
  setHandler(
    add,
    async () => {
      await sleep('1 hour');
    },
    { unfinishedPolicy: policy },
  );
  setHandler(
    slow,
    async () => {
      await sleep('1 hour');
      return 'never';
    },
    { unfinishedPolicy: policy },
  );
  setHandler(end, () => {
    ended = true;
  });
  await condition(() => ended);
  return 'left';
}

async function* ticks(count: number): AsyncGenerator<number> {
  for (let i = 0; i < count; i++) {
    await echo(i);
    yield i;
  }
}

/** A promise of somebody else's making, as libraries have them. */
class Thenable<T> {
  constructor(private readonly inner: Promise<T>) {}
  then<A, B>(onFulfilled: (value: T) => A, onRejected: (reason: unknown) => B): Promise<A | B> {
    return this.inner.then(onFulfilled, onRejected);
  }
}

/** @returns for each way of waiting: whether the scope was still that of the caller afterwards */
export async function scopesThroughEverything(): Promise<Record<string, boolean>> {
  const same: Record<string, boolean> = {};
  await CancellationScope.cancellable(async () => {
    const scope = CancellationScope.current();
    const note = (what: string) => {
      same[what] = CancellationScope.current() === scope;
    };
    await sleep(1);
    note('timer');
    await echo(1);
    note('activity');
    await localEcho(1);
    note('local activity');
    await Promise.all([echo(1), CancellationScope.nonCancellable(() => echo(2))]);
    note('Promise.all');
    await Promise.race([condition(() => true), sleep('1 hour')]);
    note('Promise.race');
    for await (const tick of ticks(2)) note(`async generator ${tick}`);
    await new Thenable(echo(1));
    note('thenable');
    await new Promise<void>((resolve) => {
      setTimeout(() => {
        resolve();
      }, 1);
    });
    note('own promise');
    const trigger = new Trigger<void>();
    echo(1).then(() => trigger.resolve());
    await trigger;
    note('trigger');
  });
  return same;
}

/** Cleans up in the ways that the documentation shows; cancelled from outside. */
export async function scopes(): Promise<string[]> {
  const told: string[] = [];
  const storage = new AsyncLocalStorage<string>();
  const tell = (what: string) => (error: unknown) => {
    told.push(`${what} ${isCancellation(error)} ${storage.getStore()}`);
  };
  await CancellationScope.withTimeout(1, () => sleep('1 hour')).catch(tell('timeout'));
  const shielded = storage.run('kept', () =>
    CancellationScope.nonCancellable(async () => {
      await condition(() => told.includes('asked true undefined'));
      told.push(`shielded ${storage.getStore()}`);
    }),
  );
  CancellationScope.current().cancelRequested.catch(tell('asked'));
  await storage
    .run('inner', () => Promise.all([sleep('1 hour'), echo('never waited for').then(() => sleep('1 hour'))]))
    .catch(tell('both'));
  await shielded;
  await CancellationScope.nonCancellable(() => echo('cleaned up'));
  told.push('done');
  return told;
}

/** Draws and tells in every task. */
interface Audit extends Sinks {
  audit: { once(what: string): void; always(what: string): void };
}
const { audit } = proxySinks<Audit>();

export async function replayed(): Promise<unknown[]> {
  const drawn: unknown[] = [];
  const counter = metricMeter.createCounter('tests_replayed_rounds');
  for (let round = 0; round < 3; round++) {
    drawn.push([Date.now(), Math.random(), uuid4(), getRandomStream('named').random()]);
    log.info(`round ${round}`);
    counter.add(1);
    audit.once(`round ${round}`);
    audit.always(`round ${round}`);
    await sleep(1);
  }
  setHandler(defineQuery('drawn'), () => drawn);
  return drawn;
}

export async function heir(): Promise<string> {
  return 'inherited';
}

/** Calls all that outbound interceptors see. */
export async function everything(target: string, round = 0): Promise<string> {
  let ended = false;
  setHandler(add, () => undefined);
  setHandler(seenQuery, () => ['answer']);
  setHandler(change, (what) => what, { validator: () => undefined });
  setHandler(end, () => {
    ended = true;
  });
  log.info('logged');
  metricMeter.createCounter('tests_everything').add(1);
  await sleep(1);
  await echo('activity');
  await localEcho('local');
  await executeChild(heir);
  await getExternalWorkflowHandle(target).signal(add, `round ${round}`);
  if (round === 0) {
    await condition(() => ended && allHandlersFinished());
    await continueAsNew<typeof everything>(target, 1);
  }
  return 'both rounds';
}

setWorkflowOptions({ versioningBehavior: 'AUTO_UPGRADE' }, autoUpgrade);
export async function autoUpgrade(): Promise<string> {
  const { currentDeploymentVersion } = workflowInfo();
  return `${currentDeploymentVersion?.deploymentName} ${currentDeploymentVersion?.buildId}`;
}

export async function pinnedByDefault(): Promise<string> {
  return executeChild(autoUpgrade);
}
