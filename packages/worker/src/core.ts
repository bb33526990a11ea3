/**
 * `Core`: how programs written before version 1.0 set up what all workers of a process share.
 *
 * In today's terms it is `Runtime.install` and the options of the connection that workers make when they are given
 * none: `Worker.create` connects to the `serverOptions`.
 */
import { IllegalStateError } from '@perdure/common';
import type { NativeConnectionOptions, TLSConfig } from './connection-options';
import { parseAddress } from './connection-options';
import { OptionsCheck, text } from './options-check';
import { Runtime } from './runtime';
import type { RuntimeOptions } from './runtime-options';

/** The server of all workers that are made without a `connection`. */
export interface ServerOptions {
  /** host:port. (=localhost:7233) */
  address?: string;
  /** Namespace of workers that name none. (='default') */
  namespace?: string;
  /** True: TLS with the system's roots. (=off) */
  tls?: TLSConfig | boolean | null;
}

/** @deprecated use `Runtime.install`, and `NativeConnection.connect` for `serverOptions` */
export interface CoreOptions extends RuntimeOptions {
  serverOptions?: ServerOptions;
}

let installed: Core | undefined;

/** @deprecated use {@link Runtime}, and {@link NativeConnection} for the server */
export class Core {
  /**
   * Sets the options that all workers of this process share; to be called before the first is made.
   * @throws {InvalidOptionsError} with all problems of the options
   * @throws {IllegalStateError} it has been called before, or a worker or connection is there
   */
  static async install({ serverOptions, ...options }: CoreOptions = {}): Promise<Core> {
    if (installed !== undefined) throw new IllegalStateError('Core has already been installed');
    if (serverOptions !== undefined) {
      const check = new OptionsCheck('CoreOptions');
      check.object('serverOptions', serverOptions, {
        address: (value) =>
          typeof value === 'string' && parseAddress(value) ? undefined : 'host or host:port',
        namespace: text,
        tls: (value) =>
          value === null || typeof value === 'boolean' || typeof value === 'object'
            ? undefined
            : 'true, false or an object',
      });
      check.done();
    }
    Runtime.install(options);
    installed = new Core(serverOptions ?? {});
    return installed;
  }

  /** What `install` has made; with default options if it has not been called. */
  static async instance(): Promise<Core> {
    installed ??= new Core({});
    return installed;
  }

  private constructor(readonly serverOptions: Readonly<ServerOptions>) {}

  /** Forgets the server's options, so that `install` may be called again. */
  async shutdown(): Promise<void> {
    if (installed === this) installed = undefined;
  }
}

/** Options of the connection of workers that are given none. @internal */
export function defaultServer(): { connection: NativeConnectionOptions; namespace: string | undefined } {
  const { address, namespace, tls } = installed?.serverOptions ?? {};
  return {
    connection: { ...(address !== undefined && { address }), ...(tls !== undefined && { tls }) },
    namespace,
  };
}
