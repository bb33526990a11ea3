import vm from 'node:vm';
import {
  ActivityFailure,
  ApplicationFailure,
  ApplicationFailureCategory,
  CancelledFailure,
  ChildWorkflowFailure,
  cutoffStackTrace,
  DefaultFailureConverter,
  defaultFailureConverter,
  defaultPayloadConverter,
  NexusOperationFailure,
  type ProtoFailure,
  RetryState,
  ServerFailure,
  TemporalFailure,
  TerminatedFailure,
  TimeoutFailure,
  TimeoutType,
} from '@perdure/common';
import { Failure } from '@perdure/proto/temporal/api/failure/v1/message';
import * as fc from 'fast-check';
import { HandlerError, HandlerErrorType } from 'nexus-rpc';

/** Over the wire and back, as the receiver of a failure sees it. */
function overTheWire(error: unknown, converter = defaultFailureConverter): any {
  const bytes = Failure.encode(converter.errorToFailure(error, defaultPayloadConverter)).finish();
  return converter.failureToError(Failure.decode(bytes), defaultPayloadConverter);
}

const toFailure = (error: unknown): ProtoFailure =>
  defaultFailureConverter.errorToFailure(error, defaultPayloadConverter);

describe('failures', () => {
  it('come back over the wire as they were', () => {
    const cause = new Error('cause');
    const all: TemporalFailure[] = [
      new ApplicationFailure(
        'm',
        'Kind',
        true,
        [1, { a: [null] }],
        cause,
        1500,
        ApplicationFailureCategory.BENIGN,
      ),
      new ActivityFailure('m', 'greet', '7', RetryState.MAXIMUM_ATTEMPTS_REACHED, 'me@here', cause),
      new ChildWorkflowFailure('ns', { workflowId: 'w', runId: 'r' }, 'child', RetryState.TIMEOUT, cause),
      new NexusOperationFailure('m', 12, 'endpoint', 'service', 'operation', 'token', cause),
      new CancelledFailure('m', ['why'], cause),
      new TimeoutFailure('m', { progress: 3 }, TimeoutType.HEARTBEAT),
      new TerminatedFailure('m', cause),
      new ServerFailure('m', true, cause),
      new TemporalFailure('m', cause),
    ];
    for (const failure of all) {
      const back = overTheWire(failure);
      expect(back).toBeInstanceOf(failure.constructor);
      const { failure: _own, stack, cause: ownCause, ...fields } = failure as any;
      expect(back).toMatchObject(fields);
      expect(back.message).toBe(failure.message);
      expect(back.stack).toBe(cutoffStackTrace(stack));
      if (ownCause !== undefined) {
        expect(back.cause).toBeInstanceOf(ApplicationFailure);
        expect(back.cause).toMatchObject({ message: 'cause', type: 'Error', nonRetryable: false });
      }
    }
  });

  it('of the application come back with any details', () => {
    fc.assert(
      fc.property(
        fc.record({
          message: fc.string(),
          type: fc.string(),
          nonRetryable: fc.boolean(),
          details: fc.array(fc.jsonValue()),
          nextRetryDelay: fc.option(fc.nat(1_000_000), { nil: undefined }),
        }),
        (options) => {
          const back = overTheWire(ApplicationFailure.create(options));
          const json = JSON.parse(JSON.stringify(options.details));
          // The wire has no text other than the empty one for a type that is not there.
          expect(back).toMatchObject({ ...options, type: options.type || undefined, details: json });
        },
      ),
    );
  });

  it('that were received go on as they came', () => {
    const received: ProtoFailure = { message: 'from Go', source: 'GoSDK', activityFailureInfo: {} };
    const error = defaultFailureConverter.failureToError(received, defaultPayloadConverter);
    expect(toFailure(error)).toBe(received);
    expect(toFailure(ApplicationFailure.create({ cause: error })).cause).toBe(received);
  });

  it('of unknown kinds and enum members are still failures', () => {
    const decode = (failure: ProtoFailure) =>
      defaultFailureConverter.failureToError(failure, defaultPayloadConverter);
    expect(decode({})).toBeInstanceOf(TemporalFailure);
    expect(decode({ activityFailureInfo: { retryState: 99 as any } })).toMatchObject({
      retryState: undefined,
    });
    expect(decode({ timeoutFailureInfo: { timeoutType: 99 as any } })).toMatchObject({
      timeoutType: undefined,
    });
    expect(decode({ resetWorkflowFailureInfo: {} })).toBeInstanceOf(ApplicationFailure);
  });
});

describe('answers of Nexus handlers', () => {
  const decode = (failure: ProtoFailure) =>
    defaultFailureConverter.failureToError(failure, defaultPayloadConverter) as HandlerError;

  it('are handler errors of nexus-rpc', () => {
    const error = decode({
      message: 'm',
      nexusHandlerFailureInfo: { type: 'UNAVAILABLE', retryBehavior: 2 },
      cause: { message: 'c', applicationFailureInfo: { type: 'T' } },
    });
    expect(error).toBeInstanceOf(HandlerError);
    expect(error).not.toBeInstanceOf(TemporalFailure);
    expect([error.name, error.message, error.type, error.retryable]).toEqual([
      'HandlerError',
      'm',
      'UNAVAILABLE',
      false,
    ]);
    expect(error.cause).toMatchObject({ message: 'c', type: 'T' });
    expect(decode({ nexusHandlerFailureInfo: { type: 'NOT_FOUND' } })).toMatchObject({
      type: 'NOT_FOUND',
      retryable: false,
      retryableOverride: undefined,
      message: 'Handler error: NOT_FOUND',
    });
    expect(decode({ nexusHandlerFailureInfo: { type: 'TEAPOT' } })).toMatchObject({
      type: 'UNKNOWN',
      rawErrorType: 'TEAPOT',
      retryable: true,
    });
  });

  it('agree with nexus-rpc on what may be repeated', () => {
    for (const type of Object.values(HandlerErrorType)) {
      const decoded = decode({ nexusHandlerFailureInfo: { type } });
      expect([type, decoded.type, decoded.retryable]).toEqual([type, type, new HandlerError(type).retryable]);
    }
  });

  it('go on as they came, and those made by nexus-rpc are sent as such', () => {
    const made = new HandlerError('CONFLICT', 'm', { retryableOverride: true, cause: new Error('c') });
    for (const error of [
      made,
      decode({ message: 'm', nexusHandlerFailureInfo: { type: 'CONFLICT', retryBehavior: 1 } }),
    ]) {
      const failure = defaultFailureConverter.errorToFailure(error, defaultPayloadConverter);
      expect(failure).toMatchObject({
        message: 'm',
        nexusHandlerFailureInfo: { type: 'CONFLICT', retryBehavior: 1 },
      });
      expect(failure.applicationFailureInfo).toBeUndefined();
    }
  });
});

describe('errors of other kinds', () => {
  it('become application failures of their type', () => {
    class OutOfStock extends Error {}
    class Named extends Error {
      override name = 'ChosenName';
    }
    expect(toFailure(new TypeError('t')).applicationFailureInfo!.type).toBe('TypeError');
    expect(toFailure(new OutOfStock('o')).applicationFailureInfo!.type).toBe('OutOfStock');
    expect(toFailure(new Named('n')).applicationFailureInfo!.type).toBe('ChosenName');
    expect(toFailure(vm.runInNewContext('new RangeError("r")'))).toMatchObject({
      message: 'r',
      applicationFailureInfo: { type: 'RangeError' },
    });
  });

  it('are converted whatever was thrown', () => {
    const revoked = Proxy.revocable({}, {});
    revoked.revoke();
    const loop: any = { name: 'loop' };
    loop.self = loop;
    const throwing = {
      get message(): string {
        throw null;
      },
      get stack(): string {
        throw new Error();
      },
      get cause(): unknown {
        throw 'cause';
      },
      get constructor(): never {
        throw new Error();
      },
      toString() {
        throw new Error();
      },
    };
    const wrongTypes = Object.assign(new Error('e'), {
      message: 7,
      stack: {},
      name: Symbol('name'),
      cause: 5,
    });
    const bare = Object.create(null);
    for (const thrown of [
      null,
      undefined,
      'text',
      7,
      7n,
      Symbol('s'),
      () => {},
      [],
      bare,
      loop,
      throwing,
      wrongTypes,
      revoked.proxy,
    ]) {
      const failure = toFailure(thrown);
      expect(typeof failure.message).toBe('string');
      expect(typeof failure.stackTrace).toBe('string');
      expect(typeof failure.applicationFailureInfo!.type).toBe('string');
      // the wire takes it
      expect(Failure.decode(Failure.encode(failure).finish()).message).toBe(failure.message);
    }
    expect(toFailure('text').message).toBe('text');
    expect(toFailure({ a: 1 }).message).toBe('{"a":1}');
    expect(toFailure(null).message).toBe('null');
  });

  it('with a looping cause chain are cut where it loops', () => {
    const first: any = new Error('first');
    const second: any = new Error('second');
    first.cause = second;
    second.cause = first;
    const failure = toFailure(first);
    expect(failure.cause!.message).toBe('second');
    expect(failure.cause!.cause).toBeUndefined();
    const self: any = ApplicationFailure.create({ message: 'self' });
    self.cause = self;
    expect(toFailure(self).cause).toBeUndefined();
  });

  it('with an endless cause chain are cut, and what is left can be read', () => {
    class Endless extends Error {
      override get cause(): Error {
        return new Endless('again');
      }
    }
    const bytes = Failure.encode(toFailure(new Endless('first'))).finish();
    let depth = 0;
    for (let at: ProtoFailure | undefined = Failure.decode(bytes); at; at = at.cause) depth++;
    expect(depth).toBeGreaterThan(10);
    expect(depth).toBeLessThanOrEqual(51);
  });

  it('lose only the details that cannot be converted', () => {
    const back = overTheWire(ApplicationFailure.nonRetryable('m', 'T', 'fine', 1n, { ok: true }));
    expect(back.details[0]).toBe('fine');
    expect(back.details[1]).toMatch(/could not be converted.*BigInt/);
    expect(back.details[2]).toEqual({ ok: true });
  });

  it('lose enum values and delays that mean nothing', () => {
    const hostile = new ApplicationFailure('m', 'T', false, [], undefined, 'soon' as any, 'MALIGN' as any);
    expect(toFailure(hostile).applicationFailureInfo).toMatchObject({
      nextRetryDelay: undefined,
      category: undefined,
    });
  });
});

describe('encoded common attributes', () => {
  const encoding = new DefaultFailureConverter({ encodeCommonAttributes: true });

  it('hide message and stack of the whole chain, and come back', () => {
    const error = ApplicationFailure.create({ message: 'secret', cause: new Error('deeper secret') });
    const failure = encoding.errorToFailure(error, defaultPayloadConverter);
    expect([failure.message, failure.stackTrace]).toEqual(['Encoded failure', '']);
    expect([failure.cause!.message, failure.cause!.stackTrace]).toEqual(['Encoded failure', '']);
    const back = overTheWire(error, encoding);
    expect(back.message).toBe('secret');
    expect(back.stack).toBe(cutoffStackTrace(error.stack));
    expect(back.cause.message).toBe('deeper secret');
  });

  it('that cannot be decoded leave the failure as it is', () => {
    const failure = { message: 'Encoded failure', encodedAttributes: { data: new Uint8Array(1) } };
    const error = defaultFailureConverter.failureToError(failure, defaultPayloadConverter);
    expect(error.message).toBe('Encoded failure');
  });
});

describe('stack traces', () => {
  it('end where the SDK called user code', () => {
    const stack = [
      'ApplicationFailure: m',
      '    at Function.nonRetryable (/app/node_modules/@perdure/common/lib/failure.js:1:1)',
      '    at greet (/app/src/activities.ts:3:9)',
      '    at /app/src/helper.ts:5:1',
      '    at Runner.run (/app/node_modules/@perdure/activity/lib/runner.js:10:1)',
      '    at process.processTicksAndRejections (node:internal/process/task_queues:95:5)',
    ];
    expect(cutoffStackTrace(stack.join('\n'))).toBe(stack.slice(0, 4).join('\n'));
    const realm = ['Error: m', '    at workflow (/app/src/workflows.ts:3:9)', '    at perdure:runtime:10:1'];
    expect(cutoffStackTrace(realm.join('\n'))).toBe(realm.slice(0, 2).join('\n'));
    expect(cutoffStackTrace(undefined)).toBe('');
  });
});
