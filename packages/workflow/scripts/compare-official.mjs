// Runs random workflow programs on this package and on the official runtime, in one process and with the same
// activations, and compares the commands of both: histories of one must replay on the other.
//
//   node scripts/compare-official.mjs [programs=300] [seed=1] [folder with @temporalio packages=../../bench]
//
// Known differences are left out: a second command that ends the run (the core drops it), and clearing of timers that have fired (the core ignores it).
import { AsyncLocalStorage } from 'node:async_hooks';
import Module, { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const packageDir = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const [programs = 300, seed = 1, folder = join(packageDir, '../../bench')] = process.argv.slice(2);
const require = createRequire(import.meta.url);
const official = createRequire(join(resolve(folder), 'package.json'));

// The official runtime expects what its bundle and its vm context give it.
globalThis.AsyncLocalStorage = AsyncLocalStorage;
const resolveFilename = Module._resolveFilename;
Module._resolveFilename = function (request, ...rest) {
  if (request.startsWith('__temporal_custom_')) return join(packageDir, 'package.json');
  return resolveFilename.call(this, request, ...rest);
};
process.on('unhandledRejection', () => {}); // promises that a program leaves behind

const fc = require('fast-check');
const {
  WorkflowActivationCompletion,
} = require('@perdure/proto/temporal/sdk/core/workflow_completion/workflow_completion');
const { program, programOf, record, stepOfAnyKind } = require('../lib/testing/programs.js');
const { drain, encodeActivation, plain, Scenario } = require('../lib/testing/scenario.js');
const { coresdk } = official('@temporalio/proto');
const api = official('@temporalio/workflow');
const { SdkFlags } = official('@temporalio/workflow/lib/flags');
const { setActivator } = official('@temporalio/workflow/lib/global-attributes');
const machine = official('@temporalio/workflow/lib/worker-interface');

const activator = () => globalThis.__TEMPORAL_ACTIVATOR__;
const officialProgram = programOf({ ...api, ...officialTimers(), random: () => activator().random() });

/** `setTimeout` and `clearTimeout` of the official runtime; every other global is put back. */
function officialTimers() {
  const names = ['Date', 'setTimeout', 'clearTimeout', 'WeakRef', 'FinalizationRegistry'];
  const saved = names.map((name) => globalThis[name]);
  const random = Math.random;
  official('@temporalio/workflow/lib/global-overrides').overrideGlobals();
  const { setTimeout, clearTimeout } = globalThis;
  names.forEach((name, i) => {
    globalThis[name] = saved[i];
  });
  Math.random = random;
  return { setTimeout, clearTimeout };
}

/** One run on the official runtime, driven as its worker drives it. */
class OfficialRun {
  constructor(workflow, interceptors) {
    this.workflow = workflow;
    this.interceptors = interceptors;
  }

  async activate(jobs, facts) {
    const activation = coresdk.workflow_activation.WorkflowActivation.decode(
      encodeActivation('run-1', jobs, facts),
    );
    if (this.activator === undefined) this.create(activation);
    setActivator(this.activator);
    const isReplaying = activation.isReplaying;
    this.activator.now = Number(activation.timestamp.seconds) * 1000;
    this.activator.mutateWorkflowInfo((info) => ({ ...info, unsafe: { ...info.unsafe, isReplaying } }));
    this.activator.addKnownFlags(activation.availableInternalFlags);
    const init = activation.jobs.find((job) => job.initializeWorkflow)?.initializeWorkflow;
    if (init) machine.initialize(init);
    const signals = activation.jobs.filter((job) => job.signalWorkflow);
    const single =
      signals.length === 0 || this.activator.hasFlag(SdkFlags.ProcessWorkflowActivationJobsAsSingleBatch);
    const others = activation.jobs.filter((job) => !job.signalWorkflow);
    const batches = single ? [activation.jobs] : [signals, others];
    for (const [index, batch] of batches.filter((each) => each.length > 0).entries()) {
      machine.activate(
        coresdk.workflow_activation.WorkflowActivation.fromObject({ ...activation, jobs: batch }),
        index,
      );
      await drain();
      while (machine.tryUnblockConditions() > 0) await drain();
    }
    const { successful } = machine.concludeActivation();
    const message = coresdk.workflow_completion.WorkflowActivationCompletion;
    const bytes = message.encode(message.fromObject({ runId: 'run-1', successful })).finish();
    return WorkflowActivationCompletion.decode(bytes).successful.commands.map((command) => plain(command));
  }

  create(activation) {
    const { randomnessSeed } = activation.jobs.find((job) => job.initializeWorkflow).initializeWorkflow;
    globalThis.__TEMPORAL__ = {
      importWorkflows: () => ({ wf: this.workflow }),
      importInterceptors: () => (this.interceptors ? [{ interceptors: this.interceptors }] : []),
    };
    machine.initRuntime({
      info: {
        workflowId: 'workflow-1',
        runId: 'run-1',
        workflowType: 'wf',
        namespace: 'test-namespace',
        taskQueue: 'test-queue',
        searchAttributes: {},
        unsafe: { isReplaying: activation.isReplaying },
      },
      now: 0,
      sourceMap: {},
      getTimeOfDay: () => 0n,
      randomnessSeed: randomnessSeed.toBytes(),
      registeredActivityNames: new Set(['act', 'fail', 'flaky']),
      stackTracesEnabled: false,
      failureExceptionTypeNames: [],
    });
    this.activator = activator();
  }
}

const ENDS = [
  'completeWorkflowExecution',
  'failWorkflowExecution',
  'cancelWorkflowExecution',
  'continueAsNewWorkflowExecution',
];
const IGNORED = new Set(['stackTrace', 'reason']);

function comparable(commands, fired) {
  let ended = false;
  const kept = commands.filter((command) => {
    if (command.cancelTimer && fired.has(command.cancelTimer.seq)) return false;
    const ends = ENDS.some((kind) => kind in command);
    if (ends && ended) return false;
    ended ||= ends;
    return true;
  });
  return JSON.stringify(kept, (key, value) => (IGNORED.has(key) ? undefined : value));
}

let activations = 0;

/** Interceptors of every method that change nothing, each in the style of a plain and of an async function. */
function passing() {
  const of = (methods, call) => Object.fromEntries(methods.map((method) => [method, call]));
  const plainly = (input, next) => next(input);
  const later = async (input, next) => await next(input);
  const inbound = ['execute', 'handleSignal', 'handleUpdate', 'handleQuery'];
  const outbound = [
    'scheduleActivity',
    'scheduleLocalActivity',
    'startTimer',
    'signalWorkflow',
    'continueAsNew',
  ];
  outbound.push('startChildWorkflowExecution', 'startNexusOperation');
  return {
    inbound: [of([...inbound, 'validateUpdate'], plainly), of(inbound, later)],
    outbound: [of(outbound, later), of([...outbound, 'getLogAttributes'], plainly)],
    internals: [of(['activate', 'concludeActivation'], plainly)],
  };
}

/** @param isReplaying true: as a history without any flag is replayed */
async function compare(steps, choices, isReplaying, interceptors) {
  const recorded = [];
  const { activate } = Scenario.prototype;
  Scenario.prototype.activate = async function (jobs, facts) {
    const changed = { ...facts, isReplaying };
    const outcome = await activate.call(this, jobs, changed);
    recorded.push({ jobs, facts: changed, outcome });
    return outcome;
  };
  try {
    await record(program, steps, choices, { more: true, ...(interceptors && { interceptors }) });
  } finally {
    Scenario.prototype.activate = activate;
  }
  const run = new OfficialRun(officialProgram(steps), interceptors);
  const fired = new Set();
  const { random } = Math;
  for (const { jobs, facts, outcome } of recorded) {
    for (const { fireTimer } of jobs) if (fireTimer) fired.add(fireTimer.seq);
    Math.random = () => activator().random(); // its uuid4 draws from here
    const theirs = await run.activate(jobs, facts).finally(() => {
      Math.random = random;
    });
    activations++;
    const [a, b] = [comparable(outcome.commands ?? [], fired), comparable(theirs, fired)];
    if (a !== b) throw new Error(`this package: ${a}\nofficial:     ${b}`);
  }
}

const ways = [false, true].flatMap((isReplaying) => [
  [isReplaying, undefined],
  [isReplaying, passing],
]);
for (const [isReplaying, interceptors] of ways) {
  await fc.assert(
    fc.asyncProperty(
      fc.array(stepOfAnyKind, { minLength: 1, maxLength: 4 }),
      fc.array(fc.nat(1000), { minLength: 3, maxLength: 8 }),
      (steps, choices) => compare(steps, choices, isReplaying, interceptors),
    ),
    { numRuns: Number(programs), seed: Number(seed) },
  );
}
console.log(`${ways.length * programs} programs, ${activations} activations: the same commands`);
