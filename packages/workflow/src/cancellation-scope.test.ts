import { ApplicationFailure } from '@perdure/common';
import { NO_PARENT } from './cancellation-scope';
import {
  AsyncLocalStorage,
  CancellationScope,
  CancelledFailure,
  condition,
  isCancellation,
  proxyActivities,
  sleep,
  Trigger,
} from './index';
import { job, scenario } from './testing/scenario';

const { cleanup } = proxyActivities<{ cleanup(): Promise<void> }>({ startToCloseTimeout: 1000 });
const names = (commands: any[]) =>
  commands.map((command) => Object.keys(command).find((k) => k !== 'userMetadata'));

describe('cancelling the workflow', () => {
  it('rejects what waits and ends the run as cancelled', async () => {
    const s = scenario(() => sleep(1000));
    await s.commands([job.start()]);
    expect(await s.commands([job.cancel()])).toEqual([
      { cancelTimer: { seq: 1 } },
      { cancelWorkflowExecution: {} },
    ]);
  });

  it('before it starts makes its first wait reject', async () => {
    const s = scenario(() => sleep(1000));
    expect(await s.commands([job.start(), job.cancel()])).toEqual([{ cancelWorkflowExecution: {} }]);
  });

  it('together with a completion in the same activation lets the completion win', async () => {
    const s = scenario(async () => {
      await sleep(1000);
      return 'done';
    });
    await s.commands([job.start()]);
    expect(await s.commands([job.fireTimer(1), job.cancel()])).toEqual([
      { completeWorkflowExecution: { result: 'done' } },
    ]);
  });

  it('that is caught lets the workflow complete', async () => {
    const s = scenario(async () => {
      try {
        await sleep(1000);
      } catch (error) {
        return isCancellation(error);
      }
    });
    await s.commands([job.start()]);
    expect((await s.commands([job.cancel()])).at(-1)).toEqual({
      completeWorkflowExecution: { result: true },
    });
  });

  it('lets clean-up run in a scope that shields it', async () => {
    const s = scenario(async () => {
      try {
        await sleep(1000);
      } catch (error) {
        await CancellationScope.nonCancellable(() => cleanup());
        throw error;
      }
    });
    await s.commands([job.start()]);
    expect(names(await s.commands([job.cancel()]))).toEqual(['cancelTimer', 'scheduleActivity']);
    expect(await s.commands([job.activityDone(1)])).toEqual([{ cancelWorkflowExecution: {} }]);
  });

  it('does not make a CancelledFailure of another origin a cancellation', async () => {
    const s = scenario(async () => {
      throw new CancelledFailure('by hand');
    });
    const [command] = await s.commands([job.start()]);
    expect(command.failWorkflowExecution.failure.message).toBe('by hand');
  });

  it('leaves a failure during clean-up a failure', async () => {
    const s = scenario(async () => {
      try {
        await sleep(1000);
      } catch {
        throw ApplicationFailure.nonRetryable('clean-up failed');
      }
    });
    await s.commands([job.start()]);
    expect((await s.commands([job.cancel()])).at(-1).failWorkflowExecution.failure.message).toBe(
      'clean-up failed',
    );
  });
});

describe('a cancellation scope', () => {
  it('passes cancellation to the scopes inside it', async () => {
    const s = scenario(async () => {
      const outer = new CancellationScope();
      const waits = outer.run(() => CancellationScope.cancellable(() => sleep(1000)));
      await sleep(1);
      outer.cancel();
      return waits.catch((error) => isCancellation(error));
    });
    await s.commands([job.start()]);
    expect(await s.commands([job.fireTimer(2)])).toEqual([
      { cancelTimer: { seq: 1 } },
      { completeWorkflowExecution: { result: true } },
    ]);
  });

  it('that is not cancellable shields, with all inside it, but knows of the request', async () => {
    const s = scenario(async () => {
      const heard: string[] = [];
      const outer = new CancellationScope();
      const waits = outer.run(() =>
        CancellationScope.nonCancellable(async () => {
          const shield = CancellationScope.current();
          shield.cancelRequested.catch(() => heard.push('shield'));
          const inner = new CancellationScope();
          inner.cancelRequested.catch(() => heard.push('inner'));
          await inner.run(() => sleep(1000));
          return [heard, shield.consideredCancelled, inner.consideredCancelled];
        }),
      );
      await sleep(1);
      outer.cancel();
      return waits;
    });
    await s.commands([job.start()]);
    expect(await s.commands([job.fireTimer(2)])).toEqual([]);
    expect(await s.commands([job.fireTimer(1)])).toEqual([
      { completeWorkflowExecution: { result: [['shield'], false, false] } },
    ]);
  });

  it('that is not cancellable did not shield scopes inside it in histories without the flag', async () => {
    const s = scenario(() =>
      CancellationScope.nonCancellable(() => CancellationScope.cancellable(() => sleep(1000))),
    );
    await s.commands([job.start()], { isReplaying: true });
    expect(names(await s.commands([job.cancel()], { isReplaying: true }))).toEqual([
      'cancelTimer',
      'cancelWorkflowExecution',
    ]);
  });

  it.each([{ lastSdkVersion: '1.11.1' }, { buildId: '@temporalio/worker@1.11.0+0123abcd' }])(
    'shields in histories whose SDK did so without recording it: %p',
    async (version) => {
      const s = scenario(() =>
        CancellationScope.nonCancellable(() => CancellationScope.cancellable(() => sleep(1000))),
      );
      const facts = { isReplaying: true, ...version };
      await s.commands([job.start()], facts);
      expect(await s.commands([job.cancel()], facts)).toEqual([]);
    },
  );

  it('cancels itself after its timeout', async () => {
    const s = scenario(() =>
      CancellationScope.withTimeout(50, () => cleanup()).catch((error) => isCancellation(error)),
    );
    expect(names(await s.commands([job.start()]))).toEqual(['startTimer', 'scheduleActivity']);
    expect(await s.commands([job.fireTimer(1)])).toEqual([{ requestCancelActivity: { seq: 1 } }]);
  });

  it('cancels the timer of its timeout when its function is done in time', async () => {
    const s = scenario(() => CancellationScope.withTimeout(50, () => cleanup()));
    await s.commands([job.start()]);
    expect(await s.commands([job.activityDone(1)])).toEqual([
      { cancelTimer: { seq: 1 } },
      { completeWorkflowExecution: {} },
    ]);
  });

  it('follows code through await, Promise.all, then, async iteration and third-party promises', async () => {
    const s = scenario(async () => {
      const seen: boolean[] = [];
      const scope = new CancellationScope();
      const note = () => seen.push(CancellationScope.current() === scope);
      const thenable = { then: (resolve: (v: unknown) => void) => resolve(1) };
      async function* items() {
        note();
        yield await sleep(1);
        note();
        yield 2;
      }
      await Promise.all([
        scope.run(async () => {
          note();
          await sleep(2);
          note();
          await Promise.all([sleep(3), Promise.resolve()]);
          note();
          await thenable;
          note();
          for await (const _ of items()) note();
          await sleep(4).then(note);
        }),
        sleep(5).then(() => seen.push(CancellationScope.current() !== scope)),
      ]);
      return seen;
    });
    const all: any[] = [];
    let commands = await s.commands([job.start()]);
    for (let i = 0; i < 10 && commands.every((c) => c.startTimer); i++) {
      all.push(...commands);
      commands = await s.commands(commands.map((c) => job.fireTimer(c.startTimer.seq)));
    }
    expect(commands[0].completeWorkflowExecution.result.every((x: boolean) => x)).toBe(true);
    expect(commands[0].completeWorkflowExecution.result.length).toBe(10);
  });

  it('keeps two scopes apart that go on in turns', async () => {
    const s = scenario(async () => {
      const wrong: string[] = [];
      const one = async (name: string) => {
        const scope = new CancellationScope();
        await scope.run(async () => {
          for (let i = 0; i < 3; i++) {
            await sleep(1);
            if (CancellationScope.current() !== scope) wrong.push(name);
          }
        });
      };
      await Promise.all([one('a'), one('b')]);
      return wrong;
    });
    let commands = await s.commands([job.start()]);
    while (commands[0]?.startTimer) {
      commands = await s.commands(commands.map((c) => job.fireTimer(c.startTimer.seq)));
    }
    expect(commands).toEqual([{ completeWorkflowExecution: { result: [] } }]);
  });

  it('tells operations in the order in which they began', async () => {
    const s = scenario(async () => {
      await Promise.all([cleanup(), sleep(1), cleanup(), sleep(2)]);
    });
    await s.commands([job.start()]);
    expect(await s.commands([job.cancel()])).toEqual([
      { requestCancelActivity: { seq: 1 } },
      { cancelTimer: { seq: 1 } },
      { requestCancelActivity: { seq: 2 } },
      { cancelTimer: { seq: 2 } },
      { cancelWorkflowExecution: {} },
    ]);
  });

  it('cancelled twice cancels once', async () => {
    const s = scenario(() => sleep(1));
    await s.commands([job.start()]);
    expect(names(await s.commands([job.cancel(), job.cancel()]))).toEqual([
      'cancelTimer',
      'cancelWorkflowExecution',
    ]);
  });

  it('cannot be made outside a workflow', () => {
    expect(() => new CancellationScope()).toThrow(/workflow execution/);
    expect(() => CancellationScope.current()).toThrow(/workflow execution/);
  });
});

describe('a trigger', () => {
  it('resolves from outside, and rejects when its scope is cancelled', async () => {
    const s = scenario(async () => {
      const first = new Trigger<number>();
      first.resolve(7);
      const second = new Trigger<number>();
      const value = await first;
      try {
        await second;
      } catch (error) {
        return [value, isCancellation(error)];
      }
    });
    await s.commands([job.start()]);
    expect(await s.commands([job.cancel()])).toEqual([{ completeWorkflowExecution: { result: [7, true] } }]);
  });
});

it('scopes of a derived class are made by its own shortcuts, and a scope without a parent is not the workflow', async () => {
  class Named extends CancellationScope {}
  const seen: unknown[] = [];
  const s = scenario(async () => {
    await Named.cancellable(async () => seen.push(CancellationScope.current() instanceof Named));
    await Named.nonCancellable(async () => seen.push(CancellationScope.current() instanceof Named));
    await Named.withTimeout('1 minute', async () => seen.push(CancellationScope.current() instanceof Named));
    const alone = new CancellationScope({ parent: NO_PARENT, timeout: null as never, cancellable: true });
    alone.cancel();
    await alone.cancelRequested.catch((error) => seen.push(error.message));
  });
  await s.commands([job.start()]);
  expect(seen).toEqual([true, true, true, 'Cancellation scope cancelled']);
});

describe('AsyncLocalStorage', () => {
  it('binds functions to the values and the scope of a moment', async () => {
    const seen: unknown[] = [];
    const s = scenario(async () => {
      const storage = new AsyncLocalStorage<string>();
      const note = (name: string) => seen.push([name, storage.getStore()]);
      const scope = new CancellationScope();
      const outside = AsyncLocalStorage.bind(note);
      const inside = await storage.run('first', async () => {
        await sleep(1);
        return AsyncLocalStorage.bind(note);
      });
      const inScope = await scope.run(async () => AsyncLocalStorage.snapshot());
      storage.run('second', () => {
        note('here');
        inside('inside');
        outside('outside');
      });
      inScope(() => seen.push(CancellationScope.current() === scope));
      note('after');
    });
    await s.commands([job.start()]);
    await s.commands([job.fireTimer(1)]);
    expect(seen).toEqual([
      ['here', 'second'],
      ['inside', 'first'],
      ['outside', undefined],
      true,
      ['after', undefined],
    ]);
  });

  it('keeps a value through awaits and not beyond its run', async () => {
    const s = scenario(async () => {
      const storage = new AsyncLocalStorage<string>();
      const inside = storage.run('value', async () => {
        await condition(() => true);
        await sleep(1);
        return storage.exit(() => storage.getStore()) ?? storage.getStore();
      });
      const outside = storage.getStore() ?? 'nothing';
      return [await inside, outside];
    });
    await s.commands([job.start()]);
    expect(await s.commands([job.fireTimer(1)])).toEqual([
      { completeWorkflowExecution: { result: ['value', 'nothing'] } },
    ]);
  });
});
