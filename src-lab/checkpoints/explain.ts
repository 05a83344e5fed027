import { MAX_TEXT_ANSWER } from '../input';
import type { ExplainCheckpoint } from '../schema';
import type { WrittenKind } from './kind';

/** `explain`: the learner writes a short reflection. It is kept for an instructor, and not scored. */
export const explain: WrittenKind<ExplainCheckpoint> = {
  how: 'written',

  lint() {},

  form: ({ least }) => ({ type: 'explain', least, most: MAX_TEXT_ANSWER }),

  unfit({ least }, answer) {
    if (typeof answer !== 'string') return 'Write a text, not a sequence.';
    const { length } = answer.trim();
    return length < least ? `Write at least ${least} characters; these are ${length}.` : null;
  },
};
