import type { Locator } from '@playwright/test';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from './app';
import { notices } from './begun';
import { Learner, readCourse } from './learner';
import { still, violations } from './looks';

/** How far an element is scrolled, from its left and its top. */
const scrolled = (element: Locator): Promise<[number, number]> =>
  element.evaluate(({ scrollLeft, scrollTop }) => [scrollLeft, scrollTop]);

test('the tour introduces the screen; the stage is enlarged, moved, followed, watched and saved', async ({
  launch,
}) => {
  const app = await launch({ firstRun: true });
  const { page } = app;
  const learner = new Learner(page, readCourse('03-posting'));
  const stage = learner.region('Stage');
  const picture = stage.getByRole('group', { name: 'Threads and lanes' });
  const marker = picture.locator('[data-key="thread td.vcpu1"]');
  await app.open('posting');

  await test.step('whoever is new is shown around, by keyboard, until they have had enough', async () => {
    const tour = page.getByRole('dialog', { name: 'Tour of the lab' });
    await expect(tour).toContainText('The guide');
    await expect(tour.getByRole('button', { name: 'Next' })).toBeFocused();
    await learner.press('Enter');
    await expect(tour).toContainText('The stage');
    await expect(tour).toHaveAccessibleDescription(/Every thread has a column/);
    expect(await violations(page)).toEqual([]);
    const [bubble, region] = [await tour.boundingBox(), await stage.boundingBox()];
    expect(bubble!.x >= region!.x + region!.width || bubble!.x + bubble!.width <= region!.x).toBe(true);
    await learner.press('Escape');
    await expect(tour).toHaveCount(0);
    expect((await app.call('app.start', {})).settings.toured).toBe(true);
    await page.reload();
    await expect(picture).toBeVisible();
    await expect(tour).toHaveCount(0);
    await learner.press('Shift+F1');
    for (let stop = 0; stop < 6; stop++) await tour.getByRole('button', { name: 'Next' }).press('Enter');
    await tour.getByRole('button', { name: 'Done' }).press('Enter');
    await expect(tour).toHaveCount(0);
  });

  await test.step('keys enlarge the picture and bring it back', async () => {
    await picture.focus();
    await learner.press('+', '+', '+');
    await expect(stage.getByRole('button', { name: '200 %. Reset the picture' })).toBeVisible();
    const [wide] = await picture.evaluate(({ scrollWidth, clientWidth }) => [scrollWidth / clientWidth]);
    expect(wide).toBeGreaterThan(1.2);
  });

  await test.step('the mouse moves it, and then it follows nobody', async () => {
    const follow = stage.getByRole('button', { name: 'Follow the acting thread' });
    await expect(follow).toHaveAttribute('aria-pressed', 'true');
    const { x, y, width, height } = (await picture.boundingBox())!;
    await picture.evaluate((element) => element.scrollTo(0, 0));
    await page.mouse.move(x + width - 40, y + height - 40);
    await page.mouse.down();
    await page.mouse.move(x + width - 140, y + height - 100, { steps: 4 });
    await page.mouse.up();
    expect(await scrolled(picture)).toEqual([100, 60]);
    await expect(follow).toHaveAttribute('aria-pressed', 'false');
    await follow.click();
    await learner.command('guest SVR vm=td vcpu=1');
    await expect(marker).toBeInViewport();
    await picture.focus();
    await learner.press('0');
    await expect(stage.getByRole('button', { name: /^100 %/ })).toBeVisible();
    expect(await scrolled(picture)).toEqual([0, 0]);
  });

  await test.step('an interrupt travels where motion is welcome, and is simply there where it is not', async () => {
    const flights = await page.evaluateHandle(() => {
      const seen: string[] = [];
      const { animate } = Element.prototype;
      Element.prototype.animate = function (...how) {
        seen.push(this.getAttribute('data-key') ?? '');
        return animate.apply(this, how);
      };
      return seen;
    });
    const msi = 'vmm KVM_SIGNAL_MSI vm=td dest=1 delivery_mode=FIXED vector=0x31';
    await learner.command(msi);
    await still(page);
    expect(await flights.jsonValue()).toEqual(expect.arrayContaining(['td.vcpu1 0x31']));
    const token = picture.locator('[data-place="td.vcpu1 isr"] [data-key="td.vcpu1 0x31"]');
    await expect(token).toHaveText('0x31');
    await expect(picture.getByRole('row', { name: /td\.vcpu1/ })).toContainText(
      '0x31 delivered and ended by EOI; it came by way of events, ON, PIR, IRR',
    );
    await page.emulateMedia({ reducedMotion: 'reduce' });
    await flights.evaluate((seen) => (seen.length = 0));
    await learner.command(msi);
    await expect(token).toHaveText('0x31');
    expect(await flights.jsonValue()).toEqual([]);
  });

  await test.step('the picture is saved whole, in words that stay words', async () => {
    await learner.press('Control+Shift+e');
    await expect(notices(app)).toContainText('The picture was written to');
    const [name] = readdirSync(app.exports);
    expect(name).toMatch(/^seamlab-posting-moment-\d+\.svg$/);
    const svg = readFileSync(join(app.exports, name!), 'utf8');
    const read = await page.evaluate((text) => {
      const document = new DOMParser().parseFromString(text, 'image/svg+xml');
      return {
        fault: document.querySelector('parsererror')?.textContent ?? null,
        title: document.querySelector('title')?.textContent,
        words: [...document.querySelectorAll('text')].map(({ textContent }) => textContent),
      };
    }, svg);
    expect(read.fault).toBeNull();
    expect(read.title).toContain('Posting an interrupt');
    expect(read.words).toEqual(
      expect.arrayContaining(['Guest', 'PEND_NMI', 'SEAM_NON_ROOT', '0x31', 'vCPU 1']),
    );
  });
});
