import type { Page } from '@playwright/test';
import axe, { type AxeResults, type RunOnly } from 'axe-core';
import { join } from 'node:path';
import { expect, root, type Seamlab } from './app';

/** What Seamlab promises: WCAG 2.2, levels A and AA, and what axe calls good practice besides. */
const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

/** Waits until nothing moves: a colour or a place on its way to another is neither. */
export async function still(page: Page): Promise<void> {
  await page.evaluate(() =>
    Promise.all(
      document
        .getAnimations()
        .filter(({ effect }) => Number.isFinite(effect?.getComputedTiming().endTime))
        .map(({ finished }) => finished.catch(() => undefined)),
    ),
  );
}

/** Those of its rules that look at colours: of the others a theme changes nothing. */
const OF_COLOURS = ['color-contrast', 'link-in-text-block'];

/**
 * What axe finds wrong with the page as it is: `rule: what, at where`, one an element.
 *
 * @param rules - `colours`: those alone, for a page that was seen in another theme before
 */
export async function violations(page: Page, rules: 'all' | 'colours' = 'all'): Promise<string[]> {
  await still(page);
  // By the debugger's way in: the page itself takes no scripts.
  if (!(await page.evaluate(() => 'axe' in globalThis))) await page.evaluate(axe.source);
  const runOnly: RunOnly =
    rules === 'all' ? { type: 'tag', values: TAGS } : { type: 'rule', values: OF_COLOURS };
  const found = await page.evaluate(async (only) => {
    const { run } = (globalThis as unknown as { axe: typeof axe }).axe;
    return run({ runOnly: only, resultTypes: ['violations'] });
  }, runOnly);
  return (found as AxeResults).violations.flatMap(({ id, help, nodes }) =>
    nodes.map(({ target, any }) => `${id}: ${help}, at ${target.join(' ')}: ${any[0]?.message ?? ''}`),
  );
}

/** Shows the application in a theme, as its menu does. */
export async function wear(app: Seamlab, theme: 'light' | 'dark'): Promise<void> {
  await app.main.evaluate(
    ({ Menu }, id) => Menu.getApplicationMenu()!.getMenuItemById(id)!.click(),
    `theme-${theme}`,
  );
  await expect(app.page.locator('html')).toHaveAttribute('data-theme', theme);
}

/** Keeps a picture of the window for people to look at, in test-results/looks. Nothing is compared. */
export async function draw(page: Page, ...name: readonly string[]): Promise<void> {
  await still(page);
  const file = `${name.join('-').replaceAll(' ', '-')}.png`;
  const picture = await page.screenshot({ path: join(root, 'test-results', 'looks', file) });
  expect(picture.length, `${file} shows something`).toBeGreaterThan(10_000);
}

/**
 * What of the window cannot be seen or reached with the space there is: controls that something cuts off or covers,
 * words of a control that end in an ellipsis, and regions that must be scrolled sideways to be read.
 *
 * @param roaming - names of what may be scrolled sideways, since two dimensions are its meaning: pictures, tables, code.
 */
export async function misfits(page: Page, roaming: readonly string[] = []): Promise<string[]> {
  await still(page);
  return page.evaluate((allowed) => {
    const found: string[] = [];
    const nameOf = (element: Element): string => {
      const classes = [...element.classList].filter((name) => !name.startsWith('svelte-'));
      const words = element.getAttribute('aria-label') ?? element.textContent.trim().replace(/\s+/g, ' ');
      return `${[element.tagName.toLowerCase(), ...classes].join('.')} "${words.slice(0, 40)}"`;
    };
    const isSpoken = (element: Element): boolean => {
      for (let at: Element | null = element; at !== null; at = at.parentElement) {
        if (getComputedStyle(at).clipPath === 'inset(50%)') return true;
      }
      return false;
    };
    const isShown = (element: Element): boolean =>
      element.checkVisibility({ visibilityProperty: true, opacityProperty: true }) && !isSpoken(element);
    const scope = document.querySelector('[role="dialog"]') ?? document.body;
    const controls = scope.querySelectorAll<HTMLElement>(
      'button, input, select, summary, [role="tab"], [role="option"], [role="treeitem"], [role="separator"]',
    );

    for (const control of controls) {
      if (!isShown(control)) continue;
      const { left, top, right, bottom } = control.getBoundingClientRect();
      let box = { left, top, right, bottom };
      let scrolled = false;
      for (
        let at = control.parentElement;
        at !== null && at !== document.documentElement;
        at = at.parentElement
      ) {
        const style = getComputedStyle(at);
        const outer = at.getBoundingClientRect();
        const room = {
          left: outer.left + at.clientLeft,
          top: outer.top + at.clientTop,
          right: outer.left + at.clientLeft + at.clientWidth,
          bottom: outer.top + at.clientTop + at.clientHeight,
        };
        for (const [low, high, overflow] of [
          ['left', 'right', style.overflowX],
          ['top', 'bottom', style.overflowY],
        ] as const) {
          if (overflow === 'visible') continue;
          if (box[low] >= room[low] - 1 && box[high] <= room[high] + 1) continue;
          if (overflow === 'auto' || overflow === 'scroll') {
            // It can be brought into view; from there on what matters is where that view is.
            box = { ...box, [low]: room[low], [high]: room[high] };
            scrolled = true;
          } else {
            found.push(`cut off: ${nameOf(control)} by ${nameOf(at)}`);
            box = { ...box, [low]: Math.max(box[low], room[low]), [high]: Math.min(box[high], room[high]) };
          }
        }
        // What was scrolled under a heading that stays can be scrolled out again.
        if (at.scrollLeft > 0 || at.scrollTop > 0) scrolled = true;
        if (style.position === 'fixed') break;
      }
      if (box.left < -1 || box.top < -1 || box.right > innerWidth + 1 || box.bottom > innerHeight + 1) {
        found.push(`outside the window: ${nameOf(control)}`);
      }
      if (!scrolled && control.getAttribute('role') !== 'separator') {
        const hit = document.elementFromPoint((box.left + box.right) / 2, (box.top + box.bottom) / 2);
        const own =
          hit !== null &&
          (control.contains(hit) || hit.contains(control) || hit.closest('label')?.contains(control));
        if (!own) found.push(`covered: ${nameOf(control)} by ${hit === null ? 'nothing' : nameOf(hit)}`);
      }
      if (control.matches('button, [role="tab"], select, summary')) {
        for (const part of [control, ...control.querySelectorAll<HTMLElement>('*')]) {
          if (getComputedStyle(part).overflowX === 'visible' || !isShown(part)) continue;
          if (part.scrollWidth > part.clientWidth + 1) found.push(`shortened: ${nameOf(control)}`);
        }
      }
    }

    for (const element of [document.documentElement, ...scope.querySelectorAll<HTMLElement>('*')]) {
      if (element.scrollWidth <= element.clientWidth + 1 || element.clientWidth === 0 || !isShown(element))
        continue;
      const { overflowX, textOverflow, display } = getComputedStyle(element);
      if (overflowX === 'visible' || display === 'inline' || textOverflow === 'ellipsis') continue;
      if (
        element.matches('input, select') ||
        element.closest(allowed.length === 0 ? 'none' : allowed.join()) !== null
      )
        continue;
      found.push(
        `wider than its place: ${nameOf(element)}: ${element.scrollWidth} in ${element.clientWidth}`,
      );
    }
    return [...new Set(found)];
  }, roaming);
}

/** Fails when something cannot be seen or reached once the page has come to rest: sizes that are measured follow the window's. */
export async function fits(page: Page, roaming: readonly string[], name: string): Promise<void> {
  await expect
    .configure({ soft: true })
    .poll(() => misfits(page, roaming), { message: name })
    .toEqual([]);
}
