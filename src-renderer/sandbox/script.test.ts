import { expect, test } from 'vitest';
import { stepsDone } from './script';

const steps = ['hold guest HLT vm=td vcpu=1', 'step td.vcpu1 times=3', 'run', 'vmm KVM_NMI vm=td vcpu=1'].map(
  (command) => ({ command }),
);
/** Lines of a notebook; one that ends with `…` was halted. */
const notebook = (...lines: readonly string[]) =>
  lines.map((line) => ({ command: line.replace('…', ''), cut: line.endsWith('…') }));
const [HOLD, STEP, RUN, NMI] = steps.map(({ command }) => command) as [string, string, string, string];
const countOf = (done: ReturnType<typeof notebook>) => stepsDone(steps, done).count;
const isHalted = (...lines: readonly string[]) => stepsDone(steps, notebook(...lines)).halted;

test('steps are done as far as the notebook begins with them', () => {
  expect(countOf([])).toBe(0);
  expect(countOf(notebook(HOLD, STEP))).toBe(2);
  expect(countOf(notebook(HOLD, STEP, RUN, NMI, 'run'))).toBe(4);
  expect(countOf(notebook(HOLD, NMI, STEP))).toBe(1);
  expect(countOf(notebook('run', HOLD))).toBe(0);
});

test('what completes a step that was halted is no step of its own', () => {
  expect(countOf(notebook(HOLD, `${STEP}…`, 'step td.vcpu1 times=2', RUN, NMI))).toBe(4);
  expect(countOf(notebook(HOLD, STEP, `${RUN}…`, 'run…', 'step td.vcpu0', 'run', NMI))).toBe(4);
});

test('what is done beside the steps ends them: after a step at its end, and after a run that has completed one', () => {
  expect(countOf(notebook(HOLD, STEP, 'step td.vcpu0', RUN, NMI))).toBe(2);
  expect(countOf(notebook(HOLD, STEP, `${RUN}…`, 'run', 'step td.vcpu0', NMI))).toBe(3);
  expect(countOf(notebook(HOLD, STEP, `${RUN}…`, 'vmm KVM_RUN vm=td vcpu=0', NMI))).toBe(3);
});

test('what was halted goes on with a run, until it is completed or something else is done', () => {
  expect(isHalted()).toBe(false);
  expect(isHalted(`${HOLD}…`)).toBe(true);
  expect(isHalted(HOLD, STEP, `${RUN}…`, 'run…', 'step td.vcpu0')).toBe(true);
  expect(isHalted(HOLD, STEP, `${RUN}…`, 'run')).toBe(false);
  expect(isHalted(`${HOLD}…`, 'vmm KVM_RUN vm=td vcpu=0…')).toBe(false);
  expect(isHalted(HOLD, `${STEP}…`), 'an atomic step').toBe(false);
});
