/** Values from user code are hostile until proved otherwise: each ends as a failed task or a failed workflow. */
import {
  ApplicationFailure,
  BinaryPayloadConverter,
  DefaultFailureConverter,
  defaultPayloadConverter,
} from '@perdure/common';
import {
  DeterminismViolationError,
  defineSignal,
  defineUpdate,
  proxyActivities,
  setHandler,
  setWorkflowOptions,
  sleep,
  startChild,
} from './index';
import { createRuntime } from './runtime';
import {
  bundleOf,
  encodeActivation,
  job,
  payload,
  REGISTRATION,
  Scenario,
  scenario,
} from './testing/scenario';

const failedWith = async (workflow: (...args: any[]) => unknown, options?: object) =>
  (await scenario(workflow, options).activate([job.start()])).failed;

function hostileProxy(): object {
  const trap = () => {
    throw new Error('trapped');
  };
  return new Proxy(
    {},
    { get: trap, has: trap, getPrototypeOf: trap, ownKeys: trap, getOwnPropertyDescriptor: trap },
  );
}

describe('a workflow function that throws', () => {
  it('what is no error fails the task with its text', async () => {
    for (const [thrown, message] of [
      [null, /null/],
      [undefined, /undefined/],
      ['a text', /a text/],
      [42, /42/],
      [{ a: 1 }, /./],
      [Symbol('s'), /./],
    ] as const) {
      expect(
        await failedWith(async () => {
          throw thrown;
        }),
      ).toMatch(message);
    }
  });

  it('an error whose causes form a loop fails the task with its message', async () => {
    expect(
      await failedWith(async () => {
        const a: any = new Error('first');
        a.cause = new Error('second', { cause: a });
        throw a;
      }),
    ).toMatch(/first/);
  });

  it('a failure whose causes form a loop fails the workflow', async () => {
    const failure: any = ApplicationFailure.nonRetryable('first');
    failure.cause = new Error('second', { cause: failure });
    const { commands } = await scenario(async () => {
      throw failure;
    }).activate([job.start()]);
    expect(commands?.[0].failWorkflowExecution.failure.message).toMatch(/first/);
  });

  it('an error whose members throw fails the task', async () => {
    expect(
      await failedWith(async () => {
        throw Object.defineProperties(new Error('x'), {
          message: {
            get() {
              throw new Error('no message for you');
            },
          },
          stack: {
            get() {
              throw new Error('no stack for you');
            },
          },
        });
      }),
    ).toBeDefined();
  });

  it('a proxy that throws at everything fails the task', async () => {
    expect(
      await failedWith(async () => {
        throw hostileProxy();
      }),
    ).toBeDefined();
  });

  it('a failure with details that cannot be serialised fails the workflow, and a note stands for them', async () => {
    const [command] = await scenario(async () => {
      throw ApplicationFailure.nonRetryable('with details', 'T', 1n);
    }).commands([job.start()]);
    const { failure } = command.failWorkflowExecution;
    expect(failure.message).toBe('with details');
    expect(JSON.stringify(failure.applicationFailureInfo.details)).toMatch(/BigInt/);
  });

  it('a proxy that throws at everything from an update handler still leads to one answer', async () => {
    const s = scenario(async () => {
      setHandler(defineUpdate('u'), async () => {
        throw hostileProxy();
      });
      await sleep(1000);
    });
    await s.commands([job.start()]);
    expect((await s.activate([job.update('u')])).failed).toBeDefined();
  });
});

describe('a workflow function that returns', () => {
  it('what cannot be serialised fails the task and says so', async () => {
    const loop: any = {};
    loop.self = loop;
    for (const value of [1n, loop, () => 1, Symbol('s')]) {
      expect(await failedWith(async () => value)).toMatch(
        /result of the workflow cannot be turned into a payload/,
      );
    }
  });

  it('an object whose toJSON throws fails the task', async () => {
    expect(
      await failedWith(async () => ({
        toJSON() {
          throw new Error('not for you');
        },
      })),
    ).toMatch(/not for you/);
  });

  it('a thenable ends as the thenable says, and no later', async () => {
    const ok = { then: (resolve: (v: unknown) => void) => resolve('done') };
    expect(await scenario(() => ok).commands([job.start()])).toEqual([
      { completeWorkflowExecution: { result: 'done' } },
    ]);
    const bad = {
      get then() {
        throw new Error('bad then');
      },
    };
    expect(await failedWith(() => bad)).toBe('bad then');
  });

  it('a promise with a constructor of its own is awaited', async () => {
    const tricky = () => {
      const promise = Promise.resolve('value');
      Object.defineProperty(promise, 'constructor', {
        get() {
          throw new Error('constructor read');
        },
      });
      return promise;
    };
    const { commands, failed } = await scenario(tricky).activate([job.start()]);
    expect(failed ?? commands?.[0].completeWorkflowExecution.result).toMatch(/value|constructor read/);
  });

  it('something other than a promise completes with it', async () => {
    expect(await scenario(() => 7).commands([job.start()])).toEqual([
      { completeWorkflowExecution: { result: 7 } },
    ]);
  });
});

describe('a workflow type', () => {
  it('that is unknown fails the task and lists those there are', async () => {
    const s = new Scenario({ a: async () => 1, b: async () => 1 });
    const outcome = await s.activate([job.start()]);
    expect(outcome.failed).toBe(
      'The bundle has no workflow of type "wf": it has "a", "b"; ' +
        'export the workflow function under that name from the module given as workflowsPath',
    );
    expect(outcome.failure.applicationFailureInfo.type).toBe('WorkflowTypeNotFoundError');
  });

  it('named like a member of Object.prototype is found only if it is exported', async () => {
    for (const workflowType of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
      const unknown = new Scenario({ a: async () => 1 });
      expect((await unknown.activate([job.start([], { workflowType })])).failed).toMatch(
        /no workflow of type/,
      );
      const known = new Scenario(Object.fromEntries([[workflowType, async () => 'found']]));
      expect(await known.commands([job.start([], { workflowType })])).toEqual([
        { completeWorkflowExecution: { result: 'found' } },
      ]);
    }
  });

  it('that is unknown goes to the default workflow', async () => {
    const s = new Scenario({ default: async (n: number) => n });
    expect(await s.commands([job.start([3], { workflowType: 'anything' })])).toEqual([
      { completeWorkflowExecution: { result: 3 } },
    ]);
  });

  it('whose export is no function fails the task', async () => {
    expect(await failedWith(5 as any)).toMatch(/"wf" is not a function but number/);
  });
});

describe('modules', () => {
  it('that throw while they load fail the task, at every attempt', async () => {
    const options = {
      onLoad: () => {
        throw new Error('cannot load');
      },
    };
    expect(await failedWith(async () => 1, options)).toBe('cannot load');
  });

  it('are loaded once per run and see the workflow context', async () => {
    let loads = 0;
    const s = scenario(() => sleep(1), { onLoad: () => loads++ });
    await s.commands([job.start()]);
    await s.commands([job.fireTimer(1)]);
    expect(loads).toBe(1);
  });
});

describe('converters', () => {
  it('of the bundle are used, with the context of what they convert', async () => {
    const contexts: unknown[] = [];
    const payloadConverter = {
      toPayload(value: unknown, context: unknown) {
        contexts.push(context);
        return defaultPayloadConverter.toPayload(value);
      },
      fromPayload: (p: any) => defaultPayloadConverter.fromPayload(p),
    };
    const { act } = proxyActivities<any>({ startToCloseTimeout: 1, summary: 'acts' });
    const workflow = async () => {
      await act(1);
      await sleep(1, { summary: 'sleeps' });
      await startChild('child', { workflowId: 'child-1', args: [1], staticSummary: 'starts' });
    };
    const s = scenario(workflow, { payloadConverter });
    await s.commands([job.start()]);
    await s.commands([job.activityDone(1, 2)]);
    await s.commands([job.fireTimer(1)]);
    const of = (workflowId: string) => ({ type: 'workflow', namespace: 'test-namespace', workflowId });
    const ofActivity = { ...of('workflow-1'), type: 'activity', activityId: '1', isLocal: false };
    expect(contexts).toEqual([
      ofActivity,
      ofActivity, // the summary
      of('workflow-1'), // the summary of the timer
      of('child-1'),
      of('child-1'),
    ]);
  });

  it('that are none fail the task', async () => {
    expect(await failedWith(async () => 1, { payloadConverter: { toPayload: 1 } })).toMatch(
      /method toPayload\(\)/,
    );
  });

  it('for failures that throw still end the task, with both reasons', async () => {
    const failureConverter = {
      errorToFailure() {
        throw new Error('converter broke');
      },
      failureToError: () => new Error('x'),
    };
    expect(
      await failedWith(
        async () => {
          throw new Error('original');
        },
        { failureConverter },
      ),
    ).toMatch(/original.*converter broke/);
  });

  it('for failures that give nonsense still end the task', async () => {
    const failureConverter = {
      errorToFailure: () => ({
        message: 12,
        cause: 'text',
        applicationFailureInfo: { details: { payloads: 4 } },
      }),
      failureToError: () => new Error('x'),
    };
    expect(
      await failedWith(
        async () => {
          throw new Error('original');
        },
        { failureConverter },
      ),
    ).toBeDefined();
  });

  it('for failures of the bundle are used', async () => {
    const failureConverter = new DefaultFailureConverter({ encodeCommonAttributes: true });
    const s = scenario(
      async () => {
        throw ApplicationFailure.nonRetryable('secret');
      },
      { failureConverter },
    );
    const [command] = await s.commands([job.start()]);
    expect(command.failWorkflowExecution.failure.message).toBe('Encoded failure');
  });

  it('may keep what they are given: payloads do not share the memory of the activation', async () => {
    const converter = new BinaryPayloadConverter();
    const s = scenario(async (bytes: Uint8Array) => Array.from(bytes), {
      payloadConverter: {
        toPayload: (v: unknown) => defaultPayloadConverter.toPayload(v),
        fromPayload: (p: any) => (p.data === undefined ? undefined : converter.fromPayload(p)),
      },
    });
    expect(await s.commands([job.start([new Uint8Array([1, 2, 3])])])).toEqual([
      { completeWorkflowExecution: { result: [1, 2, 3] } },
    ]);
  });
});

describe('error classes that fail the workflow', () => {
  class Mine extends Error {}
  class Sub extends Mine {}
  const throws = (error: Error) => async () => {
    throw error;
  };

  it('can be named by the worker, for one type or for all', async () => {
    for (const key of ['wf', '*']) {
      const registration = { workflowFailureErrorTypes: { [key]: ['Mine'] } };
      const s = scenario(throws(new Sub('expected')), { registration });
      expect((await s.commands([job.start()]))[0].failWorkflowExecution.failure.message).toBe('expected');
      expect(await failedWith(throws(new Error('other')), { registration })).toBe('other');
    }
  });

  it('can be given with the workflow', async () => {
    const workflow = throws(new Sub('expected')) as () => Promise<never>;
    setWorkflowOptions({ failureExceptionTypes: [Mine], versioningBehavior: 'PINNED' }, workflow);
    const outcome = await scenario(workflow).activate([job.start()]);
    expect(outcome.commands?.[0].failWorkflowExecution.failure.message).toBe('expected');
    expect(outcome.versioningBehavior).toBe(1);
  });
});

describe('the end of a run', () => {
  it('is told once, whatever happens after it', async () => {
    const s = scenario(async () => {
      setHandler(defineSignal('late'), async () => {
        await sleep(1);
        throw ApplicationFailure.nonRetryable('too late');
      });
      return 'first';
    });
    expect(await s.commands([job.start(), job.signal('late')])).toEqual([
      { startTimer: { seq: 1, startToFireTimeout: 1 } },
      { completeWorkflowExecution: { result: 'first' } },
    ]);
    expect(await s.commands([job.fireTimer(1)])).toEqual([]);
  });
});

describe('the runtime', () => {
  const make = () => {
    const api = createRuntime(
      {
        entropy: Math.random,
        wallClockMs: Date.now,
        newGlobal: () => ({}),
        runInScope: (_store, fn) => fn(),
        currentScope: () => undefined,
      },
      {},
    );
    api.register(REGISTRATION, bundleOf({ wf: async () => 1 }));
    return api;
  };

  it('answers nonsense, unknown workers and unknown runs with a failed task', () => {
    const api = make();
    for (const [worker, bytes] of [
      [1, new Uint8Array([1, 2, 3])],
      [1, encodeActivation('unknown', [job.fireTimer(1)])],
      [9, encodeActivation('run', [job.start()])],
    ] as const) {
      api.begin(worker, bytes);
      expect(api.step()).toBe(false);
      expect(api.finish().length).toBeGreaterThan(10);
    }
    expect(api.runCount).toBe(0);
  });

  it('can drop an activation and go on with another', async () => {
    const s = scenario(() => sleep(1));
    s.api.begin(1, encodeActivation('run-1', [job.start()]));
    expect(s.api.abort('the host broke').length).toBeGreaterThan(10);
    s.evict();
    expect(await s.commands([job.start()])).toHaveLength(1);
  });

  it('refuses a bundle of another format', () => {
    const api = make();
    expect(() => api.register(REGISTRATION, { ...bundleOf({}), format: 99 })).toThrow(/format 99/);
    expect(() => api.register(REGISTRATION, undefined as any)).toThrow(/format undefined/);
  });

  it('drops a run when an activation says so, and answers with no commands', async () => {
    const s = scenario(() => sleep(1));
    await s.commands([job.start()]);
    expect(await s.commands([{ removeFromCache: { message: 'full' } }])).toEqual([]);
    expect(s.api.runCount).toBe(0);
  });

  it('forgets the runs of a worker that is unregistered', () => {
    const api = make();
    api.begin(1, encodeActivation('run', [job.start()]));
    api.finish();
    expect(api.runCount).toBe(1);
    api.unregister(1);
    expect(api.runCount).toBe(0);
  });

  it('tells a violation of determinism by its code', () => {
    expect(new DeterminismViolationError('x').code).toBe('WORKFLOW_DETERMINISM_VIOLATION');
    expect(payload(1)).toBeDefined();
  });
});
