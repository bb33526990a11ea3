/**
 * A gRPC server that writes down what it is asked and answers every unary call with an empty message: for what a real
 * server does not tell, the headers of a call.
 */
import { once } from 'node:events';
import { createSecureServer, createServer, type Http2Server, type IncomingHttpHeaders } from 'node:http2';
import type { AddressInfo } from 'node:net';

export interface RecordedCall {
  /** "/package.Service/Method". */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Uint8Array;
}

export interface Recorder {
  /** "127.0.0.1:1234". */
  readonly address: string;
  readonly calls: readonly RecordedCall[];
  close(): void;
}

/**
 * @param options tls: key and certificate, absent for plain text; silent: methods that are never answered
 */
export async function startRecorder(
  options: { tls?: { key: string; cert: string }; silent?: readonly string[] } = {},
): Promise<Recorder> {
  const server = options.tls ? createSecureServer(options.tls) : createServer();
  const calls: RecordedCall[] = [];
  const sessions = new Set<{ destroy(): void }>();
  (server as Http2Server).on('session', (session) => sessions.add(session));
  (server as Http2Server).on('stream', (stream, headers) => {
    const chunks: Buffer[] = [];
    stream.on('error', () => undefined);
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', () => {
      const path = String(headers[':path']);
      calls.push({ path, headers, body: Buffer.concat(chunks).subarray(5) });
      if (options.silent?.some((method) => path.endsWith(`/${method}`))) return;
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      stream.end(Buffer.alloc(5));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    close() {
      for (const session of sessions) session.destroy();
      server.close();
    },
  };
}
