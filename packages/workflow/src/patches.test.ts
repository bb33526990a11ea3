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
