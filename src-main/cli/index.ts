import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { checkLab } from '../../src-lab/check';
import { Facts } from '../../src-lab/schema';
import { explainLabFault, labFolders, readLab } from '../labs';

/** `seamlab lab check [NAME]`. The other commands join it here. */
const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'labs');
const [noun, verb, name] = process.argv.slice(2);
if (noun !== 'lab' || verb !== 'check') {
  process.stderr.write('usage: seamlab lab check [NAME]\n');
  process.exitCode = 2;
} else {
  const facts = Facts.parse(JSON.parse(readFileSync(join(root, 'facts.json'), 'utf8')));
  for (const folder of name ? [name] : labFolders(root)) {
    const read = readLab(join(root, folder));
    const issues = read.ok ? checkLab(read.files, facts).issues : [];
    if (!read.ok) process.stderr.write(`${folder}: ${explainLabFault(read.fault)}\n`);
    for (const { file, line, column, message, remedy } of issues) {
      process.stderr.write(`labs/${folder}/${file}:${line}:${column}: ${message} ${remedy}\n`);
    }
    if (!read.ok || issues.length > 0) process.exitCode = 1;
    else process.stdout.write(`${folder}: good\n`);
  }
}
