import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as worker from './index';

const read = (file: string) => JSON.parse(readFileSync(join(__dirname, '../src/testing', file), 'utf8'));
const surface: { values: string[]; types: string[] } = read('api-surface.json');
const missing: Record<string, string> = read('api-surface-missing.json');

describe('the public API', () => {
  it('has every runtime export of the reference, but those listed with a reason', () => {
    const absent = surface.values.filter((name) => !(name in worker));
    expect(absent).toEqual(Object.keys(missing).filter((name) => surface.values.includes(name)));
  });

  it('has every type of the reference, but those listed with a reason', () => {
    // Which types there are, the compiler says of that file; here only that the file names them all.
    const named = readFileSync(join(__dirname, '../src/testing/every-type.ts'), 'utf8');
    const absent = surface.types.filter((name) => !new RegExp(`^  ${name},$`, 'm').test(named));
    expect(absent).toEqual(Object.keys(missing).filter((name) => surface.types.includes(name)));
  });

  it('adds nothing to the reference but what it documents', () => {
    const more = Object.keys(worker).filter((name) => !surface.values.includes(name));
    expect(more.sort()).toEqual([
      'Core', // early API
      'CoreError',
      'Gauge', // numInFlightActivities$ and its like
      'InvalidOptionsError',
      'NodeVersionError',
      'SlotSupplierError',
      'WorkerFatalError',
      'externalWorkflowActivities',
    ]);
  });
});
