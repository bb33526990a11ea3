/**
 * String enums of the public API against numeric enums of the protocol.
 * Numbers stand in the tables, so that no message file has to be loaded for them; a test holds them against the
 * generated enums.
 */
import { ValueError } from './errors';

/** The short name, the name with the protocol's prefix, or the number. */
type EncodeInput<Short extends string, Prefix extends string, Proto extends number> =
  | Short
  | `${Prefix}${Short}`
  | Proto
  | null
  | undefined;

/**
 * Makes the two conversions of one enum. 0 is "unspecified" unless the table names it.
 * @param table   short name → number
 * @param prefix  what the protocol puts before the short names
 */
export function makeProtoEnumConverters<Short extends string, Proto extends number, Prefix extends string>(
  table: Readonly<Record<Short, Proto>>,
  prefix: Prefix,
): readonly [
  encode: (input: EncodeInput<Short, Prefix, Proto>) => Proto | undefined,
  decode: (input: Proto | null | undefined) => Short | undefined,
] {
  const numbers = new Map<string | number, Proto>();
  const names = new Map<number, Short>();
  for (const [name, number] of Object.entries(table) as [Short, Proto][]) {
    numbers.set(name, number).set(`${prefix}${name}`, number).set(number, number);
    names.set(number, name);
  }
  const unspecified = !names.has(0);
  if (unspecified) {
    numbers
      .set('UNSPECIFIED', 0 as Proto)
      .set(`${prefix}UNSPECIFIED`, 0 as Proto)
      .set(0, 0 as Proto);
  }
  const known = () => Object.keys(table).join(', ');

  function encode(input: EncodeInput<Short, Prefix, Proto>): Proto | undefined {
    if (input === undefined || input === null) return undefined;
    const number = numbers.get(input);
    if (number === undefined) {
      throw new ValueError(`Invalid enum value: '${String(input)}', expected one of ${known()}`);
    }
    return number;
  }

  function decode(input: Proto | null | undefined): Short | undefined {
    if (input === undefined || input === null || (unspecified && input === 0)) return undefined;
    const name = names.get(input);
    if (name === undefined)
      throw new ValueError(`Invalid proto enum value: '${input}' is none of ${known()}`);
    return name;
  }

  return [encode, decode];
}
