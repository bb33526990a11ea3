import { SourceMap } from 'node:module';
import * as path from 'node:path';
import * as vm from 'node:vm';
import * as fc from 'fast-check';
import { applyEdits, type Edit } from './free-names';
import { inlineSourceMap, SourceMapJoiner, type SourceMapJson, splitSourceMap } from './source-map';
import { bundleProject } from './testing/bundle-project';
import { removeProjects } from './testing/project';
import { transformModule } from './transform';

afterAll(removeProjects);

/** Where in the sources an error of bundle.js came from: file name, line and column of its first frame there. */
function originOf(error: unknown, sourceMap: string): { file: string; line: number; column: number } {
  const frame = /bundle\.js:(\d+):(\d+)/.exec(String((error as Error).stack))!;
  const entry = new SourceMap(JSON.parse(sourceMap) as never).findEntry(
    Number(frame[1]) - 1,
    Number(frame[2]) - 1,
  ) as {
    originalSource: string;
    originalLine: number;
    originalColumn: number;
  };
  return {
    file: path.basename(entry.originalSource),
    line: entry.originalLine + 1,
    column: entry.originalColumn + 1,
  };
}

async function failure(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}

describe('the source map of a bundle', () => {
  it('leads an error to the line of TypeScript that threw it, across chunks and rewritten names', async () => {
    const { realm, bundle } = await bundleProject({
      'workflows.ts': `export * from './a';\nexport * from './b';`,
      'a.ts': `interface Unused { a: 1 }\nimport { check } from './lib/check';\nexport async function a(): Promise<void> {\n  check(1);\n}`,
      'b.ts': `import { check } from './lib/check';\nenum Kind { A, B }\nexport async function b() {\n  prepare(); prepare(); if (Kind.A === 0) throw new Error('from b');\n  check(Kind.A);\n}\ndeclare function prepare(): void;`,
      'lib/check.ts': `type T = {\n  a: 1;\n};\nexport function check(value: number): void {\n  const seen: number = later(value) + later(value);   if (seen > 1) throw new TypeError('from check');\n}\ndeclare function later(n: number): number;`,
    });
    const run = realm.newRun();
    run.globals.later = (n: number) => n;
    run.globals.prepare = () => undefined;
    expect(originOf(await failure(run.workflow('a')()), bundle.sourceMap)).toEqual({
      file: 'check.ts',
      line: 5,
      column: 75,
    });
    expect(originOf(await failure(run.workflow('b')()), bundle.sourceMap)).toEqual({
      file: 'b.ts',
      line: 4,
      column: 49,
    });
  });

  it('leads through CommonJS and code that was compiled before', async () => {
    const source = `enum Level { Low }\ninterface Input { name: string }\nexport async function main(input: Input): Promise<never> {\n  throw new Error(input.name + Level.Low);\n}\n`;
    const compiled = transformModule('/src/workflows.ts', source, undefined);
    const { realm, bundle } = await bundleProject({
      'lib/workflows.js': `${compiled.code}//# sourceMappingURL=workflows.js.map`,
      'lib/workflows.js.map': JSON.stringify({ ...compiled.map, sources: ['../src/workflows.ts'] }),
      'lib/unused.cjs': '',
    });
    expect(originOf(await failure(realm.newRun().workflow('main')({ name: 'x' })), bundle.sourceMap)).toEqual(
      { file: 'workflows.ts', line: 4, column: 9 },
    );

    const cjs = await bundleProject({
      'workflows.ts': `import lib from './lib.cjs'; export async function main() { return lib.fail(); }`,
      'lib.cjs': `\n\nexports.fail = () => {\n  helper(); throw new RangeError('x');\n};\nfunction helper() {}`,
    });
    expect(originOf(await failure(cjs.realm.newRun().workflow('main')()), cjs.bundle.sourceMap)).toEqual({
      file: 'lib.cjs',
      line: 4,
      column: 19,
    });
  });

  it('names sources by absolute path and carries their text', async () => {
    const { bundle, project } = await bundleProject({
      'workflows.ts': `export async function main(): Promise<void> {}`,
    });
    const map = JSON.parse(bundle.sourceMap) as SourceMapJson;
    expect(map.sources).toEqual([project.path('workflows.ts')]);
    expect(map.sourcesContent![0]).toContain('Promise<void>');
  });

  it('can be taken off the code and put back', async () => {
    const { bundle } = await bundleProject({
      'workflows.ts': `export async function main() { return '//# sourceMappingURL=x'; }`,
    });
    const { script, sourceMap } = splitSourceMap(bundle.code);
    expect(sourceMap).toBe(bundle.sourceMap);
    expect(inlineSourceMap(script, sourceMap!)).toBe(bundle.code);
    expect(splitSourceMap(script)).toEqual({ script });
    expect(vm.runInNewContext(script)).toMatchObject({ format: 1 });
  });

  it('moves every position by the edits before it on its line, and nothing else', () => {
    const word = fc.stringMatching(/^[a-z]{1,6}$/);
    const line = fc.array(word, { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(
        fc.array(fc.array(line, { minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 3 }),
        fc.nat(),
        (texts, seed) => {
          const joiner = new SourceMapJoiner();
          let output = '';
          const expected: { text: string; source: string; line: number; column: number }[] = [];
          texts.forEach((lines, index) => {
            const code = `${lines.map((words) => words.join(' ')).join('\n')}\n`;
            const edits: Edit[] = [];
            const marks: { start: number; word: string; line: number; column: number; edited: boolean }[] =
              [];
            let offset = 0;
            lines.forEach((words, lineIndex) => {
              let column = 0;
              for (const [i, text] of words.entries()) {
                const edited = (seed + i + lineIndex + index) % 3 === 0;
                marks.push({ start: offset + column, word: text, line: lineIndex, column, edited });
                if (edited)
                  edits.push({
                    start: offset + column,
                    end: offset + column + text.length,
                    text: `(0, globalThis.${text})`,
                  });
                column += text.length + 1;
              }
              offset += words.join(' ').length + 1;
            });
            joiner.add(code, identityMap(`source${index}`, marks), edits);
            output += applyEdits(code, edits);
            for (const mark of marks) {
              expected.push({
                text: mark.edited ? `(0, globalThis.${mark.word})` : mark.word,
                source: `source${index}`,
                line: mark.line,
                column: mark.column,
              });
            }
          });
          const map = new SourceMap(JSON.parse(joiner.toString()) as never);
          let from = 0;
          for (const { text, source, line: sourceLine, column } of expected) {
            const at = output.indexOf(text, from);
            from = at + text.length;
            const before = output.slice(0, at);
            const generatedLine = before.split('\n').length - 1;
            const generatedColumn = at - (before.lastIndexOf('\n') + 1);
            expect(map.findEntry(generatedLine, generatedColumn)).toMatchObject({
              originalSource: source,
              originalLine: sourceLine,
              originalColumn: column,
              generatedColumn,
            });
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});

/** A map that says of each mark that it stands where it stands. */
function identityMap(source: string, marks: readonly { line: number; column: number }[]): SourceMapJson {
  const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
  const vlq = (value: number): string => {
    let rest = value < 0 ? (-value << 1) | 1 : value << 1;
    let text = '';
    do {
      text += digits[(rest & 31) | (rest > 31 ? 32 : 0)];
      rest >>= 5;
    } while (rest > 0);
    return text;
  };
  const lines: string[][] = [];
  let lastLine = 0;
  let lastSourceColumn = 0;
  let lastColumn = 0;
  let currentLine = -1;
  for (const { line, column } of marks) {
    if (line !== currentLine) {
      currentLine = line;
      lastColumn = 0;
    }
    lines[line] = lines[line] ?? [];
    lines[line].push(
      vlq(column - lastColumn) + vlq(0) + vlq(line - lastLine) + vlq(column - lastSourceColumn),
    );
    lastColumn = column;
    lastLine = line;
    lastSourceColumn = column;
  }
  return {
    version: 3,
    sources: [source],
    names: [],
    mappings: lines.map((segments) => segments.join(',')).join(';'),
  };
}
