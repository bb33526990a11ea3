/** Slot suppliers: how many tasks of each kind a worker takes at a time. */
import type { Duration, WorkerDeploymentVersion } from '@perdure/common';
import { msToNumber } from '@perdure/common/lib/time';
import type {
  SlotSupplier as SlotSupplierMessage,
  SlotSuppliers,
} from '@perdure/proto/perdure/core/v1/options';
import Long from 'long';
import type { Check } from './options-check';
import { anyFunction, duration, integer, numberBetween, OptionsCheck } from './options-check';

/** One supplier a kind, or all kinds by the machine's resources. */
export type WorkerTuner = ResourceBasedTuner | ResourceBasedTunerWithController | TunerHolder;

/** One supplier a kind of task. */
export interface TunerHolder {
  workflowTaskSlotSupplier: SlotSupplier<WorkflowSlotInfo>;
  activityTaskSlotSupplier: SlotSupplier<ActivitySlotInfo>;
  localActivityTaskSlotSupplier: SlotSupplier<LocalActivitySlotInfo>;
  nexusTaskSlotSupplier: SlotSupplier<NexusSlotInfo>;
}

export type SlotSupplier<SI extends SlotInfo> =
  | ResourceBasedSlotsForType
  | FixedSizeSlotSupplier
  | CustomSlotSupplier<SI>;

/** A constant number of slots. */
export interface FixedSizeSlotSupplier {
  type: 'fixed-size';
  numSlots: number;
}

/** How much of the machine may be used, each from 0 to 1. */
export interface ResourceBasedTunerOptions {
  targetMemoryUsage: number;
  targetCpuUsage: number;
}

/** Limits of a resource based supplier. */
export interface ResourceBasedSlotOptions {
  /** Given in any case. (=2 for workflow tasks, 1 otherwise) */
  minimumSlots?: number;
  /** (=1000 for workflow tasks, 2000 otherwise) */
  maximumSlots?: number;
  /** Wait between two new slots. (=10 ms for workflow tasks, 50 ms otherwise) */
  rampThrottle?: Duration;
}

interface ResourceBasedTunerSlotOptions {
  workflowTaskSlotOptions?: ResourceBasedSlotOptions;
  activityTaskSlotOptions?: ResourceBasedSlotOptions;
  localActivityTaskSlotOptions?: ResourceBasedSlotOptions;
  nexusTaskSlotOptions?: ResourceBasedSlotOptions;
}

/** All kinds by the machine's resources. */
export interface ResourceBasedTuner extends ResourceBasedTunerSlotOptions {
  tunerOptions: ResourceBasedTunerOptions;
  controller?: undefined;
}

/** All kinds by the machine's resources, with the targets of a shared controller. */
export interface ResourceBasedTunerWithController extends ResourceBasedTunerSlotOptions {
  controller: ResourceBasedController;
  tunerOptions?: undefined;
}

/** One controller for several workers of a process: together they keep to its targets. */
export class ResourceBasedController {
  static #last = 0;

  /** By which the native side knows it. @internal */
  readonly number = ++ResourceBasedController.#last;

  private constructor(
    /** Targets. */
    readonly options: Readonly<ResourceBasedTunerOptions>,
  ) {}

  /** @throws {InvalidOptionsError} with all problems of the targets */
  static create(options: ResourceBasedTunerOptions): ResourceBasedController {
    const check = new OptionsCheck('ResourceBasedTunerOptions');
    checkTargets(check, '', options);
    check.done();
    return new ResourceBasedController(Object.freeze({ ...options }));
  }
}

/** One kind by the machine's resources. */
export type ResourceBasedSlotsForType = ResourceBasedSlotOptions & {
  type: 'resource-based';
  tunerOptions?: ResourceBasedTunerOptions;
  controller?: ResourceBasedController;
};

/**
 * A supplier of one's own; called on the thread that made the worker, methods with the supplier as `this`.
 * What it throws is logged as WORKER_SLOT_SUPPLIER_FAILED and means "no slot now"; the worker goes on.
 */
export interface CustomSlotSupplier<SI extends SlotInfo> {
  type: 'custom';
  /**
   * Called before each poll, and before each local activity. Pending for as long as there is no slot to give.
   * @param abortSignal fires when the slot is not wanted any more; only then may the promise be rejected. A permit
   *   that is granted all the same is released at once.
   */
  reserveSlot(ctx: SlotReserveContext, abortSignal: AbortSignal): Promise<SlotPermit>;
  /**
   * Asks for a slot for an activity that may begin without a poll (eagerly). A thread waits for the answer, for at
   * most 50 ms. Not called while this thread is busy, or when it is itself the one that would wait (`debugMode`).
   * @returns null: none now
   */
  tryReserveSlot(ctx: SlotReserveContext): SlotPermit | null;
  /** A task has come that the slot is used for. A permit of a poll that brought none is released without. */
  markSlotUsed(ctx: SlotMarkUsedContext<SI>): void;
  /** The task has ended, or the slot is not needed. Called exactly once for each permit. */
  releaseSlot(ctx: SlotReleaseContext<SI>): void;
}

export type SlotInfo = WorkflowSlotInfo | ActivitySlotInfo | LocalActivitySlotInfo | NexusSlotInfo;

export interface WorkflowSlotInfo {
  type: 'workflow';
  workflowType: string;
  isSticky: boolean;
}

export interface ActivitySlotInfo {
  type: 'activity';
  activityType: string;
}

export interface LocalActivitySlotInfo {
  type: 'local-activity';
  activityType: string;
}

export interface NexusSlotInfo {
  type: 'nexus';
  service: string;
  operation: string;
}

/** Whatever a custom supplier wants to remember of a slot. */
// biome-ignore lint/suspicious/noEmptyInterface: opaque by purpose
export interface SlotPermit {}

export interface SlotReserveContext {
  slotType: SlotInfo['type'];
  taskQueue: string;
  workerIdentity: string;
  /** @deprecated use `workerDeploymentVersion` */
  workerBuildId: string;
  /** With `workerDeploymentOptions`. */
  workerDeploymentVersion?: WorkerDeploymentVersion;
  /** The slot is for a poll of the worker's own (sticky) queue of workflow tasks. */
  isSticky: boolean;
}

export interface SlotMarkUsedContext<SI extends SlotInfo> {
  slotInfo: SI;
  permit: SlotPermit;
}

export interface SlotReleaseContext<SI extends SlotInfo> {
  /** Absent: the slot was never used. */
  slotInfo?: SI;
  permit: SlotPermit;
}

const KINDS = ['workflow', 'activity', 'localActivity', 'nexus'] as const;

const TARGETS: Readonly<Record<keyof ResourceBasedTunerOptions, Check>> = {
  targetMemoryUsage: numberBetween(0, 1),
  targetCpuUsage: numberBetween(0, 1),
};

const SLOT_LIMITS: Readonly<Record<keyof ResourceBasedSlotOptions, Check>> = {
  minimumSlots: integer(0),
  maximumSlots: integer(1),
  rampThrottle: duration(),
};

const CUSTOM: Readonly<Record<Exclude<keyof CustomSlotSupplier<any>, 'type'>, Check>> = {
  reserveSlot: anyFunction,
  tryReserveSlot: anyFunction,
  markSlotUsed: anyFunction,
  releaseSlot: anyFunction,
};

/** Adds what is wrong with `tuner`. */
export function checkTuner(check: OptionsCheck, tuner: unknown): void {
  if (typeof tuner !== 'object' || tuner === null) return; // said already
  const given = tuner as Record<string, any>;
  if (isResourceBased(given as WorkerTuner)) {
    const { tunerOptions, controller } = given;
    checkController(check, 'tuner', { tunerOptions, controller });
    const others = ['workflow', 'activity', 'localActivity', 'nexus'].map((kind) => `${kind}TaskSlotOptions`);
    const known = ['tunerOptions', 'controller', ...others];
    for (const name of Object.keys(given)) {
      if (!known.includes(name)) check.unknown(`tuner.${name}`, name, known);
    }
    for (const kind of KINDS) {
      const name = `${kind}TaskSlotOptions`;
      if (given[name] !== undefined) checkLimits(check, `tuner.${name}`, given[name]);
    }
    return;
  }
  const targets: unknown[] = [];
  for (const kind of KINDS) {
    const name = `${kind}TaskSlotSupplier`;
    const field = `tuner.${name}`;
    const supplier = given[name];
    switch (supplier?.type) {
      case 'fixed-size':
        check.object(field, supplier, { type: () => undefined, numSlots: integer(1) });
        if (supplier.numSlots === undefined) check.add(`${field}.numSlots`, 'is required');
        break;
      case 'resource-based': {
        const { type, tunerOptions, controller, ...limits } = supplier;
        checkLimits(check, field, limits);
        checkController(check, field, { tunerOptions, controller });
        targets.push(controller ?? `${tunerOptions?.targetMemoryUsage} ${tunerOptions?.targetCpuUsage}`);
        break;
      }
      case 'custom':
        for (const [method, accepts] of Object.entries(CUSTOM)) {
          check.value(`${field}.${method}`, supplier[method], accepts);
          if (supplier[method] === undefined) check.add(`${field}.${method}`, 'is required');
        }
        break;
      default:
        check.add(field, 'is required: a slot supplier of type "fixed-size", "resource-based" or "custom"');
    }
  }
  if (new Set(targets).size > 1) {
    check.add('tuner', 'resource based suppliers of one worker need the same tunerOptions or controller');
  }
}

function checkLimits(check: OptionsCheck, field: string, limits: any): void {
  check.object(field, limits, SLOT_LIMITS);
  if (limits?.minimumSlots > limits?.maximumSlots) {
    check.add(`${field}.minimumSlots`, `got ${limits.minimumSlots}, takes at most maximumSlots`);
  }
}

function checkController(check: OptionsCheck, field: string, given: Record<string, any>): void {
  if (given.controller === undefined) checkTargets(check, `${field}.tunerOptions`, given.tunerOptions);
  else if (!(given.controller instanceof ResourceBasedController)) {
    check.add(`${field}.controller`, 'takes what ResourceBasedController.create has made');
  } else if (given.tunerOptions !== undefined) {
    check.add(`${field}.tunerOptions`, 'is excluded by controller');
  }
}

function checkTargets(check: OptionsCheck, field: string, targets: any): void {
  check.object(field, targets, TARGETS);
  if (typeof targets !== 'object' || targets === null) return;
  for (const name of Object.keys(TARGETS)) {
    if (targets[name] === undefined) check.add(field === '' ? name : `${field}.${name}`, 'is required');
  }
}

function isResourceBased(tuner: WorkerTuner): tuner is ResourceBasedTuner | ResourceBasedTunerWithController {
  return 'tunerOptions' in tuner || 'controller' in tuner;
}

/** The native form of a checked tuner. */
export function tunerMessage(tuner: WorkerTuner): SlotSuppliers {
  if (isResourceBased(tuner)) {
    return {
      workflow: resourceBased(tuner.workflowTaskSlotOptions, true),
      activity: resourceBased(tuner.activityTaskSlotOptions, false),
      localActivity: resourceBased(tuner.localActivityTaskSlotOptions, false),
      nexus: resourceBased(tuner.nexusTaskSlotOptions, false),
      ...targetsOf(tuner),
    };
  }
  const suppliers = [
    tuner.workflowTaskSlotSupplier,
    tuner.activityTaskSlotSupplier,
    tuner.localActivityTaskSlotSupplier,
    tuner.nexusTaskSlotSupplier,
  ] as const;
  let based: ResourceBasedSlotsForType | undefined;
  const [workflow, activity, localActivity, nexus] = suppliers.map((supplier, i): SlotSupplierMessage => {
    if (supplier.type === 'fixed-size') return { fixed: supplier.numSlots };
    if (supplier.type === 'custom') return { custom: true };
    based ??= supplier;
    return resourceBased(supplier, i === 0);
  });
  return { workflow, activity, localActivity, nexus, ...(based && targetsOf(based)) };
}

function targetsOf({
  controller,
  tunerOptions,
}: {
  controller?: ResourceBasedController;
  tunerOptions?: ResourceBasedTunerOptions;
}): Pick<SlotSuppliers, 'targetMemory' | 'targetCpu' | 'controller'> {
  const { targetMemoryUsage, targetCpuUsage } = (controller?.options ?? tunerOptions)!;
  return {
    targetMemory: targetMemoryUsage,
    targetCpu: targetCpuUsage,
    controller: controller?.number ?? 0,
  };
}

function resourceBased(
  {
    minimumSlots,
    maximumSlots,
    rampThrottle,
  }: Pick<ResourceBasedSlotOptions, 'minimumSlots' | 'maximumSlots' | 'rampThrottle'> = {},
  ofWorkflows: boolean,
): SlotSupplierMessage {
  return {
    resourceBased: {
      minimum: minimumSlots ?? (ofWorkflows ? 2 : 1),
      maximum: maximumSlots ?? (ofWorkflows ? 1000 : 2000),
      rampThrottleMs: Long.fromNumber(msToNumber(rampThrottle ?? (ofWorkflows ? 10 : 50))),
    },
  };
}
