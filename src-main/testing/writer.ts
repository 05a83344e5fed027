import { Progress } from '../progress';
import { attemptWith, nextLine, standing } from './transcripts';

/**
 * A process that keeps inputs until it is killed. Arguments: the folder. Prints the attempt, then each line as soon as
 * it is acknowledged.
 */
const [, , folder] = process.argv;
const progress = new Progress(
  folder!,
  Date.now,
  () => {},
  (news) => process.stdout.write(`told ${news.code}\n`),
);
const { attempt, lines } = attemptWith(0, Date.now());
process.stdout.write(`${attempt.id}\n`);

const add = (): void => {
  const line = nextLine(attempt, lines);
  if (progress.append(attempt, lines, line, standing) !== null) throw new Error('not kept');
  lines.push(line);
  process.stdout.write(`${line}\n`);
  setImmediate(add);
};
add();
