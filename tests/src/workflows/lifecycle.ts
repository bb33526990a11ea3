/** Workflows that end in every way, for the lines that tell of it. */
import { ApplicationFailure, continueAsNew, log, sleep } from '@perdure/workflow';

export async function ends(how: 'well' | 'failed' | 'again' | 'never'): Promise<string> {
  log.debug('a line of its own');
  if (how === 'never' || how === 'well') await sleep(how === 'well' ? 10 : '1 hour');
  if (how === 'failed') throw ApplicationFailure.nonRetryable('on purpose', 'OnPurpose');
  if (how === 'again') await continueAsNew<typeof ends>('well');
  return how;
}
