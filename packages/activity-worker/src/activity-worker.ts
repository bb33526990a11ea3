/** An activity-only worker in pure TypeScript: over a connection of `@perdure/client`, without a native addon. */
import type {} from '@perdure/activity'; // what is augmented below
import { Client, Connection, type ConnectionLike } from '@perdure/client';
import { BaseActivityWorker } from './base-worker';
import { GrpcTaskSource } from './grpc-source';
import { accepts, type CommonActivityWorkerOptions, resolveOptions } from './options';
import { Server } from './server';

declare module '@perdure/activity' {
  interface ContextTypes {
    client: Client;
  }
}

export interface ActivityWorkerOptions extends CommonActivityWorkerOptions {
  /** (=one to localhost:7233, closed with the worker) */
  connection?: ConnectionLike;
}

const CHECKS = {
  connection: accepts(
    (value) => typeof value?.workflowService === 'object' && typeof value?.withAbortSignal === 'function',
    'a Connection of @perdure/client',
  ),
};

export class ActivityWorker extends BaseActivityWorker {
  /**
   * Makes a worker that does not poll yet: checks the options, asks the server whether the namespace is there.
   * @throws {ActivityWorkerOptionsError} with all problems of the options
   * @throws {ConnectionFailedError} the server cannot be reached
   * @throws {NamespaceNotFoundError} there is no such namespace
   */
  static async create(created: ActivityWorkerOptions): Promise<ActivityWorker> {
    const options = resolveOptions(created, CHECKS);
    const { connection: given, dataConverter } = created;
    const connection = given ?? (await Connection.connect());
    const closeConnection = given === undefined ? () => connection.close() : undefined;
    try {
      await connection.ensureConnected();
      const server = new Server(connection, options);
      const { endsPollsOnShutdown, limits } = await server.describeNamespace();
      let client: Client | undefined;
      return new ActivityWorker(options, {
        source: new GrpcTaskSource(options, {
          server,
          endsPollsOnShutdown,
          ...(closeConnection && { closeConnection }),
        }),
        client: () => {
          client ??= new Client({
            connection,
            namespace: options.namespace,
            ...(dataConverter && { dataConverter }),
          });
          return client;
        },
        payloadLimits: options.disablePayloadErrorLimit ? false : async () => limits,
      });
    } catch (error) {
      await closeConnection?.();
      throw error;
    }
  }
}
