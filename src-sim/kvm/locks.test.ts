import { expect, test } from 'vitest';
import { Bench, bothRunning } from '../testing/bench';
import { heldLocks } from './locks';

test('RUN-1: whoever is inside KVM_RUN holds vcpu->mutex, and other ioctls of that vCPU wait for it', () => {
  const bench = bothRunning();
  const mutex = (of: string) => ({ name: 'vcpu->mutex', of, holder: of, waiting: [] as string[] });
  const others = ['td.vcpu1', 'vmx.vcpu0', 'vmx.vcpu1'].map(mutex);
  expect(heldLocks(bench.machine)).toEqual([mutex('td.vcpu0'), ...others]);
  bench.does({ vmm: 'KVM_NMI', vm: 'td', vcpu: 0 });
  expect(heldLocks(bench.machine)[0]).toEqual({ ...mutex('td.vcpu0'), waiting: ['vmm'] });
  bench.does({ vmm: 'signal', vm: 'td', vcpu: 0 });
  expect(heldLocks(bench.machine)).toEqual(others);
});

test('APICV-6: the mask of inhibit reasons is changed under apicv_update_lock', () => {
  const bench = new Bench({ vms: { vmx: 1 } });
  bench.does({ vmm: 'KVM_CREATE_VM', vm: 'vmx', type: 'KVM_X86_DEFAULT_VM' });
  bench.starts({ vmm: 'KVM_CAP_SPLIT_IRQCHIP', vm: 'vmx' });
  bench.stepTo('vmm', '__kvm_set_or_clear_apicv_inhibit', 'decide');
  expect(heldLocks(bench.machine)).toEqual([
    { name: 'apicv_update_lock', of: 'vmx', holder: 'vmm', waiting: [] },
  ]);
});
