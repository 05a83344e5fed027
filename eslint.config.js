import js from '@eslint/js';
import { defineConfig, globalIgnores } from 'eslint/config';
import svelte from 'eslint-plugin-svelte';
import globals from 'globals';
import ts from 'typescript-eslint';

/** What the machine and the course engine may not name: clock, chance, network, host, and the reader's language. */
const impure = [
  ...['Date', 'performance', 'setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask'].map((name) => ({
    name,
    message: 'Time is virtual and passed in: the same inputs must give the same bytes.',
  })),
  ...['crypto', 'fetch', 'WebSocket', 'XMLHttpRequest', 'process', 'Buffer', 'navigator', 'localStorage'].map(
    (name) => ({ name, message: 'This code knows no host: it runs in Node, in Electron and in a browser.' }),
  ),
  { name: 'console', message: 'Return what is to be said; the caller has the screen.' },
  { name: 'Intl', message: 'Results must not depend on the language of the machine.' },
  { name: 'globalThis', message: 'The way round this list.' },
  { name: 'WeakRef', message: 'Results must not depend on the garbage collector.' },
];

/** @type {import('eslint').Linter.Config} */
const pure = {
  files: ['src-sim/**/*.ts', 'src-lab/**/*.ts'],
  ignores: ['**/*.test.ts'],
  rules: {
    'no-restricted-globals': ['error', ...impure],
    'no-restricted-properties': [
      'error',
      { object: 'Math', property: 'random', message: 'Chance is part of the state.' },
      ...['toLocaleString', 'toLocaleUpperCase', 'toLocaleLowerCase', 'localeCompare'].map((property) => ({
        property,
        message: 'Results must not depend on the language of the machine.',
      })),
    ],
  },
};

/**
 * Every test runs, and none waits for time to pass.
 *
 * @type {import('eslint').Linter.Config}
 */
const tests = {
  files: ['**/*.test.ts', 'e2e/**/*.ts'],
  rules: {
    'no-restricted-syntax': [
      'error',
      {
        selector:
          'MemberExpression[object.name=/^(test|it|describe|suite|bench)$/][property.name=/^(only|skip|skipIf|runIf|todo|fixme|fails|fail)$/]',
        message: 'Every test runs and is expected to pass.',
      },
      {
        selector: 'MemberExpression[object.property.name="describe"][property.name=/^(only|skip|fixme)$/]',
        message: 'Every test runs and is expected to pass.',
      },
      {
        selector: 'CallExpression[callee.property.name="waitForTimeout"]',
        message: 'Wait for the fact, not for the time.',
      },
      {
        selector:
          'NewExpression[callee.name="Promise"] CallExpression[callee.name="setTimeout"][arguments.length<3]',
        message: 'Wait for the fact, not for the time.',
      },
    ],
  },
};

export default defineConfig(
  globalIgnores(['node_modules/', 'out/', 'dist/', 'test-results/', 'playwright-report/', 'labs/']),
  js.configs.recommended,
  ts.configs.strict,
  svelte.configs.recommended,
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  {
    rules: {
      eqeqeq: 'error',
      'no-undef': 'off', // TypeScript's work, project by project
      '@typescript-eslint/no-non-null-assertion': 'off', // typed arrays are indexed on every line
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/no-invalid-void-type': 'off',
    },
  },
  {
    // Rules that need types: the ones that find bugs in asynchronous code and in case analysis.
    files: ['src-*/**/*.ts', 'src-*/**/*.svelte', 'e2e/**/*.ts', 'bench/**/*.ts'],
    languageOptions: { parserOptions: { projectService: true, extraFileExtensions: ['.svelte'] } },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: false }],
      '@typescript-eslint/await-thenable': 'error',
      '@typescript-eslint/only-throw-error': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
    },
  },
  {
    files: ['**/*.svelte', '**/*.svelte.ts'],
    languageOptions: {
      globals: globals.browser,
      parserOptions: { parser: ts.parser, projectService: true, extraFileExtensions: ['.svelte'] },
    },
    rules: {
      'svelte/no-at-html-tags': 'error',
      // A Map that is no state of its own is not to be one: whoever holds it decides.
      'svelte/prefer-svelte-reactivity': 'off',
    },
  },
  {
    files: ['src-renderer/**'],
    rules: {
      'no-restricted-properties': [
        'error',
        ...['innerHTML', 'outerHTML', 'insertAdjacentHTML'].map((property) => ({
          property,
          message: 'Text from a lab never becomes markup.',
        })),
      ],
    },
  },
  {
    files: ['**/*.cjs'],
    languageOptions: { sourceType: 'commonjs' },
    rules: { '@typescript-eslint/no-require-imports': 'off' },
  },
  pure,
  tests,
);
