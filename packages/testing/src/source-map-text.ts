/** The mappings of a source map (version 3) as lists of segments, and back. */

/** Column in the generated line; then, unless nothing is known: source, line, column (all from 0), perhaps a name. */
export type Segment =
  | readonly [column: number]
  | readonly [column: number, source: number, line: number, sourceColumn: number, name?: number];

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const VALUES = new Map([...DIGITS].map((digit, value) => [digit, value]));

/** The segments of each generated line. */
export function decodeMappings(mappings: string): Segment[][] {
  const sums = [0, 0, 0, 0, 0]; // column, source, line, source column, name: each counts from the one before
  return mappings.split(';').map((line) => {
    sums[0] = 0;
    return line
      .split(',')
      .filter((text) => text !== '')
      .map((text) => {
        const segment = decodeNumbers(text).map((delta, index) => {
          sums[index]! += delta;
          return sums[index]!;
        });
        return segment as unknown as Segment;
      });
  });
}

export function encodeMappings(lines: readonly (readonly Segment[])[]): string {
  const sums = [0, 0, 0, 0, 0];
  return lines
    .map((segments) => {
      sums[0] = 0;
      return segments
        .map((segment) =>
          [...(segment as readonly number[])]
            .map((value, index) => {
              const delta = value - sums[index]!;
              sums[index] = value;
              return encodeNumber(delta);
            })
            .join(''),
        )
        .join(',');
    })
    .join(';');
}

function decodeNumbers(text: string): number[] {
  const numbers: number[] = [];
  let value = 0;
  let scale = 1;
  for (const digit of text) {
    const bits = VALUES.get(digit) ?? 0;
    value += (bits & 31) * scale;
    scale *= 32;
    if (bits & 32) continue;
    numbers.push(value & 1 ? -(value >>> 1) : value >>> 1);
    value = 0;
    scale = 1;
  }
  return numbers;
}

function encodeNumber(value: number): string {
  let rest = value < 0 ? -value * 2 + 1 : value * 2;
  let text = '';
  do {
    const bits = rest % 32;
    rest = Math.floor(rest / 32);
    text += DIGITS[rest > 0 ? bits + 32 : bits];
  } while (rest > 0);
  return text;
}
