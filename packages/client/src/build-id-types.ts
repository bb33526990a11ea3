/** Sets of compatible build ids, and what can be done to them. */
import type { GetWorkerBuildIdCompatibilityResponse } from '@perdure/proto/temporal/api/workflowservice/v1/request_response';

/**
 * What `TaskQueueClient.updateBuildIdCompatibility` takes.
 * @deprecated use worker deployments
 */
export type BuildIdOperation =
  | AddNewIdInNewDefaultSet
  | AddNewCompatibleVersion
  | PromoteSetByBuildId
  | PromoteBuildIdWithinSet
  | MergeSets;

/**
 * Adds a build id in a set of its own, which becomes the default of the queue: new workflows start on it.
 * @deprecated use worker deployments
 */
export interface AddNewIdInNewDefaultSet {
  operation: 'addNewIdInNewDefaultSet';
  buildId: string;
}

/**
 * Adds a build id to an existing set and makes it that set's default: its workflows go on there.
 * @deprecated use worker deployments
 */
export interface AddNewCompatibleVersion {
  operation: 'addNewCompatibleVersion';
  buildId: string;
  existingCompatibleBuildId: string;
  /** Whether the set becomes the default of the queue, too. */
  promoteSet?: boolean;
}

/**
 * Makes the set with this build id the default of the queue.
 * @deprecated use worker deployments
 */
export interface PromoteSetByBuildId {
  operation: 'promoteSetByBuildId';
  buildId: string;
}

/**
 * Makes a build id the default of its set.
 * @deprecated use worker deployments
 */
export interface PromoteBuildIdWithinSet {
  operation: 'promoteBuildIdWithinSet';
  buildId: string;
}

/**
 * Joins two sets; the default is that of the primary one.
 * @deprecated use worker deployments
 */
export interface MergeSets {
  operation: 'mergeSets';
  primaryBuildId: string;
  secondaryBuildId: string;
}

/**
 * The sets of a task queue.
 * @deprecated use worker deployments
 */
export interface WorkerBuildIdVersionSets {
  /** The default one last. */
  readonly versionSets: BuildIdVersionSet[];
  defaultSet: BuildIdVersionSet;
  /** Default of the default set: where new workflows start. */
  defaultBuildId: string;
}

/**
 * Build ids that can take over each other's workflows.
 * @deprecated use worker deployments
 */
export interface BuildIdVersionSet {
  /** The default one last. */
  readonly buildIds: string[];
  readonly default: string;
}

/** @returns undefined if no build id is known on the queue */
export function versionSetsFromProto({
  majorVersionSets = [],
}: GetWorkerBuildIdCompatibilityResponse): WorkerBuildIdVersionSets | undefined {
  const versionSets = majorVersionSets.map(({ buildIds = [] }) => ({
    buildIds,
    default: buildIds.at(-1) ?? '',
  }));
  const defaultSet = versionSets.at(-1);
  return defaultSet && { versionSets, defaultSet, defaultBuildId: defaultSet.default };
}
