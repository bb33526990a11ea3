/**
 * A server that decodes payloads for the Web UI and the CLI, and encodes what they send.
 *
 * Owns    the HTTP protocol of remote codecs: POST `/encode` and `/decode`, bodies are Payloads messages as JSON.
 * Leaves  TLS to a proxy in front, who may read what to `authorize`.
 * H1  Nothing is answered before `authorize` has agreed; without it, only loopback addresses are listened on.
 * H2  Only origins that are allowed by name get CORS headers; there is no wildcard.
 * H3  Every request ends: bodies have a limit, errors are JSON, and no answer holds what could not be decoded.
 */
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { errorCode, type PayloadCodec, ValueError } from '@perdure/common';
import { Payloads } from '@perdure/proto/temporal/api/common/v1/message';

export interface CodecServerOptions {
  /** In the order of encoding; or chosen by namespace, undefined for an unknown one. */
  codecs: readonly PayloadCodec[] | ((namespace: string) => readonly PayloadCodec[] | undefined);
  /**
   * TCP port.
   * @default 0, a free one
   */
  port?: number;
  /**
   * Address to listen on. Anything else than a loopback address needs `authorize`.
   * @default '127.0.0.1'
   */
  host?: string;
  /**
   * Origins of Web UIs that may call from a browser, such as `http://localhost:8233`. `localhost` and `127.0.0.1` are two
   * origins. Browsers on other origins are refused, with a warning of the process that names the origin.
   * @default none
   */
  allowedOrigins?: readonly string[];
  /** Whether this caller may; called for every request. */
  authorize?: (request: {
    readonly operation: 'encode' | 'decode';
    /** Of the header `X-Namespace`, empty if it is not sent. */
    readonly namespace: string;
    readonly headers: IncomingHttpHeaders;
  }) => boolean | Promise<boolean>;
  /**
   * Largest body in bytes.
   * @default 64 MiB
   */
  maxBodyBytes?: number;
}

export interface CodecServer {
  /** What `--codec-endpoint` takes. */
  readonly url: string;
  readonly port: number;
  close(): Promise<void>;
}

const DEFAULT_MAX_BODY_BYTES = 64 * 1024 * 1024;
/** How long a browser may go without asking again, in seconds. */
const PREFLIGHT_MAX_AGE_S = 600;
/** Whoever can reach the server can make up origins; warnings about them come to an end. */
const MAX_ORIGIN_WARNINGS = 10;
const LOOPBACK = new Set(['127.0.0.1', 'localhost', '::1']);

class HttpError extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly errorCode?: string,
  ) {
    super(message);
  }
}

/** @throws {ValueError} it would decode for everybody who reaches it, or an origin is none */
export async function startCodecServer({
  codecs,
  port = 0,
  host = '127.0.0.1',
  allowedOrigins = [],
  authorize,
  maxBodyBytes = DEFAULT_MAX_BODY_BYTES,
}: CodecServerOptions): Promise<CodecServer> {
  if (authorize === undefined && !LOOPBACK.has(host)) {
    throw new ValueError(
      `a codec server at ${host} would decode for everybody`,
      undefined,
      'give authorize, or listen on 127.0.0.1',
    );
  }
  const origins = new Set(allowedOrigins.map(originOf));
  const refusedOrigins = new Set<string>();
  const codecsOf = typeof codecs === 'function' ? codecs : () => codecs;

  async function answer(request: IncomingMessage): Promise<unknown> {
    const operation = operationOf(request.url ?? '/');
    if (operation === undefined) throw new HttpError(404, 'POST /encode or /decode');
    if (request.method !== 'POST') throw new HttpError(405, 'only POST');
    const namespace = String(request.headers['x-namespace'] ?? '');
    const allowed =
      authorize === undefined || (await authorize({ operation, namespace, headers: request.headers }));
    if (allowed !== true) throw new HttpError(401, 'not authorized'); // H1
    const chosen = codecsOf(namespace);
    if (chosen === undefined) throw new HttpError(404, 'no codecs for this namespace');
    let { payloads = [] } = parsePayloads(await bodyOf(request, maxBodyBytes));
    try {
      for (const codec of operation === 'encode' ? chosen : [...chosen].reverse()) {
        payloads = await codec[operation](payloads);
      }
    } catch (error) {
      // H3: the error's own text may quote data
      throw new HttpError(400, `cannot ${operation} these payloads`, errorCode(error));
    }
    return Payloads.toJSON({ payloads });
  }

  const server = createServer((request, response) => {
    const { origin } = request.headers;
    if (origin !== undefined && origins.has(origin)) {
      for (const [name, value] of corsHeaders(origin, request.headers)) response.setHeader(name, value); // H2
    } else if (origin !== undefined) {
      warnOfOrigin(origin, refusedOrigins);
    }
    response.setHeader('Vary', 'Origin');
    if (request.method === 'OPTIONS') {
      response.writeHead(204).end();
      return;
    }
    answer(request).then(
      (body) => send(response, 200, body),
      (error) =>
        error instanceof HttpError
          ? send(response, error.status, {
              message: error.message,
              ...(error.errorCode && { code: error.errorCode }),
            })
          : send(response, 500, { message: 'the codec server failed' }),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  const actual = (server.address() as AddressInfo).port;
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${actual}`,
    port: actual,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** @returns what browsers send for it: scheme, host and port, nothing else */
function originOf(allowed: string): string {
  if (allowed === '*') throw new ValueError("allowedOrigins: name the origins, '*' is not taken");
  const url = URL.canParse(allowed) ? new URL(allowed) : undefined;
  if (url === undefined || url.origin === 'null' || url.href !== `${url.origin}/`) {
    throw new ValueError(
      `allowedOrigins: '${allowed}' is no origin`,
      undefined,
      'an origin is scheme, host and port, such as http://localhost:8233',
    );
  }
  return url.origin;
}

/** H2: for an origin that is allowed, whatever it asks for: which headers a Web UI sends changes with its releases. */
function corsHeaders(origin: string, asked: IncomingHttpHeaders): [name: string, value: string][] {
  const headers: [string, string][] = [
    ['Access-Control-Allow-Origin', origin],
    ['Access-Control-Allow-Methods', 'POST, OPTIONS'],
    [
      'Access-Control-Allow-Headers',
      asked['access-control-request-headers'] ?? 'Authorization, Content-Type, X-Namespace',
    ],
    ['Access-Control-Allow-Credentials', 'true'],
    ['Access-Control-Max-Age', String(PREFLIGHT_MAX_AGE_S)],
  ];
  // A UI on the internet, such as Temporal Cloud's, that asks a codec server on the user's own machine.
  if (asked['access-control-request-private-network'] !== undefined)
    headers.push(['Access-Control-Allow-Private-Network', 'true']);
  return headers;
}

/** The browser tells only its console why nothing is decoded; whoever runs the server looks here. */
function warnOfOrigin(origin: string, known: Set<string>): void {
  if (known.has(origin) || known.size === MAX_ORIGIN_WARNINGS) return;
  known.add(origin);
  process.emitWarning(
    `a browser on ${JSON.stringify(origin.slice(0, 200))} asked the codec server and got no answer: that origin is not in allowedOrigins`,
    'CodecServerWarning',
  );
}

/** The last part of the path, so that the server may be mounted below any prefix. */
function operationOf(url: string): 'encode' | 'decode' | undefined {
  const last = url.split('?', 1)[0]!.replace(/\/$/, '').split('/').at(-1);
  return last === 'encode' || last === 'decode' ? last : undefined;
}

async function bodyOf(request: IncomingMessage, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw new HttpError(413, `the body has more than ${maxBytes} bytes`); // H3
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function parsePayloads(body: string): Payloads {
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch {
    throw new HttpError(400, 'the body is no JSON');
  }
  try {
    return Payloads.fromJSON(json);
  } catch {
    throw new HttpError(400, 'the body holds no Payloads message');
  }
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
}
