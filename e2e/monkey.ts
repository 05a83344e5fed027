import type { Page } from '@playwright/test';
import { DEFAULT_BINDINGS } from '../src-renderer/shortcuts';
import { Random } from '../src-sim/testing/fuzz';
import { expect, type Seamlab } from './app';

/** What can be pointed at: the middle of everything in view that answers to the pointer. */
interface Spot {
  readonly x: number;
  readonly y: number;
  readonly name: string;
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
 * it goes on depends on what the screen shows by then.
 */
export class Monkey {
  readonly #random: Random;
  /** What it did last, newest at the end, for whoever must find out what went wrong. */
  readonly did: string[] = [];

  constructor(
    private readonly app: Seamlab,
    seed: number,
  ) {
    this.#random = new Random(seed);
  }

  get #page(): Page {
    return this.app.page;
  }

  /** Does one thing. */
  async act(): Promise<void> {
    const random = this.#random;
    const kind = random.below(100);
    if (kind < 45) await this.#click();
    else if (kind < 60) await this.#press(random.one(KEYS));
    else if (kind < 78) await this.#press(random.one(SHORTCUTS));
    else if (kind < 88) await this.#type();
    else if (kind < 92) await this.#drag();
    else if (kind < 96) await this.#turn();
    else if (kind < 98) await this.#menu(random.one(MENU));
    else await this.#resize();
  }

  /** Closes whatever is open and goes home. */
  async goHome(): Promise<void> {
    const heading = this.#page.getByRole('heading', { name: 'The sandbox' });
    await expect(async () => {
      for (let i = 0; i < 3; i++) await this.#press('Escape');
      await this.#menu('home');
      await expect(heading).toBeVisible({ timeout: 1_000 });
    }).toPass();
  }

  /** Whether the window draws, which it cannot while a script runs on for ever. */
  async looks(): Promise<void> {
    await this.#page.evaluate(() => new Promise((done) => requestAnimationFrame(done)));
  }

  #note(what: string): void {
    this.did.push(what);
    if (this.did.length > 60) this.did.shift();
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
        spots.push({ x, y, name: `${element.tagName.toLowerCase()} "${name}"` });
      }
      return spots;
    }, POINTABLE);
  }

  async #click(): Promise<void> {
    const spots = await this.#spots();
    if (spots.length === 0) return;
    const { x, y, name } = this.#random.one(spots);
    const twice = this.#random.chance(10);
    this.#note(`${twice ? 'double-click' : 'click'} ${name}`);
    await this.#page.mouse.click(x, y, { clickCount: twice ? 2 : 1 });
  }

  async #press(key: string): Promise<void> {
    this.#note(`press ${key}`);
    await this.#page.keyboard.press(key);
  }

  async #type(): Promise<void> {
    const words = this.#random.one(WORDS);
    if (this.#random.chance(60)) await this.#press('Control+j');
    this.#note(`type ${words.slice(0, 60)}`);
    await this.#page.keyboard.insertText(words);
    if (this.#random.chance(80)) await this.#press('Enter');
  }

  #point(): readonly [number, number] {
    const { width, height } = this.#size;
    return [this.#random.below(width), this.#random.below(height)];
  }

  async #drag(): Promise<void> {
    const [from, to] = [this.#point(), this.#point()];
    this.#note(`drag ${from.join()} to ${to.join()}`);
    const { mouse } = this.#page;
    await mouse.move(...from);
    await mouse.down();
    await mouse.move(...to, { steps: 8 });
    await mouse.up();
    // What was dragged and dropped is kept by Chromium until it hears that this is over.
    const protocol = await this.#page.context().newCDPSession(this.#page);
    await protocol.send('Input.cancelDragging');
    await protocol.detach();
  }

  async #turn(): Promise<void> {
    const at = this.#point();
    const by = this.#random.below(4_000) - 2_000;
    this.#note(`wheel ${by} at ${at.join()}`);
    await this.#page.mouse.move(...at);
    await this.#page.mouse.wheel(0, by);
  }

  async #menu(id: string): Promise<void> {
    this.#note(`menu ${id}`);
    await this.app.main.evaluate(
      ({ Menu }, item) => Menu.getApplicationMenu()!.getMenuItemById(item)!.click(),
      id,
    );
  }

  #size = { width: 1280, height: 800 };
  async #resize(): Promise<void> {
    const [width, height] = this.#random.one(SIZES);
    this.#note(`resize ${width}x${height}`);
    this.#size = { width, height };
    await this.app.main.evaluate(
      ({ BrowserWindow }, size) => BrowserWindow.getAllWindows()[0]!.setContentSize(size.width, size.height),
      { width, height },
    );
  }
}
