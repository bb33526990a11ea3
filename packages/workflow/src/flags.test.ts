import { hasFlag, learnFlags, SdkFlag } from './flags';
import { createHistoryRun } from './testing/flags';

/** Flags of our own begin here; none is in use, so the tests make one up. */
const OURS = 1001 as SdkFlag;

describe('a flag of our own', () => {
  it('turns on when it is first asked for, once, and is reported', () => {
    const run = createHistoryRun({ replaying: false });
    expect([hasFlag(run, OURS), hasFlag(run, OURS)]).toEqual([true, true]);
    expect(run.flags).toEqual([1001]);
  });

  it('stays off on replay of a history from before it, and is not reported', () => {
    const run = createHistoryRun({ replaying: true });
    expect(hasFlag(run, OURS)).toBe(false);
    expect(run.flags).toEqual([]);
  });

  it('stays off in the histories of every SDK version that is known to have recorded none', () => {
    for (const lastSdkVersion of ['1.11.0', '1.11.1', '1.24.0']) {
      const run = createHistoryRun({ replaying: true, lastSdkVersion });
      expect(hasFlag(run, OURS)).toBe(false);
    }
  });

  it('is on on replay once the history has said so, whatever is asked before', () => {
    const run = createHistoryRun({ replaying: true });
    expect(hasFlag(run, OURS)).toBe(false);
    learnFlags(run, [1001, 1001]);
    expect(hasFlag(run, OURS)).toBe(true);
    expect(run.flags).toEqual([1001]);
  });

  it('turns on in the part of a run that is new, and stays on', () => {
    const run = createHistoryRun({ replaying: true });
    expect(hasFlag(run, OURS)).toBe(false);
    run.replaying = false;
    expect(hasFlag(run, OURS)).toBe(true);
    run.replaying = true;
    expect(hasFlag(run, OURS)).toBe(true);
  });
});

it('the two flags of the official SDK are on for the versions that had them and did not say so', () => {
  const flags = [SdkFlag.ShieldedScopes, SdkFlag.SingleBatch];
  const on = (facts: object) =>
    flags.map((flag) => hasFlag(createHistoryRun({ replaying: true, ...facts }), flag));
  expect(on({ lastSdkVersion: '1.11.0' })).toEqual([true, true]);
  expect(on({ lastSdkVersion: '1.11.1' })).toEqual([true, true]);
  expect(on({ buildId: '@temporalio/worker@1.11.1+abc' })).toEqual([true, true]);
  expect(on({ lastSdkVersion: '1.10.0' })).toEqual([false, false]);
  expect(on({ lastSdkVersion: '1.11.2' })).toEqual([false, false]);
});
