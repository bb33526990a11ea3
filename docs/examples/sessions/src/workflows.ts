import { SessionFailedError, withSession } from '@perdure/sessions/workflow';
import type * as activities from './activities.js';

const TRIES = 3;

/** Downloads and converts a text on one host, and counts its lines. */
export async function convert(text: string, downloadMs: number): Promise<string> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await withSession(
        { creationTimeout: '1 minute', executionTimeout: '1 hour', heartbeatTimeout: '3s' },
        async (session) => {
          const { download, upperCase, countLines } = session.proxyActivities<typeof activities>({
            startToCloseTimeout: '10 minutes',
          });
          const file = await download(text, downloadMs);
          await upperCase(file);
          return `${await countLines(file)} lines, all on host ${session.info.resourceId}`;
        },
      );
    } catch (error) {
      // The host is gone, and the file with it: begin again, on another one.
      if (!(error instanceof SessionFailedError) || attempt === TRIES) throw error;
    }
  }
}
