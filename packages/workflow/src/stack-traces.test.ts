import {
  CancellationScope,
  condition,
  defineSignal,
  executeChild,
  proxyActivities,
  proxyLocalActivities,
  setHandler,
  sleep,
  startChild,
  Trigger,
} from './index';
import { job, Scenario, scenario } from './testing/scenario';

const { act } = proxyActivities<{ act(): Promise<void> }>({ startToCloseTimeout: 1000 });
const { loc } = proxyLocalActivities<{ loc(): Promise<void> }>({ startToCloseTimeout: 1000 });

/** Names of the functions in each stack. */
async function waiting(s: Scenario): Promise<string[][]> {
  const [answer] = await s.commands([job.query('__enhanced_stack_trace')]);
  const { stacks } = answer.respondToQuery.succeeded.response;
  return stacks.map(({ locations }: any) =>
    locations.map((at: any) => at.function_name).filter((name: unknown) => name !== undefined),
  );
}

async function waitingIn(workflow: () => unknown, ...jobs: ReturnType<typeof job.signal>[]) {
  const s = scenario(workflow);
  await s.commands([job.start()]);
  for (const each of jobs) await s.commands([each]);
  return waiting(s);
}

describe('the stack trace of a run', () => {
  it('shows where each operation is waited for, and who waits for that', async () => {
    async function inner(): Promise<void> {
      await sleep(1000);
    }
    async function outer(): Promise<void> {
      await inner();
    }
    expect(await waitingIn(outer)).toEqual([['inner', 'outer']]);
  });

  it.each<[string, () => Promise<unknown>]>([
    ['sleep', () => sleep(1000)],
    ['an activity', () => act()],
    ['a local activity', () => loc()],
    ['a condition', () => condition(() => false)],
    ['a child', () => executeChild('child')],
    ['the start of a child', () => startChild('child')],
    ['a scope', () => CancellationScope.cancellable(() => act())],
    ['a scope that is shielded', () => CancellationScope.nonCancellable(() => condition(() => false))],
    [
      'a chain',
      () =>
        sleep(1)
          .then(() => 1)
          .catch(() => 2)
          .finally(() => 3),
    ],
    ['Promise.all', () => Promise.all([1, act()])],
    ['Promise.race', () => Promise.race([act()])],
    ['Promise.allSettled', () => Promise.allSettled([act()])],
    ['Promise.any', () => Promise.any([act()])],
  ])('sees through %s', async (_, begin) => {
    async function waits(): Promise<void> {
      await begin();
    }
    const stacks = await waitingIn(waits);
    expect(stacks.length).toBeGreaterThan(0);
    expect(stacks.every((names) => names.includes('waits'))).toBe(true);
  });

  it('shows the timer and the predicate of a condition with a timeout', async () => {
    async function waits(): Promise<void> {
      await condition(() => false, 1000);
    }
    for (const names of await waitingIn(waits)) expect(names).toContain('waits');
  });

  it('shows who waits for a trigger, until it is settled', async () => {
    const s = scenario(async () => {
      const trigger = new Trigger<string>();
      const forgotten = new Trigger();
      setHandler(defineSignal<[string]>('settle'), (value) => trigger.resolve(value));
      async function waitsForTrigger(): Promise<string> {
        return await trigger;
      }
      const value = await waitsForTrigger();
      await condition(() => forgotten === undefined);
      return value;
    });
    await s.commands([job.start()]);
    const [names, ...others] = await waiting(s);
    expect(names).toContain('waitsForTrigger');
    expect(others).toEqual([]);
    await s.commands([job.signal('settle', 'now')]);
    expect((await waiting(s)).flat().join()).not.toMatch(/waitsForTrigger/);
  });

  it('names what several wait for, and from then on shows where such things are begun', async () => {
    async function begins(): Promise<void> {
      const shared = [sleep(1000), condition(() => false), new Trigger<void>()];
      await Promise.all([...shared, ...shared]);
    }
    const s = new Scenario({ begins: begins, other: begins });
    await s.commands([job.start([], { workflowType: 'begins' })]);
    expect((await waiting(s)).map(([first]) => first)).toEqual(['timer 1', 'condition']);

    const fresh = new Scenario({ begins: begins }, { registration: { showStackTraceSources: true } });
    await fresh.commands([job.start([], { workflowType: 'begins' })]);
    for (const names of await waiting(fresh)) expect(names).toContain('begins');
  });

  it('shows where operations were begun in runs that start after the first question', async () => {
    async function begins(): Promise<void> {
      const shared = sleep(1000);
      await Promise.all([shared, shared]);
      const again = act();
      await Promise.all([again, again]);
    }
    const s = scenario(begins);
    await s.commands([job.start()]);
    expect((await waiting(s)).flat()).not.toContain('begins');
    s.evict();
    await s.commands([job.start()], { isReplaying: true });
    expect((await waiting(s)).flat()).toContain('begins');
    await s.commands([job.fireTimer(1)]);
    expect((await waiting(s)).flat()).toContain('begins');
  });

  it('says so when a run waits for a promise of its own', async () => {
    const stacks = await waitingIn(
      () => new Promise((resolve) => setHandler(defineSignal<[unknown]>('go'), resolve)),
    );
    expect(stacks).toEqual([['a promise of its own']]);
  });

  it('shows handlers that wait', async () => {
    const stacks = await waitingIn(async () => {
      setHandler(defineSignal('s'), async function onSignal() {
        await sleep(5);
      });
      await condition(() => false);
    }, job.signal('s'));
    expect(stacks.flat().join()).toMatch(/onSignal/);
  });

  it('is empty when nothing waits, and as text has one paragraph for each stack', async () => {
    async function first(): Promise<void> {
      await sleep(1);
    }
    async function second(): Promise<void> {
      await act();
    }
    const s = scenario(() => Promise.all([first(), second()]));
    await s.commands([job.start()]);
    const [answer] = await s.commands([job.query('__stack_trace')]);
    const text: string = answer.respondToQuery.succeeded.response;
    expect(text.split('\n\n').map((stack) => /(first|second) /.exec(stack)?.[1])).toEqual([
      'first',
      'second',
    ]);
    await s.commands([job.fireTimer(1), job.activityDone(1)]);
    const [last] = await s.commands([job.query('__stack_trace')]);
    expect(last.respondToQuery.succeeded.response).toBe('');
  });

  it('changes nothing: what was asked goes on as what was not', async () => {
    const runs = [0, 3].map(async (queries) => {
      const s = scenario(async () => {
        const order: string[] = [];
        const note = (what: string) => () => void order.push(what);
        await Promise.all([
          sleep(1).then(note('timer')),
          act().then(note('activity'), note('failure')),
          condition(() => order.length > 0).then(note('condition')),
        ]);
        return order;
      });
      await s.commands([job.start()]);
      for (let i = 0; i < queries; i++) await s.commands([job.query('__stack_trace')]);
      return [await s.commands([job.activityDone(1)]), await s.commands([job.fireTimer(1)])];
    });
    const [unasked, asked] = await Promise.all(runs);
    expect(asked).toEqual(unasked);
  });
});
