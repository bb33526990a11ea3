import { enableSessions } from './plugin';

it('takes whole numbers of at least 1 for its limits', () => {
  for (const wrong of [0, -1, 1.5, Number.NaN, '3']) {
    expect(() => enableSessions({ maxConcurrentSessions: wrong as number })).toThrow(
      /^maxConcurrentSessions: got/,
    );
    expect(() => enableSessions({ maxConcurrentSessionActivities: wrong as number })).toThrow(/at least 1/);
  }
});

it('names each host differently unless it is told the name', () => {
  expect(enableSessions().resourceId).not.toBe(enableSessions().resourceId);
  expect(enableSessions({ resourceId: 'disk-7' }).resourceId).toBe('disk-7');
  expect(enableSessions().sessions).toEqual([]);
});
