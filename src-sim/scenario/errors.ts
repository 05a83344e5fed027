import { problemText, type Problem } from './condition-language';
import { didYouMean } from './nearest';

/** Where in the file, both counted from 1, as editors do. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** What was read, or every reason why not. */
export type Result<T, E> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly errors: readonly E[] };

/** What is wrong with the text as such, whatever it says. */
export type SourceError = { readonly at: Place } & (
  | { readonly code: 'too_large'; readonly limit: number }
  | { readonly code: 'too_many_entries'; readonly limit: number }
  | { readonly code: 'too_many_words'; readonly limit: number }
  | { readonly code: 'too_deep'; readonly limit: number }
  | { readonly code: 'too_many_aliases'; readonly limit: number }
  | { readonly code: 'too_many_anchors'; readonly limit: number }
  | { readonly code: 'tag' }
  | { readonly code: 'directive' }
  | { readonly code: 'not_yaml'; readonly reason: string }
  | { readonly code: 'second_document' }
  | { readonly code: 'key_is_no_word' }
  | { readonly code: 'endless_alias'; readonly name: string }
  | { readonly code: 'repeated_key'; readonly key: string }
);

/**
 * Every way in which a scenario file can be wrong. The command line, an editor's margin and the tests read this list.
 * `nearest`: known words that look most like the one written, best first.
 */
export type ScenarioError =
  | SourceError
  | ({ readonly at: Place } & (
      | { readonly code: 'other_format'; readonly format: string }
      | { readonly code: 'missing'; readonly key: string; readonly of: string; readonly expected: string }
      | {
          readonly code: 'unknown_key';
          readonly key: string;
          readonly of: string;
          readonly nearest: readonly string[];
        }
      | { readonly code: 'unknown_actor'; readonly word: string; readonly nearest: readonly string[] }
      | { readonly code: 'no_step'; readonly expected: readonly string[] }
      | {
          readonly code: 'unknown_action';
          readonly actor: string;
          readonly word: string;
          readonly nearest: readonly string[];
        }
      | {
          readonly code: 'wrong_value';
          readonly key: string;
          readonly given: string;
          readonly expected: string;
          readonly nearest: readonly string[];
        }
      | { readonly code: 'unknown_condition'; readonly word: string; readonly nearest: readonly string[] }
      | { readonly code: 'unknown_vm'; readonly vm: string; readonly nearest: readonly string[] }
      | { readonly code: 'no_such_vcpu'; readonly vm: string; readonly has: number; readonly given: number }
      | { readonly code: 'unknown_word'; readonly problem: Problem; readonly nearest: readonly string[] }
    ));

/** What is wrong, and what to do. The wording of all errors lives here and nowhere else. */
export function explain(error: ScenarioError): string {
  return 'nearest' in error ? `${sentence(error)}${didYouMean(error.nearest)}` : sentence(error);
}

function sentence(error: ScenarioError): string {
  switch (error.code) {
    case 'too_large':
      return `The file is larger than ${error.limit / 1024} KiB. Split it.`;
    case 'too_many_entries':
      return `A list may have ${error.limit} entries; this is one more. Split the scenario, or use times.`;
    case 'too_many_words':
      return `The file has more than ${error.limit} words and signs. Split it.`;
    case 'too_deep':
      return `Nothing nests deeper than ${error.limit} levels in a scenario.`;
    case 'too_many_aliases':
      return `The aliases of a file may stand for ${error.limit} values in all. Write them out.`;
    case 'too_many_anchors':
      return `A file may have ${error.limit} anchors.`;
    case 'directive':
      return 'Scenarios use no YAML directives. Remove the line.';
    case 'tag':
      return 'Scenarios use no YAML tags. Remove it.';
    case 'not_yaml':
      return `This is no YAML: ${error.reason.trim().replace(/[.]?$/, '.')}`;
    case 'second_document':
      return 'A file holds one scenario. Put the second one into its own file.';
    case 'key_is_no_word':
      return 'A key must be a word.';
    case 'endless_alias':
      return `"*${error.name}" contains itself, or stands before "&${error.name}".`;
    case 'repeated_key':
      return `"${error.key}" stands here a second time.`;
    case 'other_format':
      return `The format "${error.format}" is not known here. This version reads scenario/1.`;
    case 'missing':
      return `${error.of} needs "${error.key}": ${error.expected}.`;
    case 'unknown_key':
      return `${error.of} has no "${error.key}".`;
    case 'unknown_actor':
      return `Nobody is called "${error.word}".`;
    case 'no_step':
      return `A step says who does what: one of ${error.expected.join(', ')}.`;
    case 'unknown_action':
      return `There is no action "${error.word}" of ${error.actor}.`;
    case 'wrong_value':
      return `"${error.key}" cannot be ${error.given}: expected ${error.expected}.`;
    case 'unknown_condition':
      return `"${error.word}" begins no condition: expected path, return, exit, outcome, event, absent, order, all, any or not.`;
    case 'unknown_vm':
      return `The platform has no VM "${error.vm}".`;
    case 'no_such_vcpu':
      return `"${error.vm}" has ${error.has === 1 ? '1 vCPU' : `${error.has} vCPUs`}: ${error.given} does not fit.`;
    case 'unknown_word':
      return problemText(error.problem);
  }
}
