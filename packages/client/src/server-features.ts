/**
 * Features that a server has to have, and to have switched on.
 *
 * Owns    what each is called, what switches it on, and the error that says so.
 */
import type { ServiceError as GrpcServiceError } from '@grpc/grpc-js';
import { brandError } from '@perdure/common/lib/type-helpers';
import { isGrpcServiceError, ServiceError } from './errors';
import { grpcStatus } from './grpc';

export interface ServerFeature {
  /** As in "the server has no …". */
  readonly name: string;
  /** The setting of the server's dynamic configuration. */
  readonly setting: string;
}

export const STANDALONE_ACTIVITIES: ServerFeature = {
  name: 'standalone activities',
  setting: 'activity.enableStandalone',
};
export const ACTIVITY_OPERATOR_COMMANDS: ServerFeature = {
  name: 'operator commands for standalone activities',
  setting: 'history.enableStandaloneActivityOperatorCommands',
};
export const STANDALONE_NEXUS_OPERATIONS: ServerFeature = {
  name: 'standalone Nexus operations',
  setting: 'nexusoperation.enableStandalone',
};

/** The server does not know the call, or has it switched off; `cause` is its answer. */
export class ServerFeatureUnavailableError extends ServiceError {
  override readonly code = 'SERVER_FEATURE_UNAVAILABLE';

  constructor(
    /** What the server would need, in words. */
    readonly feature: string,
    /** What switches it on in a server that has it. */
    readonly setting: string,
    cause: GrpcServiceError,
  ) {
    super(`The server has no ${feature}: ${cause.details || cause.message}`, {
      cause,
      hint:
        `set "${setting}" to true in the dynamic configuration of the server ` +
        `(temporal server start-dev --dynamic-config-value ${setting}=true), or update it: version 1.32 has it`,
    });
  }
}
brandError(ServerFeatureUnavailableError, 'ServerFeatureUnavailableError');

/** Throws if the server says that it does not offer what it was asked for. */
export function throwIfUnavailable(error: unknown, { name, setting }: ServerFeature): void {
  if (isGrpcServiceError(error) && error.code === grpcStatus.UNIMPLEMENTED) {
    throw new ServerFeatureUnavailableError(name, setting, error);
  }
}
