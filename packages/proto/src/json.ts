/**
 * What generated `fromJSON` and `toJSON` functions share: proto3's JSON forms, in plain JavaScript.
 *
 * J1  Enums are open: a number that has no name stays a number. Names are taken as the protocol spells them, without
 *     their prefix, and in camel case, as tools write them ("EVENT_TYPE_TIMER_STARTED", "TIMER_STARTED",
 *     "TimerStarted"). Any other name is an error.
 * J2  Times and durations keep their nanoseconds.
 */
import Long from 'long';

interface Instant {
  seconds?: Long | undefined;
  nanos?: number | undefined;
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** Value of each character code, -1 for those that are none; also takes the URL-safe alphabet. */
const DIGITS: Int8Array = (() => {
  const digits = new Int8Array(128).fill(-1);
  for (let i = 0; i < 64; i++) digits[ALPHABET.charCodeAt(i)] = i;
  digits['-'.charCodeAt(0)] = 62;
  digits['_'.charCodeAt(0)] = 63;
  return digits;
})();

/** @throws {Error} a character is no base64 digit */
export function bytesFromBase64(text: string): Uint8Array {
  let length = text.length;
  while (length > 0 && text[length - 1] === '=') length--;
  const bytes = new Uint8Array(Math.floor((length * 3) / 4));
  let bits = 0;
  let count = 0;
  let at = 0;
  for (let i = 0; i < length; i++) {
    const digit = DIGITS[text.charCodeAt(i)] ?? -1;
    if (digit < 0) throw new Error(`invalid base64 at character ${i}`);
    bits = (bits << 6) | digit;
    count += 6;
    if (count >= 8) {
      count -= 8;
      bytes[at++] = bits >> count;
    }
  }
  return bytes;
}

export function base64FromBytes(bytes: Uint8Array): string {
  let text = '';
  let i = 0;
  for (; i + 2 < bytes.length; i += 3) {
    const group = (bytes[i]! << 16) | (bytes[i + 1]! << 8) | bytes[i + 2]!;
    text +=
      ALPHABET[group >> 18]! +
      ALPHABET[(group >> 12) & 63] +
      ALPHABET[(group >> 6) & 63] +
      ALPHABET[group & 63];
  }
  const rest = bytes.length - i;
  if (rest === 1) {
    const group = bytes[i]!;
    text += `${ALPHABET[group >> 2]}${ALPHABET[(group << 4) & 63]}==`;
  } else if (rest === 2) {
    const group = (bytes[i]! << 8) | bytes[i + 1]!;
    text += `${ALPHABET[group >> 10]}${ALPHABET[(group >> 4) & 63]}${ALPHABET[(group << 2) & 63]}=`;
  }
  return text;
}

/** Number of an enum member that JSON gives by name or number (J1). */
export function enumFromJSON(members: object, value: unknown, enumName: string): any {
  if (typeof value === 'number' && Number.isInteger(value)) return value;
  if (typeof value === 'string') {
    const number = Object.hasOwn(members, value) ? (members as Record<string, unknown>)[value] : undefined;
    if (typeof number === 'number') return number;
    if (/^-?\d+$/.test(value)) return Number(value);
    const found = enumMemberLike(members, value);
    if (found !== undefined) return found;
  }
  throw new Error(`Unrecognized enum value ${String(value)} for enum ${enumName}`);
}

/** Number of the member that `text` names without prefix or in camel case. */
function enumMemberLike(members: object, text: string): number | undefined {
  const bare = (name: string) => name.replaceAll('_', '').toUpperCase();
  // The prefix of an enum's members is what stands before UNSPECIFIED in the first.
  const prefix = String((members as Record<number, string>)[0] ?? '').replace(/UNSPECIFIED$/, '');
  for (const [name, number] of Object.entries(members)) {
    if (typeof number !== 'number' || !name.startsWith(prefix)) continue;
    if (bare(name.slice(prefix.length)) === bare(text)) return number;
  }
  return undefined;
}

/** Name of an enum member, or its number when it has no name (J1). */
export function enumToJSON(members: object, value: number): any {
  return (members as Record<number, string>)[value] ?? value;
}

export function isSet(value: any): boolean {
  return value !== null && value !== undefined;
}

export function isObject(value: any): boolean {
  return typeof value === 'object' && value !== null;
}

/** JSON has no NaN and no infinities: they are strings. */
export function floatToJson(value: number | null | undefined): number | string | null | undefined {
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
}

/** Digits of the fraction of a second: none, three, six or nine. */
function fraction(nanos: number): string {
  if (nanos === 0) return '';
  const digits = String(nanos).padStart(9, '0');
  return `.${digits.slice(0, nanos % 1_000_000 === 0 ? 3 : nanos % 1000 === 0 ? 6 : 9)}`;
}

function nanosOf(digits: string | undefined): number {
  return digits === undefined ? 0 : Number(digits.slice(0, 9).padEnd(9, '0'));
}

const TIMESTAMP = /^(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2}:\d{2})(?:\.(\d{1,9})\d*)?([Zz]|[+-]\d{2}:\d{2})$/;

/** ISO 8601 → Timestamp. Also takes a Date, and the message itself. */
export function fromJsonTimestamp(value: any): Instant {
  if (typeof value === 'object' && value !== null && typeof value.toISOString === 'function') {
    return fromJsonTimestamp(value.toISOString());
  }
  if (typeof value === 'string') {
    const match = TIMESTAMP.exec(value);
    const millis =
      match === null ? Number.NaN : Date.parse(`${match[1]}T${match[2]}${match[4]!.toUpperCase()}`);
    if (!Number.isFinite(millis)) throw new Error(`Invalid timestamp: ${value}`);
    return { seconds: Long.fromNumber(millis / 1000), nanos: nanosOf(match![3]) };
  }
  return instantOf(value);
}

export function timestampToJson(value: Instant): string {
  const seconds = value.seconds === undefined ? 0 : Long.fromValue(value.seconds).toNumber();
  return `${new Date(seconds * 1000).toISOString().slice(0, 19)}${fraction(value.nanos ?? 0)}Z`;
}

const DURATION = /^(-)?(\d+)?(?:\.(\d{1,9})\d*)?s$/;

/** "1.5s" → Duration. Also takes the message itself. */
export function durationFromJson(value: any): Instant {
  if (typeof value !== 'string') return instantOf(value);
  const match = DURATION.exec(value);
  if (match === null || (match[2] === undefined && match[3] === undefined)) {
    throw new Error(`Invalid duration: ${value}`);
  }
  const negative = match[1] !== undefined;
  const seconds = Long.fromString(match[2] ?? '0');
  const nanos = nanosOf(match[3]);
  return { seconds: negative ? seconds.negate() : seconds, nanos: negative && nanos !== 0 ? -nanos : nanos };
}

export function durationToJson(value: Instant): string {
  const seconds = value.seconds === undefined ? Long.ZERO : Long.fromValue(value.seconds);
  const nanos = value.nanos ?? 0;
  const negative = seconds.isNegative() || nanos < 0;
  const whole = seconds.isNegative() ? seconds.negate() : seconds;
  return `${negative ? '-' : ''}${whole.toString()}${fraction(Math.abs(nanos))}s`;
}

function instantOf(value: any): Instant {
  return {
    seconds: isSet(value?.seconds) ? Long.fromValue(value.seconds) : Long.ZERO,
    nanos: isSet(value?.nanos) ? Number(value.nanos) : 0,
  };
}
