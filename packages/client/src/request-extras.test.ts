import { extendedService, type RequestExtras, withRequestExtras } from './request-extras';

const service = (fail?: () => boolean) => {
  const asked: unknown[] = [];
  const answer = (method: string) => async (request: object) => {
    asked.push([method, request]);
    if (fail?.()) throw new Error('refused');
    return { from: method };
  };
  return { asked, start: answer('start'), signal: answer('signal') };
};

const extras = (onResponse?: (response: unknown) => void): RequestExtras => ({
  method: 'start',
  matches: ({ id }) => id === 'mine',
  extend: (request) => ({ ...request, extra: true }),
  onResponse,
});

describe('extras of a request', () => {
  it('reach the first request they are made for, and nothing else', async () => {
    const real = service();
    const responses: unknown[] = [];
    await withRequestExtras(
      extras((response) => responses.push(response)),
      async () => {
        const extended = extendedService(real);
        await extended.signal({ id: 'mine' });
        await extended.start({ id: 'other' });
        expect(await extended.start({ id: 'mine' })).toEqual({ from: 'start' });
        await extended.start({ id: 'mine' });
        await extendedService(real).start({ id: 'mine' });
      },
    );
    expect(real.asked).toEqual([
      ['signal', { id: 'mine' }],
      ['start', { id: 'other' }],
      ['start', { id: 'mine', extra: true }],
      ['start', { id: 'mine' }],
      ['start', { id: 'mine' }],
    ]);
    expect(responses).toEqual([{ from: 'start' }]);
  });

  it('are there again when the request has failed', async () => {
    let failures = 1;
    const real = service(() => failures-- > 0);
    await withRequestExtras(extras(), async () => {
      await expect(extendedService(real).start({ id: 'mine' })).rejects.toThrow('refused');
      await extendedService(real).start({ id: 'mine' });
    });
    expect(real.asked).toEqual(Array(2).fill(['start', { id: 'mine', extra: true }]));
  });

  it('do not leave their scope', async () => {
    const real = service();
    await withRequestExtras(extras(), async () => undefined);
    expect(extendedService(real)).toBe(real);
    await extendedService(real).start({ id: 'mine' });
    expect(real.asked).toEqual([['start', { id: 'mine' }]]);
  });
});
