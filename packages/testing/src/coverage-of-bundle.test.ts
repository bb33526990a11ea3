import { originalPositionFor, TraceMap } from '@jridgewell/trace-mapping';
import { readableBundle, statementsOf } from '@perdure/testing/lib/coverage-of-bundle';
import { decodeMappings, encodeMappings, type Segment } from '@perdure/testing/lib/source-map-text';
import fc from 'fast-check';

describe('mappings', () => {
  it('come back as they were', () => {
    const segment: fc.Arbitrary<Segment> = fc.oneof(
      fc.tuple(fc.nat(500)),
      fc.tuple(fc.nat(500), fc.nat(9), fc.nat(100_000), fc.nat(500)),
      fc.tuple(fc.nat(500), fc.nat(9), fc.nat(100_000), fc.nat(500), fc.nat(50)),
    );
    fc.assert(
      fc.property(fc.array(fc.array(segment, { maxLength: 4 }), { minLength: 1, maxLength: 6 }), (lines) => {
        expect(decodeMappings(encodeMappings(lines))).toEqual(lines);
      }),
    );
  });
});

describe('statements of a source', () => {
  const source = `/** Head
of the file */
import { a } from 'b';
import type { C } from 'd';
export * from 'e';
export { f } from 'g';
export type T = string;
interface I {
  x: 1;
}
export function over(x: string): void;
export function over(x: unknown): void {
  use(x);
}

/** A comment. */
export async function run(
  name: string,
): Promise<void> {
  await go(name);
}
const table = {
  a: 1,
};

class K extends L {}
`;

  it('are those that are code, with their lines and the names of functions', () => {
    const text = (first: number, last: number) =>
      source
        .split('\n')
        .slice(first, last + 1)
        .join('\n');
    const found = statementsOf(source).map(({ first, last, name }) => [
      name,
      text(first, last).split('\n')[0],
      last - first,
    ]);
    expect(found).toEqual([
      ['over', 'export function over(x: unknown): void {', 2],
      ['run', 'export async function run(', 4],
      ['', 'const table = {', 2],
      ['', 'class K extends L {}', 0],
    ]);
  });
});

describe('a bundle for coverage tools', () => {
  const source = 'export function kept() {\n  return 1;\n}\nexport function shaken() {\n  return 2;\n}\n';
  const bundle = {
    code: 'library();\nfunction kept() {\n  return 1;\n}\n',
    hash: 'h1',
    sourceMap: JSON.stringify({
      version: 3,
      sources: ['file:///p/node_modules/x/index.js', 'file:///p/src/a.ts'],
      sourcesContent: ['library()', source],
      names: [],
      mappings: encodeMappings([[[0, 0, 0, 0]], [[0, 1, 0, 7]], [[2, 1, 1, 2]], [[0, 1, 2, 0]]]),
    }),
    functions: [],
  };

  it('has a line with a count of 0 for every line that tree shaking has left out, and for no other', () => {
    const { code, map, functions } = readableBundle(bundle)!;
    expect(map.sources).toEqual(['/p/src/a.ts']);
    const lines = new TraceMap(map as never);
    const uncovered = functions.map(({ functionName, ranges: [range] }) => {
      const line = code.slice(0, range!.startOffset).split('\n').length;
      expect([range!.count, code.slice(range!.startOffset, range!.endOffset)]).toEqual([0, '//shaken']);
      return [functionName, originalPositionFor(lines, { line, column: 0 }).line];
    });
    expect(uncovered).toEqual([
      ['shaken', 4],
      ['', 5],
      ['', 6],
    ]);
  });

  it('is nothing where only libraries are in it', () => {
    const sourceMap = JSON.stringify({
      version: 3,
      sources: ['file:///p/node_modules/x.js'],
      sourcesContent: ['x'],
      names: [],
      mappings: 'AAAA',
    });
    expect(readableBundle({ ...bundle, hash: 'h2', sourceMap })).toBeUndefined();
  });
});
