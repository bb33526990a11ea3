/** Slot suppliers: how many tasks of each kind a worker takes at a time. */
import type { Duration, WorkerDeploymentVersion } from '@perdure/common';
import { msToNumber } from '@perdure/common/lib/time';
import type {
  SlotSupplier as SlotSupplierMessage,
  SlotSuppliers,
} from '@perdure/proto/perdure/core/v1/options';
import Long from 'long';
import type { Check, OptionsCheck } from './options-check';
import { duration, integer, numberBetween } from './options-check';

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

/** Targets that several workers of a process share. */
export class ResourceBasedController {
  private constructor(
    /** Targets. */
    readonly options: ResourceBasedTunerOptions,
  ) {}

  static create(options: ResourceBasedTunerOptions): ResourceBasedController {
    return new ResourceBasedController({ ...options });
  }
}

/** One kind by the machine's resources. */
export type ResourceBasedSlotsForType = ResourceBasedSlotOptions & {
  type: 'resource-based';
  tunerOptions?: ResourceBasedTunerOptions;
  controller?: ResourceBasedController;
};

/** A supplier of one's own. */
export interface CustomSlotSupplier<SI extends SlotInfo> {
  type: 'custom';
  reserveSlot(ctx: SlotReserveContext, abortSignal: AbortSignal): Promise<SlotPermit>;
  tryReserveSlot(ctx: SlotReserveContext): SlotPermit | null;
  markSlotUsed(ctx: SlotMarkUsedContext<SI>): void;
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
  workerDeploymentVersion?: WorkerDeploymentVersion;
  isSticky: boolean;
}

export interface SlotMarkUsedContext<SI extends SlotInfo> {
  slotInfo: SI;
  permit: SlotPermit;
}

export interface SlotReleaseContext<SI extends SlotInfo> {
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

/** Adds what is wrong with `tuner`. */
export function checkTuner(check: OptionsCheck, tuner: unknown): void {
  if (typeof tuner !== 'object' || tuner === null) return; // said already
  const given = tuner as Record<string, any>;
  if (isResourceBased(given as WorkerTuner)) {
    checkTargets(check, 'tuner', given);
    for (const kind of KINDS) {
      const name = `${kind}TaskSlotOptions`;
      if (given[name] !== undefined) check.object(`tuner.${name}`, given[name], SLOT_LIMITS);
    }
    return;
  }
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
        check.object(field, limits, SLOT_LIMITS);
        checkTargets(check, field, { tunerOptions, controller });
        break;
      }
      case 'custom':
        check.add(field, 'custom slot suppliers are not available in this version');
        break;
      default:
        check.add(field, 'is required: a slot supplier of type "fixed-size" or "resource-based"');
    }
  }
}

function checkTargets(check: OptionsCheck, field: string, given: Record<string, any>): void {
  if (given.controller instanceof ResourceBasedController) return;
  check.object(`${field}.tunerOptions`, given.tunerOptions, TARGETS);
  for (const name of Object.keys(TARGETS)) {
    if (given.tunerOptions?.[name] === undefined) check.add(`${field}.tunerOptions.${name}`, 'is required');
  }
}

function isResourceBased(tuner: WorkerTuner): tuner is ResourceBasedTuner | ResourceBasedTunerWithController {
  return 'tunerOptions' in tuner || 'controller' in tuner;
}

/** The native form of a checked tuner. */
export function tunerMessage(tuner: WorkerTuner): SlotSuppliers {
  if (isResourceBased(tuner)) {
    const { targetMemoryUsage, targetCpuUsage } = (tuner.controller?.options ?? tuner.tunerOptions)!;
    return {
      workflow: resourceBased(tuner.workflowTaskSlotOptions, true),
      activity: resourceBased(tuner.activityTaskSlotOptions, false),
      localActivity: resourceBased(tuner.localActivityTaskSlotOptions, false),
      nexus: resourceBased(tuner.nexusTaskSlotOptions, false),
      targetMemory: targetMemoryUsage,
      targetCpu: targetCpuUsage,
    };
  }
  const suppliers = [
    tuner.workflowTaskSlotSupplier,
    tuner.activityTaskSlotSupplier,
    tuner.localActivityTaskSlotSupplier,
    tuner.nexusTaskSlotSupplier,
  ] as const;
  let targets: ResourceBasedTunerOptions | undefined;
  const [workflow, activity, localActivity, nexus] = suppliers.map((supplier, i) => {
    if (supplier.type === 'fixed-size') return { fixed: supplier.numSlots };
    const { controller, tunerOptions, ...limits } = supplier as ResourceBasedSlotsForType;
    targets ??= controller?.options ?? tunerOptions;
    return resourceBased(limits, i === 0);
  });
  return {
    workflow,
    activity,
    localActivity,
    nexus,
    targetMemory: targets?.targetMemoryUsage ?? 0,
    targetCpu: targets?.targetCpuUsage ?? 0,
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
