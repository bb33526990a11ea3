import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import * as nexus from '@perdure/nexus';

const packageDir = path.resolve(__dirname, '..');
const official: { values: string[]; types: string[] } = JSON.parse(
  fs.readFileSync(path.join(packageDir, 'src/testing/api-surface.json'), 'utf8'),
);

describe('the exports of the package', () => {
  it('are the official runtime names', () => {
    expect(Object.keys(nexus).sort()).toEqual([...official.values].sort());
    for (const name of official.values) expect((nexus as any)[name]).toBeDefined();
  });

  it('have every official type', () => {
    const declarations = fs.readFileSync(path.join(packageDir, 'lib/index.d.ts'), 'utf8');
    const missing = official.types.filter(
      (name) => !new RegExp(`\\btype ${name}\\b|[{,]\\s*${name}\\b`).test(declarations),
    );
    expect(missing).toEqual([]);
  });

  it('are seen by ESM importers by name', () => {
    const script = "import * as n from '@perdure/nexus'; console.log(JSON.stringify(Object.keys(n)))";
    const output = execFileSync(process.execPath, ['--input-type=module', '-e', script], { cwd: packageDir });
    expect(JSON.parse(output.toString())).toEqual(expect.arrayContaining(official.values));
  });

  it('are also at the paths that users import beside the index', () => {
    expect(require('@perdure/nexus/lib/context').getClient).toBe(nexus.getClient);
    expect(require('@perdure/nexus/lib/token').encodeOperationToken).toBeInstanceOf(Function);
  });
});
