/**
 * `TestWorkflowEnvironment`: a server, a client and a worker's connection in one object.
 *
 * Owns    what was started for the environment, and its end.
 * Leaves  servers to @perdure/dev-server, time to time-skipping-client.ts.
 * E1  What a failed creation has opened is closed.
 * E2  `teardown` ends everything the environment has opened, also when one part cannot be closed; then it says so.
 * E3  A server that was not started here is left alone.
 */
import {
  type AsyncCompletionClient,
  Client,
  type ClientOptions,
  type ClientPlugin,
  Connection,
  type ConnectionOptions,
  type ConnectionPlugin,
  type WorkflowClient,
} from '@perdure/client';
import type { Duration } from '@perdure/common';
import { msToNumber, msToTs, tsToMs } from '@perdure/common/lib/time';
import { type RunningServer, startDevServer, startTestServer } from '@perdure/dev-server';
import { NativeConnection, type NativeConnectionOptions, type NativeConnectionPlugin } from '@perdure/worker';
import { collectCoverage } from './coverage';
import { createEndpoint, deleteEndpoint, type NexusEndpointIdentifier } from './nexus-endpoints';
import {
  collectUnknown,
  type DevServerConfig,
  devServerOptions,
  refuse,
  type TimeSkippingServerConfig,
  testServerOptions,
} from './server-options';
import { sharedServerAddress } from './shared-server';
import { TimeLock, TimeSkippingClient, testServiceOf } from './time-skipping-client';

/** Options of the environment's client. */
export type ClientOptionsForTestEnv = Omit<ClientOptions, 'namespace' | 'connection'>;

type EnvironmentPlugin = ClientPlugin | ConnectionPlugin | NativeConnectionPlugin;

interface CommonOptions {
  client?: ClientOptionsForTestEnv;
  /** Plugins of the connections and the client. */
  plugins?: EnvironmentPlugin[];
}

export type TimeSkippingTestWorkflowEnvironmentOptions = CommonOptions & {
  server?: Omit<TimeSkippingServerConfig, 'type'>;
};

export type LocalTestWorkflowEnvironmentOptions = CommonOptions & {
  server?: Omit<DevServerConfig, 'type'>;
};

/** How a server is reached that runs already. */
export type ExistingServerConnectionOptions = Pick<NativeConnectionOptions, 'apiKey' | 'metadata' | 'tls'>;

export type ExistingServerTestWorkflowEnvironmentOptions = CommonOptions & {
  /** @default 'localhost:7233' */
  address?: string;
  /** @default 'default' */
  namespace?: string;
  connectionOptions?: ExistingServerConnectionOptions;
};

/** Options of an environment with every field set. */
export interface TestWorkflowEnvironmentOptionsWithDefaults {
  server: DevServerConfig | TimeSkippingServerConfig | { type: 'existing' };
  client: ClientOptionsForTestEnv;
  plugins: EnvironmentPlugin[];
}

interface Parts {
  readonly options: TestWorkflowEnvironmentOptionsWithDefaults;
  readonly server: RunningServer | undefined;
  readonly address: string;
  readonly namespace: string | undefined;
  readonly connectionOptions: ExistingServerConnectionOptions;
}

function checkOptions(what: string, given: object, known: readonly string[]): void {
  const problems: string[] = [];
  collectUnknown(given, ['client', 'plugins', ...known], problems);
  refuse(`The options of TestWorkflowEnvironment.${what}`, problems);
}

export class TestWorkflowEnvironment implements AsyncDisposable {
  /**
   * Starts the time-skipping test server. Time skips while a result is waited for, and by `sleep`.
   *
   * The server has no search attributes, no schedules and no Nexus; use `createLocal` for those.
   * @throws {ValueError} wrong options; {DevServerError} the server cannot be found, installed or started
   */
  static async createTimeSkipping(
    opts: TimeSkippingTestWorkflowEnvironmentOptions = {},
  ): Promise<TestWorkflowEnvironment> {
    checkOptions('createTimeSkipping', opts, ['server']);
    const server = await startTestServer(testServerOptions(opts.server));
    return await TestWorkflowEnvironment.#open({
      options: withDefaults(opts, { ...opts.server, type: 'time-skipping' }),
      server,
      address: server.address,
      namespace: undefined,
      connectionOptions: {},
    });
  }

  /**
   * Starts a dev server of its own, with real time.
   * @throws {ValueError} wrong options; {DevServerError} the server cannot be found, installed or started
   */
  static async createLocal(opts: LocalTestWorkflowEnvironmentOptions = {}): Promise<TestWorkflowEnvironment> {
    checkOptions('createLocal', opts, ['server']);
    const server = await startDevServer(devServerOptions(opts.server));
    return await TestWorkflowEnvironment.#open({
      options: withDefaults(opts, { ...opts.server, type: 'dev-server' }),
      server,
      address: server.address,
      namespace: server.namespace,
      connectionOptions: {},
    });
  }

  /**
   * Connects to a server that runs already; `teardown` leaves it alone.
   * @throws {ValueError} wrong options; {ConnectionFailedError} the server cannot be reached
   */
  static async createFromExistingServer(
    opts: ExistingServerTestWorkflowEnvironmentOptions = {},
  ): Promise<TestWorkflowEnvironment> {
    checkOptions('createFromExistingServer', opts, ['address', 'namespace', 'connectionOptions']);
    const { address = 'localhost:7233', namespace = 'default', connectionOptions = {} } = opts;
    return await TestWorkflowEnvironment.#open({
      options: withDefaults(opts, { type: 'existing' }),
      server: undefined,
      address,
      namespace,
      connectionOptions,
    });
  }

  /**
   * Uses the server that all test files of a run share (`perdure-with-server`, or a global setup, see the
   * README), and starts one of its own where there is none, so that a test file also runs alone.
   *
   * Files that share a server share its namespace: give each worker a task queue of its own, and each workflow an id
   * of its own.
   * @throws as createFromExistingServer and createLocal do
   */
  static async createShared(opts: CommonOptions = {}): Promise<TestWorkflowEnvironment> {
    checkOptions('createShared', opts, []);
    const address = sharedServerAddress();
    if (address === undefined) return await TestWorkflowEnvironment.createLocal(opts);
    return await TestWorkflowEnvironment.createFromExistingServer({ ...opts, address });
  }

  /** E1 */
  static async #open(parts: Parts): Promise<TestWorkflowEnvironment> {
    const { address, options, connectionOptions } = parts;
    const { plugins } = options;
    // A plugin may be of several kinds; each side calls only the methods that it knows.
    const [connection, nativeConnection] = await Promise.allSettled([
      Connection.connect({
        address,
        ...connectionOptions,
        metadata: forGrpcJs(connectionOptions.metadata),
        plugins: plugins as ConnectionPlugin[],
      }),
      NativeConnection.connect({
        address,
        ...connectionOptions,
        plugins: plugins as NativeConnectionPlugin[],
      }),
    ]);
    if (connection.status === 'fulfilled' && nativeConnection.status === 'fulfilled')
      return new TestWorkflowEnvironment(parts, connection.value, nativeConnection.value);
    if (connection.status === 'fulfilled') await connection.value.close();
    if (nativeConnection.status === 'fulfilled') await nativeConnection.value.close();
    await parts.server?.stop();
    throw (connection.status === 'rejected' ? connection : (nativeConnection as PromiseRejectedResult))
      .reason;
  }

  /** Options with every field set. */
  readonly options: TestWorkflowEnvironmentOptionsWithDefaults;
  /** Whether `sleep` and the client's waits for results skip time. */
  readonly supportsTimeSkipping: boolean;
  /** `host:port` of the server. */
  readonly address: string;
  /** How the server is reached: empty where it was started here. */
  readonly connectionOptions: ExistingServerConnectionOptions;
  /** The namespace; undefined on the time-skipping server, which takes every name. */
  readonly namespace?: string;
  readonly client: Client;

  readonly #server: RunningServer | undefined;
  #ended: Promise<void> | undefined;

  private constructor(
    parts: Parts,
    /** The connection of `client`. */
    readonly connection: Connection,
    /** For `Worker.create`. */
    readonly nativeConnection: NativeConnection,
  ) {
    const { options, address, namespace, connectionOptions, server } = parts;
    this.options = options;
    this.address = address;
    this.namespace = namespace;
    this.connectionOptions = connectionOptions;
    this.#server = server;
    this.supportsTimeSkipping = options.server.type === 'time-skipping';
    const clientOptions = { ...options.client, connection, ...(namespace !== undefined && { namespace }) };
    this.client = this.supportsTimeSkipping
      ? new TimeSkippingClient(clientOptions)
      : new Client(clientOptions);
  }

  /** @deprecated use `client.workflow` */
  get workflowClient(): WorkflowClient {
    return this.client.workflow;
  }

  /** @deprecated use `client.activity` */
  get asyncCompletionClient(): AsyncCompletionClient {
    return this.client.activity;
  }

  /**
   * Waits until `durationMs` has passed on the server: skips it where that is possible, else really waits.
   * @param durationMs  milliseconds, or a text such as `'1 day'`
   */
  readonly sleep = async (durationMs: Duration): Promise<void> => {
    if (this.supportsTimeSkipping) {
      await TimeLock.of(testServiceOf(this.connection)).sleep(msToTs(durationMs));
    } else {
      const waitMs = msToNumber(durationMs);
      await new Promise<void>((resolve) => setTimeout(resolve, waitMs));
    }
  };

  /** The server's time, in milliseconds since the epoch. */
  async currentTimeMs(): Promise<number> {
    if (!this.supportsTimeSkipping) return Date.now();
    const { time } = await testServiceOf(this.connection).getCurrentTime({});
    return tsToMs(time);
  }

  /**
   * Creates a Nexus endpoint that leads to a task queue of the environment's namespace.
   * @param name  letters, digits and dashes
   * @throws {ServiceError} the server refuses
   */
  async createNexusEndpoint(name: string, taskQueue: string): Promise<NexusEndpointIdentifier> {
    return await createEndpoint(this.connection, this.namespace ?? 'default', name, taskQueue);
  }

  /** Deletes an endpoint that `createNexusEndpoint` has created. */
  async deleteNexusEndpoint(endpoint: Pick<NexusEndpointIdentifier, 'id' | 'version'>): Promise<void> {
    await deleteEndpoint(this.connection, endpoint);
  }

  /**
   * Closes the connections and stops the server, if it was started here. May be called often.
   * @throws {IllegalStateError} a worker still uses the native connection; the server has been stopped all the same
   */
  async teardown(): Promise<void> {
    this.#ended ??= this.#end();
    await this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.teardown();
  }

  /** E2 */
  async #end(): Promise<void> {
    const covered = await Promise.allSettled([collectCoverage()]); // while the lanes still are
    const closed = await Promise.allSettled([this.connection.close(), this.nativeConnection.close()]);
    await this.#server?.stop(); // E3
    for (const outcome of [...covered, ...closed]) if (outcome.status === 'rejected') throw outcome.reason;
  }
}

/** grpc-js takes Buffers where the native side takes any bytes. */
function forGrpcJs(
  metadata: ExistingServerConnectionOptions['metadata'] = {},
): ConnectionOptions['metadata'] {
  return Object.fromEntries(
    Object.entries(metadata).map(([name, value]) => [
      name,
      typeof value === 'string' ? value : Buffer.from(value),
    ]),
  );
}

function withDefaults(
  { client = {}, plugins = [] }: CommonOptions,
  server: TestWorkflowEnvironmentOptionsWithDefaults['server'],
): TestWorkflowEnvironmentOptionsWithDefaults {
  return { server, client, plugins };
}
