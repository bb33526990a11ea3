import { CancellationScope, condition, defineSignal, setHandler, sleep } from './index';
import { job, scenario } from './testing/scenario';

const go = defineSignal('go');

describe('condition', () => {
  it('resolves at once when it holds already', async () => {
    const s = scenario(async () => {
      await condition(() => true);
      return 1;
    });
    expect(await s.commands([job.start()])).toEqual([{ completeWorkflowExecution: { result: 1 } }]);
  });

  it('resolves when a job makes it hold', async () => {
    const s = scenario(async () => {
      let went = false;
      setHandler(go, () => {
        went = true;
      });
      await condition(() => went);
      return 'went';
    });
    expect(await s.commands([job.start()])).toEqual([]);
    expect(await s.commands([job.signal('go')])).toEqual([{ completeWorkflowExecution: { result: 'went' } }]);
  });

  it('resolves when another condition makes it hold, in the same activation', async () => {
    const s = scenario(async () => {
      let step = 0;
      setHandler(go, () => {
        step = 1;
      });
      const third = condition(() => step === 3).then(() => 'third');
      const second = condition(() => step === 2).then(() => {
        step = 3;
      });
      await condition(() => step === 1);
      step = 2;
      await second;
      return third;
    });
    await s.commands([job.start()]);
    expect(await s.commands([job.signal('go')])).toEqual([
      { completeWorkflowExecution: { result: 'third' } },
    ]);
  });

  it('with a timeout gives true and cancels the timer when it holds in time', async () => {
    const s = scenario(async () => {
      let went = false;
      setHandler(go, () => {
        went = true;
      });
      return condition(() => went, '1 minute', { summary: 'patience' });
    });
    expect(await s.commands([job.start()])).toEqual([
      { startTimer: { seq: 1, startToFireTimeout: 60_000 }, userMetadata: { summary: 'patience' } },
    ]);
    expect(await s.commands([job.signal('go')])).toEqual([
      { cancelTimer: { seq: 1 } },
      { completeWorkflowExecution: { result: true } },
    ]);
  });

  it('with a timeout gives false when the time is over', async () => {
    const s = scenario(() => condition(() => false, 5));
    await s.commands([job.start()]);
    expect(await s.commands([job.fireTimer(1)])).toEqual([{ completeWorkflowExecution: { result: false } }]);
  });

  it('with a timeout starts and cancels the timer even when it holds at once', async () => {
    const s = scenario(() => condition(() => true, 5));
    expect(await s.commands([job.start()])).toEqual([
      { startTimer: { seq: 1, startToFireTimeout: 5 } },
      { cancelTimer: { seq: 1 } },
      { completeWorkflowExecution: { result: true } },
    ]);
  });

  it('with a timeout of 0 is over after the shortest timer, as histories since the patch have it', async () => {
    const s = scenario(() => condition(() => false, 0));
    expect(await s.commands([job.start()])).toEqual([
      { setPatchMarker: { patchId: '__sdk_internal_patch_number:1' } },
      { startTimer: { seq: 1, startToFireTimeout: 1 } },
    ]);
  });

  it('with a timeout of 0 waits for ever when a history without the patch is replayed', async () => {
    const s = scenario(() => condition(() => false, 0));
    expect(await s.commands([job.start()], { isReplaying: true })).toEqual([]);
  });

  it('without a timeout, or with null for one, starts no timer', async () => {
    for (const timeout of [undefined, null]) {
      const s = scenario(() => condition(() => false, timeout as never));
      expect(await s.commands([job.start()])).toEqual([]);
    }
  });

  it('rejects when its scope is cancelled', async () => {
    const s = scenario(async () => {
      const scope = new CancellationScope();
      const waits = scope.run(() => condition(() => false));
      await sleep(1);
      scope.cancel();
      return waits.then(
        () => 'held',
        (error: Error) => error.message,
      );
    });
    await s.commands([job.start()]);
    expect(await s.commands([job.fireTimer(1)])).toEqual([
      { completeWorkflowExecution: { result: 'Cancellation scope cancelled' } },
    ]);
  });

  it('rejects with what its predicate throws at once, and fails the task for what it throws later', async () => {
    const s = scenario(async () => {
      let bad = false;
      setHandler(go, () => {
        bad = true;
      });
      await condition(() => {
        throw new Error('now');
      }).catch((error: Error) => error.message);
      await condition(() => {
        if (bad) throw new Error('later');
        return false;
      });
    });
    await s.commands([job.start()]);
    expect((await s.activate([job.signal('go')])).failed).toBe('later');
  });
});
