/** The raw services of a Temporal server. Only types are imported here; messages load on first use (R2 of rpc.ts). */
import type { HealthDefinition } from '@perdure/proto/grpc/health/v1/health';
import type { OperatorServiceDefinition } from '@perdure/proto/temporal/api/operatorservice/v1/service';
import type { TestServiceDefinition } from '@perdure/proto/temporal/api/testservice/v1/service';
import type { WorkflowServiceDefinition } from '@perdure/proto/temporal/api/workflowservice/v1/service';
import { type ServiceFactory, type ServiceOf, serviceFactory } from './rpc';

/** All RPCs that start with `workflowService.`: requests and responses are the messages of the API as they are. */
export interface WorkflowService extends ServiceOf<WorkflowServiceDefinition> {}
export const WorkflowService: ServiceFactory<WorkflowService> = serviceFactory(
  () => require('@perdure/proto/temporal/api/workflowservice/v1/service').WorkflowServiceDefinition,
);

/** Search attributes, Nexus endpoints, clusters. */
export interface OperatorService extends ServiceOf<OperatorServiceDefinition> {}
export const OperatorService: ServiceFactory<OperatorService> = serviceFactory(
  () => require('@perdure/proto/temporal/api/operatorservice/v1/service').OperatorServiceDefinition,
);

/** Time control of the time-skipping test server. */
export interface TestService extends ServiceOf<TestServiceDefinition> {}
export const TestService: ServiceFactory<TestService> = serviceFactory(
  () => require('@perdure/proto/temporal/api/testservice/v1/service').TestServiceDefinition,
);

/** The standard gRPC health service. */
export interface HealthService extends ServiceOf<HealthDefinition> {}
export const HealthService: ServiceFactory<HealthService> = serviceFactory(
  () => require('@perdure/proto/grpc/health/v1/health').HealthDefinition,
);
