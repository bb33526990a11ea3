/** A workflow that imports the API of activities: it belongs to the other side. */
import { activityInfo, heartbeat, log } from '@perdure/activity';

export async function beats(): Promise<string> {
  heartbeat();
  log.info('never');
  return activityInfo().activityId;
}
