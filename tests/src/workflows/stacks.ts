/** Workflows that wait, and some that are wrong. */
import {
  condition,
  defineSignal,
  proxyActivities,
  setHandler,
  sleep,
  startChild,
  Trigger,
  workflowInfo,
} from '@perdure/workflow';

const { never, throws } = proxyActivities<{ never(): Promise<void>; throws(): Promise<void> }>({
  startToCloseTimeout: '1 minute',
});

async function waitsInside(): Promise<void> {
  await sleep('1 hour'); // the test looks for this line
}

export async function waits(): Promise<void> {
  await Promise.all([
    waitsInside(),
    Promise.race([never()]),
    condition(() => false, '1 hour'),
    startChild(idles).then((handle) => handle.result()),
  ]);
}

export async function idles(): Promise<void> {
  await condition(() => false);
}

export async function forgetsToAwait(): Promise<string> {
  const forgotten = throws();
  await sleep(500);
  await forgotten;
  return 'never gets here';
}

export async function waitsForName(): Promise<string> {
  let name = '';
  setHandler(defineSignal<[string]>('name'), (given) => {
    name = given;
  });
  await condition(() => {
    if (name === 'bad') throw new Error('a predicate that throws');
    return name !== '';
  });
  return `${workflowInfo().workflowType} ${name}`;
}

/** Waits for a trigger, and twice for one timer. */
export async function waitsForOthers(): Promise<void> {
  const trigger = new Trigger<void>();
  const shared = sleep('1 hour'); // begun here
  await Promise.all([waitsForTrigger(trigger), shared, shared]);
}

async function waitsForTrigger(trigger: Trigger<void>): Promise<void> {
  await trigger; // nobody has pulled it
}
