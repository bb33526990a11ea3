/** lib/realm.js, evaluated as the sandbox does it: in a bare context, with nothing but the language. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import * as vm from 'node:vm';
import { WorkflowActivationCompletion } from '@perdure/proto/temporal/sdk/core/workflow_completion/workflow_completion';
import type { RuntimeHost, RuntimeParts } from './runtime';
import { encodeActivation, job, plain, REGISTRATION } from './testing/scenario';

const path = join(__dirname, 'realm.js');

function makeRealm() {
  const context = vm.createContext((vm.constants as any).DONT_CONTEXTIFY, {
    microtaskMode: 'afterEvaluate',
    codeGeneration: { strings: false, wasm: false },
  });
  for (const name of ['WebAssembly', 'Atomics', 'SharedArrayBuffer']) {
    vm.runInContext(`delete globalThis.${name}`, context);
  }
  const before = vm.runInContext('Object.getOwnPropertyNames(globalThis).sort().join()', context);
  const make = vm.runInContext(readFileSync(path, 'utf8'), context, { filename: 'realm.js' });
  const storage = new AsyncLocalStorage<unknown>();
  const host: RuntimeHost = {
    entropy: Math.random,
    wallClockMs: Date.now,
    newGlobal: () => ({}),
    runInScope: (store, fn) => storage.run(store, fn),
    currentScope: () => storage.getStore(),
  };
  const parts: RuntimeParts = make(host);
  const after = vm.runInContext('Object.getOwnPropertyNames(globalThis).sort().join()', context);
  const noop = new vm.Script('');
  const activate = (bytes: Uint8Array) => {
    parts.api.begin(1, bytes);
    noop.runInContext(context);
    while (parts.api.step()) noop.runInContext(context);
    return plain(WorkflowActivationCompletion.decode(parts.api.finish()).successful).commands;
  };
  return { context, parts, activate, before, after };
}

describe('the script of the runtime', () => {
  it('runs a workflow with an activity in a context that has nothing but the language', () => {
    const { context, parts, activate } = makeRealm();
    const bundle = vm.runInContext(
      `({
        format: 1, interceptors: [], shared: [],
        workflows: [['wf', 'main', 'wf']],
        chunks: [['main', (globalThis, require, exports) => {
          const { proxyActivities, sleep, CancellationScope } = require('@perdure/workflow');
          const { ApplicationFailure } = require('@perdure/common');
          const { greet } = proxyActivities({ startToCloseTimeout: '1 minute' });
          exports.wf = async (name) => {
            const text = await greet(name);
            await CancellationScope.cancellable(() => sleep(5));
            return [text, ApplicationFailure.create({ message: 'ü€😀' }).message];
          };
        }]],
      })`,
      context,
    );
    parts.api.register(REGISTRATION, bundle);
    expect(activate(encodeActivation('r', [job.start(['Ada 😀'])]))[0].scheduleActivity).toMatchObject({
      activityType: 'greet',
      arguments: ['Ada 😀'],
    });
    expect(activate(encodeActivation('r', [job.activityDone(1, 'Hallo €')]))[0]).toHaveProperty('startTimer');
    expect(activate(encodeActivation('r', [job.fireTimer(1)]))).toEqual([
      { completeWorkflowExecution: { result: ['Hallo €', 'ü€😀'] } },
    ]);
  });

  it('leaves no name behind in its context', () => {
    const { before, after } = makeRealm();
    expect(after).toBe(before);
  });

  it('offers the host modules and what stands behind the globals', () => {
    const { parts } = makeRealm();
    expect(Object.keys(parts.modules)).toEqual(['@perdure/workflow', '@perdure/common']);
    expect(parts.globals.now()).toBe(0);
    expect(parts.globals.random()).toBeLessThan(1);
    for (const name of ['setTimeout', 'clearTimeout', 'determinismViolation'] as const) {
      expect(typeof parts.globals[name]).toBe('function');
    }
    expect((parts.globals.determinismViolation!('x') as Error).message).toBe('x');
  });

  it('does not grow unnoticed', () => {
    expect(statSync(path).size).toBeLessThan(700_000);
  });
});
