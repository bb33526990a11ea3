/** Nexus endpoints of a test server. */
import type { Connection } from '@perdure/client';
import { ServiceError } from '@perdure/client';
import type { Endpoint } from '@perdure/proto/temporal/api/nexus/v1/message';

/** A Nexus endpoint that was created, and what it takes to delete it. */
export type NexusEndpointIdentifier = {
  id: NonNullable<Endpoint['id']>;
  version: NonNullable<Endpoint['version']>;
  /** The server's answer. */
  raw: Endpoint;
};

/** @throws {ServiceError} the server gave no endpoint back */
export async function createEndpoint(
  connection: Connection,
  namespace: string,
  name: string,
  taskQueue: string,
): Promise<NexusEndpointIdentifier> {
  const { endpoint } = await connection.operatorService.createNexusEndpoint({
    spec: { name, target: { worker: { namespace, taskQueue } } },
  });
  if (endpoint?.id === undefined || endpoint.version === undefined)
    throw new ServiceError(`The server has given back no Nexus endpoint for '${name}'`);
  return { id: endpoint.id, version: endpoint.version, raw: endpoint };
}

export async function deleteEndpoint(
  connection: Connection,
  { id, version }: Pick<NexusEndpointIdentifier, 'id' | 'version'>,
): Promise<void> {
  await connection.operatorService.deleteNexusEndpoint({ id, version });
}
