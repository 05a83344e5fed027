import type { Input } from '../src-lab/input';
import { expect, test } from './app';
import { readCourse } from './learner';

const ROUNDS = 30;
const { lab } = readCourse('02-init-sipi');

/** What a learner might do next: they wander about the first steps, try things, take a hint, give a wrong answer. */
function inputOf(round: number): Input {
  const [first, second, third] = lab.steps.map(({ id }) => id);
  const [watched, ordered] = lab.checkpoints;
  const [item] = ordered?.form.type === 'order' ? ordered.form.items : [];
  const once: readonly Input[] = [
    { kind: 'hint', checkpoint: watched!.id },
    { kind: 'answer', checkpoint: ordered!.id, answer: [item!.id] },
  ];
  const often: readonly Input[] = [
    { kind: 'act', action: { vmm: 'KVM_GET_MP_STATE', vm: 'vmx', vcpu: 1 } },
    { kind: 'jump', moment: 3 },
    { kind: 'goto', step: second! },
    { kind: 'act', action: { vmm: 'KVM_TDX_INIT_VCPU', vm: 'td', vcpu: 1 } },
    { kind: 'goto', step: third! },
    { kind: 'reset' },
    { kind: 'goto', step: first! },
  ];
  return once[round] ?? often[(round - once.length) % often.length]!;
}

test(`killed right after an acknowledged input, it reopens at that very step: ${ROUNDS} times, none lost`, async ({
  launch,
}) => {
  test.setTimeout(300_000);
  let app = await launch({ by: 'protocol' });
  let before = await app.call('lab.open', { lab: lab.id });
  const { session } = before;
  let inputs = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const input = inputOf(round);
    const reply = await app.call('lab.input', { session, input });
    await app.kill();
    if (reply.accepted) inputs++;
    expect(reply.inputs).toBe(inputs);

    app = await launch({ by: 'protocol' });
    const step = lab.steps.find(({ id }) => id === reply.progress.step)!;
    await expect(app.page.getByRole('heading', { level: 2, name: step.title })).toBeVisible();
    before = await app.call('lab.open', { lab: lab.id });
    expect(before.session, `round ${round}`).toBe(session);
    expect(before.inputs, `round ${round}`).toBe(inputs);
    expect(before.progress, `round ${round}`).toEqual(reply.progress);
    expect(before.machine.moment, `round ${round}`).toBe(reply.machine.moment);
    expect(before.machine.threads, `round ${round}`).toEqual(reply.machine.threads);
  }
  expect(inputs, 'inputs that were made').toBe(ROUNDS);
});
