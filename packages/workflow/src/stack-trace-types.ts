/** Shapes of the answer to `__enhanced_stack_trace`. */

export interface StackTraceSDKInfo {
  name: string;
  version: string;
}

/** Part of a source text. */
export interface StackTraceFileSlice {
  /** Lines of the file before `content`. */
  line_offset: number;
  content: string;
}

export interface StackTraceFileLocation {
  file_path?: string;
  line?: number;
  column?: number;
  function_name?: string;
  /** True for frames of the SDK. */
  internal_code: boolean;
}

/** The stack of one promise. */
export interface StackTrace {
  locations: StackTraceFileLocation[];
}

export interface EnhancedStackTrace {
  sdk: StackTraceSDKInfo;
  sources: Record<string, StackTraceFileSlice[]>;
  stacks: StackTrace[];
}
