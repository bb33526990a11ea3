import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as testing from '@perdure/testing';

const packageDir = join(__dirname, '..');
const official: { values: string[]; types: string[] } = JSON.parse(
  readFileSync(join(packageDir, 'src/testing/api-surface.json'), 'utf8'),
);

/** What this package offers beyond the official one. */
const ADDITIONAL = {
  ReplayFolderError: 'tells every history that does not fit',
  WorkflowHistory: 'what assertions on histories look at',
  expectSteps: 'holds what a workflow has scheduled against what is expected',
  readHistory: 'decodes a history for assertions',
  replayFolder: 'replays a folder of histories as one test',
};

describe('the exports of the package', () => {
  it('have every official runtime name, and no other but the listed ones', () => {
    expect(Object.keys(testing).sort()).toEqual([...official.values, ...Object.keys(ADDITIONAL)].sort());
    for (const name of official.values) expect((testing as any)[name]).toBeDefined();
  });

  it('have every official type', () => {
    const declarations = readFileSync(join(packageDir, 'lib/index.d.ts'), 'utf8');
    const missing = official.types.filter((name) => !new RegExp(`\\b${name}\\b`).test(declarations));
    expect(missing).toEqual([]);
  });

  it('are seen by ESM importers by name', () => {
    const script =
      "import * as testing from '@perdure/testing'; console.log(JSON.stringify(Object.keys(testing)))";
    const output = execFileSync(process.execPath, ['--input-type=module', '-e', script], { cwd: packageDir });
    expect(JSON.parse(output.toString())).toEqual(expect.arrayContaining(Object.keys(testing)));
  });
});
