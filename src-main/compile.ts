import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { loadLab } from '../src-lab/lab';
import { compileCourse } from './course';

/** The last part of a build: compiles `labs/` into `out/course/labs.bin`, which `Course` reads. */
writeFileSync(
  new URL('../course/labs.bin', import.meta.url),
  compileCourse(fileURLToPath(new URL('../../labs', import.meta.url)), loadLab),
);
