/**
 * Replays a folder of histories as one test.
 *
 * R1  Every file of the folder is read and replayed; one that cannot be does not end the others.
 * R2  A folder without histories is an error: a test that looks at nothing must not pass.
 * R3  A history is replayed under the workflow id it was recorded with, so that ids made of it stay the same.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PerdureError, ValueError } from '@perdure/common';
import { historyFromJSON } from '@perdure/common/lib/proto-utils';
import { History } from '@perdure/proto/temporal/api/history/v1/message';
import { type ReplayWorkerOptions, Worker } from '@perdure/worker';
import { collectCoverage } from './coverage';

export type ReplayFolderOptions = ReplayWorkerOptions & {
  /**
   * Folder with histories: `*.json` as the CLI and `historyToJSON` write them, `*.pb` and `*.bin` as protobuf. A history
   * that does not carry its workflow id (those of old servers and of the time-skipping one) takes the file's name for it.
   */
  folder: string;
};

/** How the replay of one file ended. */
export interface ReplayedFile {
  /** Name within the folder. */
  readonly file: string;
  readonly workflowId: string;
  readonly workflowType: string;
  /** Why the code does not fit the history, or why the file could not be replayed; absent if all is well. */
  readonly error?: Error;
}

/** Some histories do not fit the workflow code, or cannot be read. */
export class ReplayFolderError extends PerdureError {
  readonly code = 'TESTING_REPLAY_FAILED';

  constructor(
    readonly folder: string,
    /** Every file, in order of name, those without an error too. */
    readonly files: readonly ReplayedFile[],
  ) {
    const failed = files.filter(({ error }) => error !== undefined);
    const lines = failed.map(
      ({ file, workflowType, error }) =>
        `\n  ${file} (${workflowType || 'unknown type'}): ${indent(error!.message)}`,
    );
    super(`${failed.length} of ${files.length} histories of ${folder} cannot be replayed:${lines.join('')}`, {
      hint: 'changes that running workflows must survive go behind patched(); a history that is no longer of use can be deleted',
      cause: failed[0]?.error,
    });
  }
}

const READERS: Readonly<Record<string, (bytes: Buffer) => History>> = {
  json: (bytes) => historyFromJSON(JSON.parse(bytes.toString())),
  pb: (bytes) => History.decode(bytes),
  bin: (bytes) => History.decode(bytes),
};

/**
 * Replays every history of a folder, side by side.
 * @returns all files, in order of name
 * @throws {ReplayFolderError} naming every file that does not fit, and why
 * @throws {ValueError} the folder cannot be read or holds no history; what `Worker.runReplayHistories` throws
 */
export async function replayFolder({
  folder,
  ...options
}: ReplayFolderOptions): Promise<readonly ReplayedFile[]> {
  const read = await readFolder(folder);
  const replayable = read.filter(
    (entry): entry is ReadFile & { history: History } => entry.history !== undefined,
  );
  const waiting = new Set(replayable);
  const done = new Map<string, ReplayedFile>();
  for (const { file, workflowId, workflowType, error } of read) {
    done.set(file, { file, workflowId, workflowType, ...(error && { error }) });
  }
  if (replayable.length > 0) {
    const histories = replayable.map(({ workflowId, history }) => ({ workflowId, history }));
    for await (const { workflowId, runId, error } of Worker.runReplayHistories(options, histories)) {
      // Equal ids are replayed one after the other, so the first that still waits is the one.
      const of = [...waiting];
      const entry =
        of.find((candidate) => candidate.workflowId === workflowId && candidate.runId === runId) ??
        of.find((candidate) => candidate.workflowId === workflowId);
      if (entry === undefined) continue;
      waiting.delete(entry);
      if (error !== undefined) done.set(entry.file, { ...done.get(entry.file)!, error });
    }
    await collectCoverage();
    for (const { file } of waiting)
      done.set(file, { ...done.get(file)!, error: new Error('the replay ended without a result for it') });
  }
  const files = read.map(({ file }) => done.get(file)!);
  if (files.some(({ error }) => error !== undefined)) throw new ReplayFolderError(folder, files);
  return files;
}

interface ReadFile {
  readonly file: string;
  readonly workflowId: string;
  readonly runId: string;
  readonly workflowType: string;
  readonly history?: History;
  readonly error?: Error;
}

/** R1, R2 */
async function readFolder(folder: string): Promise<ReadFile[]> {
  let names: string[];
  try {
    names = (await readdir(folder)).filter((name) => readerOf(name) !== undefined).sort();
  } catch (error) {
    throw new ValueError(`The folder of histories cannot be read: ${(error as Error).message}`, error);
  }
  if (names.length === 0) {
    throw new ValueError(
      `${folder} holds no history`,
      undefined,
      'save some with "temporal workflow show --output json", as *.json',
    );
  }
  return await Promise.all(
    names.map(async (file) => {
      try {
        const history = readerOf(file)!(await readFile(join(folder, file)));
        const started = history.events?.[0]?.workflowExecutionStartedEventAttributes;
        if (started === undefined) throw new Error('it does not begin with the start of a workflow');
        return {
          file,
          history,
          workflowId: started.workflowId || file.replace(/\.\w+$/, ''), // R3
          runId: started.originalExecutionRunId ?? '',
          workflowType: started.workflowType?.name ?? '',
        };
      } catch (error) {
        const why = `the history cannot be read: ${error instanceof Error ? error.message : String(error)}`;
        return { file, workflowId: '', runId: '', workflowType: '', error: new Error(why, { cause: error }) };
      }
    }),
  );
}

function readerOf(file: string) {
  const extension = /\.(\w+)$/.exec(file)?.[1] ?? '';
  return Object.hasOwn(READERS, extension) ? READERS[extension] : undefined;
}

function indent(text: string): string {
  return text.replaceAll('\n', '\n    ');
}
