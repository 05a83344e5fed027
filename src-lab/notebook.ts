import { returnName, type Timeline } from '../src-sim';
import { commandOf, type Action } from '../src-sim/scenario/action';
import type { WrittenStep } from '../src-sim/scenario/write';
import { wordsOf, type Deed, type Move } from './machines';
import type { NotebookDelta, NotebookLine } from './view';

/**
 * What was done, as the screen lists it. It is told what changed only, so one `Notebook` belongs to one screen.
 */
export class Notebook {
  private told: readonly Deed[] = [];

  /** All of it. Later deltas count from here. */
  lines(deeds: readonly Deed[]): NotebookLine[] {
    this.told = deeds;
    return deeds.map(lineOf);
  }

  /** What changed since the screen was last told. */
  delta(deeds: readonly Deed[]): NotebookDelta {
    const { told } = this;
    const changed = deeds.findIndex((deed, i) => deed !== told[i]);
    const keep = changed < 0 ? Math.min(deeds.length, told.length) : changed;
    this.told = deeds;
    return { keep, lines: deeds.slice(keep).map(lineOf) };
  }
}

function lineOf({ move, on, given, cut, from, to, outcomes, differing }: Deed): NotebookLine {
  return {
    command: wordsOf(move),
    given,
    cut,
    on: on === null ? null : on === 0 ? 'a' : 'b',
    at: to.map((end, i) => {
      const outcome = outcomes[i] ?? null;
      const value = outcome === null ? '' : outcome.value === null ? outcome.kind : returnName(outcome.value);
      return { from: from[i]!, to: end, value };
    }),
    differing,
  };
}

/**
 * What was done to one machine, as steps of a scenario: run from power-on they lead to the same bytes.
 *
 * @param i - index of the machine among those that the deeds were done to.
 */
export function stepsOf(timeline: Timeline, deeds: readonly Deed[], i: number): WrittenStep[] {
  return deeds.flatMap(({ move, on, cut, from, to }) => {
    if (on !== null && on !== i) return [];
    const choices = timeline.choices(from[i]!, to[i]!);
    if (choices.length === 0) return [];
    const isBoot = 'act' in move && 'boot' in move.act;
    const actions = choices.filter((choice) => typeof choice !== 'string');
    const isWhole = !cut && !('thread' in move) && (actions.length <= 1 || isBoot);
    return (isWhole ? [isBoot ? { ...move, hold: false } : move] : piecewise(choices)).map(writtenOf);
  });
}

/** Every action only begun, and every step that threads took after it. */
export function piecewise(choices: readonly (Action | string)[]): Move[] {
  const moves: Move[] = [];
  for (const choice of choices) {
    const last = moves.at(-1);
    if (typeof choice !== 'string') moves.push({ act: choice, hold: true });
    else if (last !== undefined && 'thread' in last && last.thread === choice)
      moves[moves.length - 1] = { thread: choice, times: (last.times ?? 1) + 1 };
    else moves.push({ thread: choice, times: 1 });
  }
  return moves;
}

function writtenOf(move: Move): WrittenStep {
  if ('run' in move) return move;
  if ('thread' in move) return { thread: move.thread, times: move.times ?? 1 };
  return { command: commandOf(move.act), hold: move.hold === true };
}
