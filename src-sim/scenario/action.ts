import { z } from 'zod';
import { APICV_INHIBIT_REASONS, CAPABILITY_NAMES, DELIVERY_MODES, MP_STATES, SHORTHANDS } from '../names';

/** Name of a VM slot of the platform, such as `td`. State paths begin with it. */
export const VmName = z
  .string()
  .regex(/^[a-z][a-z0-9]{0,11}$/, 'a lower-case name of at most 12 letters and digits')
  .meta({ title: 'VM', description: 'Name of a VM of the platform, for example td' });
const Vcpu = z.int().min(0).max(7).meta({ title: 'vCPU', description: 'vCPU index within its VM, 0 to 7' });
const Vector = z.int().min(0).max(255).meta({ title: 'vector', description: 'Interrupt vector, 0 to 255' });
const Gsi = z.int().min(0).max(3).meta({ title: 'GSI', description: 'Global system interrupt, 0 to 3' });
const Bit = z.int().min(0).max(1);
const ApicDest = z
  .int()
  .min(0)
  .max(0xffff_ffff)
  .meta({ description: 'Destination x2APIC id, 0 to 0xffffffff' });
const DeliveryMode = z.enum(DELIVERY_MODES).meta({ description: 'Bits 10:8 of the ICR or of the MSI data' });
const TriggerMode = z.enum(['EDGE', 'LEVEL']).meta({ description: 'Bit 15 of the ICR or of the MSI data' });
/** What one action is: who does it, what it is called, which parameters it takes, what it means, who says so. */
export interface ActionDeclaration {
  readonly doc: string;
  readonly source: string;
  readonly params: z.ZodObject;
}

const declare = <P extends z.ZodRawShape>(doc: string, source: string, params: P) => ({
  doc,
  source,
  params: z.strictObject(params),
});
const onVm = { vm: VmName };
const onVcpu = { vm: VmName, vcpu: Vcpu };

/**
 * Every action there is, by actor and verb. Scenario files, labs, the console, the buttons of the screen, the JSON
 * Schema and the documentation read this table; `perform.ts` gives each entry its effect.
 */
export const ACTIONS = {
  vmm: {
    KVM_CREATE_VM: declare('Creates a VM of the given type.', 'VM-1', {
      ...onVm,
      type: z.enum(['KVM_X86_DEFAULT_VM', 'KVM_X86_TDX_VM']).meta({ description: 'VM type (NUM-6)' }),
    }),
    KVM_CAP_SPLIT_IRQCHIP: declare(
      'Puts the local APICs into the kernel, I/O APIC and PIC stay outside.',
      'VM-10',
      {
        ...onVm,
        pins: z.int().min(0).max(4096).default(24).meta({ description: 'Reserved I/O APIC pins, args[0]' }),
      },
    ),
    KVM_CREATE_IRQCHIP: declare(
      'Creates the full in-kernel irqchip: PIC, I/O APIC and local APICs.',
      'VM-11',
      onVm,
    ),
    KVM_TDX_INIT_VM: declare('Creates the TD in the TDX module: HKID, TDH.MNG.INIT.', 'VM-22', onVm),
    KVM_TDX_FINALIZE_VM: declare('Ends the measurement; the TD may run.', 'VM-24', onVm),
    KVM_CREATE_VCPU: declare('Creates a vCPU and its shadow local APIC.', 'VCPU-1', onVcpu),
    KVM_SET_CPUID2: declare('Gives the vCPU its CPUID table.', 'VCPU-7', {
      ...onVcpu,
      x2apic: z.boolean().default(true).meta({ description: 'Whether CPUID offers X2APIC' }),
    }),
    KVM_TDX_INIT_VCPU: declare('Creates the vCPU in the TDX module and initializes it.', 'VCPU-9', onVcpu),
    KVM_TDX_INIT_MEM_REGION: declare('Adds and measures initial memory of the TD.', 'VCPU-11', onVcpu),
    KVM_RUN: declare('Runs the vCPU on its thread until KVM returns to userspace.', 'RUN-2', {
      ...onVcpu,
      immediate_exit: Bit.default(0).meta({ description: 'kvm_run.immediate_exit at the call' }),
      request_interrupt_window: Bit.optional().meta({ description: 'kvm_run.request_interrupt_window' }),
      sync_regs: Bit.optional().meta({ description: 'Any bit in kvm_valid_regs or kvm_dirty_regs' }),
    }),
    KVM_X86_SET_MCE: declare('Injects an uncorrected machine check into the vCPU.', 'tdx:LAPIC-15', onVcpu),
    KVM_TDX_CAPABILITIES: declare('Asks what a TD may be configured with; possible at any time.', 'VM-21', {
      ...onVm,
      nent: z.int().min(0).max(256).default(256).meta({ description: 'Room in the CPUID array' }),
      flags: z.int().min(0).max(0xff).default(0).meta({ description: 'Must be 0' }),
    }),
    KVM_CHECK_EXTENSION: declare('Asks for a capability, of the VM or of the kernel.', 'tdx:SMI-8', {
      ...onVm,
      cap: z.enum(CAPABILITY_NAMES).meta({ description: 'Capability' }),
      fd: z
        .enum(['vm', 'kvm'])
        .default('vm')
        .meta({ description: "Whose file descriptor: the VM's or /dev/kvm's" }),
    }),
    KVM_CAP_X86_DISABLE_EXITS: declare('Lets MWAIT (1) and HLT (2) run without an exit.', 'NUM-9', {
      ...onVm,
      exits: z.int().min(0).max(31).meta({ description: 'MWAIT 1, HLT 2, PAUSE 4, CSTATE 8' }),
    }),
    KVM_CAP_X86_APIC_BUS_CYCLES_NS: declare('Sets the length of a LAPIC timer tick.', 'VM-6', {
      ...onVm,
      ns: z.int().min(0).max(1_000_000).meta({ description: 'Nanoseconds a tick; 1 unless set' }),
    }),
    KVM_CREATE_PIT2: declare('Creates the PIT in the kernel.', 'VM-13', onVm),
    KVM_GET_PIT2: declare('Reads the PIT.', 'VM-13', onVm),
    KVM_SET_PIT2: declare('Writes the PIT.', 'VM-13', onVm),
    KVM_REINJECT_CONTROL: declare('Chooses whether the PIT re-injects lost ticks.', 'VM-13', onVm),
    KVM_GET_IRQCHIP: declare('Reads PIC or I/O APIC.', 'VM-13', onVm),
    KVM_SET_IRQCHIP: declare('Writes PIC or I/O APIC.', 'VM-13', onVm),
    KVM_SET_GSI_ROUTING: declare('Routes a GSI to an MSI, or to a pin of the in-kernel irqchip.', 'VM-13', {
      ...onVm,
      gsi: Gsi,
      type: z.enum(['MSI', 'IRQCHIP']).default('MSI').meta({ description: 'Type of the entry' }),
      dest: ApicDest.default(0),
      delivery_mode: DeliveryMode.default('FIXED'),
      vector: Vector.default(0),
      trigger_mode: TriggerMode.default('EDGE'),
    }),
    KVM_IRQ_LINE: declare(
      'Sets the line of a GSI; the count of deliveries is kvm_irq_level.status.',
      'EOI-11',
      {
        ...onVm,
        gsi: Gsi,
        level: Bit.meta({ description: 'State of the line' }),
      },
    ),
    KVM_IRQFD: declare('Binds an eventfd to a GSI.', 'VM-13', {
      ...onVm,
      gsi: Gsi,
      resample: z.boolean().default(false).meta({ description: 'KVM_IRQFD_FLAG_RESAMPLE' }),
    }),
    KVM_GET_MP_STATE: declare(
      'Reads mp_state; pending INIT and SIPI are processed first.',
      'INIT-11',
      onVcpu,
    ),
    KVM_SET_MP_STATE: declare('Sets mp_state.', 'INIT-10', { ...onVcpu, mp_state: z.enum(MP_STATES) }),
    KVM_GET_VCPU_EVENTS: declare('Reads pending events, among them the INIT latch.', 'INIT-7', onVcpu),
    KVM_SET_VCPU_EVENTS: declare(
      'Writes pending events. A part that is left out is not valid; injected events left out become 0.',
      'INIT-7',
      {
        ...onVcpu,
        latched_init: Bit.optional().meta({ description: 'smi.latched_init (KVM_VCPUEVENT_VALID_SMM)' }),
        smi_pending: Bit.optional().meta({ description: 'smi.pending (KVM_VCPUEVENT_VALID_SMM)' }),
        smm: Bit.optional().meta({ description: 'smi.smm (KVM_VCPUEVENT_VALID_SMM)' }),
        nmi_pending: z
          .int()
          .min(0)
          .max(255)
          .optional()
          .meta({ description: 'nmi.pending (KVM_VCPUEVENT_VALID_NMI_PENDING), 0 to 255' }),
        nmi_injected: Bit.optional().meta({ description: 'nmi.injected' }),
        interrupt_injected: Bit.optional().meta({ description: 'interrupt.injected' }),
        exception_injected: Bit.optional().meta({ description: 'exception.injected' }),
      },
    ),
    KVM_NMI: declare(
      'Raises an NMI for the vCPU; the ioctl waits while KVM_RUN is under way.',
      'tdx:NMI-1',
      onVcpu,
    ),
    KVM_SMI: declare('Raises an SMI for the vCPU.', 'tdx:SMI-1', onVcpu),
    KVM_GET_REGS: declare('Reads general registers.', 'RUN-16', onVcpu),
    KVM_GET_SREGS: declare('Reads segment and control registers.', 'RUN-16', onVcpu),
    KVM_GET_LAPIC: declare('Reads the local APIC page.', 'tdx:LAPIC-1', onVcpu),
    KVM_SET_LAPIC: declare('Writes the local APIC page.', 'tdx:LAPIC-1', onVcpu),
    KVM_SET_SREGS: declare('Writes segment and control registers and the APIC base.', 'tdx:LAPIC-4', {
      ...onVcpu,
      apic_base: z
        .int()
        .min(0)
        .max(0xffff_ffff)
        .default(0xfee0_0c00)
        .meta({ description: 'sregs.apic_base' }),
    }),
    KVM_SET_GUEST_DEBUG: declare('Sets debug controls; BLOCKIRQ holds interrupts back.', 'x86:IRQ-16', {
      ...onVcpu,
      blockirq: z.boolean().default(true).meta({ description: 'KVM_GUESTDBG_BLOCKIRQ' }),
    }),
    KVM_INTERRUPT: declare('Queues an external interrupt, as a userspace PIC does.', 'tdx:LAPIC-7', {
      ...onVcpu,
      vector: z
        .int()
        .min(0)
        .max(1023)
        .default(0x20)
        .meta({ description: 'Vector; 256 and above are refused' }),
    }),
    KVM_SIGNAL_MSI: declare('Sends a message-signalled interrupt to the VM.', 'PI-8', {
      ...onVm,
      dest: ApicDest,
      delivery_mode: DeliveryMode,
      vector: Vector.default(0),
      trigger_mode: TriggerMode.default('EDGE'),
      level: Bit.default(1).meta({ description: 'Level bit of a level-triggered message' }),
    }),
    signal: declare('Sends a signal to the thread of a vCPU, as pthread_kill does.', 'RUN-5', onVcpu),
  },
  guest: {
    ICR: declare('The guest writes the x2APIC ICR (MSR 0x830): it sends an IPI.', 'PI-32', {
      ...onVcpu,
      dest: ApicDest.default(0),
      shorthand: z.enum(SHORTHANDS).default('NONE').meta({ description: 'ICR bits 19:18' }),
      delivery_mode: DeliveryMode,
      vector: Vector.default(0),
      trigger_mode: TriggerMode.default('EDGE'),
      level: Bit.default(1).meta({ description: 'ICR bit 14' }),
    }),
    SVR: declare(
      'The guest writes the spurious-vector register (MSR 0x80F); bit 8 enables the APIC.',
      'PI-6',
      {
        ...onVcpu,
        value: z.int().min(0).max(0x1ff).default(0x1ff).meta({ description: 'Value written, 0 to 0x1ff' }),
      },
    ),
    NMI_HANDLER: declare(
      "Whether the guest's NMI handler returns by itself, or stays until an IRET.",
      'tdx:NMI-10',
      {
        ...onVcpu,
        stay: z.boolean().default(true).meta({ description: 'true: it stays until IRET' }),
      },
    ),
    IF: declare('The guest enables or disables interrupts: STI, CLI.', 'SDM', {
      ...onVcpu,
      enabled: z.boolean(),
    }),
    IRET: declare('The NMI handler returns: NMIs are unblocked.', 'tdx:NMI-10', onVcpu),
    TRIPLE_FAULT: declare('The guest runs into a triple fault.', 'FATAL-1', onVcpu),
    TIMER: declare('The guest writes a timer register: LVTT, TMICT, TDCR or TSC_DEADLINE.', 'TMR-1', {
      ...onVcpu,
      register: z.enum(['LVTT', 'TMICT', 'TDCR', 'TSC_DEADLINE']),
      value: z
        .int()
        .min(0)
        .max(0xffff_ffff)
        .meta({ description: 'Value written; a deadline in ns of virtual time' }),
    }),
    HLT: declare('The guest executes HLT.', 'HLT-1', {
      ...onVcpu,
      interrupts: z
        .enum(['enabled', 'blocked'])
        .default('enabled')
        .meta({ description: 'RFLAGS.IF at the HLT' }),
    }),
  },
  device: {
    irqfd: declare('A device signals the eventfd of a GSI.', 'RUN-18', { ...onVm, gsi: Gsi }),
  },
  kvm: {
    set_apicv_inhibit: declare(
      'A hypothetical caller in KVM sets or clears an APICv inhibit reason.',
      'APICV-6',
      {
        ...onVm,
        reason: z.enum(APICV_INHIBIT_REASONS).meta({ description: 'kvm_apicv_inhibit (APICV-4)' }),
        set: z.boolean().default(true).meta({ description: 'false: clear it' }),
      },
    ),
    kvm_vcpu_reset: declare('A hypothetical caller in KVM resets the vCPU.', 'INIT-13', {
      ...onVcpu,
      init_event: z.boolean().meta({ description: 'true: as an INIT does; false: as at creation' }),
    }),
  },
  host: {
    pass: declare('Virtual time passes; timers that come due fire in order.', 'TMR-1', {
      ns: z.int().min(1).max(100_000_000).meta({ description: 'Nanoseconds, at most 0.1 s' }),
    }),
    NMI: declare('A host NMI hits the CPU on which the vCPU runs.', 'tdx:NMI-20', onVcpu),
    SMI: declare('An SMI hits the CPU on which the vCPU runs.', 'tdx:SMI-10', onVcpu),
    MCE: declare(
      'A machine check hits the CPU; with eMCA morphing it arrives as an MSMI.',
      'tdx:SMI-13',
      onVcpu,
    ),
    IRQ: declare('A host interrupt hits the CPU on which the vCPU runs.', 'EXIT-17', {
      ...onVcpu,
      vector: z
        .int()
        .min(32)
        .max(255)
        .default(0xec)
        .meta({ description: 'Host vector, 32 to 255; 0xec is the local timer' }),
    }),
    INIT: declare('The platform asserts INIT at the physical CPU on which the vCPU runs.', 'INIT-15', onVcpu),
  },
  boot: {
    td: declare('Brings up a TD in the canonical order of ioctls (ORD-1).', 'ORD-1', {
      ...onVm,
      vcpus: z.int().min(1).max(8).default(2),
      run: z.boolean().default(true).meta({ description: 'Also issue KVM_RUN on every vCPU' }),
    }),
    vmx: declare('Brings up a plain VMX guest.', 'x86:SIPI-23', {
      ...onVm,
      vcpus: z.int().min(1).max(8).default(2),
      run: z.boolean().default(true).meta({ description: 'Also issue KVM_RUN on every vCPU' }),
    }),
  },
} as const satisfies Record<string, Record<string, ActionDeclaration>>;

export type Actor = keyof typeof ACTIONS;
/** The verbs of one actor. */
export type VerbOf<A extends Actor> = keyof (typeof ACTIONS)[A] & string;
type ParamsOf<A extends Actor, V extends VerbOf<A>> = (typeof ACTIONS)[A][V] extends {
  params: infer P extends z.ZodType;
}
  ? z.infer<P>
  : never;
/** One action: `{ vmm: 'KVM_RUN', vm: 'td', vcpu: 0, immediate_exit: 0 }`. The actor is the key, the verb its value. */
export type Action = {
  [A in Actor]: { [V in VerbOf<A>]: { readonly [K in A]: V } & Readonly<ParamsOf<A, V>> }[VerbOf<A>];
}[Actor];

/** Every actor, in the order in which lists show them. */
export const ACTORS = Object.keys(ACTIONS) as readonly Actor[];

const variants = ACTORS.flatMap((actor) =>
  Object.entries(ACTIONS[actor] as Record<string, ActionDeclaration>).map(([verb, declaration]) =>
    declaration.params
      .extend({ [actor]: z.literal(verb) })
      .meta({ title: `${actor} ${verb}`, description: `${declaration.doc} ${declaration.source}` }),
  ),
);

/** Accepts exactly the actions of the table, with their defaults filled in. */
export const ActionSchema = z.union(
  variants as unknown as [z.ZodType, ...z.ZodType[]],
) as unknown as z.ZodType<Action, unknown>;

/** Who acts in `action`. */
export function actorOf(action: Action): Actor {
  return ACTORS.find((actor) => actor in action)!;
}

/** The verb of `action`, such as `KVM_RUN`. */
export function verbOf(action: Action): string {
  return (action as unknown as Record<string, string>)[actorOf(action)]!;
}

/** The one-line command that the console takes and every button shows: `vmm KVM_RUN vm=td vcpu=0`. */
export function commandOf(action: Action): string {
  const actor = actorOf(action);
  const { params } = (ACTIONS[actor] as Record<string, ActionDeclaration>)[verbOf(action)]!;
  const words = Object.keys(params.shape)
    .filter((key) => key in action)
    .map((key) => `${key}=${String((action as unknown as Record<string, unknown>)[key])}`);
  return [actor, verbOf(action), ...words].join(' ');
}
