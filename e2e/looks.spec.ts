import type { Seamlab } from './app';
import { expect, pointAt, test } from './app';
import { Learner, readCourse } from './learner';
import { draw, fits, misfits, violations, wear } from './looks';

const course = readCourse('02-init-sipi');
const { lab } = course;

/** Everything that a learner comes to see, each from the one before. */
const tour: readonly (readonly [name: string, go: (app: Seamlab, learner: Learner) => Promise<unknown>])[] = [
  ['home', ({ page }) => expect(page.getByRole('button', { name: lab.title }).first()).toBeVisible()],
  ['lab', (app) => app.open()],
  [
    'feedback',
    async (_, learner) => {
      for (const input of course.wrong('sipi-alone-starts-an-ap').inputs) await learner.perform(input);
      await learner.perform({ hint: 'start-the-ap' });
      await expect(learner.verdict('start-the-ap')).not.toBeEmpty();
    },
  ],
  [
    'order half done',
    async (_, learner) => {
      const order = learner.checkpoint('order-of-a-start');
      for (const i of [0, 1]) {
        await learner.reach(order.getByRole('button', { name: /^Add: / }).nth(i));
        await learner.press('Enter');
      }
      await expect(order.getByRole('button', { name: /^Leave out: / })).toHaveCount(2);
    },
  ],
  [
    'passed',
    async (_, learner) => {
      await learner.perform({ reset: true });
      for (const input of course.solution.slice(0, 4)) await learner.perform(input);
      await expect(learner.verdict('order-of-a-start')).toContainText('Passed');
    },
  ],
  [
    'completion',
    async ({ page }, learner) => {
      await learner.press('Control+j');
      await page.keyboard.type('vmm KVM_');
      await learner.press('ArrowDown', 'ArrowDown');
      await expect(page.getByRole('option', { selected: true })).toBeVisible();
    },
  ],
  [
    'console refuses',
    async ({ page }, learner) => {
      await learner.press('Escape');
      await page.keyboard.type('RUNN');
      await learner.press('Enter');
      await expect(page.getByRole('alert')).toContainText('Nearest');
    },
  ],
  [
    'actions',
    async ({ page }, learner) => {
      await learner.press('Control+a', 'Delete', 'Control+Shift+a');
      await expect(page.getByRole('button', { name: 'Do it' })).toBeVisible();
    },
  ],
  [
    'trace chosen',
    async ({ page }, learner) => {
      await learner.press('Control+Shift+f', 'ArrowDown', 'ArrowUp', 'ArrowUp');
      await expect(page.getByRole('tabpanel', { name: 'Trace' })).toBeVisible();
    },
  ],
  [
    'columns and kept filters',
    async ({ page }, learner) => {
      const trace = page.getByRole('tabpanel', { name: 'Trace' });
      await learner.reach(trace.getByRole('checkbox', { name: 'Calls' }));
      await learner.press('Space');
      await expect(trace).toContainText(' us');
      await learner.reach(trace.getByRole('button', { name: 'Columns and kept filters' }));
      await learner.press('Enter');
      await expect(page.getByRole('menuitemcheckbox', { name: 'Moment' })).toBeFocused();
      await learner.press('ArrowDown', 'ArrowDown');
      const cpu = page.getByRole('menuitemcheckbox', { name: 'CPU' });
      await expect(cpu).toBeFocused();
      await learner.press('Enter');
      await expect(cpu).toBeChecked();
      await learner.press('k');
      await expect(page.getByRole('menuitem', { name: /^Keep/ })).toBeFocused();
      await learner.press('Enter');
      await expect(page.getByRole('menuitem', { name: 'Keep no longer: calls' })).toBeVisible();
    },
  ],
  [
    'stage as a table',
    async ({ page }, learner) => {
      await learner.press('Escape', 'Control+Shift+t');
      await expect(page.getByRole('button', { name: 'Picture' })).toBeVisible();
    },
  ],
  [
    'a field of 256 bits',
    async (_, learner) => {
      await learner.press('Control+Shift+t', 'Control+f');
      await learner.page.keyboard.type('td.vcpu1.pid.pir');
      await learner.press('ArrowDown', 'End', 'Enter');
      await expect(learner.region('State').getByRole('group', { name: 'The chosen field' })).toContainText(
        '256 bits',
      );
    },
  ],
  [
    'what changed',
    async (_, learner) => {
      await learner.press('Control+f', 'Escape');
      await learner.command('vmm KVM_SIGNAL_MSI vm=vmx dest=1 delivery_mode=FIXED vector=0x31');
      const state = learner.region('State');
      await learner.reach(state.getByRole('button', { name: 'Changed' }));
      await learner.press('Enter', 'Tab', 'End');
      await expect(state.getByRole('treeitem', { selected: true })).toContainText('changed');
    },
  ],
  [
    'a term explained',
    async ({ page }, learner) => {
      await learner.goTo('Guide');
      await learner.reach(learner.region('Guide').getByRole('button', { name: 'INIT', exact: true }).first());
      // The card of the word before may still be closing.
      await expect(page.getByRole('tooltip').filter({ hasText: 'INIT' })).toBeVisible();
    },
  ],
  [
    'a fact explained',
    async ({ page }, learner) => {
      const fact = learner
        .region('Guide')
        .getByRole('button', { name: /^source / })
        .first();
      await learner.reach(fact);
      const card = page.getByRole('tooltip').filter({ hasText: 'Source:' });
      await expect(card).toContainText(/Source: arch\/x86\/kvm\//);
      await expect(fact).toHaveAccessibleDescription(await card.innerText());
      await learner.press('Escape');
      await expect(card).toBeHidden();
      await learner.press('Shift+Tab', 'Tab');
      await expect(card).toBeVisible();
      // One that goes takes its card along, and whatever scrolls after that is nothing to it.
      await learner.press('Control+Shift+a');
      await pointAt(learner.region('Timeline').getByRole('button', { name: /^source / }), card);
      await learner.press('Control+Shift+f', 'Escape');
      await expect(card).toBeHidden();
      await learner.region('Guide').getByRole('group', { name: 'Text of this step' }).hover();
      await page.mouse.wheel(0, 400);
    },
  ],
  [
    'a notice',
    async ({ page }, learner) => {
      await learner.press('Control+e');
      await expect(page.getByRole('region', { name: 'Notices' })).toContainText('The transcript was written');
    },
  ],
  ...(['palette', 'shortcuts', 'settings'] as const).map(
    (dialog, i) =>
      [
        dialog,
        async ({ page }: Seamlab, learner: Learner) => {
          if (i > 0) await learner.press('Escape');
          await learner.press({ palette: 'Control+k', shortcuts: 'F1', settings: 'Control+,' }[dialog]);
          await expect(page.getByRole('dialog', { name: dialog })).toBeVisible();
        },
      ] as const,
  ),
  [
    'found by palette',
    async ({ page }, learner) => {
      await learner.press('Escape');
      await learner.search('restart');
      await expect(page.getByRole('option').first()).toContainText('Restart');
    },
  ],
  [
    'restart',
    async ({ page }, learner) => {
      await learner.press('Enter');
      await expect(page.getByRole('dialog', { name: 'Restart' })).toBeVisible();
    },
  ],
  ...(['schedule', 'build', 'explain'] as const).map(
    (kind) =>
      [
        `asked to ${kind}`,
        async (app: Seamlab, learner: Learner) => {
          await learner.press('Escape');
          const { id } = lab.checkpoints.find((checkpoint) => checkpoint.kind === kind)!;
          const at = course.inputs.findIndex((input) => input.kind === 'answer' && input.checkpoint === id);
          expect(at, id).toBeGreaterThan(0);
          const { session } = await app.call('lab.restart', { lab: lab.id });
          for (const input of course.inputs.slice(0, at)) await app.call('lab.input', { session, input });
          await app.open();
          await learner.checkpoint(id).scrollIntoViewIfNeeded();
        },
      ] as const,
  ),
  [
    'complete',
    async (app, learner) => {
      await learner.press('Escape');
      const { session } = await app.call('lab.restart', { lab: lab.id });
      for (const input of course.inputs) await app.call('lab.input', { session, input });
      await app.open();
      await expect(app.page.getByText('the lab is complete')).toBeVisible();
    },
  ],
  [
    'a diagram in words',
    async (app, learner) => {
      const { session } = await app.call('lab.open', { lab: lab.id });
      await app.call('lab.input', { session, input: { kind: 'goto', step: 'born-runnable' } });
      await app.open();
      const guide = learner.region('Guide');
      await expect(guide.getByRole('img', { name: 'mp_state of an AP in a plain guest' })).toBeVisible();
      await learner.goTo('Guide');
      await learner.reach(guide.getByText('In words'));
      await learner.press('Enter');
      await expect(guide.getByText('An AP begins')).toBeVisible();
    },
  ],
  [
    'home with a score',
    async ({ page }, learner) => {
      await learner.press('Control+Shift+h');
      await expect(page.getByText(`${lab.points} of ${lab.points} points`).first()).toBeVisible();
    },
  ],
  [
    'no desktop',
    async ({ page, main }) => {
      await main.evaluate(({ ipcMain }) => {
        ipcMain.removeHandler('seamlab:call');
        ipcMain.handle('seamlab:call', () => ({ ok: false, code: 'internal', message: 'Nothing goes.' }));
      });
      await page.reload();
      await expect(page.getByRole('heading', { level: 1 })).toHaveText('Seamlab could not start.');
    },
  ],
];

test('axe finds nothing wrong in either theme, wherever a learner comes', async ({ app }) => {
  test.setTimeout(180_000);
  const learner = new Learner(app.page, course);
  for (const [name, go] of tour) {
    await test.step(name, async () => {
      await go(app, learner);
      for (const [theme, rules] of [
        ['light', 'all'],
        ['dark', 'colours'],
      ] as const) {
        await wear(app, theme);
        expect.soft(await violations(app.page, rules), `${name}, ${theme}`).toEqual([]);
      }
      await draw(app.page, name, 'dark');
    });
  }
});

/** What is scrolled sideways by its meaning: a picture and the words of a program. */
const ROAMING = ['[aria-label="Threads and lanes"]', 'figure', 'pre', 'table'];
const DIALOGS = { palette: 'Control+k', shortcuts: 'F1', settings: 'Control+,' } as const;

for (const { width, height, textScale } of [
  { width: 1280, height: 800, textScale: 100 },
  { width: 1920, height: 1080, textScale: 100 },
  { width: 960, height: 640, textScale: 100 },
  { width: 1280, height: 800, textScale: 200 },
  { width: 960, height: 640, textScale: 200 },
]) {
  test(`at ${width} by ${height} with text of ${textScale} % everything can be seen and reached`, async ({
    app,
  }) => {
    const { page } = app;
    const learner = new Learner(page, course);
    const looked = async (name: string): Promise<void> => {
      await fits(page, ROAMING, name);
      await draw(page, `${width}x${height}-${textScale}`, name);
    };
    await app.resize(width, height);
    await app.call('settings.set', { textScale });
    await page.reload();
    await expect(page.getByRole('button', { name: lab.title }).first()).toBeVisible();
    await looked('home');

    const { session } = await app.call('lab.open', { lab: lab.id });
    for (const input of course.inputs.slice(0, 4)) await app.call('lab.input', { session, input });
    await app.open();
    for (const region of ['Guide', 'Stage', 'State', 'Timeline'] as const) {
      await learner.goTo(region);
      await expect(learner.region(region)).toBeVisible();
      await looked(region);
    }
    await learner.press('Control+Shift+a');
    await expect(page.getByLabel('Who')).toBeFocused();
    await looked('actions');
    for (const [dialog, key] of Object.entries(DIALOGS)) {
      await learner.press(key);
      await expect(page.getByRole('dialog', { name: dialog })).toBeVisible();
      await looked(dialog);
      await learner.press('Escape');
    }
    // Shortcuts lead to what they name, whatever is shown.
    await learner.goTo('Guide');
    await learner.press('Control+j');
    await expect(learner.console).toBeFocused();
    await learner.goTo('Guide');
    await learner.press('Control+f');
    await expect(page.getByRole('searchbox', { name: 'Search the state' })).toBeFocused();
  });
}

/** Ways to ask for less motion, and none. */
const MOTIONS = [
  { name: 'asked by nobody', setting: false, system: 'no-preference', moves: true },
  { name: 'asked by the settings', setting: true, system: 'no-preference', moves: false },
  { name: 'asked by the system', setting: false, system: 'reduce', moves: false },
] as const;

test('nothing moves when the settings or the system ask for less motion', async ({ app }) => {
  const { page } = app;
  const learner = new Learner(page, course);
  await app.open();
  const moved = await page.evaluateHandle(() => {
    const seen = { count: 0 };
    for (const event of ['transitionrun', 'animationstart'])
      addEventListener(event, () => seen.count++, true);
    return seen;
  });
  const ask = async ({ setting, system }: (typeof MOTIONS)[number]): Promise<void> => {
    await page.emulateMedia({ reducedMotion: system });
    await learner.press('Control+,');
    await page.getByRole('checkbox', { name: /without movement/ }).setChecked(setting);
    await learner.press('Escape');
    await expect(page.getByRole('dialog')).toHaveCount(0);
  };
  const branch = learner.region('State').getByRole('treeitem', { name: 'td', exact: true });
  for (const motion of MOTIONS) {
    await ask(motion);
    await moved.evaluate((seen) => (seen.count = 0));
    await branch.click();
    await expect(branch).toHaveAttribute('aria-expanded', 'false');
    await branch.click();
    await expect(branch).toHaveAttribute('aria-expanded', 'true');
    await page.evaluate(
      () => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))),
    );
    expect((await moved.evaluate(({ count }) => count)) > 0, `the tree, ${motion.name}`).toBe(motion.moves);
  }

  // Work that does not end: what shows it moves for as long as it lasts.
  await app.main.evaluate(({ ipcMain }) => {
    ipcMain.removeHandler('seamlab:call');
    ipcMain.handle('seamlab:call', () => new Promise(() => undefined));
  });
  await learner.press('Control+j');
  await page.keyboard.type('vmm KVM_GET_MP_STATE vm=vmx vcpu=1');
  await learner.press('Enter');
  await expect(page.getByRole('progressbar', { name: 'Working' })).toBeVisible();
  for (const motion of MOTIONS) {
    await ask(motion);
    const running = await page.evaluate(() => document.getAnimations().length);
    expect(running > 0, `the line of work, ${motion.name}`).toBe(motion.moves);
  }
});

test('these checks see what is wrong', async ({ app }) => {
  const { page } = app;
  await app.open();
  await page.evaluate(() => {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(`
      .label { color: #999 !important }
      .tools { translate: 4rem }
      .console .button { width: 1rem; padding: 0; overflow: hidden }
      [data-region='timeline'] .bar { height: 0.5rem; overflow: hidden }
      footer, .prose { width: 140vw }
      .view { z-index: -1 !important }
    `);
    document.adoptedStyleSheets.push(sheet);
    document.querySelector('[aria-label="Settings"]')!.removeAttribute('title');
    document.querySelector('[aria-label="Settings"]')!.removeAttribute('aria-label');
  });
  const wrong = (await violations(page)).join('\n');
  expect(wrong).toMatch(/^color-contrast: .*\.label/m);
  expect(wrong).toMatch(/^button-name: /m);
  const unfit = (await misfits(page, ROAMING)).join('\n');
  expect(unfit).toMatch(/^cut off: .*Keyboard shortcuts/m);
  expect(unfit).toMatch(/^shortened: .*Send/m);
  expect(unfit).toMatch(/^cut off: .*Actions/m);
  expect(unfit).toMatch(/^covered: .*Table/m);
  expect(unfit).toMatch(/^wider than its place: div.text/m);
});
