import type { Page } from '@playwright/test';
import { DEFAULT_BINDINGS } from '../src-renderer/shortcuts';
import { Random } from '../src-sim/testing/fuzz';
import { expect, pointAt, type Seamlab } from './app';

type Point = readonly [x: number, y: number];
/** One thing that is done. A list of them is data: it is written down, and done again. */
export type Deed =
  | { readonly do: 'click' | 'double-click'; readonly at: Point; readonly what: string }
  | { readonly do: 'press'; readonly key: string }
  | { readonly do: 'type'; readonly words: string }
  | { readonly do: 'drag'; readonly from: Point; readonly to: Point }
  | { readonly do: 'wheel'; readonly at: Point; readonly by: number }
  | { readonly do: 'menu'; readonly item: string }
  | { readonly do: 'resize'; readonly to: Point };

/** What can be pointed at: the middle of everything in view that answers to the pointer. */
interface Spot {
  readonly at: Point;
  readonly what: string;
}

const POINTABLE =
  'button, a[href], input, select, textarea, summary, [role="tab"], [role="treeitem"], [role="row"], [role="option"], [role="menuitem"], [role="menuitemcheckbox"], [role="slider"], [role="separator"], [role="checkbox"], [role="switch"], [role="radio"], svg [tabindex]';

const SHORTCUTS = Object.values(DEFAULT_BINDINGS)
  .flat()
  .map((binding) => binding.replace('$mod', 'Control'));
const KEYS = [
  ...['Tab', 'Tab', 'Shift+Tab', 'Enter', 'Enter', 'Space', 'Escape', 'Escape', 'Backspace', 'Delete'],
  ...['ArrowUp', 'ArrowDown', 'ArrowLeft', 'ArrowRight', 'Home', 'End', 'PageUp', 'PageDown', 'Control+a'],
];
/** Sense, nonsense, and what nobody types. */
const WORDS = [
  ...[
    'boot td vm=td',
    'vmm KVM_RUN vm=td vcpu=0',
    'vmm KVM_RUN vm=vmx vcpu=1 immediate_exit=1',
    'run',
    'reset',
  ],
  ...['vmm KVM_SIGNAL_MSI vm=td dest=1 delivery_mode=FIXED vector=0x31', 'hold guest HLT vm=td vcpu=0'],
  ...[
    'host pass ns=1000000',
    'host NMI vm=td vcpu=0',
    'host MCE vm=td vcpu=1',
    'step td.vcpu0',
    'jump 0',
    'jump 7',
  ],
  ...[
    'guest ICR vm=td vcpu=0 dest=1 delivery_mode=INIT',
    'stop event=kvm_exit',
    'run-back',
    'run-on',
    'td.vcpu0',
  ],
  ...[
    'last-change td.vcpu0.mp_state',
    'kvm_',
    '0xffffffffffffffff',
    '-1',
    '',
    ' ',
    'td',
    '\u202e\u0000\ud83d\udc12',
  ],
  ...['x'.repeat(3_000), "'; DROP TABLE entries; --", '<img src=x onerror=alert(1)>', '../../../etc/passwd'],
];
const SIZES = [
  [1280, 800],
  [1920, 1080],
  [1024, 700],
  [800, 600],
  [1440, 500],
] as const;
/** Items of the menu that lead nowhere outside the window. */
const MENU = ['theme-light', 'theme-dark', 'theme-system', 'text-larger', 'text-smaller', 'text-reset'];

/**
 * Somebody who presses, types, drags and turns whatever there is, in no order. The same seed begins in the same way; how
 * it goes on depends on what the screen shows by then. What was done is known, and can be done again.
 */
export class Monkey {
  readonly #random: Random;
  /** All that it has done. */
  readonly did: Deed[] = [];
  #size: Point = [1280, 800];

  constructor(
    private readonly app: Seamlab,
    seed: number,
  ) {
    this.#random = new Random(seed);
  }

  get #page(): Page {
    return this.app.page;
  }

  /** Does one thing, or a few that belong together. */
  async act(): Promise<void> {
    for (const deed of await this.#choose()) await this.perform(deed);
  }

  /** From Home to a lab, where it has a word explained and leaves while something moves that would move for ever. */
  async visit(): Promise<void> {
    const page = this.#page;
    await page.getByRole('button', { name: /^Lab 3:/ }).click();
    await pointAt(page.getByRole('button', { name: /^source / }).first(), page.getByRole('tooltip'));
    const lasting = await page.evaluateHandle(() => {
      const { animate } = Element.prototype;
      Element.prototype.animate = function (frames) {
        return animate.call(this, frames, { duration: 1e9 });
      };
      return { end: () => (Element.prototype.animate = animate) };
    });
    await this.perform({ do: 'press', key: 'Control+j' });
    await this.perform({
      do: 'type',
      words: 'vmm KVM_SIGNAL_MSI vm=td dest=1 delivery_mode=FIXED vector=0x31',
    });
    await this.perform({ do: 'press', key: 'Enter' });
    await expect.poll(() => page.evaluate(() => document.getAnimations().length)).toBeGreaterThan(0);
    await lasting.evaluate(({ end }) => void end());
    await this.goHome();
  }

  /** Closes whatever is open and goes home. */
  async goHome(): Promise<void> {
    const heading = this.#page.getByRole('heading', { name: 'The sandbox' });
    await expect(async () => {
      for (let i = 0; i < 3; i++) await this.perform({ do: 'press', key: 'Escape' });
      await this.perform({ do: 'menu', item: 'home' });
      await expect(heading).toBeVisible({ timeout: 1_000 });
    }).toPass();
  }

  /** Whether the window draws, which it cannot while a script runs on for ever. */
  async looks(): Promise<void> {
    await this.#page.evaluate(() => new Promise((done) => requestAnimationFrame(done)));
  }

  async perform(deed: Deed): Promise<void> {
    this.did.push(deed);
    const { keyboard, mouse } = this.#page;
    switch (deed.do) {
      case 'click':
      case 'double-click':
        return mouse.click(...deed.at, { clickCount: deed.do === 'click' ? 1 : 2 });
      case 'press':
        return keyboard.press(deed.key);
      case 'type':
        return keyboard.insertText(deed.words);
      case 'drag':
        await mouse.move(...deed.from);
        await mouse.down();
        await mouse.move(...deed.to, { steps: 8 });
        return mouse.up();
      case 'wheel':
        await mouse.move(...deed.at);
        return mouse.wheel(0, deed.by);
      case 'menu':
        return this.app.main.evaluate(
          ({ Menu }, item) => Menu.getApplicationMenu()!.getMenuItemById(item)!.click(),
          deed.item,
        );
      case 'resize':
        this.#size = deed.to;
        return this.app.main.evaluate(
          ({ BrowserWindow }, [width, height]) =>
            BrowserWindow.getAllWindows()[0]!.setContentSize(width, height),
          deed.to,
        );
    }
  }

  async #choose(): Promise<readonly Deed[]> {
    const random = this.#random;
    const kind = random.below(100);
    if (kind < 45) return this.#clicks();
    if (kind < 60) return [{ do: 'press', key: random.one(KEYS) }];
    if (kind < 78) return [{ do: 'press', key: random.one(SHORTCUTS) }];
    if (kind < 88) return this.#words();
    if (kind < 92) return [{ do: 'drag', from: this.#point(), to: this.#point() }];
    if (kind < 96) return [{ do: 'wheel', at: this.#point(), by: random.below(4_000) - 2_000 }];
    if (kind < 98) return [{ do: 'menu', item: random.one(MENU) }];
    return [{ do: 'resize', to: random.one(SIZES) }];
  }

  async #clicks(): Promise<readonly Deed[]> {
    const spots = await this.#spots();
    if (spots.length === 0) return [];
    return [{ do: this.#random.chance(10) ? 'double-click' : 'click', ...this.#random.one(spots) }];
  }

  #words(): readonly Deed[] {
    const typed: Deed = { do: 'type', words: this.#random.one(WORDS) };
    const first: Deed[] = this.#random.chance(60) ? [{ do: 'press', key: 'Control+j' }] : [];
    const last: Deed[] = this.#random.chance(80) ? [{ do: 'press', key: 'Enter' }] : [];
    return [...first, typed, ...last];
  }

  async #spots(): Promise<Spot[]> {
    return this.#page.evaluate((selector) => {
      const spots: Spot[] = [];
      for (const element of document.querySelectorAll(selector)) {
        const box = element.getBoundingClientRect();
        const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
        if (box.width === 0 || x < 0 || y < 0 || x >= innerWidth || y >= innerHeight) continue;
        const hit = document.elementFromPoint(x, y);
        if (hit === null || !(element.contains(hit) || hit.contains(element))) continue;
        const name = element.getAttribute('aria-label') ?? element.textContent.trim().slice(0, 40);
        spots.push({ at: [x, y], what: `${element.tagName.toLowerCase()} ${name}` });
      }
      return spots;
    }, POINTABLE);
  }

  #point(): Point {
    const [width, height] = this.#size;
    return [this.#random.below(width), this.#random.below(height)];
  }
}
