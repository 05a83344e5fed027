import type { Region } from '../lab/lab.svelte';

/** A stop of the tour: what is explained, and the element that the explanation points at. */
export interface Stop {
  readonly title: string;
  readonly text: string;
  /** Selector of an element of the lab screen. */
  readonly at: string;
  /** Region that must be shown for it, where there is room for one. */
  readonly region: Region | null;
}

export const STOPS: readonly Stop[] = [
  {
    title: 'The guide',
    text: 'It leads through the lab, step by step. Buttons in it act on the machine; checkpoints ask what you have found out.',
    at: '[data-region="guide"]',
    region: 'guide',
  },
  {
    title: 'The stage',
    text: 'The machine, from the guest down to the hardware. Every thread has a column; an interrupt lies where the state says that it lies. Nothing is drawn that is not so.',
    at: '[data-region="stage"]',
    region: 'stage',
  },
  {
    title: 'One step',
    text: 'What happened, and what the chosen thread does next. Step it alone, or let everything run: a race is yours to decide.',
    at: '[data-region="stage"] .sentences',
    region: 'stage',
  },
  {
    title: 'The timeline',
    text: 'Every event in order. Drag the slider or press Alt with Left and Right: time runs backwards too, and nothing is lost by looking.',
    at: '[data-region="timeline"]',
    region: 'timeline',
  },
  {
    title: 'The state',
    text: 'Every field of the machine with its meaning and its source. What the last step changed is marked.',
    at: '[data-region="state"]',
    region: 'state',
  },
  {
    title: 'The console',
    text: 'Every button is a command, and every command can be typed here. Tab completes it.',
    at: '[data-region="timeline"] .console',
    region: 'timeline',
  },
  {
    title: 'Everything else',
    text: 'The command palette finds every action, the keyboard shows every key. This tour is among them, whenever you want it again.',
    at: 'header .tools',
    region: null,
  },
];
