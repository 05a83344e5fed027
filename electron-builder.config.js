/**
 * What goes into the packaged application, and how it is locked. scripts/dist.mjs adds the Electron runtime.
 *
 * @type {import('electron-builder').Configuration}
 */
export default {
  appId: 'dev.seamlab.Seamlab',
  productName: 'Seamlab',
  copyright: 'Copyright (c) 2026 Seamlab contributors',
  directories: { output: 'dist', buildResources: 'build' },
  // Everything but libsql is bundled into out/, so of node_modules only libsql and its native part come along.
  files: [
    'out/**',
    '!out/cli/**',
    '!out/main/grader.js',
    '!out/main/compile.js',
    '!out/packages/**',
    '!out/bench/**',
    '!out/**/.made-from',
    '!out/**/*.map',
    '!**/node_modules/@libsql/*-musl/**',
    'package.json',
  ],
  extraResources: [
    { from: 'labs', to: 'labs' },
    { from: 'src-sim/scenario/examples', to: 'scenarios', filter: ['*.yaml'] },
  ],
  extraFiles: [
    { from: 'out/THIRD-PARTY-LICENSES.txt', to: 'THIRD-PARTY-LICENSES.txt' },
    { from: 'LICENSE', to: 'LICENSE.txt' },
  ],
  asar: true,
  npmRebuild: false,
  electronLanguages: ['en-US'],
  linux: {
    executableName: 'seamlab',
    syncDesktopName: true,
    category: 'Education',
    synopsis: 'A training lab for the interrupts of Intel TDX guests',
    maintainer: 'Seamlab contributors <contributors@seamlab.example>',
    icon: 'build/icon.png',
  },
  win: { executableName: 'Seamlab', icon: 'build/icon.png' },
  mac: { category: 'public.app-category.education', icon: 'build/icon.png' },
  nsis: { oneClick: false, perMachine: false, allowToChangeInstallationDirectory: true },
};
