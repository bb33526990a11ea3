/**
 * How users give durations: a number of milliseconds, or a string such as '10s' or '2 days'.
 * The grammar is that of the npm package `ms`; a year is 365.25 days.
 */
import { ValueError } from './errors';
import { brandError } from './type-helpers';

type Unit =
  | 'Years'
  | 'Year'
  | 'Yrs'
  | 'Yr'
  | 'Y'
  | 'Weeks'
  | 'Week'
  | 'W'
  | 'Days'
  | 'Day'
  | 'D'
  | 'Hours'
  | 'Hour'
  | 'Hrs'
  | 'Hr'
  | 'H'
  | 'Minutes'
  | 'Minute'
  | 'Mins'
  | 'Min'
  | 'M'
  | 'Seconds'
  | 'Second'
  | 'Secs'
  | 'Sec'
  | 's'
  | 'Milliseconds'
  | 'Millisecond'
  | 'Msecs'
  | 'Msec'
  | 'Ms';

type UnitAnyCase = Unit | Uppercase<Unit> | Lowercase<Unit>;

/** A duration as text: '100', '1.5h', '2 days'. */
export type StringValue = `${number}` | `${number}${UnitAnyCase}` | `${number} ${UnitAnyCase}`;

/** Milliseconds as a number, or a duration as text ('10s', '2 days'). */
export type Duration = StringValue | number;

/** A duration is neither a finite number of milliseconds nor a string that can be read. */
export class InvalidDurationError extends ValueError {
  override readonly code: string = 'DURATION_INVALID';

  constructor(
    readonly value: unknown,
    readonly field?: string,
  ) {
    super(
      `${field === undefined ? 'Invalid duration' : `Invalid duration for ${field}`}: ${describe(value)}`,
      undefined,
      "give milliseconds as a number, or a string such as '10s', '5 minutes', '2 days'",
    );
  }
}
brandError(InvalidDurationError, 'InvalidDurationError');

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const GRAMMAR =
  /^(-?(?:\d+)?\.?\d+) *(milliseconds?|msecs?|ms|seconds?|secs?|s|minutes?|mins?|m|hours?|hrs?|h|days?|d|weeks?|w|years?|yrs?|y)?$/i;
const MAX_LENGTH = 100;

/** Milliseconds of the unit that this lower-case text names. */
function unitMs(unit: string): number {
  switch (unit[0]) {
    case 's':
      return SECOND_MS;
    case 'h':
      return HOUR_MS;
    case 'd':
      return DAY_MS;
    case 'w':
      return 7 * DAY_MS;
    case 'y':
      return 365.25 * DAY_MS;
    default: // minutes or milliseconds
      return unit === 'm' || unit.startsWith('min') ? MINUTE_MS : 1;
  }
}

/**
 * Milliseconds of a duration.
 * @param field  name of the option, for the error
 * @throws {InvalidDurationError} not a finite number and not a duration string
 */
export function durationToMs(duration: Duration, field?: string): number {
  if (typeof duration === 'number') {
    if (Number.isFinite(duration)) return duration;
  } else if (typeof duration === 'string' && (duration as string).length <= MAX_LENGTH) {
    const match = GRAMMAR.exec(duration);
    if (match !== null) return Number(match[1]) * unitMs((match[2] ?? 'ms').toLowerCase());
  }
  throw new InvalidDurationError(duration, field);
}

/** Like `durationToMs`, undefined and null give undefined. */
export function optionalDurationToMs(
  duration: Duration | undefined | null,
  field?: string,
): number | undefined {
  return duration === undefined || duration === null ? undefined : durationToMs(duration, field);
}

/** Text of any value for an error message; never throws. */
function describe(value: unknown): string {
  if (typeof value === 'string') {
    return JSON.stringify(value.length > MAX_LENGTH ? `${value.slice(0, MAX_LENGTH)}…` : value);
  }
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}
