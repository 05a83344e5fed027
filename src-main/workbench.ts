import { answer } from '../src-lab/ask';
import { replay } from '../src-lab/grade';
import { printIssue } from '../src-lab/issue';
import { stepsOf } from '../src-lab/notebook';
import { faultsOf, inputsOf, SANDBOX_LAB, switchDocs, switchesOf } from '../src-lab/sandbox';
import { LabSession } from '../src-lab/session';
import { SANDBOX } from '../src-lab/setup';
import { Shown } from '../src-lab/show';
import { entryLine, headerLine, parseKept, type TranscriptEntry } from '../src-lab/transcript';
import type { TraceFilter } from '../src-lab/view';
import { SIM_VERSION, type Trace, type TraceEvent } from '../src-sim';
import { tracePieces, type TracePiece } from '../src-sim/export/file';
import { writeScenario } from '../src-sim/scenario/write';
import type { Course } from './course';
import { readFacts } from './facts';
import { explainLabFault, labFolders, labPath, readLab } from './labs';
import { cardsOf, listingOf, type Listing, type Read } from './listing';
import { Scenarios } from './scenarios';
import type { Standing } from './store';
import type { Folders, Foreman, Opened, OpenRequest, Workshop } from './workshop';

/** A session that is open, what the screen was told of it, and the last line of its transcript. */
interface Bench {
  readonly session: LabSession;
  shown: Shown;
  last: string;
  /** The trace as it is being written to a file. */
  writing: Iterator<TracePiece> | null;
}

/** Milliseconds between two reports of progress while replaying or searching. */
const REPORT_EVERY = 100;

/**
 * The work of the worker: labs, sessions, replays. Knows nothing of threads, so it is tested without one.
 *
 */
export function makeWorkshop(
  { labs: root, scenarios: examples, facts }: Folders,
  course: Course,
  foreman: Foreman,
): Workshop {
  const scenarios = new Scenarios(examples);
  const benches = new Map<string, Bench>();
  /** The session that was closed last: who comes back to it before another is opened finds it as it was. */
  let rested: Bench | null = null;

  const labs = async (): Promise<Listing> => {
    const reads: Read[] = [];
    for (const folder of labFolders(root)) reads.push(await read(folder));
    return listingOf(reads);
  };

  const read = async (folder: string): Promise<Read> => {
    const path = labPath(root, folder)!;
    const files = readLab(path);
    if (!files.ok) return { folder, lab: null, errors: [explainLabFault(files.fault)] };
    const load =
      course.known(path, files.files) ??
      course.load(path, files.files, (await import('../src-lab/lab')).loadLab);
    return load.ok
      ? { folder, lab: load.lab, errors: [] }
      : { folder, lab: null, errors: load.issues.map(printIssue) };
  };

  const show = (session: LabSession, filter: TraceFilter): Shown =>
    new Shown(session, scenarios.script(session.setup?.scenario ?? null), filter);

  const open = async ({ lab: name, session, started, kept, filter }: OpenRequest): Promise<Opened> => {
    const { found, broken } = name === SANDBOX ? NO_LABS : await labs();
    const lab =
      name === SANDBOX
        ? SANDBOX_LAB
        : (found.get(name) ?? [...found.values()].find(({ folder }) => folder === name))?.lab;
    if (lab === undefined) {
      const why = broken.find(({ folder }) => folder === name)?.why;
      return why === undefined ? { kind: 'no_lab' } : { kind: 'broken', why };
    }
    const { title } = lab.source;
    const head = { lab: lab.id, labHash: lab.contentHash, simVersion: SIM_VERSION, session, started };
    const header = kept?.header ?? headerLine(head);
    let learner = new LabSession(lab, session);
    let entries: readonly TranscriptEntry[] = [];
    if (kept !== null) {
      const sound = parseKept(kept.header, kept.lines);
      if (!sound.ok) return { kind: 'damaged', line: sound.fault.line, title };
      if (sound.transcript.head.labHash !== lab.contentHash) return { kind: 'changed', what: 'lab', title };
      if (sound.transcript.head.simVersion !== SIM_VERSION)
        return { kind: 'changed', what: 'simulator', title };
      entries = sound.transcript.entries;
      // Each line vouches for all before it, the header included.
      if (rested?.last === (kept.lines.at(-1) ?? kept.header)) {
        learner = rested.session;
        learner.peekNoMore();
      } else {
        const replayed = replay(lab, session, entries, reporter(foreman));
        if (!replayed.ok) return { kind: 'damaged', line: replayed.n + 1, title };
        learner = replayed.session;
      }
    }
    rested = null;
    const shown = show(learner, filter);
    const bench: Bench = { session: learner, shown, last: kept?.lines.at(-1) ?? header, writing: null };
    benches.set(session, bench);
    const { labHash, simVersion } = head;
    return {
      kind: 'open',
      lab: lab.id,
      labHash,
      simVersion,
      header,
      at: entries.at(-1)?.at ?? 0,
      view: bench.shown.view(),
    };
  };

  return {
    ping: () => {
      const { heapUsed, arrayBuffers } = process.memoryUsage();
      return { heap: heapUsed, buffers: arrayBuffers };
    },
    labs: async () => cardsOf(await labs()),
    facts: () => readFacts(facts),
    open,
    view: (session) => {
      const bench = benches.get(session);
      if (bench === undefined) return null;
      bench.shown = show(bench.session, bench.shown.filter);
      return bench.shown.view();
    },
    apply: (id, input, at) => {
      const bench = benches.get(id);
      if (bench === undefined) return null;
      const { session, shown } = bench;
      const applied = session.apply(input);
      const reply = shown.reply(applied);
      if (!applied.accepted) return { accepted: false, reply };
      bench.last = entryLine(bench.last, { n: session.inputs, at, input });
      return { accepted: true, line: bench.last, standing: standingOf(session), reply };
    },
    peek: (id, moment) => {
      const bench = benches.get(id);
      return bench === undefined ? null : bench.shown.reply(bench.session.peek(moment));
    },
    filter: (id, filter) => benches.get(id)?.shown.show(filter) ?? null,
    events: (id, on, numbers) => benches.get(id)?.shown.events(on, numbers) ?? null,
    ask: (id, question) => {
      const bench = benches.get(id);
      return bench === undefined ? null : answer(bench.session, question, reporter(foreman));
    },
    close: (session) => {
      rested = benches.get(session) ?? null;
      benches.delete(session);
    },
    sandbox: () => ({ switches: switchDocs(), scenarios: scenarios.cards() }),
    faults: faultsOf,
    scenario: (id) => scenarios.find(id),
    done: (id) => {
      const session = benches.get(id)?.session;
      if (session === undefined) return null;
      const { timeline, deeds, viewed, rig } = session;
      const switches = switchesOf(rig)[viewed]!.map(({ name }) => name);
      return { inputs: inputsOf(timeline, deeds, viewed), switches };
    },
    written: (id, title) => {
      const session = benches.get(id)?.session;
      if (session === undefined) return null;
      const { timeline, deeds, viewed, rig } = session;
      return writeScenario(title, rig[viewed]!.platform, stepsOf(timeline, deeds, viewed));
    },
    trace: (id, format) => {
      const bench = benches.get(id);
      if (bench === undefined) return null;
      const { session } = bench;
      const { trace, cpus } = session.timeline.machine;
      const about = { cpus: cpus.length, title: session.lab.source.title, simulator: SIM_VERSION };
      bench.writing = tracePieces(format, happened(trace), about);
      return { events: trace.count - trace.first, lost: trace.first };
    },
    traceText: (id) => {
      const bench = benches.get(id);
      const piece = bench?.writing?.next();
      if (bench !== undefined && piece?.done === true) bench.writing = null;
      return piece === undefined || piece.done === true ? null : piece.value;
    },
  };
}

/** The events up to the moment shown. */
function* happened(trace: Trace): Generator<TraceEvent, undefined> {
  for (let n = trace.first; n < trace.count; n++) yield trace.event(n);
}

const NO_LABS: Listing = { found: new Map(), broken: [] };

function standingOf(session: LabSession): Standing {
  const { score, checkpoints, complete } = session.progress();
  const settled = checkpoints.filter(({ state }) => state === 'passed' || state === 'revealed').length;
  return { score, checkpoints: checkpoints.length, settled, complete };
}

/** Reports at most ten times a second; a report also tells the supervisor that the worker is alive. */
function reporter(foreman: Foreman): (done: number, total: number) => void {
  let last = performance.now();
  return (done, total) => {
    const now = performance.now();
    if (now - last < REPORT_EVERY) return;
    last = now;
    foreman.progress(done, total);
  };
}
