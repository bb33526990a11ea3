import { createServer, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { InterceptingCall, type Interceptor, status } from '@grpc/grpc-js';
import { Connection, defaultGrpcRetryOptions, isGrpcServiceError, makeGrpcRetryInterceptor } from './index';

describe('a call that waits for its next attempt', () => {
  it('is cancelled when the connection is closed, tells its last failure, and nothing is thrown elsewhere', async () => {
    const thrown: unknown[] = [];
    const onThrown = (error: unknown) => thrown.push(error);
    process.on('uncaughtException', onThrown);
    try {
      let failed!: () => void;
      const firstFailure = new Promise<void>((resolve) => {
        failed = resolve;
      });
      const watch: Interceptor = (options, next) =>
        new InterceptingCall(next(options), {
          start(metadata, _listener, start) {
            start(metadata, {
              onReceiveStatus(received, pass) {
                pass(received);
                failed();
              },
            });
          },
        });
      const retry = makeGrpcRetryInterceptor(defaultGrpcRetryOptions());
      const address = '127.0.0.1:1'; // nobody listens there
      const connection = Connection.lazy({ address, interceptors: [retry, watch] });
      const call = connection.workflowService.getSystemInfo({}).catch((error: unknown) => error);
      await firstFailure; // the second attempt is due in a tenth of a second
      await connection.close();
      const error = await call;
      expect(isGrpcServiceError(error) && error.code).toBe(status.CANCELLED);
      expect(isGrpcServiceError(error) && error.details).toMatch(/failed with UNAVAILABLE: .*ECONNREFUSED/s);
      await new Promise((resolve) => setTimeout(resolve, 300));
      expect(thrown).toEqual([]);
    } finally {
      process.off('uncaughtException', onThrown);
    }
  });
});

describe('a long poll', () => {
  it('outlives more broken connections than a call has attempts', async () => {
    // Takes connections, says that it speaks HTTP/2, and breaks them off in the middle of every call.
    let calls = 0;
    const server = createServer();
    server.on('stream', (stream: ServerHttp2Stream) => {
      calls++;
      if (calls <= 4) setTimeout(() => stream.session?.destroy(), 550);
      else {
        stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
        stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
        stream.end(Buffer.alloc(5)); // an empty message
      }
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const retryOptions = defaultGrpcRetryOptions({ maxAttempts: 2, initialIntervalMs: () => 10 });
    const connection = Connection.lazy({
      address: `127.0.0.1:${port}`,
      interceptors: [makeGrpcRetryInterceptor(retryOptions)],
    });
    try {
      await connection.workflowService.getWorkflowExecutionHistory({ waitNewEvent: true });
      expect(calls).toBe(5);
    } finally {
      await connection.close();
      server.close();
    }
  });
});
