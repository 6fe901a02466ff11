// A place where lines of a log go, with what waits for it. Nothing here ever makes the event loop wait: a
// target that takes nothing is tried again later, what does not fit into the buffer is dropped and counted,
// and said once the target takes lines again.

import { LineBuffer, MOST_BYTES } from './buffer.js'
import { openLogFile, type Place } from './place.js'
import { type Sink, sinkOf, standardSink } from './sink.js'

/** Pauses between attempts at a target that takes nothing. */
const FIRST_PAUSE_MS = 5
const LONGEST_PAUSE_MS = 500
/** How long the last lines may take. */
export const LAST_MS = 500
/** With so much waiting a quick file is helped along. */
const RELIEF_BYTES = MOST_BYTES / 2
/** A write that takes longer says that its file is not quick, for so long. */
const QUICK_MS = 200
const SLOW_FOR_MS = 10_000
/** Between two attempts at the end of the process, when nothing else runs any more. */
const SPIN_MS = 2

export interface TargetOptions {
  place: Place
  /** Option that names the place, for messages. */
  option: string
  /** The line that says how many were dropped, with its end. */
  droppedLine(count: number): string
  /** Called at the end of the process: write() what was not written yet. */
  last?(): void
  /** Called once each time the target begins to fail, other than by being full for a moment. */
  failing?(code: string): void
}

const openTargets = new Set<Target>()

/** What is left when the process ends by process.exit(), or because nothing is left to do. */
function flushAll(): void {
  const deadline = performance.now() + LAST_MS
  for (const target of openTargets) target.flushNow(deadline)
}

export class Target {
  readonly #options: TargetOptions
  readonly #buffer = new LineBuffer()
  #sink: Sink
  #next: Sink | undefined
  #writing = false
  #pumping = false
  /** When the write under way began. */
  #since = 0
  #slowUntil = 0
  #pause = 0
  #timer: NodeJS.Timeout | undefined
  #failing = false
  #dropped = 0
  #untold = 0
  #closed = false
  #drained: (() => void) | undefined

  /** @throws GaidarosError ERR_GAIDAROS_LOG */
  constructor(options: TargetOptions) {
    this.#options = options
    this.#sink = this.#open()
    if (openTargets.size === 0) process.on('exit', flushAll)
    openTargets.add(this)
  }

  /** Path, or the name of a standard stream. */
  get name(): string {
    const { place } = this.#options
    if ('path' in place) return place.path
    return place.standard === 1 ? 'standard output' : 'standard error'
  }

  get isFile(): boolean {
    return 'path' in this.#options.place
  }

  /** Lines that were dropped so far. */
  get dropped(): number {
    return this.#dropped
  }

  /**
   * Takes whole lines, each with its end. A file's write is done when the event loop comes around, and in one round a
   * busy server may make more lines than the buffer holds. So that a healthy disk loses none, they are then written
   * here and now, provided that the write under way is young and none was slow lately: then this one will not be
   * either, and on a disk that hangs it is not even tried. Lines of the two writes may change places.
   */
  write(lines: string): void {
    if (this.#closed) return
    if (this.#writing && this.#buffer.length + lines.length > RELIEF_BYTES) this.#relieve()
    this.#drop(this.#buffer.add(lines))
    this.#pump()
  }

  /**
   * Opens the path anew; what is under way still goes to the old file.
   * @throws GaidarosError ERR_GAIDAROS_LOG; the old file stays
   */
  reopen(): void {
    const next = this.#open()
    this.#next?.close()
    this.#next = next
    if (!this.#writing) this.#swap()
    this.#pump()
  }

  /** Resolves when everything is written, or LAST_MS later; nothing is taken any more. */
  async close(): Promise<void> {
    if (this.#closed) return
    if (!this.#isDrained) await this.#untilDrained()
    this.#closed = true
    clearTimeout(this.#timer)
    openTargets.delete(this)
    if (openTargets.size === 0) process.off('exit', flushAll)
    this.#next?.close()
    // A write under way still needs the descriptor; it is closed with the process then.
    if (!this.#writing) this.#sink.close()
  }

  /** At the end of the process: writes what waits, trying until `deadline`. What a thread is writing it will write. */
  flushNow(deadline: number): void {
    this.#pumping = true
    this.#options.last?.()
    if (this.#writing) this.#buffer.skipLent()
    while (this.#buffer.length > 0 && this.#writeNow()) if (performance.now() > deadline) return
    while (this.#buffer.length > 0 && performance.now() < deadline) {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, SPIN_MS)
      this.#writeNow()
    }
  }

  #open(): Sink {
    const { place, option } = this.#options
    if ('standard' in place) return standardSink(place.standard)
    const opened = openLogFile(place.path, option)
    return 'standard' in opened ? standardSink(opened.standard) : sinkOf(opened)
  }

  #swap(): void {
    if (this.#next === undefined) return
    this.#sink.close()
    this.#sink = this.#next
    this.#next = undefined
    this.#drop(this.#buffer.dropCut())
    this.#pause = 0
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  /** Writes as much as the target takes, unless a write or a pause is under way. */
  #pump(): void {
    if (this.#pumping) return
    this.#pumping = true
    while (!this.#writing && this.#timer === undefined && this.#buffer.length > 0) {
      this.#writing = true
      this.#since = performance.now()
      this.#sink.write(this.#buffer.lend(this.#sink.most), (error, bytes) => {
        this.#writing = false
        this.#judge(this.#since)
        this.#wrote(error, bytes)
      })
    }
    this.#pumping = false
  }

  /** After each write, which may have been done at once. */
  #wrote(error: NodeJS.ErrnoException | null, bytes: number): void {
    this.#buffer.taken(bytes)
    this.#swap()
    if (error !== null || bytes === 0) this.#wait(error)
    else {
      this.#pause = 0
      this.#failing = false
      if (this.#buffer.length === 0 && this.#untold > 0) this.#tellDropped()
    }
    if (this.#isDrained) this.#drained?.()
    this.#pump()
  }

  #wait(error: NodeJS.ErrnoException | null): void {
    const code = error?.code ?? 'ENOSPC'
    if (code !== 'EAGAIN' && !this.#failing) {
      this.#failing = true
      this.#options.failing?.(code)
    }
    this.#pause = Math.min(Math.max(2 * this.#pause, FIRST_PAUSE_MS), LONGEST_PAUSE_MS)
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#pump()
    }, this.#pause).unref()
  }

  #relieve(): void {
    const now = performance.now()
    if (now - this.#since > QUICK_MS || now < this.#slowUntil) return
    try {
      this.#buffer.restTaken(this.#sink.writeNow(this.#buffer.rest()))
    } catch {
      // What cannot be written stays; the write under way will say why.
    }
    this.#judge(now)
  }

  #judge(since: number): void {
    const now = performance.now()
    if (now - since > QUICK_MS) this.#slowUntil = now + SLOW_FOR_MS
  }

  #drop(lines: number): void {
    this.#dropped += lines
    this.#untold += lines
  }

  #tellDropped(): void {
    const line = this.#options.droppedLine(this.#untold)
    this.#untold = 0
    this.#drop(this.#buffer.add(line))
  }

  get #isDrained(): boolean {
    return !this.#writing && this.#buffer.length === 0
  }

  #untilDrained(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, LAST_MS)
      this.#drained = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  /** @returns false when the target takes nothing now */
  #writeNow(): boolean {
    try {
      const bytes = this.#sink.writeNow(this.#buffer.lend(this.#sink.most))
      this.#buffer.taken(bytes)
      return bytes > 0
    } catch {
      this.#buffer.taken(0)
      return false
    }
  }
}
