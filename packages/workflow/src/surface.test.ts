import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as workflow from './index';
import { SDK_VERSION } from './version';

const surface = JSON.parse(readFileSync(join(__dirname, '../src/testing/api-surface.json'), 'utf8'));
const missing: Record<string, string> = JSON.parse(
  readFileSync(join(__dirname, '../src/testing/api-surface-missing.json'), 'utf8'),
);

describe('the public API', () => {
  it('has every runtime export of the reference, but those listed with a reason', () => {
    const absent = surface.values.filter((name: string) => !(name in workflow));
    expect(absent).toEqual(Object.keys(missing).filter((name) => surface.values.includes(name)));
  });

  it('has no runtime export beyond the reference but older spellings', () => {
    expect(Object.keys(workflow).filter((name) => !surface.values.includes(name))).toEqual([
      'createActivityHandle',
    ]);
  });

  it('has every type of the reference, but those listed with a reason', () => {
    const declarations = readFileSync(join(__dirname, 'index.d.ts'), 'utf8');
    const absent = surface.types.filter((name: string) => !new RegExp(`\\b${name}\\b`).test(declarations));
    expect(absent).toEqual(Object.keys(missing).filter((name) => surface.types.includes(name)));
  });

  it('names its version as the package does', () => {
    expect(JSON.parse(readFileSync(join(__dirname, '../package.json'), 'utf8')).version).toBe(SDK_VERSION);
  });
});
