/** An interceptor that tells a sink every command that a run issues, in order, in every instance of the run. */
import { proxySinks, type Sinks, type WorkflowInterceptors } from '@perdure/workflow';

export interface WitnessSinks extends Sinks {
  witness: {
    /** @param begins true once for each instance of a run */
    issued(begins: boolean, commands: string[]): void;
  };
}

const { witness } = proxySinks<WitnessSinks>();

export function interceptors(): WorkflowInterceptors {
  let begins = true;
  return {
    internals: [
      {
        concludeActivation(input, next) {
          const output = next(input);
          const commands = output.commands
            // Answers to queries are no part of a history, nor are updates that were refused.
            .filter((c) => c.respondToQuery === undefined && c.updateResponse?.rejected === undefined)
            .map((command) => JSON.stringify(command, readable));
          if (begins || commands.length > 0) witness.issued(begins, commands);
          begins = false;
          return output;
        },
      },
    ],
  };
}

function readable(key: string, value: unknown): unknown {
  // Where in the source is no part of a command; and replays have a namespace of their own.
  if (key === 'stackTrace' || key === 'namespace') return undefined;
  return value instanceof Uint8Array
    ? Array.from(value, (byte) => String.fromCharCode(byte)).join('')
    : value;
}
