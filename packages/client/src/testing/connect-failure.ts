import { Connection, type ConnectionFailedError, type ConnectionOptions } from '@perdure/client';

/**
 * How connecting fails, from an attempt that had time enough: where the machine is slow, the answer to a short one is
 * 'timeout', whatever else is at fault.
 */
export async function connectFailure(options: ConnectionOptions): Promise<ConnectionFailedError> {
  for (let connectTimeout = 500; ; connectTimeout *= 4) {
    const failure: ConnectionFailedError = await Connection.connect({ ...options, connectTimeout }).then(
      async (connection) => {
        await connection.close();
        throw new Error('it has connected');
      },
      (error) => error,
    );
    if (failure.fault !== 'timeout' || connectTimeout > 20_000) return failure;
  }
}
