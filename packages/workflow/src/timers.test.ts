import { CancelledFailure } from '@perdure/common';
import { CancellationScope, isCancellation, sleep } from './index';
import { job, scenario } from './testing/scenario';
import { clearTimeout, setTimeout } from './timers';

const timer = (seq: number, ms: number) => ({ startTimer: { seq, startToFireTimeout: ms } });

describe('sleep', () => {
  it('starts a timer and goes on when it fires', async () => {
    const s = scenario(async () => {
      await sleep('2 seconds');
      return 'awake';
    });
    expect(await s.commands([job.start()])).toEqual([timer(1, 2000)]);
    expect(await s.commands([job.fireTimer(1)])).toEqual([
      { completeWorkflowExecution: { result: 'awake' } },
    ]);
  });

  it('lasts at least one millisecond', async () => {
    const s = scenario(async () => {
      await Promise.all([sleep(0), sleep(-5)]);
    });
    expect(await s.commands([job.start()])).toEqual([timer(1, 1), timer(2, 1)]);
  });

  it('carries its summary', async () => {
    const s = scenario(() => sleep(10, { summary: 'a nap' }));
    expect(await s.commands([job.start()])).toEqual([
      { ...timer(1, 10), userMetadata: { summary: 'a nap' } },
    ]);
  });

  it('rejects a duration that is none, without using up a number', async () => {
    const s = scenario(async () => {
      await (sleep as any)('soon').catch(() => undefined);
    });
    const outcome = await s.activate([job.start()]);
    expect(outcome.failed).toMatch(/soon/);
  });

  it('rejects and cancels the timer when its scope is cancelled', async () => {
    const s = scenario(async () => {
      const scope = new CancellationScope();
      const nap = scope.run(() => sleep(1000));
      await sleep(10);
      scope.cancel();
      try {
        await nap;
        return 'slept';
      } catch (error) {
        return [error instanceof CancelledFailure, isCancellation(error)];
      }
    });
    expect(await s.commands([job.start()])).toEqual([timer(1, 1000), timer(2, 10)]);
    expect(await s.commands([job.fireTimer(2)])).toEqual([
      { cancelTimer: { seq: 1 } },
      { completeWorkflowExecution: { result: [true, true] } },
    ]);
  });

  it('does not cancel a timer that fired in the same activation', async () => {
    const s = scenario(async () => {
      const scope = new CancellationScope();
      const nap = scope.run(() => sleep(1000));
      await sleep(10);
      scope.cancel();
      await nap;
      return 'slept';
    });
    await s.commands([job.start()]);
    expect(await s.commands([job.fireTimer(2), job.fireTimer(1)])).toEqual([
      { completeWorkflowExecution: { result: 'slept' } },
    ]);
  });

  it('in a scope that is cancelled already rejects without a command but uses up its number', async () => {
    const s = scenario(async () => {
      const scope = new CancellationScope();
      scope.cancel();
      await scope.run(() => sleep(5)).catch(() => undefined);
      await sleep(7);
    });
    expect(await s.commands([job.start()])).toEqual([timer(2, 7)]);
  });

  it('ignores a timer that fires twice', async () => {
    const s = scenario(async () => {
      await sleep(1);
      await sleep(2);
    });
    await s.commands([job.start()]);
    expect(await s.commands([job.fireTimer(1)])).toEqual([timer(2, 2)]);
    expect(await s.commands([job.fireTimer(1)])).toEqual([]);
  });
});

describe('setTimeout', () => {
  it('calls back with its arguments when the timer fires', async () => {
    const s = scenario(
      () =>
        new Promise((resolve) => {
          setTimeout((a: number, b: number) => resolve(a + b), 5, 1, 2);
        }),
    );
    expect(await s.commands([job.start()])).toEqual([timer(1, 5)]);
    expect(await s.commands([job.fireTimer(1)])).toEqual([{ completeWorkflowExecution: { result: 3 } }]);
  });

  it('treats a missing or negative time, or none that is a number, as one millisecond', async () => {
    const s = scenario(async () => {
      setTimeout(() => undefined);
      setTimeout(() => undefined, -1);
      setTimeout(() => undefined, Number.NaN);
      await sleep(9);
    });
    expect(await s.commands([job.start()])).toEqual([timer(1, 1), timer(2, 1), timer(3, 1), timer(4, 9)]);
  });

  it('is cancelled by clearTimeout after what the same code emits at once', async () => {
    const s = scenario(async () => {
      const handle = setTimeout(() => undefined, 5);
      clearTimeout(handle);
      await sleep(9);
    });
    expect(await s.commands([job.start()])).toEqual([timer(1, 5), timer(2, 9), { cancelTimer: { seq: 1 } }]);
  });

  it('is not disturbed by clearing handles that are unknown or spent', async () => {
    const s = scenario(async () => {
      const handle = setTimeout(() => undefined, 5);
      clearTimeout(99);
      clearTimeout(undefined);
      await sleep(9);
      clearTimeout(handle);
      await sleep(8);
    });
    await s.commands([job.start()]);
    expect(await s.commands([job.fireTimer(1)])).toEqual([]);
    expect(await s.commands([job.fireTimer(2)])).toEqual([timer(4, 8)]); // a number was used up, as in histories
  });

  it('belongs to its run: others with the same number keep theirs', async () => {
    const wf = async () => {
      const handle = setTimeout(() => undefined, 5);
      await sleep(9);
      clearTimeout(handle);
      await sleep(8);
    };
    const runs = [scenario(wf), scenario(wf)];
    for (const s of runs) await s.commands([job.start()]);
    for (const s of runs) {
      expect(await s.commands([job.fireTimer(2)])).toEqual([timer(3, 8), { cancelTimer: { seq: 1 } }]);
    }
  });

  it('fails the task when the callback throws', async () => {
    const s = scenario(async () => {
      setTimeout(() => {
        throw new Error('oops in callback');
      }, 5);
      await sleep(9);
    });
    await s.commands([job.start()]);
    expect((await s.activate([job.fireTimer(1)])).failed).toBe('oops in callback');
  });

  it('in histories older than scopes for it is cancelled by clearTimeout only, which uses up a number', async () => {
    const s = scenario(async () => {
      clearTimeout(setTimeout(() => undefined, 5));
      await sleep(9);
    });
    expect(await s.commands([job.start()], { isReplaying: true })).toEqual([
      timer(1, 5),
      { cancelTimer: { seq: 1 } },
      timer(3, 9),
    ]);
  });

  it('in histories older than scopes for it fires in spite of a cancelled workflow', async () => {
    const s = scenario(() => new Promise((resolve) => setTimeout(() => resolve('called'), 5)));
    const facts = { isReplaying: true };
    await s.commands([job.start()], facts);
    expect(await s.commands([job.cancel()], facts)).toEqual([]);
    expect(await s.commands([job.fireTimer(1)], facts)).toEqual([
      { completeWorkflowExecution: { result: 'called' } },
    ]);
  });
});
