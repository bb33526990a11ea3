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

  it('has every type of the reference, those of older spellings too, but those listed with a reason', () => {
    // Which types there are, the compiler says of that file; here only that the file names them all.
    const imported = readFileSync(join(__dirname, '../src/testing/every-type.ts'), 'utf8');
    const absent = surface.types.filter((name: string) => !new RegExp(`^  ${name},$`, 'm').test(imported));
    expect(absent).toEqual(Object.keys(missing).filter((name) => surface.types.includes(name)));
    for (const name of ['SearchAttributes', 'SearchAttributeValue', 'ActivityInterface', 'LoggerSinks']) {
      expect(surface.types).toContain(name); // deprecated, and still public
    }
  });

  it('has the deprecated spellings of values', () => {
    const { ParentClosePolicy } = workflow;
    expect(ParentClosePolicy.PARENT_CLOSE_POLICY_ABANDON).toBe(ParentClosePolicy.ABANDON);
    expect(ParentClosePolicy.PARENT_CLOSE_POLICY_TERMINATE).toBe(ParentClosePolicy.TERMINATE);
    expect(ParentClosePolicy.PARENT_CLOSE_POLICY_REQUEST_CANCEL).toBe(ParentClosePolicy.REQUEST_CANCEL);
    expect('PARENT_CLOSE_POLICY_UNSPECIFIED' in ParentClosePolicy).toBe(true);
  });

  it('names its version as the package does', () => {
    expect(JSON.parse(readFileSync(join(__dirname, '../package.json'), 'utf8')).version).toBe(SDK_VERSION);
  });
});
