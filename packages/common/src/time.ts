/** Conversions between milliseconds, dates and the protobuf messages Timestamp and Duration. */
import type { Timestamp as ProtoTimestamp } from '@perdure/proto/google/protobuf/timestamp';
import Long from 'long';
import { type Duration, durationToMs, optionalDurationToMs, type StringValue } from './durations';
import { ValueError } from './errors';

/** Protobuf Timestamp or Duration: whole seconds, and nanoseconds of the same sign. */
export type Timestamp = ProtoTimestamp;
export type { Duration, StringValue };

/** Milliseconds of a Timestamp or Duration message, undefined for null and undefined. */
export function optionalTsToMs(ts: Timestamp | null | undefined): number | undefined {
  return ts === undefined || ts === null ? undefined : tsToMs(ts);
}

/**
 * Milliseconds of a Timestamp or Duration message, whole, rounded towards minus infinity.
 * @throws {ValueError} no message, or out of the range of safe integers
 */
export function tsToMs(ts: Timestamp | null | undefined): number {
  if (ts === undefined || ts === null) throw new ValueError('Expected timestamp, got undefined');
  const { seconds, nanos } = ts;
  const wholeSeconds =
    seconds === undefined || seconds === null
      ? 0
      : typeof seconds === 'number'
        ? (seconds as number)
        : Long.fromValue(seconds).toNumber();
  return wholeSeconds * 1000 + Math.floor((nanos ?? 0) / 1_000_000);
}

/** Like `tsToMs`; the error names the field. */
export function requiredTsToMs(ts: Timestamp | null | undefined, fieldName: string): number {
  if (ts === undefined || ts === null)
    throw new ValueError(`Expected ${fieldName} to be a timestamp, got ${ts}`);
  return tsToMs(ts);
}

/**
 * Message of a number of milliseconds.
 * @throws {ValueError} not a finite number
 */
export function msNumberToTs(millis: number): Timestamp {
  if (!Number.isFinite(millis)) throw new ValueError(`Invalid millis ${millis}`);
  const wholeSeconds = Math.trunc(millis / 1000);
  const nanos = Math.round((millis - wholeSeconds * 1000) * 1_000_000);
  // Sums of floating-point numbers end just below a second: those are one, and no message has a billion nanoseconds.
  const carry = Math.abs(nanos) < 1_000_000_000 ? 0 : Math.sign(nanos);
  const rest = carry === 0 ? nanos : 0;
  return { seconds: Long.fromNumber(wholeSeconds + carry), nanos: rest === 0 ? 0 : rest };
}

/** Message of a duration. */
export function msToTs(duration: Duration, field?: string): Timestamp {
  return msNumberToTs(durationToMs(duration, field));
}

/** Message of a duration, undefined for null and undefined. */
export function msOptionalToTs(duration: Duration | undefined | null, field?: string): Timestamp | undefined {
  return duration === undefined || duration === null ? undefined : msToTs(duration, field);
}

/** Milliseconds of a duration. */
export function msToNumber(duration: Duration, field?: string): number {
  return durationToMs(duration, field);
}

/** Milliseconds of a duration, undefined for null and undefined. */
export function msOptionalToNumber(
  duration: Duration | undefined | null,
  field?: string,
): number | undefined {
  return optionalDurationToMs(duration, field);
}

/** Date of a Timestamp message, to the millisecond. */
export function tsToDate(ts: Timestamp): Date {
  return new Date(tsToMs(ts));
}

/** Like `tsToDate`; the error names the field. */
export function requiredTsToDate(ts: Timestamp | null | undefined, fieldName: string): Date {
  return new Date(requiredTsToMs(ts, fieldName));
}

/** Like `tsToDate`, undefined for null and undefined. */
export function optionalTsToDate(ts: Timestamp | null | undefined): Date | undefined {
  return ts === undefined || ts === null ? undefined : new Date(tsToMs(ts));
}

/** Timestamp message of a date; nanos are never negative, also before 1970. */
export function optionalDateToTs(date: Date | null | undefined): Timestamp | undefined {
  if (date === undefined || date === null) return undefined;
  const millis = date.getTime();
  if (!Number.isFinite(millis)) throw new ValueError('Invalid date');
  const wholeSeconds = Math.floor(millis / 1000);
  return { seconds: Long.fromNumber(wholeSeconds), nanos: (millis - wholeSeconds * 1000) * 1_000_000 };
}
