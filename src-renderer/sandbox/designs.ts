/** Switches that tell one design from another; all others take away what TDX or KVM needs. */
export const DESIGNS: readonly string[] = [
  'apicv_v1',
  'nmi_readback',
  'no_halt_flag',
  'module_nmi_fix',
  'fred',
  'emca',
  'no_apicv',
  'nohz_full',
  'assigned_device',
];
