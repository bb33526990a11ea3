import {
  compilePriority,
  compileRetryPolicy,
  decodePriority,
  decompileRetryPolicy,
  type RetryPolicy,
  ValueError,
} from '@perdure/common';

describe('retry policies', () => {
  it('come back from their message', () => {
    const policy: RetryPolicy = {
      backoffCoefficient: 1.5,
      initialInterval: 2000,
      maximumInterval: 60_000,
      maximumAttempts: 7,
      nonRetryableErrorTypes: ['Fatal'],
    };
    expect(decompileRetryPolicy(compileRetryPolicy(policy))).toEqual(policy);
    expect(decompileRetryPolicy(null)).toBeUndefined();
  });

  it('begin with one second unless they say otherwise', () => {
    expect(decompileRetryPolicy(compileRetryPolicy({}))).toEqual({ initialInterval: 1000 });
  });

  it('write unlimited attempts as the protocol does', () => {
    expect(compileRetryPolicy({ maximumAttempts: Number.POSITIVE_INFINITY }).maximumAttempts).toBe(0);
  });

  it('are refused with the name of the field that is wrong', () => {
    const wrong: [RetryPolicy, string][] = [
      [{ backoffCoefficient: 0.5 }, 'backoffCoefficient'],
      [{ backoffCoefficient: Number.NaN }, 'backoffCoefficient'],
      [{ maximumAttempts: 0 }, 'maximumAttempts'],
      [{ maximumAttempts: 1.5 }, 'maximumAttempts'],
      [{ maximumAttempts: 2 ** 31 }, 'maximumAttempts'],
      [{ initialInterval: 0 }, 'initialInterval'],
      [{ initialInterval: 'later' as any }, 'initialInterval'],
      [{ maximumInterval: 0 }, 'maximumInterval'],
      [{ maximumInterval: '1s', initialInterval: '2s' }, 'maximumInterval'],
      [{ nonRetryableErrorTypes: 'Fatal' as any }, 'nonRetryableErrorTypes'],
    ];
    for (const [policy, field] of wrong) {
      expect(() => compileRetryPolicy(policy)).toThrow(ValueError);
      expect(() => compileRetryPolicy(policy)).toThrow(field);
    }
  });
});

describe('priorities', () => {
  it('come back from their message, unset where they are zero or empty', () => {
    const priority = { priorityKey: 2, fairnessKey: 'tenant', fairnessWeight: 1.5 };
    expect(decodePriority(compilePriority(priority))).toEqual(priority);
    expect(decodePriority(compilePriority({}))).toEqual({});
    expect(decodePriority(null)).toEqual({});
  });

  it('are refused when the key is no positive integer', () => {
    for (const priorityKey of [-1, 0.5, Number.NaN])
      expect(() => compilePriority({ priorityKey })).toThrow(ValueError);
  });
});
