import * as fs from 'node:fs';
import * as path from 'node:path';
import { BundleError, makeCodeFrame, positionOfOffset } from './errors';

/** The repository's docs/errors, from src as well as from lib. */
const pages = path.resolve(__dirname, '../../../docs/errors');

describe('bundler errors', () => {
  it('each have a page, and each page of the bundler has an error', () => {
    const source = fs.readFileSync(path.resolve(__dirname, '../src/errors.ts'), 'utf8');
    const codes = [...new Set(source.match(/'BUNDLE_\w+'/g)!.map((quoted) => quoted.slice(1, -1)))].sort();
    const documented = fs
      .readdirSync(pages)
      .filter((name) => name.startsWith('BUNDLE_'))
      .map((name) => name.replace('.md', ''));
    expect(documented.sort()).toEqual(codes);
    for (const code of codes)
      expect(fs.readFileSync(path.join(pages, `${code}.md`), 'utf8')).toContain(`# ${code}`);
  });

  it('show every problem with its place, its chain and its frame', () => {
    const error = new BundleError(
      'BUNDLE_SYNTAX_INVALID',
      'it failed:',
      [
        {
          message: 'unexpected',
          file: '/a.ts',
          line: 2,
          column: 3,
          codeFrame: makeCodeFrame('one\ntwo\nthree', 2, 3),
          importChain: ['w.ts', 'a.ts'],
        },
        { message: 'other' },
      ],
      { hint: 'mend it' },
    );
    expect(error.message).toBe(
      [
        'it failed:',
        '  /a.ts:2:3: unexpected',
        '    imported through w.ts',
        '      → a.ts',
        '      1 | one',
        '    > 2 | two',
        '        |   ^',
        '      3 | three',
        '  other',
        'Hint: mend it',
      ].join('\n'),
    );
  });

  it('count lines and columns from 1', () => {
    expect([0, 2, 3, 4].map((offset) => positionOfOffset('ab\ncd', offset))).toEqual([
      { line: 1, column: 1 },
      { line: 1, column: 3 },
      { line: 2, column: 1 },
      { line: 2, column: 2 },
    ]);
  });
});
