import fc from 'fast-check';
import { HandlerError } from 'nexus-rpc';
import { decodeOperationToken, encodeOperationToken, type OperationToken } from './token';

const raw = (text: string) => Buffer.from(text).toString('base64url');
const fieldsOf = (token: string) => JSON.parse(Buffer.from(token, 'base64url').toString());

describe('operation tokens', () => {
  it('have the form that other SDKs read', () => {
    const run = encodeOperationToken({ kind: 'workflow-run', namespace: 'ns', workflowId: 'w' });
    expect(run).toBe('eyJ0IjoxLCJucyI6Im5zIiwid2lkIjoidyJ9');
    expect(fieldsOf(run)).toEqual({ t: 1, ns: 'ns', wid: 'w' });
    expect(
      fieldsOf(encodeOperationToken({ kind: 'activity', namespace: 'ns', activityId: 'a', runId: 'r' })),
    ).toEqual({ t: 2, ns: 'ns', aid: 'a', rid: 'r' });
    const update = {
      kind: 'workflow-update',
      namespace: 'ns',
      workflowId: 'w',
      runId: '',
      updateId: 'u',
    } as const;
    expect(fieldsOf(encodeOperationToken(update))).toEqual({ t: 3, ns: 'ns', wid: 'w', uid: 'u' });
  });

  it('come back as they were, for any ids', () => {
    const id = fc.string({ minLength: 1, unit: 'grapheme' });
    const token: fc.Arbitrary<OperationToken> = fc.oneof(
      fc.record({ kind: fc.constant('workflow-run' as const), namespace: id, workflowId: id }),
      fc.record({
        kind: fc.constant('activity' as const),
        namespace: id,
        activityId: id,
        runId: fc.string(),
      }),
      fc.record({
        kind: fc.constant('workflow-update' as const),
        namespace: id,
        workflowId: id,
        runId: fc.string(),
        updateId: id,
      }),
    );
    fc.assert(
      fc.property(token, (given) => {
        const encoded = encodeOperationToken(given);
        expect(encoded).toMatch(/^[\w-]+$/);
        expect(decodeOperationToken(encoded)).toEqual(given);
      }),
    );
  });

  it('that are none are refused for good, with the reason', () => {
    const cases: [string, RegExp][] = [
      ['', /empty/],
      ['not-base64!@#$', /base64url/],
      [raw('no json'), /no JSON/],
      [raw('null'), /no JSON object/],
      [raw('"text"'), /no JSON object/],
      [raw('{"t":1,"ns":"n"}'), /no wid/],
      [raw('{"t":1,"wid":""}'), /no wid/],
      [raw('{"t":1,"wid":5}'), /no wid/],
      [raw('{"t":2,"ns":"n"}'), /no aid/],
      [raw('{"t":3,"wid":"w"}'), /no uid/],
      [raw('{"t":9,"wid":"w"}'), /type 9/],
      [raw('{"wid":"w"}'), /type undefined/],
      [raw('{"v":1,"t":1,"wid":"w"}'), /version 1/],
    ];
    for (const [token, why] of cases) {
      let thrown: any;
      try {
        decodeOperationToken(token);
      } catch (error) {
        thrown = error;
      }
      expect(thrown).toBeInstanceOf(HandlerError);
      expect([thrown.type, thrown.retryable, thrown.message]).toEqual([
        'BAD_REQUEST',
        false,
        expect.stringMatching(why),
      ]);
    }
    expect(decodeOperationToken(raw('{"v":0,"t":1,"wid":"w"}'))).toMatchObject({
      workflowId: 'w',
      namespace: '',
    });
  });
});
