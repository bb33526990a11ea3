/**
 * Counts what passed and failed.
 *
 * T1  Each entry point ends with one line "N passed, M failed" and a status that is not 0 when M is not 0.
 * T2  With PERDURE_TALLY set to a file, the same numbers are appended to it as one line of JSON, so that `.ci/run`
 *     can add up several entry points.
 */
import { appendFileSync } from 'node:fs';

export class Tally {
  passed = 0;
  failed = 0;

  /** @param {string} title what is counted, "tests" or "checks" */
  constructor(title) {
    this.title = title;
  }

  add(passed, failed) {
    this.passed += passed;
    this.failed += failed;
  }

  /**
   * Runs one check and prints one line for it; a failure is followed by its details.
   * @param {string} name
   * @param {() => Promise<string | void> | string | void} body returns a remark; throws when the check fails
   */
  async check(name, body) {
    const begin = process.hrtime.bigint();
    try {
      const remark = await body();
      this.passed += 1;
      console.log(`ok    ${name}${remark ? ` (${remark})` : ''}  ${seconds(begin)}`);
    } catch (error) {
      this.failed += 1;
      console.log(`FAIL  ${name}  ${seconds(begin)}`);
      console.log(indent(String(error?.message ?? error)));
    }
  }

  /** T1, T2 */
  end() {
    if (process.env.PERDURE_TALLY) {
      appendFileSync(
        process.env.PERDURE_TALLY,
        `${JSON.stringify({ title: this.title, passed: this.passed, failed: this.failed })}\n`,
      );
    }
    console.log(`\n${this.title}:`);
    console.log(`${this.passed} passed, ${this.failed} failed`);
    process.exitCode = this.failed > 0 || this.passed === 0 ? 1 : 0;
  }
}

function seconds(begin) {
  return `${(Number(process.hrtime.bigint() - begin) / 1e9).toFixed(1)} s`;
}

function indent(text) {
  return text.replace(/^/gm, '      ').trimEnd();
}
