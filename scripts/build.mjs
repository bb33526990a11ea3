/** `npm run build`: all packages, and the native addon when it is missing or older than its sources. */
import { setUp } from './tools/setup.mjs';

await setUp();
