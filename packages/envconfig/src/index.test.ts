import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import * as envconfig from '@perdure/envconfig';
import { ADDITIONAL_VALUES } from './testing/api-differences';

const packageDir = path.resolve(__dirname, '..');
const official: { values: string[]; types: string[] } = JSON.parse(
  fs.readFileSync(path.join(packageDir, 'src/testing/api-surface.json'), 'utf8'),
);

describe('the exports of the package', () => {
  it('are the official runtime names, and the listed ones', () => {
    expect(Object.keys(envconfig).sort()).toEqual(
      [...official.values, ...Object.keys(ADDITIONAL_VALUES)].sort(),
    );
    for (const name of official.values) expect((envconfig as any)[name]).toBeInstanceOf(Function);
  });

  it('have every official type', () => {
    const declarations = fs.readFileSync(path.join(packageDir, 'lib/index.d.ts'), 'utf8');
    const missing = official.types.filter(
      (name) => !new RegExp(`\\btype ${name}\\b|[{,]\\s*${name}\\b`).test(declarations),
    );
    expect(missing).toEqual([]);
  });

  it('are seen by ESM importers by name', () => {
    const script = "import * as e from '@perdure/envconfig'; console.log(JSON.stringify(Object.keys(e)))";
    const output = execFileSync(process.execPath, ['--input-type=module', '-e', script], { cwd: packageDir });
    expect(JSON.parse(output.toString())).toEqual(expect.arrayContaining(official.values));
  });
});
