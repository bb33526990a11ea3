/** Source trees for tests: written to a temporary folder, with real packages linked in. */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';

export interface Project {
  readonly directory: string;
  /** Absolute path of a file of the project. */
  path(file: string): string;
  write(file: string, content: string): void;
  remove(file: string): void;
}

const made: string[] = [];

/**
 * @param files     path to content
 * @param packages  installed packages to link into node_modules
 */
export function makeProject(files: Record<string, string>, packages: readonly string[] = []): Project {
  const directory = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'perdure-bundler-')));
  made.push(directory);
  const project: Project = {
    directory,
    path: (file) => path.join(directory, file),
    write(file, content) {
      const target = path.join(directory, file);
      fs.mkdirSync(path.dirname(target), { recursive: true });
      fs.writeFileSync(target, content);
    },
    remove: (file) => fs.rmSync(path.join(directory, file), { recursive: true }),
  };
  for (const [file, content] of Object.entries(files)) project.write(file, content);
  for (const name of packages) {
    const link = path.join(directory, 'node_modules', name);
    fs.mkdirSync(path.dirname(link), { recursive: true });
    fs.symlinkSync(findPackage(name), link);
  }
  return project;
}

/** Removes what makeProject made; for afterAll. */
export function removeProjects(): void {
  for (const directory of made.splice(0)) fs.rmSync(directory, { recursive: true, force: true });
}

function findPackage(name: string): string {
  for (let at = __dirname; ; at = path.dirname(at)) {
    const candidate = path.join(at, 'node_modules', name);
    if (fs.existsSync(path.join(candidate, 'package.json'))) return candidate;
    if (path.dirname(at) === at) throw new Error(`package ${name} is not installed`);
  }
}
