import type { Ref } from '../machine/layout';
import type { Machine } from '../machine/machine';
import { E, routine } from '../machine/routine';
import { APIC_DEST_LOGICAL, APIC_INT_LEVELTRIG } from '../platform/apic';
import * as host from './kvm_host';
import { kvm, kvm_lapic, kvm_msi_route } from './kvm_host';
import { kvm_make_all_cpus_request } from './kvm_main';
import { kvm_apic_match_dest, kvm_irq_delivery_to_apic } from './lapic';
import { kvm_x86_ops } from './kvm_x86_ops';
import { reply } from './reply';
import { kvm_msi_set_irq, kvm_set_irq_line } from './trace';

/** Mirrors arch/x86/kvm/irq_comm.c and virt/kvm/{irqchip,eventfd}.c: MSIs, routes of GSIs, lines and irqfds. */

function traceMsi(m: Machine, dest: number, low: number): void {
  const logical = low & APIC_DEST_LOGICAL ? 1 : 0;
  m.emit(kvm_msi_set_irq, dest, low & 0xff, (low >> 8) & 7, (low >> 15) & 1, logical);
}

/** KVM_SIGNAL_MSI. `dest` and `low` describe the message. Answers how many vCPUs accepted. */
export const kvm_send_userspace_msi = routine(
  {
    name: 'kvm_send_userspace_msi',
    layer: 'kvm',
    source: 'PI-8',
    args: ['vm', 'dest', 'low'],
    steps: {
      send: ['Without an irqchip refuse; else trace the message and deliver it.', 'VM-14'],
      sent: ['Answer the number of vCPUs that accepted.', 'PI-8'],
    },
  },
  (at) => ({
    send(m, l) {
      if (!host.irqchip_in_kernel(m, l.vm as Ref)) return m.ret(E('EINVAL'));
      traceMsi(m, l.dest, l.low);
      return m.call(at.sent, kvm_irq_delivery_to_apic, l.vm, 0, l.dest, l.low);
    },
    sent(m) {
      return m.ret(m.retval);
    },
  }),
);

/** A route in one word: MSI data in the low half, GSI in bits 19:16, type in bit 20. */
export const packRoute = (gsi: number, irqchip: boolean, data: number): number =>
  (data & 0xffff) | (gsi << 16) | (irqchip ? 1 << 20 : 0);

/** KVM_SET_GSI_ROUTING of one entry. With the split irqchip every vCPU then scans the routes for level-triggered ones. */
export const kvm_set_irq_routing = routine(
  {
    name: 'kvm_set_irq_routing',
    layer: 'kvm',
    source: 'VM-13',
    args: ['vm', 'dest', 'route'],
    steps: {
      check: [
        'Refuse without an irqchip, and a pin of one that is not in the kernel. Then KVM_REQ_SCAN_IOAPIC.',
        'VM-13',
      ],
    },
  },
  () => ({
    check(m, l) {
      const vm = l.vm as Ref;
      const mode = kvm.irqchip_mode.get(m, vm);
      const pin = (l.route & (1 << 20)) !== 0;
      if (mode === host.KVM_IRQCHIP_NONE || (pin && mode !== host.KVM_IRQCHIP_KERNEL))
        return m.ret(E('EINVAL'));
      if (pin) return m.ret(0); // the in-kernel I/O APIC is not modelled further: no TD can have it
      const entry = host.routeOf(vm, (l.route >>> 16) & 0xf);
      kvm_msi_route.set.set(m, entry, 1);
      kvm_msi_route.dest.set(m, entry, l.dest);
      kvm_msi_route.data.set(m, entry, l.route & 0xffff);
      if (mode !== host.KVM_IRQCHIP_SPLIT) return m.ret(0);
      return m.tail(kvm_make_all_cpus_request, vm, host.KVM_REQ_SCAN_IOAPIC);
    },
  }),
);

/** Sets the line of a GSI. `level` is the state of the line, not the trigger mode. */
export const kvm_set_irq = routine(
  {
    name: 'kvm_set_irq',
    layer: 'kvm',
    source: 'EOI-10',
    args: ['vm', 'gsi', 'level'],
    steps: {
      route: ['Find the route; a line that goes down sends nothing: -1.', 'EOI-10'],
      sent: ['Answer how many vCPUs accepted the MSI.', 'EOI-11'],
    },
  },
  (at) => ({
    route(m, l) {
      const entry = host.routeOf(l.vm as Ref, l.gsi);
      m.emit(kvm_set_irq_line, l.gsi, l.level);
      if (!kvm_msi_route.set.get(m, entry) || !l.level) return m.ret(-1);
      const dest = kvm_msi_route.dest.get(m, entry);
      const data = kvm_msi_route.data.get(m, entry);
      traceMsi(m, dest, data);
      return m.call(at.sent, kvm_irq_delivery_to_apic, l.vm, 0, dest, data | 0x4000);
    },
    sent: (m) => m.ret(m.retval),
  }),
);

/** KVM_IRQ_LINE and KVM_IRQ_LINE_STATUS. `line`: GSI in bits 3:0, level in bit 4. */
export const kvm_vm_ioctl_irq_line = routine(
  {
    name: 'kvm_vm_ioctl_irq_line',
    layer: 'kvm',
    source: 'EOI-11',
    args: ['vm', 'line', 'arg2'],
    steps: {
      check: ['Refuse without an irqchip.', 'VM-14'],
      done: ['Return 0 in any case; the number of deliveries is the status.', 'EOI-11'],
    },
  },
  (at) => ({
    check(m, l) {
      if (!host.irqchip_in_kernel(m, l.vm as Ref)) return m.ret(E('ENXIO'));
      return m.call(at.done, kvm_set_irq, l.vm, l.line & 0xf, (l.line >> 4) & 1);
    },
    done(m) {
      reply.irq_status.set(m, host.replyRef(m), m.retval);
      return m.ret(0);
    },
  }),
);

/** KVM_IRQFD. `resample` needs the full irqchip. @source VM-13 */
export const kvm_irqfd = routine(
  {
    name: 'kvm_irqfd',
    layer: 'kvm',
    source: 'VM-13',
    args: ['vm', 'gsi', 'resample'],
    steps: { assign: ['Check the irqchip; bind the eventfd to the GSI.', 'VM-13'] },
  },
  () => ({
    assign(m, l) {
      const mode = kvm.irqchip_mode.get(m, l.vm as Ref);
      if (mode === host.KVM_IRQCHIP_NONE || (l.resample && mode !== host.KVM_IRQCHIP_KERNEL))
        return m.ret(E('EINVAL'));
      kvm_msi_route.irqfd.set(m, host.routeOf(l.vm as Ref, l.gsi), 1);
      return m.ret(0);
    },
  }),
);

/** A vCPU looks which vectors of level-triggered routes concern it. @source EOI-3; irq_comm.c: kvm_scan_ioapic_routes */
export function vcpu_scan_ioapic(m: Machine, vcpu: Ref): void {
  const vm = host.kvmOf(m, vcpu);
  const ref = host.apicOf(vcpu);
  kvm_lapic.ioapic_handled_vectors.clearAll(m, ref);
  for (let gsi = 0; gsi < host.GSIS; gsi++) {
    const entry = host.routeOf(vm, gsi);
    if (!kvm_msi_route.set.get(m, entry)) continue;
    const data = kvm_msi_route.data.get(m, entry);
    const dest = kvm_msi_route.dest.get(m, entry);
    if (data & APIC_INT_LEVELTRIG && kvm_apic_match_dest(m, vcpu, 0 as Ref, dest, data))
      kvm_lapic.ioapic_handled_vectors.set(m, ref, data & 0xff);
  }
  kvm_x86_ops.load_eoi_exitmap(m, vcpu);
}
