/** What all clients have in common: a connection, a namespace, a data converter, an identity. */
import { hostname } from 'node:os';
import type { DataConverter, LoadedDataConverter } from '@perdure/common';
import { loadDataConverter } from '@perdure/common/lib/internal-non-workflow';
import { Connection, type ConnectionLike } from './connection';
import type { Metadata } from './connection-options';
import { DataPipe } from './data';
import { checkNamespace } from './given';
import type { WorkflowService } from './services';
import { SizeCheck } from './size-check';

export interface BaseClientOptions {
  /** How values become payloads. */
  dataConverter?: DataConverter;
  /**
   * Who calls, for the server's records.
   * @default `<pid>@<host name>`
   */
  identity?: string;
  /**
   * The connection to use.
   * @default a lazy one to localhost:7233
   */
  connection?: ConnectionLike;
  /**
   * Namespace of all calls.
   * @default 'default'
   */
  namespace?: string;
}

export type LoadedBaseClientOptions = Required<Omit<BaseClientOptions, 'dataConverter' | 'connection'>> & {
  dataConverter: DataConverter;
  loadedDataConverter: LoadedDataConverter;
  /** The one given. */
  connection?: ConnectionLike;
};

/**
 * Defaults of the options that all clients have.
 * @throws {ValueError} no namespace
 */
export function resolveBaseClientOptions({
  dataConverter = {},
  identity = `${process.pid}@${hostname()}`,
  namespace = 'default',
  connection,
}: BaseClientOptions): LoadedBaseClientOptions {
  checkNamespace(namespace);
  return {
    dataConverter,
    identity,
    namespace,
    loadedDataConverter: loadDataConverter(dataConverter),
    connection,
  };
}

export class BaseClient {
  /** The connection that all calls use. */
  readonly connection: ConnectionLike;
  /** @internal */
  readonly data: DataPipe;

  constructor(
    options: BaseClientOptions,
    /** @internal */
    protected readonly base: LoadedBaseClientOptions,
  ) {
    this.connection = options.connection ?? Connection.lazy();
    this.data = new DataPipe(base.loadedDataConverter, new SizeCheck(this.connection, base.namespace));
  }

  /** Raw RPCs; the namespace is not filled in. */
  get workflowService(): WorkflowService {
    return this.connection.workflowService;
  }

  /** Runs `fn`; every call in it ends at `deadline` (milliseconds since the epoch, or a date). */
  async withDeadline<R>(deadline: number | Date, fn: () => Promise<R>): Promise<R> {
    return await this.connection.withDeadline(deadline, fn);
  }

  /** Runs `fn`; aborting the signal ends the calls in it. */
  async withAbortSignal<R>(abortSignal: AbortSignal, fn: () => Promise<R>): Promise<R> {
    return await this.connection.withAbortSignal(abortSignal, fn);
  }

  /** Runs `fn`; every call in it carries these headers too. */
  async withMetadata<R>(metadata: Metadata, fn: () => Promise<R>): Promise<R> {
    return await this.connection.withMetadata(metadata, fn);
  }
}
