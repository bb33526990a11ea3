/** What debuggers expect of a replayer. */

/** Environment variable with the address of the debugger. */
export const DEBUGGER_URL = 'TEMPORAL_DEBUGGER_PLUGIN_URL';

/** Debuggers know replayers by the official SDK's name; the version is the one whose protocol this is. */
export const DEBUGGER_HEADERS = {
  'Temporal-Client-Name': 'temporal-typescript',
  'Temporal-Client-Version': '1.24.0',
};

/** How long the debugger may take to hear of a task. */
export const DEBUGGER_TIMEOUT_MS = 5000;
