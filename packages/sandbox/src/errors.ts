/** Errors of the sandbox. */
import { PerdureError } from '@perdure/common/lib/errors'; // alone: lanes need nothing else of it to start

/** A bundle cannot be run: it has another format, or it uses what a bundle may not use. */
export class BundleRefusedError extends PerdureError {
  readonly code = 'SANDBOX_BUNDLE_REFUSED';
}

/** Options of the lane pool, or of a registration, are not what they must be. */
export class SandboxOptionsError extends PerdureError {
  readonly code = 'SANDBOX_OPTIONS_INVALID';
}

/** A lane was ended, so what it was doing has no result. */
export class LaneLostError extends PerdureError {
  readonly code = 'SANDBOX_LANE_LOST';
}

/** A lane could not be started. */
export class LaneStartError extends PerdureError {
  readonly code = 'SANDBOX_LANE_START_FAILED';
}

/** The pool has been closed. */
export class PoolClosedError extends PerdureError {
  readonly code = 'SANDBOX_POOL_CLOSED';
}
