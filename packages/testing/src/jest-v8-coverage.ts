/**
 * A reporter that adds workflow code to Jest's `coverageProvider: 'v8'`:
 * `reporters: ['default', '@perdure/testing/jest-v8-coverage']`.
 *
 * Jest hands every reporter the result of each test file, its own coverage reporter last. What the test files have
 * collected on the lanes (coverage.ts) is added to the results on the way, so it passes Jest's filters as all else does.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RawCoverage } from './coverage';
import { COVERAGE_VARIABLE, RAW_PREFIX } from './coverage-variable';

interface TestResult {
  v8Coverage?: {
    readonly result: { readonly scriptId: string; readonly url: string; readonly functions: unknown };
    readonly codeTransformResult: {
      readonly code: string;
      readonly originalCode: string;
      readonly sourceMapPath: string;
    };
  }[];
}

class JestV8Coverage {
  readonly #folder: string | undefined;
  #maps = 0;

  constructor(config: { readonly collectCoverage?: boolean; readonly coverageProvider?: string }) {
    if (config.collectCoverage !== true || config.coverageProvider !== 'v8') return;
    const folder = mkdtempSync(join(tmpdir(), 'perdure-jest-coverage-'));
    this.#folder = folder;
    process.env[COVERAGE_VARIABLE] = RAW_PREFIX + folder; // test files run in processes that inherit it
    process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  }

  onTestFileResult(_test: unknown, result: TestResult): void {
    this.#add(result);
  }

  #add(result: TestResult): void {
    const folder = this.#folder;
    if (folder === undefined) return;
    for (const name of readdirSync(folder).filter((file) => file.endsWith('.json'))) {
      const file = join(folder, name);
      const { url, code, map, functions } = JSON.parse(readFileSync(file, 'utf8')) as RawCoverage;
      rmSync(file);
      const sourceMapPath = join(folder, `${this.#maps++}.map`); // read when the run is over
      writeFileSync(sourceMapPath, JSON.stringify(map));
      result.v8Coverage ??= [];
      result.v8Coverage.push({
        result: { scriptId: '0', url, functions },
        codeTransformResult: { code, originalCode: code, sourceMapPath },
      });
    }
  }
}

export = JestV8Coverage;
