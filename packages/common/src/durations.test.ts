import { type Duration, InvalidDurationError } from '@perdure/common';
import { durationToMs } from '@perdure/common/lib/durations';
import {
  msNumberToTs,
  msToTs,
  optionalDateToTs,
  optionalTsToDate,
  requiredTsToMs,
  tsToDate,
  tsToMs,
} from '@perdure/common/lib/time';
import * as fc from 'fast-check';
import Long from 'long';

describe('durations', () => {
  it('are numbers of milliseconds or texts with a unit', () => {
    const table: [Duration, number][] = [
      [0, 0],
      [1.5, 1.5],
      ['100', 100],
      ['1s', 1000],
      ['1.5h', 5_400_000],
      ['.5 seconds', 500],
      ['-3 min', -180_000],
      ['2 days', 172_800_000],
      ['1 WEEK', 604_800_000],
      ['1y', 31_557_600_000],
      ['53 msecs', 53],
      ['7m', 420_000],
      ['7 Milliseconds', 7],
      ['1 hr', 3_600_000],
    ];
    for (const [duration, millis] of table) expect(durationToMs(duration)).toBe(millis);
  });

  it('are refused with the name of the option when they cannot be read', () => {
    for (const bad of [
      '',
      'soon',
      '1 fortnight',
      '1 s s',
      'x'.repeat(101),
      Number.NaN,
      Infinity,
      null,
      {},
      [],
      '١s',
    ]) {
      expect(() => durationToMs(bad as any, 'startToCloseTimeout')).toThrow(InvalidDurationError);
      expect(() => durationToMs(bad as any, 'startToCloseTimeout')).toThrow('startToCloseTimeout');
    }
  });

  it('come back from their message to the millisecond', () => {
    fc.assert(
      fc.property(fc.integer({ min: -(2 ** 45), max: 2 ** 45 }), (millis) => {
        const ts = msNumberToTs(millis);
        expect(tsToMs(ts)).toBe(millis);
        expect(Math.abs(ts.nanos!)).toBeLessThan(1_000_000_000);
        // seconds and nanos of a Duration never differ in sign
        expect(ts.seconds!.isNegative() ? ts.nanos! <= 0 : ts.seconds!.isZero() || ts.nanos! >= 0).toBe(true);
      }),
    );
    fc.assert(
      fc.property(fc.double({ min: -1e12, max: 1e12, noNaN: true }), (millis) => {
        const { seconds, nanos } = msNumberToTs(millis);
        expect(Math.abs(nanos!)).toBeLessThan(1_000_000_000);
        expect(Math.abs(seconds!.toNumber() * 1000 + nanos! / 1e6 - millis)).toBeLessThan(0.001);
      }),
    );
    // What is left of 30 * 100 after some arithmetic is three seconds.
    expect(msNumberToTs(29.999999999999996 * 100)).toEqual({ seconds: Long.fromNumber(3), nanos: 0 });
    expect(msNumberToTs(-999.9999999999)).toEqual({ seconds: Long.fromNumber(-1), nanos: 0 });
    expect(msToTs('1.5s')).toEqual({ seconds: Long.fromNumber(1), nanos: 500_000_000 });
    expect(msNumberToTs(0.25)).toEqual({ seconds: Long.fromNumber(0), nanos: 250_000 });
    expect(() => msNumberToTs(Number.NaN)).toThrow('Invalid millis');
  });
});

describe('dates', () => {
  it('come back from their message to the millisecond, also before 1970', () => {
    fc.assert(
      fc.property(fc.date({ noInvalidDate: true }), (date) => {
        const ts = optionalDateToTs(date)!;
        expect(ts.nanos).toBeGreaterThanOrEqual(0);
        expect(tsToDate(ts).getTime()).toBe(date.getTime());
      }),
    );
  });

  it('tell absent from zero', () => {
    expect(optionalTsToDate(undefined)).toBeUndefined();
    expect(optionalTsToDate({})!.getTime()).toBe(0);
    expect(() => requiredTsToMs(null, 'startTime')).toThrow('startTime');
  });
});
