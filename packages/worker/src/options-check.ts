/**
 * Checks of options objects: every problem in one error, unknown names with the nearest known one.
 *
 * K1  A check looks at one field and changes nothing; resolving comes after all checks have passed.
 * K2  `undefined` means "not given" for every optional field.
 */
import { PerdureError } from '@perdure/common';
import { msToNumber } from '@perdure/common/lib/time';
import { brandError } from '@perdure/common/lib/type-helpers';

/** One thing wrong with an options object. */
export interface OptionProblem {
  /** Path of the field: `tuner.tunerOptions.targetCpuUsage`. */
  readonly field: string;
  /** What was found and what is accepted, in words. */
  readonly problem: string;
}

/** Options that cannot be used; `problems` names each field. */
export class InvalidOptionsError extends PerdureError {
  readonly code = 'WORKER_OPTIONS_INVALID';

  constructor(
    /** What the options are for: `WorkerOptions`. */
    readonly subject: string,
    readonly problems: readonly OptionProblem[],
  ) {
    const lines = problems.map(({ field, problem }) => `  ${field}: ${problem}`);
    super(`invalid ${subject}:\n${lines.join('\n')}`, {
      hint: 'each line names the field, what it got and what it takes; docs/errors/WORKER_OPTIONS_INVALID.md',
    });
  }
}
brandError(InvalidOptionsError, 'InvalidOptionsError');

/** Gives what a field accepts when `value` is not that, else undefined. */
export type Check = (value: unknown) => string | undefined;

/** Collects problems of one options object and of what it holds. */
export class OptionsCheck {
  readonly #problems: OptionProblem[] = [];

  constructor(readonly subject: string) {}

  /** Adds a problem in own words. */
  add(field: string, problem: string): void {
    this.#problems.push({ field, problem });
  }

  /** Checks one value; absent passes. */
  value(field: string, value: unknown, check: Check): void {
    if (value === undefined) return; // K2
    const accepted = check(value);
    if (accepted !== undefined) this.add(field, `got ${describe(value)}, takes ${accepted}`);
  }

  /** Checks that `given` is an object with none but the fields of `checks`, and each of those. */
  object(prefix: string, given: unknown, checks: Readonly<Record<string, Check>>): void {
    if (typeof given !== 'object' || given === null) {
      this.add(prefix || this.subject, `got ${describe(given)}, takes an object`);
      return;
    }
    const known = Object.keys(checks);
    for (const [name, value] of Object.entries(given)) {
      const field = prefix === '' ? name : `${prefix}.${name}`;
      if (Object.hasOwn(checks, name)) this.value(field, value, checks[name]!);
      else if (value !== undefined) this.unknown(field, name, known);
    }
  }

  /** Adds that there is no option of this name. */
  unknown(field: string, name: string, known: readonly string[]): void {
    this.add(field, `unknown option${suggestion(name, known)}`);
  }

  /** @throws {InvalidOptionsError} there is a problem */
  done(): void {
    if (this.#problems.length > 0) throw new InvalidOptionsError(this.subject, this.#problems);
  }
}

function suggestion(name: string, known: readonly string[]): string {
  const nearest = nearestName(name, known);
  return nearest === undefined ? '' : `, did you mean ${JSON.stringify(nearest)}?`;
}

/** The known name that is fewest edits away, if that is near enough to be meant. */
export function nearestName(name: string, known: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(name.length / 3)) + 1;
  for (const candidate of known) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}

/** A value in an error message: short, and never an exception. */
export function describe(value: unknown): string {
  try {
    if (typeof value === 'string')
      return JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}...` : value);
    if (typeof value === 'function') return 'a function';
    if (Array.isArray(value)) return `an array of ${value.length}`;
    if (typeof value === 'object' && value !== null) {
      const name = value.constructor?.name;
      return name && name !== 'Object' ? `an object of class ${name}` : 'an object';
    }
    return String(value);
  } catch {
    return `a ${typeof value} that cannot be shown`;
  }
}

/** A non-empty text. */
export const text: Check = (value) =>
  typeof value === 'string' && value !== '' ? undefined : 'a non-empty text';

export const flag: Check = (value) => (typeof value === 'boolean' ? undefined : 'true or false');

export const anyObject: Check = (value) =>
  (typeof value === 'object' && value !== null) || typeof value === 'function' ? undefined : 'an object';

export const anyFunction: Check = (value) => (typeof value === 'function' ? undefined : 'a function');

/** Anything at all. */
export const anything: Check = () => undefined;

/** A whole number between `minimum` and `maximum`, both included. */
export function integer(minimum: number, maximum = Number.MAX_SAFE_INTEGER): Check {
  const range =
    maximum === Number.MAX_SAFE_INTEGER ? `of at least ${minimum}` : `from ${minimum} to ${maximum}`;
  return (value) =>
    Number.isSafeInteger(value) && (value as number) >= minimum && (value as number) <= maximum
      ? undefined
      : `a whole number ${range}`;
}

/** A number between `minimum` and `maximum`, both included. */
export function numberBetween(minimum: number, maximum: number): Check {
  const range =
    maximum === Number.POSITIVE_INFINITY ? `of at least ${minimum}` : `from ${minimum} to ${maximum}`;
  return (value) =>
    typeof value === 'number' && value >= minimum && value <= maximum && Number.isFinite(value)
      ? undefined
      : `a number ${range}`;
}

/** A positive finite number. */
export const positiveNumber: Check = (value) =>
  typeof value === 'number' && value > 0 && Number.isFinite(value) ? undefined : 'a number above 0';

/** A duration: milliseconds, or a text such as "10 s"; not negative. */
export function duration(minimumMs = 0, maximumMs = Number.MAX_SAFE_INTEGER): Check {
  const accepted =
    `a duration (milliseconds, or a text such as "10s")` +
    (minimumMs > 0 ? ` of at least ${minimumMs} ms` : '') +
    (maximumMs < Number.MAX_SAFE_INTEGER ? ` of at most ${maximumMs} ms` : '');
  return (value) => {
    if (typeof value !== 'number' && typeof value !== 'string') return accepted;
    try {
      const ms = msToNumber(value as number);
      return Number.isFinite(ms) && ms >= minimumMs && ms <= maximumMs ? undefined : accepted;
    } catch {
      return accepted;
    }
  };
}

/** One of a few words. */
export function oneOf(...words: string[]): Check {
  return (value) =>
    words.includes(value as string) ? undefined : words.map((word) => JSON.stringify(word)).join(' or ');
}

/** An array of which each member passes `check`. */
export function arrayOf(check: Check, accepted: string): Check {
  return (value) =>
    Array.isArray(value) && value.every((member) => check(member) === undefined) ? undefined : accepted;
}
