import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as client from './index';

const read = (file: string) => JSON.parse(readFileSync(join(__dirname, '../src/testing', file), 'utf8'));
const surface: { values: string[]; types: string[] } = read('api-surface.json');
const missing: Record<string, string> = read('api-surface-missing.json');

describe('the public API', () => {
  it('has every runtime export of the reference, but those listed with a reason', () => {
    const absent = surface.values.filter((name) => !(name in client));
    expect(absent).toEqual(Object.keys(missing).filter((name) => surface.values.includes(name)));
  });

  it('has every type of the reference, but those listed with a reason', () => {
    const declarations = readFileSync(join(__dirname, 'index.d.ts'), 'utf8');
    const absent = surface.types.filter((name) => !new RegExp(`\\b${name}\\b`).test(declarations));
    expect(absent).toEqual(Object.keys(missing).filter((name) => surface.types.includes(name)));
  });

  it('adds nothing to the reference but what it documents', () => {
    const added = Object.keys(client).filter((name) => !surface.values.includes(name));
    expect(added.sort()).toEqual([
      'ConnectionFailedError',
      'ServerFeatureUnavailableError',
      'ServiceCancelledError',
      'ServiceDeadlineError',
      'ServicePermissionError',
    ]);
  });
});
