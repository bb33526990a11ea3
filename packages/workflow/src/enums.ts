/** Encoding of string enums that only this package knows. */
import { ValueError } from '@perdure/common';

/** @returns a function from a name, a prefixed name, a number or nothing to the protocol's number (0 for nothing) */
export function makeEnum<Name extends string>(
  enumName: string,
  prefix: string,
  numbers: Readonly<Record<Name, number>>,
): (value: Name | number | null | undefined) => number {
  const known = Object.entries<number>(numbers);
  return (value) => {
    if (value === undefined || value === null || value === 0) return 0;
    for (const [name, number] of known) {
      if (value === name || value === number || value === prefix + name) return number;
    }
    throw new ValueError(
      `${enumName} has no value ${JSON.stringify(value)}; it has ${Object.keys(numbers).join(', ')}`,
    );
  };
}
