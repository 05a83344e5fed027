import {
  ACTIONS,
  ActionSchema,
  ACTORS,
  commandOf,
  type Action,
  type ActionDeclaration,
} from '../scenario/action';
import { brokenText } from '../invariants/watch';
import { WHY } from '../machine/machine';
import { returnName } from '../machine/trace';
import { Timeline } from '../timeline';
import { SWITCHES, type Platform } from '../world';

/**
 * Random inputs at a random machine: whatever is done, nothing throws, no invariant breaks, and every refusal is one
 * that is documented. A seed gives the same inputs everywhere.
 */

/** What can be done to a machine. `raw` may be anything at all. */
export type Move =
  | { readonly do: 'perform' | 'begin'; readonly action: Action }
  | { readonly do: 'raw'; readonly value: unknown }
  | { readonly do: 'step'; readonly thread: number; readonly times: number }
  | { readonly do: 'jump'; readonly back: number }
  | { readonly do: 'settle' };

/** A machine from power-on, and what is done to it. */
export interface Run {
  readonly platform: Platform;
  readonly moves: readonly Move[];
}

/** Something that must not be, and the shortest run that was found to show it. */
export interface Finding {
  /** `threw`, `undocumented`, or the name of an invariant. */
  readonly kind: string;
  readonly say: string;
  readonly run: Run;
}

/** Moves of one machine; then another platform is tried. */
const MOVES_A_RUN = 400;
/** Steps after which a machine that does not come to rest is given up: some real loops spin for ever (x86:SIPI-30). */
const STEPS_A_MOVE = 4_000;

/** Mulberry32: 32 bits of state are enough here. */
export class Random {
  constructor(private state: number) {}
  /** 0 to `n - 1`. */
  below(n: number): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 0x1_0000_0000) * n);
  }
  chance(percent: number): boolean {
    return this.below(100) < percent;
  }
  one<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }
}

/** As much of a zod type as says which values it takes. */
interface Type {
  readonly def: {
    readonly type: string;
    readonly innerType?: Type;
    readonly entries?: Readonly<Record<string, unknown>>;
    readonly element?: Type;
  };
  readonly minValue?: number | null;
  readonly maxValue?: number | null;
}
interface Param {
  readonly key: string;
  readonly type: Type;
  readonly optional: boolean;
}
interface Template {
  readonly actor: string;
  readonly verb: string;
  readonly params: readonly Param[];
}

const TEMPLATES: readonly Template[] = ACTORS.flatMap((actor) =>
  Object.entries(ACTIONS[actor] as Record<string, ActionDeclaration>).map(([verb, { params }]) => ({
    actor,
    verb,
    params: Object.entries(params.shape).map(([key, type]) => {
      const declared = type as unknown as Type;
      return { key, type: unwrap(declared), optional: declared.def.type === 'optional' };
    }),
  })),
);
const BOOTS = TEMPLATES.filter(({ actor }) => actor === 'boot');
const OTHERS = TEMPLATES.filter(({ actor }) => actor !== 'boot');
const SIGNAL = OTHERS.find(({ verb }) => verb === 'signal')!;
const RUN = OTHERS.find(({ verb }) => verb === 'KVM_RUN')!;
const MESSAGE = OTHERS.find(({ verb }) => verb === 'KVM_SIGNAL_MSI')!;

function unwrap(type: Type): Type {
  return type.def.innerType && type.def.type !== 'array' ? unwrap(type.def.innerType) : type;
}

/** Numbers at which something changes: vectors of every class, the APIC's flags, broadcast, page sizes. */
const TELLING = [
  0, 1, 2, 15, 16, 31, 32, 0x31, 0x80, 0xec, 0xf2, 0xff, 0x100, 0x1ff, 0x200, 0x2_00ec, 0xffff_ffff,
];

function value(random: Random, { key, type }: Param, platform: Platform): unknown {
  const vms = Object.keys(platform.vms);
  if (key === 'vm') return random.chance(98) ? random.one(vms) : 'none';
  if (key === 'vcpu') return random.chance(98) ? random.below(2) : random.below(8);
  if (key === 'delivery_mode' && random.chance(95))
    return random.one(['FIXED', 'FIXED', 'NMI', 'INIT', 'STARTUP', 'SMI']);
  if (key === 'dest' && random.chance(80)) return random.below(3);
  switch (type.def.type) {
    case 'boolean':
      return random.chance(50);
    case 'enum':
      return random.one(Object.values(type.def.entries!));
    case 'array':
      return Array.from({ length: random.below(4) }, () =>
        value(random, { key: '', type: unwrap(type.def.element!), optional: false }, platform),
      );
    case 'number': {
      const min = Math.max(type.minValue ?? 0, 0);
      const max = Math.min(type.maxValue ?? 0xffff_ffff, 0xffff_ffff);
      const fits = TELLING.filter((n) => n >= min && n <= max);
      if (fits.length > 0 && random.chance(70)) return random.one(fits);
      return min + random.below(Math.min(max - min, 0xffff_fffe) + 1);
    }
    default:
      return 'x';
  }
}

/** A signal ends KVM_RUN: without many of them most ioctls only wait for it. Then the vCPU has to run again, and be interrupted. */
function anyTemplate(random: Random): Template {
  const n = random.below(100);
  if (n < 12) return SIGNAL;
  if (n < 22) return RUN;
  return n < 30 ? MESSAGE : random.one(OTHERS);
}

/** Any action of the language; the parameters suit their types, not the situation. */
export function anyAction(
  random: Random,
  platform: Platform,
  templates: readonly Template[] = OTHERS,
): Action {
  const { actor, verb, params } = templates === OTHERS ? anyTemplate(random) : random.one(templates);
  const action: Record<string, unknown> = { [actor]: verb };
  for (const param of params) {
    if (!param.optional || random.chance(50)) action[param.key] = value(random, param, platform);
  }
  const there = platform.vms[action.vm as string];
  if ('vcpu' in action && there !== undefined && random.chance(95)) action.vcpu = random.below(there);
  return action as unknown as Action;
}

/** Anything that someone could write into a file: half an action, wrong types, nonsense. */
function anything(random: Random, platform: Platform): unknown {
  const action = { ...anyAction(random, platform, TEMPLATES) } as Record<string, unknown>;
  const keys = Object.keys(action);
  const wrong = random.one([null, -1, 1.5, NaN, 2 ** 53, '', 'KVM_RUN', [], {}, true, 4096, undefined]);
  if (random.chance(10)) return wrong;
  if (random.chance(20)) {
    const less = random.one(keys);
    return Object.fromEntries(Object.entries(action).filter(([key]) => key !== less));
  }
  action[random.chance(20) ? 'extra' : random.one(keys)] = wrong;
  return action;
}

function anyPlatform(random: Random): Platform {
  const vms: Record<string, number> = {};
  for (const name of ['td', 'vmx', 'other'].slice(0, 1 + random.below(3))) vms[name] = 1 + random.below(2);
  const switches = Object.fromEntries(SWITCHES.filter(() => random.chance(12)).map((name) => [name, true]));
  return { vms, switches };
}

/** A platform and what is done to it: mostly to machines that were brought up. */
export function anyRun(random: Random, moves = MOVES_A_RUN): Run {
  const platform = anyPlatform(random);
  const list: Move[] = [];
  for (const vm of Object.keys(platform.vms)) {
    if (!random.chance(85)) continue;
    const { verb } = random.one(
      BOOTS.filter((boot) => random.chance(20) || boot.verb === (vm === 'vmx' ? 'vmx' : 'td')).concat(BOOTS),
    );
    const boot = { boot: verb, vm, vcpus: platform.vms[vm]!, run: random.chance(80) };
    list.push({ do: 'perform', action: ActionSchema.parse(boot) });
    for (let vcpu = 0; vcpu < platform.vms[vm]! && random.chance(70); vcpu++)
      list.push({ do: 'perform', action: ActionSchema.parse({ guest: 'SVR', vm, vcpu }) });
  }
  while (list.length < moves) list.push(anyMove(random, platform));
  return { platform, moves: list };
}

function anyMove(random: Random, platform: Platform): Move {
  const kind = random.below(100);
  if (kind < 45) return { do: 'perform', action: anyAction(random, platform) };
  if (kind < 65) return { do: 'begin', action: anyAction(random, platform) };
  if (kind < 90)
    return { do: 'step', thread: random.below(7), times: 1 + random.below(random.chance(80) ? 4 : 40) };
  if (kind < 96) return { do: 'settle' };
  if (kind < 99) return { do: 'raw', value: anything(random, platform) };
  return { do: 'jump', back: random.below(60) };
}

/** What is known of a machine after some moves. */
interface Played {
  /** Moves that were made; a machine that left the model, or spins for ever, is given up. */
  readonly made: number;
  readonly finding: Pick<Finding, 'kind' | 'say'> | null;
  readonly timeline: Timeline | null;
}

const DOCUMENTED: ReadonlySet<string> = new Set(Object.values(WHY));

/** Makes the moves, and looks after each whether all is as it must be. */
export function play({ platform, moves }: Run, count: (what: string) => void = () => {}): Played {
  let made = 0;
  try {
    const t = new Timeline(platform, { invariants: true });
    for (const move of moves) {
      made++;
      const rests = make(t, move);
      if (t.broken) return { made, timeline: t, finding: { kind: t.broken.name, say: brokenText(t.broken) } };
      const { outcome } = t;
      if (outcome !== null && (move.do === 'perform' || move.do === 'begin')) {
        count(outcome.kind);
        const refusal = undocumented(t);
        if (refusal !== null) return { made, timeline: t, finding: { kind: 'undocumented', say: refusal } };
      }
      if (!rests || outcome?.kind === 'unmodelled') break;
    }
    return { made, finding: null, timeline: t };
  } catch (error) {
    const say = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return { made, finding: { kind: 'threw', say }, timeline: null };
  }
}

/** @returns whether the machine came to rest. */
function make(t: Timeline, move: Move): boolean {
  switch (move.do) {
    case 'perform':
      if ('boot' in move.action) t.perform(move.action);
      else t.begin(move.action);
      return t.settle(STEPS_A_MOVE) !== 'limit';
    case 'begin':
      t.begin(move.action);
      return true;
    case 'raw': {
      const parsed = ActionSchema.safeParse(move.value);
      if (!parsed.success) return true; // refused by the language, with a place and a sentence
      t.perform(parsed.data);
      return t.settle(STEPS_A_MOVE) !== 'limit';
    }
    case 'step': {
      const { threadInfos } = t.machine;
      const { name } = threadInfos[move.thread % threadInfos.length]!;
      for (let i = 0; i < move.times && t.step(name); i++);
      return true;
    }
    case 'settle':
      return t.settle(STEPS_A_MOVE) !== 'limit';
    case 'jump':
      t.jump(t.moment - move.back);
      return true;
  }
}

/** What is wrong with how the last action ended: no sentence, a refusal that nobody documents, a number for an errno. */
function undocumented(t: Timeline): string | null {
  const { kind, value: returned, say, action } = t.outcome!;
  const command = commandOf(action);
  if (!/^\S.*\.$/s.test(say)) return `${command}: ${kind} without a sentence: "${say}"`;
  if ((kind === 'refused' || kind === 'queued' || kind === 'unmodelled') && !DOCUMENTED.has(say))
    return `${command}: ${kind}: ${say}`;
  if (returned !== null && returned < 0 && !returnName(returned).startsWith('-E'))
    return `${command} returned ${returned}, which is no errno of the model`;
  return null;
}

/** Leaves out moves as long as the same thing goes wrong. */
export function shrink(run: Run, kind: string): Run {
  let moves = [...run.moves];
  const fails = (list: readonly Move[]): boolean => play({ ...run, moves: list }).finding?.kind === kind;
  for (let size = moves.length >> 1; size >= 1; size >>= 1) {
    for (let from = 0; from + size <= moves.length;) {
      const fewer = [...moves.slice(0, from), ...moves.slice(from + size)];
      if (fails(fewer)) moves = fewer;
      else from += size;
    }
  }
  return { ...run, moves };
}

/** A run as people read it. */
export function runText({ platform, moves }: Run): string {
  const lines = moves.map((move) => {
    if (move.do === 'perform' || move.do === 'begin') return `${move.do} ${commandOf(move.action)}`;
    return JSON.stringify(move);
  });
  return [JSON.stringify(platform), ...lines].join('\n');
}

/** Plays runs until `inputs` moves are made, or something is wrong. `count` hears how every action ended. */
export function fuzz(seed: number, inputs: number, count?: (what: string) => void): Finding | null {
  const random = new Random(seed);
  for (let made = 0; made < inputs;) {
    const run = anyRun(random, Math.min(MOVES_A_RUN, inputs - made));
    const played = play(run, count);
    made += Math.max(1, played.made);
    if (!played.finding) continue;
    const shortest = shrink({ ...run, moves: run.moves.slice(0, played.made) }, played.finding.kind);
    return { ...play(shortest).finding!, run: shortest };
  }
  return null;
}
