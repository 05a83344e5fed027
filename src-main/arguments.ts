/**
 * The lab that a command line asks for: `--lab NAME` or `--lab=NAME`.
 *
 * @param argv - as Electron gives it; switches of Chromium may stand anywhere.
 * @returns the name as written, empty included; null when none is asked for. The last one wins.
 */
export function labOf(argv: readonly string[]): string | null {
  let lab: string | null = null;
  argv.forEach((word, i) => {
    if (word === '--lab') lab = argv[i + 1] ?? '';
    else if (word.startsWith('--lab=')) lab = word.slice('--lab='.length);
  });
  return lab;
}
