/**
 * Who may import whom. The arrows run one way: src-renderer -> contract <- src-main -> src-lab -> src-sim.
 * A rule names a room and all that it may reach; anything else is an error.
 */

const packages = (...names) => `^node_modules/(${names.join('|')})/`;
const tests = '\\.test\\.ts$';
/** The packages that run in any JavaScript engine and read no clock, file or network. */
const markdown = ['unified', 'remark-[a-z-]+', 'mdast-util-[a-z-]+', 'unist-util-[a-z-]+'];
/** Packages of types alone: they have no module to resolve to. */
const types = '^(mdast|unist)$';

const room = (name, from, mayReach, more = {}) => ({
  name,
  severity: 'error',
  from: { path: from, pathNot: tests },
  to: { pathNot: mayReach, ...more },
});

/** A room's tests may also reach the test tools and Node, but no other room than the one they test may. */
const testsOf = (name, from, mayReach) => ({
  name,
  severity: 'error',
  from: { path: `${from}.*${tests}` },
  to: {
    pathNot: [...mayReach, packages('vitest', 'fast-check')],
    dependencyTypesNot: ['core'],
  },
});

const sim = '^src-sim/';
const lab = '^src-lab/';
const contract = '^src-main/contract\\.ts$';

module.exports = {
  forbidden: [
    {
      ...room('src-sim reaches src-sim only: no Node, no DOM, no package', sim, [sim]),
      from: { path: sim, pathNot: [tests, '^src-sim/(scenario|testing)/'] },
    },
    room('what tests of src-sim share reaches src-sim and test tools', '^src-sim/testing/', [
      sim,
      packages('fast-check'),
    ]),
    room('src-sim/scenario reaches src-sim, zod and yaml', '^src-sim/scenario/', [
      sim,
      packages('zod', 'yaml'),
    ]),
    {
      name: 'the machine does not know scenarios',
      severity: 'error',
      from: { path: '^src-sim/(machine|platform|seam|kvm|guest)/', pathNot: tests },
      to: { path: '^src-sim/(scenario|explore)/' },
    },
    testsOf('tests of src-sim reach src-sim and test tools', sim, [sim, packages('zod', 'yaml')]),

    {
      ...room('src-lab reaches src-lab, src-sim and pure packages', lab, [
        lab,
        sim,
        packages('zod', 'yaml', '@noble/hashes', ...markdown),
        types,
      ]),
      from: { path: lab, pathNot: [tests, '^src-lab/testing/'] },
    },
    room('what tests of src-lab share reaches test tools, too', '^src-lab/testing/', [
      lab,
      sim,
      packages('zod', 'fast-check'),
    ]),
    testsOf('tests of src-lab reach src-lab, src-sim and test tools', lab, [
      lab,
      sim,
      packages('zod', 'yaml', '@noble/hashes', ...markdown),
      types,
    ]),

    {
      name: 'src-main does not reach the screen',
      severity: 'error',
      from: { path: '^src-main/' },
      to: {
        path: [
          '^src-renderer/',
          '^e2e/',
          '^bench/',
          '^scripts/',
          packages('svelte', '@lucide/svelte', 'bits-ui'),
        ],
      },
    },
    room('the contract knows schemas and shapes, neither Electron nor Node nor the DOM', contract, [
      contract,
      lab,
      sim,
      packages('zod'),
    ]),
    {
      name: 'worker and command line run without Electron',
      severity: 'error',
      from: { path: '^src-main/(worker\\.ts$|cli/)', pathNot: tests },
      to: { path: packages('electron'), reachable: true },
    },
    room('the preload reaches Electron and the contract', '^src-main/preload\\.ts$', [
      contract,
      '^src-main/[a-z-]+\\.ts$',
      packages('electron', 'zod'),
    ]),

    {
      name: 'src-renderer runs the code of the contract and of packages only',
      severity: 'error',
      from: { path: '^src-renderer/', pathNot: tests },
      to: {
        pathNot: ['^src-renderer/', contract, '^node_modules/'],
        dependencyTypesNot: ['type-only'], // the machine's types may be read, its code may not
      },
    },
    {
      name: 'src-renderer reads types of the contract, src-lab and src-sim only',
      severity: 'error',
      from: { path: '^src-renderer/', pathNot: tests },
      to: { pathNot: ['^src-renderer/', contract, lab, sim, '^node_modules/'] },
    },
    {
      name: 'src-renderer has no Electron, no Node, no database',
      severity: 'error',
      from: { path: '^src-renderer/', pathNot: tests },
      to: { path: [packages('electron', 'libsql')] },
    },
    {
      name: 'nothing that ships reaches tests, end-to-end tests, benchmarks or scripts',
      severity: 'error',
      from: { path: '^src-', pathNot: tests },
      to: { path: [tests, '^e2e/', '^bench/', '^scripts/'] },
    },
    {
      name: 'what is imported exists',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true, pathNot: types },
    },
    {
      name: 'no cycles',
      severity: 'error',
      from: {},
      // A type-only import leaves no trace in the code, hence closes no cycle. Components alone may contain each
      // other: prose holds checkpoints, whose hints are prose.
      to: {
        circular: true,
        viaOnly: { dependencyTypesNot: ['type-only'] },
        via: { pathNot: '\\.svelte$' },
      },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.base.json' },
    doNotFollow: { path: 'node_modules' },
    moduleSystems: ['es6', 'cjs'],
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'svelte', 'types', 'default'],
      extensions: ['.ts', '.svelte', '.svelte.ts', '.mjs', '.js', '.json'],
    },
  },
};
