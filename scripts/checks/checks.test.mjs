/** The checks are checked: each must see what it is there to see. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { typesVersions } from '../tools/pack.mjs';
import { installedMatchesLock } from '../tools/setup.mjs';
import { anchorsOf, codesInRust, codesInTypeScript } from './docs.mjs';
import { declares, fragmentsOf, withImagined } from './fragments.mjs';
import { importBreach, importsOf } from './layers.mjs';

test('imports are found in every form', () => {
  const source = [
    "import a, { b } from 'one';",
    "import type { c } from 'two';",
    'import {',
    '  d,',
    "} from 'three';",
    "export * from 'four';",
    "import 'five';",
    "const six = await import('six');",
    "const seven = require('seven');",
    "require.resolve('eight');",
  ].join('\n');
  assert.deepEqual(importsOf(source).sort(), [
    'eight',
    'five',
    'four',
    'one',
    'seven',
    'six',
    'three',
    'two',
  ]);
});

test('imports in comments, template literals and strings do not count', () => {
  const source = [
    "// import x from 'a';",
    '/**',
    " * import y from 'b';",
    ' */',
    "const code = `\nimport z from 'c';\n`;",
    'const text = "import q from \'d\';";',
    "const url = 'http://example.test/path'; import('e');",
  ].join('\n');
  assert.deepEqual(importsOf(source), ['e']);
});

const workflow = {
  short: 'workflow',
  name: '@perdure/workflow',
  manifest: { dependencies: { '@perdure/common': '1' } },
};
const breach = (specifier, file = 'src/a.ts', pkg = workflow) =>
  importBreach(pkg, `packages/${pkg.short}/${file}`, file, specifier);

test('an import that points up or sideways is a breach, and one that points down is not', () => {
  assert.equal(breach('@perdure/common'), undefined);
  assert.match(breach('@perdure/worker'), /not below/);
  assert.match(breach('@perdure/sandbox', 'src/a.test.ts'), /not below/);
});

test('a relative import may not leave its package, not even from a test', () => {
  assert.equal(breach('./b'), undefined);
  assert.match(breach('../../common/src/index'), /leaves the package/);
  assert.match(breach('../../common/src/index', 'src/a.test.ts'), /leaves the package/);
});

test('packages that run in the sandbox may not name Node.js modules outside of tests', () => {
  assert.match(breach('node:fs'), /Node\.js module/);
  assert.match(breach('fs'), /Node\.js module/);
  assert.equal(breach('node:fs', 'src/a.test.ts'), undefined);
});

test('an npm package that is not declared is a breach', () => {
  assert.match(breach('left-pad'), /not in the dependencies/);
});

test('error codes are found in classes, unions and Rust matches', () => {
  assert.deepEqual(codesInTypeScript("class A { readonly code = 'A_B'; }"), ['A_B']);
  assert.deepEqual(
    codesInTypeScript("class A { override readonly code: string = 'C'; }".replace("'C'", "'C_D'")),
    ['C_D'],
  );
  assert.deepEqual(codesInTypeScript("type XErrorCode =\n  | 'E_F'\n  | 'G_H';"), ['E_F', 'G_H']);
  assert.deepEqual(
    codesInRust(
      '    pub fn code(&self) -> &\'static str {\n        match self { Self::X => "I_J" }\n    }\n',
    ),
    ['I_J'],
  );
});

test('headings become the anchors that links use', () => {
  assert.deepEqual(
    [...anchorsOf('# The way of a task\n## `npm start`, twice')],
    ['the-way-of-a-task', 'npm-start-twice'],
  );
});

test('fragments of documents are found with their lines, languages and files', () => {
  const fence = '```';
  const text = [
    '`src/activities.ts`. Ordinary code:',
    '',
    `${fence}ts`,
    'export const a = 1;',
    fence,
    '',
    `${fence}json`,
    '{}',
    fence,
    '',
    '- in a list',
    '',
    `  ${fence}js`,
    "  const b = require('b');",
    `  ${fence}`,
    '',
    `${fence}ts`,
    '// workflows.ts: what it is',
    'export const c = 1;',
    fence,
  ].join('\n');
  assert.deepEqual(fragmentsOf(text), [
    { language: 'ts', code: 'export const a = 1;\n', line: 4, file: 'activities.ts' },
    { language: 'js', code: "const b = require('b');\n", line: 14 },
    {
      language: 'ts',
      code: '// workflows.ts: what it is\nexport const c = 1;\n',
      line: 18,
      file: 'workflows.ts',
    },
  ]);
});

test('what a fragment leaves out is added behind it, with what that needs, and only where it is missing', () => {
  const names = { db: 'declare const db: Database;', Database: 'interface Database {}', other: 'let other;' };
  assert.equal(
    withImagined('db.get();\n', names),
    'db.get();\n\ndeclare const db: Database;\ninterface Database {}\nexport {};\n',
  );
  assert.equal(withImagined('const { db } = x;', names), 'const { db } = x;\nexport {};\n');
  assert.equal(declares("import {\n  db,\n} from 'x';", 'db'), true);
  assert.equal(declares("import { dbs } from 'x'; db.get();", 'db'), false);
});

test('entries of a package are told to compilers that do not read exports', () => {
  const exports = {
    '.': { types: './lib/index.d.ts', default: './lib/index.js' },
    './runtime': { types: './lib/runtime/index.d.ts', default: './lib/runtime/index.js' },
    './temporal/*': { types: './lib/temporal/*.d.ts', default: './lib/temporal/*.js' },
    './lib/*': { types: './lib/*.d.ts', default: './lib/*.js' },
    './package.json': './package.json',
  };
  assert.deepEqual(typesVersions(exports), {
    '*': { runtime: ['lib/runtime/index.d.ts'], 'temporal/*': ['lib/temporal/*.d.ts'] },
  });
  assert.equal(typesVersions({ '.': exports['.'] }), undefined);
});

test('an installation that differs from the lock file is seen', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'perdure-lock-'));
  try {
    const lock = (version) => ({ packages: { '': {}, 'node_modules/a': { version, integrity: version } } });
    await writeFile(join(dir, 'package-lock.json'), JSON.stringify(lock('1.0.0')));
    assert.equal(installedMatchesLock(dir), false);
    await mkdir(join(dir, 'node_modules'));
    await writeFile(join(dir, 'node_modules', '.package-lock.json'), JSON.stringify(lock('1.0.0')));
    assert.equal(installedMatchesLock(dir), true);
    await writeFile(join(dir, 'package-lock.json'), JSON.stringify(lock('1.0.1')));
    assert.equal(installedMatchesLock(dir), false);
  } finally {
    await rm(dir, { recursive: true });
  }
});
