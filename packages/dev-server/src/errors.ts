/**
 * The errors of this package.
 *
 * Owns    the class and its codes.
 * E1  Every error that leaves this package is a DevServerError whose `code` is one of DevServerErrorCode.
 * E2  A code is never renamed and never reused; `docs/errors/<code>.md` explains it.
 *
 * The package stands below everything else, so the shape of PerdureError (`code`, `hint`, `cause`) is
 * met by structure and not by inheritance: `hasCode(error, 'DEV_SERVER_NOT_FOUND')` works all the same.
 */

export type DevServerErrorCode =
  | 'DEV_SERVER_NOT_FOUND'
  | 'DEV_SERVER_CHECKSUM_MISMATCH'
  | 'DEV_SERVER_START_FAILED'
  | 'DEV_SERVER_UNREACHABLE'
  | 'DEV_SERVER_INVALID_OPTIONS';

/** What went wrong while a server was looked for, installed, started or stopped. */
export class DevServerError extends Error {
  override readonly name = 'DevServerError';
  /** What the reader can do about it. */
  readonly hint: string | undefined;

  constructor(
    readonly code: DevServerErrorCode,
    message: string,
    { hint, cause }: { hint?: string; cause?: unknown } = {},
  ) {
    super(
      hint === undefined ? message : `${message}\n  hint: ${hint}`,
      cause === undefined ? undefined : { cause },
    );
    this.hint = hint;
  }
}
