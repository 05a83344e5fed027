import type { Page } from '@playwright/test';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { running } from './app';
import { atMost, median, noted, percentile, type Figure } from './ratio';

/**
 * Frames of the stage while interrupts travel to eight vCPUs at once, in the real application: from one call of
 * requestAnimationFrame to the next. The same with nothing moving tells how far the machine itself keeps the beat.
 */

const root = process.env['SEAMLAB_ROOT'] ?? process.cwd();
const VCPUS = 8;
const ROUNDS = 12;

/** A course of one lab: a TD as large as a platform allows, every APIC of it enabled. */
const LAB = `format: 1
id: eight
number: 1
title: Eight vCPUs
summary: A TD as large as a platform allows.
minutes: 5
objectives: [Watch all of them at once]
prerequisites: []
platform: { vms: { td: ${VCPUS} } }
policy: { retry: best, wrong_costs: 0, reveal_after: 1 }
situations:
  running:
    - { boot: td, vm: td, vcpus: ${VCPUS} }
${Array.from({ length: VCPUS }, (_, vcpu) => `    - { guest: SVR, vm: td, vcpu: ${vcpu} }`).join('\n')}
steps:
  - { id: watch, setup: running }
checkpoints:
  - id: one
    step: watch
    kind: state
    title: One has come
    ask: Send an interrupt.
    points: 1
    goals: [{ say: An interrupt was taken, condition: { path: td.vcpu0.guest.irqs, not: 0 } }]
    facts: [PI-32]
    hints: [{ cost: 0, say: The console takes it. }, { cost: 0, say: One vCPU sends it. }, { cost: 0, say: To all. }]
    way: [{ guest: ICR, vm: td, vcpu: 0, shorthand: ALL, delivery_mode: FIXED, vector: 0x31 }]
`;
const GUIDE = '# Watch {#watch}\n\nSend an interrupt to everybody.\n\n::checkpoint{id=one}\n';
const COMMAND = 'guest ICR vm=td vcpu=0 shorthand=ALL delivery_mode=FIXED vector=0x31';

/** Milliseconds between frames while `act` goes on. */
export async function framesDuring(page: Page, act: () => Promise<void>): Promise<number[]> {
  await page.evaluate(() => {
    const frames: number[] = [];
    let last: number | null = null;
    let on = true;
    const tick = (now: number): void => {
      if (last !== null) frames.push(now - last);
      last = now;
      if (on) requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
    Object.assign(globalThis, {
      stopFrames: () => {
        on = false;
        return frames;
      },
    });
  });
  await act();
  const frames = await page.evaluate(() =>
    (globalThis as unknown as { stopFrames: () => number[] }).stopFrames(),
  );
  return frames;
}

/**
 * Sends an interrupt to every vCPU and waits until all that moves has arrived. To look for the field by its role, or at all
 * animations with every frame, would take a good part of a frame itself.
 */
async function round(page: Page): Promise<void> {
  const moves = (expected: boolean) =>
    page.waitForFunction(
      (expected) => document.getAnimations().some(({ playState }) => playState === 'running') === expected,
      expected,
      { polling: 100 },
    );
  await page.fill('.console input', COMMAND);
  await page.press('.console input', 'Enter');
  await moves(true);
  await moves(false);
}

/** Opens the lab of eight vCPUs in an application that has no other. */
export async function inLargeLab<T>(executable: string, use: (page: Page) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'seamlab-bench-stage-'));
  for (const name of ['package.json', 'out']) symlinkSync(join(root, name), join(folder, name));
  mkdirSync(join(folder, 'labs', '01-eight'), { recursive: true });
  writeFileSync(join(folder, 'labs', '01-eight', 'lab.yaml'), LAB);
  writeFileSync(join(folder, 'labs', '01-eight', 'guide.md'), GUIDE);
  try {
    return await running(executable, folder, async ({ page }) => {
      await page.getByRole('button', { name: 'Begin “Eight vCPUs”' }).click();
      await page.getByRole('button', { name: 'End the tour' }).click();
      return await use(page);
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export async function stageFigures(): Promise<Figure[]> {
  const executable = process.env['SEAMLAB_ELECTRON'];
  if (!executable) throw new Error('SEAMLAB_ELECTRON names no Electron runtime; run this by npm run bench');
  return inLargeLab(executable, async (page) => {
    await page.getByRole('button', { name: /Fit everything in view/ }).click();
    await round(page); // the first draws what is kept afterwards
    const moving = await framesDuring(page, async () => {
      for (let i = 0; i < ROUNDS; i++) await round(page);
    });
    const still = await framesDuring(page, () =>
      page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 2_000))),
    );
    return [
      atMost('frame of a stage of 8 vCPUs that moves, 99th percentile', percentile(moving, 0.99), 20, 'ms'),
      noted('the same, median', median(moving), 'ms'),
      noted('the same with nothing moving, 99th percentile', percentile(still, 0.99), 'ms'),
    ];
  });
}
