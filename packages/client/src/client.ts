/** One object per namespace, with a sub-client per field of work. */
import { ActivityClient } from './activity-client';
import type { ActivityClientInterceptor } from './activity-client-interceptors';
import {
  BaseClient,
  type BaseClientOptions,
  type LoadedBaseClientOptions,
  resolveBaseClientOptions,
} from './base-client';
import type { WorkflowClientInterceptor, WorkflowClientInterceptors } from './interceptors';
import { NexusClient } from './nexus-client';
import type { NexusClientInterceptor } from './nexus-client-interceptors';
import { ScheduleClient, type ScheduleClientInterceptor } from './schedule-client';
import { TaskQueueClient } from './task-queue-client';
import type { QueryRejectCondition } from './types';
import { WorkflowClient } from './workflow-client';

/** Changes the options of clients. */
export interface ClientPlugin {
  get name(): string;
  /** Gives the options to make the client with. */
  configureClient?(options: Omit<ClientOptions, 'plugins'>): Omit<ClientOptions, 'plugins'>;
}

/** Interceptors by sub-client. */
export interface ClientInterceptors {
  workflow?: WorkflowClientInterceptors | WorkflowClientInterceptor[];
  schedule?: ScheduleClientInterceptor[];
  activity?: ActivityClientInterceptor[];
  nexus?: NexusClientInterceptor[];
}

export interface ClientOptions extends BaseClientOptions {
  interceptors?: ClientInterceptors;
  plugins?: ClientPlugin[];
  workflow?: {
    /**
     * When queries are refused.
     * @default never
     */
    queryRejectCondition?: QueryRejectCondition;
  };
}

export type LoadedClientOptions = LoadedBaseClientOptions & {
  interceptors: ClientInterceptors;
  plugins: ClientPlugin[];
  workflow: { queryRejectCondition?: QueryRejectCondition };
};

function isClientPlugin(plugin: object): plugin is ClientPlugin {
  return typeof (plugin as ClientPlugin).configureClient === 'function';
}

/** Plugins of the connection come first; they may be client plugins too. */
function applyPlugins(options: ClientOptions): ClientOptions {
  const inherited = (options.connection?.plugins ?? []).filter(isClientPlugin);
  const plugins = [...inherited, ...(options.plugins ?? [])];
  return plugins.reduce<ClientOptions>(
    (configured, plugin) => ({ ...(plugin.configureClient?.(configured) ?? configured), plugins }),
    { ...options, plugins },
  );
}

export class Client extends BaseClient {
  readonly options: LoadedClientOptions;
  /** Workflows. */
  readonly workflow: WorkflowClient;
  /** Activities: without a workflow, and completion from outside. */
  readonly activity: ActivityClient;
  /** Schedules. */
  readonly schedule: ScheduleClient;
  /**
   * Build ids of task queues.
   * @deprecated use worker deployments
   */
  readonly taskQueue: TaskQueueClient;
  /**
   * Nexus operations without a workflow.
   * @experimental
   */
  readonly nexus: NexusClient;

  constructor(given: ClientOptions = {}) {
    const options = applyPlugins(given);
    const base = resolveBaseClientOptions(options);
    super(options, base);
    const { interceptors = {}, plugins = [], workflow = {} } = options;
    this.options = { ...base, interceptors, plugins, workflow };
    const shared: BaseClientOptions = {
      connection: this.connection,
      dataConverter: base.dataConverter,
      identity: base.identity,
      namespace: base.namespace,
    };
    this.workflow = new WorkflowClient({
      ...shared,
      interceptors: interceptors.workflow,
      queryRejectCondition: workflow.queryRejectCondition,
    });
    this.activity = new ActivityClient({ ...shared, interceptors: interceptors.activity });
    this.schedule = new ScheduleClient({ ...shared, interceptors: interceptors.schedule });
    this.taskQueue = new TaskQueueClient(shared);
    this.nexus = new NexusClient({ ...shared, interceptors: interceptors.nexus });
  }
}
