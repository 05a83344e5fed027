import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { deserialize, serialize } from 'node:v8';
import { describe, expect, test } from 'vitest';
import { loadLab, type Lab } from '../src-lab/lab';
import { compileCourse, Course } from './course';
import { readLab } from './labs';
import { temporaryFolder } from './testing/folder';
import { writeSmallLab } from './testing/lab';

interface Compiled {
  simVersion: string;
  labs: Map<string, Lab>;
}

/** A course of one small lab; `compiled` as its build made it, changed by `alter`. */
function small(alter: (compiled: Compiled) => Compiled = (compiled) => compiled) {
  const root = temporaryFolder();
  const folder = writeSmallLab(root);
  const file = join(temporaryFolder(), 'labs.bin');
  writeFileSync(file, serialize(alter(deserialize(compileCourse(root, loadLab)) as Compiled)));
  return { root, folder, file, course: new Course(pathToFileURL(file)) };
}
function filesOf(folder: string) {
  const read = readLab(folder);
  if (!read.ok) throw new Error(read.fault.code);
  return read.files;
}
/** Title of the lab as a course has it. */
function titleOf(course: Course, folder: string): string | null {
  const load = course.load(folder, filesOf(folder), loadLab);
  return load.ok ? load.lab.source.title : null;
}
/** Marks what was compiled, to tell it from what was parsed. */
const marked = ({ simVersion, labs }: Compiled): Compiled => ({
  simVersion,
  labs: new Map([...labs].map(([print, lab]) => [print, { ...lab, source: { ...lab.source, title: 'Compiled' } }])), // prettier-ignore
});

describe('the compiled course', () => {
  test('is the lab that parsing gives', () => {
    const { course, folder } = small();
    expect(course.load(folder, filesOf(folder), loadLab)).toEqual(loadLab(filesOf(folder)));
  });

  test('is taken while the files are those of the build, and left when one differs', () => {
    const { course, root, folder } = small(marked);
    expect(titleOf(course, folder)).toBe('Compiled');
    writeSmallLab(root, 'Another title');
    expect(titleOf(course, folder)).toBe('Another title');
  });

  test('of another simulator, damaged or missing costs only the time to parse', () => {
    const other = small((compiled) => ({ ...marked(compiled), simVersion: 'other' }));
    expect(titleOf(other.course, other.folder)).toBe('A small lab');
    const damaged = small(marked);
    writeFileSync(damaged.file, 'no such thing');
    expect(titleOf(damaged.course, damaged.folder)).toBe('A small lab');
    expect(titleOf(new Course(null), damaged.folder)).toBe('A small lab');
  });

  test('a lab with faults is not in it; without it, a folder is parsed again only when it changed', () => {
    const { root, folder } = small();
    writeFileSync(join(folder, 'guide.md'), 'no section');
    expect((deserialize(compileCourse(root, loadLab)) as Compiled).labs.size).toBe(0);
    const course = new Course(null);
    const load = course.load(folder, filesOf(folder), loadLab);
    expect(load.ok).toBe(false);
    expect(course.load(folder, filesOf(folder), loadLab)).toBe(load);
  });
});
