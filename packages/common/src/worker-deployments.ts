/** Worker deployments and versioning. */
import type {
  ContinueAsNewVersioningBehavior as ProtoInitialVersioningBehavior,
  VersioningBehavior as ProtoVersioningBehavior,
} from '@perdure/proto/temporal/api/enums/v1/workflow';
import { makeProtoEnumConverters } from './enum-codecs';

/** A worker build. */
export interface WorkerDeploymentVersion {
  readonly buildId: string;
  /** The series of builds that it belongs to. */
  readonly deploymentName: string;
}

/** `name.buildId`, as the server writes it. */
export function toCanonicalString(version: WorkerDeploymentVersion): string {
  return `${version.deploymentName}.${version.buildId}`;
}

/** The public form of the protocol's version; undefined when it has no build id. */
export function convertDeploymentVersion(
  version: { deploymentName?: string | null; buildId?: string | null } | null | undefined,
): WorkerDeploymentVersion | undefined {
  if (!version?.buildId) return undefined;
  return { buildId: version.buildId, deploymentName: version.deploymentName ?? '' };
}

/** What happens to open executions when a new version becomes current. */
export const VersioningBehavior = {
  /** Stay on the version that they started on. */
  PINNED: 'PINNED',
  /** Move to the current version with their next task. */
  AUTO_UPGRADE: 'AUTO_UPGRADE',
} as const;
export type VersioningBehavior = (typeof VersioningBehavior)[keyof typeof VersioningBehavior];

const behaviors = makeProtoEnumConverters<
  VersioningBehavior,
  ProtoVersioningBehavior,
  'VERSIONING_BEHAVIOR_'
>({ PINNED: 1, AUTO_UPGRADE: 2 }, 'VERSIONING_BEHAVIOR_');
export const encodeVersioningBehavior = behaviors[0];
export const decodeVersioningBehavior = behaviors[1];

/** Where the first task after continue-as-new runs. */
export const InitialVersioningBehavior = {
  /** On the target version of the task queue. */
  AUTO_UPGRADE: 'AUTO_UPGRADE',
  /** On the ramping version. */
  USE_RAMPING_VERSION: 'USE_RAMPING_VERSION',
} as const;
export type InitialVersioningBehavior =
  (typeof InitialVersioningBehavior)[keyof typeof InitialVersioningBehavior];

const initialBehaviors = makeProtoEnumConverters<
  InitialVersioningBehavior,
  ProtoInitialVersioningBehavior,
  'CONTINUE_AS_NEW_VERSIONING_BEHAVIOR_'
>({ AUTO_UPGRADE: 1, USE_RAMPING_VERSION: 2 }, 'CONTINUE_AS_NEW_VERSIONING_BEHAVIOR_');
export const encodeInitialVersioningBehavior = initialBehaviors[0];
export const decodeInitialVersioningBehavior = initialBehaviors[1];

/** Pins one execution to a version. */
export interface PinnedVersioningOverride {
  pinnedTo: WorkerDeploymentVersion;
}

/** Lets one execution move on, whatever its type says. */
export type AutoUpgradeVersioningOverride = 'AUTO_UPGRADE';

export type VersioningOverride = PinnedVersioningOverride | AutoUpgradeVersioningOverride;
