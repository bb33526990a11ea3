/** Shortest way from sources to a run, for tests. */
import { type BundleOptions, bundleWorkflowCode, type WorkflowBundleWithSourceMap } from '../index';
import { makeProject, type Project } from './project';
import { type HostModules, TestRealm } from './realm';

export interface BundledProject {
  readonly project: Project;
  readonly bundle: WorkflowBundleWithSourceMap;
  readonly realm: TestRealm;
}

/** Bundles the file named workflows (or the first one given) of a new project. The disk cache is off unless asked for. */
export async function bundleProject(
  files: Record<string, string>,
  {
    packages = [],
    hostModules = {},
    ...options
  }: Partial<BundleOptions> & { packages?: readonly string[]; hostModules?: HostModules } = {},
): Promise<BundledProject> {
  const project = makeProject(files, packages);
  const names = Object.keys(files);
  const entry = names.find((name) => /(?:^|\/)workflows\.\w+$/.test(name)) ?? names[0]!;
  const bundle = await bundleWorkflowCode({ workflowsPath: project.path(entry), cache: false, ...options });
  return { project, bundle, realm: new TestRealm(bundle.code, hostModules) };
}

/** The error that bundling these sources ends with. */
export async function bundleFailure(
  files: Record<string, string>,
  options: Parameters<typeof bundleProject>[1] = {},
): Promise<import('../errors').BundleError> {
  try {
    await bundleProject(files, options);
  } catch (error) {
    return error as import('../errors').BundleError;
  }
  throw new Error('bundling succeeded');
}
