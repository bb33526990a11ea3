/**
 * When a schedule acts, between the public form and the server's.
 *
 * Owns    the grammar of calendar fields, their defaults and limits.
 * P1  Seconds, minutes and hours that are not given mean 0; all other fields mean every value.
 */
import { msOptionalToTs, optionalTsToMs, ValueError } from '@perdure/common';
import { optionalDateToTs, optionalTsToDate } from '@perdure/common/lib/time';
import type {
  Range as ProtoRange,
  ScheduleSpec as ProtoSpec,
  StructuredCalendarSpec,
} from '@perdure/proto/temporal/api/schedule/v1/message';
import {
  type CalendarSpec,
  type CalendarSpecDescription,
  DAYS_OF_WEEK,
  type LooseRange,
  MONTHS,
  type Range,
  type ScheduleSpec,
  type ScheduleSpecDescription,
} from './schedule-types';

type FieldName = Exclude<keyof CalendarSpec, 'comment'>;

interface FieldRule {
  readonly min: number;
  readonly max: number;
  /** P1 */
  readonly defaultsToZero: boolean;
  /** Names of the values, from `min` on. */
  readonly names?: readonly string[];
}

const FIELDS: Readonly<Record<FieldName, FieldRule>> = {
  second: { min: 0, max: 59, defaultsToZero: true },
  minute: { min: 0, max: 59, defaultsToZero: true },
  hour: { min: 0, max: 23, defaultsToZero: true },
  dayOfMonth: { min: 1, max: 31, defaultsToZero: false },
  month: { min: 1, max: 12, defaultsToZero: false, names: MONTHS },
  // The server takes years from 2000 to 2100; no range at all means every year.
  year: { min: 2000, max: 2100, defaultsToZero: false },
  dayOfWeek: { min: 0, max: 6, defaultsToZero: false, names: DAYS_OF_WEEK },
};
const FIELD_NAMES = Object.keys(FIELDS) as FieldName[];

function encodeValue(field: FieldName, value: unknown): number {
  const { min, max, names } = FIELDS[field];
  const number = typeof value === 'string' && names !== undefined ? names.indexOf(value) + min : value;
  if (typeof number !== 'number' || !Number.isInteger(number) || number < min || number > max) {
    const takes = names === undefined ? `an integer from ${min} to ${max}` : `one of ${names.join(', ')}`;
    throw new ValueError(`Invalid ${field} in a calendar: got ${JSON.stringify(value)}, takes ${takes}`);
  }
  if (typeof value === 'string' && !names!.includes(value)) {
    throw new ValueError(`Invalid ${field} in a calendar: got '${value}', takes one of ${names!.join(', ')}`);
  }
  return number;
}

function encodeRange(field: FieldName, given: LooseRange<any>): ProtoRange {
  if (typeof given !== 'object' || given === null) {
    const value = encodeValue(field, given);
    return { start: value, end: value, step: 1 };
  }
  const start = encodeValue(field, given.start);
  const end = given.end === undefined ? start : encodeValue(field, given.end);
  const step = given.step ?? 1;
  if (end < start) throw new ValueError(`Invalid ${field} in a calendar: ends before it starts`);
  if (!Number.isInteger(step) || step < 1)
    throw new ValueError(`Invalid step of ${field}: ${JSON.stringify(step)}`);
  return { start, end, step };
}

function encodeCalendar(calendar: CalendarSpec): StructuredCalendarSpec {
  const encoded: StructuredCalendarSpec = { comment: calendar.comment };
  for (const field of FIELD_NAMES) {
    const { min, max, defaultsToZero } = FIELDS[field];
    const given = calendar[field] ?? (defaultsToZero ? 0 : '*');
    if (given === '*') {
      encoded[field] = field === 'year' ? [] : [{ start: min, end: max, step: 1 }];
    } else {
      encoded[field] = (Array.isArray(given) ? given : [given]).map((range) => encodeRange(field, range));
    }
  }
  return encoded;
}

function decodeCalendar(calendar: StructuredCalendarSpec): CalendarSpecDescription {
  const decoded: Record<string, unknown> = { comment: calendar.comment || undefined };
  for (const field of FIELD_NAMES) {
    const { min, names } = FIELDS[field];
    const name = (value: number) => (names === undefined ? value : names[value - min]);
    decoded[field] = (calendar[field] ?? []).map(
      ({ start = 0, end = 0, step = 0 }): Range<unknown> => ({
        start: name(start),
        // The server leaves out an end that is the start, and a step of one.
        end: name(Math.max(end, start)),
        step: step || 1,
      }),
    );
  }
  return decoded as unknown as CalendarSpecDescription;
}

/** @throws {ValueError} a calendar field or a duration that cannot be */
export function encodeScheduleSpec(spec: ScheduleSpec): ProtoSpec {
  return {
    structuredCalendar: (spec.calendars ?? []).map(encodeCalendar),
    interval: (spec.intervals ?? []).map(({ every, offset }) => ({
      interval: msOptionalToTs(every, 'every'),
      phase: msOptionalToTs(offset, 'offset'),
    })),
    cronString: spec.cronExpressions ?? [],
    excludeStructuredCalendar: (spec.skip ?? []).map(encodeCalendar),
    startTime: optionalDateToTs(spec.startAt),
    endTime: optionalDateToTs(spec.endAt),
    jitter: msOptionalToTs(spec.jitter, 'jitter'),
    timezoneName: spec.timezone,
  };
}

export function decodeScheduleSpec(spec: ProtoSpec): ScheduleSpecDescription {
  return {
    calendars: (spec.structuredCalendar ?? []).map(decodeCalendar),
    intervals: (spec.interval ?? []).map(({ interval, phase }) => ({
      every: optionalTsToMs(interval) ?? 0,
      offset: optionalTsToMs(phase) ?? 0,
    })),
    skip: (spec.excludeStructuredCalendar ?? []).map(decodeCalendar),
    startAt: optionalTsToDate(spec.startTime),
    endAt: optionalTsToDate(spec.endTime),
    jitter: optionalTsToMs(spec.jitter),
    timezone: spec.timezoneName || undefined,
  };
}
