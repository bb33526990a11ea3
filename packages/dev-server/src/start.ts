/**
 * Starts the dev server and the time-skipping test server.
 *
 * Owns    command lines, the wait until a server serves, the choice of another port after a collision.
 * Leaves  finding the binary to find.ts, the process to supervisor.ts.
 * T1  A server is handed out only after it has answered a real call for its namespace while its own process lived.
 * T2  A server that could not be handed out has ended.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { DevServerError } from './errors';
import { findServerBinary } from './find';
import {
  type DevServerOptions,
  type ResolvedDevServerOptions,
  resolveDevServerOptions,
  resolveTestServerOptions,
  type TestServerOptions,
} from './options';
import { type ClaimedPort, canBind, claimPort } from './ports';
import { GRPC_OK, probe } from './probe';
import { type Supervised, supervise } from './supervisor';

/** A server that serves. */
export interface RunningServer extends AsyncDisposable {
  /** `host:port` of the gRPC service. */
  readonly address: string;
  /** Process id of the server; undefined where it was not started here (`TEMPORAL_ADDRESS`). */
  readonly pid: number | undefined;
  /** File with the server's output while it runs; undefined where it was not started here. */
  readonly logFile: string | undefined;
  /** Ends the server and waits for its end. Does nothing to a server that was not started here. May be called often. */
  stop(): Promise<void>;
}

export interface DevServer extends RunningServer {
  /** Address of the Web UI, where it was asked for. */
  readonly uiUrl: string | undefined;
  /** The namespace that was asked for; it exists. */
  readonly namespace: string;
}

/** Starts again with other ports when another process was faster; more collisions than this mean something else. */
const ATTEMPTS = 5;
const PORT_TAKEN = /address already in use|port (is )?already in use|bind: |BindException|Failed to bind/i;

function childEnv(): NodeJS.ProcessEnv {
  // The CLI takes its client settings from TEMPORAL_* variables; a server has no use for them.
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('TEMPORAL_')));
}

/** T1: waits for the first successful call; fails as soon as the process has ended. */
async function untilServing(
  server: Supervised,
  what: string,
  address: string,
  namespace: string | undefined,
  timeoutMs: number,
): Promise<void> {
  const giveUpAt = Date.now() + timeoutMs;
  let last = '';
  while (!server.hasExited() && Date.now() < giveUpAt) {
    try {
      const status = await probe(address, namespace, Math.max(1, Math.min(1_000, giveUpAt - Date.now())));
      if (status === GRPC_OK && !server.hasExited()) return;
      last = `it answers with gRPC status ${status}`;
    } catch (error) {
      last = (error as Error).message;
    }
    await Promise.race([sleep(20), server.exited]);
  }
  const ended = server.hasExited() ? `ended with status ${await server.exited}` : undefined;
  await server.stop();
  const printed = server.output();
  throw new DevServerError(
    'DEV_SERVER_START_FAILED',
    `${what} at ${address} ${ended ?? `did not serve within ${timeoutMs} ms (${last})`}` +
      (printed === '' ? '; it printed nothing' : `; its last output:\n${printed}`),
    {
      hint: ended
        ? 'the output says why; a port that is in use and a binary that is no Temporal server are the usual reasons'
        : 'a slow machine may need a longer startTimeoutMs',
    },
  );
}

async function startOnce(
  what: string,
  command: string,
  args: readonly string[],
  address: string,
  namespace: string | undefined,
  { startTimeoutMs, graceSeconds }: { startTimeoutMs: number; graceSeconds: number },
): Promise<Supervised> {
  let server: Supervised;
  try {
    server = await supervise({ command, args, env: childEnv(), graceSeconds });
  } catch (error) {
    throw new DevServerError(
      'DEV_SERVER_START_FAILED',
      `${what} could not be started: ${(error as Error).message}`,
      {
        cause: error,
      },
    );
  }
  await untilServing(server, what, address, namespace, startTimeoutMs);
  return server;
}

/** Calls `start` with freshly claimed ports until no other process is in the way. */
async function withPorts<T>(
  host: string,
  wanted: readonly (number | undefined)[],
  start: (ports: number[]) => Promise<T>,
) {
  for (let attempt = 1; ; attempt++) {
    const claimed: ClaimedPort[] = [];
    try {
      const ports: number[] = [];
      for (const port of wanted) {
        if (port === undefined) claimed.push(await claimPort(host));
        else if (!(await canBind(port, host))) {
          // Asked before the start: whoever holds the port could answer the first call in the new server's place (T1).
          throw new DevServerError('DEV_SERVER_START_FAILED', `port ${port} on ${host} is already in use`, {
            hint: 'leave the port out to have a free one chosen, or stop the process that holds it',
          });
        }
        ports.push(port ?? claimed.at(-1)!.port);
      }
      return await start(ports);
    } catch (error) {
      const collision = error instanceof DevServerError && PORT_TAKEN.test(error.message);
      if (!collision || wanted.every((port) => port !== undefined) || attempt === ATTEMPTS) throw error;
    } finally {
      for (const port of claimed) port.release();
    }
  }
}

function hostInUrl(ip: string): string {
  const host = ip === '0.0.0.0' ? '127.0.0.1' : ip === '::' ? '::1' : ip;
  return host.includes(':') ? `[${host}]` : host;
}

function running(server: Supervised, address: string): RunningServer {
  return {
    address,
    pid: server.pid,
    logFile: server.logFile,
    stop: server.stop,
    [Symbol.asyncDispose]: server.stop,
  };
}

async function existingServer(address: string, namespace: string): Promise<DevServer> {
  // A server behind TLS or an API key is the business of the caller's client; only a plain one can be asked here.
  const isPlain = !process.env.TEMPORAL_API_KEY && !/^(1|true)$/i.test(process.env.TEMPORAL_TLS ?? '');
  if (isPlain) {
    const unreachable = (reason: string, cause?: unknown) =>
      new DevServerError('DEV_SERVER_UNREACHABLE', `TEMPORAL_ADDRESS is "${address}", but ${reason}`, {
        hint: 'start that server, create the namespace, or unset TEMPORAL_ADDRESS to have a server started',
        cause,
      });
    const status = await probe(address, namespace, 10_000).catch((error: Error) => {
      throw unreachable(`no Temporal server answers there (${error.message})`, error);
    });
    if (status !== GRPC_OK)
      throw unreachable(`it answers for namespace "${namespace}" with gRPC status ${status}`);
  }
  const stop = async () => {};
  return {
    address,
    namespace,
    uiUrl: undefined,
    pid: undefined,
    logFile: undefined,
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

function devServerArgs(
  options: ResolvedDevServerOptions,
  port: number,
  uiPort: number | undefined,
): string[] {
  const { ip, namespace, dbFilename, searchAttributes, logLevel, logFormat, dynamicConfigValues, extraArgs } =
    options;
  return [
    'server',
    'start-dev',
    `--ip=${ip}`,
    `--port=${port}`,
    `--log-level=${logLevel}`,
    `--log-format=${logFormat}`,
    ...(uiPort === undefined ? ['--headless'] : [`--ui-port=${uiPort}`]),
    ...(namespace === undefined ? [] : [`--namespace=${namespace}`]),
    ...(dbFilename === undefined ? [] : [`--db-filename=${dbFilename}`]),
    ...searchAttributes.map(([name, type]) => `--search-attribute=${name}=${type}`),
    ...dynamicConfigValues.map(([key, json]) => `--dynamic-config-value=${key}=${json}`),
    ...extraArgs,
  ];
}

/**
 * Starts the real Temporal dev server (or takes the one that `TEMPORAL_ADDRESS` names) and waits until it serves the
 * namespace. The server ends with `stop()`, and with this process however it ends. It does not keep this process
 * alive.
 * @throws {DevServerError} DEV_SERVER_INVALID_OPTIONS, DEV_SERVER_NOT_FOUND, DEV_SERVER_CHECKSUM_MISMATCH,
 *   DEV_SERVER_START_FAILED (with the server's output), DEV_SERVER_UNREACHABLE (`TEMPORAL_ADDRESS` does not answer)
 */
export async function startDevServer(options?: DevServerOptions): Promise<DevServer> {
  const resolved = resolveDevServerOptions(options);
  const existing = resolved.useExisting ? process.env.TEMPORAL_ADDRESS : undefined;
  if (existing)
    return existingServer(existing, resolved.namespace ?? process.env.TEMPORAL_NAMESPACE ?? 'default');
  const { ip, port, ui, dbFilename, binary, startTimeoutMs } = resolved;
  const namespace = resolved.namespace ?? 'default';
  const { path } = await findServerBinary('temporal', binary);
  const host = hostInUrl(ip);
  // State in memory needs no orderly end, which would cost a second.
  const graceSeconds = dbFilename === undefined ? 0 : 10;
  return await withPorts(ip, ui === undefined ? [port] : [port, ui.port], async ([grpcPort, uiPort]) => {
    const address = `${host}:${grpcPort}`;
    const args = devServerArgs(resolved, grpcPort!, uiPort);
    const server = await startOnce('the dev server', path, args, address, namespace, {
      startTimeoutMs,
      graceSeconds,
    });
    return {
      ...running(server, address),
      namespace,
      uiUrl: uiPort === undefined ? undefined : `http://${host}:${uiPort}`,
    };
  });
}

/**
 * Starts the time-skipping test server and waits until it serves. It ends as the dev server does.
 * @throws {DevServerError} as startDevServer, without DEV_SERVER_UNREACHABLE
 */
export async function startTestServer(options?: TestServerOptions): Promise<RunningServer> {
  const { port, extraArgs, binary, startTimeoutMs } = resolveTestServerOptions(options);
  const { path } = await findServerBinary('temporal-test-server', binary);
  return await withPorts('127.0.0.1', [port], async ([grpcPort]) => {
    const address = `127.0.0.1:${grpcPort}`;
    const args = [String(grpcPort), ...extraArgs];
    const server = await startOnce('the test server', path, args, address, undefined, {
      startTimeoutMs,
      graceSeconds: 0,
    });
    return running(server, address);
  });
}
