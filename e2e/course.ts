import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './app';

/**
 * The application as built, with a course of the test's own.
 *
 * @param folder - made below; holds the application's folder.
 * @param write - writes lab folders into the folder it is given.
 * @returns the folder to launch.
 */
export function withCourse(folder: string, write: (labs: string) => void): string {
  const application = join(folder, 'application');
  mkdirSync(join(application, 'labs'), { recursive: true });
  for (const name of ['package.json', 'out']) symlinkSync(join(root, name), join(application, name));
  write(join(application, 'labs'));
  return application;
}
