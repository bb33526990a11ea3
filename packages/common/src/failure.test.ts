import {
  ActivityFailure,
  ApplicationFailure,
  CancelledFailure,
  CompleteAsyncError,
  createPayloadValidationError,
  ensureApplicationFailure,
  ensureTemporalFailure,
  hasCode,
  IllegalStateError,
  PayloadConverterError,
  PerdureError,
  RetryState,
  rootCause,
  TemporalFailure,
  ValueError,
} from '@perdure/common';
import { isAbortError, SymbolBasedInstanceOfError } from '@perdure/common/lib/type-helpers';

/** A second copy of the package, as a duplicate install would load it. */
function secondCopy(): typeof import('@perdure/common') {
  let copy: any;
  jest.isolateModules(() => {
    copy = require('@perdure/common');
  });
  return copy;
}

describe('instanceof', () => {
  it('holds across two copies of the package', () => {
    const other = secondCopy();
    expect(other.ApplicationFailure).not.toBe(ApplicationFailure);
    const failure = other.ApplicationFailure.create({ message: 'from the other copy' });
    expect(failure).toBeInstanceOf(ApplicationFailure);
    expect(failure).toBeInstanceOf(TemporalFailure);
    expect(failure).not.toBeInstanceOf(CancelledFailure);
    expect(new other.PayloadConverterError('m')).toBeInstanceOf(ValueError);
    expect(new other.ValueError('m')).not.toBeInstanceOf(PayloadConverterError);
  });

  it('of a subclass without a brand is that of the language', () => {
    class Mine extends ApplicationFailure {}
    expect(new Mine('m')).toBeInstanceOf(Mine);
    expect(new Mine('m')).toBeInstanceOf(TemporalFailure);
    expect(ApplicationFailure.create({})).not.toBeInstanceOf(Mine);
  });

  it('is false for everything else, hostile values included', () => {
    const hostile = new Proxy(
      {},
      {
        get: () => {
          throw new Error('hostile');
        },
      },
    );
    for (const value of [null, undefined, 1, 'x', {}, new Error('e'), hostile]) {
      expect(value instanceof TemporalFailure).toBe(false);
    }
  });

  it('can be had for own classes by a decorator', () => {
    class Own extends Error {}
    SymbolBasedInstanceOfError('OwnForTest')(Own);
    class OtherCopy extends Error {}
    SymbolBasedInstanceOfError('OwnForTest')(OtherCopy);
    expect(new OtherCopy('m')).toBeInstanceOf(Own);
    expect(new Own('m').name).toBe('OwnForTest');
  });
});

describe('names and codes', () => {
  it('are those of the class, and not own properties of failures', () => {
    const failure = ApplicationFailure.create({ message: 'm' });
    expect(failure.name).toBe('ApplicationFailure');
    expect(failure.stack).toMatch(/^ApplicationFailure: m|^Error: m/);
    expect(hasCode(failure, 'APPLICATION_FAILURE')).toBe(true);
    expect(Object.keys(failure)).not.toContain('code');
  });

  it('tell errors apart without instanceof', () => {
    expect(hasCode(new ValueError('v'), 'VALUE_INVALID')).toBe(true);
    expect(hasCode(new PayloadConverterError('v'), 'PAYLOAD_CONVERTER_INVALID')).toBe(true);
    expect(hasCode(new IllegalStateError('s'), 'ILLEGAL_STATE')).toBe(true);
    expect(hasCode(new CompleteAsyncError(), 'ACTIVITY_COMPLETES_ASYNC')).toBe(true);
    expect(hasCode(null, 'ILLEGAL_STATE')).toBe(false);
    expect(hasCode(new Error('e'), 'ILLEGAL_STATE')).toBe(false);
  });

  it('come with a hint and a cause where there are any', () => {
    const cause = new Error('why');
    const error = new ValueError('v', cause, 'do something else');
    expect(error).toBeInstanceOf(PerdureError);
    expect([error.cause, error.hint]).toEqual([cause, 'do something else']);
    expect('hint' in new ValueError('v')).toBe(false);
  });
});

describe('wrapping', () => {
  it('keeps failures and wraps everything else, with its type, stack and cause', () => {
    const failure = new CancelledFailure('c');
    expect(ensureTemporalFailure(failure)).toBe(failure);
    const cause = new Error('cause');
    const error = new RangeError('r', { cause });
    expect(ensureTemporalFailure(error)).toMatchObject({
      message: 'r',
      type: 'RangeError',
      stack: error.stack,
      cause,
    });
    expect(ensureApplicationFailure('text')).toMatchObject({ message: 'text', nonRetryable: false });
    expect(ensureApplicationFailure({ message: 'odd', name: 'Odd' })).toMatchObject({
      message: 'odd',
      type: 'Odd',
    });
    expect(ensureApplicationFailure(null)).toMatchObject({ message: 'null', type: 'Error' });
  });

  it('takes what the overrides say before what the error says', () => {
    const error = new TypeError('t');
    expect(ApplicationFailure.fromError(error)).toMatchObject({
      message: 't',
      type: 'TypeError',
      cause: error,
    });
    expect(
      ApplicationFailure.fromError(error, {
        message: 'other',
        type: 'T',
        nonRetryable: true,
        nextRetryDelay: '1s',
      }),
    ).toMatchObject({ message: 'other', type: 'T', nonRetryable: true, nextRetryDelay: '1s' });
  });

  it('gives refused payloads a failure that is not retried', () => {
    expect(createPayloadValidationError({ field: 'a' })).toMatchObject({
      nonRetryable: true,
      details: [{ field: 'a' }],
    });
  });
});

describe('rootCause', () => {
  it('is the message of the innermost cause', () => {
    const inner = ApplicationFailure.create({ message: 'innermost' });
    expect(rootCause(new ActivityFailure('a', 't', '1', RetryState.TIMEOUT, 'me', inner))).toBe('innermost');
    expect(rootCause(new Error('plain'))).toBe('plain');
    expect(rootCause('a text')).toBe('a text');
    expect(rootCause({ message: 'no error' })).toBeUndefined();
    const loop: any = ApplicationFailure.create({ message: 'loop' });
    loop.cause = loop;
    expect(rootCause(loop)).toBe('loop');
  });
});

describe('isAbortError', () => {
  it('knows the error of an aborted signal', () => {
    const controller = new AbortController();
    controller.abort();
    expect(isAbortError(controller.signal.reason)).toBe(true);
    expect(isAbortError(new Error('e'))).toBe(false);
  });
});
