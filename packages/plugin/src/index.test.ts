import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import * as plugin from '@perdure/plugin';

const packageDir = path.resolve(__dirname, '..');
const official: { values: string[]; types: string[] } = JSON.parse(
  fs.readFileSync(path.join(packageDir, 'src/testing/api-surface.json'), 'utf8'),
);

describe('the exports of the package', () => {
  it('are the official runtime names', () => {
    expect(Object.keys(plugin).sort()).toEqual([...official.values].sort());
  });

  it('have every official type', () => {
    const declarations = fs.readFileSync(path.join(packageDir, 'lib/index.d.ts'), 'utf8');
    const missing = official.types.filter(
      (name) => !new RegExp(`\\btype ${name}\\b|[{,]\\s*${name}\\b`).test(declarations),
    );
    expect(missing).toEqual([]);
  });

  it('are seen by ESM importers by name, and load nothing else', () => {
    const script =
      "import { createRequire } from 'node:module'; import { SimplePlugin } from '@perdure/plugin';" +
      "const loaded = Object.keys(createRequire(import.meta.url).cache).filter((f) => !f.includes('/plugin/'));" +
      'console.log(JSON.stringify([typeof SimplePlugin, loaded]))';
    const output = execFileSync(process.execPath, ['--input-type=module', '-e', script], { cwd: packageDir });
    expect(JSON.parse(output.toString())).toEqual(['function', []]);
  });
});
