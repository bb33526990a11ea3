import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compileCached } from './code-cache';

describe('compiled code on disk', () => {
  let directory: string;
  let file: string;

  beforeEach(() => {
    jest.useFakeTimers();
    directory = mkdtempSync(join(tmpdir(), 'perdure-code-'));
    file = join(directory, 'script.js');
    writeFileSync(file, `(() => ${JSON.stringify('x'.repeat(5000))}.length)`);
  });
  afterEach(() => {
    jest.useRealTimers();
    rmSync(directory, { recursive: true, force: true });
  });

  const compile = () => compileCached(file, 'test:script', join(directory, 'code'));
  const entries = () => readdirSync(join(directory, 'code'));
  const entry = () => join(directory, 'code', entries()[0]!);
  function compileAndKeep(): void {
    compile().runInThisContext();
    jest.runAllTimers();
  }

  it('is used by the next one that compiles the file, which gets the same function', () => {
    expect(compile().cachedDataRejected).toBeUndefined();
    jest.runAllTimers();
    expect(entries()).toHaveLength(1);
    const script = compile();
    expect(script.cachedDataRejected).toBe(false);
    expect((script.runInThisContext() as () => number)()).toBe(5000);
  });

  it('is not used once the file has changed', () => {
    compileAndKeep();
    writeFileSync(file, '(() => 1)');
    const script = compile();
    expect(script.cachedDataRejected).toBeUndefined();
    expect((script.runInThisContext() as () => number)()).toBe(1);
  });

  it('is made anew when it is damaged at any place', () => {
    compileAndKeep();
    const path = entry();
    const whole = readFileSync(path);
    for (const at of [0, 8, whole.length >> 1, whole.length - 1]) {
      const damaged = Buffer.from(whole);
      damaged[at]! ^= 0x10;
      writeFileSync(path, damaged);
      expect(compile().cachedDataRejected).toBeUndefined();
      expect(entries()).toEqual([]);
    }
    for (const length of [0, 7, 8, whole.length - 1]) {
      writeFileSync(path, whole.subarray(0, length));
      expect(compile().cachedDataRejected).toBeUndefined();
    }
    jest.runAllTimers();
    expect(compile().cachedDataRejected).toBe(false);
  });

  it('can be written by nobody else, and is not read if it can', () => {
    compileAndKeep();
    if (process.platform === 'win32') return;
    expect(statSync(entry()).mode & 0o777).toBe(0o600);
    expect(statSync(join(directory, 'code')).mode & 0o777).toBe(0o700);
    chmodSync(entry(), 0o622);
    expect(compile().cachedDataRejected).toBeUndefined();
  });

  it('does not gather: eight entries stay, the newest', () => {
    for (let i = 0; i < 10; i++) {
      writeFileSync(file, `(() => ${'1'.repeat(i + 1)})`);
      compileAndKeep();
    }
    expect(entries()).toHaveLength(8);
    expect(compile().cachedDataRejected).toBe(false);
  });

  it('is no reason to fail where it cannot be written', () => {
    writeFileSync(join(directory, 'code'), 'a file where the directory should be');
    const script = compile();
    jest.runAllTimers();
    expect((script.runInThisContext() as () => number)()).toBe(5000);
  });
});
