import { deprecatePatch, patched, sleep } from './index';
import { job, scenario } from './testing/scenario';

const marker = (patchId: string, more: object = {}) => ({ setPatchMarker: { patchId, ...more } });
const done = (result: unknown) => ({ completeWorkflowExecution: { result } });

describe('patched', () => {
  it('is true outside replay, and records the patch once', async () => {
    const s = scenario(async () => [patched('p'), patched('p'), patched('q')]);
    expect(await s.commands([job.start()])).toEqual([marker('p'), marker('q'), done([true, true, true])]);
  });

  it('is false on replay of a history without the patch', async () => {
    const s = scenario(async () => patched('p'));
    expect(await s.commands([job.start()], { isReplaying: true })).toEqual([done(false)]);
  });

  it('is true on replay of a history that has the patch, wherever the job stands', async () => {
    const s = scenario(async () => patched('p'));
    expect(await s.commands([job.start(), job.patch('p')], { isReplaying: true })).toEqual([
      marker('p'),
      done(true),
    ]);
  });

  it('first asked for after replay has ended is true', async () => {
    const s = scenario(async () => {
      await sleep(1);
      return patched('p');
    });
    await s.commands([job.start()], { isReplaying: true });
    expect(await s.commands([job.fireTimer(1)])).toEqual([marker('p'), done(true)]);
  });

  it('told of during the run is true from then on', async () => {
    const s = scenario(async () => {
      const before = patched('p');
      await sleep(1);
      return [before, patched('p')];
    });
    await s.commands([job.start()], { isReplaying: true });
    expect(await s.commands([job.patch('p'), job.fireTimer(1)], { isReplaying: true })).toEqual([
      marker('p'),
      done([false, true]),
    ]);
  });
});

describe('deprecatePatch', () => {
  it('records the patch as deprecated', async () => {
    const s = scenario(async () => deprecatePatch('p'));
    expect((await s.commands([job.start()]))[0]).toEqual(marker('p', { deprecated: true }));
  });

  it('records nothing on replay of a history without the patch', async () => {
    const s = scenario(async () => deprecatePatch('p'));
    expect(await s.commands([job.start()], { isReplaying: true })).toEqual([
      { completeWorkflowExecution: {} },
    ]);
  });
});

describe('a worker that decides about patches', () => {
  const asking = (answer: string) => {
    const asked: unknown[] = [];
    const decidePatch = (patchId: string, info: any) => {
      asked.push([patchId, info.workflowType]);
      return answer;
    };
    return { asked, decidePatch };
  };

  it('is asked once, and a patch it declines leaves no marker', async () => {
    const { asked, decidePatch } = asking('no');
    const s = scenario(
      async () => {
        const first = patched('p');
        await sleep(1);
        return [first, patched('p')];
      },
      { decidePatch },
    );
    await s.commands([job.start()]);
    expect(await s.commands([job.fireTimer(1)])).toEqual([done([false, false])]);
    expect(asked).toEqual([['p', expect.any(String)]]);
  });

  it('is asked once about a patch that it accepts', async () => {
    const { asked, decidePatch } = asking('yes');
    const s = scenario(async () => [patched('p'), patched('p')], { decidePatch });
    expect(await s.commands([job.start()])).toEqual([marker('p'), done([true, true])]);
    expect(asked).toHaveLength(1);
  });

  it('is not asked during replay, about patches that history knows, or about deprecated ones', async () => {
    const { asked, decidePatch } = asking('no');
    const s = scenario(
      async () => {
        const replayed = patched('old');
        deprecatePatch('known');
        await sleep(1);
        deprecatePatch('new');
        return [replayed, patched('known'), patched('new')];
      },
      { decidePatch },
    );
    await s.commands([job.start(), job.patch('known')], { isReplaying: true });
    expect(await s.commands([job.fireTimer(1)])).toEqual([
      marker('new', { deprecated: true }),
      done([false, true, true]),
    ]);
    expect(asked).toEqual([]);
  });

  it('that throws fails the task with its text', async () => {
    const s = scenario(async () => patched('p'), { decidePatch: () => 'error: RangeError: too far' });
    expect((await s.activate([job.start()])).failed).toBe(
      'patchActivationCallback failed: RangeError: too far',
    );
  });
});
