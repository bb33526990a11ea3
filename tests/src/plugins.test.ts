/** Plugins and configuration in their hosts: every hook is called where it should be, on a real server. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { Client, Connection } from '@perdure/client';
import type { PayloadCodec } from '@perdure/common';
import { loadClientConnectConfig } from '@perdure/envconfig';
import { SimplePlugin } from '@perdure/plugin';
import { bundleWorkflowCode, NativeConnection, Worker } from '@perdure/worker';
import * as nexus from 'nexus-rpc';
import { harness, workflowsDir } from './support/harness';
import { service } from './workflows/nexus';

const h = harness();

/** Marks payloads, and refuses those without its mark. */
function codec(seen: string[]): PayloadCodec {
  return {
    encode: async (payloads) => {
      seen.push('encode');
      return payloads.map((p) => ({ ...p, metadata: { ...p.metadata, mark: new Uint8Array([1]) } }));
    },
    decode: async (payloads) => {
      seen.push('decode');
      return payloads.map(({ metadata: { mark, ...metadata } = {}, ...p }) => {
        if (mark === undefined) throw new Error('a payload has no mark');
        return { ...p, metadata };
      });
    },
  };
}

describe('a plugin on a native connection', () => {
  it('configures connection, workers, their clients and what they run', async () => {
    const events: string[] = [];
    const plugin = new SimplePlugin({
      name: 'everything',
      dataConverter: { payloadCodecs: [codec(events)] },
      workflowsPath: join(workflowsDir, 'activities.ts'),
      activities: { greet: async (name: string) => `hello from the plugin, ${name}` },
      nexusServices: [
        nexus.serviceHandler(service, {
          sync: async (_ctx, input) => input,
          run: async (_ctx, input) => input,
          typed: async (_ctx, { id }) => id,
          fails: async () => {
            throw new Error('never called');
          },
        }),
      ],
      clientInterceptors: {
        workflow: [
          {
            start: async (input, next) => {
              events.push(`start ${input.workflowType}`);
              return next(input);
            },
          },
        ],
      },
      workerInterceptors: {
        activity: [
          () => ({
            inbound: {
              execute: async (input, next) => {
                events.push('activity');
                return next(input);
              },
            },
          }),
        ],
      },
      runContext: async (next) => {
        events.push('run');
        await next();
        events.push('ran');
      },
    });
    const connection = await NativeConnection.connect({ address: h.address, plugins: [plugin] });
    try {
      const worker = await Worker.create({ connection, taskQueue: `queue-${randomUUID()}` });
      expect(worker.options.nexusServices).toHaveLength(1);
      const result = await worker.runUntil(() =>
        worker.client!.workflow.execute('greetOnce', {
          taskQueue: worker.options.taskQueue,
          workflowId: `wf-${randomUUID()}`,
          args: ['Ada'],
        } as any),
      );
      expect(result).toMatch(/hello from the plugin, Ada/);
      expect(events[0]).toBe('run');
      expect(events.at(-1)).toBe('ran');
      expect(events).toEqual(expect.arrayContaining(['start greetOnce', 'activity', 'encode', 'decode']));
    } finally {
      await connection.close();
    }
  });

  it('comes after those of the worker, and alone configures the client of the worker', async () => {
    const calls: string[] = [];
    const noting = (name: string) => ({
      name,
      configureWorker: (options: any) => {
        calls.push(`${name} configures the worker`);
        return options;
      },
      configureClient: (options: any) => {
        calls.push(`${name} configures the client`);
        return options;
      },
      runWorker: async (worker: Worker, next: (worker: Worker) => Promise<void>) => {
        calls.push(`${name} runs`);
        await next(worker);
      },
    });
    const connection = await NativeConnection.connect({
      address: h.address,
      plugins: [noting('of the connection')],
    });
    try {
      const worker = await Worker.create({
        connection,
        taskQueue: `queue-${randomUUID()}`,
        identity: 'myself',
        activities: { async nothing() {} },
        plugins: [noting('of the worker')],
      });
      await worker.runUntil(async () => {
        expect(worker.client!.options.identity).toBe('myself');
      });
      expect(calls).toEqual([
        'of the worker configures the worker',
        'of the connection configures the worker',
        'of the worker runs',
        'of the connection runs',
        'of the connection configures the client',
      ]);
    } finally {
      await connection.close();
    }
  });

  it('is asked about bundles, by workers and ahead of time', async () => {
    const modules: (string[] | undefined)[] = [];
    const histories: unknown[] = [];
    class Watching extends SimplePlugin {
      override configureBundler(options: Parameters<SimplePlugin['configureBundler']>[0]) {
        const configured = super.configureBundler(options);
        modules.push(configured.workflowInterceptorModules);
        return configured;
      }
    }
    const interceptors = join(workflowsDir, 'plugin-interceptors.ts');
    const plugin = new Watching({
      name: 'bundles',
      workerInterceptors: { workflowModules: [interceptors] },
    });
    const workflowsPath = join(workflowsDir, 'plugin-workflows.ts');
    const connection = await NativeConnection.connect({ address: h.address, plugins: [plugin] });
    try {
      const workflowBundle = await bundleWorkflowCode({ workflowsPath, plugins: [plugin] });
      for (const source of [{ workflowsPath }, { workflowBundle }]) {
        const worker = await Worker.create({ connection, taskQueue: `queue-${randomUUID()}`, ...source });
        const handle = await h.start(worker, 'plain', ['x']);
        expect(await worker.runUntil(handle.result())).toBe('intercepted plain x');
        histories.push(await handle.fetchHistory());
      }
      expect(modules).toEqual([[interceptors], [interceptors]]);
      await Worker.runReplayHistory({ workflowsPath, plugins: [plugin] }, histories[0]);
      expect(modules).toHaveLength(3);
    } finally {
      await connection.close();
    }
  });
});

describe('a plugin on a client connection', () => {
  it('configures the connection and the clients on it', async () => {
    const events: string[] = [];
    const plugin = new SimplePlugin({
      name: 'client',
      tls: () => false,
      clientInterceptors: {
        workflow: [
          {
            describe: async (input, next) => {
              events.push('describe');
              return next(input);
            },
          },
        ],
      },
    });
    const connection = await Connection.connect({ address: h.address, tls: true, plugins: [plugin] });
    try {
      const client = new Client({ connection });
      await expect(client.workflow.getHandle(`absent-${randomUUID()}`).describe()).rejects.toThrow();
      expect(events).toEqual(['describe']);
    } finally {
      await connection.close();
    }
  });
});

describe('configuration from profiles and variables', () => {
  it('connects clients and workers', async () => {
    const { connectionOptions, namespace } = loadClientConnectConfig({
      configSource: { data: '[profile.default]\naddress = "nowhere:1"\nnamespace = "default"' },
      overrideEnvVars: { TEMPORAL_ADDRESS: h.address, TEMPORAL_GRPC_META_X_TEST: 'value' },
    });
    expect(connectionOptions).toEqual({ address: h.address, metadata: { 'x-test': 'value' } });
    const connection = await Connection.connect(connectionOptions);
    const native = await NativeConnection.connect(connectionOptions);
    try {
      for (const each of [connection, native]) {
        const { namespaceInfo } = await each.workflowService.describeNamespace({ namespace });
        expect(namespaceInfo?.name).toBe('default');
      }
    } finally {
      await connection.close();
      await native.close();
    }
  });
});
