import type { Locator, Page } from '@playwright/test';
import { join } from 'node:path';
import type { z } from 'zod';
import { readAttempt } from '../src-lab/attempt';
import type { Input } from '../src-lab/input';
import { loadLab, type Lab } from '../src-lab/lab';
import { SolutionSource, WrongSource, type InputSource } from '../src-lab/schema';
import { labView } from '../src-lab/show';
import type { Block, LabView } from '../src-lab/view';
import { readYaml } from '../src-lab/yaml';
import { readLab } from '../src-main/labs';
import { commandOf } from '../src-sim/scenario/action';
import { expect, root } from './app';

/** A lab of the course with what its author wrote for checking it. */
export interface Course {
  readonly lab: LabView;
  readonly loaded: Lab;
  /** Inputs of `solution.yaml`, in order. */
  readonly solution: readonly InputSource[];
  /** The same, as the application takes them. */
  readonly inputs: readonly Input[];
  /** An attempt of `wrong/`, and how the feedback begins that the learner is to read. */
  wrong(name: string): Wrong;
}

export interface Wrong {
  readonly checkpoint: string;
  readonly misconception: string;
  readonly inputs: readonly InputSource[];
  /** The same, as the application takes them. */
  readonly taken: readonly Input[];
  readonly say: string;
}

/** Reads a lab as the application does. */
export function readCourse(folder: string, labs = join(root, 'labs')): Course {
  const read = readLab(join(labs, folder));
  if (!read.ok) throw new Error(`labs/${folder}: ${read.fault.code}`);
  const { files } = read;
  const loaded = loadLab(files);
  if (!loaded.ok) throw new Error(`labs/${folder}: ${loaded.issues[0]?.message}`);
  const { lab } = loaded;
  const yaml = <S extends z.ZodType>(schema: S, name: string) => {
    const read = readYaml(schema, name, files.get(name) ?? '');
    if (!read.ok) throw new Error(`labs/${folder}/${name}: ${read.issues[0]?.message}`);
    return read.file;
  };
  const solution = yaml(SolutionSource, 'solution.yaml');
  return {
    lab: labView(lab),
    loaded: lab,
    solution: solution.value.inputs,
    inputs: readAttempt('solution.yaml', solution).inputs.map(({ input }) => input),
    wrong(name) {
      const file = `wrong/${name}.yaml`;
      const attempt = yaml(WrongSource, file);
      const { checkpoint, misconception, inputs } = attempt.value;
      const feedback = lab.checkpoints.find(({ id }) => id === checkpoint)!.feedback;
      const told = feedback.find((entry) => entry.misconception === misconception)!;
      const taken = readAttempt(file, attempt).inputs.map(({ input }) => input);
      return { checkpoint, misconception, inputs, taken, say: beginningOf(told.say) };
    },
  };
}

/** Words by which the first paragraph is known: the longest stretch of it without a mark. */
function beginningOf(prose: readonly Block[]): string {
  const [first] = prose;
  const plain =
    first?.type === 'p' ? first.children.flatMap((one) => (one.type === 'text' ? [one.value] : [])) : [];
  const longest = plain.sort((a, b) => b.length - a.length)[0];
  if (longest === undefined) throw new Error('the feedback has no plain words');
  return longest.trim();
}

/** Keys that it takes at most to reach anything from anywhere in a region. */
const PATIENCE = 250;
/** What Tab may stop at. */
const TAB_STOPS = 'a[href], button:enabled, input:enabled, select, textarea, summary, [tabindex="0"]';

/**
 * Somebody who works through a lab with the keyboard alone and finds things by their role and name, as a screen reader
 * tells them. Touches the page by pressing keys and by nothing else.
 */
export class Learner {
  constructor(
    readonly page: Page,
    private readonly course: Course,
  ) {}

  /** The region of the screen, as landmarks name it. */
  region(name: 'Guide' | 'Stage' | 'Timeline' | 'State'): Locator {
    return this.page.getByRole('region', { name, exact: true });
  }

  checkpoint(id: string): Locator {
    const { title } = this.course.lab.checkpoints.find((checkpoint) => checkpoint.id === id)!;
    return this.region('Guide').getByRole('region', { name: title, exact: true });
  }

  /** Whether a checkpoint passed, and what it was worth. */
  verdict(id: string): Locator {
    return this.checkpoint(id).getByRole('status');
  }

  get console(): Locator {
    return this.page.getByRole('combobox', { name: 'Console' });
  }

  async press(...keys: readonly string[]): Promise<void> {
    for (const key of keys) await this.page.keyboard.press(key);
  }

  /** Moves the focus to something, by Tab or Shift+Tab, whichever way it lies. */
  async reach(target: Locator): Promise<void> {
    await expect(target).toBeVisible();
    for (let pressed = 0; pressed < PATIENCE;) {
      const { there, back, stops } = await target.evaluate((element, stop) => {
        const { activeElement } = document;
        if (activeElement === element) return { there: true, back: false, stops: 0 };
        const from = activeElement ?? document.body;
        const back = (from.compareDocumentPosition(element) & Node.DOCUMENT_POSITION_PRECEDING) !== 0;
        const [first, last] = back ? [element, from] : [from, element];
        const between = [...document.querySelectorAll<HTMLElement>(stop)].filter(
          (one) =>
            one.checkVisibility() &&
            first.compareDocumentPosition(one) & Node.DOCUMENT_POSITION_FOLLOWING &&
            one.compareDocumentPosition(last) & Node.DOCUMENT_POSITION_FOLLOWING,
        );
        return { there: false, back, stops: between.length };
      }, TAB_STOPS);
      if (there) return;
      // Half of what seems to lie between: groups of radios have one stop, so that a guess goes too far.
      for (let i = 0; i <= stops >> 1; i++, pressed++) await this.press(back ? 'Shift+Tab' : 'Tab');
    }
    throw new Error(`the focus never came to ${String(target)}`);
  }

  /** Goes to a region by its shortcut. */
  async goTo(region: 'Guide' | 'Stage' | 'Timeline' | 'State'): Promise<void> {
    const key = { Guide: '1', Stage: '2', State: '3', Timeline: '4' }[region];
    await this.press(`Control+${key}`);
    await expect
      .poll(() => this.region(region).evaluate((element) => element.contains(document.activeElement)))
      .toBe(true);
  }

  /** Reaches a button of the guide and presses it. */
  async use(button: Locator): Promise<void> {
    await this.goTo('Guide');
    await this.reach(button);
    await this.press('Enter');
  }

  /** Gives a command: by the button of the guide that does the same where there is one, else by the console. */
  async command(command: string): Promise<void> {
    const guide = this.region('Guide');
    const shown = guide.getByRole('button', { description: command, exact: true });
    if ((await shown.count()) > 0) {
      // What is said is said in a new paragraph each time, so the same sentence twice is seen too.
      const said = await this.page
        .getByRole('status', { name: 'What happened' })
        .locator('p')
        .elementHandle();
      await this.use(shown.first());
      await expect.poll(() => said!.evaluate((paragraph) => paragraph.isConnected)).toBe(false);
      return;
    }
    // A dialog that is closing still gives the focus back to where it was: then they press once more.
    await expect(async () => {
      await this.press('Control+j');
      await expect(this.console).toBeFocused({ timeout: 1_000 });
    }).toPass();
    await this.page.keyboard.type(command);
    await expect(this.console).toHaveValue(command);
    await this.press('Enter');
    // The line is emptied when the input is accepted.
    await expect(this.console).toHaveValue('');
  }

  /** Types words into the palette, once it is there to take them. */
  async search(words: string): Promise<void> {
    await this.press('Control+k');
    await expect(this.page.getByRole('combobox', { name: 'Command' })).toBeFocused();
    await this.page.keyboard.type(words);
  }

  /** Answers a checkpoint, and waits for the verdict. */
  async answer(id: string, answer: string | readonly string[]): Promise<void> {
    const { form } = this.course.lab.checkpoints.find((checkpoint) => checkpoint.id === id)!;
    const checkpoint = this.checkpoint(id);
    await this.goTo('Guide');
    if (form.type === 'order') await this.order(checkpoint, form.items, answer as readonly string[]);
    else if (form.type === 'choice') await this.choose(checkpoint, form.options, answer as string);
    else if (form.type === 'value') {
      await this.reach(checkpoint.getByRole('textbox'));
      await this.page.keyboard.type(answer as string);
    } else if (form.type === 'build') {
      await this.write(checkpoint, answer as readonly string[]);
      await this.reach(checkpoint.getByRole('button', { name: 'Hand in, then run' }));
      await this.press('Enter');
      await expect(this.verdict(id)).not.toBeEmpty();
      return;
    } else if (form.type === 'schedule') {
      await this.schedule(checkpoint, answer);
      await expect(this.verdict(id)).not.toBeEmpty();
      return;
    } else if (form.type === 'explain') {
      await this.reach(checkpoint.getByRole('textbox'));
      await this.page.keyboard.type(answer as string);
      await this.reach(checkpoint.getByRole('button', { name: 'Keep it, and compare' }));
      await this.press('Enter');
      await expect(this.verdict(id)).not.toBeEmpty();
      return;
    } else {
      await this.reach(checkpoint.getByRole('button', { name: /give up/i }));
      await this.press('Enter');
      return;
    }
    await this.reach(checkpoint.getByRole('button', { name: 'Predict, then run' }));
    await this.press('Enter');
    await expect(this.verdict(id)).not.toBeEmpty();
  }

  /** Writes commands, one a line, in place of those that stand there. */
  private async write(checkpoint: Locator, commands: readonly string[]): Promise<void> {
    const rows = checkpoint.getByRole('combobox', { name: /^Action/ });
    while ((await rows.count()) > 1) {
      const { length } = await rows.all();
      await this.reach(checkpoint.getByRole('button', { name: `Remove action ${length}`, exact: true }));
      await this.press('Enter');
      await expect(rows).toHaveCount(length - 1);
    }
    await this.reach(rows.first());
    await this.press('Control+a', 'Delete');
    for (const [i, command] of commands.entries()) {
      const row = rows.nth(i);
      if (i > 0) await this.press('Enter'); // a finished line leads to the next
      await expect(row).toBeFocused();
      await this.page.keyboard.type(command);
      await expect(row).toHaveValue(command);
    }
  }

  /** Lets threads step on the machine, or says that it cannot happen. */
  private async schedule(checkpoint: Locator, answer: string | readonly string[]): Promise<void> {
    const button = (name: string): Locator => checkpoint.getByRole('button', { name, exact: true });
    if (typeof answer === 'string') {
      await this.reach(button('It cannot happen'));
      await this.press('Enter');
      return;
    }
    const setUp = checkpoint.getByRole('button', { name: /^(Set it up|Begin again)$/ });
    await this.reach(setUp);
    await this.press('Enter');
    const steps = checkpoint.getByText(/^\d+ steps? so far$/);
    await expect(steps).toHaveText('0 steps so far');
    let taken = 0;
    for (const pick of answer) {
      const [thread = '', times = '1'] = pick.split(' x');
      for (let n = 0; n < Number(times); n++) {
        await this.reach(button(`Step ${thread}`));
        await this.press('Enter');
        taken++;
        await expect(steps).toHaveText(taken === 1 ? '1 step so far' : `${taken} steps so far`);
      }
    }
    await this.reach(button('Hand in these steps'));
    await this.press('Enter');
  }

  private async choose(
    checkpoint: Locator,
    options: readonly { readonly value: string; readonly label: string }[],
    answer: string,
  ): Promise<void> {
    const radios = checkpoint.getByRole('radio');
    const wanted = radios.nth(options.findIndex(({ value }) => value === answer));
    // A group of radio buttons is one stop of Tab: the chosen one, or the first.
    const entry = checkpoint.getByRole('radio', { checked: true });
    await this.reach((await entry.count()) > 0 ? entry : radios.first());
    if (!(await wanted.isChecked())) await this.press('Space');
    for (let i = 0; i < options.length && !(await wanted.isChecked()); i++) await this.press('ArrowDown');
    await expect(wanted).toBeChecked();
  }

  private async order(
    checkpoint: Locator,
    items: readonly { readonly id: string; readonly label: string }[],
    answer: readonly string[],
  ): Promise<void> {
    const labelOf = (id: string): string => items.find((item) => item.id === id)!.label;
    const button = (does: string, id: string): Locator =>
      checkpoint.getByRole('button', { name: `${does}: ${labelOf(id)}`, exact: true });
    // What an earlier answer has placed goes out first.
    for (const { id } of items) {
      if ((await button('Leave out', id).count()) === 0) continue;
      await this.reach(button('Leave out', id));
      await this.press('Enter');
    }
    for (const id of answer) {
      await this.reach(button('Add', id));
      await this.press('Space');
      await expect(button('Leave out', id)).toBeVisible();
    }
  }

  /** Shows one machine of a comparison. */
  async look(at: 'a' | 'b'): Promise<void> {
    const radios = this.page.getByRole('group', { name: 'Machine shown' }).getByRole('radio');
    const wanted = radios.nth(at === 'a' ? 0 : 1);
    await this.reach(
      this.page.getByRole('group', { name: 'Machine shown' }).getByRole('radio', { checked: true }),
    );
    if (!(await wanted.isChecked())) await this.press(at === 'a' ? 'ArrowUp' : 'ArrowDown');
    await expect(wanted).toBeChecked();
  }

  /** Goes to a step that the guide names. */
  async step(id: string): Promise<void> {
    const { steps } = this.course.lab;
    const at = steps.findIndex((step) => step.id === id);
    await this.goTo('Guide');
    const steppers = this.region('Guide').getByRole('navigation', { name: 'Steps' }).getByRole('button');
    const next = this.region('Guide').getByRole('button', { name: `Next: ${steps[at]!.title}` });
    if ((await next.count()) > 0) await this.press('Alt+PageDown');
    else {
      await this.reach(steppers.nth(at));
      await this.press('Enter');
    }
    await expect(this.heading).toHaveText(steps[at]!.title);
  }

  /** Title of the step that is shown. */
  get heading(): Locator {
    return this.region('Guide').getByRole('heading', { level: 2 }).first();
  }

  /** Does what an author wrote down for checking a lab. */
  async perform(input: InputSource): Promise<void> {
    if ('act' in input) {
      const command = typeof input.act === 'string' ? input.act : commandOf(input.act as never);
      await this.command(input.hold === true ? `hold ${command}` : command);
    } else if ('step' in input) await this.command(`step ${input.step}`);
    else if ('run' in input) await this.command('run');
    else if ('jump' in input) await this.command(`jump ${input.jump}`);
    else if ('reset' in input) await this.command('reset');
    else if ('goto' in input) await this.step(input.goto);
    else if ('look' in input) await this.look(input.look);
    else if ('arrange' in input) {
      await this.use(this.checkpoint(input.arrange).getByRole('button', { name: 'Set it up', exact: true }));
    } else if ('answer' in input) {
      await this.answer(input.answer, Array.isArray(input.is) ? input.is : String(input.is));
    } else {
      const hint = this.checkpoint(input.hint).getByRole('button', { name: /^Show (a|the next) hint/ });
      const hints = this.checkpoint(input.hint).getByText(/^Hint \d of \d$/);
      const before = await hints.count();
      await this.use(hint);
      await expect(hints).toHaveCount(before + 1);
    }
  }
}
