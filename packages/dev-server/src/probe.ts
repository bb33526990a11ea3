/**
 * Asks a server whether it serves, by one real gRPC call made with node:http2 alone.
 *
 * Owns    the little of gRPC and protobuf that DescribeNamespace and GetSystemInfo need.
 */
import { connect } from 'node:http2';

const SERVICE = '/temporal.api.workflowservice.v1.WorkflowService';

/** `grpc-status` of a call that succeeded. */
export const GRPC_OK = 0;

function frame(message: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/** DescribeNamespaceRequest { string namespace = 1 } */
function describeNamespaceRequest(namespace: string): Buffer {
  const name = Buffer.from(namespace, 'utf8');
  const length: number[] = [];
  let rest = name.length;
  while (rest > 0x7f) {
    length.push((rest & 0x7f) | 0x80);
    rest >>>= 7;
  }
  return Buffer.concat([Buffer.from([0x0a, ...length, rest]), name]);
}

function call(address: string, method: string, message: Uint8Array, timeoutMs: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const session = connect(`http://${address}`);
    const timer = setTimeout(() => fail(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
    const finish = () => {
      clearTimeout(timer);
      session.destroy();
    };
    const fail = (error: Error) => {
      finish();
      reject(error);
    };
    session.on('error', fail);
    session.on('close', () => fail(new Error('the connection was closed')));
    const stream = session.request({
      ':method': 'POST',
      ':path': `${SERVICE}/${method}`,
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    let status: number | undefined;
    const note = (headers: Record<string, unknown>) => {
      if (headers['grpc-status'] !== undefined) status = Number(headers['grpc-status']);
    };
    stream.on('error', fail);
    stream.on('response', note); // an error without a message comes as headers only
    stream.on('trailers', note);
    stream.on('data', () => {});
    stream.on('end', () => {
      finish();
      if (status === undefined) reject(new Error('the answer is not gRPC'));
      else resolve(status);
    });
    stream.end(frame(message));
  });
}

/**
 * One call to the server at `address` (`host:port`, no TLS).
 * @param namespace  asks for this namespace; without it, only whether the server answers
 * @returns the gRPC status: GRPC_OK once the server serves (and knows the namespace)
 * @throws {Error} nobody listens, or what listens does not speak gRPC
 */
export function probe(address: string, namespace: string | undefined, timeoutMs: number): Promise<number> {
  return namespace === undefined
    ? call(address, 'GetSystemInfo', new Uint8Array(), timeoutMs)
    : call(address, 'DescribeNamespace', describeNamespaceRequest(namespace), timeoutMs);
}
