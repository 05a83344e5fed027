import { bits, float, flag, int32, Layout, name, num, record, sub, word64, type Leaf, type Layer, type Placement, type Ref, type Views } from './layout'; // prettier-ignore
import { allRoutines, BLOCKED, CALLED, FRAME_LOCALS, frameUnderWay, RET, type Routine } from './routine';
import { ERRNO, Trace, type EventDeclaration, type TracedClock } from './trace';

/** `kvm_run.exit_reason`, by value. @source NUM-2 */
export const KVM_EXIT: Readonly<Record<number, string>> = {
  0: 'KVM_EXIT_UNKNOWN', 1: 'KVM_EXIT_EXCEPTION', 2: 'KVM_EXIT_IO', 3: 'KVM_EXIT_HYPERCALL', 4: 'KVM_EXIT_DEBUG',
  5: 'KVM_EXIT_HLT', 6: 'KVM_EXIT_MMIO', 7: 'KVM_EXIT_IRQ_WINDOW_OPEN', 8: 'KVM_EXIT_SHUTDOWN', 9: 'KVM_EXIT_FAIL_ENTRY',
  10: 'KVM_EXIT_INTR', 11: 'KVM_EXIT_SET_TPR', 12: 'KVM_EXIT_TPR_ACCESS', 16: 'KVM_EXIT_NMI', 17: 'KVM_EXIT_INTERNAL_ERROR',
  24: 'KVM_EXIT_SYSTEM_EVENT', 26: 'KVM_EXIT_IOAPIC_EOI', 27: 'KVM_EXIT_HYPERV', 29: 'KVM_EXIT_X86_RDMSR',
  30: 'KVM_EXIT_X86_WRMSR', 31: 'KVM_EXIT_DIRTY_RING_FULL', 32: 'KVM_EXIT_AP_RESET_HOLD', 33: 'KVM_EXIT_X86_BUS_LOCK',
  34: 'KVM_EXIT_XEN', 37: 'KVM_EXIT_NOTIFY', 39: 'KVM_EXIT_MEMORY_FAULT', 40: 'KVM_EXIT_TDX',
}; // prettier-ignore

/** `idle`: in userspace, no call under way. `waiting`: for a lock, or for other CPUs to answer. `blocked`: asleep in KVM. `in-guest`: the guest has nothing to do. */
export const THREAD_STATUS = ['idle', 'ready', 'blocked', 'waiting', 'in-guest'] as const;
export type ThreadStatus = (typeof THREAD_STATUS)[number];
const IDLE = 0;
const READY = 1;

/** How the last action stands. */
export const OUTCOME_KIND = ['none', 'pending', 'returned', 'queued', 'refused', 'unmodelled'] as const;
export type OutcomeKind = (typeof OUTCOME_KIND)[number];
const PENDING = OUTCOME_KIND.indexOf('pending');

/** Why an action is refused, waits or is beyond the model; the sentence is the explanation userspace gets. */
export const WHY = {
  none: '',
  no_vm: 'That VM does not exist yet. Create it with KVM_CREATE_VM.',
  vm_exists: 'That VM exists already.',
  no_vcpu: 'That vCPU does not exist yet. Create it with KVM_CREATE_VCPU.',
  no_slot: 'The platform has no such VM or vCPU.',
  thread_busy: 'The thread that would issue this call is inside another one.',
  not_tdx: 'This sub-command exists for TDX VMs only.',
  plain_only: 'The model has this for plain VMX guests only.',
  guest_busy: 'The guest already has an instruction to execute.',
  guest_queued: 'The vCPU is not executing guest code now; it will execute this when it next runs.',
  guest_parked: 'The vCPU sleeps; it will execute this when it next runs.',
  no_guest_code: 'This vCPU never ran: the guest has no code to execute yet.',
  not_in_guest: 'No guest code runs on that CPU, so the physical INIT does not meet the TD.',
  too_deep: 'The call nests deeper than the model keeps.',
  host_init: 'A physical INIT outside a TD resets the host CPU; that is outside the model.',
  host_mce: "A machine check outside a guest is the host's own; that is outside the model.",
  vm_busy: 'A thread is inside an ioctl of this VM, which keeps it alive; a signal ends KVM_RUN.',
  td_smm: 'A TD has no SMM: no handler of it can return.',
  td_pmu: "The performance counters of a TD are not KVM's: no overflow of theirs comes this way.",
  no_device: 'The platform has no device whose interrupts the IOMMU posts: switch assigned_device on.',
  no_irqfd: 'No eventfd is bound to that GSI. Bind one with KVM_IRQFD.',
  module_fatal: 'The TDX module shuts itself down on this platform; that is outside the model.',
  no_cpu: 'The platform has no such CPU.',
  cpu_taken: 'Another thread runs on that CPU.',
  no_kvm: 'kvm_intel did not load: there is no /dev/kvm.',
  reset_dead_vm: 'KVM no longer handles a VM that is bugged.',
  guest_halted: 'The guest has halted on this vCPU: it executes nothing until something wakes it.',
  vm_closing: 'The file descriptors of this VM are being closed: nothing can be asked of it any more.',
  not_posted:
    'Interrupts of a device are posted only with APICv, to VMs whose local APICs are in the kernel.',
} as const satisfies Record<string, string>;
export type Why = keyof typeof WHY;
const WHY_NAMES = Object.keys(WHY) as Why[];

export const frame = record('frame', 'hardware', 'A routine under way', {
  routine: num(16, 'Routine', { hidden: true }),
  step: num(8, 'Next step', { hidden: true }),
  _: num(8, 'Padding', { hidden: true }),
  words: bits(FRAME_LOCALS * 32, 'Arguments and locals', { hidden: true }),
});
/** Routines that can nest in one thread. */
export const MAX_DEPTH = 12;

/** A thread: the VMM's own, or the one on which a vCPU runs. */
export const thread = record('thread', 'kvm', 'A thread', {
  status: name(THREAD_STATUS, 'What the thread does'),
  depth: num(8, 'Routines under way', { source: 'simulator' }),
  waiting_on: num(16, 'The vCPU whose mutex it waits for', { hidden: true }),
  cpu: num(16, 'The CPU on which it runs', { hidden: true }),
  on_cpu: num(8, 'Number of the CPU on which it runs', { source: 'PI-24' }),
  migrate_to: num(8, '1 + number of the CPU to which the scheduler moves it at its next preemption point', {
    source: 'PI-23',
  }),
  acks: bits(16, 'CPUs that have not yet answered its function call; it waits for them', {
    source: 'NUM-15',
  }),
  action: num(32, 'Serial number of the action it works on', { hidden: true }),
  ret: int32('What the last call returned', { labels: labelled() }),
  rax: word64('Completion status of the last SEAMCALL', { source: 'NUM-21', layer: 'seam' }),
  r8: word64('R8 of the last SEAMCALL: value to write, then the value that was read or was there before', {
    source: 'TDXM-VCPU-13',
    layer: 'seam',
  }),
  r9: word64('R9 of the last SEAMCALL: mask of the bits to write', { source: 'TDXM-VCPU-13', layer: 'seam' }),
  signal: flag('A signal is pending', { source: 'RUN-5' }),
  frames: sub(frame, MAX_DEPTH, { hidden: true }),
});

/** What belongs to no processor: time, and how the last action ended. */
export const header = record('header', 'hardware', 'The machine as a whole', {
  now: float('Virtual time in nanoseconds since power-on'),
  moments: float('Moments so far', { hidden: true }),
  actions: num(32, 'Actions begun so far', { hidden: true }),
  current: num(8, 'Thread that stepped last', { hidden: true }),
  beyond: flag('A call was given up because the model does not reach further', { hidden: true }),
});
export const last = record('last', 'vmm', 'The last action', {
  kind: name(OUTCOME_KIND, 'Whether it returned, still waits, or could not begin'),
  why: name(WHY_NAMES, 'Why it waits or was refused'),
  return: int32('What it returned: 0, a positive count, or a negative errno', { labels: labelled() }),
  exit: int32('kvm_run.exit_reason, when KVM_RUN returned', {
    labels: { '-1': '', ...KVM_EXIT },
    source: 'NUM-2',
  }),
  seq: num(32, 'Its serial number', { hidden: true }),
});

function labelled(): Record<number, string> {
  return Object.fromEntries(Object.entries(ERRNO).map(([value, errno]) => [-Number(value), `-${errno}`]));
}

/** A thread of the platform. */
export interface ThreadInfo {
  /** `vmm`, or the path of its vCPU such as `td.vcpu0`. */
  readonly name: string;
}
export interface ThreadState {
  readonly name: string;
  /** Number of the CPU on which it runs. */
  readonly cpu: number;
  readonly layer: Layer;
  readonly status: ThreadStatus;
  readonly enabled: boolean;
  readonly stack: readonly { routine: string; step: string; doc: string; source: string; layer: Layer }[];
}

type Numbers<A extends readonly unknown[]> = { [K in keyof A]: number };
/** Argument numbers of a routine, checked for their count. */
type CallArgs<A extends string> = Numbers<readonly A[]>;

/** Words that every call fills, whether its routine has a name for them or not. */
const CALL_ARGS = 4;
const STEP_BYTE = frame.step.byte;
/** Events that no routine emits are the hardware's. */
const NO_ROUTINE = 0xffff;
/** Virtual nanoseconds that a step takes. */
const STEP_NS = 50;

/**
 * The engine: bytes, and threads that change them step by step. It knows nothing of KVM; what the bytes mean and what
 * the routines do comes from the layout and the registry.
 */
export class Machine implements Views {
  readonly layout: Layout;
  readonly u8: Uint8Array;
  readonly u16: Uint16Array;
  readonly u32: Uint32Array;
  readonly i32: Int32Array;
  readonly f64: Float64Array;
  readonly trace: Trace;
  readonly header: Ref;
  readonly last: Ref;
  readonly threadRefs: readonly Ref[];
  /** References of the placements given to the constructor, in their order. */
  readonly placed: readonly Ref[];
  /** The placements that are vCPUs, for code that looks at all of them. */
  vcpus: readonly Ref[] = [];
  /** The placements that are CPUs, by number. */
  cpus: readonly Ref[] = [];
  /** Command of the n-th begun action, for the trace. The history, which keeps the actions, provides it. */
  commandOf: (n: number) => string = () => '';
  /** Thread whose step runs; meaningless between steps. */
  thread = 0 as Ref;
  private readonly clock: TracedClock;
  private threadIndex = 0;
  /** Its depth, which its record has as well, and its innermost frame when the step began. */
  private depth = 0;
  private frame = 0;
  /** Routine whose step runs, for the layer of its events. */
  private within = NO_ROUTINE;
  private readonly routines: readonly Routine[];

  /**
   * @param placements - records after header, `last` and threads, in the order of `refs`.
   * @param capacity - events the trace keeps, a power of two.
   * @param layout - of the same threads and placements, from a machine before: making one takes long.
   */
  constructor(
    readonly threadInfos: readonly ThreadInfo[],
    placements: readonly Placement[],
    capacity = 1 << 15,
    layout?: Layout,
  ) {
    this.routines = allRoutines();
    const own: Placement[] = [
      { path: '', record: header },
      { path: 'last', record: last },
      ...threadInfos.map(({ name }) => ({ path: `${name}.thread`, record: thread })),
    ];
    this.layout = layout ?? new Layout([...own, ...placements]);
    if (this.layout.size > 0xffff)
      throw new RangeError(`the state has ${this.layout.size} bytes; references hold 16 bits`);
    const buffer = new ArrayBuffer(this.layout.size);
    this.u8 = new Uint8Array(buffer);
    this.u16 = new Uint16Array(buffer);
    this.u32 = new Uint32Array(buffer);
    this.i32 = new Int32Array(buffer);
    this.f64 = new Float64Array(buffer);
    const { refs } = this.layout;
    this.header = refs[0]!;
    this.last = refs[1]!;
    this.threadRefs = refs.slice(2, 2 + threadInfos.length);
    this.clock = {
      f64: this.f64,
      now: (this.header + header.now.byte) >> 3,
      moments: (this.header + header.moments.byte) >> 3,
      u8: this.u8,
      cpus: this.threadRefs.map((t) => t + thread.on_cpu.byte),
    };
    this.trace = new Trace(capacity, this.clock, threadInfos, allRoutines, (n) => this.commandOf(n));
    this.placed = refs.slice(2 + threadInfos.length);
    last.exit.set(this, this.last, -1);
  }

  // What the scheduler drives ------------------------------------------------------------------------------------

  /** Whether thread `i` can take a step. */
  enabled(i: number): boolean {
    return thread.status.get(this, this.threadRefs[i]!) === READY;
  }

  /** The thread that run-to-completion lets step next: the current one while it can, else the lowest; -1 for none. */
  nextThread(): number {
    const current = header.current.get(this, this.header);
    if (this.enabled(current)) return current;
    for (let i = 0; i < this.threadRefs.length; i++) if (this.enabled(i)) return i;
    return -1;
  }

  /** Lets threads step, each to completion, until none can: for whoever looks at nothing in between. */
  settle(): void {
    for (let i = this.nextThread(); i >= 0; i = this.nextThread()) {
      do this.step(i);
      while (this.enabled(i));
    }
  }

  /** Lets thread `i`, which must be enabled, take one atomic step. */
  step(i: number): void {
    this.enter(i);
    const { u8 } = this;
    const f = thread.frames.nth(this.thread, this.depth - 1);
    const r = this.routines[this.u16[f >> 1]!]!;
    this.frame = f;
    this.within = r.id;
    if (frameUnderWay.i32 !== this.i32) frameUnderWay.i32 = this.i32; // the collector hears of every object stored
    frameUnderWay.base = (f >> 2) + 1;
    const next = r.code[u8[f + STEP_BYTE]!]!(this, r.locals);
    if (next >= 0) u8[f + STEP_BYTE] = next;
    else if (next === RET) this.pop(r);
    this.tick();
  }

  /**
   * Puts an idle thread into a routine: the beginning of an action. The action's outcome is `pending` until the
   * routine returns, or something answers otherwise meanwhile.
   *
   * @returns false, with nothing changed, when the thread is busy.
   */
  begin<A extends string>(i: number, routine: Routine<A>, ...args: CallArgs<A>): boolean {
    const t = this.threadRefs[i]!;
    if (thread.depth.get(this, t) !== 0) return false;
    this.enter(i);
    this.within = routine.id;
    thread.action.set(this, t, last.seq.get(this, this.last));
    thread.status.set(this, t, READY);
    this.push(routine as unknown as Routine, args[0] ?? 0, args[1] ?? 0, args[2] ?? 0, args[3] ?? 0);
    return true;
  }

  /** Counts a new action, on thread `i` and in the layer of its actor, and makes it the one that `last` is about. */
  newAction(i: number, layer: Layer): void {
    this.enter(i);
    this.within = NO_ROUTINE;
    const n = header.actions.get(this, this.header);
    header.actions.set(this, this.header, n + 1);
    last.seq.set(this, this.last, n + 1);
    this.answer('pending', 'none', 0);
    this.trace.action(i, n, layer);
  }

  /** A moment passes: after every begun action and every step. */
  tick(): void {
    const { f64, clock } = this;
    f64[clock.now]! += STEP_NS;
    f64[clock.moments]! += 1;
  }

  /** Lets virtual time pass to `ns`, which must not lie in the past. */
  passTo(ns: number): void {
    header.now.set(this, this.header, Math.max(this.now, ns));
  }

  get now(): number {
    return header.now.get(this, this.header);
  }
  get moment(): number {
    return header.moments.get(this, this.header);
  }

  /** Actions begun so far. */
  get actionsBegun(): number {
    return header.actions.get(this, this.header);
  }

  private enter(i: number): void {
    const t = this.threadRefs[i]!;
    this.threadIndex = i;
    this.thread = t;
    this.depth = thread.depth.get(this, t);
    header.current.set(this, this.header, i);
  }

  // What steps call ----------------------------------------------------------------------------------------------

  /** Enters `callee`; the caller goes on at step `next` when it returns, with the result in `retval`. */
  call<A extends string>(next: number, callee: Routine<A>, a = 0, b = 0, c = 0, d = 0): number {
    this.u8[this.frame + STEP_BYTE] = next;
    if (this.depth >= MAX_DEPTH) return this.abandon('unmodelled', 'too_deep');
    this.push(callee as unknown as Routine, a, b, c, d);
    return CALLED;
  }

  /** Replaces the routine under way by `callee`, whose result becomes its own. */
  tail<A extends string>(callee: Routine<A>, a = 0, b = 0, c = 0, d = 0): number {
    const depth = --this.depth;
    this.trace.return(this.threadIndex, depth, this.within, 0);
    this.clearFrame(FRAME_LOCALS);
    this.push(callee as unknown as Routine, a, b, c, d);
    return CALLED;
  }

  /** Ends the routine with a result. Written `return m.ret(value)`. */
  ret(value = 0): number {
    thread.ret.set(this, this.thread, value);
    return RET;
  }

  /** What the routine that was called last returned. */
  get retval(): number {
    return thread.ret.get(this, this.thread);
  }

  /** Takes the thread out of the ready state; whoever changes what it waits for calls `wake`. */
  block(status: Exclude<ThreadStatus, 'idle' | 'ready'>): number {
    thread.status.set(this, this.thread, THREAD_STATUS.indexOf(status));
    return BLOCKED;
  }

  /** Makes a sleeping, waiting or in-guest thread ready. @returns whether it was not ready before. */
  wake(t: Ref): boolean {
    const status = thread.status.get(this, t);
    if (status === IDLE || status === READY) return false;
    thread.status.set(this, t, READY);
    return true;
  }

  /** Lets another thread step next, if one can: for a loop that waits for another thread without sleeping. */
  giveWay(): void {
    const other = this.threadRefs.findIndex((_, i) => i !== this.threadIndex && this.enabled(i));
    if (other >= 0) header.current.set(this, this.header, other);
  }

  /** Records an event. Slots in the order of its arguments; a `u64` takes two, high half first. */
  emit(e: EventDeclaration, a = 0, b = 0, c = 0, d = 0, f = 0, g = 0): void {
    const depth = this.depth > 0 ? this.depth - 1 : 0;
    this.trace.emit(this.threadIndex, depth, this.within, e, a, b, c, d, f, g);
  }

  /** Notes how the last action stands. */
  answer(kind: OutcomeKind, why: Why, value: number, exit = -1): void {
    last.kind.set(this, this.last, OUTCOME_KIND.indexOf(kind));
    last.why.set(this, this.last, WHY_NAMES.indexOf(why));
    last.return.set(this, this.last, value);
    last.exit.set(this, this.last, exit);
  }

  /** Notes the exit that KVM_RUN hands to userspace, if the last action is the one that made this call. */
  answerExit(exit: number): void {
    const mine = thread.action.get(this, this.thread) === last.seq.get(this, this.last);
    if (mine) last.exit.set(this, this.last, exit);
  }

  /** Ends everything that the current thread has under way, because the model does not reach further. */
  abandon(kind: OutcomeKind, why: Why): number {
    const t = this.thread;
    header.beyond.set(this, this.header, 1);
    this.u8.fill(0, thread.frames.nth(t, 0), thread.frames.nth(t, MAX_DEPTH));
    thread.depth.set(this, t, (this.depth = 0));
    thread.status.set(this, t, IDLE);
    if (thread.action.get(this, t) === last.seq.get(this, this.last)) this.answer(kind, why, 0);
    return CALLED;
  }

  /** Enters a routine. The frame it gets is all zero, as every frame that is not in use. */
  private push(r: Routine, a: number, b: number, c: number, d: number): void {
    const { depth, i32 } = this;
    const f = thread.frames.nth(this.thread, depth);
    const at = f >> 2;
    this.u16[f >> 1] = r.id;
    i32[at + 1] = a;
    i32[at + 2] = b;
    i32[at + 3] = c;
    i32[at + 4] = d;
    this.depth = depth + 1;
    thread.depth.set(this, this.thread, depth + 1);
    this.trace.call(this.threadIndex, depth, r.id, a, b, c);
  }

  /** Ends the routine of the step under way. */
  private pop(r: Routine): void {
    const depth = --this.depth;
    this.trace.return(this.threadIndex, depth, r.id, this.retval);
    this.clearFrame(r.words);
    thread.depth.set(this, this.thread, depth);
    if (depth === 0) this.goIdle();
  }

  /** What is over must not tell states apart. `words`: how many the routine can have written besides arguments. */
  private clearFrame(words: number): void {
    const { i32 } = this;
    const at = this.frame >> 2;
    i32[at] = 0;
    i32[at + 1] = 0;
    i32[at + 2] = 0;
    i32[at + 3] = 0;
    i32[at + 4] = 0;
    for (let i = CALL_ARGS + 1; i <= words; i++) i32[at + i] = 0;
  }

  /** The outermost routine of the thread has returned. */
  private goIdle(): void {
    const t = this.thread;
    thread.status.set(this, t, IDLE);
    const mine = thread.action.get(this, t) === last.seq.get(this, this.last);
    if (mine && last.kind.get(this, this.last) === PENDING) {
      this.answer('returned', 'none', this.retval, last.exit.get(this, this.last));
    }
  }

  // What observers ask -------------------------------------------------------------------------------------------

  /** A leaf's value as people read it. */
  show(leaf: Leaf): string {
    return leaf.field.show(this, leaf.ref);
  }

  /** A copy of all bytes. */
  bytes(): Uint8Array {
    return this.u8.slice();
  }

  /** 64 bits over the whole state, as 16 hexadecimal digits. The same state has the same hash everywhere. */
  hash(): string {
    const { u32 } = this;
    let a = 0x9e37_79b9;
    let b = 0x85eb_ca6b;
    for (let i = 0; i < u32.length; i++) {
      a = Math.imul(a ^ u32[i]!, 0x85eb_ca6b);
      a ^= a >>> 15;
      b = Math.imul(b + u32[i]!, 0xc2b2_ae35) ^ a;
      b = (b << 13) | (b >>> 19);
    }
    const digits = (n: number): string => (n >>> 0).toString(16).padStart(8, '0');
    return digits(a) + digits(b);
  }

  /** Where every thread is. */
  threads(): ThreadState[] {
    return this.threadInfos.map(({ name }, i) => {
      const t = this.threadRefs[i]!;
      const cpu = thread.on_cpu.get(this, t);
      const depth = thread.depth.get(this, t);
      const stack = Array.from({ length: depth }, (_, d) => {
        const f = thread.frames.nth(t, d);
        const r = this.routines[this.u16[f >> 1]!]!;
        const step = this.u8[f + 2]!;
        const [doc, source] = r.stepDocs[step]!;
        return { routine: r.name, step: r.stepNames[step]!, doc, source: source ?? r.source, layer: r.layer };
      });
      const status = THREAD_STATUS[thread.status.get(this, t)]!;
      return { name, cpu, layer: stack.at(-1)?.layer ?? 'vmm', status, enabled: status === 'ready', stack };
    });
  }
}
