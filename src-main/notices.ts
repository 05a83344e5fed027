import type { Notice } from './contract';

/**
 * Everything the learner may have to be told, in words: what happened, what was kept, what to do. Wording lives here
 * and nowhere else.
 */
export type News =
  | { readonly code: 'unwritable'; readonly why: WriteFault }
  | { readonly code: 'newer_store' }
  | {
      readonly code: 'damaged_store';
      readonly copy: string;
      readonly attempts: number;
      readonly inputs: number;
    }
  | { readonly code: 'not_saved'; readonly why: WriteFault; readonly inputs: number }
  | { readonly code: 'in_memory'; readonly why: WriteFault; readonly inputs: number }
  | { readonly code: 'saved_again'; readonly inputs: number }
  | { readonly code: 'settings_damaged'; readonly copy: string | null }
  | { readonly code: 'settings_not_saved'; readonly why: WriteFault }
  | { readonly code: 'lab_changed'; readonly title: string; readonly inputs: number }
  | { readonly code: 'simulator_changed'; readonly title: string; readonly inputs: number }
  | {
      readonly code: 'not_replayable';
      readonly title: string;
      readonly inputs: number;
      readonly line: number;
    }
  | { readonly code: 'lab_broken'; readonly folder: string; readonly why: string }
  | { readonly code: 'no_such_lab'; readonly name: string }
  /** The lab that its author previews was saved with errors, or is shown as it was saved. */
  | { readonly code: 'preview_broken'; readonly errors: readonly string[] }
  | {
      readonly code: 'preview_shown';
      readonly title: string;
      readonly inputs: number;
      readonly leftOut: number;
    }
  | { readonly code: 'simulator_restarted'; readonly why: LossReason; readonly inputs: number }
  | { readonly code: 'input_stopped'; readonly why: LossReason; readonly inputs: number }
  | { readonly code: 'simulator_down'; readonly why: LossReason }
  | { readonly code: 'stopped'; readonly why: LossReason }
  | { readonly code: 'screen_crashed'; readonly inputs: number }
  | { readonly code: 'exported'; readonly folder: string; readonly attempts: number }
  | { readonly code: 'not_exported'; readonly why: WriteFault }
  | { readonly code: 'internal' };

/** Why a file could not be written, whatever the layer that noticed. */
export type WriteFault = 'full' | 'read_only' | 'locked' | 'damaged' | 'io';

/** Why the simulator's worker was lost. */
export type LossReason = 'died' | 'hung' | 'memory' | 'cancelled';

const WRITE_FAULT: Record<WriteFault, { readonly what: string; readonly todo: string }> = {
  full: { what: 'the disk is full', todo: 'Make room on the disk' },
  read_only: { what: 'the folder or file may not be written', todo: 'Make the folder writable' },
  locked: { what: 'another program holds the file', todo: 'Close the other program' },
  damaged: { what: 'the file was damaged', todo: 'Check the disk' },
  io: { what: 'the disk reported an error', todo: 'Check the disk' },
};

const LOSS: Record<LossReason, string> = {
  died: 'The simulator stopped unexpectedly',
  hung: 'The simulator did not answer for ten seconds',
  memory: 'The simulator needed more memory than it may have',
  cancelled: 'You stopped the work',
};

const inputsOf = (n: number): string => (n === 1 ? '1 input' : `${n} inputs`);
const is = (n: number): string => (n === 1 ? 'is' : 'are');
const was = (n: number): string => (n === 1 ? 'was' : 'were');
const attemptsOf = (n: number): string => (n === 1 ? '1 attempt' : `${n} attempts`);
/** Errors of a previewed lab that one notice has room for. */
const ERRORS_SHOWN = 3;
const OLD_ATTEMPTS = 'File > Export every attempt writes earlier attempts to files.';

type Words = Omit<Notice, 'id'>;

function wordsOf(news: News): Words {
  switch (news.code) {
    case 'unwritable':
      return {
        tone: 'warning',
        what: `Progress cannot be saved: ${WRITE_FAULT[news.why].what}.`,
        kept: 'What could be read of earlier progress is here. New progress is kept until you quit.',
        todo: `${WRITE_FAULT[news.why].todo}; saving then resumes with your next input. Or export the transcript before you quit.`,
      };
    case 'newer_store':
      return {
        tone: 'warning',
        what: 'Your progress was saved by a newer version of Seamlab, which this version cannot read.',
        kept: 'The saved progress was not touched. New progress is kept until you quit.',
        todo: 'Start the newer version to continue, or export the transcript before you quit.',
      };
    case 'damaged_store':
      return {
        tone: 'warning',
        what: 'The file that holds your progress was damaged.',
        kept: `${attemptsOf(news.attempts)} with ${inputsOf(news.inputs)} could be recovered. The damaged file is kept as ${news.copy}.`,
        todo: 'Check that your labs are where you left them. If damage returns, check the disk.',
      };
    case 'not_saved':
      return {
        tone: 'error',
        what: `Your last input could not be saved and was taken back: ${WRITE_FAULT[news.why].what}.`,
        kept: `${inputsOf(news.inputs)} before it ${is(news.inputs)} saved.`,
        todo: `${WRITE_FAULT[news.why].todo} and repeat the input. If saving fails again, the lab goes on unsaved.`,
      };
    case 'in_memory':
      return {
        tone: 'warning',
        what: `The lab goes on, but progress cannot be saved: ${WRITE_FAULT[news.why].what}.`,
        kept: `${inputsOf(news.inputs)} ${is(news.inputs)} saved; what follows is kept until you quit.`,
        todo: `${WRITE_FAULT[news.why].todo}; saving then resumes by itself. Or export the transcript before you quit.`,
      };
    case 'saved_again':
      return {
        tone: 'info',
        what: 'Progress is being saved again.',
        kept: `Everything you did is saved, ${inputsOf(news.inputs)} in this lab.`,
        todo: 'Nothing.',
      };
    case 'settings_damaged':
      return {
        tone: 'warning',
        what: 'The settings could not be read; the defaults are in use.',
        kept:
          news.copy === null
            ? 'Your progress is not affected.'
            : `Your progress is not affected. The old settings are kept as ${news.copy}.`,
        todo: 'Choose theme and text size again if you had changed them.',
      };
    case 'settings_not_saved':
      return {
        tone: 'warning',
        what: `Settings could not be saved: ${WRITE_FAULT[news.why].what}.`,
        kept: 'They are in use until you quit.',
        todo: `${WRITE_FAULT[news.why].todo} and change the setting again.`,
      };
    case 'lab_changed':
      return {
        tone: 'warning',
        what: `"${news.title}" has changed since you worked on it, so it begins anew.`,
        kept: `Your earlier attempt of ${inputsOf(news.inputs)} is kept as it was.`,
        todo: OLD_ATTEMPTS,
      };
    case 'simulator_changed':
      return {
        tone: 'warning',
        what: `The simulator has changed since you worked on "${news.title}", so the lab begins anew.`,
        kept: `Your earlier attempt of ${inputsOf(news.inputs)} is kept as it was.`,
        todo: OLD_ATTEMPTS,
      };
    case 'not_replayable':
      return {
        tone: 'error',
        what: `The saved attempt at "${news.title}" is damaged at line ${news.line}, so the lab begins anew.`,
        kept: `The attempt of ${inputsOf(news.inputs)} is kept as it is.`,
        todo: OLD_ATTEMPTS,
      };
    case 'lab_broken':
      return {
        tone: 'warning',
        what: `The lab in the folder "${news.folder}" cannot be used. ${news.why}`,
        kept: 'All other labs work.',
        todo: `Its author finds every error with "npx seamlab lab check ${news.folder}".`,
      };
    case 'preview_broken': {
      const more = news.errors.length - ERRORS_SHOWN;
      const rest = more > 0 ? ` And ${more} more.` : '';
      return {
        tone: 'warning',
        what: `${news.errors.slice(0, ERRORS_SHOWN).join(' ')}${rest}`,
        kept: 'The screen shows the lab as it was before.',
        todo: 'Mend the file and save it; the lab is then read again.',
      };
    }
    case 'preview_shown':
      return {
        tone: 'info',
        what: `"${news.title}" was read again.`,
        kept:
          news.leftOut === 0
            ? `${inputsOf(news.inputs)} ${was(news.inputs)} replayed.`
            : `${inputsOf(news.inputs)} ${was(news.inputs)} replayed; ${news.leftOut} left out, which the lab no longer takes.`,
        todo: 'Nothing.',
      };
    case 'no_such_lab':
      return {
        tone: 'warning',
        what: `There is no lab "${news.name}".`,
        kept: 'Nothing was changed.',
        todo: 'Choose a lab from the list.',
      };
    case 'simulator_restarted':
      return {
        tone: 'info',
        what: `${LOSS[news.why]}. It was started again.`,
        kept: `${inputsOf(news.inputs)} ${was(news.inputs)} replayed; you are where you were.`,
        todo: 'Go on.',
      };
    case 'input_stopped':
      return {
        tone: 'warning',
        what: `${LOSS[news.why]}. The input that was under way was not kept.`,
        kept: `${inputsOf(news.inputs)} before it ${was(news.inputs)} replayed; you are where you were before it.`,
        todo: 'Go on with a different input.',
      };
    case 'simulator_down':
      return {
        tone: 'error',
        what: `${LOSS[news.why]}, and again when your inputs were replayed. The lab was closed.`,
        kept: 'Every input is saved.',
        todo: 'Open the lab again. If it fails again, restart the lab; the earlier attempt is kept.',
      };
    case 'stopped':
      return {
        tone: 'warning',
        what: `${LOSS[news.why]}, so this was not done.`,
        kept: 'Every input is saved.',
        todo: 'Try again.',
      };
    case 'screen_crashed':
      return {
        tone: 'info',
        what: 'The screen stopped unexpectedly and was loaded again.',
        kept: `Nothing is lost: ${inputsOf(news.inputs)} ${is(news.inputs)} kept.`,
        todo: 'Go on where you were.',
      };
    case 'exported':
      return {
        tone: 'info',
        what: `${attemptsOf(news.attempts)} exported to ${news.folder}.`,
        kept: 'The attempts stay in Seamlab as well.',
        todo: 'Nothing.',
      };
    case 'not_exported':
      return {
        tone: 'error',
        what: `The export could not be written: ${WRITE_FAULT[news.why].what}.`,
        kept: 'The attempts are unchanged.',
        todo: `${WRITE_FAULT[news.why].todo}, or choose another folder.`,
      };
    case 'internal':
      return {
        tone: 'error',
        what: 'Something went wrong inside Seamlab; it was written to the log.',
        kept: 'Every acknowledged input is saved.',
        todo: 'Go on. If it happens again, report it with the log: Help > Show log.',
      };
  }
}

let count = 0;

/** `news` in words. The id begins with its code and is unique in this run: `not_saved-3`. */
export function noticeOf(news: News): Notice {
  count += 1;
  return { id: `${news.code}-${count}`, ...wordsOf(news) };
}

/** `news` as one paragraph, for places that have room for one. */
export function paragraphOf(news: News): string {
  const { what, kept, todo } = wordsOf(news);
  return `${what} ${kept} ${todo}`;
}

/** What a file system or SQLite error code means for the learner: `ENOSPC`, `SQLITE_FULL`, ... */
export function writeFaultOf(code: string): WriteFault {
  if (/^(ENOSPC|EDQUOT|EFBIG|SQLITE_FULL)/.test(code)) return 'full';
  if (/^(EROFS|EACCES|EPERM|SQLITE_READONLY|SQLITE_CANTOPEN|SQLITE_PERM|SQLITE_AUTH)/.test(code))
    return 'read_only';
  if (/^(EBUSY|EAGAIN|SQLITE_BUSY|SQLITE_LOCKED)/.test(code)) return 'locked';
  if (/^(SQLITE_CORRUPT|SQLITE_NOTADB)/.test(code)) return 'damaged';
  return 'io';
}
