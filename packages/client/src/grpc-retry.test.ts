import { status } from '@grpc/grpc-js';
import { Connection, isGrpcServiceError } from './index';

describe('a call that waits for its next attempt', () => {
  it('ends with its last failure when the connection is closed, and nothing is thrown elsewhere', async () => {
    const thrown: unknown[] = [];
    const onThrown = (error: unknown) => thrown.push(error);
    process.on('uncaughtException', onThrown);
    try {
      const connection = Connection.lazy({ address: '127.0.0.1:1' }); // nobody listens there
      const call = connection.workflowService.getSystemInfo({}).catch((error: unknown) => error);
      await new Promise((resolve) => setTimeout(resolve, 60)); // the first attempt has failed, the second is due
      await connection.close();
      const error = await call;
      expect(isGrpcServiceError(error) && error.code).toBe(status.UNAVAILABLE);
      await new Promise((resolve) => setTimeout(resolve, 300));
      expect(thrown).toEqual([]);
    } finally {
      process.off('uncaughtException', onThrown);
    }
  });
});
