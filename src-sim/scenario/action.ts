import { z } from 'zod';
import {
  APICV_INHIBIT_REASONS, CAPABILITY_NAMES, DELIVERY_MODES, MP_STATES, MSR_INDEX, SEAMCALL_LEAVES, SEAMCALL_STATUS, SHORTHANDS, TD_FIELDS, TDVMCALL_STATUS, TDVPS_FIELDS,
  type SeamcallLeaf,
} from '../names'; // prettier-ignore

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
const DestMode = z
  .enum(['PHYSICAL', 'LOGICAL'])
  .optional()
  .meta({ description: 'Bit 11 of the ICR, bit 2 of the MSI address; PHYSICAL unless given' });
const TriggerMode = z.enum(['EDGE', 'LEVEL']).meta({ description: 'Bit 15 of the ICR or of the MSI data' });
const Msr = z.int().min(0).max(0xffff_ffff).meta({ description: 'MSR index' });
const Word = z
  .int()
  .min(0)
  .max(Number.MAX_SAFE_INTEGER)
  .default(0)
  .meta({ description: 'Register value, at most 2^53 - 1' });
const MsrChoice = z.enum(Object.keys(MSR_INDEX) as [keyof typeof MSR_INDEX]);
const Page = z
  .int()
  .min(0)
  .max(7)
  .default(0)
  .meta({ description: 'One of eight pages besides the initial memory' });
const Direction = z.enum(['IN', 'OUT']).default('OUT').meta({ description: 'IN reads, OUT writes' });
const LEAVES = Object.keys(SEAMCALL_LEAVES) as SeamcallLeaf[];
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
      vendor: z
        .enum(['INTEL', 'AMD'])
        .optional()
        .meta({ description: 'Whose processor the table describes; INTEL unless given' }),
      lm: z
        .boolean()
        .optional()
        .meta({ description: 'Whether CPUID offers long mode; it does unless given' }),
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
    KVM_X86_SETUP_MCE: declare('Sets up machine checks of the vCPU.', 'x86:LAPIC-5', {
      ...onVcpu,
      cmci: z.boolean().default(true).meta({ description: 'MCG_CMCI_P: corrected ones raise an interrupt' }),
    }),
    KVM_TDX_CAPABILITIES: declare('Asks what a TD may be configured with; possible at any time.', 'VM-21', {
      ...onVm,
      nent: z.int().min(0).max(256).default(256).meta({ description: 'Room in the CPUID array' }),
      flags: z.int().min(0).max(0xff).default(0).meta({ description: 'Must be 0' }),
    }),
    KVM_MEMORY_ENCRYPT_OP: declare(
      'A TDX command on the VM by its number, with a damaged block or without.',
      'VM-20',
      {
        ...onVm,
        id: z.int().min(0).max(255).meta({ description: 'Command; 0, 1 and 4 are those that a VM has' }),
        hw_error: z
          .int()
          .min(0)
          .max(1)
          .default(0)
          .meta({ description: 'hw_error of the block, which must be 0' }),
        readable: z.boolean().default(true).meta({ description: 'Whether the block can be read' }),
      },
    ),
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
      dest_mode: DestMode,
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
        nmi_masked: Bit.optional().meta({ description: 'nmi.masked' }),
        interrupt_injected: Bit.optional().meta({ description: 'interrupt.injected' }),
        interrupt_nr: Vector.optional(),
        interrupt_soft: Bit.optional().meta({ description: 'interrupt.soft' }),
        interrupt_shadow: z
          .int()
          .min(0)
          .max(3)
          .optional()
          .meta({ description: 'interrupt.shadow (KVM_VCPUEVENT_VALID_SHADOW): 1 MOV SS, 2 STI' }),
        exception_injected: Bit.optional().meta({ description: 'exception.injected' }),
        exception_nr: Vector.optional(),
        sipi_vector: Vector.optional(),
        smm_inside_nmi: Bit.optional().meta({ description: 'smi.smm_inside_nmi (KVM_VCPUEVENT_VALID_SMM)' }),
        triple_fault: Bit.optional().meta({
          description: 'triple_fault.pending (KVM_VCPUEVENT_VALID_TRIPLE_FAULT)',
        }),
        exception_pending: Bit.optional().meta({
          description: 'exception.pending (KVM_VCPUEVENT_VALID_PAYLOAD)',
        }),
        unknown_flag: z
          .boolean()
          .optional()
          .meta({ description: 'true: a flag that the kernel does not know' }),
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
    KVM_SET_LAPIC: declare(
      'Writes the local APIC page back, as it is, with the given registers changed.',
      'tdx:LAPIC-1',
      {
        ...onVcpu,
        tpr: z.int().min(0).max(255).optional().meta({ description: 'TPR' }),
        svr: z.int().min(0).max(0x1ff).optional().meta({ description: 'SVR' }),
        ldr: z.int().min(0).max(255).optional().meta({ description: 'LDR bits 31:24, for xAPIC mode' }),
        dfr: z.int().min(0).max(0xffff_ffff).optional().meta({ description: 'DFR, for xAPIC mode' }),
        lvt0: z.int().min(0).max(0x1_ffff).optional().meta({ description: 'LVT LINT0' }),
        irr: Vector.optional().meta({ description: 'A vector that is set in the IRR' }),
        isr: Vector.optional().meta({ description: 'A vector that is set in the ISR' }),
      },
    ),
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
      dest_mode: DestMode,
      delivery_mode: DeliveryMode,
      vector: Vector.default(0),
      trigger_mode: TriggerMode.default('EDGE'),
      level: Bit.default(1).meta({ description: 'Level bit of a level-triggered message' }),
    }),
    answer: declare(
      'Userspace writes its answer into the kvm_run page, for the next KVM_RUN to complete.',
      'EXIT-15',
      {
        ...onVcpu,
        ret: z
          .enum(Object.keys(TDVMCALL_STATUS) as [keyof typeof TDVMCALL_STATUS])
          .default('SUCCESS')
          .meta({ description: 'tdx.ret; hypercall.ret and msr.error are 0 for SUCCESS' }),
        data: Word.meta({ description: 'Value read: io, mmio, msr, tdx.get_tdvmcall_info.r11' }),
      },
    ),
    KVM_CAP_EXIT_HYPERCALL: declare('Lets hypercalls go to userspace: KVM_EXIT_HYPERCALL.', 'HLT-12', {
      ...onVm,
      mask: z
        .int()
        .min(0)
        .max(0x7fff_ffff)
        .default(0x1000)
        .meta({ description: 'Hypercalls by bit; bit 12 is KVM_HC_MAP_GPA_RANGE, the only one there is' }),
    }),
    KVM_CAP_X86_USER_SPACE_MSR: declare(
      'Lets refused MSR accesses go to userspace: KVM_EXIT_X86_RDMSR and KVM_EXIT_X86_WRMSR.',
      'NUM-2',
      {
        ...onVm,
        mask: z
          .int()
          .min(0)
          .max(15)
          .default(1)
          .meta({ description: 'Reasons: INVAL 1, UNKNOWN 2, FILTER 4; others are refused' }),
      },
    ),
    KVM_CAP_X2APIC_API: declare('Chooses how x2APIC ids are read in messages of devices.', 'x86:LAPIC-31', {
      ...onVm,
      flags: z
        .int()
        .min(0)
        .max(7)
        .default(3)
        .meta({ description: 'USE_32BIT_IDS 1, DISABLE_BROADCAST_QUIRK 2; others are refused' }),
    }),
    KVM_CAP_EXCEPTION_PAYLOAD: declare('Tells pending exceptions from injected ones.', 'x86:UAPI-8', {
      ...onVm,
      enable: Bit.default(1),
    }),
    KVM_CAP_X86_TRIPLE_FAULT_EVENT: declare(
      'Makes a pending triple fault part of the events.',
      'x86:UAPI-8',
      {
        ...onVm,
        enable: Bit.default(1),
      },
    ),
    KVM_SET_MEMORY_ATTRIBUTES: declare('Makes a page private or shared.', 'EXIT-7', {
      ...onVm,
      page: Page,
      private: z
        .boolean()
        .meta({ description: 'KVM_MEMORY_ATTRIBUTE_PRIVATE; set for every page at the start' }),
    }),
    KVM_GET_MSRS: declare('Reads a list of MSRs; stops at the first that is refused.', 'RUN-17', {
      ...onVcpu,
      first: MsrChoice,
      second: MsrChoice.optional(),
      third: MsrChoice.optional(),
    }),
    KVM_SET_MSRS: declare(
      'Writes a list of MSRs, each with the value it has; stops at the first that is refused.',
      'RUN-17',
      { ...onVcpu, first: MsrChoice, second: MsrChoice.optional(), third: MsrChoice.optional() },
    ),
    close: declare('Closes every file descriptor of the VM: KVM destroys it.', 'FATAL-5', onVm),
    signal: declare('Sends a signal to the thread of a vCPU, as pthread_kill does.', 'RUN-5', onVcpu),
  },
  guest: {
    ICR: declare('The guest writes the x2APIC ICR (MSR 0x830): it sends an IPI.', 'PI-32', {
      ...onVcpu,
      dest: ApicDest.default(0),
      dest_mode: DestMode,
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
    IRQ_HANDLER: declare(
      "Whether the guest's interrupt handlers end by themselves with an EOI, or stay until the guest writes EOI.",
      'x86:LAPIC-20',
      { ...onVcpu, stay: z.boolean().default(true).meta({ description: 'true: they stay until EOI' }) },
    ),
    EOI: declare('The guest writes the EOI register (MSR 0x80B).', 'x86:LAPIC-24', {
      ...onVcpu,
      value: Word.meta({ description: 'Value written; nobody looks at it' }),
    }),
    CR8: declare('The guest moves a task priority to CR8.', 'x86:LAPIC-22', {
      ...onVcpu,
      value: z.int().min(0).max(15).meta({ description: 'TPR bits 7:4, 0 to 15' }),
    }),
    VE_HANDLER: declare(
      "Whether the guest's #VE handler fetches the information by itself, or executes what it is given first.",
      'TDXM-NMI-6',
      { ...onVcpu, stay: z.boolean().default(true).meta({ description: 'true: it waits for VEINFO_GET' }) },
    ),
    VEINFO_GET: declare('The guest calls TDG.VP.VEINFO.GET; its status is in RAX.', 'TDXM-VE-5', onVcpu),
    IF: declare('The guest enables or disables interrupts: STI, CLI.', 'SDM', {
      ...onVcpu,
      enabled: z.boolean(),
    }),
    IRET: declare('The NMI handler returns: NMIs are unblocked.', 'tdx:NMI-10', {
      ...onVcpu,
      fault: z
        .enum(['EPT_VIOLATION', 'PML_FULL', 'NOTIFY', 'PAGE_FAULT', 'DOUBLE_FAULT'])
        .optional()
        .meta({ description: 'What the IRET runs into at its first attempt, on a plain guest' }),
    }),
    RSM: declare('The SMI handler of a plain guest returns.', 'x86:SMI-13', {
      ...onVcpu,
      smbase: z
        .int()
        .min(0)
        .max(0xffff_0000)
        .optional()
        .meta({ description: 'SMBASE that the handler has put into the image' }),
      damaged: z
        .boolean()
        .optional()
        .meta({ description: 'true: the handler has put a CR4 into the image that does not exist' }),
    }),
    STI: declare('The guest executes STI: the next instruction comes before any event.', 'x86:VMX-6', onVcpu),
    MOV_SS: declare(
      'The guest executes MOV SS: the next instruction comes before any event.',
      'x86:VMX-6',
      onVcpu,
    ),
    DELIVERY_FAULT: declare(
      'The next deliveries of events into a plain guest run into an exit each.',
      'x86:VMX-15',
      {
        ...onVcpu,
        exit: z
          .enum(['EPT_VIOLATION', 'EPT_MISCONFIG', 'PML_FULL', 'APIC_ACCESS', 'NOTIFY', 'BUS_LOCK'])
          .default('EPT_VIOLATION')
          .meta({ description: 'Reason of the exit' }),
        times: z.int().min(0).max(255).default(1).meta({ description: 'How many deliveries' }),
      },
    ),
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
    RDMSR: declare('The guest reads an MSR.', 'PI-33', { ...onVcpu, msr: Msr }),
    WRMSR: declare('The guest writes an MSR.', 'PI-33', { ...onVcpu, msr: Msr, value: Word }),
    CPUID: declare('The guest executes CPUID for a leaf that the TDX module leaves to the host.', 'EXIT-7', {
      ...onVcpu,
      leaf: z.int().min(0).max(0xffff_ffff).default(1).meta({ description: 'EAX' }),
    }),
    IO: declare('The guest executes IN or OUT.', 'EXIT-7', {
      ...onVcpu,
      direction: Direction,
      port: z.int().min(0).max(0xffff).default(0x3f8).meta({ description: 'Port' }),
      size: z.int().min(0).max(8).default(1).meta({ description: 'Bytes; 1, 2 and 4 are valid' }),
      value: z.int().min(0).max(0xffff_ffff).default(0).meta({ description: 'Value for OUT' }),
    }),
    MMIO: declare('The guest reads or writes a device register in memory.', 'EXIT-7', {
      ...onVcpu,
      direction: Direction,
      gpa: Word.default(0xd000_0000).meta({ description: 'Address; the shared bit of a TD is added' }),
      size: z.int().min(0).max(16).default(4).meta({ description: 'Bytes; 1, 2, 4 and 8 are valid' }),
      value: Word.meta({ description: 'Value for a write' }),
    }),
    TDVMCALL: declare('The guest calls the host: TDG.VP.VMCALL with these registers.', 'EXIT-14', {
      ...onVcpu,
      r10: Word.meta({ description: 'R10; 0 for the standard leaves' }),
      leaf: z.int().min(0).max(0xffff_ffff).meta({ description: 'R11' }),
      r12: Word,
      r13: Word,
      r14: Word,
      r15: Word,
      rcx: z
        .int()
        .min(0)
        .max(0xffff)
        .default(0xfc00)
        .meta({ description: 'Registers that are passed, by bit; bits 0, 1 and 4 are refused' }),
    }),
    TOUCH: declare('The guest accesses one of eight pages of memory.', 'EXIT-18', {
      ...onVcpu,
      page: Page,
      space: z
        .enum(['private', 'shared'])
        .default('private')
        .meta({ description: 'Which alias of the page' }),
      access: z
        .enum(['read', 'write', 'fetch', 'accept'])
        .default('read')
        .meta({ description: 'accept: TDG.MEM.PAGE.ACCEPT' }),
    }),
    VMEXIT: declare(
      'Something in the guest makes the processor leave it with this reason; how it comes about is not modelled.',
      'EXIT-8',
      {
        ...onVcpu,
        reason: z.int().min(0).max(127).meta({ description: 'Basic exit reason' }),
        qualification: z.int().min(0).max(0xffff_ffff).default(0).meta({ description: 'Exit qualification' }),
        vector: z.int().min(0).max(31).default(14).meta({ description: 'Exception vector, for reason 0' }),
      },
    ),
    HLT: declare('The guest executes HLT.', 'HLT-1', {
      ...onVcpu,
      interrupts: z
        .enum(['enabled', 'blocked'])
        .default('enabled')
        .meta({ description: 'RFLAGS.IF at the HLT' }),
    }),
  },
  device: {
    post: declare('The IOMMU posts an interrupt of an assigned device straight into the PIR.', 'PI-25', {
      ...onVcpu,
      vector: Vector,
    }),
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
    tdx_no_vcpus_enter: declare(
      'KVM keeps every vCPU out of the TD while it takes a page away.',
      'RUN-10',
      onVm,
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
    migrate: declare(
      'The scheduler moves the thread of the vCPU to another CPU; who had that one, and does not run, takes its place.',
      'PI-23',
      { ...onVcpu, cpu: z.int().min(0).max(8).meta({ description: 'CPU: 0 is that of the VMM at first' }) },
    ),
    SMI: declare('An SMI hits the CPU on which the vCPU runs.', 'tdx:SMI-10', onVcpu),
    PMI: declare('A performance counter of a plain guest overflows.', 'x86:LAPIC-39', onVcpu),
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
    ENTRY_FAILURE: declare('The next VM entry on the CPU of the vCPU fails.', 'EXIT-10', {
      ...onVcpu,
      reason: z
        .enum(['INVALID_STATE', 'MSR_LOAD_FAIL', 'MCE_DURING_VMENTRY'])
        .default('MCE_DURING_VMENTRY')
        .meta({ description: 'Basic reasons 33, 34 and 41' }),
    }),
    STEP: declare(
      'The next exit of the vCPU comes so soon that the stepping filter of the TDX module takes it.',
      'tdx:NMI-28',
      {
        ...onVcpu,
        lapic: z
          .enum(['enabled', 'disabled'])
          .default('enabled')
          .meta({ description: 'Physical local APIC, without which the module cannot step' }),
      },
    ),
    SEAMCALL_STATUS: declare(
      'Makes the next SEAMCALLs of one leaf end with a status, without their work.',
      'NUM-22',
      {
        leaf: z
          .enum(LEAVES as [SeamcallLeaf])
          .default('TDH.VP.ENTER')
          .meta({ description: 'Leaf' }),
        status: z
          .enum(Object.keys(SEAMCALL_STATUS) as [keyof typeof SEAMCALL_STATUS])
          .meta({ description: 'Status' }),
        reason: z
          .int()
          .min(0)
          .max(0xffff_ffff)
          .default(0)
          .meta({ description: 'For TDH.VP.ENTER: exit reason, added to the low half' }),
        intr_info: z.int().min(0).max(0xffff_ffff).default(0).meta({ description: 'For TDH.VP.ENTER: R9' }),
        times: z.int().min(1).max(100).default(1).meta({ description: 'How many of them' }),
      },
    ),
    SEAMCALL: declare(
      'The host makes a SEAMCALL by itself, past KVM. The status is in RAX, a value that is read in R8 of the thread.',
      'TDXM-MODE-26',
      {
        ...onVcpu,
        leaf: z
          .enum([...LEAVES.filter((leaf) => leaf !== 'TDH.VP.ENTER'), 'NONE'] as [SeamcallLeaf | 'NONE'])
          .meta({ description: 'Leaf; TDH.VP.ENTER is for KVM_RUN; NONE has a number that no leaf has' }),
        from: z
          .enum(['vcpu', 'vmm'])
          .default('vcpu')
          .meta({ description: "Whose thread, and so whose CPU: the vCPU's or the VMM's" }),
        version: z.int().min(0).max(255).default(0).meta({ description: 'RAX bits 23:16' }),
        reserved: z.boolean().default(false).meta({ description: 'A reserved bit of RAX is set' }),
        field: z
          .enum([...TDVPS_FIELDS, ...TD_FIELDS])
          .default('PEND_NMI')
          .meta({ description: 'Field of the vCPU for TDH.VP.RD and TDH.VP.WR, of the TD for TDH.MNG.RD' }),
        value: Word.meta({ description: 'TDH.VP.WR: R8; CACHE.WB: RCX; VP.INIT: x2APIC id; AUG: page' }),
        mask: Word.default(0xffff_ffff).meta({ description: 'TDH.VP.WR: R9, bits to write' }),
        root: z.boolean().default(false).meta({ description: "PAGE.RECLAIM: the TD's root page" }),
      },
    ),
    MSR: declare('Something changes an MSR of the CPU that the TDX module looks at.', 'TDXM-ENTER-16', {
      ...onVcpu,
      what: z
        .enum(['LIMIT_CPUID', 'TSC_ADJUST', 'TSC_BACK', 'MONITOR_OFF'])
        .meta({ description: 'IA32_MISC_ENABLE, IA32_TSC_ADJUST, the TSC set back, MONITOR disabled' }),
      changed: z.boolean().default(true).meta({ description: 'false: it is as before again' }),
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
